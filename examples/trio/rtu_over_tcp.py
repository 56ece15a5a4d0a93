"""RTU frames over a TCP connection, as serial device servers use them.

Server and client in one program: python examples/trio/rtu_over_tcp.py
"""

from __future__ import annotations

from functools import partial

import trio

from modwire import RtuFraming, SequentialBlock, Unit, Units
from modwire_trio import TcpClient, connect, serve_tcp

units = Units({17: Unit(holding_registers=SequentialBlock(107, [555, 0, 100]))})


async def main() -> None:
    async with trio.open_nursery() as nursery:
        host, port = await nursery.start(partial(serve_tcp, units, 0, framing=RtuFraming))
        async with TcpClient(host, port, framing=RtuFraming, unit=17) as client:
            print(await client.read_holding_registers(107, 3))
        async with connect(f"rtu+tcp://{host}:{port}?unit=17") as client:
            print(await client.read_holding_registers(107, 3))
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
