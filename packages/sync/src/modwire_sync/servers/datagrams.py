"""`UdpServer`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modwire.server.constructors import UdpServerBase

from ..datagrams import DatagramSockets
from .base import Server

if TYPE_CHECKING:
    import socket

    from modwire import Response
    from modwire.server.datagrams import DatagramCall
    from modwire.server.peers import Listening


class UdpServer(UdpServerBase, Server):
    """A UDP server for `units`; it runs in one thread."""

    def _bind(self, asked: Listening) -> None:
        self._links = DatagramSockets(self, self._core, self._logger, self._wire)
        self._address = self._links.bind(asked)

    def _open(self) -> None:
        self._links.is_serving = True
        for each in self._links.sockets:
            self._loop.watch(each.fileno(), partial(self._on_readable, each))

    def _on_readable(self, link: socket.socket, mask: int, now: float) -> None:
        for received in self._links.waiting(link):
            self._core.receive(*received, now, link)
            self._links.go_on(self._execute)

    def _execute(self, waiting: DatagramCall) -> None:
        def done(response: Response | None) -> None:
            self._core.finish(waiting, response)
            self._links.go_on(self._execute)

        self._loop.workers.submit(waiting.protocol, waiting.call, self.units, done)

    def _stop_taking(self) -> None:
        for each in self._links.sockets:
            self._loop.unwatch(each.fileno())

    def _is_idle(self) -> bool:
        return self._core.is_idle

    def _close_links(self) -> None:
        self._stop_taking()
        self._links.close()
