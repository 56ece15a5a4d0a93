"""Points without a value, and scale factors in registers, as SunSpec devices have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from enum import Enum
from math import inf, nan
from pickle import dumps, loads
from typing import Any

import pytest

from call_line import Blocking
from mapped_device import Device, both
from modwire import SequentialBlock, SparseBlock, Unit
from modwire.errors import IllegalDataAddressError, InvalidResponseError
from modwire.maps import (
    Point,
    RegisterMap,
    array,
    bcd,
    bit_field,
    bits,
    enum,
    float32,
    int16,
    int64,
    point,
    uint16,
    uint32,
)
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.values import INT16, optional


class State(Enum):
    OFF = 1


class Inverter(RegisterMap):
    current = int16(holding=0, none=0x8000)
    event = uint16(holding=1, scale=0.1, none=(0x7FFF, 0xFFFF))
    energy = uint32(holding=2, none=0x80000000, order="CDAB")
    total = int64(holding=4, none=0x8000000000000000)
    frequency = float32(holding=8, none=nan)
    state = enum(State, holding=10, none=0xFFFF)
    flags = bits(16, holding=11, none=0xFFFF)
    digits = bcd(4, holding=12, none=0xFFFF)
    phases = array(optional("int16", 0x8000), 3, holding=13)
    part = bit_field(0, 4, holding=16, none=15)
    own = point(INT16, holding=17, none=0x8000)


RAW = [0x8000, 0x7FFF, 0, 0x8000, 0x8000, 0, 0, 0, 0x7FA0, 1, 0xFFFF, 0xFFFF, 0xFFFF]
RAW += [5, 0x8000, 0xFFFF, 0xAB0F, 0x8000]
NONES = {**dict.fromkeys(Inverter.points), "phases": (5, None, -1)}


@both
def test_raw_values_that_say_so_are_none(ask: Any) -> None:
    device = Device(Unit(holding_registers=SequentialBlock(0, RAW)))
    assert ask(Inverter.read, device).as_dict() == NONES
    assert ask(Inverter.energy.read, device) is None
    device.unit.holding_registers.write(1, [0xFFFF])
    assert ask(Inverter.event.read, device) is None
    device.unit.holding_registers.write(0, [0x8001, 2304, 5, 0])
    found = ask(Inverter.read, device)
    assert (found.current, found.event, found.energy) == (-32767, 230.4, 5)


@both
def test_a_client_cannot_write_none_and_a_device_can(ask: Any) -> None:
    device = Device(Unit(holding_registers=SequentialBlock(0, [0] * 18)))
    inverter = Inverter()
    inverter.current = None
    inverter.energy = 7
    message = r"current \(holding register 0\) cannot be written as None, with which only the dev"
    with pytest.raises(ValueError, match=message):
        ask(inverter.write, device)
    with pytest.raises(ValueError, match=message):
        ask(Inverter.current.write, device, None)
    with pytest.raises(ValueError, match=r"phases \(holding register 13\) cannot be written as No"):
        ask(Inverter.phases.write, device, [1, None, 3])
    with pytest.raises(ValueError, match="part"):
        ask(Inverter.part.write, device, None)
    assert device.asked == []

    for name in Inverter.points:
        setattr(inverter, name, NONES[name])
    inverter.store(device.unit)
    assert Inverter.load(device.unit).as_dict() == NONES
    assert device.unit.holding_registers.read(0, 4) == (0x8000, 0x7FFF, 0, 0x8000)
    assert Inverter.read(Blocking(Device(inverter.build_unit()))).as_dict() == NONES


def test_a_value_that_stands_for_none_is_no_value() -> None:
    inverter = Inverter()
    with pytest.raises(ValueError, match=r"int16 cannot be -32768, which stands for None"):
        inverter.current = -32768
    with pytest.raises(ValueError, match=r"frequency .*cannot be nan, which stands for None"):
        inverter.frequency = nan
    with pytest.raises(ValueError, match=r"a field of 4 bits cannot be 15, which stands for None"):
        inverter.part = 15
    assert inverter == Inverter()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uint16(holding=0, none=-1), r"must be a raw value 0\.\.0xFFFF or several, got -1"),
        (
            lambda: int16(holding=0, none=-32769),
            r"must be a raw value 0\.\.0xFFFF, or -32768\.\.-1, or several, got -32769",
        ),
        (lambda: float32(holding=0, none=-1), r"raw value 0\.\.0xFFFFFFFF, or nan, or .*got -1"),
        (lambda: int16(holding=0, none=nan), r"must be a raw value 0\.\.0xFFFF, .* got nan"),
        (lambda: int16(holding=0, none=True), r"must be a raw value .* got True"),
        (lambda: int16(holding=0, none="8000"), r"must be a raw value .* got '8000'"),
        (lambda: int16(holding=0, none=()), r"must be at least one raw value, got \(\)"),
        (lambda: uint32(holding=0, none=1 << 32), r"must be a raw value 0\.\.0xFFFFFFFF or"),
        (lambda: float32(holding=0, none=-99.0), r"0\.\.0xFFFFFFFF, or nan, or several, got -99"),
        (lambda: bit_field(0, 4, holding=0, none=16), r"of 4 bits must be 0\.\.15, got 16"),
        (
            lambda: int16(holding=0, scale=float32(holding=1)),
            r"scale must be a number, or a point of an integer that is not scaled itself, such as",
        ),
        (lambda: int16(holding=0, scale=int16(holding=1, scale=2)), "scale must be a number, or a"),
        (lambda: int16(holding=0, scale=uint16(holding=1), offset=inf), "offset must be a finite"),
        (lambda: float32(holding=0, scale=int16(holding=1)), "scale must be a finite number"),
    ],
)
def test_a_wrong_option_is_refused_with_the_point(
    make: Callable[[], Point[Any]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


class Meter(RegisterMap):
    power_factor = int16(holding=9, none=0x8000)
    power = int16(holding=0, scale=power_factor, none=0x8000)
    limit = uint16(holding=1, scale=power_factor, offset=1.0)
    energy = uint32(holding=4, scale=uint16(holding=6))


def meter_unit(*registers: int) -> Unit:
    return Unit(holding_registers=SequentialBlock(0, registers))


@both
def test_a_scale_factor_is_read_with_its_values(ask: Any) -> None:
    device = Device(meter_unit(0xFFFD, 10, 0, 0, 0, 5, 3, 0, 0, 0xFFFE))
    meter = ask(Meter.read, device)
    assert device.spans == [(3, 0, 10)]
    assert meter.as_dict() == {"power": -0.03, "limit": 1.1, "power_factor": -2, "energy": 5000.0}
    device.asked.clear()
    assert ask(Meter.power.read, device) == -0.03
    assert ask(Meter.read, device, Meter.limit).limit == 1.1
    assert device.spans == [(3, 0, 10), (3, 1, 9)]
    assert ask(Meter.read, device, planner=Meter.planner(Meter.energy)).energy == 5000.0


@both
def test_a_value_without_a_scale_factor_is_none(ask: Any) -> None:
    device = Device(meter_unit(5, 10, 0, 0, 0, 5, 0, 0, 0, 0x8000))
    meter = ask(Meter.read, device)
    assert meter.as_dict() == {"power": None, "limit": None, "power_factor": None, "energy": 5.0}
    with pytest.raises(ValueError, match=r"power \(holding register 0\) cannot be set, its scale"):
        meter.power = 3.0
    with pytest.raises(ValueError, match=r"limit .* power_factor \(holding register 9\), is None"):
        ask(Meter.limit.write, device, 3.0)
    device.unit.holding_registers.write(9, [1])
    device.unit.holding_registers.write(0, [0x8000])
    assert ask(Meter.power.read, device) is None


@both
def test_a_factor_that_cannot_be_one_spoils_only_its_own_values(ask: Any) -> None:
    device = Device(meter_unit(5, 10, 0, 0, 0, 5, 1, 0, 0, 25))
    meter = ask(Meter.read, device)
    assert (meter.energy, meter.power_factor) == (50.0, 25)
    with pytest.raises(InvalidResponseError, match=r"power .* must be -24\.\.24, got 25"):
        _ = meter.power


@both
def test_a_refused_factor_is_the_error_of_its_values(ask: Any) -> None:
    block = SparseBlock({0: 5, 1: 10, 4: 0, 5: 5, 6: 1})
    device = Device(Unit(holding_registers=block))
    meter = ask(Meter.read, device)
    assert meter.as_dict() == {"energy": 50.0}
    for name in ("power", "limit", "power_factor"):
        with pytest.raises(IllegalDataAddressError, match=r": power_factor \(holding register 9\)"):
            getattr(meter, name)
    with pytest.raises(IllegalDataAddressError, match="power_factor"):
        ask(Meter.limit.write, device, 3.0)
    assert all(request.function_code == 3 for request in device.asked)


@both
def test_a_factor_that_is_not_known_is_read_before_the_value_is_written(ask: Any) -> None:
    device = Device(meter_unit(5, 10, 0, 0, 0, 5, 0, 0, 0, 0xFFFE))
    ask(Meter.limit.write, device, 3.0)
    assert device.asked == [ReadHoldingRegistersRequest(9, 1), WriteSingleRegisterRequest(1, 200)]

    device.asked.clear()
    meter = Meter()
    meter.limit = 5.0
    assert meter.limit == 5.0
    assert meter.as_dict() == {"limit": 5.0}
    ask(meter.write, device)
    assert device.asked == [ReadHoldingRegistersRequest(9, 1), WriteSingleRegisterRequest(1, 400)]
    device.asked.clear()
    ask(meter.write, device)
    assert device.asked == []


@both
def test_nothing_is_written_if_one_factor_of_several_is_refused(ask: Any) -> None:
    block = SparseBlock({0: 5, 1: 10, 4: 0, 5: 5, 6: 1})
    device = Device(Unit(holding_registers=block))
    meter = Meter()
    meter.energy, meter.limit = 50.0, 3.0
    with pytest.raises(IllegalDataAddressError, match="power_factor"):
        ask(meter.write, device)
    assert all(request.function_code == 3 for request in device.asked)
    assert (meter.energy, meter.limit) == (50.0, 3.0)
    block[9] = 0
    ask(meter.write, device)
    assert Meter.load(device.unit).as_dict() == {
        "power_factor": 0,
        "power": 5.0,
        "limit": 3.0,
        "energy": 50.0,
    }


@both
def test_a_factor_that_was_read_is_used(ask: Any) -> None:
    device = Device(meter_unit(5, 10, 0, 0, 0, 5, 0, 0, 0, 0xFFFE))
    meter = ask(Meter.read, device)
    device.asked.clear()
    meter.limit = 3.001
    assert meter.limit == 3.0
    ask(meter.write, device)
    assert device.asked == [WriteSingleRegisterRequest(1, 200)]


@both
def test_nothing_is_written_if_a_value_does_not_fit_its_factor(ask: Any) -> None:
    device = Device(meter_unit(5, 10, 0, 0, 0, 5, 0, 0, 0, 0xFFFE))
    meter = Meter()
    meter.limit, meter.energy = 700.0, 5.0
    with pytest.raises(ValueError, match=r"limit \(holding register 1\): 700.0 scaled by 0\.01"):
        ask(meter.write, device)
    assert all(request.function_code == 3 for request in device.asked)
    meter.limit = 7.0
    device.asked.clear()
    ask(meter.write, device)
    assert [request.function_code for request in device.asked] == [6, 16]
    assert Meter.load(device.unit).limit == 7.0
    for wrong in ("warm", nan, inf):
        with pytest.raises(ValueError, match=r"limit .*must be a finite number, got"):
            Meter().limit = wrong  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"limit .*scaled uint16 cannot be None"):
        meter.limit = None


def test_a_device_sets_values_and_their_factor_in_any_order() -> None:
    meter = Meter()
    meter.limit, meter.power_factor, meter.power = 3.5, -1, None
    unit = meter.build_unit()
    assert unit.holding_registers.read(0, 2) == (0x8000, 25)
    assert unit.holding_registers.read(6, 1) == (0,)
    assert Meter.load(unit).as_dict() == {
        "power": None,
        "limit": 3.5,
        "power_factor": -1,
        "energy": 0.0,
    }
    later = Meter()
    later.limit = 5.5
    later.store(unit)
    assert unit.holding_registers.read(1, 1) == (45,)
    empty = Meter()
    empty.limit = 3.0
    assert empty.build_unit().holding_registers.read(1, 1) == (2,)


@pytest.mark.parametrize("copied", [deepcopy, lambda meter: loads(dumps(meter))])
def test_a_copy_keeps_what_waits_and_what_was_refused(copied: Callable[[Meter], Meter]) -> None:
    device = Device(Unit(holding_registers=SparseBlock({0: 5, 1: 10, 9: 0})))
    meter = Meter.read(Blocking(device))
    meter.energy = 40.0
    other = copied(meter)
    assert other == meter
    assert other.energy == 40.0
    assert repr(other) == "Meter(power_factor=0, power=5.0, limit=11.0, energy=40.0)"
    refused = Meter.read(Blocking(device))
    assert repr(copied(refused)).endswith("limit=11.0, energy=<refused>)")
    device = Device(Unit(holding_registers=SparseBlock({0: 5, 1: 10, 4: 0, 5: 1, 9: 0})))
    unscaled = Meter.read(Blocking(device))
    for each in (refused, unscaled):
        assert isinstance(copied(each).read_errors["energy"], IllegalDataAddressError)
    assert "scale of energy (holding register 6)" in str(copied(unscaled).read_errors["energy"])


def test_registers_of_a_scaled_point_are_converted_with_its_factor() -> None:
    assert Meter.power.decode([5, 0xFFFF]) == 0.5
    assert Meter.power.encode(None) == [0x8000]
    with pytest.raises(ValueError, match=r"depends on its scale factor, power_factor \(holding re"):
        Meter.power.encode(3.0)
    assert Meter.energy.scale is not None
    assert Meter.energy.scale.name == "scale of energy"


def test_the_order_of_a_class_is_that_of_its_factors() -> None:
    class Swapped(RegisterMap, order="BADC"):
        value = uint16(holding=0, scale=int16(holding=1))

    registers: Sequence[int] = (0x0500, 0x0100)
    assert Swapped.read(Blocking(Device(meter_unit(*registers)))).value == 50.0


@pytest.mark.parametrize("kind", [int16, int64])
def test_none_of_a_signed_integer_may_be_its_value(kind: Any) -> None:
    bits = 16 if kind is int16 else 64
    for scale in (None, 0.1, -0.1):
        point = kind(holding=0, none=(-(1 << bits - 1), -1), scale=scale)
        assert point.decode([0x8000, *[0] * (bits // 16 - 1)]) is None
        assert point.decode([0xFFFF] * (bits // 16)) is None
        assert point.decode([0] * (bits // 16)) == 0
        assert list(point.encode(None)) == [0x8000, *[0] * (bits // 16 - 1)]


class SunSpec(RegisterMap, order="CDAB"):
    power = int16(holding=0, scale="power_factor", none=-32768)
    energy = uint32(holding=2, scale="energy_factor")
    power_factor = int16(holding=1, none=0x8000)
    energy_factor = int16(holding=4)


class Larger(SunSpec):
    voltage = uint16(holding=5, scale="power_factor")


@both
def test_a_scale_factor_may_be_declared_below_its_value(ask: Any) -> None:
    device = Device(meter_unit(1234, 0xFFFF, 5, 0, 2, 2301))
    meter = ask(Larger.read, device)
    assert (meter.power, meter.energy, meter.voltage) == (123.4, 500.0, 230.1)
    assert ask(SunSpec.power.read, device) == 123.4
    ask(Larger.power.write, device, 100.0)
    assert device.unit.holding_registers.read(0, 1) == (1000,)
    assert loads(dumps(meter)) == meter
    assert SunSpec.power.scale is SunSpec.power_factor


def test_a_scale_that_is_no_point_of_the_map_is_said() -> None:
    for name in ("factr", "other"):
        with pytest.raises(
            ValueError,
            match=f"scale of power must be a number, or an integer point of Wrong .*: "
            f"factor; got '{name}'",
        ):

            class Wrong(RegisterMap):
                power = int16(holding=0, scale=name)
                other = float32(holding=2)
                factor = int16(holding=1)

    with pytest.raises(ValueError, match="has scale='factor', the name of another point of its"):
        int16(holding=0, scale="factor").decode([1, 0])
