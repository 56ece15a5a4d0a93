"""`Service`: the life of a server function, from its start to the end of its grace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from logging import getLogger
from typing import TYPE_CHECKING

import trio

from modwire import Framing, Units
from modwire.options import check_count

if TYPE_CHECKING:
    from modwire import Call, Response, ServerProtocol
    from modwire.messages.base import AnyRequest
    from modwire.server.execution import InThread

_PAST = float("-inf")
DEBUG = 10  # logging.DEBUG
logger = getLogger("modwire.server")
wire = getLogger("modwire.wire")


class Service:
    """Runs the tasks of one server until its caller is cancelled, then lets calls end.

    `name` is what the log calls it. `grace` is how many seconds calls that are being executed get
    when it is cancelled, `workers` how many threads units that block are executed in.
    `stopping` is set when no request is to be taken any more.
    """

    def __init__(self, units: Units, framing: type[Framing], *, workers: int, grace: float) -> None:
        if not isinstance(units, Units):
            raise TypeError(
                f"units must be Units, such as Units.single(unit), got {type(units).__name__}"
            )
        check_count("workers", workers)
        if not isinstance(grace, (int, float)) or not grace >= 0:
            raise ValueError(f"grace must be at least 0 seconds, got {grace!r}")
        Framing.check_class(framing)
        self.units = units
        self.framing = framing
        self.name = "server"
        self.in_thread = _threads(workers)
        self.stopping = trio.Event()
        self._grace = grace
        self._failure: BaseException | None = None
        # All tasks are behind this shield: cancelling the caller must not cut what they execute.
        self._shield = trio.CancelScope(shield=True)
        self._tasks: trio.Nursery | None = None

    async def run(self, begin: Callable[[], None], stop: Callable[[], None]) -> None:
        """Call `begin`, which starts tasks with `start`, and wait for all of them to end.

        When the caller is cancelled, `stop` is called: it sees to it that the tasks end as soon as
        the calls that are being executed have. Raises what ended the serving, alone and in no
        group.
        """
        logger.info("%s serves", self.name)
        async with trio.open_nursery() as outside:
            outside.start_soon(self._run_shielded, begin, outside.cancel_scope)
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                pass  # of the caller, who gets it below, or because all tasks have ended
            except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt, raised below
                self._failure = self._failure or error
            # From here on this task only waits, and is to be told of the cancellation at the end.
            outside.cancel_scope.shield = True
            self.stopping.set()
            self._shield.deadline = trio.current_time() + self._grace
            self._run_alone(stop)
        logger.info("%s is closed", self.name)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            try:
                raise failure
            finally:
                del failure  # else its traceback would keep all alive until a collection
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _run_shielded(self, begin: Callable[[], None], outside: trio.CancelScope) -> None:
        with self._shield:
            async with trio.open_nursery() as self._tasks:
                if not self.stopping.is_set():
                    self._run_alone(begin)
        outside.cancel()

    def _run_alone(self, function: Callable[[], None]) -> None:
        """Call what begins or stops; its error ends the serving, and `run` raises it."""
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - without a group around it
            self._failure = self._failure or error
            self._shield.cancel()

    async def execute(self, protocol: ServerProtocol, call: Call) -> Response | None:
        """What the units answer; they can end neither their connection nor the serving.

        Who else than the server raises `Cancelled` has kept one of his own.
        """
        try:
            return await protocol.execute_async(call, self.units, self.in_thread)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if isinstance(error, trio.Cancelled) and trio.current_effective_deadline() == _PAST:
                raise
            return protocol.failed(call, error)

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Start a task; what it raises ends the whole serving at once."""
        if self._tasks is not None:
            self._tasks.start_soon(self._guard, task)

    async def _guard(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - `run` raises it, without a group around it
            self._failure = self._failure or error
            self._shield.cancel()


def _threads(workers: int) -> InThread:
    limiter = trio.CapacityLimiter(workers)

    async def in_thread(function: Callable[[], Response | None]) -> Response | None:
        # One that hangs is left to itself, so that it cannot keep the server from ending.
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=limiter)

    return in_thread


def log_error(peer: object, request: AnyRequest, error: BaseException) -> None:
    """Log what a unit or a hook raised: the adapter's part of `merged_server_options`."""
    logger.error("%r from %s failed", request, peer, exc_info=error)
