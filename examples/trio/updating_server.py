"""A server whose values change while it serves: python examples/trio/updating_server.py

Until Ctrl+C, three voltages change by up to a tenth of a volt, ten times a second.
"""

from __future__ import annotations

import random
from functools import partial

import trio

from modwire import SequentialBlock, Unit, Units
from modwire_trio import serve_tcp

PERIOD = 0.1  # seconds

voltages = SequentialBlock(0, [2304, 2311, 2297], read_only=True)


def wander() -> None:
    """Change the values, as if read from sensors; no client reads while this runs."""
    voltages[0:3] = [value + random.randint(-1, 1) for value in voltages[0:3]]


async def main() -> None:
    units = Units({1: Unit(input_registers=voltages)})
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_tcp, units, 5020, host="127.0.0.1"))
        while True:
            wander()
            await trio.sleep(PERIOD)


if __name__ == "__main__":
    trio.run(main)
