"""`Workers`: the threads for calls to units that block, so that the server's thread never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from modwire.server.workers import Job, WorkerQueue
from modwire.units.unit import QueuedUnit

from ..gateway import Pending
from ..threads import Threads

if TYPE_CHECKING:
    from typing import TypeAlias

    from modwire import Call, Response, ServerProtocol, Units
    from modwire.units.unit import BaseUnit

    Done: TypeAlias = Callable[[Response | None], None]


class Workers:
    """A pool of threads for the jobs of a `WorkerQueue`, started when the first call is submitted.

    Calls to devices behind a gateway use none of them: they wait in the gateway's queue, and its
    threads send them. All these threads call `wake` when a result is ready; the server's own
    thread then calls `deliver`, which passes the results on.
    """

    def __init__(self, jobs: WorkerQueue[Job], wake: Callable[[], None]) -> None:
        self._wake = wake
        self._jobs = jobs
        self._lock = Lock()  # guards the jobs
        self._is_closed = False
        self._pool = Threads(jobs.most, "modwire-unit")
        self._results: deque[tuple[Done, Response | None]] = deque()
        self._threads: set[int] = set()  # ids of those that execute calls or are in hooks
        self._queued: set[_Queued] = set()

    def submit(
        self, protocol: ServerProtocol, call: Call, units: Units, done: Done
    ) -> Callable[[], None]:
        """Execute `call` in a thread; `deliver` calls `done(response)` afterwards.

        Returns a function that withdraws the call, so that it ends at once if it has not begun.
        """
        executor = protocol.executor
        addressed, found = executor.addressed(call, units)
        devices = [unit for unit in found if isinstance(unit, QueuedUnit)]
        if not devices:
            job = Job(found[0] if len(found) == 1 else units, call, object())
            job.run = partial(self._execute, protocol, call, units, done)
            job.refuse = lambda error: self._end(done, executor.conclude(call, error))
            with self._lock:
                begun = self._jobs.enter(job)
            self._start(begun)
            return partial(self._withdraw, job)
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

    def _start(self, begun: list[Job]) -> None:
        """Execute jobs whose turn has come, each in a thread."""
        left = deque(begun)
        while left and not self._is_closed:
            job = left.popleft()
            try:
                self._pool.run(self._work, job)
            except RuntimeError as error:  # there is no thread
                job.refuse(error)
                with self._lock:
                    left += self._jobs.ended(job)

    def _work(self, job: Job) -> None:
        """Execute a job, then the one whose turn comes by its end."""
        following: Job | None = job
        while following is not None and not self._is_closed:
            following.run()
            with self._lock:
                begun = self._jobs.ended(following)
            following = begun.pop(0) if begun else None
            self._start(begun)

    def _withdraw(self, job: Job) -> None:
        """Drop a job that has not begun."""
        with self._lock:
            gone = self._jobs.hung_up(job.client)
        for each in gone:
            each.refuse(each.refusal)

    def _end(self, done: Done, response: Response | None) -> None:
        self._results.append((done, response))
        self._wake()

    def _execute(self, protocol: ServerProtocol, call: Call, units: Units, done: Done) -> None:
        self._threads.add(get_ident())
        response: Response | None = None
        try:
            response = protocol.executor.execute(call, units)
        except BaseException as error:  # noqa: BLE001 - even SystemExit would only end the thread
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
            done(response)

    def close(self) -> None:
        """Discard the calls that have not started; do not wait for those that run."""
        self._is_closed = True
        for queued in list(self._queued):
            queued.withdraw()
        self._pool.close()


class _Queued:
    """A call to devices behind a gateway; a broadcast may go to several lines.

    `end` is called once, when all `parts` of the call have ended. `threads` holds the ids of the
    threads that are in hooks.
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
        """Put the call into the queue of a device, unless it is refused."""
        try:
            outcome = self._executor.start(device, self._call, None)
        except Exception as error:  # noqa: BLE001 - such as an error in a custom class
            outcome = error
        except BaseException:  # from a hook, to end the program
            self._end_part(None)
            raise
        if isinstance(outcome, Pending):
            self._pending.append(outcome)
            outcome.when_done(self.conclude)
        else:
            self.conclude(outcome)

    def execute_on(self, units: list[BaseUnit]) -> None:
        """Execute a broadcast on the units that are not behind a line; called in a worker."""
        try:
            for unit in units:
                self._executor.execute_on(unit, self._call)
        except BaseException as error:  # noqa: BLE001 - even SystemExit would only end the thread
            self._executor.failed(self._call, error)
        self._end_part(None)

    def withdraw(self) -> None:
        """Remove the call from the queues."""
        for pending in self._pending:
            pending.withdraw()

    def conclude(self, outcome: object) -> None:
        """End a part of the call with a response, None or an error; called in any thread."""
        response: Response | None = None
        here = get_ident()
        is_new = here not in self._threads
        self._threads.add(here)
        try:
            response = self._executor.conclude(self._call, outcome)
        except BaseException as error:
            response = self._executor.failed(self._call, error)
            if isinstance(error, KeyboardInterrupt):
                raise  # meant for the program, if this is its main thread
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
