"""Types of values and maps that checkers must infer; for mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from enum import Enum, IntFlag
from math import nan
from typing import TypeVar

from typing_extensions import assert_type

from modwire.calls import AsyncCalls, BlockingCalls
from modwire.maps import (
    Point,
    RegisterMap,
    array,
    bcd,
    bit,
    bit_field,
    bits,
    coil,
    coils,
    enum,
    float32,
    int16,
    int32,
    point,
    string,
    uint16,
    uint32,
)
from modwire.planner import WriteFunctions
from modwire.values import (
    RegisterBuilder,
    RegisterReader,
    ValueType,
    array_of,
    bcd_of,
    bits_of,
    enum_of,
    from_registers,
    optional,
    scaled,
    string_of,
    to_registers,
)

MapT = TypeVar("MapT", bound=RegisterMap)


class Mode(Enum):
    OFF = 0
    AUTO = 1


class Alarm(IntFlag):
    HOT = 1


class Date:
    pass


def pack_date(value: Date) -> bytes:
    return bytes(4)


def unpack_date(data: bytes) -> Date:
    return Date()


DATE = ValueType("date", 4, pack_date, unpack_date)


class Meter(RegisterMap):
    voltage = float32(holding=0x0010, scale=0.1, unit="V")
    count = int32(input=0, order="CDAB")
    current = uint16(input=2, scale=0.01)
    mode = enum(Mode, holding=3)
    alarms = enum(Alarm, holding=4)
    serial = string(8, input=20)
    digits = bcd(8, input=30)
    flags = bits(16, holding=5)
    phase = array("float32", 3, input=40)
    counts = array("uint32", 3, input=50)
    texts = array(string_of(4), 2, input=60)
    date = point(DATE, holding=70)
    running = coil(0)
    relays = coils(1, 8)
    fault = bit(3, holding=6)
    level = bit_field(4, 4, holding=6)


class Inverter(RegisterMap, write_functions=WriteFunctions(6, 16)):
    factor = int16(holding=0, none=0x8000)
    places = uint16(holding=1)
    power = int16(holding=2, scale=factor)
    energy = uint32(holding=3, scale=places)
    limit = uint16(holding=5, scale=factor, none=0xFFFF)
    named = uint16(holding=18, scale="factor")
    used = uint16(holding=6, scale=0.1, none=(0x7FFF, 0xFFFF))
    frequency = float32(holding=7, none=nan)
    state = enum(Mode, holding=9, none=0xFFFF)
    phases = array(optional("int16", 0x8000), 3, holding=10)
    digits = bcd(4, holding=13, none=0xFFFF)
    flags = bits(16, holding=14, none=0xFFFF)
    date = point(DATE, holding=15, none=0)
    part = bit_field(0, 4, holding=17, none=15)
    name = string(8, holding=20, nul_terminated=True, errors="replace")


def points_with_none_are_optional(inverter: Inverter, client: BlockingCalls) -> None:
    assert_type(inverter.factor, int | None)
    assert_type(inverter.places, int)
    assert_type(inverter.power, float | None)
    assert_type(inverter.energy, float)
    assert_type(inverter.limit, float | None)
    assert_type(inverter.used, float | None)
    assert_type(inverter.frequency, float | None)
    assert_type(inverter.state, Mode | None)
    assert_type(inverter.phases, Sequence[int | None])
    assert_type(inverter.digits, int | None)
    assert_type(inverter.flags, Sequence[bool] | None)
    assert_type(inverter.date, Date | None)
    assert_type(inverter.part, int | None)
    assert_type(inverter.name, str)
    assert_type(Inverter.power, Point[float | None])
    assert_type(Inverter.power.read(client), float | None)
    inverter.factor = None
    inverter.places = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    float32(holding=0, scale=Inverter.places)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    int16(holding=0, scale=Inverter.used)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]


def single_values_may_be_none() -> None:
    assert_type(from_registers(optional("float32", nan), [1, 2]), float | None)
    assert_type(from_registers(optional(enum_of(Mode), (1, 2)), [1]), Mode | None)


def attributes_have_the_types_of_their_points(meter: Meter) -> None:
    assert_type(meter.voltage, float)
    assert_type(meter.count, int)
    assert_type(meter.current, float)
    assert_type(meter.mode, Mode)
    assert_type(meter.alarms, Alarm)
    assert_type(meter.serial, str)
    assert_type(meter.digits, int)
    assert_type(meter.flags, Sequence[bool])
    assert_type(meter.phase, Sequence[float])
    assert_type(meter.counts, Sequence[int])
    assert_type(meter.texts, Sequence[str])
    assert_type(meter.date, Date)
    assert_type(meter.running, bool)
    assert_type(meter.relays, Sequence[bool])
    assert_type(meter.fault, bool)
    assert_type(meter.level, int)


def attributes_of_the_class_are_points() -> None:
    assert_type(Meter.voltage, Point[float])
    assert_type(Meter.mode, Point[Mode])


def attributes_take_what_their_points_hold(meter: Meter) -> None:
    meter.voltage = 230
    meter.mode = Mode.AUTO
    meter.relays = [True] * 8
    meter.date = Date()
    meter.voltage = "230"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    meter.mode = 1  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


def a_blocking_client_gives_a_map(client: BlockingCalls, meter: Meter) -> None:
    assert_type(Meter.read(client), Meter)
    assert_type(Meter.read(client, Meter.voltage, Meter.mode, unit=3, timeout=0.5), Meter)
    assert_type(Meter.read(client, planner=Meter.planner()).mode, Mode)
    assert_type(Meter.voltage.read(client), float)
    Meter.voltage.write(client, 230.0)
    Meter.voltage.write(client, "230")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert_type(meter.write(client), None)


def any_map_keeps_its_class(kind: type[MapT], client: BlockingCalls) -> MapT:
    return kind.read(client)


async def a_blocking_client_is_not_awaited(client: BlockingCalls) -> None:
    await Meter.read(client)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await Meter.voltage.read(client)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]


def an_async_client_gives_a_coroutine(client: AsyncCalls, meter: Meter) -> None:
    _ = assert_type(Meter.read(client), Coroutine[object, object, Meter])
    _ = assert_type(Meter.voltage.read(client), Coroutine[object, object, float])
    _ = assert_type(Meter.voltage.write(client, 1.0), Coroutine[object, object, None])
    _ = assert_type(meter.write(client), Coroutine[object, object, None])
    Meter.read(client)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    Meter.read(client).voltage  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


def what_is_no_client_is_refused(meter: Meter) -> None:
    Meter.read("tcp://meter")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    meter.write(None)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def an_async_client_gives_one_when_awaited(client: AsyncCalls, meter: Meter) -> None:
    assert_type(await Meter.read(client), Meter)
    assert_type((await Meter.read(client, Meter.voltage, unit=3, timeout=0.5)).voltage, float)
    assert_type(await Meter.voltage.read(client), float)
    await Meter.voltage.write(client, 230.0)
    await meter.write(client)


def single_values_have_the_types_of_their_names() -> None:
    assert_type(from_registers("uint16", [1]), int)
    assert_type(from_registers("float32", [1, 2], word_order="little"), float)
    assert_type(from_registers(string_of(4), [1, 2], order="BADC"), str)
    assert_type(from_registers(DATE, [1, 2]), Date)
    assert_type(to_registers("float32", 22.34, word_order="little"), list[int])
    assert_type(from_registers(array_of("uint16", 2), [1, 2]), Sequence[int])
    assert_type(from_registers(array_of(scaled("int16", 0.1), 2), [1, 2]), Sequence[float])
    assert_type(from_registers(enum_of(Mode), [1]), Mode)
    to_registers("float32", "x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    to_registers("float33", 1.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def values_in_a_row_do_too(reader: RegisterReader) -> None:
    assert_type(RegisterBuilder().add("uint8", 1).add(string_of(4), "pump"), RegisterBuilder)
    assert_type(reader.read("int64"), int)
    assert_type(reader.read("float16", word_order="little"), float)
    assert_type(reader.read(bits_of(16)), Sequence[bool])
    assert_type(reader.read(bcd_of(4)), int)
    assert_type(reader.read(DATE), Date)
