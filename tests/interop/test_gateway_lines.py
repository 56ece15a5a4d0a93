"""Gateways with lines that are lost and come back, and serial lines to devices on TCP."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from modwire import (
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    IllegalDataAddressError,
    RawRequest,
    ResponseTimeoutError,
    SequentialBlock,
    Unit,
    Units,
)
from modwire_sync import SerialClient, SerialServer, TcpClient
from pty_pair import PtyPair

from .adapters import SYNC, Adapter, Gate
from .devices import OPTIONS, PATIENCE, QUIET, serving
from .mbpoll import Mbpoll
from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus.client import ModbusSerialClient

from .serial_bus import LINE, ODD_CODE, Bus, Device, gate

# Lines that come and go.


def test_a_line_that_was_lost_serves_again(adapter: Adapter) -> None:
    """Clients get 0A while the device is missing; when it is back, it responds again."""
    device = Device(0)
    with ExitStack() as stack:
        with serving(SYNC, Units({17: device}), "tcp") as number:
            behind = adapter.gateway("tcp", number, {1: 17}, OPTIONS)
            outside = stack.enter_context(serving(adapter, behind.units, "tcp", remotes=(behind,)))
            client = stack.enter_context(TcpClient("127.0.0.1", int(outside), options=OPTIONS))
            assert client.read_holding_registers(7) == [7]
        with pytest.raises(ExceptionResponseError) as caught:
            client.read_holding_registers(7)
        assert caught.value.code == 0x0A
        server = SYNC.package.TcpServer(Units({17: device}), ("127.0.0.1", int(number)))
        stack.enter_context(server)
        give_up = monotonic() + PATIENCE
        while True:
            try:
                assert client.read_holding_registers(7) == [7]
                break
            except ExceptionResponseError:
                assert monotonic() < give_up, "the line is never opened again"


def test_a_cable_that_is_pulled_and_back(adapter: Adapter, tmp_path: Path) -> None:
    """Clients get 0A while it is out; when the port is back, the devices respond again."""
    port = tmp_path / "tty"
    units = Units({17: Device(0)})
    with ExitStack() as stack:
        with PtyPair() as cable, SerialServer(units, cable.left, **LINE):
            port.symlink_to(cable.right)
            options = OPTIONS.replace(response_timeout=PATIENCE / 5)
            behind = adapter.gateway("rtu", str(port), {1: 17}, options, pause=0.05)
            number = stack.enter_context(serving(adapter, behind.units, "tcp", remotes=(behind,)))
            client = stack.enter_context(TcpClient("127.0.0.1", int(number), options=OPTIONS))
            assert client.read_holding_registers(7) == [7]
        port.unlink()
        for _ in range(3):
            with pytest.raises(GatewayPathUnavailableError):
                client.read_holding_registers(7)
        with PtyPair() as cable, SerialServer(units, cable.left, **LINE):
            port.symlink_to(cable.right)
            give_up = monotonic() + PATIENCE
            while True:
                try:
                    assert client.read_holding_registers(7) == [7]
                    break
                except (GatewayPathUnavailableError, GatewayTargetFailedError):
                    assert monotonic() < give_up, "the port is never opened again"


def test_several_lines_and_own_units_behind_one_server(adapter: Adapter, bus: Bus) -> None:
    device = Device(5000)
    with ExitStack() as stack:
        number = stack.enter_context(serving(SYNC, Units({1: device}), "tcp"))
        behind = adapter.gateway("rtu", bus.port, {1: 17}, OPTIONS)
        other = adapter.gateway("tcp", number, {9: 1}, OPTIONS)  # for its client
        behind.units.add_line(other.client, {4: 1})
        behind.units[5] = own = Unit(holding_registers=SequentialBlock(0, [55] * 100))
        remotes = (behind, Gate(other.client, None))
        outside = stack.enter_context(serving(adapter, behind.units, "tcp", remotes=remotes))
        client = stack.enter_context(TcpClient("127.0.0.1", int(outside), options=OPTIONS))
        assert [client.read_holding_registers(0, unit=unit) for unit in (1, 4, 5)] == [
            [0],
            [5000],
            [55],
        ]
        with pytest.raises(ResponseTimeoutError):
            client.call(RawRequest(6, struct.pack(">HH", 60, 99)), unit=0, timeout=QUIET)
        assert [client.read_holding_registers(60, unit=unit) for unit in (1, 4, 5)] == [[99]] * 3
        assert own.holding_registers.read(60, 1) == (99,)


# The other way: a serial line in front, TCP behind.


@pytest.fixture(scope="module")
def forwarder(adapter: Adapter) -> Iterator[str]:
    """Yield the far end of a line; its units 1 and 2 are units of a server on TCP."""
    units = Units({1: Device(0), 2: Device(1000)})
    with serving(SYNC, units, "tcp") as number:
        behind = adapter.gateway("tcp", number, [1, 2], OPTIONS)
        with serving(adapter, behind.units, "rtu", remotes=(behind,)) as port:
            yield str(port)


@pytest.mark.usefixtures("_mbpoll")
def test_mbpoll_on_a_line_in_front_of_tcp(forwarder: str) -> None:
    mbpoll = Mbpoll("rtu", forwarder)
    assert mbpoll.read("-t", "4", "-r", "3", "-c", "2", unit=2) == {3: "1003", 4: "1004"}
    mbpoll.write("-t", "4", "-r", "3", "--", "33", unit=2)
    assert mbpoll.read("-t", "4", "-r", "3", unit=2) == {3: "33"}
    assert "failed: Illegal data address" in mbpoll.run("-t", "4", "-r", "5000").stderr


@pytest.mark.usefixtures("pymodbus")
def test_pymodbus_on_a_line_in_front_of_tcp(forwarder: str) -> None:
    with ModbusSerialClient(forwarder, baudrate=115200, timeout=PATIENCE, retries=0) as client:
        found = client.read_holding_registers(50, count=100 - 50, device_id=1)
        assert found.registers == list(range(50, 100))


def test_a_line_in_front_of_tcp_is_one_of_several_devices(forwarder: str) -> None:
    """It is silent for other units, returns exceptions, and forwards broadcasts."""
    with SerialClient(forwarder, options=OPTIONS, **LINE) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, unit=9, timeout=QUIET)
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(5000)
        with pytest.raises(ExceptionResponseError) as caught:
            client.write_coil(0, True)
        assert caught.value.code == ODD_CODE
        client.write_register(7, 4711, unit=0)
        # On TCP, unit 0 is not a broadcast but a missing unit, so nothing was written.
        assert client.read_holding_registers(7) == [7]


def test_a_broadcast_goes_through_two_gateways_to_the_devices(adapter: Adapter, bus: Bus) -> None:
    """From a line through TCP to another line."""
    with ExitStack() as stack:
        number = stack.enter_context(gate(adapter, bus))
        behind = adapter.gateway("tcp", number, None, OPTIONS)
        far_end = stack.enter_context(serving(adapter, behind.units, "rtu", remotes=(behind,)))
        client = stack.enter_context(SerialClient(str(far_end), options=OPTIONS, **LINE))
        client.write_register(75, 55, unit=0)
        assert [client.read_holding_registers(75, unit=unit) for unit in (1, 2, 3)] == [[55]] * 3
