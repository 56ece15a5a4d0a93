"""The output of `modwire parse` for messages: for people, or as a JSON object for each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from stat import S_ISREG
from typing import BinaryIO

from modwire import ModbusError
from modwire_tools.explain.frames import TITLES, Reading, explain_frame
from modwire_tools.explain.guessing import best_framings, split_frames
from modwire_tools.explain.text import Line, parse_line, parse_message
from modwire_tools.explain.walk import Field

from .ending import WrongArgumentError
from .output import StyledLines

_BYTES_IN_ROW = 8
_NAME_WIDTH = 18
_LONGEST_LINE = 1 << 16  # bytes; a hundred messages on one line are shorter


class MessagePrinter:
    """Prints messages, and keeps the last request because its response may follow."""

    def __init__(
        self, framing: str | None, *, is_response: bool | None, with_fields: bool, as_json: bool
    ) -> None:
        self._framing = framing
        self._is_response = is_response
        self._with_fields = with_fields
        self._as_json = as_json
        self._lines = StyledLines()
        self._printing: list[str] = []  # of the current line of the file
        self._last: Reading | None = None
        self._printed = False

    def print_all(self, words: Sequence[str]) -> None:
        """Print the messages in the arguments. Raises WrongArgumentError before printing."""
        if len(words) > 1 and all(_is_short(word) for word in words):
            words = [" ".join(words)]  # the shell has split one message at its spaces
        try:
            for word in words:
                if not word.strip():
                    parse_message(word)  # raises an error that describes a message
            lines = [line for word in words if (line := parse_line(word)) is not None]
        except ValueError as error:
            raise WrongArgumentError(str(error)) from None
        if not lines:
            raise WrongArgumentError("nothing to parse: the arguments are comments")
        for line in lines:
            self.print_line(line)

    def print_lines(self, file: BinaryIO, name: str) -> None:
        """Print the messages of a file. Raises ModbusError at the end if a line is no message."""
        wrong = 0
        first = ""
        # Show the messages of a pipe at once.
        is_live = not S_ISREG(os.fstat(file.fileno()).st_mode)
        for number, raw in enumerate(_lines(file), 1):
            try:
                if len(raw.rstrip()) > _LONGEST_LINE:
                    raise ValueError(f"a line has at most {_LONGEST_LINE} characters")
                line = parse_line(raw.decode("utf-8", "backslashreplace"))
            except ValueError as error:
                wrong += 1
                first = first or f"line {number} of {name} is no message: {error}"
                continue
            if line is not None:
                self.print_line(line)
                if is_live:
                    sys.stdout.flush()
        if wrong:
            more = f" (and {wrong - 1} more)" if wrong > 1 else ""
            raise ModbusError(first + more)

    def print_line(self, line: Line) -> None:
        """Print a message, or each of several frames in a row."""
        framing = line.framing or self._framing
        for data in split_frames(line.data, framing):
            self._print_frame(data, framing, line.is_response)
        sys.stdout.write("".join(self._printing))
        self._printing.clear()

    def _print_frame(self, data: bytes, framing: str | None, is_response: bool | None) -> None:
        if is_response is None:
            is_response = self._is_response
        best, near = ([framing], {}) if framing else best_framings(data)
        found = [reading for name in best for reading in self._readings(data, name, is_response)]
        self._remember(found)
        if self._as_json:
            self._print_json(data, found, near, guessed=framing is None)
        else:
            self._print_text(data, found, near, guessed=framing is None, asked=is_response)

    def _readings(self, data: bytes, framing: str, is_response: bool | None) -> list[Reading]:
        """Return the reading in one direction, or both if it is unknown.

        A response is explained with the previous request if it fits.
        """
        found: list[Reading] = []
        if not is_response:
            found.append(explain_frame(data, framing, is_response=False))
        if is_response is not False:
            answer = explain_frame(data, framing, is_response=True)
            last = self._last
            if last is not None and _fits(answer, last):
                paired = explain_frame(data, framing, is_response=True, request=last.pdu)
                # A message of unknown direction may be the next request: it need not fit.
                if is_response or not paired.wrong:
                    answer = paired
            found.append(answer)
        return found

    def _remember(self, found: list[Reading]) -> None:
        requests = [reading for reading in found if not reading.is_response and not reading.wrong]
        self._last = requests[0] if requests else None

    def _print_json(
        self, data: bytes, found: list[Reading], near: dict[str, Reading], *, guessed: bool
    ) -> None:
        message = {
            "bytes": data.hex(),
            "guessed": guessed,
            "readings": [reading_json(reading, self._with_fields) for reading in found],
            "others": [
                {"framing": framing, "wrong": reading.wrong} for framing, reading in near.items()
            ],
        }
        self._printing.append(json.dumps(message, ensure_ascii=False) + "\n")

    def _print_text(
        self,
        data: bytes,
        found: list[Reading],
        near: dict[str, Reading],
        *,
        guessed: bool,
        asked: bool | None,
    ) -> None:
        if self._printed:
            self._print("")
        self._printed = True
        first = True
        for framing in dict.fromkeys([reading.framing for reading in found]):
            if not first:
                self._print("")
            first = False
            both = [reading for reading in found if reading.framing == framing]
            how = ", framing guessed" if guessed else ""
            what = "character" if framing == "ascii" else "byte"
            size = f"{len(data)} {what}{'' if len(data) == 1 else 's'}"
            shown = ascii(data.decode("latin-1"))[1:-1] if framing == "ascii" else data.hex()
            self._print(f"{TITLES[framing]}, {size}{how}: {shown}", "bold")
            for fault in both[0].faults:
                self._print(f"wrong: {fault}", "red")
            good = [reading for reading in both if not reading.wrong]
            for reading in both:
                self._print_reading(
                    reading, in_full=asked is not None or reading in good or not good
                )
        if near:
            self._print("")
            self._print("Other framings that it may be, with --framing:")
            for framing, reading in near.items():
                self._print(f"  {framing:<7} {'; '.join(reading.wrong) or 'without a frame'}")

    def _print_reading(self, reading: Reading, *, in_full: bool) -> None:
        direction = "response" if reading.is_response else "request"
        if not in_full:
            self._print(f"As a {direction}: no, {reading.problem}", "dim")
            return
        words = "" if reading.problem else f", {reading.words}"
        self._print(f"As a {direction}: {reading.name}{words}", "bold")
        if reading.about:
            self._print(f"  {reading.about}", "dim")
        for fault in reading.wrong[len(reading.faults) :]:
            self._print(f"  wrong: {fault}", "red")
        if self._with_fields:
            for line, is_wrong in field_lines(reading.fields, reading.framing == "ascii"):
                self._print(line, "red" if is_wrong else "")

    def _print(self, line: str, style: str = "") -> None:
        self._printing.append(self._lines.styled(line, style))


def _fits(answer: Reading, request: Reading) -> bool:
    """Return True if a response may be that to a request."""
    return (
        answer.pdu != b""
        and answer.framing == request.framing
        and answer.unit == request.unit
        and answer.transaction == request.transaction
        and answer.pdu[0] & 0x7F == request.pdu[0]
    )


def reading_json(reading: Reading, with_fields: bool) -> dict[str, object]:
    """Return a reading in the form of `modwire parse --json`."""
    found: dict[str, object] = {
        "framing": reading.framing,
        "direction": "response" if reading.is_response else "request",
        "name": reading.name,
        "about": reading.about,
        "unit": reading.unit,
        "transaction": reading.transaction,
        "pdu": reading.pdu.hex(),
        "words": reading.words,
        "wrong": reading.wrong,
    }
    if with_fields:
        found["fields"] = fields_json(reading.fields)
    return found


def fields_json(fields: Iterable[Field]) -> list[dict[str, object]]:
    """Return fields in the form of `modwire parse --json`."""
    return [
        {"start": start, "bytes": data.hex(), "name": name, "meaning": meaning}
        for start, data, name, meaning in fields
    ]


def field_lines(
    fields: Sequence[Field], is_text: bool = False, indent: str = ""
) -> Iterable[tuple[str, bool]]:
    """Yield a readable line for each field, and True if the field has a fault."""
    width = max([_NAME_WIDTH, *[len(field.name) for field in fields]])
    for start, data, name, meaning in fields:
        is_wrong = _is_fault(meaning)
        for row in range(0, max(1, len(data)), _BYTES_IN_ROW):
            some = data[row : row + _BYTES_IN_ROW]
            shown = some.decode("ascii", "replace") if is_text else some.hex(" ")
            if is_text and not shown.isprintable():
                shown = some.hex(" ")
            told = f"{name:<{width}}  {meaning}" if row == 0 else ""
            yield f"{indent}{start + row:>4}  {shown:<23}  {told}".rstrip(), is_wrong


def _is_fault(meaning: str) -> bool:
    if "wrong" in meaning:
        is_said = "; wrong" in meaning or "wrong," in meaning or ": wrong" in meaning
        if is_said or meaning.startswith("wrong"):
            return True
    return "missing:" in meaning or "cut off:" in meaning


def _is_short(word: str) -> bool:
    digits = word.lower().removeprefix("0x").removeprefix("\\x").strip(",")
    return 1 <= len(digits) <= 4 and all(digit in "0123456789abcdef" for digit in digits)


def _lines(file: BinaryIO) -> Iterable[bytes]:
    """Yield the lines of a file; a line that is too long is cut a little after the limit."""
    while line := file.readline(_LONGEST_LINE + 1):
        yield line
        while len(line) > _LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE + 1)
