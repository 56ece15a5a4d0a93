"""The gevent package: each call in a greenlet of its own, peers in the main one, and real time.

Calls end early in both of gevent's ways: by a kill, or by a `gevent.Timeout`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import gevent
from gevent.select import select

from modwire import Framing, Units
from modwire_gevent import (
    RemoteUnit,
    SerialClient,
    SerialServer,
    TcpClient,
    TcpServer,
    UdpClient,
    UdpServer,
    UnixClient,
)
from modwire_gevent.sniffing import SerialSniffer

from .base import PATIENCE, Driver, Serving, Task
from .far_ends import Listener


class GreenletTask(Task):
    def __init__(self, function: Callable[[], Any], interruption: type[BaseException]) -> None:
        self._function = function
        self._interruption = interruption
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            self.value = self._function()
        except BaseException as error:  # noqa: BLE001 - the script looks at it
            self.error = error

    @property
    def is_done(self) -> bool:
        return bool(self._greenlet.dead)

    async def wait(self) -> None:
        self._greenlet.join(PATIENCE)

    def cancel(self) -> None:
        self._greenlet.kill(self._interruption(), block=False)


class GeventDriver(Driver):
    name = adapter = "gevent"
    interruption: ClassVar[type[BaseException]] = gevent.GreenletExit

    def run(self, play: Callable[[], Awaitable[None]]) -> None:
        coroutine = play().__await__()
        try:
            next(coroutine)
        except StopIteration:
            return
        raise AssertionError("nothing here can suspend a script")

    async def sleep(self, seconds: float) -> None:
        gevent.sleep(seconds)

    async def settle(self) -> None:
        """Let the loop see new bytes, and run the greenlets that wait for them."""
        gevent.sleep(0.001)
        for _ in range(5):
            gevent.sleep(0)

    async def readable(self, descriptor: int, seconds: float) -> bool:
        return bool(select([descriptor], [], [], seconds)[0])

    def start(self, function: Callable[[], Any]) -> Task:
        return GreenletTask(function, self.interruption)

    def client(
        self, link: str, listener: Listener, framing: type[Framing], arguments: Mapping[str, Any]
    ) -> Any:
        address = listener.address
        if link == "serial":
            return SerialClient(address, framing=framing, **arguments)
        if link == "unix":
            return UnixClient(address, framing=framing, **arguments)
        kind = UdpClient if link == "udp" else TcpClient
        return kind(*address, framing=framing, **arguments)

    def remote_unit(self, client: Any, unit: int) -> Any:
        return RemoteUnit(client, unit)

    def sniffer(self, address: str, arguments: Mapping[str, Any]) -> Any:
        return SerialSniffer(address, **arguments)

    async def serve(
        self, link: str, units: Units, address: Any, grace: float, arguments: Mapping[str, Any]
    ) -> Serving:
        server: TcpServer | UdpServer | SerialServer
        if link == "serial":
            server = SerialServer(units, address, **arguments)
        elif link == "udp":
            server = UdpServer(units, ("127.0.0.1", 0), **arguments)
        else:
            server = TcpServer(units, address or ("127.0.0.1", 0), **arguments)
        server.start()
        return Serving(server.address, lambda: server.shutdown(grace), server.serve_forever)


class GeventTimeoutDriver(GeventDriver):
    name = "gevent with timeouts"
    interruption = gevent.Timeout

    def plays(self, needs: frozenset[str], passes_time: bool) -> bool:
        return "cancel" in needs and not passes_time  # all else is the same
