"""The trio clients for TCP, UDP, Unix sockets and serial lines; each opens its link."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from errno import EAGAIN
from os import strerror
from time import monotonic
from typing import TYPE_CHECKING

import trio

from modwire.client import constructors
from modwire.client.link import BUSY_PAUSE, LOOKUP_TIMEOUT, share
from modwire.tls.clients import TlsClientBase
from modwire_sync.sockets import notice_dead_peer, unix_family

from .client import Client
from .links import SocketLink

if TYPE_CHECKING:
    from collections.abc import Generator

    from typing_extensions import Unpack

    from modwire import Endpoint
    from modwire.endpoint_options import ConnectOptions

    from .links import Link


class SocketClient(Client):
    """A client whose subclasses open a socket."""

    async def _open_socket(self) -> trio.socket.SocketType:
        """Return a connected socket, stream or datagram; raise OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_socket()")

    async def _open_link(self) -> Link:
        opened = await self._open_socket()
        family, kind, protocol = opened.family, opened.type, opened.proto
        return SocketLink(socket.socket(family, kind, protocol, fileno=opened.detach()))


class TcpClient(constructors.TcpClientBase, SocketClient):
    """A trio client over TCP."""  # trio tries the next address of a name after 0.25 s

    async def _open_socket(self) -> trio.socket.SocketType:
        with _limit(self._connect_timeout):
            if self._source_address is None:
                opened = await _open_first(*self._address)
            else:
                opened = await _open_from(
                    self._source_address, *self._address, self._connect_timeout
                )
        with _closing_on_error(opened):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._keepalive:
                notice_dead_peer(opened)
        return opened


class TlsClient(TlsClientBase, TcpClient):
    """A trio client over TLS."""

    async def _open_link(self) -> Link:
        until = trio.current_time() + self._connect_timeout
        link = await super()._open_link()
        assert isinstance(link, SocketLink)
        try:
            with trio.CancelScope(deadline=until) as scope:
                await link.shake_hands(self._new_channel)
        except BaseException:
            link.cut()
            raise
        if scope.cancelled_caught:
            link.cut()
            raise self._too_slow()
        return link


class UnixClient(constructors.UnixClientBase, SocketClient):
    """A trio client over a Unix stream socket."""

    async def _open_socket(self) -> trio.socket.SocketType:
        plain = socket.socket(unix_family())
        opened = trio.socket.from_stdlib_socket(plain)
        with _closing_on_error(opened), _limit(self._connect_timeout):
            # trio would take it for connected while the queue of the server is full.
            while (error := plain.connect_ex(self._path)) == EAGAIN:  # noqa: ASYNC110 - no event
                await trio.sleep(BUSY_PAUSE)
            if error:
                raise OSError(error, strerror(error))
        return opened


class UdpClient(constructors.UdpClientBase, SocketClient):
    """A trio client over UDP."""

    async def _open_socket(self) -> trio.socket.SocketType:
        with _limit(LOOKUP_TIMEOUT):
            found = await trio.socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        opened = trio.socket.socket(family, kind, protocol)
        with _closing_on_error(opened):
            if self._source_address is not None:
                await opened.bind(self._source_address)
            # A connected socket receives only from the server, and a refusal is an error.
            await opened.connect(address)
        return opened


class SerialClient(constructors.SerialClientBase, Client):
    """A trio client on a serial line."""

    async def _open_link(self) -> Link:
        from .serial_link import open_link

        return await open_link(
            self._port,
            self._settings,
            rs485=self._rs485,
            exclusive=self._exclusive,
            write_timeout=self.options.response_timeout,
        )


def connect(endpoint: str | Endpoint, **options: Unpack[ConnectOptions]) -> Client:
    """Return the client for `endpoint`, such as "tcp://192.0.2.1" or "rtu:///dev/ttyUSB0?unit=17".

    It connects on entering `async with`, or on its first call. `options` replace those of the
    endpoint: `timeout=2` is the same as `endpoint + "?timeout=2"`. Raises ValueError for an invalid
    endpoint (`Endpoint.parse` lists the valid ones), and for certificates that cannot be used.
    """
    kinds = TcpClient, UdpClient, UnixClient, SerialClient, TlsClient
    return constructors.client_for(endpoint, *kinds, options)


async def _open_first(host: str, port: int) -> trio.socket.SocketType:
    """Try the addresses of `host`, and return the socket that is connected first."""
    try:
        return (await trio.open_tcp_stream(host, port)).socket
    except OSError as error:
        # trio's error only says that all addresses failed; the reasons are in its cause.
        reasons: tuple[BaseException, ...] = getattr(error.__cause__, "exceptions", ())
        if not reasons:
            raise
        texts = dict.fromkeys(str(reason) for reason in reasons)
        raise OSError("; ".join(texts)) from None
    except BaseException as error:
        # trio's nursery puts even a single error, such as KeyboardInterrupt, into a group.
        alone: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        if len(alone) == 1:
            raise alone[0] from None
        raise


async def _open_from(
    source: tuple[str, int], host: str, port: int, seconds: float
) -> trio.socket.SocketType:
    """Return a socket at `source`, connected to the first address of `host` that accepts it."""
    until = monotonic() + seconds
    failure: OSError | None = None
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(found):
        seconds = share(until, monotonic(), len(found) - number)
        opened = trio.socket.socket(family, kind, protocol)
        try:
            with _closing_on_error(opened), _limit(seconds):
                await opened.bind(source)
                await opened.connect(address)
        except OSError as error:
            failure = error
        else:
            return opened
    raise OSError(str(failure)) from None


@contextmanager
def _closing_on_error(opened: trio.socket.SocketType) -> Generator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise


@contextmanager
def _limit(seconds: float) -> Generator[None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise TimeoutError("timed out") from None
