"""A serial line for clients on TCP: python examples/gevent/serial_gateway.py

Units 1 and 2 are the devices 17 and 18 on the line; unit 100 is the gateway itself. Clients take
turns on the line, and a dead device costs them one timeout. Runs until Ctrl+C.
"""

from __future__ import annotations

from contextlib import suppress

from modwire import SequentialBlock, Unit
from modwire_gevent import Gateway, SerialClient, TcpServer

line = SerialClient("/dev/ttyUSB0", baudrate=9600, parity="N", timeout=0.5)
gateway = Gateway(line, {1: 17, 2: 18})
gateway[100] = Unit(holding_registers=SequentialBlock(0, [0] * 10))

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        TcpServer(gateway, ("127.0.0.1", 5020)).serve_forever()
