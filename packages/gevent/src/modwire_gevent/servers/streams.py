"""`TcpServer`: a greenlet for each of thousands of connections."""

from __future__ import annotations

from socket import SOCK_STREAM
from typing import TYPE_CHECKING

import gevent

from modwire import ServerProtocol
from modwire.server.connection import Connections
from modwire.server.constructors import TcpServerBase

from ..links import plain_socket
from .connection import Shared, TcpConnection
from .greenlets import Server, find_addresses
from .waiting import Waiting

if TYPE_CHECKING:
    import socket

    from modwire.server.constructors import Address
    from modwire_sync.accepting import Listeners

    from .greenlets import AnyGreenlet


class TcpServer(TcpServerBase, Server):
    """Answers for `units` on TCP or on a Unix socket, a greenlet for each peer.

    `with` starts serving and shuts down at the end; see `serve_forever`, `start` and `shutdown`.
    Hooks are called in the greenlets of the connections, and may wait as such. A unit that blocks
    is executed in one of the workers; one whose `waits` is `Waits.LOOP`, such as `RemoteUnit`, in
    the greenlet of its connection. An overridden `wrap_socket` puts another layer around every
    accepted socket.
    """

    _listeners: Listeners | None = None

    def _bind(self, address: Address, *, reuse_port: bool) -> None:
        from modwire_sync.accepting import Listeners  # slow to import, and clients need no server

        self._connections: Connections[TcpConnection] = Connections(self._max_connections)
        self._acceptors: list[AnyGreenlet] = []
        try:
            listeners = self._listeners = Listeners(
                address,
                found=find_addresses(address, SOCK_STREAM),
                backlog=self._backlog,
                reuse_port=reuse_port,
                allowed=self._allowed,
                connections=self._connections,
                logger=self._logger,
            )
        except BaseException:
            self._close()
            raise
        listeners.sockets = [plain_socket(each) for each in listeners.sockets]
        self._address = listeners.address
        listeners.name = str(self)
        self._shared = Shared(
            self._connections,
            self.units,
            self._workers,
            self._logger,
            self._wire,
            self.wrap_socket,
        )

    def wrap_socket(self, accepted: socket.socket) -> socket.socket:
        """Return the socket to use for an accepted one, which does not block; to be overridden.

        Called in the greenlet of the connection. May raise OSError, which closes the accepted
        socket.
        """
        return accepted

    # Accepting.

    def _open(self) -> None:
        if self._listeners is not None:
            self._acceptors = [
                self._spawn_lasting(self._accept, self._listeners, each)
                for each in self._listeners.sockets
            ]

    def _accept(self, listeners: Listeners, listener: socket.socket) -> None:
        """Take the connections of a listener until the greenlet is killed."""
        from modwire_sync.accepting import PAUSE

        waiting = Waiting(gevent.get_hub(), listener.fileno())
        try:
            while True:
                waiting.wait_readable()
                if not listeners.accept(listener, self._admit):
                    gevent.sleep(PAUSE)
        finally:
            waiting.unwatch()

    def _admit(self, accepted: socket.socket, peer: object) -> None:
        protocol = ServerProtocol(self.framing, self.options, peer=peer)
        connection = TcpConnection(self._shared, plain_socket(accepted), protocol)
        self._spawn(connection.run)
        self._logger.debug("%s is open", connection.core)

    # The end.

    def _stop_taking(self) -> None:
        gevent.killall(self._acceptors)
        if self._listeners is not None:
            self._listeners.close()
        self._connections.stop()

    def _close_links(self) -> None:
        if self._listeners is not None:
            self._listeners.close()
        self._connections.close()
