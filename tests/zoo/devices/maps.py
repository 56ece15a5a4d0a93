"""Devices whose registers hold odd values, or whose map has holes or lacks functions.

They are asked by register maps, and by the command with types.
"""

from __future__ import annotations

import struct

from modwire import IllegalFunctionError, InvalidResponseError
from modwire.maps import (
    RegisterMap,
    bit,
    coil,
    float32,
    int16,
    int32,
    string,
    uint16,
    uint32,
)
from modwire.planner import WriteFunctions

from ..asks import MapRead, MapWrite
from ..device import WRONG, Fails, On, device
from ..line import Line, Request

BOTH: tuple[On, On] = ("tcp", "rtu")


def holding(line: Line, address: int, *values: int) -> None:
    """Answer all requests right, with these values in registers."""
    fill(line, address, *values)
    line.answer_all()


def fill(line: Line, address: int, *values: int) -> None:
    for at, value in enumerate(values, address):
        line.state.registers.setdefault(at, value)


class Raw(RegisterMap):
    temperature = int16(holding=10)
    power = int16(holding=11)


class Absent(RegisterMap):
    temperature = int16(holding=10, none=0x8000)
    power = int16(holding=11)


@device(
    "says 0x8000 in registers that have no value",
    on=BOTH,
    symptom="Values of -32768, -3276.8 or 65535 of things that are not there",
    seen_in="SunSpec inverters, meters without a second phase",
    without=WRONG,
    declare="`int16(..., none=0x8000)` in a register map",
    asks=[MapRead(Raw, {"temperature": -32768, "power": 42})],
    then_asks=[MapRead(Absent, {"temperature": None, "power": 42})],
    advice="the value is None then; `none` takes several raw values too",
)
def no_value(line: Line) -> None:
    holding(line, 10, 0x8000, 42)


class Unscaled(RegisterMap):
    power = int16(holding=10)
    energy = uint32(holding=12)


class Scaled(RegisterMap):
    factor = int16(holding=11)
    power = int16(holding=10, scale=factor)
    energy = uint32(holding=12)


@device(
    "has the scale factor of a value in another register, and changes it",
    on=BOTH,
    symptom="Values are wrong by a power of 10, now and then",
    seen_in="SunSpec inverters and meters",
    without=WRONG,
    declare="`int16(..., scale=factor)`, where `factor` is a point, in a register map",
    asks=[
        MapRead(
            Unscaled,
            {"power": 1234, "energy": 65538},
            places=("hr:10/int16", "hr:12/uint32"),
            shows=(1234, 65538),
        )
    ],
    then_asks=[
        MapRead(Scaled, {"factor": -1, "power": 123.4, "energy": 65538}),
        MapWrite(Scaled, {"power": 150.5}),
        MapRead(Scaled, {"factor": -1, "power": 150.5, "energy": 65538}),
    ],
)
def scale_factor(line: Line) -> None:
    holding(line, 10, 1234, 0xFFFF, 1, 2)


class Strict(RegisterMap):
    name = string(4, holding=10)
    power = uint16(holding=20)


class Lenient(RegisterMap):
    name = string(4, holding=10, errors="replace")
    power = uint16(holding=20)


@device(
    "has a text that is not UTF-8",
    on=BOTH,
    symptom="InvalidResponseError for a text, the other values are right",
    seen_in="devices with names in Latin-1, or with random bytes in an unset name",
    without=Fails(InvalidResponseError, "name", at_client=True),
    declare='`string(..., errors="replace")` in a register map',
    asks=[MapRead(Strict, {})],
    then_asks=[MapRead(Lenient, {"name": "B�ro", "power": 7})],
)
def not_utf8(line: Line) -> None:
    fill(line, 20, 7)
    holding(line, 10, 0x42FC, 0x726F, 0, 0)


class Whole(RegisterMap):
    name = string(8, holding=10)


class Ended(RegisterMap):
    name = string(8, holding=10, nul_terminated=True)


@device(
    "has rubbish behind the end of a text",
    on=BOTH,
    symptom="Texts with more behind the end: the name of a longer product, or odd characters",
    seen_in="devices that copy a C string into a buffer that was used before",
    without=WRONG,
    declare="`string(..., nul_terminated=True)` in a register map",
    asks=[MapRead(Whole, {"name": "AB\0old"})],
    then_asks=[MapRead(Ended, {"name": "AB"})],
)
def after_the_nul(line: Line) -> None:
    holding(line, 10, 0x4142, 0x006F, 0x6C64, 0)


class Big(RegisterMap):
    speed = float32(holding=10)
    count = int32(holding=12)


class WordsSwapped(RegisterMap, order="CDAB"):
    speed = float32(holding=10)
    count = int32(holding=12)


class BytesSwapped(RegisterMap, order="BADC"):
    speed = float32(holding=10)
    count = int32(holding=12)


class AllSwapped(RegisterMap, order="DCBA"):
    speed = float32(holding=10)
    count = int32(holding=12)


def swapped(name: str, kind: type[RegisterMap], order: str, seen_in: str) -> None:
    """Put a device into the zoo that sends 22.5 and 100000 in another order than ABCD."""
    right = struct.pack(">f", 22.5), struct.pack(">i", 100000)
    sent = bytes(value["ABCD".index(letter)] for value in right for letter in order)
    values = struct.unpack(">4H", sent)
    speed, count = struct.unpack(">fi", sent)

    def script(line: Line) -> None:
        holding(line, 10, *values)

    script.__name__ = name
    device(
        f"sends values of 32 bits in the order {order}",
        on=BOTH,
        symptom="32-bit values are absurd: huge, tiny, or jump by 65536",
        seen_in=seen_in,
        without=WRONG,
        declare=f'`class Device(RegisterMap, order="{order}")`; `modwire read --order {order}`',
        asks=[MapRead(Big, {"speed": speed, "count": count})],
        then_asks=[
            MapRead(
                kind,
                {"speed": 22.5, "count": 100000},
                places=("hr:10/float32", "hr:12/int32"),
                shows=(22.5, 100000),
                options=("--order", order),
            ),
        ],
    )(script)


swapped("words_swapped", WordsSwapped, "CDAB", "most PLCs of the Modicon kind, many meters")
swapped("bytes_swapped", BytesSwapped, "BADC", "gateways to buses of little-endian devices")
swapped("all_swapped", AllSwapped, "DCBA", "devices that send the memory of an ARM or x86 as it is")


class Switches(RegisterMap):
    pump = bit(0, holding=10)
    valve = bit(3, holding=10)


class SwitchesWithout22(Switches, write_functions=WriteFunctions(6, 16)):
    pass


@device(
    "does not know function 22",
    on=BOTH,
    symptom="Writes of a bit in a register: exception 01 (illegal function)",
    seen_in="nearly all devices",
    without=(IllegalFunctionError, "exception 01"),
    declare="`class Device(RegisterMap, write_functions=WriteFunctions(6, 16))`; `modwire write "
    "--functions 6,16`",
    asks=[MapWrite(Switches, {"valve": True}, ("write", "hr:10/bit:3=on"))],
    then_asks=[
        MapWrite(
            SwitchesWithout22,
            {"valve": True},
            ("write", "hr:10/bit:3=on", "--functions", "6,16"),
        ),
        MapRead(SwitchesWithout22, {"pump": True, "valve": True}, (), ("hr:10",), (0x4009,)),
    ],
    advice="the register is read, changed and written back",
)
def without_22(line: Line) -> None:
    holding(line, 10, 0x4001)


class Drive(RegisterMap):
    mode = uint16(holding=10)
    speed = uint16(holding=11)
    limit = uint16(holding=20)


class Drive16(Drive, write_functions=WriteFunctions(16)):
    pass


class Drive6(Drive, write_functions=WriteFunctions(6)):
    pass


def knows(line: Line, *functions: int) -> None:
    for request in line.requests():
        known = request.function in functions
        line.send(request.frame(None if known else request.refusal(1)))


SET = {"mode": 1, "speed": 1450, "limit": 99}
WORDS = ("write", "hr:10=1,1450", "hr:20=99")
PLACES = ("hr:10", "hr:11", "hr:20")


@device(
    "knows function 16 only, and is written by a map",
    on=BOTH,
    symptom="`write` of a map: exception 01 (illegal function)",
    seen_in="inverters and storages",
    without=(IllegalFunctionError, "exception 01"),
    declare="`class Device(RegisterMap, write_functions=WriteFunctions(16))`; `modwire write "
    "--functions 16`",
    asks=[MapWrite(Drive, SET, WORDS)],
    then_asks=[
        MapWrite(Drive16, SET, (*WORDS, "--functions", "16")),
        MapRead(Drive16, SET, (), PLACES, tuple(SET.values())),
    ],
)
def map_only_16(line: Line) -> None:
    knows(line, 3, 16)


@device(
    "knows function 6 only, and is written by a map",
    on=BOTH,
    symptom="`write` of a map: exception 01 (illegal function)",
    seen_in="drives, thermostats, relay boards",
    without=(IllegalFunctionError, "exception 01"),
    declare="`class Device(RegisterMap, write_functions=WriteFunctions(6))`; `modwire write "
    "--functions 6`",
    asks=[MapWrite(Drive, SET, WORDS)],
    then_asks=[
        MapWrite(Drive6, SET, (*WORDS, "--functions", "6")),
        MapRead(Drive6, SET, (), PLACES, tuple(SET.values())),
    ],
    advice="values of several registers are written one register after the other",
)
def map_only_6(line: Line) -> None:
    knows(line, 3, 6)


class Holey(RegisterMap):
    first = uint16(holding=100)
    second = uint16(holding=102)
    third = uint32(holding=103)


class Gone(Holey):
    gone = uint16(holding=101)


AROUND = {"first": 100, "second": 102, "third": 103 << 16 | 104}


def refused(request: Request, code: int) -> bytes | None:
    is_refused = request.address <= 101 < request.address + request.count
    return request.refusal(code) if is_refused else None


def holes(code: int, text: str, seen_in: str) -> None:
    """Put a device into the zoo whose map has a hole between two points."""

    def script(line: Line) -> None:
        for request in line.requests():
            line.send(request.frame(refused(request, code)))

    script.__name__ = f"map_hole_0{code}"
    device(
        f"refuses reads across a gap in its map with exception 0{code} ({text}), read by a map",
        on=BOTH,
        symptom="Nothing; all points are there",
        seen_in=seen_in,
        advice="`planner=` remembers the gaps",
        asks=[
            MapRead(
                Holey,
                AROUND,
                places=("hr:100", "hr:102", "hr:103/uint32"),
                shows=tuple(AROUND.values()),
            ),
        ],
    )(script)


@device(
    "does not have one of the points of a map: exception 02",
    on=BOTH,
    symptom="Nothing; that point raises exception 02 when it is looked at",
    seen_in="variants and older versions of a device",
    advice="`read_errors` lists such points",
    asks=[MapRead(Gone, AROUND, refused=("gone",))],
)
def map_point_gone(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(refused(request, 2)))


holes(2, "illegal data address", "most meters and inverters")
holes(3, "illegal data value", "inverters that check the quantity first")
holes(4, "server device failure", "devices behind a logger")


class WithCoils(RegisterMap):
    running = coil(0)
    power = uint16(holding=100)


@device(
    "has no coils, and is read by a map that has",
    on=BOTH,
    symptom="Nothing; a coil raises exception 01 when it is looked at",
    seen_in="variants of a device that share a manual",
    asks=[MapRead(WithCoils, {"power": 100}, refused=("running",))],
)
def map_no_coils(line: Line) -> None:
    knows(line, 3, 4)


class Long(RegisterMap):
    first = uint16(holding=0)
    middle = uint16(holding=50)
    last = uint16(holding=99)
    name = string(160, holding=120)


@device(
    "refuses more than 16 registers at a time with exception 03, read by a map",
    on="tcp",
    symptom="exception 03 for long points, such as texts; short ones are read",
    seen_in="drives with a small buffer",
    asks=[MapRead(Long, {"first": 0, "middle": 50, "last": 99}, refused=("name",))],
    advice="declare a long text as several points",
)
def map_most_16(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(3) if request.count > 16 else None))
