"""Read and write the meter of examples/asyncio/server.py."""

import asyncio

from modwire import IllegalDataAddressError
from modwire_asyncio import TcpClient


async def main() -> None:
    async with TcpClient("127.0.0.1", 5020, unit=1) as meter:
        print(await meter.read_input_registers(0, 3))
        await meter.write_register(0, 30)
        print(await meter.read_holding_registers(0, 2))
        try:
            await meter.read_holding_registers(100)
        except IllegalDataAddressError as error:
            print(error)


asyncio.run(main())
