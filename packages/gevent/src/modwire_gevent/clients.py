"""The gevent clients for TCP, UDP, Unix sockets and serial lines, and how they open links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gevent import get_hub, socket

from modwire.client import constructors

from .client import Client
from .links import Link, SocketLink

if TYPE_CHECKING:
    from typing import Any

    from modwire import Endpoint


class _SocketClient(Client):
    """A client on a gevent socket, which connects without blocking other greenlets."""

    def _connect(self) -> socket.socket:
        """Return a connected socket; raise OSError if that fails."""
        raise NotImplementedError

    def _open_link(self) -> Link:
        return SocketLink(get_hub(), self._connect(), self.options.response_timeout)


class TcpClient(constructors.TcpClientBase, _SocketClient):
    """A gevent client over TCP."""

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(
            self._address, self._connect_timeout, self._source_address
        )
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._keepalive:
            from modwire_sync.sockets import notice_dead_peer

            notice_dead_peer(connected)
        return connected


class UnixClient(constructors.UnixClientBase, _SocketClient):
    """A gevent client over a Unix stream socket."""

    def _connect(self) -> socket.socket:
        opened = socket.socket(socket.AF_UNIX)
        opened.settimeout(self._connect_timeout)
        return _connected(opened, self._path)


class UdpClient(constructors.UdpClientBase, _SocketClient):
    """A gevent client over UDP."""

    def _connect(self) -> socket.socket:
        found = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
        opened = socket.socket(*found[0][:3])
        # Only a connected socket rejects datagrams of other peers, and reports refusals.
        return _connected(opened, found[0][4], self._source_address)


def _connected(
    opened: socket.socket, address: tuple[Any, ...] | str, source: tuple[str, int] | None = None
) -> socket.socket:
    try:
        if source is not None:
            opened.bind(source)
        opened.connect(address)
    except BaseException:
        opened.close()
        raise
    return opened


class SerialClient(constructors.SerialClientBase, Client):
    """A gevent client on a serial line."""

    def _open_link(self) -> Link:
        from .serial_link import link_on, open_without_blocking

        port = open_without_blocking(
            self._port, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )
        return link_on(get_hub(), port, self._settings.character_time)


def connect(endpoint: str | Endpoint) -> Client:
    """Return the client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?unit=17".

    It connects on entering `with`, or on its first call. Raises ValueError for an invalid
    endpoint (see `Endpoint.parse`), and for tls, which this version does not support.
    """
    return constructors.client_for(endpoint, TcpClient, UdpClient, UnixClient, SerialClient)
