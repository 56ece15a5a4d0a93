"""The asyncio package, on the loop of the standard library and on uvloop, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvloop

from modwire import Framing, Units
from modwire_asyncio import (
    RemoteUnit,
    SerialClient,
    SerialServer,
    TcpClient,
    TcpServer,
    UdpClient,
    UdpServer,
    UnixClient,
)
from modwire_asyncio.sniffing import SerialSniffer

from .base import PATIENCE, Driver, Serving, Task
from .far_ends import Listener


class AsyncioTask(Task):
    def __init__(self, function: Callable[[], Awaitable[Any]]) -> None:
        self._task = asyncio.ensure_future(self._run(function))

    async def _run(self, function: Callable[[], Awaitable[Any]]) -> None:
        try:
            self.value = await function()
        except Exception as error:  # noqa: BLE001 - the script looks at it
            self.error = error

    @property
    def is_done(self) -> bool:
        return self._task.done()

    async def wait(self) -> None:
        await asyncio.wait([self._task], timeout=PATIENCE)

    def cancel(self) -> None:
        self._task.cancel()


class AsyncioDriver(Driver):
    name = adapter = "asyncio"

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def run(self, play: Callable[[], Awaitable[None]]) -> None:
        loop = self.new_loop()
        try:
            loop.run_until_complete(self._play(play))
            left = asyncio.all_tasks(loop)
            assert not left, left
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _play(self, play: Callable[[], Awaitable[None]]) -> None:
        faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        try:
            await play()
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for each in others:
                each.cancel()
            if others:
                await asyncio.wait(others)
            await self.settle()
        assert not faults, faults

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def settle(self) -> None:
        """Let the loop see new bytes, and run the tasks that wait for them."""
        await asyncio.sleep(0.001)
        for _ in range(8):
            await asyncio.sleep(0)

    async def readable(self, descriptor: int, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        found = loop.create_future()
        loop.add_reader(descriptor, lambda: found.done() or found.set_result(True))
        try:
            return bool((await asyncio.wait([found], timeout=seconds))[0])
        finally:
            loop.remove_reader(descriptor)

    def start(self, function: Callable[[], Any]) -> Task:
        return AsyncioTask(function)

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

    def close(self, client: Any) -> Callable[[], Any]:
        return client.aclose  # type: ignore[no-any-return]

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
        await server.start()
        return Serving(server.address, lambda: server.shutdown(grace), server.serve_forever)


class UvloopDriver(AsyncioDriver):
    name = "uvloop"

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return uvloop.new_event_loop()
