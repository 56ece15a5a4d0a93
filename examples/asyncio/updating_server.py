"""A server whose values change while it serves: python examples/asyncio/updating_server.py

Until Ctrl+C, three voltages change by up to a tenth of a volt, ten times a second.
"""

from __future__ import annotations

import asyncio
import random

from modwire import SequentialBlock, Unit, Units
from modwire_asyncio import TcpServer

PERIOD = 0.1  # seconds

voltages = SequentialBlock(0, [2304, 2311, 2297], read_only=True)


def wander() -> None:
    """Change the values, as if read from sensors; no client reads while this runs."""
    voltages[0:3] = [value + random.randint(-1, 1) for value in voltages[0:3]]


async def main() -> None:
    units = Units({1: Unit(input_registers=voltages)})
    async with TcpServer(units, ("127.0.0.1", 5020)):
        while True:
            wander()
            await asyncio.sleep(PERIOD)


if __name__ == "__main__":
    asyncio.run(main())
