"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

from modwire.server.constructors import UdpServerBase
from modwire.server.datagrams import DatagramServer
from modwire.server.peers import HostPort

from ..sockets import address_of, bind
from .base import Server
from .loop import DEBUG

if TYPE_CHECKING:
    from modwire import Response
    from modwire.server.constructors import Address
    from modwire.server.datagrams import DatagramCall

_MAX_DATAGRAM = 65536
_DATAGRAMS_PER_EVENT = 64  # so that a flood at one socket does not keep shutdown waiting


class UdpServer(UdpServerBase, Server):
    """Answers for `units` on UDP, in one thread."""

    _sockets: list[socket.socket]

    def _bind(self, address: Address, *, reuse_port: bool) -> None:
        self._sockets = []
        self._buffer = bytearray(_MAX_DATAGRAM)
        self._server = DatagramServer(
            self.framing,
            self.options,
            self.units,
            max_calls=self._max_calls,
            allowed=self._allowed,
            on_drop=self._log_drop,
        )
        try:
            self._sockets = bind(address, socket.SOCK_DGRAM, reuse_port=reuse_port)
        except BaseException:
            self._close()
            raise
        bound = address_of(self._sockets[0])
        assert isinstance(bound, HostPort)
        self._address = bound

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
                # Windows tells here that an earlier answer reached nobody.
                self._logger.debug("%s: %s", self, error)
                return
            data = bytes(memoryview(self._buffer)[:size])
            if self._loop.tells_bytes:
                self._loop.wire.debug("%s sent %s", HostPort(*address[:2]), data.hex(" "))
            self._server.receive(data, address, now, link)
            self._go_on()

    def _go_on(self) -> None:
        """Send the answers there are, and have the calls executed."""
        server = self._server
        while server.calls:
            self._execute(server.calls.popleft())
        while server.answers:
            data, address, link = server.answers.popleft()
            assert isinstance(link, socket.socket)
            if self._loop.wire.isEnabledFor(DEBUG):
                self._loop.wire.debug("%s gets %s", HostPort(*address[:2]), data.hex(" "))
            try:
                link.sendto(data, address)
            except OSError as error:
                # A full buffer, or no way to the peer: a datagram may be lost anywhere.
                self._logger.debug("an answer to %s is lost: %s", address, error)

    def _execute(self, waiting: DatagramCall) -> None:
        def done(response: Response | None) -> None:
            self._server.finish(waiting, response)
            self._go_on()

        self._loop.workers.submit(waiting.protocol, waiting.call, self.units, done)

    def _log_drop(self, text: str, error: BaseException | None) -> None:
        if error is None:
            self._logger.warning("%s", text)
        else:
            self._logger.error("%s: %s", self, text, exc_info=error)

    # The end.

    def _stop_taking(self) -> None:
        for each in self._sockets:
            self._loop.unwatch(each.fileno())

    def _is_idle(self) -> bool:
        return self._server.is_idle

    def _close_links(self) -> None:
        for each in self._sockets:
            self._loop.unwatch(each.fileno())
            each.close()
        self._sockets = []
