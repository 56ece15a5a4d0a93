"""RTU frames over a TCP connection, as serial device servers use them.

Server and client in one program: python examples/sync/rtu_over_tcp.py
"""

from __future__ import annotations

from modwire import RtuFraming, SequentialBlock, Unit, Units
from modwire_sync import TcpClient, TcpServer, connect

units = Units({17: Unit(holding_registers=SequentialBlock(107, [555, 0, 100]))})

if __name__ == "__main__":
    with TcpServer(units, ("127.0.0.1", 0), framing=RtuFraming) as server:
        host, port = server.address
        with TcpClient(host, port, framing=RtuFraming, unit=17) as client:
            print(client.read_holding_registers(107, 3))
        with connect(f"rtu+tcp://{host}:{port}?unit=17") as client:
            print(client.read_holding_registers(107, 3))
