"""RTU frames over a TCP connection, as serial device servers use them.

Server and client in one program: python examples/asyncio/rtu_over_tcp.py
"""

from __future__ import annotations

import asyncio

from modwire import RtuFraming, SequentialBlock, Unit, Units
from modwire_asyncio import TcpClient, TcpServer, connect

units = Units({17: Unit(holding_registers=SequentialBlock(107, [555, 0, 100]))})


async def main() -> None:
    async with TcpServer(units, ("127.0.0.1", 0), framing=RtuFraming) as server:
        host, port = server.address
        async with TcpClient(host, port, framing=RtuFraming, unit=17) as client:
            print(await client.read_holding_registers(107, 3))
        async with connect(f"rtu+tcp://{host}:{port}?unit=17") as client:
            print(await client.read_holding_registers(107, 3))


if __name__ == "__main__":
    asyncio.run(main())
