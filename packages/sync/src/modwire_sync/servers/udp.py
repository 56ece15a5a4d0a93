"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from modwire import ServerProtocol, TcpFraming
from modwire.options import check_count
from modwire.server.call import busy_call
from modwire.server.options import merged_server_options
from modwire.server.peers import Allowed, HostPort, Network, peer_of

from .addresses import address_of, bind
from .base import Server, log_error
from .loop import DEBUG

if TYPE_CHECKING:
    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

_MAX_DATAGRAM = 65536
_DATAGRAMS_PER_EVENT = 64  # so that a flood at one socket does not keep shutdown waiting


class UdpServer(Server):
    """Answers for `units` on UDP, in one thread.

    `address` is `(host, port)` as for `TcpServer`, and so are `framing`, `allow`, `authorize`,
    `on_call`, `options`, `reuse_port` and `workers`. What is no whole frame in a datagram is
    dropped; several requests in one get an answer each.

    `max_calls` is how many calls to units that block may be open at once; more get exception 06,
    server device busy (MODBUS Messaging on TCP/IP V1.0b, section 4.4.1.2). Those that wait in the
    queue of a `Gateway` do not count. Answers come in any order.
    """

    def __init__(
        self,
        units: Units,
        address: tuple[str, int] = ("127.0.0.1", 502),
        *,
        framing: type[Framing] = TcpFraming,
        max_calls: int = 64,
        allow: Iterable[Network] | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        reuse_port: bool = False,
        workers: int = 8,
    ) -> None:
        check_count("max_calls", max_calls)
        if isinstance(address, str):
            raise ValueError(f"address must be (host, port) for UDP, got {address!r}")
        merged = merged_server_options(
            options, authorize=authorize, on_call=on_call, on_error=log_error
        )
        allowed = None if allow is None else Allowed(allow)
        super().__init__(units, framing, merged, workers=workers)
        self._allowed = allowed
        self._max_calls = max_calls
        self._open_calls = 0
        self._protocol = ServerProtocol(framing, merged)
        self._buffer = bytearray(_MAX_DATAGRAM)
        self._sockets: list[socket.socket] = []
        try:
            self._sockets = bind(address, socket.SOCK_DGRAM, reuse_port=reuse_port)
        except BaseException:
            self._close()
            raise
        bound = address_of(self._sockets[0])
        assert isinstance(bound, HostPort)
        self._address = bound

    @property
    def address(self) -> HostPort:
        """Where it listens: the host and the real port."""
        return self._address

    def _open(self) -> None:
        for each in self._sockets:
            self._loop.watch(each.fileno(), partial(self._on_readable, each))

    def _on_readable(self, link: socket.socket, mask: int, now: float) -> None:
        for _ in range(_DATAGRAMS_PER_EVENT):
            try:
                size, address = link.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:
                # Windows tells here that an earlier answer found nobody.
                self._logger.debug("%s: %s", self, error)
                return
            peer = peer_of(address)
            if self._allowed is not None and not self._allowed.allows(peer):
                self._logger.warning("%s is not allowed to ask", peer)
                continue
            try:
                self._take(link, address, peer, bytes(memoryview(self._buffer)[:size]), now)
            except Exception:
                # Somebody's own Units.
                self._logger.exception("%s dropped a datagram: an error that is no peer's", self)

    def _take(
        self, link: socket.socket, address: tuple[str, int], peer: HostPort, data: bytes, now: float
    ) -> None:
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s sent %s", peer, data.hex(" "))
        protocol = self._protocol
        protocol.peer = peer
        protocol.receive_datagram(data, now)
        while (call := protocol.next_call()) is not None:
            blocks = protocol.blocks(call, self.units)
            is_queued = blocks and protocol.is_queued(call, self.units)
            if is_queued or (blocks and self._open_calls < self._max_calls):
                # The answer may come when the shared protocol serves another peer.
                own = ServerProtocol(self.framing, self.options, peer=peer, asker=peer)
                self._open_calls += not is_queued
                done = partial(self._on_response, own, link, address, is_queued)
                self._loop.submit(own, call, self.units, done)
                continue
            if blocks:
                call = busy_call(call)
            self._answer(protocol, link, address, call)
        protocol.answer_all(self.units)  # nothing is left but damaged frames to be counted

    def _answer(
        self, protocol: ServerProtocol, link: socket.socket, address: tuple[str, int], call: Call
    ) -> None:
        try:
            response = protocol.execute(call, self.units)
        except Exception:
            self._logger.exception("%s dropped %r: an error that is no peer's", self, call.request)
            return
        self._send(protocol, link, address, call, response)

    def _on_response(
        self,
        protocol: ServerProtocol,
        link: socket.socket,
        address: tuple[str, int],
        is_queued: bool,
        call: Call,
        response: Response | None,
    ) -> None:
        self._open_calls -= not is_queued
        self._send(protocol, link, address, call, response)

    def _send(
        self,
        protocol: ServerProtocol,
        link: socket.socket,
        address: tuple[str, int],
        call: Call,
        response: Response | None,
    ) -> None:
        data = protocol.answer(call, response)
        if not data:
            return
        if self._loop.wire.isEnabledFor(DEBUG):
            self._loop.wire.debug("%s gets %s", protocol.peer, data.hex(" "))
        try:
            link.sendto(data, address)
        except OSError as error:
            # A full buffer, or no way to the peer: a datagram may be lost anywhere.
            self._logger.debug("an answer to %s is lost: %s", protocol.peer, error)

    def _stop_taking(self) -> None:
        for each in self._sockets:
            self._loop.unwatch(each.fileno())

    def _is_idle(self) -> bool:
        return not self._loop.workers.outstanding

    def _close_links(self) -> None:
        for each in self._sockets:
            self._loop.unwatch(each.fileno())
            each.close()
        self._sockets = []

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self._address}"
