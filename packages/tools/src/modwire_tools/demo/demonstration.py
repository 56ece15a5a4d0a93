"""What `modwire demo` shows first: a small energy meter, read and written over TCP and over RTU.

One unit is served on a loopback port and on a pseudo-terminal pair, which stands for a serial
line; then it is served and read again through trio and, where it is installed, through gevent.
Everything that is read is compared with what was put in.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from modwire import (
    BlockingCalls,
    Units,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire_sync import SerialClient, SerialServer, TcpClient, TcpServer

from ..cli.output import print_line
from .exchange import explain_exchange
from .line import serial_line
from .meter import POINTS, SETTINGS, Reading, make_meter, understand

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

UNIT = 1


def read_meter(client: BlockingCalls) -> dict[str, Reading]:
    """All points over one link, a request for each table."""
    return understand(
        {"coil": client.read_coils(0, 2), "discrete": client.read_discrete_inputs(0, 2)},
        {
            "input": client.read_input_registers(0, 12),
            "holding": client.read_holding_registers(0, 4),
        },
    )


class Write(NamedTuple):
    """A setting to be changed, and how."""

    name: str
    value: float
    request: AnyRequest


LIMIT = SETTINGS["Power limit"]
_NEW_LIMIT = 4200.5

# What is written over each link: TCP, RTU.
WRITES: list[list[Write]] = [
    [
        Write("Demand period", 30, WriteSingleRegisterRequest(0, 30)),
        Write("Relay 1", 1, WriteSingleCoilRequest(0, True)),
    ],
    [
        Write(
            "Power limit",
            _NEW_LIMIT,
            WriteMultipleRegistersRequest(LIMIT.address, LIMIT.to_registers(_NEW_LIMIT)),
        ),
        Write("Relay 2", 1, WriteMultipleCoilsRequest(1, [True])),
    ],
]


class Wire(logging.Handler):
    """Keeps the bytes that a client sends and receives, from the logger `modwire.wire`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.received = b""

    def emit(self, record: logging.LogRecord) -> None:
        _, sent, data = record.getMessage().partition(": sent ")
        if sent:
            self.sent += bytes.fromhex(data)
        _, received, data = record.getMessage().partition(": received ")
        if received:
            self.received += bytes.fromhex(data)


def trace(client: BlockingCalls) -> tuple[bytes, bytes]:
    """Read the three voltages; the bytes that went to the meter and came back."""
    wire, logger = Wire(), logging.getLogger("modwire.wire")
    logger.addHandler(wire)
    logger.setLevel(logging.DEBUG)
    try:
        client.read_input_registers(0, 3)
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(wire)
    return wire.sent, wire.received


# The other packages: each serves the meter and reads it, over TCP and, where there is a line, RTU.

Line = tuple[str, str] | None


def through_trio(units: Units, line: Line) -> dict[str, dict[str, Reading]]:
    """What modwire_trio reads from its own servers, by link."""
    import trio

    import modwire_trio

    found: dict[str, dict[str, Reading]] = {}

    async def read(link: str, client: modwire_trio.Client) -> None:
        async with client:
            found[link] = understand(
                {
                    "coil": await client.read_coils(0, 2),
                    "discrete": await client.read_discrete_inputs(0, 2),
                },
                {
                    "input": await client.read_input_registers(0, 12),
                    "holding": await client.read_holding_registers(0, 4),
                },
            )

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            host, port = await nursery.start(modwire_trio.serve_tcp, units, 0)
            await read("TCP", modwire_trio.TcpClient(host, port, unit=UNIT))
            if line is not None:
                await nursery.start(modwire_trio.serve_serial, units, line[0])
                await read("RTU", modwire_trio.SerialClient(line[1], unit=UNIT))
            nursery.cancel_scope.cancel()

    trio.run(main)
    return found


def through_gevent(units: Units, line: Line) -> dict[str, dict[str, Reading]]:
    """What modwire_gevent reads from its own servers, by link."""
    import modwire_gevent

    found: dict[str, dict[str, Reading]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(modwire_gevent.TcpServer(units, ("127.0.0.1", 0)))
        host, port = _host_and_port(server.address)
        client = stack.enter_context(modwire_gevent.TcpClient(host, port, unit=UNIT))
        found["TCP"] = read_meter(client)
        if line is not None:
            stack.enter_context(modwire_gevent.SerialServer(units, line[0]))
            serial = stack.enter_context(modwire_gevent.SerialClient(line[1], unit=UNIT))
            found["RTU"] = read_meter(serial)
    return found


# What is printed.


def print_table(readings: Mapping[str, Mapping[str, Reading]]) -> None:
    """The points, with what each link gave for them."""
    links = list(readings)
    row = "{:<14} {:<8} {:>4}  {:<9}" + "  {:>10}" * len(links) + "  {:<4}"
    head = row.format("name", "table", "addr", "registers", *[f"over {x}" for x in links], "unit")
    print_line(head.rstrip())
    print_line("-" * len(head))
    for point in POINTS:
        found = [readings[link][point.name] for link in links]
        texts = [point.text(reading.value) for reading in found]
        line = row.format(point.name, point.table, point.address, found[0].raw, *texts, point.unit)
        print_line(line.rstrip())


class Comparison:
    """What was put in and written, and what was read that differs from it."""

    def __init__(self) -> None:
        self.expected = {point.name: point.value for point in POINTS}
        self.wrong: list[str] = []
        self.count = 0

    def compare(self, link: str, readings: Mapping[str, Reading]) -> None:
        """Note what differs over `link`."""
        self.count += len(readings)
        for name, reading in readings.items():
            if reading.value != self.expected[name]:
                self.wrong.append(
                    f"{name} over {link} is {reading.value}, not {self.expected[name]}"
                )


def show(units: Units, line: Line, meter: Comparison) -> None:
    """Serve the meter, read it, write it, print it, with modwire_sync."""
    with ExitStack() as stack:
        server = stack.enter_context(TcpServer(units, ("127.0.0.1", 0)))
        clients: dict[str, BlockingCalls] = {}
        host, port = _host_and_port(server.address)
        clients["TCP"] = stack.enter_context(TcpClient(host, port, unit=UNIT))
        print_line(f"A small energy meter, unit {UNIT}, answers")
        print_line(f"  over TCP  at {host}:{port}")
        if line is not None:
            one_end, other_end = line
            stack.enter_context(SerialServer(units, one_end))
            clients["RTU"] = stack.enter_context(SerialClient(other_end, unit=UNIT))
            print_line(f"  over RTU  at {other_end}, joined to {one_end}")
        else:
            print_line("  (and not over RTU: this system has no pseudo-terminals)")

        print_line("\nIt says that it is (function 43/14)")
        for object_id, text in clients["TCP"].read_device_identification(2).items():
            print_line(f"  object {object_id}  {text.decode()}")

        print_line("\nWritten")
        for link, writes in zip(clients, WRITES, strict=False):
            for write in writes:
                point = SETTINGS[write.name]
                clients[link].call(write.request)
                before = point.text(meter.expected[point.name])
                meter.expected[point.name] = write.value
                print_line(
                    f"  over {link}, function {write.request.function_code:>2}  {point.name:<13}  "
                    f"{before} -> {point.text(write.value)} {point.unit}".rstrip()
                )

        print_line("\nRead, each over every link\n")
        readings = {link: read_meter(client) for link, client in clients.items()}
        print_table(readings)
        for link in clients:
            meter.compare(link, readings[link])

        print_line("\nThe bytes that read the three voltages (function 4)")
        for link, client in clients.items():
            explain_exchange(link, *trace(client))


def demonstrate() -> list[str]:
    """The whole demonstration; what was read and is not what it should be, in words."""
    meter = Comparison()
    units = Units({UNIT: make_meter()})
    with serial_line() if hasattr(os, "openpty") else nullcontext() as line:
        show(units, line, meter)
        print_line("\nServed and read again")
        others = [("trio", through_trio)]
        if find_spec("modwire_gevent") is not None:
            others.append(("gevent", through_gevent))
        for name, through in others:
            found = through(units, line)
            for link, readings in found.items():
                meter.compare(f"{link} with {name}", readings)
            print_line(f"  through modwire_{name}, over {' and '.join(found)}")
    if not meter.wrong:
        print_line(f"\nAll {meter.count} values are what was put in or written.")
    return meter.wrong


def _host_and_port(address: tuple[str, int] | str) -> tuple[str, int]:
    assert not isinstance(address, str)
    return address
