"""Clients on asyncio and uvloop, beside the shortest asyncio client for the same bytes.

The families trio and gevent have the floor and pymodbus too, to compare with. Each sample runs its
own loop and connects in it; only the calls are timed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import repeat
from time import perf_counter
from typing import TypeAlias

from import_cost import installed
from protocols import Buffered, Callers, OneCaller
from rounds import FLOOR, OURS, Sample
from servers import ADDRESS, ANSWER, COUNT, REQUEST, REQUESTS, UNIT, check_values

# Makes `count` calls of so many callers on one connection; returns the seconds that one call took.
Timed: TypeAlias = Callable[[int, int, int], Coroutine[None, None, float]]
# Runs a coroutine in a loop of its own, as asyncio.run does.
Run: TypeAlias = Callable[[Coroutine[None, None, float]], float]
Work: TypeAlias = Callable[[], Coroutine[None, None, None]]

BUFFERED = "raw, buffered"  # the floor with a BufferedProtocol


async def _connect(
    port: int, protocol: asyncio.Protocol, *, is_buffered: bool
) -> asyncio.Transport:
    """Return the transport of a connection that `protocol` has, or that is buffered for it."""
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: Buffered(protocol) if is_buffered else protocol, "127.0.0.1", port
    )
    return transport


async def _raw(port: int, count: int, callers: int, *, is_buffered: bool = False) -> float:
    """One caller: write, and wait for a future."""
    protocol = OneCaller()
    transport = await _connect(port, protocol, is_buffered=is_buffered)
    write, create_future = transport.write, asyncio.get_running_loop().create_future

    async def call() -> None:
        for _ in repeat(None, count):
            answered = protocol.answered = create_future()
            write(REQUEST)
            if len(await answered) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")

    took = await _seconds([call], count)
    transport.close()
    return took


async def _raw_shared(port: int, count: int, callers: int, *, is_buffered: bool = False) -> float:
    """A task for each of `REQUESTS`, with a future for each answer."""
    protocol = Callers()
    transport = await _connect(port, protocol, is_buffered=is_buffered)
    waiting, write = protocol.waiting, transport.write
    create_future = asyncio.get_running_loop().create_future

    async def call(request: bytes) -> None:
        transaction = request[:2]
        for _ in repeat(None, count // callers):
            answered = waiting[transaction] = create_future()
            write(request)
            if len(await answered) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")

    took = await _seconds([partial(call, request) for request in REQUESTS], count)
    transport.close()
    return took


async def _seconds(callers: list[Work], count: int) -> float:
    """Return the seconds of one of `count` calls of all callers; a single one needs no task."""
    started = perf_counter()
    if len(callers) == 1:
        await callers[0]()
    else:
        await asyncio.wait_for(asyncio.gather(*(each() for each in callers)), 60.0)
    return (perf_counter() - started) / count


async def _calls(read: Callable[[], Awaitable[object]], count: int, callers: int) -> float:
    """Return the seconds of one call, when so many callers share a client."""
    await read()  # the connection was used once, like those of the other clients

    async def call() -> None:
        for _ in repeat(None, count // callers):
            await read()

    return await _seconds([call] * callers, count)


async def _modwire(port: int, count: int, callers: int) -> float:
    from modwire_asyncio import TcpClient

    async with TcpClient("127.0.0.1", port, max_in_flight=callers) as client:
        check_values(await client.read_holding_registers(ADDRESS, COUNT))
        return await _calls(partial(client.read_holding_registers, ADDRESS, COUNT), count, callers)


async def _pymodbus(port: int, count: int, callers: int) -> float:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    read = partial(client.read_holding_registers, ADDRESS, count=COUNT, device_id=UNIT)
    check_values((await read()).registers)
    took = await _calls(read, count, callers)
    client.close()
    return took


async def _tmodbus(port: int, count: int, callers: int) -> float:
    from tmodbus import create_async_tcp_client

    async with create_async_tcp_client("127.0.0.1", port, unit_id=UNIT) as client:
        check_values(await client.read_holding_registers(ADDRESS, COUNT))
        return await _calls(partial(client.read_holding_registers, ADDRESS, COUNT), count, callers)


_LIBRARIES: dict[str, tuple[str, Timed]] = {
    OURS: ("modwire_asyncio", _modwire),
    "pymodbus": ("pymodbus", _pymodbus),
    "tmodbus": ("tmodbus", _tmodbus),  # needs Python 3.12
}


def samples(port: int, callers: int, count: int, run: Run = asyncio.run) -> dict[str, Sample]:
    """Return the floor and the clients that are installed, each in a loop of its own.

    There is one caller, or as many as there are `REQUESTS`.
    """
    raw = _raw if callers == 1 else _raw_shared
    clients: dict[str, Timed] = {FLOOR: raw, BUFFERED: partial(raw, is_buffered=True)}
    for name, (module, timed) in _LIBRARIES.items():
        if name == "tmodbus" and run is not asyncio.run:
            continue  # it refuses uvloop's transports
        if installed(module):
            clients[name] = timed
        else:
            print(f"{name} is not installed, so it is left out")

    def sample(timed: Timed) -> Sample:
        return lambda: run(timed(port, count, callers))

    return {name: sample(timed) for name, timed in clients.items()}


def peers(port: int, callers: int, count: int) -> dict[str, Sample]:
    """Return the floor and pymodbus, to compare trio and gevent with."""
    found = samples(port, callers, count)
    return {f"asyncio {FLOOR}": found[FLOOR]} | {
        name: each for name, each in found.items() if name == "pymodbus"
    }
