"""The connections of browsers: hypercorn's trio worker for each, with limits of our own.

hypercorn sends in a shield, so a browser that takes nothing would keep it for ever, even when all
is to end. And what goes wrong with one connection is to end no other, nor the simulation.
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


class Connections:
    """All connections to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = ASGIWrapper(app)  # type: ignore[arg-type]  # hypercorn's type of ASGI is its own
        self._config = _configure()
        self._context = WorkerContext(None)
        self._open: set[_Stream] = set()
        self._none_is_open = trio.Event()

    async def serve(self, sockets: list[socket.socket], stopping: trio.Event) -> None:
        """Serve all that connects to `sockets`, which listen, until `stopping`; closes them."""
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accept = partial(trio.serve_listeners, handler_nursery=connections)
                accepting.start_soon(accept, self._handle, listeners)
                await stopping.wait()
                accepting.cancel_scope.cancel()
            await self._context.terminated.set()
            with trio.move_on_after(_GRACE):
                while self._open:
                    self._none_is_open = trio.Event()
                    await self._none_is_open.wait()
            connections.cancel_scope.cancel()
            for stream in list(self._open):
                stream.socket.close()

    async def _handle(self, accepted: trio.SocketStream) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            await accepted.aclose()
            return
        stream = _Stream(accepted)
        self._open.add(stream)
        try:
            state = ConnectionState({})
            await TCPServer(self._app, self._config, self._context, state, stream)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - whatever it is, the others are served
            _LOG.exception("A connection to the page failed")
        finally:
            accepted.socket.close()
            self._open.discard(stream)
            if not self._open:
                self._none_is_open.set()


class _Stream:
    """A connection as hypercorn uses it, which is given up when the browser takes nothing."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.socket = stream.socket
        self._stream = stream

    async def send_all(self, data: bytes) -> None:
        try:
            with trio.fail_after(_STALLED):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            self.socket.close()
            raise trio.BrokenResourceError("the browser takes nothing") from None

    async def receive_some(self, most: int) -> bytes | bytearray:
        return await self._stream.receive_some(most)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _configure() -> Config:
    config = Config()
    config.errorlog = _LOG
    config.accesslog = None
    config.keep_alive_timeout = 10
    config.websocket_max_message_size = MESSAGE_LIMIT
    config.include_server_header = False
    return config
