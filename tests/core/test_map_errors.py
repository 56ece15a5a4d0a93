"""One bad value does not spoil the others: each has its own error, for whatever reason."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from mapped_device import Device, both
from modwire import SequentialBlock, SparseBlock, Unit
from modwire.errors import (
    IllegalDataAddressError,
    IllegalFunctionError,
    InvalidResponseError,
    ServerDeviceBusyError,
)
from modwire.maps import RegisterMap, bcd, bit, coil, discrete_input, enum, string, uint16


class State(Enum):
    OFF = 1


class Panel(RegisterMap):
    good = uint16(holding=0)
    text = string(4, holding=1)
    state = enum(State, holding=3)
    digits = bcd(4, holding=4)
    missing = uint16(holding=9)
    flag = bit(0, holding=9)
    also = uint16(holding=12)
    lamp = coil(3)
    door = discrete_input(0)


REGISTERS = {0: 7, 1: 0xFFFF, 2: 0, 3: 9, 4: 0xABCD, 5: 0, 12: 8}


@both
@pytest.mark.parametrize("has_planner", [False, True])
def test_every_good_value_is_there_and_every_bad_one_says_why(ask: Any, has_planner: bool) -> None:
    """The device has no coils (02) and no discrete inputs (01)."""

    class Coilless(Unit):
        def execute(self, request: Any, *, broadcast: bool = False) -> Any:
            if request.function_code == 2:
                raise IllegalFunctionError(request)
            return super().execute(request, broadcast=broadcast)

    device = Device(Coilless(holding_registers=SparseBlock(REGISTERS)))
    planner = Panel.planner() if has_planner else None
    for _ in range(3):
        panel = ask(Panel.read, device, planner=planner)

        assert panel.as_dict() == {"good": 7, "also": 8}
        for name, kind, message in (
            ("text", InvalidResponseError, r"text \(holding register 1\): a string must be utf-8"),
            ("state", InvalidResponseError, r"state \(holding register 3\): State must be one of"),
            ("digits", InvalidResponseError, r"digits \(holding register 4\): BCD must have half"),
            ("missing", IllegalDataAddressError, r"02 .*: missing \(holding register 9\)$"),
            ("flag", IllegalDataAddressError, r"02 .*: flag \(holding register 9\)$"),
            ("lamp", IllegalDataAddressError, r"02 .*: lamp \(coil 3\)$"),
            ("door", IllegalFunctionError, r"01 .*: door \(discrete input 0\)$"),
        ):
            for _ in range(2):
                with pytest.raises(kind, match=message):
                    getattr(panel, name)
            assert isinstance(panel.read_errors[name], kind)
        assert len(panel.read_errors) == 7
        assert repr(panel).startswith("Panel(good=7, text=<[65535, 0]>, state=<[9]>, digits=<[439")
        assert "missing=<refused>" in repr(panel)


@both
def test_a_value_that_was_set_replaces_its_error(ask: Any) -> None:
    device = Device(Unit(holding_registers=SparseBlock(REGISTERS)))
    panel = ask(Panel.read, device)
    panel.missing, panel.text = 5, "ok"
    assert panel.as_dict() == {"good": 7, "text": "ok", "missing": 5, "flag": True, "also": 8}


@both
def test_a_device_that_refuses_everything_is_an_error(ask: Any) -> None:
    with pytest.raises(IllegalDataAddressError, match="good"):
        ask(Panel.read, Device(Unit()))
    panel = ask(Panel.read, Device(Unit()), planner=Panel.planner())
    assert list(panel.read_errors) == list(Panel.points)


@both
def test_points_that_a_planner_was_not_given_were_not_refused(ask: Any) -> None:
    device = Device(Unit(holding_registers=SparseBlock(REGISTERS)))
    planner = Panel.planner(Panel.good, Panel.missing)
    for _ in range(2):
        panel = ask(Panel.read, device, planner=planner)
        assert list(panel.read_errors) == ["missing", "flag"]
        with pytest.raises(AttributeError, match=r"also \(holding register 12\) was neither read"):
            _ = panel.also


@both
def test_an_error_of_the_whole_device_is_raised_at_once(ask: Any) -> None:
    class Busy(SequentialBlock):
        def read(self, address: int, count: int) -> Any:
            raise ServerDeviceBusyError

    with pytest.raises(ServerDeviceBusyError):
        ask(Panel.read, Device(Unit(coils=Busy(0, [False] * 9), holding_registers=None)))
