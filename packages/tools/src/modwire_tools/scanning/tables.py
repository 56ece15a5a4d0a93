"""`TableScan`: finds which addresses of a table can be read."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep

from modwire import BlockingCalls, ExceptionCode, ResponseTimeoutError, ServerDeviceBusyError
from modwire.planner import Span

from ..simulator.devices import SILENCE
from .asking import Asker, Refused, most_values

_BUSY = (ExceptionCode.ACKNOWLEDGE, ExceptionCode.SERVER_DEVICE_BUSY)


class TableScan:
    """Finds the readable ranges of `table` among the addresses from `first` to `last`.

    Readable addresses are read in the largest possible requests. In a gap each address is asked for
    alone, because a longer request is refused if any of its addresses is missing. With a `step`,
    only each Nth address of a gap is asked for, and the edges of a range are then searched for;
    shorter ranges may be missed. `position` is the next address, `ranges` has the results as (first
    address, count), and `most` is how many values the device gives at once. `delay` is the pause
    before each request, in seconds, and `pause` waits.
    """

    def __init__(
        self,
        table: str,
        unit: int,
        *,
        first: int = 0,
        last: int = 65535,
        step: int = 1,
        timeout: float | None = None,
        delay: float = 0.0,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self.table = table
        self.position = self.first = first
        self.last = last
        self.ranges: list[tuple[int, int]] = []
        self.most = most_values(table)
        self._unit = unit
        self._step = step
        self._timeout = timeout
        self._delay = delay
        self._pause = pause
        self._in_hole = False

    @property
    def is_done(self) -> bool:
        """True if every address was looked at."""
        return self.position > self.last

    def step(self, client: BlockingCalls) -> None:
        """Look at some more addresses; raises what the client raises if the device is gone."""
        try:
            self._go_on(
                Asker(
                    client,
                    self._unit,
                    delay=self._delay,
                    timeout=self._timeout,
                    pause=self._pause,
                )
            )
        except Refused:
            self.position = self.last + 1  # the device does not have this table

    def _go_on(self, asker: Asker) -> None:
        at, left = self.position, self.last + 1 - self.position
        if self._in_hole:
            if not self._reads(asker, at, 1):
                self.position = at + self._step
                return
            low = self._edge(asker, at)
            self._add(low, at + 1 - low)
            self._in_hole = False
            self.position = at + 1
            return
        count = min(self.most, left)
        if self._reads(asker, at, count):
            self._add(at, count)
            self.position = at + count
            return
        if count > self.most:
            return  # the device gives fewer values at once: try again with these
        readable = self._prefix(asker, at, count)
        if readable:
            self._add(at, readable)
        # The next address was refused just now.
        self.position = at + readable + self._step
        self._in_hole = True

    def _add(self, first: int, count: int) -> None:
        if self.ranges:
            start, length = self.ranges[-1]
            if start + length == first:
                self.ranges[-1] = (start, length + count)
                return
        self.ranges.append((first, count))

    def _prefix(self, asker: Asker, at: int, refused: int) -> int:
        """Return how many values from `at` on can be read, fewer than `refused`."""
        low, high = 0, refused
        while high - low > 1:
            middle = (low + high) // 2
            if self._reads(asker, at, middle):
                low = middle
            else:
                high = middle
        return low

    def _edge(self, asker: Asker, at: int) -> int:
        """Return the first readable address of the range that has `at`."""
        low = max(at - self._step, self.first - 1)  # cannot be read
        if self.ranges:
            low = max(low, self.ranges[-1][0] + self.ranges[-1][1] - 1)
        high = at
        while high - low > 1:
            middle = (low + high) // 2
            if self._reads(asker, middle, 1):
                high = middle
            else:
                low = middle
        return high

    def _reads(self, asker: Asker, at: int, count: int) -> bool:
        """Return True if the device gives `count` values from `at` on.

        Raises ResponseTimeoutError if it has stopped answering, and `Refused` with exception 01.
        """
        try:
            asker.read(Span(self.table, at, count))
        except Refused as refused:
            if refused.code == SILENCE:
                self._check_alive(asker, at, count)
            elif refused.code == ExceptionCode.ILLEGAL_FUNCTION:
                raise
            elif refused.code == ExceptionCode.ILLEGAL_DATA_VALUE:
                if count > 1 and not any(length >= count for _, length in self.ranges):
                    self.most = count // 2
            elif refused.code in _BUSY:
                raise ServerDeviceBusyError from None
            return False
        return True

    def _check_alive(self, asker: Asker, at: int, count: int) -> None:
        """Raise ResponseTimeoutError if the device is gone: some do not answer for a gap."""
        try:
            if self.ranges:
                asker.read(Span(self.table, self.ranges[0][0], 1))
            elif count == 1 or not self._reads(asker, at, 1):
                raise Refused(SILENCE)
        except Refused as refused:
            if refused.code == SILENCE:
                raise ResponseTimeoutError(f"unit {asker.unit} does not answer") from None
