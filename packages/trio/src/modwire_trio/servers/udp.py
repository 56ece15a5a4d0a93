"""`serve_udp`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable

from modwire import ServerProtocol, TcpFraming
from modwire.options import check_count
from modwire.server.call import busy_call
from modwire.server.options import merged_server_options
from modwire.server.peers import Allowed, HostPort, Network, peer_of

from .addresses import address_of, bind
from .service import DEBUG, Service, log_error, logger, wire

if TYPE_CHECKING:
    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

_MAX_DATAGRAM = 65536
_DATAGRAMS_PER_EVENT = 64  # so that a flood at one socket does not keep others waiting


async def serve_udp(
    units: Units,
    port: int,
    *,
    host: str = "127.0.0.1",
    framing: type[Framing] = TcpFraming,
    max_calls: int = 64,
    allow: Iterable[Network] | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    reuse_port: bool = False,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for `units` on UDP until cancelled.

    The arguments are those of `serve_tcp`, as far as they have a meaning here. What is no whole
    frame in a datagram is dropped; several requests in one get an answer each.

    `max_calls` is how many calls to units that block may be open at once; more get exception 06,
    server device busy (MODBUS Messaging on TCP/IP V1.0b, section 4.4.1.2). Those that wait in the
    queue of a `Gateway` do not count. Answers come in any order.
    """
    check_count("max_calls", max_calls)
    merged = merged_server_options(
        options, authorize=authorize, on_call=on_call, on_error=log_error
    )
    allowed = None if allow is None else Allowed(allow)
    service = Service(units, framing, workers=workers, grace=grace)
    sockets = await bind(host, port, socket.SOCK_DGRAM, reuse_port=reuse_port)
    try:
        server = _Server(service, merged, sockets, max_calls=max_calls, allowed=allowed)
        address = address_of(sockets[0])
        service.name = f"serve_udp on {address}"
        task_status.started(address)
        await service.run(server.begin, server.stop)
    finally:
        for each in sockets:
            notify_closing(each)
            each.close()


class _Server:
    """The sockets, and the calls to units that block which came from them."""

    def __init__(
        self,
        service: Service,
        options: ServerOptions,
        sockets: list[socket.socket],
        *,
        max_calls: int,
        allowed: Allowed | None,
    ) -> None:
        self._service = service
        self._options = options
        self._sockets = sockets
        self._max_calls = max_calls
        self._allowed = allowed
        self._open_calls = 0
        self._protocol = ServerProtocol(service.framing, options)
        self._buffer = bytearray(_MAX_DATAGRAM)

    def begin(self) -> None:
        for each in self._sockets:
            self._service.start(partial(self._receive, each))

    def stop(self) -> None:
        for each in self._sockets:
            notify_closing(each)  # which ends the waiting; answers are still sent

    async def _receive(self, link: socket.socket) -> None:
        while not self._service.stopping.is_set():
            try:
                await wait_readable(link)
            except trio.ClosedResourceError:
                return
            for _ in range(_DATAGRAMS_PER_EVENT):
                if self._service.stopping.is_set() or not self._receive_one(link):
                    break

    def _receive_one(self, link: socket.socket) -> bool:
        """Take one datagram; False where there is none."""
        try:
            size, address = link.recvfrom_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError as error:
            # Windows tells here that an earlier answer found nobody.
            logger.debug("%s: %s", self._service.name, error)
            return False
        peer = peer_of(address)
        if self._allowed is not None and not self._allowed.allows(peer):
            logger.warning("%s is not allowed to ask", peer)
            return True
        try:
            self._take(link, address, peer, bytes(memoryview(self._buffer)[:size]))
        except Exception as error:  # noqa: BLE001 - somebody's own Units cannot stop the server
            name = self._service.name
            logger.error("%s dropped a datagram: an error that is no peer's", name, exc_info=error)
        return True

    def _take(
        self, link: socket.socket, address: tuple[str, int], peer: HostPort, data: bytes
    ) -> None:
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s sent %s", peer, data.hex(" "))
        protocol, units = self._protocol, self._service.units
        protocol.peer = peer
        protocol.receive_datagram(data, trio.current_time())
        while (call := protocol.next_call()) is not None:
            blocks = protocol.blocks(call, units)
            is_queued = blocks and protocol.is_queued(call, units)
            if is_queued or (blocks and self._open_calls < self._max_calls):
                # The answer may come when the shared protocol serves another peer.
                own = ServerProtocol(self._service.framing, self._options, peer=peer, asker=peer)
                self._open_calls += not is_queued
                self._service.start(partial(self._execute, own, call, link, address, is_queued))
                continue
            if blocks:
                call = busy_call(call)
            self._answer(protocol, link, address, call)
        protocol.answer_all(units)  # nothing is left but damaged frames to be counted

    def _answer(
        self, protocol: ServerProtocol, link: socket.socket, address: tuple[str, int], call: Call
    ) -> None:
        try:
            response = protocol.execute(call, self._service.units)
        except Exception as error:  # noqa: BLE001 - somebody's own Units cannot stop the server
            _log_dropped(self._service.name, call, error)
            return
        self._send(protocol, link, address, call, response)

    async def _execute(
        self,
        protocol: ServerProtocol,
        call: Call,
        link: socket.socket,
        address: tuple[str, int],
        is_queued: bool,
    ) -> None:
        service = self._service
        try:
            response = await service.execute(protocol, call)
            self._send(protocol, link, address, call, response)
        except Exception as error:  # noqa: BLE001 - as above
            _log_dropped(service.name, call, error)
        finally:
            self._open_calls -= not is_queued

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
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s gets %s", protocol.peer, data.hex(" "))
        try:
            link.sendto(data, address)
        except OSError as error:
            # A full buffer, or no way to the peer: a datagram may be lost anywhere.
            logger.debug("an answer to %s is lost: %s", protocol.peer, error)


def _log_dropped(name: str, call: Call, error: Exception) -> None:
    logger.error("%s dropped %r: an error that is no peer's", name, call.request, exc_info=error)
