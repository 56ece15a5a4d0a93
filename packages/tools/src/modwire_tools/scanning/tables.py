"""`TableScan`: which addresses of a table can be read."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep

from modwire import (
    AcknowledgeError,
    BlockingCalls,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    IllegalDataValueError,
    IllegalFunctionError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)
from modwire.planner import Span

_BITS, _REGISTERS = 2000, 125  # the most that one request reads, sections 6.1 and 6.3
_BUSY_PAUSE = 0.5  # seconds
_BUSY_MOST = 20


class TableScan:
    """Finds the readable ranges of `table` among the addresses from `first` to `last`.

    What can be read is read in the largest requests that there are. In a hole each address is
    asked for alone, for no other request tells that it cannot be read; with a `step`, only every
    so many are, and the edges of what is found are then looked for: shorter ranges may be missed.
    `position` is the next address, `ranges` what was found, as (first address, count), and
    `most` how many values the device gives at once. `before_request` is called before each.
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
        before_request: Callable[[], None] | None = None,
    ) -> None:
        self.table = table
        self.position = self.first = first
        self.last = last
        self.ranges: list[tuple[int, int]] = []
        self.most = _BITS if table in ("coils", "discrete_inputs") else _REGISTERS
        self.requests = 0
        self._unit = unit
        self._step = step
        self._timeout = timeout
        self._before_request = before_request
        self._in_hole = False

    @property
    def is_done(self) -> bool:
        """Whether all addresses are decided."""
        return self.position > self.last

    def step(self, client: BlockingCalls) -> None:
        """Decide some more addresses; raises what the client raises if the device is gone."""
        try:
            self._go_on(client)
        except IllegalFunctionError:
            self.position = self.last + 1  # the table is not there

    def _go_on(self, client: BlockingCalls) -> None:
        at, left = self.position, self.last + 1 - self.position
        if self._in_hole:
            if not self._reads(client, at, 1):
                self.position = at + self._step
                return
            low = self._edge(client, at)
            self._add(low, at + 1 - low)
            self._in_hole = False
            self.position = at + 1
            return
        count = min(self.most, left)
        if self._reads(client, at, count):
            self._add(at, count)
            self.position = at + count
            return
        if count > self.most:
            return  # the device gives less at once, as is known now
        readable = self._prefix(client, at, count)
        if readable:
            self._add(at, readable)
        # The one behind these was refused just now.
        self.position = at + readable + self._step
        self._in_hole = True

    def _add(self, first: int, count: int) -> None:
        if self.ranges:
            start, length = self.ranges[-1]
            if start + length == first:
                self.ranges[-1] = (start, length + count)
                return
        self.ranges.append((first, count))

    def _prefix(self, client: BlockingCalls, at: int, refused: int) -> int:
        """How many of the values from `at` on can be read, less than `refused`."""
        low, high = 0, refused
        while high - low > 1:
            middle = (low + high) // 2
            if self._reads(client, at, middle):
                low = middle
            else:
                high = middle
        return low

    def _edge(self, client: BlockingCalls, at: int) -> int:
        """The first address that can be read before `at`, behind the last one that was asked."""
        low = max(at - self._step, self.first - 1)  # cannot be read
        if self.ranges:
            low = max(low, self.ranges[-1][0] + self.ranges[-1][1] - 1)
        high = at
        while high - low > 1:
            middle = (low + high) // 2
            if self._reads(client, middle, 1):
                high = middle
            else:
                low = middle
        return high

    def _reads(self, client: BlockingCalls, at: int, count: int) -> bool:
        """Whether the device gives `count` values from `at` on."""
        silence: ResponseTimeoutError | None = None
        busy = 0
        for _ in range(2):
            while True:
                try:
                    self._ask(client, at, count)
                except (ServerDeviceBusyError, AcknowledgeError):
                    busy += 1
                    if busy > _BUSY_MOST:
                        raise
                    sleep(_BUSY_PAUSE)
                    continue
                except ResponseTimeoutError as error:
                    silence = error
                    break
                except (
                    IllegalFunctionError,
                    GatewayPathUnavailableError,
                    GatewayTargetFailedError,
                ):
                    raise
                except IllegalDataValueError:
                    if count > 1 and not self._knows(count):
                        self.most = count // 2
                    return False
                except ExceptionResponseError:
                    return False
                return True
        assert silence is not None
        # Some devices say nothing where they have nothing; else this raises: it is gone.
        if self.ranges:
            self._ask(client, self.ranges[0][0], 1)
        elif count == 1 or not self._reads(client, at, 1):
            raise silence
        return False

    def _knows(self, count: int) -> bool:
        """Whether so many values have been read at once, or more."""
        return any(length >= count for _, length in self.ranges)

    def _ask(self, client: BlockingCalls, at: int, count: int) -> None:
        from modwire_tools.reading import read_span

        if self._before_request is not None:
            self._before_request()
        self.requests += 1
        read_span(client, Span(self.table, at, count), self._unit, self._timeout)
