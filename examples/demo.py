"""The main job, run by `make demo`: a small energy meter, read and written over TCP and over RTU.

One unit is served on a loopback port and on a pseudo-terminal pair, which stands for a serial
line. Everything that is read is compared with what was put in: the exit code is 1 if any of it
differs.
"""

from __future__ import annotations

import logging
import os
import select
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from modwire import BlockingCalls, Identity, SequentialBlock, Unit, Units, crc16
from modwire_sync import SerialClient, SerialServer, TcpClient, TcpServer

UNIT = 1
FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "f32": ">f"}


class Point(NamedTuple):
    """A value of the meter: where it is, and how registers stand for it."""

    name: str
    table: str  # coil, discrete, input or holding
    address: int
    kind: str  # bit, or one of FORMATS
    decimals: int  # the registers hold value * 10 ** decimals; a float holds the value itself
    unit: str
    value: float

    @property
    def size(self) -> int:
        """How many registers it takes."""
        return struct.calcsize(FORMATS[self.kind]) // 2

    def to_registers(self, value: float) -> tuple[int, ...]:
        """The registers for `value`, the high word first."""
        number = value if self.kind == "f32" else round(value * 10**self.decimals)
        return struct.unpack(f">{self.size}H", struct.pack(FORMATS[self.kind], number))

    def from_registers(self, registers: list[int]) -> float:
        """The value that `registers` stand for."""
        data = struct.pack(f">{self.size}H", *registers)
        number: float = struct.unpack(FORMATS[self.kind], data)[0]
        return number if self.kind == "f32" else number / 10**self.decimals

    def text(self, value: float) -> str:
        """The value as the table shows it."""
        return ("off", "on")[bool(value)] if self.kind == "bit" else f"{value:.{self.decimals}f}"


POINTS = [
    Point("Voltage L1", "input", 0, "u16", 1, "V", 230.4),
    Point("Voltage L2", "input", 1, "u16", 1, "V", 231.1),
    Point("Voltage L3", "input", 2, "u16", 1, "V", 229.7),
    Point("Current L1", "input", 3, "u16", 2, "A", 4.82),
    Point("Current L2", "input", 4, "u16", 2, "A", 5.17),
    Point("Current L3", "input", 5, "u16", 2, "A", 4.55),
    Point("Frequency", "input", 6, "u16", 2, "Hz", 49.98),
    Point("Power factor", "input", 7, "i16", 3, "", -0.962),
    Point("Active power", "input", 8, "f32", 2, "W", 3218.25),
    Point("Energy", "input", 10, "u32", 3, "kWh", 18462.903),
    Point("Phase missing", "discrete", 0, "bit", 0, "", 0),
    Point("Cover closed", "discrete", 1, "bit", 0, "", 1),
    Point("Demand period", "holding", 0, "u16", 0, "min", 15),
    Point("CT ratio", "holding", 1, "u16", 0, "", 40),
    Point("Power limit", "holding", 2, "f32", 1, "W", 5000.0),
    Point("Relay 1", "coil", 0, "bit", 0, "", 0),
    Point("Relay 2", "coil", 1, "bit", 0, "", 0),
]
SETTINGS = {point.name: point for point in POINTS if point.table in ("holding", "coil")}


def make_meter() -> Unit:
    """The meter with the values of POINTS in its four tables."""
    return Unit(
        coils=make_block("coil"),
        discrete_inputs=make_block("discrete"),
        holding_registers=make_block("holding"),
        input_registers=make_block("input"),
        identity=Identity({0: "modwire", 1: "DEMO-3", 2: "1.0", 4: "Small energy meter"}),
    )


def make_block(table: str) -> SequentialBlock:
    values: list[int] = []
    for point in POINTS:
        if point.table == table:
            bits = (int(point.value),)
            values += bits if point.kind == "bit" else point.to_registers(point.value)
    return SequentialBlock(0, values)


class Reading(NamedTuple):
    """What one link gave for a point: the registers, or the bit, and what it stands for."""

    raw: str
    value: float


def read_meter(client: BlockingCalls) -> dict[str, Reading]:
    """All points over one link, with one request for each table."""
    bits = {"coil": client.read_coils(0, 2), "discrete": client.read_discrete_inputs(0, 2)}
    words = {
        "input": client.read_input_registers(0, 12),
        "holding": client.read_holding_registers(0, 4),
    }
    readings: dict[str, Reading] = {}
    for point in POINTS:
        if point.kind == "bit":
            bit = bits[point.table][point.address]
            readings[point.name] = Reading(str(int(bit)), bit)
        else:
            registers = words[point.table][point.address : point.address + point.size]
            raw = " ".join(f"{register:04X}" for register in registers)
            readings[point.name] = Reading(raw, point.from_registers(registers))
    return readings


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


def main() -> int:
    """Serve the meter, read it, write it, print it; 1 if anything read is not what it should be."""
    expected = {point.name: point.value for point in POINTS}
    wrong: list[str] = []

    def compare(link: str, client: BlockingCalls) -> dict[str, Reading]:
        readings = read_meter(client)
        for name, reading in readings.items():
            if reading.value != expected[name]:
                wrong.append(f"{name} over {link} is {reading.value}, not {expected[name]}")
        return readings

    units = Units({UNIT: make_meter()})
    with ExitStack() as stack:
        server = stack.enter_context(TcpServer(units, ("127.0.0.1", 0)))
        clients: dict[str, BlockingCalls] = {}
        clients["TCP"] = stack.enter_context(TcpClient(*server.address, unit=UNIT))
        print(f"A small energy meter, unit {UNIT}, answers")
        print("  over TCP  at {}:{}".format(*server.address))
        if hasattr(os, "openpty"):
            one_end, other_end = stack.enter_context(serial_line())
            stack.enter_context(SerialServer(units, one_end))
            clients["RTU"] = stack.enter_context(SerialClient(other_end, unit=UNIT))
            print(f"  over RTU  at {other_end}, joined to {one_end}")
        else:
            print("  (and not over RTU: this system has no pseudo-terminals)")

        print("\nIt says that it is (function 43/14)")
        for object_id, text in clients["TCP"].read_device_identification(2).items():
            print(f"  object {object_id}  {text.decode()}")

        for link, client in clients.items():
            compare(link, client)
        print("\nWritten")
        for link, writes in zip(clients, WRITES, strict=False):
            for write in writes:
                point = SETTINGS[write.name]
                write.send(clients[link])
                before, after = point.text(expected[point.name]), point.text(write.value)
                expected[point.name] = write.value
                print(
                    f"  over {link}, function {write.function:>2}  {point.name:<13}  "
                    f"{before} -> {after} {point.unit}".rstrip()
                )

        print("\nRead, each over every link\n")
        print_table({link: compare(link, client) for link, client in clients.items()})

        print("\nThe bytes that read the three voltages (function 4)")
        for link, client in clients.items():
            explain_exchange(link, *trace(client))

    count = len(POINTS) * len(clients)
    if wrong:
        print("\nWRONG:", *wrong, sep="\n  ")
        return 1
    print(f"\nAll {count} values are what was put in or written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
