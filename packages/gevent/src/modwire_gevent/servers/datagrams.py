"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

from socket import SOCK_DGRAM
from time import monotonic
from typing import TYPE_CHECKING

from gevent import GreenletExit, get_hub
from gevent.lock import RLock

from modwire.server.constructors import UdpServerBase

from ..links import plain_socket
from .base import Server, find_addresses
from .waiting import Waiting

if TYPE_CHECKING:
    from socket import socket

    from modwire import Response
    from modwire.server.datagrams import DatagramCall
    from modwire.server.peers import Listening


class UdpServer(UdpServerBase, Server):
    """A UDP server for `units`, with a greenlet for each socket."""

    _takes = True

    def _bind(self, asked: Listening) -> None:
        from modwire_sync.datagrams import DatagramSockets  # slow to import, as for TCP

        self._waiting: list[Waiting] = []
        self._turn = RLock()  # because hooks may wait while a datagram is processed
        links = self._links = DatagramSockets(self, self._core, self._logger, self._wire)
        self._address = links.bind(asked, find_addresses(asked.address, SOCK_DGRAM))
        links.sockets = [plain_socket(each) for each in links.sockets]

    def _open(self) -> None:
        self._links.is_serving = True
        for each in self._links.sockets:
            waiting = Waiting(get_hub(), each.fileno())
            self._waiting.append(waiting)
            self._spawn_lasting(self._read, each, waiting)

    def _read(self, link: socket, waiting: Waiting) -> None:
        """Receive and process the datagrams of a socket."""
        links = self._links
        while self._takes:
            if not waiting.wait_readable():
                continue
            for received in links.waiting(link):
                with self._turn:
                    self._take(*received, link)
                links.go_on(self._spawn_call)
                if not self._takes:
                    return

    def _take(self, data: bytes, address: tuple[str, int], link: socket) -> None:
        while True:
            try:
                self._core.receive(data, address, monotonic(), link)
                return
            except (GreenletExit, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - such as a gevent.Timeout of a unit
                self._log_drop("a request was dropped: an error that is no peer's", error)
                data = b""  # go on with the other requests of the datagram

    def _spawn_call(self, waiting: DatagramCall) -> None:
        self._spawn(self._execute, waiting)

    def _execute(self, waiting: DatagramCall) -> None:
        response: Response | None = None
        try:
            response = self._workers.execute(waiting.protocol, waiting.call, self.units)
        finally:
            self._core.finish(waiting, response)  # even if it was killed, its place becomes free
        self._links.go_on(self._spawn_call)

    def _stop_taking(self) -> None:
        self._takes = False
        for each in self._waiting:
            each.unwatch()

    def _close_links(self) -> None:
        self._stop_taking()
        self._links.close()
