"""`Workers`: threads that execute calls to units that block, so that the hub never waits."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from gevent import GreenletExit, get_hub
from gevent.event import Event

from modwire.server.workers import EventJob, Job, WorkerQueue, tell

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

    from modwire import Call, Response, ServerProtocol, Units

T = TypeVar("T")


class Workers:
    """The threads for `jobs`, started when they are first needed.

    The hub's own threads are not used: they also look up host names, and must not wait for units.
    """

    def __init__(self, jobs: WorkerQueue[EventJob[Event]]) -> None:
        self._jobs = jobs
        self._pool: ThreadPool | None = None
        self._threads: set[int] = set()

    def execute(self, protocol: ServerProtocol, call: Call, units: Units) -> Response | None:
        """Return the response of `units` to `call`; other greenlets run while it waits.

        Hooks, and units whose `waits` is LOOP or QUEUE, are called in this greenlet.
        """
        try:
            return protocol.executor.execute(call, units, self._in_thread)
        except (GreenletExit, KeyboardInterrupt, SystemExit):
            raise  # meant for this greenlet or for the program
        except BaseException as error:  # noqa: BLE001 - such as a gevent.Timeout of the unit's own
            return protocol.executor.failed(call, error)

    def _in_thread(self, asked: Job) -> object:
        job = EventJob(asked, Event())
        try:
            tell(self._jobs.enter(job))
            job.decided.wait()
            if job.refusal is not None:
                raise job.refusal
            return self.run(asked.run)
        finally:
            tell(self._jobs.ended(job))

    def hung_up(self, client: object) -> None:
        """Withdraw the calls of a client that has disconnected, unless they have begun."""
        tell(self._jobs.hung_up(client))

    def run(self, function: Callable[[], T]) -> T:
        """Return the result of `function` in a thread, or raise its error; other greenlets run."""
        if self._pool is None:
            from gevent.threadpool import ThreadPool

            self._pool = ThreadPool(self._jobs.most, get_hub())
        values: list[T] = []
        errors: list[BaseException] = []

        def run_in_thread() -> None:
            self._threads.add(get_ident())
            try:
                values.append(function())
            except BaseException as error:  # noqa: BLE001 - raised below; the hub would print it
                errors.append(error)

        self._pool.spawn(run_in_thread).get()
        if errors:
            raise errors.pop()
        return values.pop()

    def run_here(self) -> bool:
        """True if the caller is in one of the threads."""
        return get_ident() in self._threads

    def close(self) -> None:
        """Let the threads end; do not wait for one that hangs in a unit."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if len(pool):
            from gevent import spawn

            spawn(pool.kill)
        else:
            pool.kill()
