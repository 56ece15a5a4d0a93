"""Facts of pymodbus 3.16 where modwire differs: prints a line of JSON, name to value."""

import asyncio
import json
import logging
import socket
import ssl
import threading

from pymodbus.client import ModbusSerialClient, ModbusTcpClient, ModbusTlsClient
from pymodbus.datastore import (
    ModbusDeviceContext,
    ModbusSequentialDataBlock,
    ModbusServerContext,
    ModbusSparseDataBlock,
)
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.framer import FramerRTU
from pymodbus.pdu.device import ModbusControlBlock, ModbusDeviceIdentification
from pymodbus.pdu.utils import unpack_bitstring
from pymodbus.server import ModbusTcpServer

logging.disable(logging.CRITICAL)
PATIENCE = 20.0  # seconds for an answer on a busy machine
REQUEST = bytes.fromhex("010300000001")


def free_port():
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))  # it does not listen, and reserves the port
    port = place.getsockname()[1]
    place.detach()
    return port


def serve(context, **arguments):
    port = free_port()
    ready = threading.Event()

    async def run():
        server = ModbusTcpServer(context, address=("127.0.0.1", port), **arguments)
        await server.serve_forever(background=True)
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=asyncio.run, args=(run(),), daemon=True).start()
    ready.wait()
    return port


def raised(call):
    try:
        call()
    except (ConnectionException, ModbusIOException, ValueError) as error:
        return type(error).__name__
    return None


def on_links():
    """Facts that need no server."""
    client, serial = ModbusTcpClient("127.0.0.1"), ModbusSerialClient("/dev/none")
    tls = ModbusTlsClient("127.0.0.1").comm_params.sslctx
    nowhere = ModbusTcpClient("127.0.0.1", port=free_port())
    line = serial.comm_params
    return {
        "timeout": client.comm_params.timeout_connect,
        "retries": client.transaction.retries,
        "until closed": client.transaction.max_until_disconnect,
        "line": [line.baudrate, line.parity, line.bytesize, line.stopbits],
        "rtu": isinstance(serial.transaction.framer, FramerRTU),
        "tls checks": tls.verify_mode == ssl.CERT_REQUIRED,
        "tls trusts": tls.cert_store_stats()["x509"],
        "crc": FramerRTU.compute_CRC(REQUEST),
        "unpacked": unpack_bitstring(b"\x05"),
        "one control block": ModbusControlBlock() is ModbusControlBlock(),
        "connects": nowhere.connect(),
        "not connected": raised(lambda: nowhere.read_coils(0)),
    }


def client_of(context, **arguments):
    port = serve(context, **arguments)
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=PATIENCE, retries=0)
    client.connect()
    return client


def on_a_server():
    unit = ModbusDeviceContext(
        co=ModbusSequentialDataBlock(1, [True] * 8),
        hr=ModbusSequentialDataBlock(1, [1, 2]),
        ir=ModbusSparseDataBlock({1: 7}),
    )
    identity = ModbusDeviceIdentification({0: "ACME", 1: "M1", 2: "2.5"})
    client = client_of(ModbusServerContext({1: unit}), identity=identity)
    ignoring = client_of(ModbusServerContext({1: unit}), ignore_missing_devices=True)
    empty = client_of(ModbusServerContext(ModbusDeviceContext()))
    return {
        "first": client.read_holding_registers(0).registers,
        "sparse": client.read_input_registers(1).registers,
        "bits": client.read_coils(0, count=3).bits,
        "exception": client.read_holding_registers(9).isError(),
        "17": client.report_device_id().identifier.decode("latin-1"),
        "too many": raised(lambda: client.read_coils(0, count=5000)),
        "empty": [
            empty.read_holding_registers(0).registers,
            empty.read_holding_registers(1).exception_code,
        ],
        "all ids": empty.read_holding_registers(0, device_id=9).registers,
        "missing unit": client.read_holding_registers(0, device_id=9).exception_code,
        "missing unit, ignored": ignoring.read_holding_registers(0, device_id=9).exception_code,
        "unit 0": client.read_holding_registers(0, device_id=0).exception_code,
        "no answer": no_answer(),
    }


def no_answer():
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=0.3, retries=0)
    return raised(lambda: client.read_coils(0))


print(json.dumps({**on_links(), **on_a_server()}), flush=True)
