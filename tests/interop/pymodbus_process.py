"""A server of pymodbus 3.16 in its own process; `test_pymodbus_server.py` starts it.

Its diagnostic counters, identity and ASCII delimiter are global to a process, so each server has
its own process. Arguments: tcp, udp or serial; socket, rtu or ascii; the port of serial. It prints
its port when it listens, and ends when its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys

from pymodbus.framer import FramerType
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusUdpServer
from pymodbus.simulator import DataType, SimData, SimDevice

IDENTITY = {
    "VendorName": "Pump Works",
    "ProductCode": "PW-7",
    "MajorMinorRevision": "3.16",
    "VendorUrl": "https://pump.example",
    "ProductName": "Pump",
    "ModelName": "Seven",
    "UserApplicationName": "Well",
}


def _bits(divisor: int) -> list[SimData]:
    values = [index % divisor == 0 for index in range(2048)]
    return [SimData(0, values=values, datatype=DataType.BITS)]


def _registers(first: int) -> list[SimData]:
    values = [first + index for index in range(2048)]
    return [SimData(0, values=values, datatype=DataType.REGISTERS)]


def _device(number: int) -> SimDevice:
    return SimDevice(number, (_bits(3), _bits(5), _registers(0), _registers(0x1000)))


async def _serve(transport: str, framer: FramerType, port: str) -> None:
    devices = [_device(1), _device(2)]
    identity = ModbusDeviceIdentification(info_name=IDENTITY)
    server: ModbusTcpServer | ModbusUdpServer | ModbusSerialServer
    if transport == "serial":
        server = ModbusSerialServer(
            devices,
            framer=framer,
            identity=identity,
            port=port,
            baudrate=115200,
            broadcast_enable=True,
        )
    else:
        kind = ModbusTcpServer if transport == "tcp" else ModbusUdpServer
        server = kind(
            devices,
            framer=framer,
            identity=identity,
            address=("127.0.0.1", 0),
            broadcast_enable=True,
        )
    await server.serve_forever(background=True)
    if transport == "tcp":
        port = server.transport.sockets[0].getsockname()[1]
    elif transport == "udp":
        port = server.transport.get_extra_info("sockname")[1]
    print(port, flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], FramerType(sys.argv[2]), sys.argv[3]))
