"""`TcpServer`: a greenlet for each of thousands of connections."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING

import gevent
from gevent import get_hub, sleep

from modwire import ServerProtocol, TcpFraming
from modwire.options import check_count
from modwire.server.options import STREAM_SERVER_TOLERANCE, merged_server_options
from modwire.server.peers import Allowed, HostPort, Network, peer_of

from .addresses import Address, accept, address_of, bind, identify
from .base import Server, log_error
from .connection import Connection
from .connections import Connections
from .waiting import Waiting

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

    from .base import AnyGreenlet

_ACCEPTS_PER_EVENT = 64  # so that a flood of connections does not keep the others waiting
_ACCEPT_PAUSE = 0.25  # seconds, when the system is out of file descriptors or memory


class TcpServer(Server):
    """Answers for `units` on TCP or on a Unix socket, a greenlet for each peer.

    `address` is `(host, port)`, or the path of a Unix socket. The host "" is all IPv4 and IPv6
    addresses of this machine, "0.0.0.0" and "::" those of one kind; a name is every address that
    it has. Port 0 lets the system choose one: see `address`. The sockets listen as soon as the
    server is made, which raises OSError if it cannot be.

    - `framing`: `TcpFraming`, or another one for serial frames in a TCP stream. There silence
      ends an RTU frame after half a second, whatever the `options` say.
    - `max_connections`: one more closes the one that was idle longest (MODBUS Messaging on
      TCP/IP V1.0b, section 4.2.1.2); where all wait for their units, the new one is closed. So
      it is where the process may open no more files.
    - `idle_timeout`: seconds without a byte after which a connection is closed.
    - `allow`: networks such as "192.168.0.0/16" or "::1"; others are closed when they connect.
      Who may use a Unix socket is decided by the permissions of its directory.
    - `authorize` and `on_call`: see `ServerOptions`. All four of these win over `options`. Where
      an `authorize` fails the request gets exception 04; a failure of `on_call` is only logged.
      Hooks are called in greenlets of the server, one per connection, and may wait as such.
    - `backlog`: how many connections the system keeps until they are accepted; `reuse_port`
      lets several processes listen at one port, where the system can.
    - `workers`: how many calls to units that block are executed at once, each in a thread;
      others wait. Those whose attribute `cooperative` is true, such as `RemoteUnit`, are executed
      in the greenlet of their connection, for they wait as greenlets do.

    `with` starts serving and shuts down at the end; see `serve_forever`, `start` and
    `shutdown`. Hooks see a peer as `(host, port)`, or the path of the Unix socket.

    An overridden `wrap_socket` puts another layer around every accepted socket.
    """

    def __init__(
        self,
        units: Units,
        address: Address = ("127.0.0.1", 502),
        *,
        framing: type[Framing] = TcpFraming,
        max_connections: int = 1000,
        idle_timeout: float | None = None,
        allow: Iterable[Network] | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        backlog: int = 512,
        reuse_port: bool = False,
        workers: int = 8,
    ) -> None:
        check_count("max_connections", max_connections)
        merged = merged_server_options(
            options,
            is_connected=True,
            idle_timeout=idle_timeout,
            authorize=authorize,
            on_call=on_call,
            on_error=log_error,
            tolerance=STREAM_SERVER_TOLERANCE,
        )
        allowed = None if allow is None else Allowed(allow)
        super().__init__(units, framing, merged, workers=workers)
        self._allowed = allowed
        self._connections = Connections(
            units,
            self._workers,
            self._logger,
            self._wire,
            max_connections=max_connections,
            has_deadlines=merged.idle_timeout is not None or framing.needs_silence,
        )
        self._acceptors: list[AnyGreenlet] = []
        self._listeners: list[socket.socket] = []
        self._file: tuple[int, int] | None = None
        try:
            self._listeners = bind(address, socket.SOCK_STREAM, reuse_port=reuse_port)
            self._address = address_of(self._listeners[0])
            if isinstance(self._address, str):
                self._file = identify(self._address)
            for listener in self._listeners:
                listener.listen(backlog)
        except BaseException:
            self._close()
            raise

    @property
    def address(self) -> HostPort | str:
        """Where it listens: the host and the real port, or the path."""
        return self._address

    def wrap_socket(self, accepted: socket.socket) -> socket.socket:
        """The socket to use for an accepted one, which does not block; to be overridden.

        Called in the greenlet of the connection. May raise OSError, which closes the accepted
        socket.
        """
        return accepted

    # Accepting.

    def _open(self) -> None:
        self._acceptors = [self._spawn_lasting(self._accept, each) for each in self._listeners]

    def _accept(self, listener: socket.socket) -> None:
        """Take the connections of a listener until the greenlet is killed."""
        waiting = Waiting(get_hub(), listener.fileno())
        try:
            while True:
                waiting.wait_readable()
                if not self._accept_those_there(listener):
                    sleep(_ACCEPT_PAUSE)
        finally:
            waiting.unwatch()

    def _accept_those_there(self, listener: socket.socket) -> bool:
        has_made_room = False
        for _ in range(_ACCEPTS_PER_EVENT):
            try:
                accepted, address = accept(listener)
            except (BlockingIOError, ConnectionAbortedError):
                return True
            except OSError as error:
                if error.errno == errno.EMFILE and not has_made_room:
                    has_made_room = self._connections.make_room()
                    if has_made_room:
                        continue
                # Out of file descriptors or memory: the listener stays ready, so trying on would
                # be a spin.
                self._logger.error("%s cannot accept for %s s: %s", self, _ACCEPT_PAUSE, error)
                return False
            has_made_room = False
            self._admit(accepted, address)
        return True

    def _admit(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        peer = self._address if isinstance(self._address, str) else peer_of(address)
        # Who may use a Unix socket is decided by the permissions of its directory.
        if isinstance(peer, HostPort) and not self._allows(peer):
            self._logger.warning("%s is not allowed to connect", peer)
            accepted.close()
            return
        if not self._connections.has_room():
            self._logger.warning("%s is turned away: all connections are busy", peer)
            accepted.close()
            return
        try:
            if isinstance(peer, HostPort):
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            self._logger.warning("%s was lost before it was served: %r", peer, error)
            accepted.close()
            return
        protocol = ServerProtocol(self.framing, self.options, peer=peer)
        connection = Connection(
            self._connections, get_hub(), accepted, protocol, self.wrap_socket, monotonic()
        )
        self._connections.add(connection)
        self._spawn(connection.run)
        self._logger.debug("%s is open", connection)

    def _allows(self, peer: HostPort) -> bool:
        return self._allowed is None or self._allowed.allows(peer)

    # The end.

    def _stop_taking(self) -> None:
        gevent.killall(self._acceptors)
        self._close_listeners()
        self._connections.close_when_done()

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        # Not the file of a server that has taken the path over meanwhile.
        if self._file is not None and isinstance(self._address, str):
            if identify(self._address) == self._file:
                os.unlink(self._address)
            self._file = None

    def _close_links(self) -> None:
        self._close_listeners()
        self._connections.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self._address}"
