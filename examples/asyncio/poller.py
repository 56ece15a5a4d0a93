"""Poll a meter once a second and pass each reading to an endpoint of yours.

Run examples/asyncio/server.py first, then: python examples/asyncio/poller.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from itertools import count
from time import monotonic

from modwire import ModbusError
from modwire_asyncio import TcpClient

PERIOD = 1.0  # seconds


class Printer:
    """An endpoint: replace it with your database, message queue or file."""

    async def write(self, voltages: Sequence[float]) -> None:
        print(*(f"{voltage:.1f} V" for voltage in voltages), flush=True)

    async def failed(self, error: ModbusError) -> None:
        print(f"no reading: {error}", flush=True)


async def poll(client: TcpClient, endpoint: Printer, rounds: int | None) -> None:
    """Read once in each period, however long a reading takes; for ever if `rounds` is None."""
    due = monotonic()
    for _ in count() if rounds is None else range(rounds):
        try:
            registers = await client.read_input_registers(0, 3)
        except ModbusError as error:  # the next round reconnects
            await endpoint.failed(error)
        else:
            await endpoint.write([register / 10 for register in registers])
        due = max(due + PERIOD, monotonic())
        await asyncio.sleep(due - monotonic())


async def main() -> None:
    async with aclosing(TcpClient("127.0.0.1", 5020)) as client:  # connects in the first round
        await poll(client, Printer(), int(sys.argv[1]) if sys.argv[1:] else None)


if __name__ == "__main__":
    asyncio.run(main())
