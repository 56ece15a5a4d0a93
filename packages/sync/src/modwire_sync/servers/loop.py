"""`Loop`: what the one thread of a server waits with, and whom it tells what is ready."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from .poller import READ, Waker, new_poller
from .workers import Workers

if TYPE_CHECKING:
    from modwire.logger import Logger

_NEVER = float("inf")
DEBUG = 10  # logging.DEBUG
_MAX_EVENTS = 256
_LONGEST_POLL = 3600.0  # seconds; epoll knows no very great times


class Timed(Protocol):
    """What something has to do at a time."""

    def handle_deadline(self, now: float) -> None:
        """Do what is due at `now`; it may be too early."""
        raise NotImplementedError


class Loop:
    """Waits for sockets, calls the handler of each that is ready, and logs.

    `workers` is how many threads execute calls to units that block. `tells_bytes` says whether
    `wire` takes what is sent and received; it is looked up once in each round. All but `wake` is
    for the server's own thread.
    """

    def __init__(self, workers: int) -> None:
        # A third of what importing the servers would cost.
        from logging import getLogger

        self.logger: Logger = getLogger("modwire.server")
        self.wire: Logger = getLogger("modwire.wire")
        self.tells_bytes = False
        self._waker = Waker()
        self.workers = Workers(workers, self._waker.wake)
        self._poller = new_poller()
        self._handlers: dict[int, Callable[[int, float], None]] = {}
        self._agenda: list[tuple[float, int, Timed]] = []  # a heap; see `_next_due`
        self._due: dict[Timed, float] = {}
        self._numbers = count()
        self.watch(self._waker.fileno(), self._on_wake)

    def watch(self, fd: int, handler: Callable[[int, float], None]) -> None:
        """Call `handler(mask, now)` when `fd` can be read."""
        self._handlers[fd] = handler
        self._poller.register(fd, READ)

    def watch_for(self, fd: int, mask: int) -> None:
        """Watch one that is watched already for something else."""
        self._poller.modify(fd, mask)

    def unwatch(self, fd: int) -> None:
        """Watch `fd` no longer; to be called before it is closed, and may be called again."""
        if self._handlers.pop(fd, None) is not None:
            self._poller.unregister(fd)

    def wake(self) -> None:
        """End the waiting of `run_once`; from any thread or signal handler."""
        self._waker.wake()

    def call_at(self, when: float, timed: Timed) -> None:
        """Call `timed.handle_deadline(now)` at `when`, or earlier if that was asked for before."""
        if when < self._due.get(timed, _NEVER):
            self._due[timed] = when
            heappush(self._agenda, (when, next(self._numbers), timed))

    def forget(self, timed: Timed) -> None:
        """Call `timed` no more."""
        if self._due.pop(timed, None) is not None and len(self._agenda) > 2 * len(self._due) + 64:
            self._agenda = [each for each in self._agenda if self._due.get(each[2]) == each[0]]
            heapify(self._agenda)

    def _next_due(self) -> float | None:
        agenda = self._agenda
        while agenda and self._due.get(agenda[0][2]) != agenda[0][0]:
            heappop(agenda)  # it was hastened, or forgotten
        return agenda[0][0] if agenda else None

    def _handle_due(self, now: float) -> None:
        while (due := self._next_due()) is not None and due <= now:
            timed = heappop(self._agenda)[2]
            del self._due[timed]
            timed.handle_deadline(now)

    def run_once(self, deadline: float | None) -> float:
        """Wait until something is ready or due, or it is `deadline`; handle it. Return the time."""
        due = self._next_due() if self._agenda else None
        if due is not None and (deadline is None or due < deadline):
            deadline = due
        timeout = None
        if deadline is not None:
            timeout = min(max(0.0, deadline - monotonic()), _LONGEST_POLL)
        events = self._poller.poll(timeout, _MAX_EVENTS)
        self.tells_bytes = self.wire.isEnabledFor(DEBUG)
        now = monotonic()
        handlers = self._handlers
        for fd, mask in events:
            handler = handlers.get(fd)
            if handler is not None:  # else it was closed while this batch was worked on
                handler(mask, now)
        if due is not None and due <= now:
            self._handle_due(now)
        return now

    def _on_wake(self, mask: int, now: float) -> None:
        self._waker.clear()
        self.workers.deliver()

    def close(self) -> None:
        """Let go of threads and of what the system gave; nothing is handled from now on."""
        self.workers.close()
        self._poller.close()
        self._waker.close()
