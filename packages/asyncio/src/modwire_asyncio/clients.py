"""The asyncio clients for TCP, UDP, Unix sockets and serial lines; each opens its link."""

from __future__ import annotations

import asyncio
import os
import socket
from errno import EAGAIN
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from modwire.client import constructors
from modwire.client.link import BUSY_PAUSE, LOOKUP_TIMEOUT, share
from modwire.tls.clients import TlsClientBase

from .client import Client
from .links import DatagramLink, Link, StreamLink, TlsLink, TransportLink

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any, TypeAlias

    from typing_extensions import Unpack

    from modwire import Endpoint
    from modwire.endpoint_options import ConnectOptions

    Place: TypeAlias = "tuple[Any, ...]"  # an entry of getaddrinfo

T = TypeVar("T")


class TcpClient(constructors.TcpClientBase, Client):
    """An asyncio client over TCP."""

    async def _open_link(self) -> Link:
        until = monotonic() + self._connect_timeout
        found = await look_up(*self._address, socket.SOCK_STREAM, self._connect_timeout)
        failure = OSError("the name has no address")
        for tried, place in enumerate(found):
            seconds = share(until, monotonic(), len(found) - tried)
            try:
                opened = await _connected(place, self._source_address, seconds)
            except OSError as error:
                failure = error
                continue
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._keepalive:
                from modwire_sync.sockets import notice_dead_peer

                notice_dead_peer(opened)
            return await _stream_link(opened, self._new_link())
        raise failure

    def _new_link(self) -> StreamLink:
        return StreamLink(self.options.response_timeout)


class TlsClient(TlsClientBase, TcpClient):
    """An asyncio client over TLS."""

    async def _open_link(self) -> Link:
        until = monotonic() + self._connect_timeout
        link = await super()._open_link()
        assert isinstance(link, TlsLink)
        try:
            if not await link.shake_hands(until):
                raise self._too_slow()
        except BaseException:
            link.close()
            raise
        return link

    def _new_link(self) -> StreamLink:
        return TlsLink(self.options.response_timeout, self._new_channel)


class UnixClient(constructors.UnixClientBase, Client):
    """An asyncio client over a Unix stream socket."""

    async def _open_link(self) -> Link:
        from modwire_sync.sockets import unix_family

        until = monotonic() + self._connect_timeout
        opened = socket.socket(unix_family())
        try:
            opened.setblocking(False)
            # While the queue of the server is full, there is no event to wait for.
            while code := opened.connect_ex(self._path):
                if code != EAGAIN:
                    raise OSError(code, os.strerror(code))
                if monotonic() >= until:
                    raise TimeoutError("timed out")
                await asyncio.sleep(BUSY_PAUSE)
        except BaseException:
            opened.close()
            raise
        return await _stream_link(opened, StreamLink(self.options.response_timeout))


class UdpClient(constructors.UdpClientBase, Client):
    """An asyncio client over UDP."""

    async def _open_link(self) -> Link:
        found = await look_up(*self._address, socket.SOCK_DGRAM, LOOKUP_TIMEOUT)
        # A connected socket receives only from the server, and a refusal is an error.
        opened = await _connected(found[0], self._source_address, LOOKUP_TIMEOUT)
        link = DatagramLink(self.options.response_timeout)
        making = link.loop.create_datagram_endpoint(lambda: link, sock=opened)
        return await _made(link, making, opened)


class SerialClient(constructors.SerialClientBase, Client):
    """An asyncio client on a serial line."""

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


async def look_up(
    host: str, port: int, kind: socket.SocketKind, seconds: float, flags: int = 0
) -> list[Place]:
    """Return the addresses of a host; for an IP address, without waiting."""
    try:
        return list(socket.getaddrinfo(host, port, type=kind, flags=flags | socket.AI_NUMERICHOST))
    except socket.gaierror:
        found = asyncio.get_running_loop().getaddrinfo(host, port, type=kind, flags=flags)
        return list(await within(found, seconds, f"{host} was not resolved within {seconds:g} s"))


async def within(awaitable: Awaitable[T], seconds: float, text: str = "timed out") -> T:
    """Return the result of `awaitable`; raise TimeoutError with `text` after so many seconds."""
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise TimeoutError(text) from None


async def _connected(place: Place, source: tuple[str, int] | None, seconds: float) -> socket.socket:
    opened = socket.socket(*place[:3])
    try:
        opened.setblocking(False)
        if source is not None:
            opened.bind(source)
        await within(asyncio.get_running_loop().sock_connect(opened, place[4]), seconds)
    except BaseException as error:
        opened.close()
        if isinstance(error, OSError) and error.errno:
            # asyncio's text has neither a reason nor anything that the client does not say itself.
            raise OSError(error.errno, os.strerror(error.errno)) from None
        raise
    return opened


async def _stream_link(opened: socket.socket, link: StreamLink) -> Link:
    return await _made(link, link.loop.create_connection(lambda: link, sock=opened), opened)


async def _made(
    link: TransportLink, making: Awaitable[tuple[Any, object]], opened: socket.socket
) -> Link:
    """Wait until the transport of `link` is made, which then owns the socket."""
    number, transport = opened.fileno(), None
    ours = os.fstat(number)
    try:
        transport, _ = await making
        if link.transport is None:
            raise OSError("it was interrupted")
    except BaseException:
        link.close()
        if transport is not None:
            transport.abort()
        # If making it is cancelled, uvloop closes the descriptor, which the socket does not know.
        # Another thread may have opened it again.
        try:
            is_ours = os.path.samestat(os.fstat(number), ours)
        except OSError:
            is_ours = False
        opened.close() if is_ours else opened.detach()
        raise
    return link
