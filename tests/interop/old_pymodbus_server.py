"""A server of pymodbus 2.5.3; see `OldPymodbus`. It ends when its standard input ends.

Arguments: tcp, udp or serial; socket, rtu, ascii or binary; the port of serial. It prints its port
when it listens. The addresses are those on the wire (`zero_mode`).
"""

import json
import os
import sys
import threading

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.framer.ascii_framer import ModbusAsciiFramer
from pymodbus.framer.binary_framer import ModbusBinaryFramer
from pymodbus.framer.rtu_framer import ModbusRtuFramer
from pymodbus.framer.socket_framer import ModbusSocketFramer
from pymodbus.server.sync import ModbusSerialServer, ModbusTcpServer, ModbusUdpServer

FRAMERS = {
    "socket": ModbusSocketFramer,
    "rtu": ModbusRtuFramer,
    "ascii": ModbusAsciiFramer,
    "binary": ModbusBinaryFramer,
}
COUNT = 200


def context():
    unit = ModbusSlaveContext(
        di=ModbusSequentialDataBlock(0, [index % 5 == 0 for index in range(COUNT)]),
        co=ModbusSequentialDataBlock(0, [index % 3 == 0 for index in range(COUNT)]),
        hr=ModbusSequentialDataBlock(0, list(range(COUNT))),
        ir=ModbusSequentialDataBlock(0, list(range(0x1000, 0x1000 + COUNT))),
        zero_mode=True,
    )
    return ModbusServerContext(slaves={1: unit, 0x7B: unit, 0x7D: unit}, single=False)


def identity():
    found = ModbusDeviceIdentification()
    found.VendorName, found.ProductCode, found.MajorMinorRevision = "Pump Works", "PW-7", "2.5"
    return found


def serve(transport, framer, port):
    if transport == "serial":
        server = ModbusSerialServer(
            context(), FRAMERS[framer], identity(), port=port, baudrate=115200, timeout=0.005
        )
    else:
        kind = ModbusTcpServer if transport == "tcp" else ModbusUdpServer
        server = kind(context(), FRAMERS[framer], identity(), address=("127.0.0.1", 0))
        port = server.socket.getsockname()[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(port), flush=True)
    sys.stdin.read()
    os._exit(0)  # a server on a serial port has no other end


serve(*sys.argv[1:])
