"""The connections of browsers: hypercorn's trio worker for each, with our own limits.

hypercorn sends in a shield: a browser that reads nothing would hold its connection for ever, even
at shutdown. Bytes that are not HTTP make hypercorn raise, or wait for ever. An error must not end
other connections, and each wait needs a timeout.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from modwire.server.quiet_logger import QuietLogger

from .http1 import Http1Server
from .live import MESSAGE_LIMIT

if TYPE_CHECKING:
    import ssl

# The system is out of descriptors or memory.
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE = 0.25  # seconds until the next attempt to accept a connection then
_LOG = logging.getLogger("modwire.web")
_GRACE = 1.0  # seconds for responses in progress when the server ends
_AFTER_END = 2.0  # seconds for responses after the browser's end of file; hypercorn waits longer


class Connections:
    """All connections to `app`, over TLS if there is a `context`, or a function that returns it.

    A connection is closed if it has no traffic for `silent` seconds (an open page has some every 15
    seconds), or if its browser accepts no byte for `stalled` seconds. If `most` are open, a new one
    evicts one of the client that has most: the one that was idle for longest.
    """

    def __init__(
        self,
        app: ASGIApp,
        context: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
        *,
        most: int = 500,
        silent: float = 60.0,
        stalled: float = 20.0,
    ) -> None:
        self._app = ASGIWrapper(app)  # type: ignore[arg-type]  # hypercorn's type of ASGI is its own
        self._tls = context
        self._config = configure()
        self._context = WorkerContext(None)
        self._most = most
        self._silent = silent
        self._stalled = stalled
        self._open: set[_Stream] = set()
        self._none_is_open = trio.Event()

    async def serve(self, sockets: list[socket.socket], stopping: trio.Event) -> None:
        """Accept connections from the listening `sockets` until `stopping`, then close them."""
        listeners = [_Listener(each) for each in sockets]
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
        if len(self._open) >= self._most:
            counts = Counter([stream.client for stream in self._open])
            min(self._open, key=lambda stream: (-counts[stream.client], stream.active)).end()
        context = self._tls() if callable(self._tls) else self._tls
        stream = _Stream(accepted, self._stalled, context)
        self._open.add(stream)
        try:
            with stream.scope:
                await stream.shake_hands()
                state = ConnectionState({})
                await Http1Server(self._app, self._config, self._context, state, stream)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - caused by the peer: the application logs its own
            _LOG.debug("A connection to the page failed", exc_info=True)
        finally:
            accepted.socket.close()
            self._open.discard(stream)
            if not self._open:
                self._none_is_open.set()


class _Listener(trio.abc.Listener[trio.SocketStream]):
    """A listening socket, which logs once that there are no descriptors.

    trio would log it ten times a second, each time with a traceback.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        self._log = QuietLogger(_LOG, trio.current_time)

    async def accept(self) -> trio.SocketStream:
        while True:
            try:
                return await self._listener.accept()
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._log.warning("The page cannot accept connections; new ones wait: %s", error)
            await trio.sleep(_PAUSE)

    async def aclose(self) -> None:
        await self._listener.aclose()


class _Stream:
    """The stream of a connection for hypercorn; closed when the browser accepts no bytes.

    `is_secure` is True over TLS: with a `tls` context.
    """

    def __init__(
        self, stream: trio.SocketStream, stalled: float, tls: ssl.SSLContext | None = None
    ) -> None:
        self.socket = stream.socket
        self.scope = trio.CancelScope()
        self.active = trio.current_time()
        self.client = _client_of(stream)
        self.is_secure = tls is not None
        self._stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = stream
        if tls is not None:
            # Browsers close without a close_notify.
            self._stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        self._stalled = stalled

    async def shake_hands(self) -> None:
        """Shake hands, if the connection is over TLS; raises TooSlowError if it takes too long."""
        if isinstance(self._stream, trio.SSLStream):
            with trio.fail_after(self._stalled):
                await self._stream.do_handshake()
            self.active = trio.current_time()

    def end(self) -> None:
        """Close the socket, which also ends shielded calls of hypercorn."""
        self.socket.close()
        self.scope.cancel()

    async def send_all(self, data: bytes) -> None:
        try:
            with trio.fail_after(self._stalled):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            self.socket.close()
            raise trio.BrokenResourceError("the browser accepts no bytes") from None
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
        if isinstance(self._stream, trio.SocketStream):  # TLS has none
            await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _client_of(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # it has gone already
        return ""


def configure() -> Config:
    """Return hypercorn's settings for a connection."""
    config = Config()
    config.errorlog = None
    config.accesslog = None
    config.keep_alive_timeout = 10
    config.websocket_max_message_size = MESSAGE_LIMIT
    config.include_server_header = False
    return config
