"""`Readers`: one task waits for the sockets of all servers, and reads from those that are ready.

If every task waits for its own socket, trio needs a system call and a task switch for each
request. Here all ready sockets, of any server, need one of each; the task of a connection sleeps
until it is needed.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from outcome import Error, Outcome, Value
from trio import current_time
from trio.lowlevel import (
    Abort,
    RunVar,
    checkpoint,
    current_task,
    reschedule,
    spawn_system_task,
    wait_readable,
    wait_task_rescheduled,
)

from modwire.server.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.lowlevel import RaiseCancelT, Task

    Handler = Callable[[float], bool]

_MOST_EVENTS = 256  # then other tasks may run

# Windows and macOS have no epoll; there, each connection waits for itself.
AVAILABLE = hasattr(select, "epoll")


class Readers:
    """The sockets that one task waits for; to be used only if `AVAILABLE`.

    `Readers.shared()` belongs to this run of trio; its task ends with the run.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._waiting: dict[int, tuple[Handler, Task]] = {}
        self.rounds = Rounds[int, int]()

    @classmethod
    def shared(cls) -> Readers:
        """Return the readers of this run of trio; the first call makes them."""
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
                if self.rounds.is_waiting:
                    await checkpoint()
                else:
                    await wait_readable(number)
                found = self._poll.poll(0, _MOST_EVENTS)
                now = current_time()
                if self.rounds.greedy:
                    found = self.rounds.order(found)
                for descriptor, _ in found:
                    if descriptor not in waiting:
                        continue  # another handler of this batch has closed it
                    try:
                        if not waiting[descriptor][0](now):
                            self.wake(descriptor)
                    except BaseException as error:  # noqa: BLE001 - raised in the task
                        self.wake(descriptor, Error(error))

    async def wait(self, descriptor: int, handler: Handler) -> None:
        """Call `handler(now)` whenever the socket is readable, until it returns False or raises.

        Returns then, or after `wake`; raises the error of the handler.
        """

        def abort(_: RaiseCancelT) -> Abort:
            self._leave(descriptor)
            return Abort.SUCCEEDED

        self._waiting[descriptor] = handler, current_task()
        self._poll.register(descriptor, select.EPOLLIN)
        await wait_task_rescheduled(abort)

    def wake(self, descriptor: int, end: Outcome[None] | None = None) -> None:
        """Make `wait` return for this socket, if a task is in it; to be called before closing."""
        if descriptor in self._waiting:
            _, task = self._waiting[descriptor]
            self._leave(descriptor)
            reschedule(task, end or Value(None))

    def _leave(self, descriptor: int) -> None:
        """Stop waiting for the socket."""
        del self._waiting[descriptor]
        self.rounds.leave(descriptor)
        if not self._poll.closed:
            self._poll.unregister(descriptor)


_shared: RunVar[Readers] = RunVar("modwire_readers")
