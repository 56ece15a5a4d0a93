"""Clients on asyncio, to compare trio and gevent with: pymodbus's client, and a floor.

The floor, the shortest client on asyncio's streams, shows how much of a difference is asyncio's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import repeat
from time import perf_counter

from import_cost import installed
from rounds import Sample
from servers import ADDRESS, ANSWER, COUNT, REQUEST, REQUESTS, UNIT, check_values

# Makes `count` calls on its own connection; returns the seconds that one call took.
Timed = Callable[[int, int], Coroutine[None, None, float]]


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection that was used once, like those of the other clients."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    if await reader.read(4096) != ANSWER:
        raise RuntimeError("the server did not answer as it should")
    return reader, writer


async def _raw(port: int, count: int) -> float:
    """One caller: write, read."""
    reader, writer = await _connect(port)
    started = perf_counter()
    for _ in repeat(None, count):
        writer.write(REQUEST)
        if len(await reader.read(4096)) != len(ANSWER):
            raise RuntimeError("the server did not answer as it should")
    took = perf_counter() - started
    writer.close()
    return took / count


async def _raw_shared(port: int, count: int) -> float:
    """A task for each of `REQUESTS`, and one that assigns the answers by transaction id."""
    reader, writer = await _connect(port)
    loop = asyncio.get_running_loop()
    size = len(ANSWER)
    waiting: dict[bytes, asyncio.Future[None]] = {}

    async def read() -> None:
        data = b""
        while more := await reader.read(4096):
            data += more
            while len(data) >= size:
                waiting.pop(data[:2]).set_result(None)
                data = data[size:]

    async def call(request: bytes) -> None:
        transaction = request[:2]
        for _ in repeat(None, count // len(REQUESTS)):
            answered = waiting[transaction] = loop.create_future()
            writer.write(request)
            await answered

    reading = asyncio.create_task(read())
    started = perf_counter()
    await asyncio.wait_for(asyncio.gather(*map(call, REQUESTS)), 60.0)
    took = perf_counter() - started
    reading.cancel()
    writer.close()
    return took / count


async def _pymodbus(port: int, count: int, callers: int) -> float:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    read: Callable[[], Awaitable[object]] = partial(
        client.read_holding_registers, ADDRESS, count=COUNT, device_id=UNIT
    )
    answer = await client.read_holding_registers(ADDRESS, count=COUNT, device_id=UNIT)
    check_values(answer.registers)

    async def call() -> None:
        for _ in repeat(None, count // callers):
            await read()

    started = perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    took = perf_counter() - started
    client.close()
    return took / count


def samples(port: int, callers: int, count: int) -> dict[str, Sample]:
    """Return the asyncio clients, for one caller or for as many as there are `REQUESTS`."""

    def sample(timed: Timed) -> Sample:
        return lambda: asyncio.run(timed(port, count))

    found = {"asyncio floor": sample(_raw if callers == 1 else _raw_shared)}
    if installed("pymodbus"):
        found["pymodbus"] = sample(partial(_pymodbus, callers=callers))
    else:
        print("pymodbus is not installed, so it is left out")
    return found
