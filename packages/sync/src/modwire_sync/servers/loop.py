"""`Loop`: the event loop of a server's thread, which calls the handlers of ready sockets."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from modwire.server.agenda import Agenda
from modwire.server.rounds import Rounds

from .poller import READ, Waker, new_poller
from .workers import Workers

if TYPE_CHECKING:
    from modwire.logger import Logger
    from modwire.server.workers import WorkerQueue

DEBUG = 10  # logging.DEBUG
_MAX_EVENTS = 256
_LONGEST_POLL = 3600.0  # seconds; epoll refuses very long timeouts


class Loop:
    """Waits for sockets and calls the handler of each that is ready; has the loggers, too.

    `jobs` are the calls to units that block. `tells_bytes` is True if the bytes
    sent and received are logged by `wire`; it is updated once in each round. Only `wake` may be
    called from other threads.
    """

    def __init__(self, jobs: WorkerQueue[Any], logger: Logger, wire: Logger) -> None:
        self.logger = logger
        self.wire = wire
        self.tells_bytes = False
        self._waker = Waker()
        self.workers = Workers(jobs, self._waker.wake)
        self._poller = new_poller()
        self._handlers: dict[int, Callable[[int, float], None]] = {}
        self.rounds = Rounds[int, int]()
        self.agenda = Agenda()
        self.watch(self._waker.fileno(), self._on_wake)

    def watch(self, fd: int, handler: Callable[[int, float], None]) -> None:
        """Call `handler(mask, now)` whenever `fd` can be read."""
        self._handlers[fd] = handler
        self._poller.register(fd, READ)

    def watch_for(self, fd: int, mask: int) -> None:
        """Change the events that a watched `fd` is watched for."""
        self.rounds.leave(fd)
        self._poller.modify(fd, mask)

    def unwatch(self, fd: int) -> None:
        """Stop watching `fd`; to be called before it is closed, and may be called again."""
        if self._handlers.pop(fd, None) is not None:
            self.rounds.leave(fd)
            self._poller.unregister(fd)

    def wake(self) -> None:
        """Make `run_once` return soon; may be called from any thread or signal handler."""
        self._waker.wake()

    def run_once(self, deadline: float | None) -> float:
        """Wait for an event or `deadline`, and handle what is ready or due. Return the time."""
        due = self.agenda.next_due()
        if due is not None and (deadline is None or due < deadline):
            deadline = due
        timeout = None
        if deadline is not None:
            timeout = min(max(0.0, deadline - monotonic()), _LONGEST_POLL)
        if self.rounds.is_waiting:
            timeout = 0.0
        events = self._poller.poll(timeout, _MAX_EVENTS)
        self.tells_bytes = self.wire.isEnabledFor(DEBUG)
        now = monotonic()
        handlers = self._handlers
        if self.rounds.greedy:
            events = self.rounds.order(events)
        for fd, mask in events:
            handler = handlers.get(fd)
            if handler is not None:  # else an earlier handler of this batch closed it
                handler(mask, now)
        if due is not None and due <= now:
            self.agenda.handle_due(now)
        return now

    def _on_wake(self, mask: int, now: float) -> None:
        self._waker.clear()
        self.workers.deliver()

    def close(self) -> None:
        """Release the threads and the system's resources; no handler is called from now on."""
        self.workers.close()
        self.leave()

    def leave(self) -> None:
        """Release the resources, but not the threads, which are not in a forked process."""
        self._handlers.clear()
        self._poller.close()
        self._waker.close()
