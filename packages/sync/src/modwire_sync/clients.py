"""The clients for TCP, UDP, Unix sockets and serial lines; each opens its own kind of link."""

from __future__ import annotations

import socket
from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from errno import EAGAIN
from functools import partial
from os import strerror
from socket import SOCK_DGRAM, SOCK_STREAM
from time import monotonic, sleep
from typing import TYPE_CHECKING

from modwire.client import constructors
from modwire.client.aside import call_aside
from modwire.client.link import BUSY_PAUSE, LOOKUP_TIMEOUT, share
from modwire.tls.clients import TlsClientBase

from .client import Client
from .links import SocketLink, TlsLink

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Unpack

    from modwire import Endpoint
    from modwire.endpoint_options import ConnectOptions

    from .links import Link
    from .sockets import Found

    Place: TypeAlias = tuple[str, int]  # host and port


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


class TcpClient(constructors.TcpClientBase, _SocketClient):
    """A blocking client over TCP."""

    def _open_socket(self) -> socket.socket:
        sock = _connect(self._address, SOCK_STREAM, self._connect_timeout, self._source_address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._keepalive:
            from .sockets import notice_dead_peer

            notice_dead_peer(sock)
        return sock


class TlsClient(TlsClientBase, TcpClient):
    """A blocking client over TLS."""

    def _open_link(self) -> Link:
        until = monotonic() + self._connect_timeout
        sock = self._open_socket()
        try:
            link = TlsLink(sock, self.options.response_timeout, self._new_channel)
            while not link.shake_hands():
                if not link.wait(until - monotonic()):
                    raise self._too_slow()
        except BaseException:
            sock.close()
            raise
        return link


class UnixClient(constructors.UnixClientBase, _SocketClient):
    """A blocking client over a Unix stream socket."""

    def _open_socket(self) -> socket.socket:
        from .sockets import unix_family

        until = monotonic() + self._connect_timeout
        sock = socket.socket(unix_family())
        try:
            sock.settimeout(0.0)
            # On Linux, EAGAIN if too many connections wait to be accepted. If the system waited, it
            # would be unknown after a signal whether the socket is connected.
            while (code := sock.connect_ex(self._path)) == EAGAIN and monotonic() < until:
                sleep(BUSY_PAUSE)
            if code:
                raise TimeoutError("timed out") if code == EAGAIN else OSError(code, strerror(code))
        except BaseException:
            sock.close()
            raise
        return sock


class UdpClient(constructors.UdpClientBase, _SocketClient):
    """A blocking client over UDP."""

    def _open_socket(self) -> socket.socket:
        # A connected socket receives only from the server, and reports a refusal as an error.
        return _connect(self._address, SOCK_DGRAM, LOOKUP_TIMEOUT, self._source_address)


class SerialClient(constructors.SerialClientBase, Client):
    """A blocking client on a serial line."""

    def _open_link(self) -> Link:
        from .ports import open_aside
        from .serial_link import SerialLink

        settings, limit = self._settings, self.options.response_timeout
        port = open_aside(
            self._port, settings, rs485=self._rs485, exclusive=self._exclusive, write_timeout=limit
        )
        return SerialLink(port, settings.character_time, limit)


def connect(endpoint: str | Endpoint, **options: Unpack[ConnectOptions]) -> Client:
    """Return the client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?unit=17".

    It connects on entering `with`, or on its first call. `options` replace those of the endpoint:
    `timeout=2` is the same as `endpoint + "?timeout=2"`. Raises ValueError for an invalid endpoint
    (`Endpoint.parse` lists the valid ones), and for certificates that cannot be used.
    """
    kinds = TcpClient, UdpClient, UnixClient, SerialClient, TlsClient
    return constructors.client_for(endpoint, *kinds, options)


def _connect(peer: Place, of_kind: int, seconds: float, source: Place | None) -> socket.socket:
    """Return a socket that is connected to the first address of `peer` that accepts it in time."""
    until = monotonic() + seconds
    found = _find(peer, of_kind, seconds)
    failure = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(share(until, monotonic(), len(found) - index))
            if source is not None:
                sock.bind(source)
            sock.connect(address)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return sock
    raise failure


def _find(address: Place, kind: int, seconds: float) -> Found:
    """Return what getaddrinfo does, in time: a thread waits for the name servers, up to 30 s."""
    with suppress(OSError):  # it is a name
        return socket.getaddrinfo(*address, type=kind, flags=socket.AI_NUMERICHOST)
    try:
        look_up = partial(socket.getaddrinfo, *address, type=kind)
        return call_aside(look_up, start_new_thread, allocate_lock, seconds)
    except TimeoutError:
        raise TimeoutError(f"the name {address[0]} was not resolved within {seconds:g} s") from None
