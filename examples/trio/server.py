"""A meter as a TCP server, until Ctrl+C. Start it, then run examples/trio/client.py."""

from contextlib import suppress

import trio

from modwire import SequentialBlock, Unit, Units
from modwire_trio import serve_tcp

meter = Unit(
    coils=SequentialBlock(0, [False, False]),
    holding_registers=SequentialBlock(0, [15, 40]),
    input_registers=SequentialBlock(0, [2304, 2311, 2297], read_only=True),
)


async def main() -> None:
    await serve_tcp(Units({1: meter}), 5020, host="127.0.0.1")


with suppress(KeyboardInterrupt):
    trio.run(main)
