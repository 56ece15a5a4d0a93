"""`Readers`: one task waits for the sockets of all servers, and reads from those that are ready.

A task that waits for its own socket costs trio a system call and a switch for each request. Here
many sockets that are ready cost one of each, whichever server they belong to; a connection's task
sleeps until it is needed.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from outcome import Error, Outcome, Value
from trio import current_time
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

    Handler = Callable[[float], bool]

_MOST_EVENTS = 256  # until other tasks have their turn

# Windows and macOS have no epoll; there, each connection waits for itself.
AVAILABLE = hasattr(select, "epoll")


class Readers:
    """Waits for sockets; to be used where it is `AVAILABLE`.

    `Readers.shared()` is that of this run of trio, whose task lives as long as the run.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._waiting: dict[int, tuple[Handler, Task]] = {}

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
        waiting = self._waiting
        with self._poll:
            while True:
                await wait_readable(number)
                found = self._poll.poll(0, _MOST_EVENTS)
                now = current_time()
                for descriptor, _ in found:
                    if descriptor not in waiting:
                        continue  # it was closed while this batch was worked on
                    try:
                        if not waiting[descriptor][0](now):
                            self.wake(descriptor)
                    except BaseException as error:  # noqa: BLE001 - the connection's task gets it
                        self.wake(descriptor, Error(error))

    async def wait(self, descriptor: int, handler: Handler) -> None:
        """Call `handler(now)` whenever the socket is readable, until it gives False or raises.

        Returns then, or after `wake`; raises what it raised.
        """

        def abort(_: RaiseCancelT) -> Abort:
            self._leave(descriptor)
            return Abort.SUCCEEDED

        self._waiting[descriptor] = handler, current_task()
        self._poll.register(descriptor, select.EPOLLIN)
        await wait_task_rescheduled(abort)

    def wake(self, descriptor: int, end: Outcome[None] | None = None) -> None:
        """Let `wait` for this socket return, if a task is in it; to be called before closing."""
        if descriptor in self._waiting:
            _, task = self._waiting[descriptor]
            self._leave(descriptor)
            reschedule(task, end or Value(None))

    def _leave(self, descriptor: int) -> None:
        """Wait for the socket no longer."""
        del self._waiting[descriptor]
        if not self._poll.closed:
            self._poll.unregister(descriptor)


_shared: RunVar[Readers] = RunVar("modwire_readers")
