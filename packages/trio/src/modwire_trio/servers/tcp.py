"""`serve_tcp` and `serve_unix`: a task for each of thousands of connections."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable

from modwire import TcpFraming
from modwire.server.constructors import TcpServerBase
from modwire.server.peers import HostPort, Network, check_port
from modwire_sync import sockets
from modwire_sync.accepting import PAUSE, Listeners

from .connection import SocketConnection, SocketConnections
from .readers import AVAILABLE, Readers
from .service import Server, check_grace, logger

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.constructors import Address
    from modwire.server.options import Authorize, OnCall
    from modwire_sync.sockets import Found


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
    kind; a name is every address that it has. With port 0 the system chooses one.
    `task_status.started` gets the `(host, port)` that it listens at. Raises OSError if it cannot.
    `modwire.server.constructors.TcpServerBase` describes `framing`, `backlog` and `reuse_port`.

    - `max_connections`: one more closes the one that was idle longest (MODBUS Messaging on
      TCP/IP V1.0b, section 4.2.1.2). If all wait for their units it closes one that has hung
      up, and cancels its call if that is awaited; if none has, the new one is closed. The same
      happens if the process may open no more files.
    - `idle_timeout`: seconds without a byte that close a connection.
    - `allow`: networks such as "192.168.0.0/16" or "::1"; others are closed when they connect.
    - `authorize`, `on_call`: see `ServerOptions`. All four of these win over `options`. If
      `authorize` fails the request gets exception 04; a failure of `on_call` is logged. Hooks
      are called in trio's thread and must not wait. They see a peer as `(host, port)`.
    - `workers`: how many calls to units that block are executed at once, each in a thread.
    - `grace`: when it is cancelled no new request is taken. Calls that are being executed may
      end, and their answers are sent, for at most so many seconds; then everything is closed.
    """
    check_grace(grace)
    server = _TcpServer(
        units,
        (host, port),
        framing=framing,
        max_connections=max_connections,
        idle_timeout=idle_timeout,
        allow=allow,
        authorize=authorize,
        on_call=on_call,
        options=options,
        backlog=backlog,
        reuse_port=reuse_port,
        workers=workers,
    )
    try:
        address = await server.listen("serve_tcp")
        assert isinstance(address, HostPort)
        task_status.started(address)
        await server.serve(grace)
    finally:
        server.close()


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

    The file of a socket on which nobody listens any more is replaced, and that of this one
    removed at the end. The permissions of its directory decide who may use it.
    `task_status.started` gets the path, as which hooks see every peer.
    """
    check_grace(grace)
    server = _TcpServer(
        units,
        path,
        framing=framing,
        max_connections=max_connections,
        idle_timeout=idle_timeout,
        authorize=authorize,
        on_call=on_call,
        options=options,
        backlog=backlog,
        workers=workers,
    )
    try:
        await server.listen("serve_unix")
        task_status.started(path)
        await server.serve(grace)
    finally:
        server.close()


async def look_up(address: Address, kind: socket.SocketKind) -> Found | None:
    """Return the addresses of a host name, which may take its time; None for a path."""
    if isinstance(address, str):
        return None
    host, port = address
    if not isinstance(host, str):
        raise ValueError(f"host must be a name or an IP address, got {host!r}")
    check_port(port)
    return await trio.socket.getaddrinfo(
        *sockets.look_up(host, port), type=kind, flags=socket.AI_PASSIVE
    )


class _TcpServer(TcpServerBase, Server):
    """What listens, and the connections that came in."""

    _kind_of_connections = SocketConnections
    _readers: Readers | None = None

    async def listen(self, function: str) -> HostPort | str:
        """Listen for `function`, and return where: the host and the real port, or the path."""
        self._listeners = Listeners(self, self._connections, logger)
        found = await look_up(self._asked.address, socket.SOCK_STREAM)
        address = self._listeners.listen(self._asked, found)
        self.name = f"{function} on {address}"
        return address

    def close(self) -> None:
        """Close what listens; may be called again."""
        self._close_listeners()

    def _close_listeners(self) -> None:
        for each in self._listeners.sockets:
            notify_closing(each)
        self._listeners.close()

    def _begin(self) -> None:
        if AVAILABLE:
            self._readers = Readers.shared()
        for each in self._listeners.sockets:
            self.start(partial(self._accept, each))

    async def _accept(self, listener: socket.socket) -> None:
        while listener.fileno() >= 0:
            try:
                await wait_readable(listener)
            except trio.ClosedResourceError:
                return
            if not self._listeners.accept(listener, self._serve_one):
                with trio.move_on_after(PAUSE):
                    await self.stopping.wait()
                    return

    def _serve_one(self, accepted: socket.socket, peer: object) -> None:
        core = self._connect(peer, trio.current_time())
        connection = SocketConnection(self, core, accepted, self._readers, self._connections)
        self.start(connection.serve)
