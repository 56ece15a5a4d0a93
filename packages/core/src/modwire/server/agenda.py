"""`Agenda`: the deadlines of many connections, for a loop that waits for all of them."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

_NEVER = float("inf")


class Timed(Protocol):
    """An object with a deadline."""

    def handle_deadline(self, now: float) -> None:
        """Do what is due at `now`; the call may come too early."""
        raise NotImplementedError


class Agenda:
    """The next deadline of each of many objects. Times are in seconds, monotonic."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []  # see `next_due`
        self._due: dict[Timed, float] = {}
        self._numbers = count()

    def call_at(self, when: float, timed: Timed) -> None:
        """Call `timed.handle_deadline(now)` at `when`, or earlier if an earlier call is due."""
        if when < self._due.get(timed, _NEVER):
            self._due[timed] = when
            heappush(self._heap, (when, next(self._numbers), timed))

    def forget(self, timed: Timed) -> None:
        """Cancel the calls of `timed`."""
        if self._due.pop(timed, None) is not None and len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [each for each in self._heap if self._due.get(each[2]) == each[0]]
            heapify(self._heap)

    def next_due(self) -> float | None:
        """Return the time of the next call; None if there is none."""
        heap = self._heap
        while heap and self._due.get(heap[0][2]) != heap[0][0]:
            heappop(heap)  # it was replaced by an earlier call, or cancelled
        return heap[0][0] if heap else None

    def handle_due(self, now: float) -> None:
        """Make the calls that are due."""
        while (due := self.next_due()) is not None and due <= now:
            timed = heappop(self._heap)[2]
            del self._due[timed]
            timed.handle_deadline(now)
