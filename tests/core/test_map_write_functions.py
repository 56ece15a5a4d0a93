"""Maps of devices that know only some of the functions that write."""

from __future__ import annotations

from pickle import dumps, loads
from typing import TYPE_CHECKING, Any

import pytest

from mapped_device import Device, both
from modwire import IllegalFunctionError, SequentialBlock, Unit
from modwire.errors import ResponseTimeoutError
from modwire.maps import RegisterMap, bit, bit_field, coil, coils, uint16, uint32
from modwire.messages.base import Response
from modwire.messages.bit_access import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.register_operations import MaskWriteRegisterRequest
from modwire.planner import WriteFunctions

if TYPE_CHECKING:
    from modwire.messages.base import Request


class Drive(RegisterMap):
    speed = uint16(holding=0)
    torque = uint16(holding=1)
    energy = uint32(holding=2)
    reset = bit(3, holding=8)
    level = bit_field(4, 4, holding=8)
    running = coil(0)
    lamps = coils(1, 2)


class Multiple(Drive, write_functions=WriteFunctions(15, 16)):
    alone = uint16(holding=20)


class Single(Drive, write_functions=WriteFunctions.SINGLE):
    ready = bit(0, holding=9)


class Limited(Unit):
    """A unit with some functions only."""

    def __init__(self, *codes: int) -> None:
        super().__init__(
            coils=SequentialBlock(0, [False] * 8), holding_registers=SequentialBlock(0, [0] * 30)
        )
        self.codes = {1, 2, 3, 4, *codes}

    def execute(self, request: Request[Any], *, broadcast: bool = False) -> Response | None:
        if request.function_code not in self.codes:
            raise IllegalFunctionError(request)
        return super().execute(request, broadcast=broadcast)


@both
@pytest.mark.parametrize(
    ("kind", "codes", "asked"),
    [
        (Drive, (5, 6, 15, 16, 22), [5, 6, 22]),
        (Multiple, (15, 16), [15, 16, 3, 16]),
        (Single, (5, 6), [5, 6, 3, 6]),
    ],
)
def test_one_value_is_written_by_a_function_that_the_device_has(
    ask: Any, kind: type[Drive], codes: tuple[int, ...], asked: list[int]
) -> None:
    device = Device(Limited(*codes))
    drive = kind()
    drive.running, drive.torque, drive.reset = True, 70, True

    ask(drive.write, device)

    assert [request.function_code for request in device.asked] == asked
    found = kind.load(device.unit)
    assert (found.running, found.torque, found.reset) == (True, 70, True)
    assert drive.changes == []


@both
def test_several_values_are_written_one_after_the_other(ask: Any) -> None:
    device = Device(Limited(5, 6))
    drive = Single()
    drive.speed, drive.torque, drive.energy = 1, 2, 0x30004
    drive.running, drive.lamps = True, [False, True]

    ask(drive.write, device)

    assert device.asked == [
        *(WriteSingleCoilRequest(at, on) for at, on in enumerate((True, False, True))),
        *(WriteSingleRegisterRequest(at, value) for at, value in enumerate((1, 2, 3, 4))),
    ]


@both
def test_what_a_lost_link_left_unwritten_is_written_the_next_time(ask: Any) -> None:
    """The first half of `energy` was written; it counts as set until its second half is, too."""
    device = Device(Limited(5, 6), lost=3)
    drive = Single()
    drive.speed, drive.torque, drive.energy = 1, 2, 0x30004

    with pytest.raises(ResponseTimeoutError):
        ask(drive.write, device)
    assert drive.changes == [Single.energy]

    device.lost = None
    device.asked.clear()
    ask(drive.write, device)
    assert device.asked == [WriteSingleRegisterRequest(2, 3), WriteSingleRegisterRequest(3, 4)]


@both
def test_the_register_of_a_bit_is_read_immediately_before_it_is_written(ask: Any) -> None:
    """The map's own image is old: with it, the write would undo what others did since."""
    device = Device(Limited(15, 16))
    drive = ask(Multiple.read, device)
    device.unit.holding_registers.write(8, [0xF00F])
    device.asked.clear()
    drive.reset, drive.level = False, 5

    ask(drive.write, device)

    assert device.asked == [
        ReadHoldingRegistersRequest(8, 1),
        WriteMultipleRegistersRequest(8, [0xF057]),
    ]


@both
def test_a_point_alone_is_written_as_its_map_says(ask: Any) -> None:
    device = Device(Limited(15, 16))
    ask(Multiple.alone.write, device, 7)
    assert device.asked == [WriteMultipleRegistersRequest(20, [7])]

    device = Device(Limited(6))
    device.unit.holding_registers.write(9, [0xFF00])
    ask(Single.ready.write, device, True)
    assert device.asked == [
        ReadHoldingRegistersRequest(9, 1),
        WriteSingleRegisterRequest(9, 0xFF01),
    ]


@both
def test_a_table_without_a_function_is_refused_before_anything_is_sent(ask: Any) -> None:
    class Registers(Drive, write_functions=WriteFunctions(6)):
        pass

    device = Device(Limited(6))
    drive = Registers()
    drive.speed, drive.running = 1, True
    message = (
        r"running \(coil 0\) cannot be written: coils are written by function 5 or 15, "
        r"which WriteFunctions\(6\) does not have"
    )
    with pytest.raises(ValueError, match=message):
        ask(drive.write, device)
    assert device.asked == []


@both
def test_a_bit_needs_function_22_or_one_for_registers(ask: Any) -> None:
    class Bits(RegisterMap, write_functions=WriteFunctions(22)):
        one = bit(0, holding=8)

    class Coils(RegisterMap, write_functions=WriteFunctions(5)):
        one = bit(0, holding=8)

    device = Device(Limited(22))
    ask(Bits.one.write, device, True)
    assert device.asked == [MaskWriteRegisterRequest(8, 0xFFFE, 1)]
    with pytest.raises(ValueError, match=r"one \(holding register 8\) cannot be written: holding"):
        ask(Coils.one.write, device, True)


def test_wrong_functions_are_refused_where_they_are_named() -> None:
    for code in (3, 23, True, "16"):
        with pytest.raises(ValueError, match=f"functions that write are 5, 6, 15, .* got {code!r}"):
            WriteFunctions(code)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"such as WriteFunctions\(15, 16\), got \(15, 16\)"):

        class Wrong(RegisterMap, write_functions=(15, 16)):  # type: ignore[arg-type]
            pass


def test_write_functions_are_values() -> None:
    assert WriteFunctions() == WriteFunctions.ALL == WriteFunctions(22, 16, 15, 6, 5)
    assert WriteFunctions.MULTIPLE == WriteFunctions(15, 16, 22) != WriteFunctions(15, 16)
    assert repr(WriteFunctions(16, 15)) == "WriteFunctions(15, 16)"
    assert loads(dumps(WriteFunctions(6))) == WriteFunctions(6)
    assert len({WriteFunctions(6), WriteFunctions(6), WriteFunctions(16)}) == 2
    requests = WriteFunctions.ALL.requests("holding_registers", 0, [0] * 130, size=2)
    assert [len(request.encode()) for request in requests] == [6 + 2 * 122, 6 + 2 * 8]
    assert WriteFunctions.ALL.requests("coils", 3, [1, 0]) == [
        WriteMultipleCoilsRequest(3, [True, False])
    ]
