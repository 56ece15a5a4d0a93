"""Register maps: a device as typed attributes, read in few requests, written, and simulated."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from modwire import SequentialBlock, SparseBlock, Unit
from modwire.errors import (
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalDataValueError,
    ResponseTimeoutError,
    ServerDeviceFailureError,
)
from modwire.maps import (
    RegisterMap,
    coils,
    string,
    uint16,
)
from modwire.messages.bit_access import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.register_operations import MaskWriteRegisterRequest
from modwire.planner import Span

if TYPE_CHECKING:
    pass

from mapped_device import Alarm, Device, Holes, Meter, Mode, both, measured


@both
def test_a_map_reads_its_device_in_one_request_for_each_table(ask: Any) -> None:
    device = Device(measured().build_unit())
    device.unit.holding_registers = SequentialBlock(0, [0] * 100)
    measured().store(device.unit)

    meter = ask(Meter.read, device, unit=3, timeout=0.5)

    assert meter == measured()
    assert meter.voltage == pytest.approx(230.5)
    assert meter.mode is Mode.AUTO
    assert meter.setpoint == 21.5
    assert meter.alarms == Alarm.HOT | Alarm.WET
    assert meter.fault is True
    assert meter.level == 9
    assert meter.energy == 123456
    assert meter.temperature == 20.5
    assert meter.serial == "AB-1234"
    assert meter.digits == 12345678
    assert meter.phases == (1.5, 2.5, -3.5)
    assert meter.flags == (True,) + (False,) * 14 + (True,)
    assert meter.running is True
    assert meter.relays == (True, False, True, False)
    assert meter.door is True
    assert meter.doors == (False, True)
    assert sorted(device.spans) == [(1, 0, 5), (2, 9, 3), (3, 0x10, 18), (4, 0, 16)]
    assert device.options == {(3, 0.5)}


@both
def test_some_points_are_read_alone(ask: Any) -> None:
    device = Device(measured().build_unit())

    meter = ask(Meter.read, device, Meter.mode, Meter.setpoint)

    assert (meter.mode, meter.setpoint) == (Mode.AUTO, 21.5)
    assert device.spans == [(3, 0x12, 2)]
    assert meter.as_dict() == {"mode": Mode.AUTO, "setpoint": 21.5}
    with pytest.raises(AttributeError, match=r"voltage \(holding register 16\) was neither read"):
        _ = meter.voltage


@both
def test_one_point_is_read_and_written_alone(ask: Any) -> None:
    device = Device(measured().build_unit())

    assert ask(Meter.energy.read, device, unit=5) == 123456
    assert ask(Meter.setpoint.write, device, 19.0, timeout=2.0) is None
    assert ask(Meter.setpoint.read, device) == 19.0

    assert device.asked[1] == WriteSingleRegisterRequest(0x13, 190)
    assert device.options == {(5, None), (None, 2.0), (None, None)}


@both
def test_what_was_set_is_written_in_few_requests_and_once(ask: Any) -> None:
    device = Device(Meter().build_unit())
    meter = Meter()
    meter.running = True
    meter.setpoint = 20.0
    meter.relays = [True, True, False, False]
    meter.mode = Mode.AUTO
    meter.voltage = 230.0

    assert ask(meter.write, device, unit=7) is None

    words = list(struct.unpack(">2H", struct.pack(">f", 2300.0)))
    assert device.asked == [
        WriteMultipleCoilsRequest(0, [True, True, True, False, False]),
        WriteMultipleRegistersRequest(0x10, [*words, 2, 200]),
    ]
    assert device.options == {(7, None)}
    assert Meter.load(device.unit).setpoint == 20.0
    ask(meter.write, device)
    assert len(device.asked) == 2


@both
def test_single_coils_and_registers_go_by_their_own_functions(ask: Any) -> None:
    device = Device(Meter().build_unit())
    meter = Meter()
    meter.running = True
    meter.mode = Mode.AUTO

    ask(meter.write, device)

    assert device.asked == [WriteSingleCoilRequest(0, True), WriteSingleRegisterRequest(0x12, 2)]


@both
def test_bits_of_a_register_leave_the_others_to_the_device(ask: Any) -> None:
    """Another client may have changed them since they were read."""
    device = Device(Meter().build_unit())
    meter = ask(Meter.read, device)
    device.unit.holding_registers.write(0x21, [0xF00F])
    meter.fault = False
    meter.level = 5

    ask(meter.write, device)

    assert device.asked[-1] == MaskWriteRegisterRequest(0x21, 0xFF07, 0x50)
    assert device.unit.holding_registers.read(0x21, 1) == (0xF057,)


@both
def test_points_that_were_not_written_are_written_the_next_time(ask: Any) -> None:
    device = Device(Meter().build_unit(), lost=1)
    meter = Meter()
    meter.running = True
    meter.mode = Mode.AUTO
    meter.fault = True

    with pytest.raises(ResponseTimeoutError):
        ask(meter.write, device)
    device.lost = None
    device.asked.clear()
    ask(meter.write, device)

    assert device.asked == [
        WriteSingleRegisterRequest(0x12, 2),
        MaskWriteRegisterRequest(0x21, 0xFFF7, 8),
    ]


@both
def test_nothing_is_sent_where_a_point_cannot_be_written(ask: Any) -> None:
    device = Device(Meter().build_unit())
    meter = Meter()
    meter.mode = Mode.AUTO
    meter.temperature = 20.0

    message = r"temperature \(input register 2\) cannot be written, only coils and holding"
    with pytest.raises(ValueError, match=message):
        ask(meter.write, device)
    with pytest.raises(ValueError, match=message):
        ask(Meter.temperature.write, device, 3.0)

    assert device.asked == []
    meter.store(device.unit)  # nothing was forgotten
    assert Meter.load(device.unit).mode is Mode.AUTO


@both
def test_a_broadcast_writes_to_all(ask: Any) -> None:
    device = Device(Meter().build_unit())

    ask(Meter.mode.write, device, Mode.AUTO, unit=0)

    assert Meter.load(device.unit).mode is Mode.AUTO


class Big(RegisterMap):
    text = string(400, holding=10)
    small = uint16(holding=210)
    many = coils(0, 2500)


@both
def test_what_is_longer_than_a_request_is_read_and_written_in_several(ask: Any) -> None:
    device = Device(Big().build_unit())
    big = Big()
    big.text = "0123456789" * 40
    big.small = 7
    big.many = [True, False] * 1250

    ask(big.write, device)
    again = ask(Big.read, device)

    assert again == big
    assert again.text == "0123456789" * 40
    assert max(len(request.encode()) for request in device.asked) <= 253
    assert ask(Big.text.read, device) == again.text


@both
def test_a_device_with_holes_is_read_completely(ask: Any) -> None:
    """Registers between points are read if that is cheaper and the device allows it."""
    holes = Holes()
    holes.first, holes.second, holes.third = 1, 70000, 3
    device = Device(holes.build_unit())

    assert ask(Holes.read, device) == holes

    assert device.spans[0] == (3, 0, 10)
    assert len(device.spans) > 1


@both
def test_a_planner_remembers_what_a_device_refused(ask: Any) -> None:
    holes = Holes()
    holes.first, holes.second, holes.third = 1, 70000, 3
    device = Device(holes.build_unit())
    planner = Holes.planner()
    for _ in range(4):
        assert ask(Holes.read, device, planner=planner) == holes
    device.asked.clear()

    assert ask(Holes.read, device, planner=planner) == holes

    assert device.spans == [(3, 0, 1), (3, 5, 2), (3, 9, 1)]
    assert planner.unreadable == []


@both
def test_a_point_that_is_not_there_raises_its_own_refusal(ask: Any) -> None:
    device = Device(Unit(holding_registers=SparseBlock({0: 1, 9: 3})))

    planner = Holes.planner()
    for options in ({}, {"planner": planner}, {"planner": planner}):
        holes = ask(Holes.read, device, **options)
        assert holes.as_dict() == {"first": 1, "third": 3}
        with pytest.raises(IllegalDataAddressError) as caught:
            _ = holes.second
        assert str(caught.value).endswith(": second (holding register 5)")
        assert list(holes.read_errors) == ["second"]
    assert planner.unreadable == [Span("holding_registers", 5, 2)]
    assert device.spans[-2:] == [(3, 0, 1), (3, 9, 1)]

    with pytest.raises(IllegalDataAddressError) as caught:
        ask(Holes.read, device, Holes.second)
    assert caught.value.request == ReadHoldingRegistersRequest(5, 2)
    with pytest.raises(IllegalDataAddressError, match=r": second \(holding register 5\)$"):
        ask(Holes.second.read, device)


class Moody(SequentialBlock):
    """Registers of which number 5 cannot be read at times."""

    refusal: type[ExceptionResponseError] = ServerDeviceFailureError

    def read(self, address: int, count: int) -> Sequence[int]:
        if address <= 5 < address + count:
            raise self.refusal
        return super().read(address, count)


@both
@pytest.mark.parametrize("refusal", [IllegalDataValueError, ServerDeviceFailureError])
def test_a_point_that_fails_for_a_time_does_not_spoil_the_others(
    ask: Any, refusal: type[ExceptionResponseError]
) -> None:
    """Exception 03 or 04 may come from one value; it is not remembered."""
    block = Moody(0, range(20))
    block.refusal = refusal
    planner = Holes.planner()
    for _ in range(2):
        holes = ask(Holes.read, Device(Unit(holding_registers=block)), planner=planner)
        assert holes.as_dict() == {"first": 0, "third": 9}
        with pytest.raises(refusal, match=r": second \(holding register 5\)$"):
            _ = holes.second
    assert planner.unreadable == []
    holes = ask(Holes.read, Device(Unit(holding_registers=block)))
    assert holes.as_dict() == {"first": 0, "third": 9}
    with pytest.raises(refusal, match=r": second \(holding register 5\)$"):
        ask(Holes.second.read, Device(Unit(holding_registers=block)))
    whole = Device(Unit(holding_registers=SequentialBlock(0, range(20))))
    assert len(ask(Holes.read, whole, planner=planner).as_dict()) == 3


@both
def test_other_refusals_and_timeouts_are_raised_as_they_come(ask: Any) -> None:
    device = Device(Meter().build_unit(), lost=0)
    with pytest.raises(ResponseTimeoutError):
        ask(Meter.read, device)
    assert len(device.asked) == 1
