"""Register maps without a device: their classes, their values, and their copies."""

from __future__ import annotations

import struct
from copy import copy, deepcopy
from pickle import dumps, loads
from typing import TYPE_CHECKING, Any

import pytest

from modwire import ExceptionResponse, SequentialBlock, Unit
from modwire.errors import (
    IllegalDataAddressError,
    InvalidResponseError,
)
from modwire.maps import (
    Point,
    RegisterMap,
    array,
    bit,
    bit_field,
    coil,
    float32,
    int8,
    int16,
    int32,
    point,
    string,
    uint8,
    uint16,
    uint32,
)
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.planner import PlanLimits
from modwire.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Callable


from call_line import Blocking
from mapped_device import Device, Holes, Meter, Mode, both, measured


def test_a_client_is_told_from_what_is_none() -> None:
    for method in (Meter.read, Meter.mode.read, Meter().write):
        with pytest.raises(TypeError, match="client must be one with BlockingCalls or AsyncCalls"):
            method(object())  # type: ignore[call-overload, operator]
    with pytest.raises(TypeError, match="client must be one with"):
        Meter.mode.write(object(), Mode.AUTO)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="a planner knows what to read"):
        Meter.read(Blocking(Device(Unit())), Meter.mode, planner=Meter.planner())


def test_limits_are_those_of_the_class_and_are_inherited() -> None:
    class Careful(Holes, limits=PlanLimits(max_gap=0)):
        pass

    class More(Careful):
        fourth = uint16(holding=20)

    device = Device(Unit(holding_registers=SequentialBlock(0, list(range(30)))))
    assert More.read(Blocking(device)).fourth == 20
    assert device.spans == [(3, 0, 1), (3, 5, 2), (3, 9, 1), (3, 20, 1)]
    device.asked.clear()
    Holes.read(Blocking(device))
    assert device.spans == [(3, 0, 10)]
    assert list(More.points) == ["first", "second", "third", "fourth"]


@both
def test_a_point_alone_is_read_within_the_limits_of_its_class(ask: Any) -> None:
    class Small(RegisterMap, limits=PlanLimits(max_registers=8)):
        name = string(24, holding=0)

    device = Device(Unit(holding_registers=SequentialBlock(0, [0x4142] * 12)))
    assert ask(Small.name.read, device) == "AB" * 12
    assert device.spans == [(3, 0, 8), (3, 8, 4)]


class Swapped(RegisterMap, order="CDAB"):
    power = float32(input=0)
    energy = uint32(input=2, word_order="big")
    count = uint32(input=4, order="ABCD")
    name = string(4, input=6, byte_order="little")


def test_the_order_of_a_class_is_that_of_its_points_unless_they_have_one() -> None:
    swapped = Swapped()
    swapped.power, swapped.energy, swapped.count, swapped.name = 1.0, 1, 2, "pump"
    unit = swapped.build_unit()
    assert list(unit.input_registers.read(0, 8)) == [0, 0x3F80, 0, 1, 0, 2, 0x7570, 0x706D]
    assert Swapped.read(Blocking(Device(unit))) == swapped
    assert Swapped.power.read(Blocking(Device(unit))) == 1.0


def test_a_subclass_has_the_order_for_its_own_points_and_changes_no_other() -> None:
    class More(Swapped):
        reactive = float32(input=8)

    class Straight(Swapped, order="ABCD"):
        reactive = float32(input=8)
        also = Swapped.power

    more, straight = More(), Straight()
    more.power = more.reactive = straight.power = straight.reactive = 1.0
    assert more.raw(More.power) == more.raw(More.reactive) == [0, 0x3F80]
    assert straight.raw(Straight.power) == [0, 0x3F80]
    assert straight.raw(Straight.reactive) == [0x3F80, 0]


def test_an_order_that_there_is_not_is_refused_with_the_class() -> None:
    with pytest.raises(ValueError, match="order must be an Order or one of ABCD, CDAB"):

        class Wrong(RegisterMap, order="ACBD"):  # type: ignore[arg-type]
            pass


def test_a_subclass_may_move_a_point_or_drop_it() -> None:
    class Other(Holes):
        first = uint16(holding=1)
        second = None  # type: ignore[assignment]

    assert sorted(Other.points) == ["first", "third"]
    assert Other.points["first"].span.address == 1
    assert Holes.points["first"].span.address == 0


def test_a_value_that_was_set_is_what_the_device_will_make_of_it() -> None:
    meter = Meter()
    meter.setpoint = 21.44
    assert meter.setpoint == 21.4
    meter.relays = [True, False, True, True]
    assert meter.relays == (True, False, True, True)


def test_points_that_share_a_register_agree() -> None:
    class Shared(RegisterMap):
        word = uint16(holding=0)
        low = bit_field(0, 8, holding=0)
        top = bit(15, holding=0)
        signed = int16(holding=0)
        last = uint8(holding=0)

    shared = Shared()
    shared.word = 0x8001
    shared.low = 0x7F
    assert (shared.word, shared.top, shared.signed, shared.last) == (0x807F, True, -32641, 0x7F)
    device = Device(Shared().build_unit())
    shared.write(Blocking(device))
    assert device.asked == [WriteSingleRegisterRequest(0, 0x807F)]
    shared.write(Blocking(device))
    assert len(device.asked) == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("setpoint", 7000, r"setpoint \(holding register 19\): 7000 scaled by 0\.1: uint16 must"),
        ("mode", 1, r"mode \(holding register 18\): Mode must be one of its members, got 1"),
        ("level", 16, r"a field of 4 bits must be 0\.\.15, got 16"),
        ("level", 1.5, r"a field of 4 bits must be 0\.\.15, got 1\.5"),
        ("fault", 2, r"a bit must be True or False, got 2"),
        ("running", "on", r"running \(coil 0\): a bit must be True or False, got 'on'"),
        ("relays", [True], r"relays \(coil 1\): there must be 4 values, got 1"),
        ("relays", 5, r"relays \(coil 1\): object of type 'int' has no len"),
        ("setpoint", "warm", r"setpoint \(holding register 19\): scaled uint16 cannot be 'warm'"),
        ("serial", "AB-1234567", r"at most 8 bytes in utf-8, got 10"),
        ("energy", -1, r"energy \(input register 0\): uint32 must be an integer 0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_when_it_is_set(
    name: str, value: object, message: str
) -> None:
    meter = Meter()
    with pytest.raises(ValueError, match=message):
        setattr(meter, name, value)
    assert meter == Meter()


def test_a_misspelt_point_is_not_set_silently() -> None:
    meter = Meter()
    with pytest.raises(AttributeError, match=r"Meter has no point 'voltag', it has voltage, mode"):
        meter.voltag = 3.0  # type: ignore[attr-defined]


def test_one_bad_value_does_not_keep_the_others_from_being_read() -> None:
    unit = measured().build_unit()
    unit.input_registers.write(7, [0x12AB, 0])
    unit.holding_registers.write(0x12, [9])

    meter = Meter.read(Blocking(Device(unit)))

    assert meter.energy == 123456
    with pytest.raises(
        InvalidResponseError, match=r"digits \(input register 7\): BCD must have ha"
    ):
        _ = meter.digits
    with pytest.raises(InvalidResponseError, match="Mode must be one of 0, 2, got 9"):
        _ = meter.mode
    assert "mode=<[9]>" in repr(meter)
    assert meter.raw(Meter.mode) == [9]


def test_a_simulated_unit_has_the_points_and_no_other_address() -> None:
    unit = measured().build_unit()
    client = Blocking(Device(unit))
    assert client.read_holding_registers(0x12, 2) == [2, 215]
    assert client.read_input_registers(0, 2) == [123456 & 0xFFFF, 123456 >> 16]
    with pytest.raises(IllegalDataAddressError):
        client.read_holding_registers(0x14)
    assert Meter.load(unit) == measured()

    class Inputs(RegisterMap):
        one = uint16(input=0)

    with pytest.raises(IllegalDataAddressError, match="the unit has no coils"):
        Inputs().build_unit().coils.read(0, 1)


def test_the_owner_of_a_unit_changes_what_was_set_and_nothing_else() -> None:
    meter = measured()
    unit = meter.build_unit()
    unit.holding_registers.write(0x13, [0])
    unit.holding_registers.write(0x21, [0xFFFF])
    meter.temperature = 25.0
    meter.level = 0

    meter.store(unit)

    seen = Meter.load(unit)
    assert (seen.temperature, seen.setpoint, seen.level) == (25.0, 0.0, 0)
    assert unit.holding_registers.read(0x21, 1) == (0xFF0F,)
    meter.running = False
    with pytest.raises(IllegalDataAddressError):
        meter.store(Unit())
    meter.store(unit)
    assert Meter.load(unit).running is False


def test_inputs_can_be_simulated_past_the_rules_for_clients() -> None:
    unit = Unit(input_registers=SequentialBlock(0, [0] * 20, read_only=True))
    meter = Meter()
    meter.energy = 5
    meter.store(unit)
    assert unit.input_registers.read(0, 2) == (5, 0)


def pack_date(value: tuple[int, int]) -> bytes:
    return struct.pack(">HH", *value)


def unpack_date(data: bytes) -> tuple[int, int]:
    year, day = struct.unpack(">HH", data)
    return year, day


def test_a_type_of_ones_own_makes_points() -> None:
    class Clock(RegisterMap):
        date = point(ValueType("date", 4, pack_date, unpack_date), holding=0)
        zone = int8(holding=2)
        drift = float32(holding=3, word_order="little")
        ticks = int32(holding=5, byte_order="little")

    clock = Clock()
    clock.date = (2024, 60)
    clock.zone = -2
    clock.drift = 1.5
    clock.ticks = 1
    assert clock.date == (2024, 60)
    assert clock.raw(Clock.date) == [2024, 60]
    assert clock.zone == -2
    assert clock.raw(Clock.drift) == [0, 0x3FC0]
    assert clock.raw(Clock.ticks) == [0, 0x0100]
    assert repr(clock) == "Clock(date=(2024, 60), zone=-2, drift=1.5, ticks=1)"
    assert Clock.zone.name == "zone"
    assert Meter.voltage.unit == "V"
    assert repr(Meter.voltage) == "<Point voltage (holding register 16)>"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uint16(), "holding= or input=, got neither"),
        (lambda: uint16(holding=1, input=1), "holding= or input=, got both"),
        (lambda: uint32(holding=65535), r"addresses must be 0\.\.65535, got 65535\.\.65536"),
        (lambda: coil(-1), r"addresses must be 0\.\.65535"),
        (lambda: bit(16, holding=0), r"number must be 0\.\.15, got 16"),
        (lambda: bit_field(12, 5, holding=0), r"first \+ count must be 1\.\.16 bits, got 12 \+ 5"),
        (lambda: bit_field(0, 0, holding=0), r"first \+ count must be 1\.\.16 bits, got 0 \+ 0"),
        (lambda: uint16(holding=0, order="ABDC"), "order must be an Order or one of ABCD"),
        (lambda: uint16(holding=0, scale=0), "scale must be a finite number other than 0"),
        (lambda: array("uint17", 2, holding=0), "type must be one of int8"),
    ],
)
def test_a_point_that_cannot_be_is_told_what_is_allowed(
    make: Callable[[], Point[Any]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_misspelt_keyword_is_told_those_that_there_are() -> None:
    with pytest.raises(TypeError, match="no argument 'holdin'; did you mean 'holding'"):
        uint16(holdin=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="no argument 'scal'; did you mean 'scale'"):
        uint16(holding=3, scal=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="no argument 'scale'; it has .*input, unit and what"):
        string(4, holding=3, scale=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="^uint16 takes nothing without a name, got 40001 too"):
        uint16(40001)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="^coil has no argument 'holding'; it has address"):
        coil(holding=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["read", "write", "points", "raw"])
def test_a_point_cannot_hide_what_maps_have(name: str) -> None:
    with pytest.raises(TypeError, match=f"a point cannot be called '{name}', which maps have"):
        type("Bad", (RegisterMap,), {name: uint16(holding=0)})


def test_a_deep_copy_shares_nothing() -> None:
    class Noted(RegisterMap):
        notes: list[str] | None = None
        speed = uint16(holding=0)

    noted = Noted()
    noted.notes = ["new"]
    copied = deepcopy(noted)
    assert copied.notes is not None
    copied.notes.append("old")
    assert noted.notes == ["new"]


@both
@pytest.mark.parametrize("copied", [copy, deepcopy, lambda meter: loads(dumps(meter))])
def test_a_copy_is_a_map_of_its_own(copied: Callable[[Meter], Meter], ask: Any) -> None:
    meter = measured()
    device = Device(meter.build_unit())
    meter.setpoint = 30.0
    other = copied(meter)
    other.energy = 1
    assert (meter.energy, meter.setpoint, other.setpoint) == (123456, 30.0, 30.0)
    ask(meter.write, device)
    assert device.asked == [WriteSingleRegisterRequest(0x13, 300)]
    with pytest.raises(ValueError, match="energy"):
        ask(other.write, device)


def test_a_point_of_another_map_is_refused() -> None:
    class Pump(RegisterMap):
        speed = uint16(holding=0)

    with pytest.raises(ValueError, match=r"points must be those of Pump, got <Point setpoint"):
        Pump.read(Blocking(Device(Unit())), Meter.setpoint)
    with pytest.raises(ValueError, match=r"points must be those of Pump, got 'speed'"):
        Pump.read(Blocking(Device(Unit())), "speed")  # type: ignore[call-overload]


@both
def test_a_map_without_points_asks_for_nothing(ask: Any) -> None:
    class Empty(RegisterMap):
        pass

    device = Device(Unit())
    assert ask(Empty.read, device) == Empty()
    ask(Empty().write, device)
    assert device.asked == []
    assert Empty.planner().requests() == []
    unit = Empty().build_unit()
    assert unit.execute(ReadHoldingRegistersRequest(0, 1)) == ExceptionResponse(3, 2)


def test_maps_are_compared_by_what_they_know() -> None:
    assert measured() == measured()
    assert measured() != Meter()
    assert Meter() != Holes()
    assert Meter() != 3
