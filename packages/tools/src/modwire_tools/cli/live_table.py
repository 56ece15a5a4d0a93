"""`LiveTable`: the values of `read --watch` on a terminal, with their changes and trends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from modwire_tools.explain.walk import count

from .hints import brief
from .printing import hexadecimal
from .screen import Column, Screen, Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from modwire_tools.client.reading import Outcome
    from modwire_tools.values.items import Item

_TREND = 30  # values
_MARKED = 2  # number of readings during which a change stays marked
_BARS = "▁▂▃▄▅▆▇█"


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
    """The live table; it is drawn again after each reading, at `now` in seconds.

    `sheet` is what was drawn last.
    While the device does not answer, the values are those of the past, and look like it.
    """

    def __init__(
        self, title: str, items: Sequence[Item], show_registers: bool, on: Console | None = None
    ) -> None:
        self._title = title
        self._items = items
        self._show_registers = show_registers
        self._trends = [Trend() for _ in items]
        self._outcomes: Sequence[Outcome] = ()
        self._times: deque[float] = deque(maxlen=_TREND)
        self._readings = self._failed = 0
        self._begun: float | None = None
        self._screen = Screen(on)
        self.sheet = Sheet(title, self._columns())

    def start(self, now: float) -> None:
        """Start drawing."""
        self._begun = now
        self._screen.start()

    def stop(self) -> None:
        """End drawing; the whole table stays."""
        self._screen.stop(self.sheet if self._readings else None)

    def show(
        self,
        outcomes: Sequence[Outcome] | None,
        failure: Exception | None,
        requests: int,
        seconds: float,
        now: float,
    ) -> None:
        """Take a reading, as `note` does, and draw it."""
        self.note(outcomes, failure, requests, seconds, now)
        self._screen.draw(self.sheet)

    def note(
        self,
        outcomes: Sequence[Outcome] | None,
        failure: Exception | None,
        requests: int,
        seconds: float,
        now: float,
    ) -> None:
        """Take the outcomes of a reading of `seconds`, or its failure, into `sheet`.

        `requests` is the number of requests so far.
        """
        self._readings += 1
        if outcomes is not None:
            self._outcomes = outcomes
            self._times.append(now)
            for trend, outcome in zip(self._trends, outcomes, strict=True):
                if outcome.error is None:
                    trend.add(outcome.value, now)
        self._failed += failure is not None
        self.sheet = Sheet(
            self._title,
            self._columns(),
            self._rows(is_dead=failure is not None),
            self._caption(requests, seconds),
            self._alarm(failure, now),
        )

    def _columns(self) -> list[Column]:
        registers = [Column("registers", 4, style="dim", least=9)]
        measures = [Column("unit", 3, style="dim")]
        return [
            Column("name" if any(each.is_named for each in self._items) else "address"),
            Column("type", 5, style="dim"),
            Column(""),
            Column("value", justify="right", least=36),
            *(measures if any(each.measure for each in self._items) else []),
            *(registers if self._show_registers else []),
            Column("changes", 6, justify="right"),
            Column("per second", 7, justify="right"),
            Column("trend", 8, style="cyan", least=10, is_tail=True),
        ]

    def _rows(self, *, is_dead: bool) -> list[list[str | Text]]:
        from rich.text import Text

        rows: list[list[str | Text]] = []
        for index, item in enumerate(self._items):
            outcome = self._outcomes[index] if self._outcomes else None
            trend = self._trends[index]
            is_new = trend.age < _MARKED and not is_dead
            mark = Text("●", style="yellow") if is_new else Text("")
            if outcome is None:
                value = Text("no answer", style="red")
            elif outcome.error is not None:
                value = Text(brief(outcome.error), style="red")
            else:
                value = Text(item.shown(outcome.value), style="bold yellow" if is_new else "")
                if is_dead:
                    value = Text(f"was {value}", style="dim")
            if is_dead:
                mark = Text("✗", style="red")
            rate = None if is_dead else trend.rate
            cells: list[str | Text] = [item.name if item.is_named else str(item.place), item.type]
            cells += [mark, value]
            if any(each.measure for each in self._items):
                cells.append(item.measure)
            if self._show_registers:
                cells.append("" if outcome is None or is_dead else hexadecimal(outcome))
            cells += [
                str(trend.changes),
                "" if rate is None else f"{rate:+.3g}",
                "" if is_dead else trend.bars(),
            ]
            rows.append(cells)
        return rows

    def _alarm(self, failure: Exception | None, now: float) -> str:
        """Return since when the device is dead, and why, or ""."""
        if failure is None:
            return ""
        since = self._times[-1] if self._times else self._begun
        age = "" if since is None else f" for {now - since:.0f} s"
        return f"NO ANSWER{age}: {brief(failure)}"

    def _caption(self, requests: int, seconds: float) -> str:
        parts = [
            f"read {count(self._readings, 'time')}",
            count(requests, "request"),
            f"last {seconds * 1000:.1f} ms",
        ]
        if len(self._times) > 1:
            rate = (len(self._times) - 1) / (self._times[-1] - self._times[0])
            parts.append(f"{rate:.3g} per second")
        if self._failed:
            parts.append(f"{self._failed} failed")
        return ", ".join([*parts, "Ctrl+C ends"])
