"""`Listeners`: the listening sockets of a TCP server, and who is let in.

modwire-trio and modwire-gevent use it too.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from modwire.server.peers import HostPort, peer_of

from .sockets import address_of, bind, identify

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from modwire.server.connection import Connections
    from modwire.server.constructors import Address
    from modwire.server.peers import Allowed

    from .sockets import Found

_ACCEPTS_PER_EVENT = 64  # so that a flood of connections does not keep the others waiting
PAUSE = 0.25  # seconds until accepting is tried again, if the system has no files or memory


class Listeners:
    """Sockets that listen at `address`; `found` as for `bind`.

    `allowed` are the networks that peers may come from, None for all; `connections` knows whether
    there is room for one more. `name` is what the log calls the server. Raises OSError.
    """

    def __init__(
        self,
        address: Address,
        *,
        backlog: int,
        reuse_port: bool,
        allowed: Allowed | None,
        connections: Connections[Any],
        logger: Logger,
        found: Found | None = None,
    ) -> None:
        self.sockets = bind(address, socket.SOCK_STREAM, reuse_port=reuse_port, found=found)
        self.address = address_of(self.sockets[0])
        self.name = "server"
        self._allowed = allowed
        self._connections = connections
        self._logger = logger
        path = self.address
        self._file = identify(path) if isinstance(path, str) else None
        try:
            for each in self.sockets:
                each.listen(backlog)
        except BaseException:
            self.close()
            raise

    def accept(
        self, listener: socket.socket, serve: Callable[[socket.socket, object], object]
    ) -> bool:
        """Accept those who wait, and call `serve(socket, peer)` for each that is let in.

        The sockets do not block. False if the system has no means for more: the listener stays
        ready, so try again after `PAUSE`.
        """
        has_made_room = False
        for _ in range(_ACCEPTS_PER_EVENT):
            try:
                accepted, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return True
            except OSError as error:
                if listener.fileno() < 0:
                    return True  # it was closed after it had turned ready
                if error.errno == errno.EMFILE and not has_made_room:
                    has_made_room = self._connections.make_room()
                    if has_made_room:
                        continue
                self._logger.error("%s cannot accept for %s s: %s", self.name, PAUSE, error)
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
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if not self._connections.has_room():
                self._logger.warning("%s is turned away: all connections are busy", peer)
                accepted.close()
                return
            accepted.setblocking(False)
            serve(accepted, peer)
        except Exception as error:  # noqa: BLE001 - a subclass that wraps sockets, for example
            self._logger.warning("%s was lost before it was served: %r", peer, error)
            accepted.close()

    def close(self) -> None:
        """Close the sockets, and remove the file of a Unix socket; may be called again."""
        for each in self.sockets:
            each.close()
        self.sockets = []
        # Not the file of a server that has taken the path over meanwhile.
        if self._file is not None and isinstance(self.address, str):
            if identify(self.address) == self._file:
                os.unlink(self.address)
            self._file = None
