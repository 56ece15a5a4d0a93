"""Faults of a device: what a client sees while they are on, and that it recovers afterwards."""

from __future__ import annotations

import socket
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from modwire import (
    ConnectionLostError,
    ExceptionResponse,
    ExceptionResponseError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
    SequentialBlock,
    ServerDeviceBusyError,
    ServerDeviceFailureError,
    Unit,
)
from modwire_sync import connect
from pytest_modwire import Device, DeviceFactory, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_modwire.device import Scheme

# A link of each kind: MBAP and serial frames, on a stream, in datagrams, on a serial line.
KINDS: tuple[Scheme, ...] = ("tcp", "udp", "rtu", "ascii", "binary", "rtu+tcp", "ascii+udp")
each_kind = pytest.mark.parametrize("scheme", KINDS)
SHORT, LONG = 0.15, 20.0


def meter() -> Unit:
    return Unit(holding_registers=SequentialBlock(0, [15, 40]))


FAULTS: dict[str, Callable[[Device], Fault]] = {
    "silence": lambda device: device.faults.silence(),
    "damage": lambda device: device.faults.damage(),
    "cut": lambda device: device.faults.cut(),
    "wrong_length": lambda device: device.faults.wrong_length(),
}


@each_kind
@pytest.mark.parametrize("name", FAULTS)
def test_no_answer_is_right_while_it_is_on(
    modbus_device: DeviceFactory, scheme: Scheme, name: str
) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        assert client.read_holding_registers(0, 2, timeout=LONG) == [15, 40]
        with FAULTS[name](device) as fault:
            with pytest.raises(ModbusError):
                client.read_holding_registers(0, 2, timeout=SHORT)
            assert (fault.count, device.requests[-1].fault) == (1, name)
        assert client.read_holding_registers(0, 2, timeout=LONG) == [15, 40]
        assert device.requests[-1].fault == ""


@each_kind
def test_an_exception_is_answered_and_the_request_not_executed(
    modbus_device: DeviceFactory, scheme: Scheme
) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        with device.faults.busy(), pytest.raises(ServerDeviceBusyError):
            client.write_register(0, 1, timeout=LONG)
        with device.faults.exception(4), pytest.raises(ServerDeviceFailureError):
            client.write_register(0, 2, timeout=LONG)
        assert client.read_holding_registers(0, timeout=LONG) == [15]
    assert [each.outcome for each in device.requests] == ["exception", "exception", "ok"]
    assert device.requests[0].response == ExceptionResponse(6, 6)


@each_kind
def test_a_late_answer_is_late_and_right(modbus_device: DeviceFactory, scheme: Scheme) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        late = device.faults.delay(0.1)
        began = monotonic()
        assert client.read_holding_registers(0, timeout=LONG) == [15]
        assert monotonic() - began >= 0.1
        late.stop()
        client.write_register(0, 16, timeout=LONG)
        assert client.read_holding_registers(0, timeout=LONG) == [16]
    seconds = device.requests[0].seconds
    assert seconds is not None and seconds >= 0.1
    assert [each.fault for each in device.requests] == ["delay", "", ""]


def test_a_request_is_in_the_log_while_its_answer_is_late(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter())
    device.faults.delay(LONG)
    with connect(device.endpoint) as client, pytest.raises(ResponseTimeoutError):
        client.read_holding_registers(0, timeout=SHORT)
    (entry,) = device.requests
    assert (entry.outcome, entry.seconds, entry.response) == ("pending", None, None)
    assert "no answer yet" in device.report()


def test_a_late_answer_does_not_hold_up_other_connections(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter())
    device.faults.delay(LONG, address=1)
    with connect(device.endpoint) as slow, connect(device.endpoint) as quick:
        with pytest.raises(ResponseTimeoutError):
            slow.read_holding_registers(1, timeout=SHORT)
        assert quick.read_holding_registers(0, timeout=LONG / 2) == [15]


@pytest.mark.parametrize("scheme", ["tcp", "rtu", "ascii", "rtu+tcp"])
@pytest.mark.parametrize("at", [None, 1, 5, 200])
def test_a_torn_answer_comes_in_two_pieces_and_is_right(
    modbus_device: DeviceFactory, scheme: Scheme, at: int | None
) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        with device.faults.tear(0.03, at=at):
            began = monotonic()
            assert client.read_holding_registers(0, 2, timeout=LONG) == [15, 40]
            assert monotonic() - began >= 0.03 or at == 200
        assert client.read_holding_registers(0, 2, timeout=LONG) == [15, 40]


def test_the_second_piece_of_a_torn_answer_waits_for_the_pause(
    modbus_device: DeviceFactory,
) -> None:
    device = modbus_device(meter())
    device.faults.tear(1000.0, at=3)
    with socket.create_connection((device.host, device.port), LONG) as link:
        link.sendall(bytes.fromhex("000700000006010300000002"))
        assert link.recv(100) == bytes.fromhex("000700")
        device.close()  # does not wait for the pause


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_an_answer_with_another_transaction_is_none(
    modbus_device: DeviceFactory, scheme: Scheme
) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        with device.faults.wrong_transaction(), pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        assert client.read_holding_registers(0, timeout=LONG) == [15]


def test_a_short_answer_is_invalid_and_not_only_late(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter(), "ascii+tcp")
    device.faults.wrong_length()
    with connect(device.endpoint) as client, pytest.raises(InvalidResponseError):
        client.read_holding_registers(0, 2, timeout=SHORT)


@pytest.mark.parametrize("scheme", ["tcp", "rtu+tcp"])
@pytest.mark.parametrize("executed", [False, True])
def test_a_lost_connection_may_hide_a_write(
    modbus_device: DeviceFactory, scheme: Scheme, executed: bool
) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        with device.faults.drop(executed=executed, times=1), pytest.raises(ConnectionLostError):
            client.write_register(0, 1, timeout=SHORT)
        assert client.read_holding_registers(0, timeout=LONG) == [1 if executed else 15]
    assert device.requests[0].outcome == "silence"


def test_a_lost_answer_may_hide_a_write(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter(), "rtu")
    with connect(device.endpoint) as client:
        for executed, found in ((False, 15), (True, 1)):
            with device.faults.silence(executed=executed), pytest.raises(ResponseTimeoutError):
                client.write_register(0, 1, timeout=SHORT)
            assert client.read_holding_registers(0, timeout=LONG) == [found]


def test_a_retry_meets_one_fault_and_then_another(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter(), "rtu+tcp")
    device.faults.silence(times=1)
    device.faults.damage(times=1)
    with connect(f"{device.endpoint}?retries=3&timeout={SHORT}") as client:
        assert client.read_holding_registers(0) == [15]
    assert [each.fault for each in device.requests] == ["silence", "damage", ""]
    assert device.faults.active == []


def test_a_fault_is_for_the_requests_that_it_names(modbus_device: DeviceFactory) -> None:
    device = modbus_device({1: meter(), 2: meter()})
    with connect(device.endpoint) as client:
        device.faults.busy(unit=2, function=3, address=1)
        assert client.read_holding_registers(0, unit=2) == [15]
        assert client.read_holding_registers(1, unit=1) == [40]
        client.write_register(1, 41, unit=2)
        with pytest.raises(ServerDeviceBusyError):
            client.read_holding_registers(1, unit=2)
        device.faults.clear()
        assert client.read_holding_registers(1, unit=2) == [41]


@pytest.mark.parametrize(
    ("scheme", "begin", "text"),
    [
        ("tcp", lambda faults: faults.delay(0), "seconds must be greater than 0 seconds"),
        ("tcp", lambda faults: faults.exception(0), "code must be 1..255, got 0"),
        (
            "tcp",
            lambda faults: faults.silence(times=0),
            "times must be a whole number, at least 1, got 0",
        ),
        ("tcp", lambda faults: faults.tear(0), "pause must be greater than 0 seconds"),
        ("tcp", lambda faults: faults.tear(at=0), "at must be a whole number, at least 1, got 0"),
        ("udp", lambda faults: faults.tear(), "one datagram, which cannot be torn"),
        ("udp", lambda faults: faults.drop(), "no connections to close: take silence"),
        ("rtu", lambda faults: faults.drop(), "no connections to close: take silence"),
        ("rtu", lambda faults: faults.wrong_transaction(), "rtu has no transaction ids"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(
    modbus_device: DeviceFactory, scheme: Scheme, begin: Callable[..., Fault], text: str
) -> None:
    device = modbus_device(meter(), scheme)
    with pytest.raises(ValueError, match=text):
        begin(device.faults)
    assert device.faults.active == []


@pytest.mark.parametrize("name", ["delay", "silence", "exception", "busy", "damage", "cut", "drop"])
def test_an_unknown_limit_of_a_fault_is_named_with_the_nearest_one(
    modbus_device: DeviceFactory, name: str
) -> None:
    device = modbus_device(meter())
    arguments = {"delay": (1.0,), "exception": (4,)}.get(name, ())
    with pytest.raises(TypeError, match=f"^{name} has no argument 'adress'; did you mean 'address"):
        getattr(device.faults, name)(*arguments, adress=7)
    with pytest.raises(TypeError, match=f"^{name} has no argument 'who'; it has times, unit, func"):
        getattr(device.faults, name)(*arguments, who=7)
    assert device.faults.active == []


def test_the_report_names_the_exception_that_was_injected(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter())
    with connect(device.endpoint) as client:
        for fault in (device.faults.busy, lambda: device.faults.exception(4)):
            with fault(), pytest.raises(ExceptionResponseError):
                client.read_holding_registers(0)
    report = device.report()
    assert "-> exception 06, server device busy (busy) after" in report
    assert "-> exception 04, server device failure (exception) after" in report
    assert "InvalidRequestError" not in report
