"""`PollTable`: the live table of `modwire poll --watch`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modwire_tools.explain.walk import count
from modwire_tools.poll.sample import BAD, GOOD, STALE

from .screen import Column, Screen, Sheet

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from modwire_tools.poll.delivery import Delivery
    from modwire_tools.poll.poller import Poller
    from modwire_tools.poll.reader import DeviceFigures
    from modwire_tools.poll.sample import Sample

_COLUMNS = [
    Column("device"),
    Column(""),
    Column("good", justify="right"),
    Column("stale", 5, justify="right"),
    Column("bad", 2, justify="right"),
    Column("late", 4, justify="right"),
    Column("most", 7, justify="right", style="dim"),
    Column("answer", 6, justify="right"),
    Column("requests", 8, justify="right"),
    Column("errors", 3, justify="right"),
    Column("missed", 9, justify="right"),
    Column("since", 10, justify="right"),
    Column("reason", 1, least=10),
]


class PollTable:
    """A row for each device, those with errors first; the sinks are below."""

    def __init__(self, poller: Poller, on: Console | None = None) -> None:
        self._poller = poller
        self._screen = Screen(on)
        self._note = ""

    def start(self) -> None:
        """Start drawing."""
        self._screen.start()

    def note(self, text: str) -> None:
        """Show a sentence below the table, until the next one comes."""
        self._note = text

    def draw(self) -> None:
        """Draw how it is now."""
        self._screen.draw(self.sheet())

    def stop(self) -> None:
        """End drawing; the whole table stays."""
        self._screen.stop(self.sheet())

    def sheet(self) -> Sheet:
        """Return the table."""
        reader = self._poller.reader
        devices = sorted(reader.devices(), key=lambda each: not each.failures)
        samples = dict(reader.samples())
        deliveries = self._poller.deliveries.values()
        problems = [f"{each.name}: {each.problem}" for each in deliveries if each.problem]
        caption = ", ".join(
            [count(len(devices), "device"), *map(_described, deliveries), "Ctrl+C ends"]
        )
        if self._note:
            caption = f"{self._note} {caption}"
        rows = [_row(each, samples[each.name]) for each in devices]
        return Sheet(self._poller.plant.name, _COLUMNS, rows, caption, "; ".join(problems))


def _described(delivery: Delivery) -> str:
    cursor = delivery.cursor
    if cursor is None:
        return delivery.name
    dropped = f", {cursor.dropped} dropped" if cursor.dropped else ""
    return f"{delivery.name}: {cursor.taken} taken, {cursor.waiting} waiting{dropped}"


def _row(device: DeviceFigures, samples: Sequence[Sample | None]) -> list[str | Text]:
    from rich.text import Text

    qualities = Counter("" if each is None else each.quality for each in samples)
    answered = device.answered_at
    since = f"{max(0.0, time.time() - answered):.0f} s" if answered else ""
    mark = Text("✗", style="red") if device.failures else Text("●", style="green")
    if not answered and not device.failures:
        mark = Text("")
    reasons = [each.reason for each in samples if each is not None and each.reason]
    reason = device.reason or (reasons[0] if reasons else "")
    return [
        device.name,
        mark,
        str(qualities[GOOD]),
        str(qualities[STALE]),
        Text(str(qualities[BAD]), style="red" if qualities[BAD] else ""),
        _milliseconds(device.late),
        _milliseconds(device.latest),
        _milliseconds(device.seconds),
        str(device.requests),
        str(device.errors),
        str(device.missed),
        since,
        reason,
    ]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
