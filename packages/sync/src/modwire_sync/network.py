"""Clients over a network: TCP, UDP and Unix sockets, each with any framing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from modwire.framing.tcp import TcpFraming
from modwire.options import ClientOptions, check_timeout

from .client import Client
from .links import SocketLink

if TYPE_CHECKING:
    from modwire.framing import Framing

    from .links import Link

CONNECT_TIMEOUT = 3.0
# A network delivers a serial frame in pieces. It needs no silence before one.
_SILENCE, _TOLERANCE = 0.0, 0.05


class SocketClient(Client):
    """What the clients on sockets share: their options, and the link around the socket."""

    def __init__(
        self,
        name: str,
        framing: type[Framing],
        options: ClientOptions | None,
        unit: int | None,
        timeout: float | None,
        retries: int | None,
        max_in_flight: int | None,
    ) -> None:
        options = client_options(
            options,
            silence=_SILENCE,
            tolerance=_TOLERANCE,
            unit=unit,
            response_timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
        )
        super().__init__(name, framing, options)

    def _open_socket(self) -> socket.socket:
        """A connected socket, stream or datagram; OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_socket()")

    def _open_link(self) -> Link:
        return SocketLink(self._open_socket(), self.options.response_timeout)
