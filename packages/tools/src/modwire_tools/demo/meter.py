"""The small energy meter of the demo: its points, and how registers stand for their values."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from modwire import Identity, SequentialBlock, Unit

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

    def from_registers(self, registers: Sequence[int]) -> float:
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
    """A table with the values of its points, from address 0 on."""
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


def understand(
    bits: dict[str, Sequence[bool]], registers: dict[str, Sequence[int]]
) -> dict[str, Reading]:
    """What the values of the tables, all of each, say of every point."""
    readings: dict[str, Reading] = {}
    for point in POINTS:
        if point.kind == "bit":
            bit = bits[point.table][point.address]
            readings[point.name] = Reading(str(int(bit)), bit)
        else:
            found = registers[point.table][point.address : point.address + point.size]
            raw = " ".join(f"{register:04X}" for register in found)
            readings[point.name] = Reading(raw, point.from_registers(found))
    return readings
