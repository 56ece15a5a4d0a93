"""`Readers`: one task that waits for all sockets of a server, and reads from those that are ready.

A task that waits for its own socket costs trio a system call and a switch for each request. Here
many sockets that are ready cost one of each; a connection's task sleeps until it is needed.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import Abort, current_task, reschedule, wait_readable, wait_task_rescheduled

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.lowlevel import RaiseCancelT, Task

_MOST_EVENTS = 256  # until other tasks have their turn

# Windows and macOS have no epoll; there, each connection waits for itself.
AVAILABLE = hasattr(select, "epoll")


class _Reader:
    """A task that waits for its socket, and what reads from it."""

    __slots__ = ("error", "handler", "task")

    def __init__(self, handler: Callable[[], bool]) -> None:
        self.handler = handler
        self.task: Task = current_task()
        self.error: Exception | None = None


class Readers:
    """Waits for sockets; to be used where it is `AVAILABLE`. `run` is its task, until `stop`."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._waiting: dict[int, _Reader] = {}
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Call the handlers of the sockets that are ready."""
        number = self._poll.fileno()
        with self._poll, self._scope:
            while True:
                await wait_readable(number)
                for descriptor, _ in self._poll.poll(0, _MOST_EVENTS):
                    self._handle(descriptor)

    def _handle(self, descriptor: int) -> None:
        reader = self._waiting.get(descriptor)
        if reader is None:
            return  # it was closed while this batch was worked on
        goes_on = False
        try:
            goes_on = reader.handler()
        except Exception as error:  # noqa: BLE001 - it is the connection's, whose task gets it
            reader.error = error
        if not goes_on and self._leave(descriptor, reader):
            reschedule(reader.task)

    async def wait(self, descriptor: int, handler: Callable[[], bool]) -> None:
        """Call `handler` whenever the socket is readable, until it gives False or raises.

        Returns then, or after `wake`; raises what it raised.
        """

        def abort(_: RaiseCancelT) -> Abort:
            self._leave(descriptor, reader)
            return Abort.SUCCEEDED

        reader = self._waiting[descriptor] = _Reader(handler)
        self._poll.register(descriptor, select.EPOLLIN)
        await wait_task_rescheduled(abort)
        if reader.error is not None:
            raise reader.error

    def wake(self, descriptor: int) -> None:
        """Let the task that waits for this socket, if any, go on; to be called before closing."""
        reader = self._waiting.get(descriptor)
        if reader is not None and self._leave(descriptor, reader):
            reschedule(reader.task)

    def _leave(self, descriptor: int, reader: _Reader) -> bool:
        """Wait for the socket no longer; False if `reader` has not waited any more."""
        if self._waiting.get(descriptor) is not reader:
            return False
        del self._waiting[descriptor]
        if not self._poll.closed:
            self._poll.unregister(descriptor)
        return True

    def stop(self) -> None:
        """Read no more."""
        self._scope.cancel()
