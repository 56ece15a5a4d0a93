"""Clients over a network: TCP, UDP and Unix sockets, each with any framing."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from modwire.client.options import network_client_options
from modwire.endpoint import network_name, path_name
from modwire.framing.tcp import TcpFraming
from modwire.options import check_timeout

from .client import Client
from .links import SocketLink

if TYPE_CHECKING:
    from collections.abc import Generator

    from modwire.client.options import ClientOptions
    from modwire.framing import Framing

    from .links import Link


class SocketClient(Client):
    """What the clients on sockets share: their options, and the link around the socket."""

    def __init__(
        self,
        name: str,
        framing: type[Framing],
        unit: int,
        timeout: float,
        retries: int,
        max_in_flight: int,
        options: ClientOptions | None,
    ) -> None:
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
        )
        self._set_up(name, framing, options)

    async def _open_socket(self) -> trio.socket.SocketType:
        """A connected socket, stream or datagram; OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_socket()")

    async def _open_link(self) -> Link:
        opened = await self._open_socket()
        family, kind, protocol = opened.family, opened.type, opened.proto
        return SocketLink(socket.socket(family, kind, protocol, fileno=opened.detach()))


class TcpClient(SocketClient):
    """A client over TCP; MBAP frames, or those of another framing, as serial gateways have them.

    - `host` is a name, an IPv4 or an IPv6 address; of a name every address is tried, the
      next one after 0.25 s, and one must be connected within `connect_timeout` seconds.
      `source_address` is the (host, port) to connect from.
    - `unit` is asked where a call names none; on TCP itself, 255 and 0 stand for the server.
    - `timeout` is how many seconds an answer may take, `retries` how often a read is sent again.
    - `max_in_flight`, 1..16, is how many requests may be under way at once when tasks share
      the client; many servers take only one.
    - `keepalive` lets the operating system probe a silent connection.
    - `options` replaces `unit`, `timeout`, `retries` and `max_in_flight`, and has the rest.
    """

    def __init__(
        self,
        host: str,
        port: int = 502,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        connect_timeout: float = 3.0,
        source_address: tuple[str, int] | None = None,
        keepalive: bool = True,
    ) -> None:
        name = network_name("tcp", framing, host, port)
        super().__init__(name, framing, unit, timeout, retries, max_in_flight, options)
        self._address = (host, port)
        self._connect_timeout = check_timeout(connect_timeout, "connect_timeout")
        self._source_address = source_address
        self._keepalive = keepalive

    async def _open_socket(self) -> trio.socket.SocketType:
        with _limit(self._connect_timeout):
            if self._source_address is None:
                sock = await _open_first(*self._address)
            else:
                sock = await _open_from(self._source_address, *self._address)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._keepalive:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except BaseException:
            sock.close()
            raise
        return sock


class UnixClient(SocketClient):
    """A client over a Unix stream socket at `path`; the rest is as for `TcpClient`."""

    def __init__(
        self,
        path: str,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        connect_timeout: float = 3.0,
    ) -> None:
        name = path_name("unix", framing, path)
        super().__init__(name, framing, unit, timeout, retries, max_in_flight, options)
        self._path = path
        self._connect_timeout = check_timeout(connect_timeout, "connect_timeout")

    async def _open_socket(self) -> trio.socket.SocketType:
        sock = trio.socket.socket(socket.AF_UNIX)
        try:
            with _limit(self._connect_timeout):
                await sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        return sock


class UdpClient(SocketClient):
    """A client over UDP, one frame in a datagram; the arguments are those of `TcpClient`.

    Datagrams get lost: give it `retries`. It hears the one address it sends to; of a name's
    addresses that is the first.
    """

    def __init__(
        self,
        host: str,
        port: int = 502,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        source_address: tuple[str, int] | None = None,
    ) -> None:
        name = network_name("udp", framing, host, port)
        super().__init__(name, framing, unit, timeout, retries, max_in_flight, options)
        self._address = (host, port)
        self._source_address = source_address

    async def _open_socket(self) -> trio.socket.SocketType:
        found = await trio.socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        sock = trio.socket.socket(family, kind, protocol)
        try:
            if self._source_address is not None:
                await sock.bind(self._source_address)
            # Only the server's datagrams are heard then, and its refusals become errors.
            await sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock


async def _open_first(host: str, port: int) -> trio.socket.SocketType:
    """The socket of whichever address of `host` is connected first."""
    try:
        return (await trio.open_tcp_stream(host, port)).socket
    except OSError as error:
        # trio says only that all addresses failed; the reasons are in a group behind it.
        reasons: tuple[BaseException, ...] = getattr(error.__cause__, "exceptions", ())
        if not reasons:
            raise
        texts = dict.fromkeys(str(reason) for reason in reasons)
        raise OSError("; ".join(texts)) from None
    except BaseException as error:
        # The nursery in there puts even a single error into a group, such as KeyboardInterrupt.
        alone: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        if len(alone) == 1:
            raise alone[0] from None
        raise


async def _open_from(source: tuple[str, int], host: str, port: int) -> trio.socket.SocketType:
    """A socket at `source` that is connected to the first address of `host` that it can be."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in await trio.socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = trio.socket.socket(family, kind, protocol)
        try:
            await sock.bind(source)
            await sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise OSError(str(failure)) from None


@contextmanager
def _limit(seconds: float) -> Generator[None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise TimeoutError("timed out") from None
