"""The clients for TCP, UDP, Unix sockets and serial lines; each opens its own kind of link."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread
from time import monotonic, sleep
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
    from .sockets import Found


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
        until = monotonic() + self._connect_timeout
        found = _find(self._address, socket.SOCK_STREAM, self._connect_timeout)
        sock = _connect(found, until, self._source_address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._keepalive:
            from .sockets import notice_dead_peer

            notice_dead_peer(sock)
        return sock


class UnixClient(UnixClientBase, _SocketClient):
    """A blocking client over a Unix stream socket."""

    def _open_socket(self) -> socket.socket:
        from .sockets import BUSY_PAUSE

        until = monotonic() + self._connect_timeout
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(self._connect_timeout)
            while True:
                try:
                    sock.connect(self._path)
                except BlockingIOError:  # on Linux, if too many connections wait to be accepted
                    if monotonic() >= until:
                        raise TimeoutError("timed out") from None
                    sleep(BUSY_PAUSE)
                else:
                    return sock
        except BaseException:
            sock.close()
            raise


class UdpClient(UdpClientBase, _SocketClient):
    """A blocking client over UDP."""

    def _open_socket(self) -> socket.socket:
        from .sockets import LOOKUP_TIMEOUT

        found = _find(self._address, socket.SOCK_DGRAM, LOOKUP_TIMEOUT)
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
        from .serial_link import SerialLink

        settings, send_timeout = self._settings, self.options.response_timeout
        port = open_port(
            self._port,
            settings,
            rs485=self._rs485,
            exclusive=self._exclusive,
            write_timeout=send_timeout,
        )
        return SerialLink(port, settings.character_time, send_timeout)


def connect(endpoint: str | Endpoint) -> Client:
    """Return the client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?unit=17".

    It connects on entering `with`, or on its first call. Raises ValueError for an invalid endpoint
    (`Endpoint.parse` lists the valid ones), and for tls, which this version does not support.
    """
    return client_for(endpoint, TcpClient, UdpClient, UnixClient, SerialClient)


def _find(address: tuple[str, int], kind: socket.SocketKind, seconds: float) -> Found:
    """Return what getaddrinfo does for `address`; raise TimeoutError after `seconds`.

    A system may wait for its name servers for half a minute, so a thread looks names up. It ends
    by itself.
    """
    with suppress(OSError):  # it is a name
        return socket.getaddrinfo(*address, type=kind, flags=socket.AI_NUMERICHOST)
    found: list[Found | Exception] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(*address, type=kind))
        except Exception as error:  # noqa: BLE001 - raised below
            found.append(error)

    thread = Thread(target=look_up, name="modwire-look-up", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TimeoutError(f"the name {address[0]} was not resolved within {seconds:g} s")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _connect(found: Found, until: float, source: tuple[str, int] | None) -> socket.socket:
    """Return a socket that is connected to the first address that accepts it before `until`."""
    from .sockets import attempts

    failure: OSError | None = None
    for (family, kind, protocol, _, address), seconds in attempts(found, until):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(seconds)
            if source is not None:
                sock.bind(source)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise OSError("the name has no address") if failure is None else failure
