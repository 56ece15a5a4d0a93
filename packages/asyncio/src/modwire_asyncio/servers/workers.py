"""`Workers`: threads that execute calls to units that block, so that the loop never waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from modwire.server.workers import EventJob, Job, WorkerQueue, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from modwire import Call, Response, ServerProtocol, Units

    Found: TypeAlias = "tuple[object, BaseException | None]"  # a result, or an error
    # The future of the result, and what makes the result; None ends a thread.
    Work: TypeAlias = "tuple[asyncio.Future[Found], Callable[[], object]] | None"


class Workers:
    """The threads for `jobs`, started when they are first needed.

    They are not those of the loop: a unit that hangs must stop neither a look-up of a name nor the
    end of the program.
    """

    def __init__(self, jobs: WorkerQueue[EventJob[asyncio.Event]]) -> None:
        self._jobs = jobs
        self._work: SimpleQueue[Work] = SimpleQueue()
        self._threads = self._busy = 0

    async def execute(self, protocol: ServerProtocol, call: Call, units: Units) -> Response | None:
        """Return the answer of the units; their errors end neither connection nor server."""
        executor = protocol.executor
        try:
            return await executor.execute_async(call, units, self._in_thread)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and getattr(task, "cancelling", lambda: True)():
                raise
            return executor.failed(call, error)  # one of the unit's own

    async def _in_thread(self, asked: Job) -> object:
        job = EventJob(asked, asyncio.Event())
        try:
            tell(self._jobs.enter(job))
            await job.decided.wait()
            if job.refusal is not None:
                raise job.refusal
            return await self.run(asked.run)
        finally:
            tell(self._jobs.ended(job))

    def hung_up(self, client: object) -> None:
        """Withdraw the calls of a client that has disconnected, unless they have begun."""
        tell(self._jobs.hung_up(client))

    async def run(self, function: Callable[[], object]) -> object:
        """Return the result of `function` in a thread, with the context of this task."""
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._busy += 1
        if self._busy > self._threads:
            self._threads += 1
            Thread(target=_run, args=(self._work,), name="modwire-worker", daemon=True).start()
        self._work.put((future, partial(copy_context().run, function)))
        future.add_done_callback(self._on_end)
        value, error = await future
        if error is not None:
            raise error
        return value

    def _on_end(self, future: object) -> None:
        self._busy -= 1

    def close(self) -> None:
        """Let the threads end; do not wait for one that hangs in a unit."""
        for _ in range(self._threads):
            self._work.put(None)
        self._threads = 0


def _run(works: SimpleQueue[Work]) -> None:
    while (work := works.get()) is not None:
        future, function = work
        found: Found
        try:
            found = function(), None
        except BaseException as error:  # noqa: BLE001 - raised in the task
            found = None, error
        with suppress(RuntimeError):  # the loop is closed
            future.get_loop().call_soon_threadsafe(_finish, future, found)
        del work, future, function, found


def _finish(future: asyncio.Future[Found], found: Found) -> None:
    if not future.done():
        future.set_result(found)
