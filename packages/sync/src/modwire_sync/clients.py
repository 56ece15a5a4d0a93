"""The clients for TCP, UDP, Unix sockets and serial lines; each opens its own kind of link."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from modwire.client.constructors import (
    SerialClientBase,
    TcpClientBase,
    UdpClientBase,
    UnixClientBase,
    client_for,
)

from .client import Client
from .links import SocketLink

if TYPE_CHECKING:
    from modwire import Endpoint

    from .links import Link


class _SocketClient(Client):
    """A client on a socket that a subclass opens."""

    def _open_socket(self) -> socket.socket:
        raise NotImplementedError

    def _open_link(self) -> Link:
        sock = self._open_socket()
        try:
            return SocketLink(sock, self.options.response_timeout)
        except BaseException:
            sock.close()
            raise


class TcpClient(TcpClientBase, _SocketClient):
    """A blocking client over TCP."""

    def _open_socket(self) -> socket.socket:
        sock = socket.create_connection(self._address, self._connect_timeout, self._source_address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._keepalive:
            from .sockets import notice_dead_peer

            notice_dead_peer(sock)
        return sock


class UnixClient(UnixClientBase, _SocketClient):
    """A blocking client over a Unix stream socket."""

    def _open_socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(self._connect_timeout)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        return sock


class UdpClient(UdpClientBase, _SocketClient):
    """A blocking client over UDP."""

    def _open_socket(self) -> socket.socket:
        found = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            if self._source_address is not None:
                sock.bind(self._source_address)
            # A connected socket receives only from the server, and reports a refusal as an error.
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock


class SerialClient(SerialClientBase, Client):
    """A blocking client on a serial line."""

    def _open_link(self) -> Link:
        from .ports import open_port
        from .serial_link import WRITE_TIMEOUT, SerialLink

        settings = self._settings
        port = open_port(
            self._port,
            settings,
            rs485=self._rs485,
            exclusive=self._exclusive,
            write_timeout=WRITE_TIMEOUT,
        )
        return SerialLink(port, settings.character_time)


def connect(endpoint: str | Endpoint) -> Client:
    """Return the client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?unit=17".

    It connects on entering `with`, or on its first call. Raises ValueError for an invalid endpoint
    (`Endpoint.parse` lists the valid ones), and for tls, which this version does not support.
    """
    return client_for(endpoint, TcpClient, UdpClient, UnixClient, SerialClient)
