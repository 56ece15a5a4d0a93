"""`Server`: the life cycle of a server function, from its start to the end of its grace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from logging import getLogger
from typing import TYPE_CHECKING

import trio

from modwire.server.constructors import ServerBase
from modwire.server.workers import EventJob, Job, WorkerQueue, tell

if TYPE_CHECKING:
    from modwire import Call, Framing, Response, ServerOptions, ServerProtocol, Units
    from modwire.logger import Logger
    from modwire.server.connection import Connection
    from modwire.server.peers import Listening

_PAST = float("-inf")
DEBUG = 10  # logging.DEBUG
logger = getLogger("modwire.server")
wire = getLogger("modwire.wire")


class Server(ServerBase):
    """Runs the tasks of one server; when its caller is cancelled, running calls may still end.

    `name` is its name in the log. `stopping` is set when no more requests are accepted.
    """

    name = "server"

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self.stopping = trio.Event()
        self._jobs = WorkerQueue[EventJob[trio.Event]](workers, self._spare_workers)
        self._limiter = trio.CapacityLimiter(self._jobs.most)  # abandoned threads count, too
        self._failure: BaseException | None = None
        # This shield protects all tasks: cancelling the caller must not cancel running calls.
        self._shield = trio.CancelScope(shield=True)
        self._tasks: trio.Nursery | None = None

    def _bind(self, asked: Listening) -> None:
        self._asked = asked  # opened later: looking up a name is awaited

    _get_logger = staticmethod(getLogger)
    now = staticmethod(trio.current_time)

    @property
    def log(self) -> Logger:
        """Logger of this server, which repeats no warning."""
        return self._logger

    def __str__(self) -> str:
        return self.name

    def _begin(self) -> None:
        """Start the tasks, with `start`."""
        raise NotImplementedError

    def _stop_taking(self) -> None:
        """Make the tasks end as soon as the running calls have ended."""
        raise NotImplementedError

    async def serve(self, grace: float) -> None:
        """Serve until the caller is cancelled, or all tasks have ended.

        Then no more requests are accepted, and running calls get `grace` seconds to end. Raises
        the error that ended the serving, without an exception group.
        """
        logger.info("%s serves", self.name)
        async with trio.open_nursery() as outside:
            outside.start_soon(self._run_shielded, outside.cancel_scope)
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                pass  # all tasks have ended, or the caller was cancelled: raised again below
            except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt, raised below
                self._failure = self._failure or error
            # From here on this task only waits; it gets its cancellation at the end.
            outside.cancel_scope.shield = True
            self.stopping.set()
            self._shield.deadline = trio.current_time() + grace
            self._run_alone(self._stop_taking)
        logger.info("%s is closed", self.name)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            try:
                raise failure
            finally:
                del failure  # else its traceback keeps all alive until a garbage collection
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _run_shielded(self, outside: trio.CancelScope) -> None:
        with self._shield:
            async with trio.open_nursery() as self._tasks:
                if not self.stopping.is_set():
                    self._run_alone(self._begin)
        outside.cancel()

    def _run_alone(self, function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - `serve` raises it
            self._fail(error)

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Start a task; if it raises an error, the whole server stops at once."""
        if self._tasks is not None:
            self._tasks.start_soon(self._guard, task)

    async def _guard(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - `serve` raises it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Stop the server; `serve` raises the error, without an exception group."""
        self._failure = self._failure or error
        self._shield.cancel()

    async def execute(self, protocol: ServerProtocol, call: Call) -> Response | None:
        """Return the answer of the units; their errors end neither connection nor server."""
        executor = protocol.executor
        try:
            return await executor.execute_async(call, self.units, self._in_thread)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # A unit may raise a `Cancelled` that it has stored; only the server's own is passed on.
            if isinstance(error, trio.Cancelled) and trio.current_effective_deadline() == _PAST:
                raise
            return executor.failed(call, error)

    async def _in_thread(self, asked: Job) -> object:
        job = EventJob(asked, trio.Event())
        try:
            tell(self._jobs.enter(job))
            await job.decided.wait()
            if job.refusal is not None:
                raise job.refusal
            # A thread that hangs is abandoned, so that it cannot prevent the shutdown.
            return await trio.to_thread.run_sync(
                asked.run, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            tell(self._jobs.ended(job))

    def hung_up(self, core: Connection) -> None:
        """Withdraw the waiting calls of a peer that has disconnected during a call."""
        core.hung_up()
        tell(self._jobs.hung_up(core.protocol.executor.client))


def check_grace(grace: float) -> None:
    """Raise ValueError unless `grace` is at least 0 seconds."""
    if not isinstance(grace, (int, float)) or not grace >= 0:
        raise ValueError(f"grace must be at least 0 seconds, got {grace!r}")
