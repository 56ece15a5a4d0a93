"""Measure how fast a server answers: python examples/asyncio/performance.py [HOST PORT]

Reads ten registers again and again, from one caller, then from 16 tasks on one connection.
Without arguments it starts its own server, which takes about half of the processor time.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from contextlib import AsyncExitStack
from time import perf_counter

from modwire import SequentialBlock, Unit, Units
from modwire_asyncio import TcpClient, TcpServer

CALLS = 2000
CALLERS = 16


async def read(client: TcpClient, calls: int, times: list[float]) -> None:
    """Make so many `calls`, and add the seconds that each has taken to `times`."""
    for _ in range(calls):
        started = perf_counter()
        await client.read_holding_registers(0, 10)
        times.append(perf_counter() - started)


def report(name: str, times: list[float], seconds: float) -> None:
    median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"{name}: {len(times) / seconds:,.0f} requests per second, "
        f"median {median * 1e3:.2f} ms, 99 % within {p99 * 1e3:.2f} ms"
    )


async def main() -> None:
    async with AsyncExitStack() as stack:
        if len(sys.argv) == 3:
            host, port = sys.argv[1], int(sys.argv[2])
        else:
            units = Units.single(Unit(holding_registers=SequentialBlock(0, range(10))))
            server = await stack.enter_async_context(TcpServer(units, ("127.0.0.1", 0)))
            host, port = server.address

        async with TcpClient(host, port, max_in_flight=CALLERS) as client:
            times: list[float] = []
            started = perf_counter()
            await read(client, CALLS, times)
            report("1 caller", times, perf_counter() - started)

            times = []
            started = perf_counter()
            each = CALLS // CALLERS
            await asyncio.gather(*(read(client, each, times) for _ in range(CALLERS)))
            report(f"{CALLERS} callers", times, perf_counter() - started)


if __name__ == "__main__":
    asyncio.run(main())
