"""`serve_sockets`: serves units on sockets that listen already, as systemd passes them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from logging import getLogger
from typing import TYPE_CHECKING

import trio

from modwire.server.peers import AllowedNetworks, peer_of
from modwire_sync.sockets import address_of, notice_dead_peer
from modwire_trio import serve_stream

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.options import OnConnection, Served

_LOG = getLogger("modwire.server")


async def serve_sockets(
    units: Units,
    sockets: Sequence[socket.socket],
    *,
    framing: type[Framing],
    options: ServerOptions,
    max_connections: int,
    idle_timeout: float | None = None,
    allow: AllowedNetworks | Sequence[str] | None = None,
    grace: float,
    task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on copies of `sockets` until cancelled; they stay open.

    The arguments are those of `serve_tcp`. `task_status.started` gets `(host, port)` of the first
    socket, or its path.
    """
    allowed = AllowedNetworks.of(allow)
    peers = _Peers(max_connections, allowed)

    async def serve(stream: trio.SocketStream) -> None:
        peer = peers.let_in(stream)
        if peer is None:
            await trio.aclose_forcefully(stream)
            return
        try:
            with peer.scope:
                await serve_stream(
                    units,
                    stream,
                    framing=framing,
                    options=options.replace(on_connect=partial(peer.opened, options.on_connect)),
                    idle_timeout=idle_timeout,
                    allow=allowed,
                    peer=peer.name,
                    grace=grace,
                )
        finally:
            peers.leave(peer)

    copies = [trio.socket.from_stdlib_socket(each.dup()) for each in sockets]
    listeners = [trio.SocketListener(each) for each in copies]
    task_status.started(address_of(sockets[0]))
    await trio.serve_listeners(serve, listeners)


class _Peer:
    """A connection; `scope` ends it, and `served` is there once it is open."""

    def __init__(self, name: object) -> None:
        self.name = name
        self.scope = trio.CancelScope()
        self.served: Served | None = None

    def opened(self, hook: OnConnection | None, served: Served) -> None:
        """Note the connection, and call the hook of the options."""
        self.served = served
        if hook is not None:
            hook(served)


class _Peers:
    """The connections, at most `most`: one more closes the one that was idle longest."""

    def __init__(self, most: int, allowed: AllowedNetworks) -> None:
        self._most = most
        self._allowed = allowed
        self._all: list[_Peer] = []

    def let_in(self, stream: trio.SocketStream) -> _Peer | None:
        """Return the peer of an accepted connection, None if it is not allowed, or gone."""
        link = stream.socket
        try:
            if link.family in (socket.AF_INET, socket.AF_INET6):
                host = peer_of(link.getpeername())
                if not self._allowed.allows(host):
                    _LOG.warning("%s is not allowed to connect", host)
                    return None
                notice_dead_peer(link)
                peer = _Peer(host)
            else:
                peer = _Peer(str(link.getsockname()))
        except OSError:
            return None
        if len(self._all) >= self._most:
            idlest = min(self._all, key=lambda each: each.served.heard if each.served else 0.0)
            idlest.scope.cancel()
            self.leave(idlest)
        self._all.append(peer)
        return peer

    def leave(self, peer: _Peer) -> None:
        """Forget a connection."""
        if peer in self._all:
            self._all.remove(peer)
