"""A client of pymodbus 2.5.3: makes the calls that it reads as lines of JSON; see `OldPymodbus`.

Arguments: tcp, udp or serial; socket, rtu, ascii or binary; the port. A line has a name and
arguments: those of a method of the client, or of a request class. The answer has the attributes of
the response, or {"error": its text}. The name "timeout" sets the seconds that later calls wait.
"""

import importlib
import json
import sys

from pymodbus.client.sync import ModbusSerialClient, ModbusTcpClient, ModbusUdpClient
from pymodbus.framer.ascii_framer import ModbusAsciiFramer
from pymodbus.framer.binary_framer import ModbusBinaryFramer
from pymodbus.framer.rtu_framer import ModbusRtuFramer
from pymodbus.framer.socket_framer import ModbusSocketFramer

FRAMERS = {
    "socket": ModbusSocketFramer,
    "rtu": ModbusRtuFramer,
    "ascii": ModbusAsciiFramer,
    "binary": ModbusBinaryFramer,
}
ROOMS = ("diag", "other", "file", "mei", "bit_read", "register_read")
TIMEOUT = 20.0


def open_client(transport, framer, port):
    if transport == "serial":
        return ModbusSerialClient(method=framer, port=port, baudrate=115200, timeout=TIMEOUT)
    kind = ModbusTcpClient if transport == "tcp" else ModbusUdpClient
    return kind("127.0.0.1", port=int(port), framer=FRAMERS[framer], timeout=TIMEOUT)


def make(name, arguments):
    for room in ROOMS:
        found = getattr(importlib.import_module(f"pymodbus.{room}_message"), name, None)
        if found is not None:
            return found(**arguments)
    raise LookupError(name)


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return plain(vars(value))
    return value if isinstance(value, (int, float, str, bool, type(None))) else repr(value)


def answer(client, name, arguments):
    if "records" in arguments:
        file = importlib.import_module("pymodbus.file_message")
        arguments["records"] = [
            file.FileRecord(
                **{
                    key: value.encode("latin-1") if key == "record_data" else value
                    for key, value in each.items()
                }
            )
            for each in arguments["records"]
        ]
    try:
        if name[0].islower():
            response = getattr(client, name)(**arguments)
        else:
            response = client.execute(make(name, arguments))
    except Exception as error:  # noqa: BLE001 - the test gets it
        return {"error": repr(error)}
    if isinstance(response, Exception):
        return {"error": str(response)}
    return plain(response)


client = open_client(*sys.argv[1:])
print(json.dumps(client.connect()), flush=True)
for line in sys.stdin:
    name, arguments = json.loads(line)
    if name == "timeout":
        client.close()
        client.timeout = arguments
        print("null", flush=True)
        continue
    print(json.dumps(answer(client, name, arguments)), flush=True)
client.close()
