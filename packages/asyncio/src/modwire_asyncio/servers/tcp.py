"""`TcpServer`: thousands of connections, each with a transport."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.constructors import TcpServerBase
from modwire.server.peers import HostPort
from modwire.server.rounds import Rounds
from modwire.tls.servers import TlsServerBase
from modwire_sync import sockets
from modwire_sync.accepting import PAUSE, Listeners

from ..clients import look_up
from .base import Server
from .connection import Host, TcpConnection
from .watching import watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from modwire.server.peers import Address, Listening
    from modwire_sync.sockets import Found

_LOOKUP_TIMEOUT = 30.0  # seconds


class TcpServer(TcpServerBase, Server):
    """A server for `units` on TCP or a Unix socket, with a transport for each peer.

    It listens from its start on: `async with TcpServer(units, ("", 502)) as server:` serves, and
    `server.address` is where. See `serve_forever` and `shutdown` too. Hooks are called in the
    thread of the loop, and must not wait. A unit that blocks is executed in a worker thread; an
    `AsyncUnit`, such as `RemoteUnit`, is awaited.
    """

    def _bind(self, asked: Listening) -> None:
        super()._bind(asked)
        self._listeners = Listeners(self, self._connections, self._logger)
        self._rounds: Rounds[TcpConnection, None] = Rounds()
        self._watches: list[Callable[[], object]] = []
        self._closing: set[asyncio.Future[None]] = set()
        self._host = Host(
            self._logger, self._wire, self._workers, self._spawn, self._let_wait, self._forget
        )
        self._address = place_of(asked.address, socket.SOCK_STREAM)

    async def _open(self) -> None:
        found = await find_addresses(self._asked.address, socket.SOCK_STREAM)
        self._address = self._listeners.listen(self._asked, found)
        self._listeners.is_serving = True
        self._watch()

    # Accepting.

    def _watch(self) -> None:
        if not self._watches:
            listeners = self._listeners.sockets
            self._watches = [watch(each, partial(self._accept, each)) for each in listeners]

    def _unwatch(self) -> None:
        while self._watches:
            self._watches.pop()()

    def _accept(self, listener: socket.socket) -> None:
        if not self._listeners.accept(listener, self._admit):
            self._unwatch()
            asyncio.get_running_loop().call_later(PAUSE, self._watch)

    def _admit(self, accepted: socket.socket, peer: object) -> None:
        connection = TcpConnection(self._host, self._connect(peer, monotonic()), accepted)
        self._connections.add(connection)
        self._spawn(self._adopt(connection, accepted))

    async def _adopt(self, connection: TcpConnection, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._closing.add(connection.closed)
        connection.closed.add_done_callback(self._closing.discard)
        try:
            await loop.connect_accepted_socket(lambda: connection, accepted)
        except BaseException as error:
            accepted.close()
            connection.connection_lost(error if isinstance(error, OSError) else None)
            if not isinstance(error, OSError):
                raise

    # For the connections.

    def _let_wait(self, connection: TcpConnection) -> None:
        """Let a connection read again after the others, because its turn was large."""
        if not self._rounds.is_waiting:
            asyncio.get_running_loop().call_soon(self._next_round)
        self._rounds.enter(connection, None)

    def _next_round(self) -> None:
        for connection, _ in self._rounds.take():
            connection.take_turn()
        if self._rounds.is_waiting:
            asyncio.get_running_loop().call_soon(self._next_round)

    def _forget(self, connection: TcpConnection) -> None:
        """Forget a connection that was closed."""
        self._connections.forget(connection)
        self._rounds.leave(connection)

    # The end.

    def _close_listeners(self) -> None:
        self._unwatch()
        self._listeners.close()

    async def _settle(self, until: float) -> None:
        if self._closing:
            await asyncio.wait(self._closing, timeout=max(until - monotonic(), 0.0))


class TlsServer(TlsServerBase, TcpServer):
    """A server for `units` over TLS; otherwise like `TcpServer`."""

    def credentials_changed(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop_outdated)


def place_of(address: Address, kind: socket.SocketKind) -> Any:
    """Return the address of a server that is not started; raise ValueError if it is none."""
    if isinstance(address, str):
        return address
    return HostPort(*sockets.check_address(address, kind))


async def find_addresses(address: Address, kind: socket.SocketKind) -> Found | None:
    """Return the argument `found` of `sockets.bind`; the loop goes on while a name is looked up."""
    if isinstance(address, str) or not address[0]:
        return None
    return await look_up(*address, kind, _LOOKUP_TIMEOUT, socket.AI_PASSIVE)
