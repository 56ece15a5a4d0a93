"""The threads that execute calls to units that wait, so that the server's thread never does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from modwire.units.unit import QueuedUnit

from ..gateway import Pending
from ..threads import Threads

if TYPE_CHECKING:
    from typing import TypeAlias

    from modwire import Call, Response, ServerProtocol, Units
    from modwire.units.unit import BaseUnit

    Done: TypeAlias = Callable[[Response | None], None]


class Workers:
    """At most `count` threads, started when a call is first submitted.

    Calls to devices behind a gateway take none of them: they wait in its queue, and its threads
    ask. `wake` is called from any of these when results are ready; `deliver`, in the server's own
    thread, hands them to whoever submitted the calls.
    """

    def __init__(self, count: int, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._pool = Threads(count, "modwire-unit")
        self._results: deque[tuple[Done, Response | None]] = deque()
        self._threads: set[int] = set()  # that execute calls, or are in hooks
        self._queued: set[_Queued] = set()
        self.outstanding = 0

    def submit(
        self, protocol: ServerProtocol, call: Call, units: Units, done: Done
    ) -> Callable[[], None] | None:
        """Execute `call` in a thread; `done(response)` comes out of `deliver`.

        The function that is returned withdraws the call: if it still waits for its turn at a
        gateway, it is done at once. None if there is nothing to withdraw.
        """
        executor = protocol.executor
        addressed, found = executor.addressed(call, units)
        self.outstanding += 1
        devices = [unit for unit in found if isinstance(unit, QueuedUnit)]
        if not devices:
            try:
                self._pool.run(self._execute, protocol, call, units, done)
            except RuntimeError as error:
                self._end(done, executor.failed(call, error))
            return None
        units.bus.messages += 1
        others = [unit for unit in found if not isinstance(unit, QueuedUnit)]
        queued = _Queued(protocol, addressed, len(devices) + bool(others), self._threads)

        def end(response: Response | None) -> None:
            self._queued.discard(queued)
            self._end(done, response)

        queued.end = end
        self._queued.add(queued)
        for device in devices:
            queued.start(device)
        if others:
            try:
                self._pool.run(queued.execute_on, others)
            except RuntimeError as error:
                queued.conclude(error)
        return queued.withdraw

    def _end(self, done: Done, response: Response | None) -> None:
        self._results.append((done, response))
        self._wake()

    def _execute(self, protocol: ServerProtocol, call: Call, units: Units, done: Done) -> None:
        self._threads.add(get_ident())
        response: Response | None = None
        try:
            response = protocol.executor.execute(call, units)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it would end the thread only
            response = protocol.executor.failed(call, error)
        finally:
            self._end(done, response)

    def run_here(self) -> bool:
        """True if the caller is in one of the threads, or in a hook that a gateway calls."""
        return get_ident() in self._threads

    def deliver(self) -> None:
        """Call `done` for every call that has ended."""
        while self._results:
            done, response = self._results.popleft()
            self.outstanding -= 1
            done(response)

    def close(self) -> None:
        """Drop the calls that no thread has begun; those that run are left to themselves."""
        for queued in list(self._queued):
            queued.withdraw()
        self._pool.close()


class _Queued:
    """A call that goes to devices behind a gateway: a broadcast may go to several lines.

    `end` is called once, when all its `parts` have ended. `threads` are those in which hooks are
    called.
    """

    end: Callable[[Response | None], None]

    def __init__(self, protocol: ServerProtocol, call: Call, parts: int, threads: set[int]) -> None:
        self._executor = protocol.executor
        self._call = call
        self._left = parts
        self._threads = threads
        self._lock = Lock()
        self._pending: list[Pending] = []

    def start(self, device: QueuedUnit) -> None:
        """Let the call wait for its turn at a device, unless it is refused."""
        try:
            outcome = self._executor.start(device, self._call, None)
        except Exception as error:  # noqa: BLE001 - such as the encoding of a custom class
            outcome = error
        except BaseException:  # of a hook, which wants to end the program
            self._end_part(None)
            raise
        if isinstance(outcome, Pending):
            self._pending.append(outcome)
            outcome.when_done(self.conclude)
        else:
            self.conclude(outcome)

    def execute_on(self, units: list[BaseUnit]) -> None:
        """Execute a broadcast on units that are behind no line, in the thread that it runs in."""
        try:
            for unit in units:
                self._executor.execute_on(unit, self._call)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it would end the thread only
            self._executor.failed(self._call, error)
        self._end_part(None)

    def withdraw(self) -> None:
        """Leave the queues."""
        for pending in self._pending:
            pending.withdraw()

    def conclude(self, outcome: object) -> None:
        """A part has ended: with a response, None, or an error; in any thread."""
        response: Response | None = None
        here = get_ident()
        is_new = here not in self._threads
        self._threads.add(here)
        try:
            response = self._executor.conclude(self._call, outcome)
        except BaseException as error:
            response = self._executor.failed(self._call, error)
            if isinstance(error, KeyboardInterrupt):
                raise  # it is the program's, if this is its main thread
        finally:
            if is_new:
                self._threads.discard(here)
            self._end_part(response)

    def _end_part(self, response: Response | None) -> None:
        with self._lock:
            self._left -= 1
            is_over = not self._left
        if is_over:
            self.end(None if self._call.broadcast else response)
