"""A meter as a TCP server, until Ctrl+C. Start it, then run examples/asyncio/client.py."""

import asyncio
from contextlib import suppress

from modwire import SequentialBlock, Unit, Units
from modwire_asyncio import TcpServer

meter = Unit(
    coils=SequentialBlock(0, [False, False]),
    holding_registers=SequentialBlock(0, [15, 40]),
    input_registers=SequentialBlock(0, [2304, 2311, 2297], read_only=True),
)


async def main() -> None:
    server = TcpServer(Units({1: meter}), ("127.0.0.1", 5020))
    await server.serve_forever()


with suppress(KeyboardInterrupt):
    asyncio.run(main())
