"""`Server`: the life cycle of the three servers, in the loop in which they are started."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.constructors import ServerBase
from modwire.server.workers import WorkerQueue

from .workers import Workers

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from typing_extensions import Self

    from modwire import Framing, ServerOptions, Units
    from modwire.logger import Logger
    from modwire.server.peers import Listening

DEBUG = 10  # logging.DEBUG
_PATIENCE = 1.0  # seconds after the grace, in which cancelled tasks have to end


class Server(ServerBase):
    """The base of `TcpServer`, `UdpServer` and `SerialServer`; not for direct use.

    `async with` starts the server, and shuts it down at the end. Only units that block are
    executed in threads, at most `workers` at once. A server can be started only once: make a new
    one after `shutdown`.
    """

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self._workers = Workers(WorkerQueue(workers, self._spare_workers))
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: asyncio.Future[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._stop_at = 0.0
        self._failure: BaseException | None = None

    def _bind(self, asked: Listening) -> None:
        self._asked = asked  # opened later: looking up a name is awaited

    # To be defined by each server.

    async def _open(self) -> None:
        """Open the sockets or the port, and begin to serve."""
        raise NotImplementedError(f"{type(self).__name__} must define _open()")

    def _stop_taking(self) -> None:
        """Accept no more requests; running calls continue."""
        raise NotImplementedError(f"{type(self).__name__} must define _stop_taking()")

    def _close_links(self) -> None:
        """Close all sockets or the port in any state; may be called again."""
        raise NotImplementedError(f"{type(self).__name__} must define _close_links()")

    # The life cycle.

    @property
    def is_serving(self) -> bool:
        """True from the start of the server to the end of its shutdown."""
        return self._finished is not None and not self._finished.done()

    async def start(self) -> Self:
        """Begin to serve in this loop, and return this server. Raises OSError if it cannot."""
        if self._loop is not None:
            raise RuntimeError(f"{self} serves already, or was shut down: make a new one")
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        try:
            await self._open()
        except BaseException:
            self._close()
            self._finished.set_result(None)
            raise
        self._logger.info("%s serves", self)
        return self

    async def serve_forever(self) -> None:
        """Serve until `shutdown`; if it is not started yet, start it.

        Raises the error that ended the serving, such as `ConnectionLostError` if a serial port is
        lost. If it is cancelled, the server is closed at once.
        """
        if self._finished is None:
            await self.start()
        finished = self._finished
        assert finished is not None
        try:
            await asyncio.wait([finished])
        except BaseException:
            await self.shutdown(0)
            raise
        if self._failure is not None:
            raise self._failure

    async def shutdown(self, grace: float = 5.0) -> None:
        """Stop and close everything; wait until that is done.

        No new requests are accepted. Running calls get `grace` seconds to end and to send their
        answers; then they are cancelled. In a hook or unit of the server it does not wait for the
        end. A second call may shorten the grace. If it is cancelled, the shutdown goes on.
        """
        if not isinstance(grace, (int, float)) or not grace >= 0:
            raise ValueError(f"grace must be at least 0 seconds, got {grace!r}")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._finished = self._loop.create_future()
            self._close()
            self._finished.set_result(None)
        finished = self._finished
        if finished is None or finished.done():
            return
        is_own = asyncio.current_task() in self._tasks
        self._begin_stop(monotonic() + grace)
        if not is_own:
            await asyncio.wait([finished])

    async def __aenter__(self) -> Self:
        return self if self.is_serving else await self.start()

    async def __aexit__(self, *error: object) -> None:
        await self.shutdown()

    # The end.

    def _begin_stop(self, stop_at: float) -> None:
        self._stop_at = stop_at
        if self._loop is not None:
            if self._stopping is not None:
                self._stopping.cancel()  # it waits for the former end of the grace
            self._stopping = self._loop.create_task(self._stop())

    async def _stop(self) -> None:
        self._stop_taking()
        seconds = self._stop_at - monotonic()
        if self._tasks and seconds > 0:
            await asyncio.wait(self._tasks, timeout=seconds)
            await self._settle(self._stop_at)
        self._close_links()
        left = list(self._tasks)
        for each in left:
            each.cancel()
        if left:
            await asyncio.wait(left, timeout=_PATIENCE)
        await self._settle(monotonic() + _PATIENCE)
        self._close()
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)
        self._logger.info("%s is closed", self)

    async def _settle(self, until: float) -> None:
        """Wait until the transports that are being closed are closed, at most `until`."""

    def _close(self) -> None:
        self._close_links()
        self._workers.close()

    def _fail(self, error: BaseException) -> None:
        """Stop the server, because it cannot continue after `error`."""
        if self._failure is None and self._stopping is None:
            self._failure = error
            self._logger.error("%s has stopped: %s", self, error)
        self._begin_stop(monotonic())

    # For the servers.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task; a shutdown waits for its end. Its error stops the server."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    now = staticmethod(monotonic)

    @staticmethod
    def _get_logger(name: str) -> Logger:
        from logging import getLogger  # slow to import, so not before it is needed

        return getLogger(name)
