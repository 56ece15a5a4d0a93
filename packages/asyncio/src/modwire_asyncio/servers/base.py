"""`Server`: the life cycle of the three servers, in the loop in which they are started."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.interrupts import Interrupts
from modwire.server.life import ServerBase, Stage, check_grace
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

    def _bind(self, asked: Listening) -> None:
        self._asked = asked  # opened later: looking up a name is awaited

    # To be defined by each server.

    async def _open(self) -> None:
        """Open the sockets or the port, and begin to serve."""
        raise NotImplementedError(f"{type(self).__name__} must define _open()")

    # The life cycle.

    async def start(self) -> Self:
        """Begin to serve in this loop, and return this server. Raises OSError if it cannot."""
        self._begin()
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        try:
            await self._open()
        except BaseException:
            self._close()
            raise
        self._logger.info("%s serves", self)
        return self

    async def serve_forever(self) -> None:
        """Serve until `shutdown`; if it is not started yet, start it.

        If it is cancelled, as by Ctrl+C in `asyncio.run`, or raises KeyboardInterrupt, running
        calls first have 5 seconds to end and to be answered; the second time it ends at once.
        Raises the error that ended the serving, such as `ConnectionLostError` if a serial port is
        lost, and RuntimeError if the server was shut down before.
        """
        self._check_open()
        soon = asyncio.get_running_loop().call_soon_threadsafe
        try:
            with Interrupts(signal, lambda: soon(self._begin_stop, self._grace)):
                if self._stage is Stage.NEW:
                    await self.start()
                assert self._finished is not None
                await asyncio.wait([self._finished])
        except BaseException:
            await self._end(self._grace_left)
            raise
        if self._failure is not None:
            raise self._failure

    async def shutdown(self, grace: float = 5.0) -> None:
        """Stop and close everything; wait until that is done.

        No new requests are accepted. Running calls get `grace` seconds to end and to send their
        answers; then they are cancelled. In a hook or unit of the server it does not wait for the
        end. A second call may shorten the grace. If it is cancelled, the shutdown goes on.
        """
        check_grace(grace)
        if self._stage is Stage.NEW:
            self._close()
        finished = self._finished
        if finished is None or finished.done():
            return
        is_own = asyncio.current_task() in self._tasks
        self._begin_stop(grace)
        if not is_own:
            await asyncio.wait([finished])

    async def _end(self, grace: float) -> None:
        """Shut down; if this is cancelled, as by a second Ctrl+C, the grace is over."""
        try:
            await self.shutdown(grace)
        except BaseException:
            await self.shutdown(0)
            raise

    async def __aenter__(self) -> Self:
        return await self.start() if self._enter() else self

    async def __aexit__(self, *error: object) -> None:
        await self._end(self._grace)

    # The end.

    def _begin_stop(self, grace: float) -> None:
        self._grant(grace)
        if self._loop is not None:
            if self._stopping is not None:
                self._stopping.cancel()  # it waits for the former end of the grace
            self._stopping = self._loop.create_task(self._stop())

    async def _stop(self) -> None:
        self._stop_taking()
        stop_at = self._stop_at or 0.0
        if self._tasks and stop_at > monotonic():
            await asyncio.wait(self._tasks, timeout=stop_at - monotonic())
            await self._settle(stop_at)
        self._close_links()
        left = list(self._tasks)
        for each in left:
            each.cancel()
        if left:
            await asyncio.wait(left, timeout=_PATIENCE)
        await self._settle(monotonic() + _PATIENCE)
        self._close()
        self._logger.info("%s is closed", self)

    async def _settle(self, until: float) -> None:
        """Wait until the transports that are being closed are closed, at most `until`."""

    def _close(self) -> None:
        super()._close()
        self._workers.close()
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def _fail(self, error: BaseException) -> None:
        """Stop the server, because it cannot continue after `error`."""
        if self._failure is None and self._stopping is None:
            self._failure = error
            self._logger.error("%s has stopped: %s", self, error)
        self._begin_stop(0.0)

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
