"""`TcpServer`: thousands of connections, each with a greenlet."""

from __future__ import annotations

from socket import SOCK_STREAM
from time import monotonic
from typing import TYPE_CHECKING

import gevent

from modwire.server.constructors import TcpServerBase
from modwire.tls.servers import TlsServerBase

from ..links import plain_socket
from .base import Server, find_addresses
from .connection import Shared, TcpConnection
from .waiting import GreedyRounds, Waiting

if TYPE_CHECKING:
    import socket

    from modwire.server.peers import Listening

    from .base import AnyGreenlet


class TcpServer(TcpServerBase, Server):
    """A server for `units` on TCP or a Unix socket, with a greenlet for each peer.

    `with` starts the server and shuts it down at the end; see `serve_forever`, `start` and
    `shutdown`. Hooks are called in the greenlets of the connections, and may wait there. A unit
    that blocks is executed in a worker thread; a unit whose `waits` is `Waits.LOOP`, such as
    `RemoteUnit`, in the greenlet of the connection. Override `wrap_socket` to put another layer
    around each accepted socket.
    """

    def _bind(self, asked: Listening) -> None:
        from modwire_sync.accepting import Listeners  # slow to import, and clients need no server

        self._acceptors: list[AnyGreenlet] = []
        self._listeners = Listeners(self, self._connections, self._logger)
        self._address = self._listeners.listen(asked, find_addresses(asked.address, SOCK_STREAM))
        self._listeners.sockets = [plain_socket(each) for each in self._listeners.sockets]
        self._shared = Shared(
            self._connections,
            self._workers,
            self._logger,
            self._wire,
            self.wrap_socket,
            GreedyRounds(),
        )

    def wrap_socket(self, accepted: socket.socket) -> socket.socket:
        """Return the socket to use for `accepted`, which does not block; to be overridden.

        It is called in the greenlet of the connection. If it raises OSError, `accepted` is
        closed.
        """
        return accepted

    # Accepting.

    def _open(self) -> None:
        self._listeners.is_serving = True
        self._acceptors = [
            self._spawn_lasting(self._accept, each) for each in self._listeners.sockets
        ]

    def _accept(self, listener: socket.socket) -> None:
        """Accept the connections of a listener until the greenlet is killed."""
        from modwire_sync.accepting import PAUSE

        waiting = Waiting(gevent.get_hub(), listener.fileno())
        try:
            while True:
                waiting.wait_readable()
                if not self._listeners.accept(listener, self._admit):
                    gevent.sleep(PAUSE)
        finally:
            waiting.unwatch()

    def _admit(self, accepted: socket.socket, peer: object) -> None:
        core = self._connect(peer, monotonic())
        self._spawn(TcpConnection(self._shared, plain_socket(accepted), core).run)

    def _stop_taking(self) -> None:
        gevent.killall(self._acceptors)
        super()._stop_taking()

    def _close_listeners(self) -> None:
        self._listeners.close()


class TlsServer(TlsServerBase, TcpServer):
    """A server for `units` over TLS; otherwise like `TcpServer`."""

    def credentials_changed(self) -> None:
        if self._hub is not None:
            # In a greenlet, because hooks and logging may wait.
            self._hub.loop.run_callback_threadsafe(gevent.spawn, self._stop_outdated)
