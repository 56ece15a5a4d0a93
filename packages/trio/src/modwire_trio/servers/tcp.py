"""`serve_tcp`, `serve_tls` and `serve_unix`: thousands of connections, each with a task.

`serve_sockets` serves on sockets that listen already, as a service manager passes them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import notify_closing, wait_readable

from modwire import TcpFraming
from modwire.arguments import explained
from modwire.server.constructors import TcpServerBase
from modwire.server.life import check_grace
from modwire.server.peers import AllowedNetworks, HostPort, Network, check_port
from modwire.tls.clients import PORT
from modwire.tls.servers import HANDSHAKE_TIMEOUT, TlsServerBase
from modwire_sync import sockets
from modwire_sync.accepting import PAUSE, Listeners

from .connection import SocketConnection, SocketConnections
from .readers import AVAILABLE, Readers
from .service import Server

if TYPE_CHECKING:
    import ssl

    from modwire import Framing, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall
    from modwire.server.peers import Address, Listening
    from modwire.tls import Credentials
    from modwire.tls.contexts import File
    from modwire_sync.sockets import Found


@explained
async def serve_tcp(
    units: Units,
    port: int,
    *,
    host: str = "127.0.0.1",
    framing: type[Framing] = TcpFraming,
    max_connections: int = 1000,
    idle_timeout: float | None = None,
    allow: AllowedNetworks | Iterable[Network] | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    backlog: int = 512,
    reuse_port: bool = False,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` on TCP until cancelled: `await nursery.start(serve_tcp, units, 502)`.

    The host "" means all IPv4 and IPv6 addresses of this machine, "0.0.0.0" all IPv4 and "::" all
    IPv6 ones; a name means all its addresses. With port 0 the system chooses a port.
    `task_status.started` gets the `(host, port)` in use. Raises OSError if it cannot listen there.
    `modwire.server.constructors.TcpServerBase` describes `framing`, `backlog` and `reuse_port`.

    - `max_connections`: one more closes that which was idle longest (Messaging on TCP/IP, 4.2.1.2),
      and one that has not asked anything yet if these are more than half. If all wait for their
      units, one whose peer has hung up is closed, and its call cancelled if it is awaited; or else
      the new one. The same happens if the process cannot open more files.
    - `idle_timeout`: a connection is closed after so many seconds without a whole request.
    - `allow`: networks such as "10.0.0.0/8" or "::1", or `AllowedNetworks`, which may be changed.
    - `authorize`, `on_call`: see `ServerOptions`. The last four arguments override `options`. If
      `authorize` fails, the request gets exception 04; a failure of `on_call` is logged. Hooks
      are called in trio's thread and must not wait. They get the peer as `(host, port)`.
    - `workers`: the number of calls to units that block which may run at once, each in a thread.
    - `grace`: after it is cancelled, the server accepts no more requests. Running calls have so
      many seconds to end and to be answered; then everything is closed.
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
    await server.serve_at("serve_tcp", grace, task_status)


@explained
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
    """Serve `units` on a Unix socket until cancelled; otherwise like `serve_tcp`.

    A socket file on which no server listens any more is replaced; the file of this server is
    removed at the end. The permissions of its directory decide who may connect.
    `task_status.started` gets the path; hooks get it as the peer.
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
    await server.serve_at("serve_unix", grace, task_status)


@explained
async def serve_tls(
    units: Units,
    port: int = PORT,
    *,
    credentials: Credentials | None = None,
    context: ssl.SSLContext | None = None,
    certificate: File | None = None,
    key: File | None = None,
    client_ca: File | None = None,
    crl: File | None = None,
    password: str | None = None,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
    host: str = "127.0.0.1",
    framing: type[Framing] = TcpFraming,
    max_connections: int = 1000,
    idle_timeout: float | None = None,
    allow: AllowedNetworks | Iterable[Network] | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    backlog: int = 512,
    reuse_port: bool = False,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` over TLS (MODBUS/TCP Security) until cancelled; otherwise like `serve_tcp`.

    Give it `credentials`; or `certificate`, `key`, `client_ca`, `crl` and `password`; or a
    `context`: `modwire.tls.servers.TlsServerBase` describes them and `handshake_timeout`. To
    exchange certificates while it serves, call `credentials.reload()`.
    """
    check_grace(grace)
    server = _TlsServer(
        units,
        (host, port),
        credentials=credentials,
        context=context,
        certificate=certificate,
        key=key,
        client_ca=client_ca,
        crl=crl,
        password=password,
        handshake_timeout=handshake_timeout,
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
    await server.serve_at("serve_tls", grace, task_status)


async def serve_sockets(
    units: Units,
    passed: Sequence[socket.socket],
    *,
    credentials: Credentials | None = None,
    framing: type[Framing] = TcpFraming,
    max_connections: int = 1000,
    idle_timeout: float | None = None,
    allow: AllowedNetworks | Iterable[Network] | None = None,
    options: ServerOptions | None = None,
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort | str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` on copies of sockets that listen already, until cancelled; they stay open.

    They are of TCP, or of Unix; with `credentials` it serves over TLS. The other arguments are
    those of `serve_tcp`. `task_status.started` gets the `(host, port)` of the first, or its path.
    """
    check_grace(grace)
    common: dict[str, Any] = {
        "framing": framing,
        "max_connections": max_connections,
        "idle_timeout": idle_timeout,
        "allow": allow,
        "options": options,
    }
    address = sockets.address_of(passed[0])
    if credentials is None:
        server = _TcpServer(units, address, **common)
    else:
        server = _TlsServer(units, address, credentials=credentials, **common)
    server.passed = passed
    await server.serve_at("serve_sockets", grace, task_status)


async def look_up(address: Address, kind: socket.SocketKind) -> Found | None:
    """Return the addresses of a host name, after a lookup that may take long; None for a path."""
    if isinstance(address, str):
        return None
    host, port = address
    if not isinstance(host, str):
        raise ValueError(f"host must be a name or an IP address, got {host!r}")
    check_port(port)
    return await trio.socket.getaddrinfo(
        *sockets.look_up(host, port), type=kind, flags=socket.AI_PASSIVE
    )


class _Passed(Listeners):
    """Copies of sockets that listen already, in place of new ones; the file of a path stays."""

    def listen(self, asked: Listening, found: Found | None = None) -> HostPort | str:
        self._allowed = asked.allowed
        assert isinstance(self._server, _TcpServer)
        self.sockets = [each.dup() for each in self._server.passed]
        for each in self.sockets:
            each.setblocking(False)
        self.address = sockets.address_of(self.sockets[0])
        return self.address


class _TcpServer(TcpServerBase, Server):
    """The listening sockets and the accepted connections."""

    _kind_of_connections = SocketConnections
    _readers: Readers | None = None
    passed: Sequence[socket.socket] = ()  # these listen already
    _listeners: Listeners

    async def serve_at(self, function: str, grace: float, task_status: Any) -> None:
        """Serve for `function` until cancelled; tell the host and the port in use, or the path."""
        kind = _Passed if self.passed else Listeners
        self._listeners = kind(self, self._connections, self._logger)
        try:
            found = await look_up(self._asked.address, socket.SOCK_STREAM)
            address = self._listeners.listen(self._asked, found)
            self._listeners.is_serving = True
            self.name = f"{function} on {address}"
            task_status.started(address)
            await self.serve(grace)
        finally:
            self._close_listeners()

    def _close_listeners(self) -> None:
        for each in self._listeners.sockets:
            notify_closing(each)
        self._listeners.close()

    def _start_tasks(self) -> None:
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


class _TlsServer(TlsServerBase, _TcpServer):
    """A server over TLS."""

    _token: trio.lowlevel.TrioToken | None = None

    def _begin(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        super()._begin()

    def credentials_changed(self) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._stop_outdated, idempotent=True)
