"""The gevent clients for TCP, UDP, Unix sockets and serial lines, and how they open links."""

from __future__ import annotations

from errno import EAGAIN
from os import strerror
from time import monotonic
from typing import TYPE_CHECKING

from gevent import Timeout, get_hub, sleep, socket

from modwire.client import constructors
from modwire.client.link import BUSY_PAUSE, LOOKUP_TIMEOUT, share
from modwire.tls.clients import TlsClientBase

from .client import Client
from .links import Link, SocketLink, TlsLink

if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Unpack

    from modwire import Endpoint
    from modwire.endpoint_options import ConnectOptions


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
        until = monotonic() + self._connect_timeout
        found = _look_up(self._address, socket.SOCK_STREAM, self._connect_timeout)
        connected = _connect_first(found, until, self._source_address)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._keepalive:
            from modwire_sync.sockets import notice_dead_peer

            notice_dead_peer(connected)
        return connected


class TlsClient(TlsClientBase, TcpClient):
    """A gevent client over TLS."""

    def _open_link(self) -> Link:
        with Timeout(self._connect_timeout, self._too_slow()):
            link = TlsLink(get_hub(), self._connect(), self.options.response_timeout)
            try:
                link.shake_hands(self._new_channel)
            except BaseException:
                link.close()
                raise
        return link


class UnixClient(constructors.UnixClientBase, _SocketClient):
    """A gevent client over a Unix stream socket."""

    def _connect(self) -> socket.socket:
        from modwire_sync.sockets import unix_family

        opened = socket.socket(unix_family())
        opened.settimeout(0.0)  # gevent would spin while the queue of the server is full
        try:
            with Timeout(self._connect_timeout, TimeoutError("timed out")):
                while code := opened.connect_ex(self._path):
                    if code != EAGAIN:
                        raise OSError(code, strerror(code))
                    sleep(BUSY_PAUSE)
        except BaseException:
            opened.close()
            raise
        return opened


class UdpClient(constructors.UdpClientBase, _SocketClient):
    """A gevent client over UDP."""

    def _connect(self) -> socket.socket:
        found = _look_up(self._address, socket.SOCK_DGRAM, LOOKUP_TIMEOUT)
        opened = socket.socket(*found[0][:3])
        # Only a connected socket rejects datagrams of other peers, and reports refusals.
        return _connected(opened, found[0][4], self._source_address)


def _look_up(address: tuple[str, int], kind: int, seconds: float) -> list[tuple[Any, ...]]:
    host = address[0]
    with Timeout(seconds, TimeoutError(f"{host} was not resolved within {seconds:g} s")):
        return list(socket.getaddrinfo(*address, type=kind))


def _connect_first(
    found: list[tuple[Any, ...]], until: float, source: tuple[str, int] | None
) -> socket.socket:
    failure = OSError("the name has no address")
    for tried, place in enumerate(found):
        opened = socket.socket(*place[:3])
        opened.settimeout(share(until, monotonic(), len(found) - tried))
        try:
            return _connected(opened, place[4], source)
        except OSError as error:
            failure = error
    raise failure


def _connected(
    opened: socket.socket, address: tuple[Any, ...], source: tuple[str, int] | None = None
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

        seconds = self.options.response_timeout
        port = open_without_blocking(
            self._port,
            self._settings,
            rs485=self._rs485,
            exclusive=self._exclusive,
            write_timeout=seconds,
        )
        return link_on(get_hub(), port, self._settings.character_time, seconds)


def connect(endpoint: str | Endpoint, **options: Unpack[ConnectOptions]) -> Client:
    """Return the client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?unit=17".

    It connects on entering `with`, or on its first call. `options` replace those of the endpoint:
    `timeout=2` is the same as `endpoint + "?timeout=2"`. Raises ValueError for an invalid endpoint
    (`Endpoint.parse` lists the valid ones), and for certificates that cannot be used.
    """
    kinds = TcpClient, UdpClient, UnixClient, SerialClient, TlsClient
    return constructors.client_for(endpoint, *kinds, options)
