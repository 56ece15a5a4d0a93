"""`Server`: the life of a server function, from its start to the end of its grace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from logging import getLogger
from typing import TYPE_CHECKING

import trio

from modwire.server.constructors import ServerBase

if TYPE_CHECKING:
    from modwire import Call, Framing, Response, ServerOptions, ServerProtocol, Units
    from modwire.server.constructors import Listening

_PAST = float("-inf")
DEBUG = 10  # logging.DEBUG
logger = getLogger("modwire.server")
wire = getLogger("modwire.wire")


class Server(ServerBase):
    """Runs the tasks of one server until its caller is cancelled, then lets calls end.

    `name` is what the log calls it. `stopping` is set when no request is to be taken any more.
    """

    name = "server"

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self.stopping = trio.Event()
        self._limiter = trio.CapacityLimiter(workers)
        self._failure: BaseException | None = None
        # All tasks are behind this shield: cancelling the caller must not cut what they execute.
        self._shield = trio.CancelScope(shield=True)
        self._tasks: trio.Nursery | None = None

    def _bind(self, asked: Listening) -> None:
        self._asked = asked  # opened later: looking up a name is awaited

    _get_logger = staticmethod(getLogger)

    def __str__(self) -> str:
        return self.name

    def _begin(self) -> None:
        """Start the tasks, with `start`."""
        raise NotImplementedError

    def _stop_taking(self) -> None:
        """See to it that the tasks end as soon as the calls that are being executed have."""
        raise NotImplementedError

    async def serve(self, grace: float) -> None:
        """Serve until the caller is cancelled, or all tasks have ended.

        From then on no request is taken, and calls that are being executed get `grace` seconds.
        Raises what ended the serving, alone and in no group.
        """
        logger.info("%s serves", self.name)
        async with trio.open_nursery() as outside:
            outside.start_soon(self._run_shielded, outside.cancel_scope)
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                pass  # of the caller, who gets it below, or because all tasks have ended
            except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt, raised below
                self._failure = self._failure or error
            # From here on this task only waits, and is to be told of the cancellation at the end.
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
                del failure  # else its traceback would keep all alive until a collection
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
        """Start a task; an error that it raises ends the whole serving at once."""
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
        """End the serving; `serve` raises the error, without a group around it."""
        self._failure = self._failure or error
        self._shield.cancel()

    async def execute(self, protocol: ServerProtocol, call: Call) -> Response | None:
        """Return the answer of the units; they can end neither their connection nor the serving."""
        executor = protocol.executor
        try:
            return await executor.execute_async(call, self.units, self._in_thread)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # A unit may raise a `Cancelled` that it has kept; only the server's own goes through.
            if isinstance(error, trio.Cancelled) and trio.current_effective_deadline() == _PAST:
                raise
            return executor.failed(call, error)

    async def _in_thread(self, function: Callable[[], object]) -> object:
        # One that hangs is left to itself, so that it cannot keep the server from ending.
        return await trio.to_thread.run_sync(
            function, abandon_on_cancel=True, limiter=self._limiter
        )


def check_grace(grace: float) -> None:
    """Raise ValueError unless `grace` is at least 0 seconds."""
    if not isinstance(grace, (int, float)) or not grace >= 0:
        raise ValueError(f"grace must be at least 0 seconds, got {grace!r}")
