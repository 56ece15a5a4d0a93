"""The first part of `modwire demo`: a small energy meter, read and written over TCP and RTU.

One unit is served on a loopback port, and on two joined pseudo-terminals instead of a serial line;
then it is served and read again through trio and, if they are installed, asyncio and gevent. All
values that are read are compared with the expected ones.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from functools import partial
from importlib.util import find_spec
from typing import TypedDict

from modwire import BlockingCalls, Units
from modwire.units.tables import BIT_TABLES
from modwire_sync import SerialClient, SerialServer, TcpClient, TcpServer

from ..addresses import Place
from ..cli.output import print_line
from ..explain import explain_frame
from ..values.types import shown
from .line import serial_line
from .meter import Meter, known_meter, make_meter


class _ClientOptions(TypedDict):
    unit: int
    timeout: float


UNIT = 1
_CLIENT: _ClientOptions = {"unit": UNIT, "timeout": 20.0}  # seconds, enough for a busy machine
# The values to write over each link.
WRITES: dict[str, dict[str, float | bool]] = {
    "TCP": {"demand_period": 30, "relay_1": True},
    "RTU": {"power_limit": 4200.5, "relay_2": True},
}
Line = tuple[str, str] | None


class Wire(logging.Handler):
    """Keeps the bytes that a client sends and receives, from the logger `modwire.wire`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = self.received = b""

    def emit(self, record: logging.LogRecord) -> None:
        # Messages of a client have a colon here, messages of a server do not.
        _, sent, data = record.getMessage().partition(": sent ")
        if sent:
            self.sent += bytes.fromhex(data)
        _, received, data = record.getMessage().partition(": received ")
        if received:
            self.received += bytes.fromhex(data)


def trace(call: Callable[[], object]) -> tuple[bytes, bytes]:
    """Return the bytes that a client sends and receives during `call`."""
    wire, logger = Wire(), logging.getLogger("modwire.wire")
    logger.addHandler(wire)
    logger.setLevel(logging.DEBUG)
    try:
        call()
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(wire)
    return wire.sent, wire.received


def through_trio(units: Units, line: Line) -> dict[str, Meter]:
    """Return the meter as modwire_trio reads it from its own servers, by link."""
    import trio

    import modwire_trio

    found: dict[str, Meter] = {}

    async def read(link: str, client: modwire_trio.Client) -> None:
        async with client:
            found[link] = await Meter.read(client)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            host, port = await nursery.start(modwire_trio.serve_tcp, units, 0)
            await read("TCP", modwire_trio.TcpClient(host, port, **_CLIENT))
            if line is not None:
                await nursery.start(modwire_trio.serve_serial, units, line[0])
                await read("RTU", modwire_trio.SerialClient(line[1], **_CLIENT))
            nursery.cancel_scope.cancel()

    trio.run(main)
    return found


def through_asyncio(units: Units, line: Line) -> dict[str, Meter]:
    """Return the meter as modwire_asyncio reads it from its own servers, by link."""
    import asyncio

    import modwire_asyncio

    found: dict[str, Meter] = {}

    async def read(link: str, client: modwire_asyncio.Client) -> None:
        async with client:
            found[link] = await Meter.read(client)

    async def main() -> None:
        async with modwire_asyncio.TcpServer(units, ("127.0.0.1", 0)) as server:
            host, port = _host_and_port(server.address)
            await read("TCP", modwire_asyncio.TcpClient(host, port, **_CLIENT))
        if line is not None:
            async with modwire_asyncio.SerialServer(units, line[0]):
                await read("RTU", modwire_asyncio.SerialClient(line[1], **_CLIENT))

    asyncio.run(main())
    return found


def through_gevent(units: Units, line: Line) -> dict[str, Meter]:
    """Return the meter as modwire_gevent reads it from its own servers, by link."""
    import modwire_gevent

    found: dict[str, Meter] = {}
    with ExitStack() as stack:
        server = stack.enter_context(modwire_gevent.TcpServer(units, ("127.0.0.1", 0)))
        host, port = _host_and_port(server.address)
        client = stack.enter_context(modwire_gevent.TcpClient(host, port, **_CLIENT))
        found["TCP"] = Meter.read(client)
        if line is not None:
            stack.enter_context(modwire_gevent.SerialServer(units, line[0]))
            serial = stack.enter_context(modwire_gevent.SerialClient(line[1], **_CLIENT))
            found["RTU"] = Meter.read(serial)
    return found


OTHERS: dict[str, Callable[[Units, Line], dict[str, Meter]]] = {
    "asyncio": through_asyncio,
    "trio": through_trio,
    "gevent": through_gevent,
}


class Comparison:
    """The expected values, and the number of compared ones; `wrong` describes differences."""

    def __init__(self) -> None:
        self.expected = known_meter()
        self.count = 0
        self.wrong: list[str] = []

    def compare(self, link: str, meter: Meter) -> None:
        """Compare the values that were read over `link`."""
        expected = self.expected.as_dict()
        self.count += len(expected)
        for name, value in meter.as_dict().items():
            if value != expected[name]:
                self.wrong.append(f"{name} over {link} is {value}, not {expected[name]}")


def print_table(meters: Mapping[str, Meter]) -> None:
    """Print the points, with their value over each link."""
    links = list(meters)
    row = "{:<14} {:<6} {:<9}" + "  {:>10}" * len(links) + "  {:<4}"
    head = row.format("name", "place", "registers", *[f"over {link}" for link in links], "unit")
    print_line(f"{head.rstrip()}\n{'-' * len(head)}")
    for name, point in Meter.points.items():
        raw = meters[links[0]].raw(point)
        is_bit = point.span.table in BIT_TABLES
        registers = str(int(raw[0])) if is_bit else " ".join(f"{each:04X}" for each in raw)
        texts = [shown(getattr(meter, name)) for meter in meters.values()]
        place = str(Place(point.span.table, point.span.address))
        print_line(row.format(name, place, registers, *texts, point.unit).rstrip())


def print_frame(link: str, data: bytes, *, is_response: bool) -> None:
    """Print a frame field by field: the position, the bytes, the field and its meaning."""
    kind = "response" if is_response else "request"
    print_line(f"\n{link} {kind}, {len(data)} bytes")
    for field in explain_frame(data, link.lower(), is_response=is_response).fields:
        digits = field.data.hex(" ")
        print_line(f"  {field.start:>2}  {digits:<8}  {field.name:<17} {field.meaning}")


def show(units: Units, line: Line, meter: Comparison) -> None:
    """Serve the meter with modwire_sync; read, write and print it."""
    with ExitStack() as stack:
        server = stack.enter_context(TcpServer(units, ("127.0.0.1", 0)))
        clients: dict[str, BlockingCalls] = {}
        host, port = _host_and_port(server.address)
        clients["TCP"] = stack.enter_context(TcpClient(host, port, **_CLIENT))
        print_line(f"A small energy meter, unit {UNIT}, answers")
        print_line(f"  over TCP  at {host}:{port}")
        if line is not None:
            one_end, other_end = line
            stack.enter_context(SerialServer(units, one_end))
            clients["RTU"] = stack.enter_context(SerialClient(other_end, **_CLIENT))
            print_line(f"  over RTU  at {other_end}, joined to {one_end}")
        else:
            print_line("  (and not over RTU: this system has no pseudo-terminals)")

        print_line("\nIt identifies itself (function 43/14)")
        for object_id, text in clients["TCP"].read_device_identification(2).items():
            print_line(f"  object {object_id}  {text.decode()}")

        print_line("\nWritten")
        for link, client in clients.items():
            for name, value in WRITES[link].items():
                before = getattr(meter.expected, name)
                setattr(meter.expected, name, value)
                sent, _ = trace(partial(meter.expected.write, client))
                words = explain_frame(sent, link.lower(), is_response=False).words
                print_line(f"  {link}  {name:<13}  {shown(before)} -> {shown(value)}: {words}")

        print_line("\nRead, each over every link\n")
        found = {link: Meter.read(client) for link, client in clients.items()}
        print_table(found)
        for link, read in found.items():
            meter.compare(link, read)

        print_line("\nThe bytes that read the three voltages (function 4)")
        for link, client in clients.items():
            sent, received = trace(partial(client.read_input_registers, 0, 3))
            print_frame(link, sent, is_response=False)
            print_frame(link, received, is_response=True)


def demonstrate() -> list[str]:
    """Run the demonstration; return the differences between expected and read values."""
    meter = Comparison()
    meter.expected.take_changes()
    units = Units({UNIT: make_meter()})
    with serial_line() if hasattr(os, "openpty") else nullcontext() as line:
        show(units, line, meter)
        print_line("\nServed and read again")
        for name, through in OTHERS.items():
            if find_spec(f"modwire_{name}") is None:
                continue
            found = through(units, line)
            for link, read in found.items():
                meter.compare(f"{link} with {name}", read)
            print_line(f"  through modwire_{name}, over {' and '.join(found)}")
    if not meter.wrong:
        print_line(f"\nAll {meter.count} values are what was put in or written.")
    return meter.wrong


def _host_and_port(address: tuple[str, int] | str) -> tuple[str, int]:
    assert not isinstance(address, str)
    return address
