"""`WorkerQueue`: the calls to units that block, and which of them gets a worker next.

Part of the adapter kit: an adapter runs each job in a thread when its turn comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..errors import ServerDeviceBusyError
from .call import Call

if TYPE_CHECKING:
    from collections.abc import Callable


class Job:
    """A call that waits for a worker, or is executed by one.

    `unit` is the identity of the unit, `client` that of the client, as `Executor.client`. `run()`,
    or calling the job, executes the call; `refuse(error)` answers it with an error, for adapters
    without a task for each call. `refusal` is the error to answer with if the job was withdrawn:
    its client has disconnected before it began.
    """

    __slots__ = ("call", "client", "has_begun", "refusal", "refuse", "run", "unit")

    run: Callable[[], object]
    refuse: Callable[[BaseException | None], object]

    def __init__(self, unit: object, call: Call, client: object) -> None:
        self.unit = unit
        self.call = call
        self.client = client
        self.has_begun = False
        self.refusal: ServerDeviceBusyError | None = None

    def __call__(self) -> object:
        return self.run()


class Event(Protocol):
    """An event of a package's loop."""

    def set(self) -> object:
        """Wake all that wait; later waits return at once."""
        raise NotImplementedError


EventT = TypeVar("EventT", bound=Event)


class EventJob(Job, Generic[EventT]):
    """A job, and the event that is set when it is decided."""

    __slots__ = ("decided",)

    def __init__(self, job: Job, decided: EventT) -> None:
        super().__init__(job.unit, job.call, job.client)
        self.decided = decided


def tell(decided: list[EventJob[EventT]]) -> None:
    """Set the events of jobs that are decided."""
    for job in decided:
        job.decided.set()


JobT = TypeVar("JobT", bound=Job)


class WorkerQueue(Generic[JobT]):
    """The jobs of a server, in the order of their turns; a unit is any hashable object but None.

    At most `workers` jobs run at once. So that a unit that hangs starves no other one, a unit of
    which no job runs gets one of `spare` further workers. Units take turns.

    `enter`, `ended` and `hung_up` return the jobs that are decided: run those without a `refusal`,
    and call `ended` after them; answer the others with their refusal. It has no lock.
    """

    def __init__(self, workers: int, spare: int) -> None:
        self._workers = workers
        self._most = workers + spare
        self._waiting: dict[object, dict[JobT, None]] = {}  # by unit, in the order of their turns
        self._running: dict[object, int] = {}  # by unit
        self._count = 0  # of running jobs

    @property
    def most(self) -> int:
        """Maximum number of jobs that run at once."""
        return self._most

    def enter(self, job: JobT) -> list[JobT]:
        """Let a new job run, or wait for its turn."""
        self._waiting.setdefault(job.unit, {})[job] = None
        return self._begin()

    def ended(self, job: JobT) -> list[JobT]:
        """End a job, or withdraw one that has not begun, without a decision on it."""
        if not job.has_begun:
            self._remove(job)
            return []
        job.has_begun = False
        self._count -= 1
        left = self._running[job.unit] - 1
        if left:
            self._running[job.unit] = left
        else:
            del self._running[job.unit]
        return self._begin()

    def hung_up(self, client: object) -> list[JobT]:
        """Withdraw the jobs of a client that has disconnected; those that run continue."""
        gone = [job for jobs in self._waiting.values() for job in jobs if job.client is client]
        for job in gone:
            self._remove(job)
            job.refusal = ServerDeviceBusyError(job.call.request, detail="its client has gone")
        return gone

    def _remove(self, job: JobT) -> None:
        jobs = self._waiting.get(job.unit)
        if jobs is not None and jobs.pop(job, job) is None and not jobs:
            del self._waiting[job.unit]

    def _begin(self) -> list[JobT]:
        begun: list[JobT] = []
        while self._waiting and self._count < self._most:
            unit = self._next()
            if unit is None:
                break
            jobs = self._waiting.pop(unit)
            job = next(iter(jobs))
            del jobs[job]
            if jobs:
                self._waiting[unit] = jobs  # behind the other units
            job.has_begun = True
            self._running[unit] = self._running.get(unit, 0) + 1
            self._count += 1
            begun.append(job)
        return begun

    def _next(self) -> object:
        """Return the unit whose turn it is; None if all that wait have jobs that run."""
        if self._count < self._workers:
            return next(iter(self._waiting))
        return next((unit for unit in self._waiting if unit not in self._running), None)
