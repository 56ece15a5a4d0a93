"""The text of a map is the call that makes an equal one."""

from __future__ import annotations

import math
from enum import Enum, Flag, IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire import SequentialBlock, Unit
from modwire.maps import (
    RegisterMap,
    array,
    bcd,
    bit,
    bit_field,
    bits,
    coil,
    coils,
    discrete_input,
    enum,
    float32,
    float64,
    int16,
    string,
    uint16,
    uint32,
)
from modwire.values import optional


class Mode(Enum):
    OFF = 0
    AUTO = 1


class Level(IntEnum):
    LOW = 0
    HIGH = 1


class Alarms(Flag):
    FIRE = 1
    WATER = 2
    WIND = 4


class Meter(RegisterMap):
    power = int16(holding=0, none=0x8000, scale="factor")  # before the factor that it needs
    factor = int16(holding=1, none=0x8000)
    energy = uint32(holding=2, none=(0x80000000, 0xFFFFFFFF))
    ratio = float32(holding=4)
    total = float64(holding=6)
    mode = enum(Mode, holding=10)
    level = enum(Level, holding=11, none=9)
    alarms = enum(Alarms, holding=12)
    name = string(4, holding=13)
    digits = bcd(4, holding=15)
    switches = bits(16, holding=16)
    enabled = bit(3, holding=17)
    step = bit_field(4, 4, holding=17)
    phases = array("float32", 2, input=0)
    single = array(optional("int16", 0x8000), 1, input=4)
    percent = uint16(input=5, scale=0.1)
    running = coil(0)
    valves = coils(1, 3)
    door = discrete_input(0)


class Small(RegisterMap):
    voltage = float32(holding=0)
    state = enum(Mode, holding=2)


def unit_of(holding: list[int], inputs: list[int], bit: bool) -> Unit:
    return Unit(
        coils=SequentialBlock(0, [bit, 1, 0, bit]),
        discrete_inputs=SequentialBlock(0, [bit]),
        holding_registers=SequentialBlock(0, holding),
        input_registers=SequentialBlock(0, inputs),
    )


words = st.one_of(
    st.integers(0, 0xFFFF), st.sampled_from([0, 1, 9, 0x8000, 0xFFFF, 0x7FC0, 0x7F80, 0x4142])
)


@given(
    st.lists(words, min_size=18, max_size=18),
    st.lists(words, min_size=6, max_size=6),
    st.booleans(),
)
def test_the_text_of_what_was_read_makes_an_equal_map(
    holding: list[int], inputs: list[int], bit: bool
) -> None:
    meter = Meter.load(unit_of(holding, inputs, bit))
    wrong = set(meter.read_errors)
    text = repr(meter)
    for name in wrong:  # their registers have no value, which the text shows
        registers = meter.raw(Meter.points[name])
        assert f"{name}=<{registers}>" in text
        text = text.replace(f"{name}=<{registers}>, ", "").replace(f", {name}=<{registers}>", "")
    made = eval(text)
    assert repr(made) == text
    if not wrong:
        assert made == meter


def test_a_map_is_made_with_values() -> None:
    meter = Meter(power=123.4, factor=-1, mode=Mode.AUTO, alarms=Alarms.FIRE | Alarms.WIND)
    assert repr(meter) == "Meter(power=123.4, factor=-1, mode=Mode.AUTO, alarms=Alarms(5))"
    assert [each.name for each in meter.changes] == ["factor", "mode", "alarms", "power"]
    assert eval(repr(meter)) == meter
    assert Meter(factor=None, ratio=math.nan) == Meter(factor=None, ratio=math.nan)
    assert repr(Meter(ratio=-math.inf)) == "Meter(ratio=float('-inf'))"
    assert Meter(power=1.0, factor=0) != Meter(power=2.0, factor=0)
    assert Meter(factor=0) != Meter()
    assert Meter() != Small()
    assert repr(Meter(single=(None,), level=None)) == "Meter(level=None, single=(None,))"


def test_a_map_made_with_values_is_a_device() -> None:
    unit = Small(voltage=230.5, state=Mode.AUTO).build_unit()
    assert list(unit.holding_registers.read(0, 3)) == [0x4366, 0x8000, 1]
    assert Small.load(unit) == Small(voltage=230.5, state=Mode.AUTO)


@pytest.mark.parametrize(
    ("arguments", "named", "error", "text"),
    [
        ((), {"voltag": 1.0}, TypeError, "^Small has no argument 'voltag'; did you mean 'voltage'"),
        ((), {"xyz": 1.0}, TypeError, "^Small has no argument 'xyz'; it has voltage, state$"),
        ((230.0,), {}, TypeError, r"^Small takes nothing without a name, got 230\.0 too"),
        ((), {"voltage": "high"}, ValueError, "^voltage .holding register 0.: "),
    ],
)
def test_a_wrong_value_is_named(
    arguments: tuple[Any, ...], named: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Small(*arguments, **named)
