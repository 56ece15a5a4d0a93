"""The output of `modwire sniff`: lines, JSON objects, or a live table; and a summary."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from time import monotonic, time
from typing import TYPE_CHECKING

from modwire.sniffing import DamageKind, HeardDamage, HeardExchange, HeardFrame, HeardOutcome
from modwire_tools.explain import explain_frame, explain_pdu
from modwire_tools.explain.walk import count
from modwire_tools.explain.words import judge
from modwire_tools.sniffing import LineStatistics, UnitStatistics, framing_in

from .output import note
from .parse_messages import field_lines, fields_json

if TYPE_CHECKING:
    from rich.text import Text

    from .screen import Screen, Sheet

_REDRAW = 0.25  # seconds
_SHOWN_BYTES = 32
_SAMPLE = 4096  # damaged bytes that are kept, until a frame is heard
_NAMES = {"rtu": "RTU", "ascii": "ASCII", "binary": "Binary"}
_HEADER = f"{'seconds':>12} {'ms':>9}  unit  request -> answer"
_WITHOUT_ANSWER = {
    HeardOutcome.BROADCAST: "no answer is due, a broadcast",
    HeardOutcome.LISTEN_ONLY: "no answer is due",
    HeardOutcome.UNANSWERED: "no answer",
}
_OUTCOMES = {
    HeardOutcome.ANSWERED: "good",
    HeardOutcome.EXCEPTION: "with an exception",
    HeardOutcome.BROADCAST: "broadcast",
    HeardOutcome.LISTEN_ONLY: "without an answer due",
    HeardOutcome.UNANSWERED: "without an answer",
    HeardOutcome.LATE: "with a late answer",
    HeardOutcome.WRONG_UNIT: "answered by another unit",
    HeardOutcome.INVALID: "with an invalid answer",
    HeardOutcome.UNASKED: "without a request",
}


_NOUNS = ("wrong checksum", "truncated frame", "repeated request")


def wall_clock_origin() -> float:
    """Return the seconds to add to monotonic times, to get seconds since the epoch."""
    return time() - monotonic()


class SniffOutput:
    """Shows what a sniffer hears. `origin` is added to all times; it may be set before `start`.

    `is_timed` is False if the times are unknown, `is_line` if the source is a file; `framing` is
    "rtu", "ascii" or "binary".
    """

    def __init__(self, *, is_table: bool, as_json: bool, with_fields: bool) -> None:
        self.origin = 0.0
        self.is_timed = True
        self.is_line = True
        self.framing = "rtu"
        self.statistics = LineStatistics()
        self._is_table = is_table
        self._as_json = as_json
        self._with_fields = with_fields
        self._source = ""
        self._first: float | None = None
        self._screen: Screen | None = None
        self._drawn = float("-inf")
        self._is_started = False
        self._sample = bytearray()

    def start(self, source: str) -> None:
        """Start the live table if there is one, or tell that the line is open."""
        self._source = source
        self._is_started = True
        if not self._is_table:
            if self.is_line:
                note(f"modwire: listens on {source}, Ctrl+C ends it")
        else:
            from .screen import Screen

            self._screen = Screen()
            self._screen.start()
            self._screen.draw(self.sheet())

    def show(self, heard: HeardExchange | HeardDamage) -> None:
        """Count and show a result."""
        self.statistics.add(heard)
        if isinstance(heard, HeardDamage) and len(self._sample) < _SAMPLE:
            self._sample += heard.data[:_SAMPLE]
        if self._is_table:
            return
        if self._as_json:
            text = json.dumps(self._json(heard), ensure_ascii=False)
        else:
            if self._first is None:
                self._first = heard.began
                sys.stdout.write(self._started())
            text = self._line(heard)
            if self._with_fields and isinstance(heard, HeardExchange):
                text = "\n".join([text, *_field_lines(heard, self.framing), ""])
        sys.stdout.write(f"{text}\n")

    def look(self, now: float) -> None:
        """Draw the table if it is due, or flush the lines."""
        if self._screen is None:
            sys.stdout.flush()
        elif now - self._drawn >= _REDRAW:
            self._drawn = now
            self._screen.draw(self.sheet(now))

    def end(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Call `finish` at the end of a `with` block."""
        self.finish(is_failed=isinstance(error, Exception))

    def finish(self, *, is_failed: bool = False) -> None:
        """End the table, or print the summary to standard error; say so if no frame was found.

        Nothing is printed if the source could not be opened, or failed before the first byte.
        """
        if self._screen is not None:
            self._screen.stop(self.sheet())
        sys.stdout.flush()
        if not self._is_started or (is_failed and not self._sample and not self._has_frames()):
            return
        if self._screen is None:
            note(self.summary())
            for unit, found in self.statistics.ordered():
                note(f"  {_unit_line(unit, found, self.is_timed)}")
        if not self._has_frames():
            note(f"modwire: {self._without_frames()}")

    def _has_frames(self) -> bool:
        return bool(self.statistics.outcomes)

    def _without_frames(self) -> str:
        """Return the advice for bytes among which there was no frame, or for no bytes."""
        if not self._sample:
            if self.is_line:
                return "no byte came: is the line in use, and are A and B connected?"
            return "there are no bytes"
        text = f"no {_NAMES[self.framing]} frame was found"
        other = framing_in(bytes(self._sample), besides=self.framing)
        if other:
            how = f"{other}://" if self.is_line else f"--framing {other}"
            return f"{text}: this looks like {_NAMES[other]}, try {how}"
        if self.is_line:
            return f"{text}: check baud rate, parity and framing (rtu://, ascii://, binary://)"
        return f"{text}: check the framing (--framing), and the baud rate of the recording"

    # Lines.

    def _started(self) -> str:
        if not self.is_timed:
            return f"# {_HEADER[2:]}\n"
        first = self.origin + (self._first or 0.0)
        try:
            begin = f"{datetime.fromtimestamp(first, timezone.utc):%Y-%m-%d %H:%M:%S.%f} UTC"
        except (OverflowError, ValueError, OSError):  # a capture may have any timestamps
            begin = f"the second {first:.6f} of 1970"
        return f"# seconds since {begin}\n# {_HEADER[2:]}\n"

    def _line(self, heard: HeardExchange | HeardDamage) -> str:
        seconds = f"{heard.began - (self._first or 0.0):.6f}" if self.is_timed else ""
        took = ""
        if isinstance(heard, HeardExchange):
            if self.is_timed and heard.response_time:  # 0.0: both came in one piece
                took = f"{1000 * heard.response_time:.3f}"
            told = f"{heard.unit:>4}  {_exchange_text(heard)}"
        else:
            unit = "?" if heard.unit is None else str(heard.unit)
            told = f"{unit:>4}  ! {_error_text(heard)}"
        return f"{seconds:>12} {took:>9}  {told}"

    def _json(self, heard: HeardExchange | HeardDamage) -> dict[str, object]:
        began = self.origin + heard.began if self.is_timed else None
        if isinstance(heard, HeardDamage):
            return {
                "time": began,
                "unit": heard.unit,
                "error": heard.kind.value,
                "bytes": heard.data.hex(),
            }
        request, response = _pdu(heard.request), _pdu(heard.response)
        judged = judge(request, response)
        taken = heard.response_time if self.is_timed and heard.response_time else None
        message: dict[str, object] = {
            "time": began,
            "milliseconds": None if taken is None else 1000 * taken,
            "unit": heard.unit,
            "outcome": heard.outcome.value,
            "attempt": heard.attempt,
            "answered_by": None if heard.response is None else heard.response.unit,
            "request": None if request is None else request.hex(),
            "response": None if response is None else response.hex(),
            "request_text": judged.request_text,
            "response_text": judged.response_text or _WITHOUT_ANSWER.get(heard.outcome, ""),
            "wrong": judged.wrong,
        }
        if self._with_fields:
            for name, pdu in (("request", request), ("response", response)):
                fields = explain_pdu(pdu or b"", is_response=name == "response", request=request)
                message[f"{name}_fields"] = [] if pdu is None else fields_json(fields)
        return message

    # The table.

    def sheet(self, now: float | None = None) -> Sheet:
        """Return the table of units; `now` is for the rates, by default the last time heard."""
        from .screen import Column, Sheet

        columns = [
            Column("unit", justify="right"),
            Column("requests", justify="right"),
            Column("/s", 1, "right"),
            Column("min ms", 4, "right"),
            Column("median", 2, "right"),
            Column("max", 3, "right"),
            Column("exceptions", style="yellow", least=12),
            Column("errors", style="red", least=12),
        ]
        rows: list[list[str | Text]] = []
        at = self.statistics.last
        if now is not None and self.origin and self.is_timed:
            at = now
        for unit, found in self.statistics.ordered():
            times = found.milliseconds() if self.is_timed else None
            rows.append(
                [
                    "?" if unit is None else str(unit),
                    str(found.requests),
                    f"{found.rate.at(at):.1f}" if self.is_timed else "",
                    *(("", "", "") if times is None else [f"{each:.1f}" for each in times]),
                    ", ".join(f"{code[:2]}: {times}" for code, times in found.exceptions.items()),
                    _listed(found.errors),
                ]
            )
        end = "" if now is None else ", Ctrl+C ends"
        return Sheet(self._source, columns, rows, self.summary() + end)

    def summary(self) -> str:
        """Return the counts of the whole line in one sentence."""
        found = self.statistics
        exchanges = sum(found.outcomes.values())
        text = count(exchanges, "exchange")
        if exchanges:
            parts = [
                f"{found.outcomes[outcome]} {told}"
                for outcome, told in _OUTCOMES.items()
                if found.outcomes[outcome]
            ]
            text += f": {', '.join(parts)}"
        damaged = [
            _counted(found.errors[kind], kind.value) for kind in DamageKind if found.errors[kind]
        ]
        return f"{text}; damaged bytes: {', '.join(damaged)}" if damaged else text


def _pdu(frame: HeardFrame | None) -> bytes | None:
    return None if frame is None else frame.pdu


def _exchange_text(heard: HeardExchange) -> str:
    judged = judge(_pdu(heard.request), _pdu(heard.response))
    asked = judged.request_text or "(no request)"
    if heard.attempt > 1:
        asked += f" (attempt {heard.attempt})"
    answer = judged.response_text or _WITHOUT_ANSWER.get(heard.outcome, "")
    if heard.outcome is HeardOutcome.WRONG_UNIT and heard.response is not None:
        answer += f" (answer by unit {heard.response.unit})"
    elif heard.outcome is HeardOutcome.LATE:
        answer += " (late answer)"
    return f"{asked} -> {answer}"


def _error_text(heard: HeardDamage) -> str:
    more = len(heard.data) - _SHOWN_BYTES
    shown = heard.data[:_SHOWN_BYTES].hex(" ")
    shown += f" and {count(more, 'more byte')}" if more > 0 else ""
    return f"{heard.kind.value}, {count(len(heard.data), 'byte')}: {shown}"


def _field_lines(heard: HeardExchange, framing: str) -> list[str]:
    lines: list[str] = []
    for frame in (heard.request, heard.response):
        if frame is not None:
            reading = explain_frame(
                frame.data, framing, is_response=frame.is_response, request=_pdu(heard.request)
            )
            lines.append(f"    {reading.name}")
            lines += [line for line, _ in field_lines(reading.fields, framing == "ascii", "    ")]
    return lines


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(_counted(number, kind) for kind, number in sorted(counts.items()))


def _counted(number: int, kind: str) -> str:
    """Return "2 wrong checksums" for 2 and "wrong checksum"; states have no plural."""
    return count(number, kind) if kind in _NOUNS else f"{number} {kind}"


def _unit_line(unit: int | None, found: UnitStatistics, is_timed: bool) -> str:
    parts = [count(found.requests, "request"), f"{found.answered} answered"]
    times = found.milliseconds() if is_timed else None
    if times is not None:
        parts.append("min/median/max {:.1f}/{:.1f}/{:.1f} ms".format(*times))
    for counts in (found.exceptions, found.errors):
        if counts:
            parts.append(_listed(counts))
    return f"{'bytes of no known unit' if unit is None else f'unit {unit}'}: {', '.join(parts)}"
