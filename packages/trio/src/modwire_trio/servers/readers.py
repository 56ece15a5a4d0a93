"""`Readers`: one task waits for the sockets of all servers, and reads from those that are ready.

A task that waits for its own socket costs trio a system call and a switch for each request. Here
many sockets that are ready cost one of each, whichever server they belong to; a connection's task
sleeps until it is needed.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from trio.lowlevel import (
    Abort,
    RunVar,
    current_task,
    reschedule,
    spawn_system_task,
    wait_readable,
    wait_task_rescheduled,
)

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
        self.error: BaseException | None = None


class Readers:
    """Waits for sockets; to be used where it is `AVAILABLE`.

    `Readers.shared()` is that of this run of trio, whose task lives as long as the run.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._waiting: dict[int, _Reader] = {}

    @classmethod
    def shared(cls) -> Readers:
        """The readers of this run of trio; made when they are first asked for."""
        try:
            return _shared.get()
        except LookupError:
            readers = cls()
            _shared.set(readers)
            spawn_system_task(readers._run)
            return readers

    async def _run(self) -> None:
        """Call the handlers of the sockets that are ready."""
        number = self._poll.fileno()
        with self._poll:
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
        except BaseException as error:  # noqa: BLE001 - it is the connection's, whose task gets it
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


_shared: RunVar[Readers] = RunVar("modwire_readers")
