"""`serve_tcp` and `serve_unix`: a task for each of thousands of connections."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable

from modwire import ServerProtocol, TcpFraming
from modwire.options import check_count
from modwire.server.options import STREAM_SERVER_TOLERANCE, merged_server_options
from modwire.server.peers import Allowed, HostPort, Network, idlest, peer_of

from .addresses import address_of, bind, bind_path, identify
from .connection import SocketConnection
from .readers import AVAILABLE, Readers
from .service import Service, log_error, logger

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

_ACCEPTS_PER_EVENT = 64  # so that a flood of connections does not keep the others waiting
_ACCEPT_PAUSE = 0.25  # seconds, when the system is out of file descriptors or memory


async def serve_tcp(
    units: Units,
    port: int,
    *,
    host: str = "127.0.0.1",
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
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for `units` on TCP until cancelled: `await nursery.start(serve_tcp, units, 502)`.

    The host "" is all IPv4 and IPv6 addresses of this machine, "0.0.0.0" and "::" those of one
    kind; a name is every address that it has. Port 0 lets the system choose one.
    `task_status.started` gets the `(host, port)` that it listens at. Raises OSError if it cannot.

    - `framing`: `TcpFraming`, or another one for serial frames in a TCP stream. There silence
      ends an RTU frame after half a second, whatever the `options` say.
    - `max_connections`: one more closes the one that was idle longest (MODBUS Messaging on
      TCP/IP V1.0b, section 4.2.1.2). Where all wait for their units it closes one that has hung
      up, whose call is cancelled if it is awaited; where none has, the new one is closed. So it
      is where the process may open no more files.
    - `idle_timeout`: seconds without a byte after which a connection is closed.
    - `allow`: networks such as "192.168.0.0/16" or "::1"; others are closed when they connect.
    - `authorize` and `on_call`: see `ServerOptions`. All four of these win over `options`. Where
      an `authorize` fails the request gets exception 04; a failure of `on_call` is only logged.
      Hooks are called in trio's thread and must not wait. They see a peer as `(host, port)`.
    - `backlog`: how many connections the system keeps until they are accepted; `reuse_port`
      lets several processes listen at one port, where the system can.
    - `workers`: how many calls to units that block are executed at once, each in a thread;
      others wait. Units whose `execute` is a coroutine function are awaited.
    - `grace`: when it is cancelled no new request is taken. Calls that are being executed may
      end, and their answers are sent, for at most so many seconds; then everything is closed.
    """
    server = _Server(
        Service(units, framing, workers=workers, grace=grace),
        options,
        max_connections=max_connections,
        idle_timeout=idle_timeout,
        allow=allow,
        authorize=authorize,
        on_call=on_call,
    )
    listeners = await bind(host, port, socket.SOCK_STREAM, reuse_port=reuse_port)
    try:
        server.listen(listeners, backlog)
        address = address_of(listeners[0])
        task_status.started(address)
        await server.serve(f"serve_tcp on {address}")
    finally:
        server.close_listeners()


async def serve_unix(
    units: Units,
    path: str,
    *,
    framing: type[Framing] = TcpFraming,
    max_connections: int = 1000,
    idle_timeout: float | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    backlog: int = 512,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for `units` on a Unix socket until cancelled; otherwise like `serve_tcp`.

    The file of a socket on which nobody listens any longer is replaced, and that of this one
    removed at the end. Who may use it is decided by the permissions of its directory.
    `task_status.started` gets the path, as which hooks see every peer.
    """
    server = _Server(
        Service(units, framing, workers=workers, grace=grace),
        options,
        max_connections=max_connections,
        idle_timeout=idle_timeout,
        allow=None,
        authorize=authorize,
        on_call=on_call,
        path=path,
    )
    try:
        server.listen([bind_path(path)], backlog)
        task_status.started(path)
        await server.serve(f"serve_unix on {path}")
    finally:
        server.close_listeners()


class _Server:
    """What listens, and the connections that came in; at `path` or, without it, on TCP."""

    def __init__(
        self,
        service: Service,
        options: ServerOptions | None,
        *,
        max_connections: int,
        idle_timeout: float | None,
        allow: Iterable[Network] | None,
        authorize: Authorize | None,
        on_call: OnCall | None,
        path: str | None = None,
    ) -> None:
        check_count("max_connections", max_connections)
        self._options = merged_server_options(
            options,
            is_connected=True,
            idle_timeout=idle_timeout,
            authorize=authorize,
            on_call=on_call,
            on_error=log_error,
            tolerance=STREAM_SERVER_TOLERANCE,
        )
        self._service = service
        self._max_connections = max_connections
        self._allowed = None if allow is None else Allowed(allow)
        self._path = path
        self._file: tuple[int, int] | None = None
        self._listeners: list[socket.socket] = []
        self._accepting = trio.CancelScope()
        self._connections: dict[SocketConnection, None] = {}
        self._readers: Readers | None = None

    async def serve(self, name: str) -> None:
        """Serve until the caller is cancelled."""
        self._service.name = name
        await self._service.run(self._begin, self._stop)

    def _begin(self) -> None:
        if AVAILABLE:
            self._readers = Readers.shared()
        for listener in self._listeners:
            self._service.start(partial(self._accept, listener))

    def _stop(self) -> None:
        self.close_listeners()
        for connection in list(self._connections):
            connection.close_when_done()

    # Listening.

    def listen(self, listeners: list[socket.socket], backlog: int) -> None:
        """Let the bound `listeners` listen, and take them over."""
        self._listeners = listeners
        if self._path is not None:
            self._file = identify(self._path)
        for listener in listeners:
            listener.listen(backlog)

    def close_listeners(self) -> None:
        """Close what listens and remove its file; may be called again."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            notify_closing(listener)
            listener.close()
        # Not the file of a server that has taken the path over meanwhile.
        if self._file is not None and self._path is not None:
            if identify(self._path) == self._file:
                os.unlink(self._path)
            self._file = None

    # Accepting.

    async def _accept(self, listener: socket.socket) -> None:
        while listener.fileno() >= 0:
            try:
                await wait_readable(listener)
            except trio.ClosedResourceError:
                return
            if not self._accept_some(listener):
                # The listener stays ready, so trying on would be a spin.
                with trio.move_on_after(_ACCEPT_PAUSE):
                    await self._service.stopping.wait()
                    return

    def _accept_some(self, listener: socket.socket) -> bool:
        """Accept who is there; False where the system has no means for more."""
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
                    has_made_room = self._make_room()
                    if has_made_room:
                        continue
                name = self._service.name
                logger.error("%s cannot accept for %s s: %s", name, _ACCEPT_PAUSE, error)
                return False
            has_made_room = False
            self._admit(accepted, address)
        return True

    def _admit(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        peer = self._path if self._path is not None else peer_of(address)
        if isinstance(peer, HostPort) and not self._allows(peer):
            logger.warning("%s is not allowed to connect", peer)
            accepted.close()
            return
        if len(self._connections) >= self._max_connections and not self._make_room():
            logger.warning("%s is turned away: all connections are busy", peer)
            accepted.close()
            return
        try:
            accepted.setblocking(False)
            if isinstance(peer, HostPort):
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            logger.warning("%s was lost before it was served: %r", peer, error)
            accepted.close()
            return
        protocol = ServerProtocol(self._service.framing, self._options, peer=peer)
        connection = SocketConnection(
            self._service, protocol, accepted, self._readers, self._connections.pop
        )
        self._connections[connection] = None
        self._service.start(connection.serve)

    def _allows(self, peer: HostPort) -> bool:
        return self._allowed is None or self._allowed.allows(peer)

    def _make_room(self) -> bool:
        """Close the connection that was idle longest; False where all wait for their units.

        Those who wait for a unit that is awaited, and have hung up, are taken then.
        """
        connection = idlest(self._connections)
        if connection is None:
            return any(each.closes_if_left() for each in list(self._connections))
        connection.close("it was idle longest, room is needed")
        return True
