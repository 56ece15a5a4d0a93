"""Blocking clients that read 10 holding registers on one connection, beside a raw socket.

All use the same server, an epoll loop that answers with canned bytes, so that the server takes
the same time for all.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from itertools import repeat

from import_cost import installed
from rounds import FLOOR, OURS, Loop, Row, Settings, rate_row, wall_sample
from servers import ADDRESS, ANSWER, COUNT, REQUEST, UNIT, check_values, running

TARGET = 0.75
CALLS_PER_SECOND = 15_000  # about; it only affects how long a sample takes


def _raw(port: int, stack: ExitStack) -> Loop:
    link = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.settimeout(3.0)  # like any client; it adds a wait for readiness before each recv()

    def loop(count: int) -> None:
        send, receive = link.sendall, link.recv
        for _ in repeat(None, count):
            send(REQUEST)
            if len(receive(4096)) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")

    return loop


def _blocking_raw(port: int, stack: ExitStack) -> Loop:
    link = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def loop(count: int) -> None:
        send, receive = link.sendall, link.recv
        for _ in repeat(None, count):
            send(REQUEST)
            if len(receive(4096)) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")

    return loop


def _modwire(port: int, stack: ExitStack) -> Loop:
    from modwire_sync import TcpClient

    client = stack.enter_context(TcpClient("127.0.0.1", port))
    check_values(client.read_holding_registers(ADDRESS, COUNT))

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            client.read_holding_registers(ADDRESS, COUNT)

    return loop


def _pymodbus(port: int, stack: ExitStack) -> Loop:
    from pymodbus.client import ModbusTcpClient

    client = ModbusTcpClient("127.0.0.1", port=port)
    client.connect()
    stack.callback(client.close)
    check_values(client.read_holding_registers(ADDRESS, count=COUNT, device_id=UNIT).registers)

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            client.read_holding_registers(ADDRESS, count=COUNT, device_id=UNIT)

    return loop


def _pymodbustcp(port: int, stack: ExitStack) -> Loop:
    from pyModbusTCP.client import ModbusClient

    client = ModbusClient("127.0.0.1", port, unit_id=UNIT, auto_open=True)
    stack.callback(client.close)
    check_values(client.read_holding_registers(ADDRESS, COUNT))

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            client.read_holding_registers(ADDRESS, COUNT)

    return loop


CLIENTS: dict[str, tuple[str, Callable[[int, ExitStack], Loop]]] = {
    FLOOR: ("socket", _blocking_raw),
    OURS: ("modwire_sync", _modwire),
    "raw with settimeout": ("socket", _raw),
    "pyModbusTCP": ("pyModbusTCP", _pymodbustcp),
    "pymodbus": ("pymodbus", _pymodbus),
}


def run(settings: Settings) -> list[Row]:
    """Return one row, with every client that is installed."""
    count = max(4, int(settings.sample * 5 * CALLS_PER_SECOND))
    with ExitStack() as stack:
        port = stack.enter_context(running("canned"))
        samples = {}
        for name, (module, connected) in CLIENTS.items():
            if installed(module):
                samples[name] = wall_sample(connected(port, stack), count)
            else:
                print(f"client: {name} is not installed, so it is left out")
        return [rate_row("client", "FC3 of 10, one connection", samples, settings.rounds, TARGET)]
