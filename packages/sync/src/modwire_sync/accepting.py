"""`Listeners`: the listening sockets of a TCP server, in each package; they accept its peers."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from modwire.forks import forget_after_fork
from modwire.server.peers import HostPort, peer_of

from .sockets import address_of, bind, identify, notice_dead_peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire.logger import Logger
    from modwire.server.connection import Connections
    from modwire.server.constructors import TcpServerBase
    from modwire.server.peers import AllowedNetworks, Listening

    from .sockets import Found

_UNUSED = 1.0  # seconds without a request, after which a connection makes room for a descriptor
PAUSE = 0.25  # seconds until the next attempt, if the system is out of files or memory


class Listeners:
    """The listening sockets of `server`; `connections` limits the number of peers."""

    def __init__(
        self, server: TcpServerBase, connections: Connections[Any], logger: Logger
    ) -> None:
        self.sockets: list[socket.socket] = []
        self.address: HostPort | str = ""
        self._server = server
        self._connections = connections
        self._logger = logger
        self._allowed: AllowedNetworks | None = None
        self._file: tuple[int, int] | None = None
        self.is_serving = False  # set by the server, which may be started in a forked process
        self._accepted: WeakSet[socket.socket] = WeakSet()
        forget_after_fork(self, Listeners.forget, getattr(os, "register_at_fork", None))

    def listen(self, asked: Listening, found: Found | None = None) -> HostPort | str:
        """Listen as `asked`; return the address. `found` is that of `bind`. Raises OSError."""
        self._allowed = asked.allowed
        self.sockets = bind(asked, socket.SOCK_STREAM, found)
        address = self.address = address_of(self.sockets[0])
        self._file = identify(address) if isinstance(address, str) else None
        try:
            for each in self.sockets:
                each.listen(asked.backlog)
        except BaseException:
            self.close()
            raise
        return address

    def accept(
        self, listener: socket.socket, serve: Callable[[socket.socket, object], object]
    ) -> bool:
        """Accept the waiting connections, and call `serve(socket, peer)` for each permitted one.

        The sockets do not block. Returns False if the system is out of files or memory: the
        listener stays ready, so try again after `PAUSE`.
        """
        has_made_room = False
        for _ in range(self._server.accepts_at_once):
            try:
                accepted, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return True
            except OSError as error:
                if listener.fileno() < 0:
                    return True  # the listener was closed after it had become ready
                if error.errno == errno.EMFILE and not has_made_room:
                    # Not one that was just accepted, or is in use: all would lose theirs in turn.
                    has_made_room = self._connections.make_room(self._server.now() - _UNUSED)
                    if has_made_room:
                        continue
                self._logger.warning(
                    "%s serves %d connections and cannot accept more; new ones wait: %s",
                    self._server,
                    len(self._connections),
                    error,
                )
                return False
            has_made_room = False
            self._let_in(accepted, address, serve)
        return True

    def _let_in(
        self,
        accepted: socket.socket,
        address: tuple[str, int],
        serve: Callable[[socket.socket, object], object],
    ) -> None:
        peer = self.address if isinstance(self.address, str) else peer_of(address)
        try:
            # The permissions of its directory decide who may use a Unix socket.
            if isinstance(peer, HostPort):
                if self._allowed is not None and not self._allowed.allows(peer):
                    self._logger.warning("%s is not allowed to connect", peer)
                    accepted.close()
                    return
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                notice_dead_peer(accepted)
            if not self._connections.has_room():
                self._logger.warning("%s is turned away: all connections are busy", peer)
                accepted.close()
                return
            accepted.setblocking(False)
            self._accepted.add(accepted)
            serve(accepted, peer)
        except Exception as error:  # noqa: BLE001 - from wrap_socket() of a subclass
            self._logger.warning("%s was lost before it was served: %r", peer, error)
            accepted.close()

    def close(self) -> None:
        """Close the sockets, and remove the file of a Unix socket; may be called again."""
        for each in self.sockets:
            each.close()
        self.sockets = []
        # Another server may have replaced the file meanwhile; leave that one alone.
        if self._file is not None and isinstance(self.address, str):
            if identify(self.address) == self._file:
                os.unlink(self.address)
            self._file = None

    def forget(self) -> None:
        """Close what the process before a fork serves; the file of its Unix socket stays."""
        self._file = None
        if self.is_serving:
            for each in (*self.sockets, *self._accepted):
                each.close()
            self.sockets = []
