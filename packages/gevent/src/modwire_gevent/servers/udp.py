"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING

from gevent import GreenletExit, get_hub, sleep

from modwire import ServerProtocol, TcpFraming
from modwire.options import check_count
from modwire.server.call import busy_call
from modwire.server.options import merged_server_options
from modwire.server.peers import Allowed, HostPort, Network, peer_of

from .addresses import address_of, bind
from .base import DEBUG, Server, log_error
from .waiting import Waiting

if TYPE_CHECKING:
    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

_MAX_DATAGRAM = 65536
# So that a flood at one socket does not keep other greenlets waiting.
_DATAGRAMS_PER_EVENT = 64
_CALLS_IN_A_ROW = 256


class UdpServer(Server):
    """Answers for `units` on UDP, in one greenlet.

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
        self._takes = True
        self._waiting: list[Waiting] = []
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
        hub = get_hub()
        for each in self._sockets:
            waiting = Waiting(hub, each.fileno())
            self._waiting.append(waiting)
            self._spawn_lasting(self._read, each, waiting)

    def _read(self, link: socket.socket, waiting: Waiting) -> None:
        """Take the datagrams of a socket."""
        # Not shared with the other sockets, for hooks may wait.
        protocol = ServerProtocol(self.framing, self.options)
        buffer = bytearray(_MAX_DATAGRAM)
        while self._takes:
            if waiting.wait_readable():
                self._read_those_there(link, protocol, buffer)

    def _read_those_there(
        self, link: socket.socket, protocol: ServerProtocol, buffer: bytearray
    ) -> None:
        calls = 0
        for _ in range(_DATAGRAMS_PER_EVENT):
            if not self._takes or calls >= _CALLS_IN_A_ROW:
                return
            try:
                size, address = link.recvfrom_into(buffer)
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
            protocol.peer = peer
            calls += self._take(link, address, protocol, bytes(memoryview(buffer)[:size]))

    def _take(
        self, link: socket.socket, address: tuple[str, int], protocol: ServerProtocol, data: bytes
    ) -> int:
        """Answer the requests of a datagram; how many there were."""
        if self._wire.isEnabledFor(DEBUG):
            self._wire.debug("%s sent %s", protocol.peer, data.hex(" "))
        protocol.receive_datagram(data, monotonic())
        calls = 0
        while (call := protocol.next_call()) is not None:
            calls += 1
            if calls % _CALLS_IN_A_ROW == 0:
                sleep(0)
            try:
                blocks = protocol.blocks(call, self.units)
                is_queued = blocks and protocol.is_queued(call, self.units)
            except Exception:
                # Somebody's own Units.
                self._logger.exception("%s dropped %r", self, call.request)
                continue
            if is_queued or (blocks and self._open_calls < self._max_calls):
                # The answer may come when the shared protocol serves another peer.
                peer = protocol.peer
                own = ServerProtocol(self.framing, self.options, peer=peer, asker=peer)
                self._open_calls += not is_queued
                self._spawn(self._answer_later, link, address, own, call, is_queued)
                continue
            if blocks:
                call = busy_call(call)
            self._answer(link, address, protocol, call)
        protocol.answer_all(self.units)  # nothing is left but damaged frames to be counted
        return calls

    def _answer(
        self, link: socket.socket, address: tuple[str, int], protocol: ServerProtocol, call: Call
    ) -> None:
        try:
            response = protocol.execute(call, self.units)
        except (GreenletExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # such as a gevent.Timeout
            self._logger.exception("%s dropped %r: an error that is no peer's", self, call.request)
            return
        self._send(link, address, protocol, call, response)

    def _answer_later(
        self,
        link: socket.socket,
        address: tuple[str, int],
        protocol: ServerProtocol,
        call: Call,
        is_queued: bool,
    ) -> None:
        try:
            response = self._workers.execute(protocol, call, self.units)
        finally:
            self._open_calls -= not is_queued
        self._send(link, address, protocol, call, response)

    def _send(
        self,
        link: socket.socket,
        address: tuple[str, int],
        protocol: ServerProtocol,
        call: Call,
        response: Response | None,
    ) -> None:
        data = protocol.answer(call, response)
        if not data:
            return
        if self._wire.isEnabledFor(DEBUG):
            self._wire.debug("%s gets %s", protocol.peer, data.hex(" "))
        try:
            link.sendto(data, address)
        except OSError as error:
            # A full buffer, or no way to the peer: a datagram may be lost anywhere.
            self._logger.debug("an answer to %s is lost: %s", protocol.peer, error)

    def _stop_taking(self) -> None:
        self._takes = False
        for each in self._waiting:
            each.unwatch()

    def _close_links(self) -> None:
        self._stop_taking()
        for each in self._sockets:
            each.close()
        self._sockets = []

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self._address}"
