"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.constructors import UdpServerBase
from modwire_sync.datagrams import DatagramSockets

from .base import Server
from .tcp import find_addresses, place_of
from .watching import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire.server.datagrams import DatagramCall
    from modwire.server.peers import Listening


class UdpServer(UdpServerBase, Server):
    """A server for `units` on UDP, from its start on; see `TcpServer`.

    Calls to units that wait are executed in tasks, and answered in any order.
    """

    def _bind(self, asked: Listening) -> None:
        super()._bind(asked)
        self._links = DatagramSockets(self, self._core, self._logger, self._wire)
        self._watches: list[Callable[[], object]] = []
        self._address = place_of(asked.address, socket.SOCK_DGRAM)

    async def _open(self) -> None:
        found = await find_addresses(self._asked.address, socket.SOCK_DGRAM)
        self._address = self._links.bind(self._asked, found)
        self._links.is_serving = True
        self._watches = [watch(each, partial(self._receive, each)) for each in self._links.sockets]

    def _receive(self, link: socket.socket) -> None:
        for received in self._links.waiting(link):
            self._core.receive(*received, monotonic(), link)
            self._links.go_on(self._start_call)
            if not self._watches:
                return

    def _start_call(self, waiting: DatagramCall) -> None:
        self._spawn(self._execute(waiting))

    async def _execute(self, waiting: DatagramCall) -> None:
        protocol, call = waiting.protocol, waiting.call
        response = None
        try:
            response = await self._workers.execute(protocol, call, self.units)
        except Exception as error:  # noqa: BLE001 - a bug in a unit must not end the server
            self._log_drop(f"{call.request!r} was dropped: an error that is no peer's", error)
        self._core.finish(waiting, response)
        self._links.go_on(self._start_call)

    def _stop_taking(self) -> None:
        while self._watches:
            self._watches.pop()()

    def _close_links(self) -> None:
        self._stop_taking()
        self._links.close()
