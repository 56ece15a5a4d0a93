"""The main job, run by `make demo`: a small energy meter, read and written over TCP and over RTU.

One unit is served on a loopback port and on a pseudo-terminal pair, which stands for a serial
line; then it is served and read again through trio and through gevent. Everything that is read
is compared with what was put in: the exit code is 1 if any of it differs.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import NamedTuple

import trio
from meter import POINTS, REQUESTS, SETTINGS, Reading, make_meter, understand

import modwire_gevent
import modwire_trio
from modwire import BlockingCalls, Units, crc16
from modwire_sync import SerialClient, SerialServer, TcpClient, TcpServer

UNIT = 1


def read_meter(client: BlockingCalls) -> dict[str, Reading]:
    """All points over one link."""
    return understand({table: client.call(request) for table, request in REQUESTS.items()})


class Write(NamedTuple):
    """A setting to be changed: by which function, and how."""

    function: int
    name: str
    value: float
    send: Callable[[BlockingCalls], None]


LIMIT = SETTINGS["Power limit"]

# What is written over each link: TCP, RTU.
WRITES: list[list[Write]] = [
    [
        Write(6, "Demand period", 30, lambda client: client.write_register(0, 30)),
        Write(5, "Relay 1", 1, lambda client: client.write_coil(0, True)),
    ],
    [
        Write(
            16,
            "Power limit",
            4200.5,
            lambda client: client.write_registers(LIMIT.address, LIMIT.to_registers(4200.5)),
        ),
        Write(15, "Relay 2", 1, lambda client: client.write_coils(1, [True])),
    ],
]


# The links.


@contextmanager
def serial_line() -> Iterator[tuple[str, str]]:
    """The names of two serial ports joined by a cable: what goes in at one comes out at the other.

    A pseudo-terminal has a name at one end only, so it takes two, and a thread between them.
    """
    import tty

    pairs = [os.openpty(), os.openpty()]
    wake, waker = os.pipe()
    (left, left_port), (right, right_port) = pairs
    for port in (left_port, right_port):
        tty.setraw(port)

    def carry() -> None:
        while True:
            ready, _, _ = select.select([left, right, wake], [], [])
            if wake in ready:
                return
            for end in ready:
                os.write(right if end == left else left, os.read(end, 4096))

    cable = threading.Thread(target=carry, name="cable")
    cable.start()
    try:
        yield os.ttyname(left_port), os.ttyname(right_port)
    finally:
        os.write(waker, b".")
        cable.join()
        for fd in (left, left_port, right, right_port, wake, waker):
            os.close(fd)


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
    found: dict[str, dict[str, Reading]] = {}

    async def read(link: str, client: modwire_trio.Client) -> None:
        async with client:
            found[link] = understand({key: await client.call(REQUESTS[key]) for key in REQUESTS})

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
    found: dict[str, dict[str, Reading]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(modwire_gevent.TcpServer(units, ("127.0.0.1", 0)))
        client = stack.enter_context(modwire_gevent.TcpClient(*server.address, unit=UNIT))
        found["TCP"] = read_meter(client)
        if line is not None:
            stack.enter_context(modwire_gevent.SerialServer(units, line[0]))
            serial = stack.enter_context(modwire_gevent.SerialClient(line[1], unit=UNIT))
            found["RTU"] = read_meter(serial)
    return found


# What is printed.


def print_table(readings: dict[str, dict[str, Reading]]) -> None:
    links = list(readings)
    row = "{:<14} {:<8} {:>4}  {:<9}" + "  {:>10}" * len(links) + "  {:<4}"
    head = row.format("name", "table", "addr", "registers", *[f"over {x}" for x in links], "unit")
    print(head.rstrip())
    print("-" * len(head))
    for point in POINTS:
        found = [readings[link][point.name] for link in links]
        texts = [point.text(reading.value) for reading in found]
        line = row.format(point.name, point.table, point.address, found[0].raw, *texts, point.unit)
        print(line.rstrip())


def explain(title: str, adu: bytes, fields: list[tuple[int, str, str]]) -> None:
    """Print an ADU field by field: (how many bytes, field, meaning)."""
    print(f"\n{title}, {len(adu)} bytes")
    at = 0
    for size, field, meaning in fields:
        print(f"  {at:>2}  {adu[at : at + size].hex(' '):<8}  {field:<17} {meaning}")
        at += size


def explain_exchange(link: str, request: bytes, response: bytes) -> None:
    """Print the bytes that asked for three input registers, and those that answered."""
    start = 7 if link == "TCP" else 1
    asked = [
        (1, "function", "4, read input registers"),
        (2, "address", f"{number(request, start + 1)}, the first register"),
        (2, "quantity", f"{number(request, start + 3)} registers"),
    ]
    answered = [
        (1, "function", "4, as asked; 84 would be an exception"),
        (1, "byte count", f"{response[start + 1]}, two for each register"),
    ]
    for index, point in enumerate(POINTS[:3]):
        value = number(response, start + 2 + 2 * index)
        answered.append((2, f"register {index}", f"{value}: {point.name} is {value / 10} V"))
    explain(f"{link} request", request, wrap(link, request, asked))
    explain(f"{link} response", response, wrap(link, response, answered))


def wrap(link: str, adu: bytes, pdu: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """The fields of an ADU: those of its PDU, and what the link puts around them."""
    if link == "TCP":
        transaction, length = number(adu, 0), number(adu, 4)
        return [
            (2, "transaction id", f"{transaction}, which request and response share"),
            (2, "protocol id", "0, Modbus"),
            (2, "length", f"{length} bytes follow"),
            (1, "unit id", f"{adu[6]}"),
            *pdu,
        ]
    crc = int.from_bytes(adu[-2:], "little")
    verdict = "right" if crc == crc16(adu[:-2]) else "wrong"
    return [
        (1, "unit id", f"{adu[0]}"),
        *pdu,
        (2, "CRC-16", f"{crc:04X}, low byte first: {verdict}"),
    ]


def number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


class Comparison:
    """What was put in and written, and what was read that differs from it."""

    def __init__(self) -> None:
        self.expected = {point.name: point.value for point in POINTS}
        self.wrong: list[str] = []
        self.count = 0

    def compare(self, link: str, readings: dict[str, Reading]) -> None:
        self.count += len(readings)
        for name, reading in readings.items():
            if reading.value != self.expected[name]:
                self.wrong.append(
                    f"{name} over {link} is {reading.value}, not {self.expected[name]}"
                )


def demonstrate(units: Units, line: Line, meter: Comparison) -> None:
    """Serve the meter, read it, write it, print it, with modwire_sync."""
    with ExitStack() as stack:
        server = stack.enter_context(TcpServer(units, ("127.0.0.1", 0)))
        clients: dict[str, BlockingCalls] = {}
        clients["TCP"] = stack.enter_context(TcpClient(*server.address, unit=UNIT))
        print(f"A small energy meter, unit {UNIT}, answers")
        print("  over TCP  at {}:{}".format(*server.address))
        if line is not None:
            one_end, other_end = line
            stack.enter_context(SerialServer(units, one_end))
            clients["RTU"] = stack.enter_context(SerialClient(other_end, unit=UNIT))
            print(f"  over RTU  at {other_end}, joined to {one_end}")
        else:
            print("  (and not over RTU: this system has no pseudo-terminals)")

        print("\nIt says that it is (function 43/14)")
        for object_id, text in clients["TCP"].read_device_identification(2).items():
            print(f"  object {object_id}  {text.decode()}")

        print("\nWritten")
        for link, writes in zip(clients, WRITES, strict=False):
            for write in writes:
                point = SETTINGS[write.name]
                write.send(clients[link])
                before = point.text(meter.expected[point.name])
                meter.expected[point.name] = write.value
                print(
                    f"  over {link}, function {write.function:>2}  {point.name:<13}  "
                    f"{before} -> {point.text(write.value)} {point.unit}".rstrip()
                )

        print("\nRead, each over every link\n")
        readings = {link: read_meter(client) for link, client in clients.items()}
        print_table(readings)
        for link in clients:
            meter.compare(link, readings[link])

        print("\nThe bytes that read the three voltages (function 4)")
        for link, client in clients.items():
            explain_exchange(link, *trace(client))


def main() -> int:
    """The whole demonstration; 1 if anything read is not what it should be."""
    meter = Comparison()
    units = Units({UNIT: make_meter()})
    with serial_line() if hasattr(os, "openpty") else nullcontext() as line:
        demonstrate(units, line, meter)
        print("\nServed and read again")
        for name, through in (("trio", through_trio), ("gevent", through_gevent)):
            found = through(units, line)
            for link, readings in found.items():
                meter.compare(f"{link} with {name}", readings)
            print(f"  through modwire_{name}, over {' and '.join(found)}")
    if meter.wrong:
        print("\nWRONG:", *meter.wrong, sep="\n  ")
        return 1
    print(f"\nAll {meter.count} values are what was put in or written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
