"""`TcpServer`: thousands of connections in one thread."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.constructors import TcpServerBase
from modwire.tls.servers import TlsServerBase

from ..accepting import PAUSE, Listeners
from .base import Server
from .connection import TcpConnection

if TYPE_CHECKING:
    import socket

    from modwire.server.peers import Listening


class TcpServer(TcpServerBase, Server):
    """A server for `units` on TCP or a Unix socket; it runs in one thread.

    `with` starts the server in a thread and shuts it down at the end; see `serve_forever`,
    `start` and `shutdown`. Hooks are called in the server's thread or, for units that block, in a
    worker thread. Override `wrap_socket` to put another layer around each accepted socket.
    """

    _accept_again: float | None = None

    def _bind(self, asked: Listening) -> None:
        self._listeners = Listeners(self, self._connections, self._logger)
        self._address = self._listeners.listen(asked)

    def wrap_socket(self, accepted: socket.socket) -> socket.socket:
        """Return the socket to use in place of `accepted`; to be overridden.

        Neither socket may block. If it raises OSError, the accepted socket is closed.
        """
        return accepted

    def _open(self) -> None:
        self._listeners.is_serving = True
        self._accept()

    def _accept(self) -> None:
        self._accept_again = None
        for listener in self._listeners.sockets:
            self._loop.watch(listener.fileno(), partial(self._on_acceptable, listener))

    def _pause_accepting(self, until: float | None) -> None:
        self._accept_again = until
        for listener in self._listeners.sockets:
            self._loop.unwatch(listener.fileno())

    def _on_acceptable(self, listener: socket.socket, mask: int, now: float) -> None:
        if not self._listeners.accept(listener, self._serve_one):
            self._pause_accepting(now + PAUSE)

    def _serve_one(self, accepted: socket.socket, peer: object) -> None:
        accepted = self.wrap_socket(accepted)
        core = self._connect(peer, monotonic())
        TcpConnection(self._loop, self._connections, accepted, core)

    # Deadlines.

    def _deadline(self) -> float | None:
        return self._accept_again

    def _handle_deadline(self, now: float) -> None:
        if self._accept_again is not None and now >= self._accept_again:
            self._accept()

    def _is_idle(self) -> bool:
        return not self._connections

    def _close_listeners(self) -> None:
        self._pause_accepting(None)
        self._listeners.close()


class TlsServer(TlsServerBase, TcpServer):
    """A server for `units` over TLS; otherwise like `TcpServer`."""

    _has_changed = False

    def credentials_changed(self) -> None:
        self._has_changed = True
        self._loop.wake()

    def _deadline(self) -> float | None:
        return 0.0 if self._has_changed else super()._deadline()

    def _handle_deadline(self, now: float) -> None:
        if self._has_changed:
            self._has_changed = False
            self._stop_outdated()
        super()._handle_deadline(now)
