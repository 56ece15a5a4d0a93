"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

from socket import SOCK_DGRAM
from time import monotonic
from typing import TYPE_CHECKING

from gevent import GreenletExit, get_hub
from gevent.lock import RLock

from modwire.server.constructors import UdpServerBase
from modwire.server.datagrams import DatagramServer
from modwire.server.peers import HostPort

from ..links import PlainSocket, plain_socket
from .greenlets import DEBUG, Server, find_addresses
from .waiting import Waiting

if TYPE_CHECKING:
    from socket import socket

    from modwire import Response
    from modwire.server.constructors import Address
    from modwire.server.datagrams import DatagramCall

_MAX_DATAGRAM = 65536
# So that a flood at one socket does not keep other greenlets waiting; 4096 bytes are 341 reads.
_DATAGRAMS_PER_EVENT = 64
_BYTES_PER_EVENT = 4096


class UdpServer(UdpServerBase, Server):
    """Answers for `units` on UDP, in a greenlet for each socket."""

    def _bind(self, address: Address, *, reuse_port: bool) -> None:
        from modwire_sync.sockets import address_of, bind  # slow to import, as for TCP

        self._takes = True
        self._waiting: list[Waiting] = []
        self._sockets: list[socket] = []
        self._core = DatagramServer(
            self.framing,
            self.options,
            self.units,
            max_calls=self._max_calls,
            allowed=self._allowed,
            on_drop=self._log_drop,
        )
        self._turn = RLock()  # for hooks may wait while a datagram is taken
        try:
            found = find_addresses(address, SOCK_DGRAM)
            bound = bind(address, SOCK_DGRAM, reuse_port=reuse_port, found=found)
        except BaseException:
            self._close()
            raise
        self._sockets = [plain_socket(each) for each in bound]
        where = address_of(self._sockets[0])
        assert isinstance(where, HostPort)
        self._address = where

    def _open(self) -> None:
        for each in self._sockets:
            waiting = Waiting(get_hub(), each.fileno())
            self._waiting.append(waiting)
            self._spawn_lasting(self._read, each, waiting)

    def _read(self, link: socket, waiting: Waiting) -> None:
        """Take the datagrams of a socket."""
        buffer = bytearray(_MAX_DATAGRAM)
        while self._takes:
            if waiting.wait_readable():
                self._read_those_there(link, buffer)

    def _read_those_there(self, link: socket, buffer: bytearray) -> None:
        received = 0
        for _ in range(_DATAGRAMS_PER_EVENT):
            if not self._takes or received >= _BYTES_PER_EVENT:
                return
            try:
                size, address = link.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                # Windows tells here that an earlier answer reached nobody.
                self._logger.debug("%s: %s", self, error)
                return
            received += size
            data = bytes(memoryview(buffer)[:size])
            if self._wire.isEnabledFor(DEBUG):
                self._wire.debug("%s sent %s", HostPort(*address[:2]), data.hex(" "))
            with self._turn:
                self._take(data, address, link)
            self._go_on()

    def _take(self, data: bytes, address: tuple[str, int], link: socket) -> None:
        while True:
            try:
                self._core.receive(data, address, monotonic(), link)
                return
            except (GreenletExit, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - such as a gevent.Timeout of a unit's
                self._log_drop("a request was dropped: an error that is no peer's", error)
                data = b""  # the other requests of the datagram

    def _go_on(self) -> None:
        """Have the calls executed, and send the answers there are."""
        core = self._core
        while core.calls:
            self._spawn(self._execute, core.calls.popleft())
        while core.answers:
            data, address, link = core.answers.popleft()
            assert isinstance(link, PlainSocket)
            if self._wire.isEnabledFor(DEBUG):
                self._wire.debug("%s gets %s", HostPort(*address[:2]), data.hex(" "))
            try:
                link.sendto(data, address)
            except OSError as error:
                # A full buffer, or no way to the peer: a datagram may be lost anywhere.
                self._logger.debug("an answer to %s is lost: %s", address, error)

    def _execute(self, waiting: DatagramCall) -> None:
        response: Response | None = None
        try:
            response = self._workers.execute(waiting.protocol, waiting.call, self.units)
        finally:
            self._core.finish(waiting, response)  # even if it was killed: its place is free
        self._go_on()

    def _log_drop(self, text: str, error: BaseException | None) -> None:
        if error is None:
            self._logger.warning("%s", text)
        else:
            self._logger.error("%s: %s", self, text, exc_info=error)

    def _stop_taking(self) -> None:
        self._takes = False
        for each in self._waiting:
            each.unwatch()

    def _close_links(self) -> None:
        self._stop_taking()
        for each in self._sockets:
            each.close()
        self._sockets = []
