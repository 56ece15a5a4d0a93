"""Facts of pymodbus 2.5.3 where modwire differs: prints a line of JSON, name to value."""

import json
import logging
import socket
import ssl
import struct
import threading

from pymodbus.bit_read_message import ReadCoilsRequest
from pymodbus.client.sync import ModbusSerialClient, ModbusTcpClient, ModbusTlsClient
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusControlBlock, ModbusDeviceIdentification
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.framer.ascii_framer import ModbusAsciiFramer
from pymodbus.other_message import ReportSlaveIdRequest
from pymodbus.server.sync import ModbusTcpServer
from pymodbus.utilities import computeCRC, unpack_bitstring

logging.disable(logging.CRITICAL)
PATIENCE = 20.0  # seconds for an answer on a busy machine
REQUEST = bytes.fromhex("010300000001")


def serve(context):
    server = ModbusTcpServer(context, address=("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.socket.getsockname()[1]


def raised(call):
    try:
        call()
    except (ConnectionException, struct.error) as error:
        return type(error).__name__
    return None


def on_links():
    """Facts that need no server."""
    client, serial = ModbusTcpClient("127.0.0.1"), ModbusSerialClient()
    tls = ModbusTlsClient("127.0.0.1")
    transaction = client.transaction
    place = socket.socket()
    place.bind(("127.0.0.1", 0))  # it does not listen
    nowhere = ModbusTcpClient("127.0.0.1", port=place.getsockname()[1])
    empty = ModbusSlaveContext()
    return {
        "unit": ReadCoilsRequest(0, 1).unit_id,
        "timeout": client.timeout,
        "retries": [
            transaction.retries,
            transaction.retry_on_empty,
            transaction.retry_on_invalid,
        ],
        "line": [serial.baudrate, serial.parity, serial.bytesize, serial.stopbits],
        "ascii": isinstance(serial.framer, ModbusAsciiFramer),
        "tls header": len(tls.framer.buildPacket(ReadCoilsRequest(0, 1))) - 5,
        "tls checks": tls.sslctx.verify_mode == ssl.CERT_REQUIRED,
        "empty": [empty.validate(3, 0, 65535), empty.getValues(3, 0, 2)],
        "crc": computeCRC(REQUEST),
        "unpacked": unpack_bitstring(b"\x05"),
        "one control block": ModbusControlBlock() is ModbusControlBlock(),
        "connects": nowhere.connect(),
        "not connected": raised(lambda: nowhere.read_coils(0, 1)),
    }


def on_a_server():
    unit = ModbusSlaveContext(
        co=ModbusSequentialDataBlock(1, [True] * 8),
        hr=ModbusSequentialDataBlock(1, [1, 2, 70000]),
    )
    identity = ModbusDeviceIdentification({0: "ACME", 1: "M1", 2: "2.5"})
    ModbusControlBlock().Identity.update(identity)
    client = ModbusTcpClient(
        "127.0.0.1", port=serve(ModbusServerContext({1: unit}, single=False)), timeout=PATIENCE
    )
    client.connect()
    facts = {
        "first": client.read_holding_registers(0, 1, unit=1).registers,
        "bits": client.read_coils(0, 3, unit=1).bits,
        "exception": client.read_holding_registers(9, 1, unit=1).isError(),
        "17": client.execute(ReportSlaveIdRequest(unit=1)).identifier.decode("latin-1"),
        "too many": client.read_coils(0, 5000, unit=1).exception_code,
        "too large": raised(lambda: client.write_register(0, 70000, unit=1)),
        "all ids": ModbusServerContext(unit)[9] is unit,
    }
    for name, address, number, timeout in [
        ("wrong value", 2, 1, PATIENCE),
        ("missing unit", 0, 9, 0.3),
        ("unit 0", 0, 0, 0.3),
    ]:
        client.timeout = timeout
        client.connect()
        try:
            answer = client.read_holding_registers(address, 1, unit=number)
        except ConnectionException:
            answer = "closed"
        facts[name] = "no answer" if isinstance(answer, ModbusIOException) else str(answer)
        facts[f"open after {name}"] = client.is_socket_open()
    return facts


print(json.dumps({**on_links(), **on_a_server()}), flush=True)
