"""The connections of browsers: hypercorn's trio worker for each, with limits of our own.

hypercorn sends in a shield, so a browser that takes nothing would keep it for ever, even when all
is to end. Nonsense from a peer makes it raise, or wait for ever: the one is to end no other
connection, nor the simulation, and the other is to end at all.
"""

from __future__ import annotations

import logging
import socket
from functools import partial

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from .live import MESSAGE_LIMIT

_LOG = logging.getLogger("modwire.web")
_MOST_CONNECTIONS = 500
_GRACE = 1.0  # seconds for answers under way when the server ends
_STALLED = 20.0  # seconds that a browser may take nothing
_AFTER_END = 2.0  # seconds for answers to one who sends no more; hypercorn would wait for long
_SILENT = 60.0  # seconds without a byte; a page that is open hears something every 15 seconds


class Connections:
    """All connections to `app`; one without a byte for `silent` seconds is closed."""

    def __init__(self, app: ASGIApp, *, silent: float = _SILENT) -> None:
        self._app = ASGIWrapper(app)  # type: ignore[arg-type]  # hypercorn's type of ASGI is its own
        self._config = _configure()
        self._context = WorkerContext(None)
        self._silent = silent
        self._open: set[_Stream] = set()
        self._none_is_open = trio.Event()

    async def serve(self, sockets: list[socket.socket], stopping: trio.Event) -> None:
        """Serve all that connects to `sockets`, which listen, until `stopping`; closes them."""
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accept = partial(trio.serve_listeners, handler_nursery=connections)
                accepting.start_soon(accept, self._handle, listeners)
                accepting.start_soon(self._end_silent)
                await stopping.wait()
                accepting.cancel_scope.cancel()
            await self._context.terminated.set()
            with trio.move_on_after(_GRACE):
                while self._open:
                    self._none_is_open = trio.Event()
                    await self._none_is_open.wait()
            connections.cancel_scope.cancel()
            for stream in list(self._open):
                stream.end()

    async def _end_silent(self) -> None:
        while True:
            await trio.sleep(self._silent / 4)
            for stream in list(self._open):
                if trio.current_time() > stream.active + self._silent:
                    stream.end()

    async def _handle(self, accepted: trio.SocketStream) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            min(self._open, key=lambda stream: stream.active).end()
        stream = _Stream(accepted)
        self._open.add(stream)
        try:
            with stream.scope:
                state = ConnectionState({})
                await TCPServer(self._app, self._config, self._context, state, stream)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - the application logs its own; this is what peers cause
            _LOG.debug("A connection to the page failed", exc_info=True)
        finally:
            accepted.socket.close()
            self._open.discard(stream)
            if not self._open:
                self._none_is_open.set()


class _Stream:
    """A connection as hypercorn uses it, which is given up when the browser takes nothing."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.socket = stream.socket
        self.scope = trio.CancelScope()
        self.active = trio.current_time()
        self._stream = stream

    def end(self) -> None:
        """Close it, whatever hypercorn waits for: a shield is no help when the socket is gone."""
        self.socket.close()
        self.scope.cancel()

    async def send_all(self, data: bytes) -> None:
        try:
            with trio.fail_after(_STALLED):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            self.socket.close()
            raise trio.BrokenResourceError("the browser takes nothing") from None
        self.active = trio.current_time()

    async def receive_some(self, most: int) -> bytes | bytearray:
        data: bytes | bytearray = b""
        try:
            data = await self._stream.receive_some(most)
            self.active = trio.current_time()
        finally:
            if not data:
                self.scope.deadline = trio.current_time() + _AFTER_END
        return data

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _configure() -> Config:
    config = Config()
    config.errorlog = None
    config.accesslog = None
    config.keep_alive_timeout = 10
    config.websocket_max_message_size = MESSAGE_LIMIT
    config.include_server_header = False
    return config
