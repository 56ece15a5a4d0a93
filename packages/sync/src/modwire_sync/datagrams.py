"""`DatagramSockets`: the sockets of a UDP server, which receive requests and send answers.

modwire-trio and modwire-gevent use it too.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from modwire.forks import forget_after_fork
from modwire.server.peers import HostPort

from .sockets import address_of, bind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modwire.logger import Logger
    from modwire.server.constructors import ServerBase
    from modwire.server.datagrams import DatagramCall, DatagramServer
    from modwire.server.peers import Listening

    from .sockets import Found

_MAX_DATAGRAM = 65536
_DEBUG = 10  # logging.DEBUG
_TURN = 4096  # bytes of datagrams; 341 requests, so that a flood at one socket delays no others
_COST = 64  # bytes that take as long as receiving a datagram


class DatagramSockets:
    """The sockets of `server`, which do not block; `core` decides about the answers."""

    def __init__(
        self, server: ServerBase, core: DatagramServer, logger: Logger, wire: Logger
    ) -> None:
        self.sockets: list[socket.socket] = []
        self.is_serving = False  # set by the server, which may be started in a forked process
        forget_after_fork(self, DatagramSockets.forget, getattr(os, "register_at_fork", None))
        self._server = server
        self._core = core
        self._buffer = bytearray(_MAX_DATAGRAM)
        self._logger = logger
        self._wire = wire

    def bind(self, asked: Listening, found: Found | None = None) -> HostPort:
        """Bind as `asked`; return the address. `found` as for `sockets.bind`. Raises OSError."""
        self.sockets = bind(asked, socket.SOCK_DGRAM, found)
        address = address_of(self.sockets[0])
        assert isinstance(address, HostPort)
        return address

    def receive(self, link: socket.socket) -> tuple[bytes, tuple[str, int]] | None:
        """Return a datagram that has arrived at `link`, and its sender; None if there is none."""
        try:
            size, address = link.recvfrom_into(self._buffer)
        except BlockingIOError:
            return None
        except OSError as error:
            # Windows reports here that an earlier answer could not be delivered.
            self._logger.debug("%s: %s", self._server, error)
            return None
        data = bytes(memoryview(self._buffer)[:size])
        if self._wire.isEnabledFor(_DEBUG):
            self._wire.debug("%s sent %s", HostPort(*address[:2]), data.hex(" "))
        return data, address

    def waiting(self, link: socket.socket) -> Iterator[tuple[bytes, tuple[str, int]]]:
        """Yield the datagrams that have arrived at `link`, and their senders; some of a flood."""
        size = 0
        while size < _TURN and (received := self.receive(link)) is not None:
            size += _COST + len(received[0])
            yield received

    def go_on(self, execute: Callable[[DatagramCall], object]) -> None:
        """Call `execute` for each call to a unit that waits, and send the ready answers."""
        core = self._core
        while core.calls:
            execute(core.calls.popleft())
        while core.answers:
            data, address, link = core.answers.popleft()
            if self._wire.isEnabledFor(_DEBUG):
                self._wire.debug("%s gets %s", HostPort(*address[:2]), data.hex(" "))
            try:
                link.sendto(data, address)
            except OSError as error:
                # The buffer is full or the peer unreachable: with UDP, answers may be lost.
                self._logger.warning(
                    "%s: an answer to %s is lost: %s", self._server, HostPort(*address[:2]), error
                )

    def close(self) -> None:
        """Close the sockets; may be called again."""
        for each in self.sockets:
            each.close()
        self.sockets = []

    def forget(self) -> None:
        """Close the sockets if the process before a fork serves on them."""
        if self.is_serving:
            self.close()
