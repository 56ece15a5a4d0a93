"""`modwire read --watch`: a live table on a terminal, lines for other programs."""

from __future__ import annotations

from collections import deque
from time import monotonic, sleep
from typing import TYPE_CHECKING

from modwire import ConnectionLostError, ModbusError
from modwire_tools.explain.walk import count

from .hints import brief
from .output import console, is_terminal, note
from .printing import hexadecimal
from .read import check_all_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from modwire import BlockingCalls
    from modwire_tools.client.reading import Outcome, Reading
    from modwire_tools.values.items import Item

    from .diagnosis import Seen
    from .printing import Printer

_TREND = 30  # values
_OTHER_LINES = 4  # lines of the live table without values: title, head, caption and cursor
_MARKED = 2  # number of readings during which a change stays marked
_BARS = "▁▂▃▄▅▆▇█"


def rows_of(items: list[Item]) -> list[Item]:
    """Return the items for the rows of the live table: single values if the terminal has room."""
    if not is_terminal():
        return items
    single = [each for item in items for each in item.each()]
    return single if len(single) + _OTHER_LINES <= console().height else items


def watch_values(
    client: BlockingCalls,
    reading: Reading,
    printer: Printer,
    interval: float,
    most: int | None,
    seen: Seen,
) -> None:
    """Read every `interval` seconds, `most` times or until Ctrl+C.

    A reading that fails is shown, and reading continues, because a link may recover. Raises at the
    end if the last reading failed.
    """
    title = str(seen.endpoint)
    live = LiveTable(title, printer.show_registers) if printer.live and is_terminal() else None
    if live is not None:
        live.start()
    failure: ModbusError | None = None
    outcomes: Sequence[Outcome] = ()
    try:
        begun = monotonic()
        number = 0
        while True:
            started = monotonic()
            try:
                outcomes = reading.read(client)
                failure = None
            except ModbusError as error:
                if not number and isinstance(error, ConnectionLostError):
                    raise
                failure = error
                if live is None:
                    note(f"modwire: {brief(error)}")
            else:
                if live is None:
                    printer.again(outcomes)
                else:
                    live.update(outcomes, monotonic())
            number += 1
            if live is not None:
                live.show(reading.requests, monotonic() - started, failure)
            if number == most:
                break
            # The times are multiples of the interval from the start, so that errors do not add up.
            # A time that is missed because reading took longer is skipped.
            now = monotonic()
            late = (now - begun) % interval
            sleep(interval - late)
    finally:
        if live is not None:
            live.stop()
    if failure is not None:
        raise failure
    check_all_read(outcomes, seen)


class Trend:
    """The latest values of one item, and its changes."""

    def __init__(self) -> None:
        self.values: deque[tuple[float, float]] = deque(maxlen=_TREND)
        self.changes = 0
        self.age = _MARKED  # readings since the last change
        self._last: object = None
        self._is_known = self._is_number = False

    def add(self, value: object, now: float) -> None:
        """Add the value at `now`, in seconds."""
        self.age += 1
        if self._is_known and value != self._last and value == value:
            self.changes += 1
            self.age = 0
        self._last, self._is_known = value, True
        if isinstance(value, (bool, int, float)):
            self._is_number = not isinstance(value, bool)
            self.values.append((now, float(value)))

    @property
    def rate(self) -> float | None:
        """The change per second over the stored numbers; None if the values are not numbers."""
        if len(self.values) < 2 or not self._is_number:
            return None
        (start, first), (end, last) = self.values[0], self.values[-1]
        return (last - first) / (end - start) if end > start else None

    def bars(self) -> str:
        """Return a sparkline from the lowest to the highest stored value."""
        numbers = [value for _, value in self.values if abs(value) < float("inf")]
        if not numbers:
            return ""
        least, most = min(numbers), max(numbers)
        width = most - least
        if not width:
            return _BARS[0] * len(numbers)
        top = len(_BARS) - 1
        return "".join(_BARS[round((each - least) / width * top)] for each in numbers)


class LiveTable:
    """The live table; it is drawn again after each reading."""

    def __init__(self, title: str, show_registers: bool, on: Console | None = None) -> None:
        from rich.live import Live

        self._title = title
        self._show_registers = show_registers
        self._trends: dict[int, Trend] = {}
        self._outcomes: Sequence[Outcome] = ()
        self._times: deque[float] = deque(maxlen=_TREND)
        self._readings = self._errors = 0
        self._console = console() if on is None else on
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="ellipsis")

    def start(self) -> None:
        """Start drawing, and hide the cursor."""
        self._live.start()

    def stop(self) -> None:
        """End drawing, and show the cursor; the table stays."""
        self._live.stop()

    def update(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Store the outcomes of the reading at `now`, in seconds."""
        self._outcomes = outcomes
        self._times.append(now)
        for index, outcome in enumerate(outcomes):
            trend = self._trends.setdefault(index, Trend())
            if outcome.error is None:
                trend.add(outcome.value, now)

    def count(self, failure: Exception | None) -> None:
        """Count a reading."""
        self._readings += 1
        self._errors += failure is not None

    def show(self, requests: int, seconds: float, failure: Exception | None) -> None:
        """Draw the table, and below it the statistics."""
        self.count(failure)
        self._live.update(self.table(requests, seconds, failure), refresh=True)

    def table(self, requests: int, seconds: float, failure: Exception | None) -> Table:
        """Return the current table."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self._title, title_justify="left", box=None, pad_edge=False)
        table.add_column("address", no_wrap=True)
        table.add_column("type", style="dim", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("value", justify="right")
        if self._show_registers:
            table.add_column("registers", style="dim")
        table.add_column("changes", justify="right")
        table.add_column("per second", justify="right", no_wrap=True)
        table.add_column("trend", no_wrap=True, style="cyan")
        for index, outcome in enumerate(self._outcomes):
            trend = self._trends[index]
            is_new = trend.age < _MARKED
            if outcome.error is None:
                value = Text(
                    outcome.item.shown(outcome.value), style="bold yellow" if is_new else ""
                )
            else:
                value = Text(brief(outcome.error), style="red")
            rate = trend.rate
            cells: list[Text | str] = [
                str(outcome.item.place),
                outcome.item.type,
                Text("●" if is_new else " ", style="yellow"),
                value,
            ]
            cells += [hexadecimal(outcome)] if self._show_registers else []
            cells += [str(trend.changes), "" if rate is None else f"{rate:+.3g}", trend.bars()]
            table.add_row(*cells)
        table.caption_justify = "left"
        table.caption = self._caption(requests, seconds, failure)
        return table

    def _caption(self, requests: int, seconds: float, failure: Exception | None) -> str:
        parts = [
            f"read {count(self._readings, 'time')}",
            count(requests, "request"),
            f"last {seconds * 1000:.1f} ms",
        ]
        if len(self._times) > 1:
            rate = (len(self._times) - 1) / (self._times[-1] - self._times[0])
            parts.append(f"{rate:.3g} per second")
        if self._errors:
            parts.append(f"{self._errors} failed")
        if failure is not None:
            parts.append(brief(failure))
        return ", ".join([*parts, "Ctrl+C ends"])
