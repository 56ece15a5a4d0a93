"""Devices for tests: every link, everything that one is made from, and its values."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest

from examples.sync.custom_function import Meter, ReadPeakRequest, ReadPeakResponse
from modwire import (
    Block,
    BlockingCalls,
    ClientOptions,
    ConnectionLostError,
    Decoder,
    IllegalDataAddressError,
    ReadHoldingRegistersRequest,
    ResponseTimeoutError,
    SequentialBlock,
    Unit,
    Units,
)
from modwire.maps import RegisterMap, coil, float32, uint16
from modwire.units.unit import AsyncUnit
from modwire_sync import SerialClient, TcpClient, connect
from own_sockets import count_descriptors, needs_proc
from pytest_modwire import Device, DeviceFactory
from pytest_modwire.device import Scheme
from pytest_modwire.links import SerialCable, Tear

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
each_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def meter() -> Unit:
    return Unit(
        coils=SequentialBlock(0, [False] * 3),
        holding_registers=SequentialBlock(0, [15, 40]),
        input_registers=SequentialBlock(0, [2304, 2311, 2297], read_only=True),
    )


class Pump(RegisterMap):
    pressure = uint16(input=0, scale=0.01, unit="bar")
    speed = float32(holding=0x10, order="CDAB")
    running = coil(0)


@each_scheme
def test_a_device_on_each_link_is_read_and_written(
    modbus_device: DeviceFactory, scheme: Scheme
) -> None:
    device = modbus_device(meter(), scheme)
    with connect(device.endpoint) as client:
        assert client.read_input_registers(0, 3) == [2304, 2311, 2297]
        client.write_registers(0, [30, 31])
        client.write_coil(2, True)
    assert device.holding_registers[0:2] == [30, 31]
    assert device.coils[0:3] == [False, False, True]
    assert [(each.function, each.address, each.values) for each in device.requests] == [
        (4, 0, ()),
        (16, 0, (30, 31)),
        (5, 2, (True,)),
    ]


def test_a_device_has_its_place_in_parts(modbus_device: DeviceFactory) -> None:
    network, line = modbus_device(meter()), modbus_device(meter(), "rtu")
    assert (network.host, network.path) == ("127.0.0.1", "")
    assert (line.host, line.port) == ("", 0)
    with TcpClient(network.host, network.port) as client, SerialClient(line.path) as other:
        assert client.read_holding_registers(0) == other.read_holding_registers(0) == [15]


def test_a_serial_port_can_be_opened_again(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter(), "ascii")
    for value in range(3):
        with connect(device.endpoint) as client:
            client.write_register(0, value)
            assert client.read_holding_registers(0) == [value]


def test_devices_do_not_share_anything(modbus_device: DeviceFactory) -> None:
    devices = [modbus_device(meter()) for _ in range(3)]
    for number, device in enumerate(devices):
        device.holding_registers[0] = number
    for number, device in enumerate(devices):
        with connect(device.endpoint) as client:
            assert client.read_holding_registers(0) == [number]
    assert [len(device.requests) for device in devices] == [1, 1, 1]


# What it is made from.


@pytest.mark.parametrize("source", [Pump, Pump()], ids=["class", "instance"])
def test_a_register_map_is_a_device_with_named_values(
    modbus_device: DeviceFactory, source: RegisterMap | type[RegisterMap]
) -> None:
    device = modbus_device(source)
    device.values["pressure"] = 4.25
    with connect(device.endpoint) as client:
        assert Pump.pressure.read(client) == 4.25
        Pump.speed.write(client, 1450.0)
    assert dict(device.values) == {"pressure": 4.25, "speed": 1450.0, "running": False}
    assert Pump.load(device.unit).speed == 1450.0
    with pytest.raises(KeyError, match="no point 'sped'; there are pressure, speed, running"):
        device.values["sped"] = 1
    with pytest.raises(KeyError, match="no point 'sped'"):
        device.values["sped"]


def test_a_unit_with_another_id_is_in_the_endpoint(modbus_device: DeviceFactory) -> None:
    device = modbus_device({17: meter()}, "rtu")
    assert device.endpoint.endswith("?unit=17")
    with connect(device.endpoint) as client:
        assert client.read_holding_registers(0) == [15]
    assert device.requests[0].unit == 17


def test_several_units_have_values_of_their_own(modbus_device: DeviceFactory) -> None:
    device = modbus_device({1: meter(), 2: Pump}, "rtu+tcp")
    device[2].values["speed"] = 1.5
    device[1].input_registers[1] = 7
    with connect(device.endpoint) as client:
        assert Pump.speed.read(client, unit=2) == 1.5
        assert client.read_input_registers(1, unit=1) == [7]
        client.write_coil(0, True, unit=0)  # a broadcast
        assert client.read_coils(0, unit=2) == [True]  # and all that came before was executed
    assert device[1].coils[0] and device[2].values["running"]
    assert [each.unit for each in device.requests] == [2, 1, 0, 2]
    with pytest.raises(ValueError, match="has the units 1, 2: take one"):
        _ = device.holding_registers
    with pytest.raises(KeyError, match="no unit 3, it has 1, 2"):
        device[3]


def test_units_that_change_are_served_as_they_are(modbus_device: DeviceFactory) -> None:
    units = Units.single(meter())
    device = modbus_device(units)
    with connect(device.endpoint) as client:
        assert client.read_holding_registers(0, unit=200) == [15]
        units[200] = Unit(holding_registers=SequentialBlock(0, [99]))
        assert client.read_holding_registers(0, unit=200) == [99]
        assert client.read_holding_registers(0, unit=201) == [15]


DEVICE_FILE = """
name = "meter"
[[unit]]
id = 5
[unit.faults]
silence = 1.0
[[unit.point]]
name = "voltage"
at = "ir:0"
type = "float32"
value = 230.5
[[unit.point]]
name = "energy"
at = "ir:2"
type = "uint32"
value.counter.rate = 10
"""


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
def test_a_device_file_is_a_device(
    modbus_device: DeviceFactory, tmp_path: Path, scheme: Scheme
) -> None:
    pytest.importorskip("modwire_tools")
    (file := tmp_path / "meter.toml").write_text(DEVICE_FILE)
    device = modbus_device(file, scheme)
    with connect(device.endpoint) as client:
        assert client.read_input_registers(0, 2) == [0x4366, 0x8000]
        device.values["voltage"] = 1.0
        assert client.read_input_registers(0, 2) == [0x3F80, 0]
        device.values["energy"] = 1000
        assert client.read_input_registers(2, 2)[0] == 0
    energy = device.values["energy"]
    assert isinstance(energy, int) and energy >= 1000
    assert device.requests[0].unit == 5
    with pytest.raises(KeyError, match="there are voltage, energy"):
        device.values["current"]


def test_a_json_file_is_a_device(modbus_device: DeviceFactory, tmp_path: Path) -> None:
    pytest.importorskip("modwire_tools")
    point = {"name": "level", "at": "hr:3", "type": "uint16", "value": 12}
    unit = {"id": 1, "point": [point]}
    (file := tmp_path / "tank.json").write_text(json.dumps({"unit": [unit]}))
    device = modbus_device(str(file))
    with connect(device.endpoint) as client:
        assert client.read_holding_registers(3) == [12]
    assert device.holding_registers[3] == 12


def test_a_device_file_without_the_tools_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "pytest_modwire.device_files", raising=False)
    monkeypatch.setitem(sys.modules, "modwire_tools.simulator.files", None)
    with pytest.raises(ImportError, match=r"pip install 'pytest-modwire\[files\]'"):
        Device(tmp_path / "meter.toml")


@pytest.mark.parametrize(
    ("source", "scheme", "error", "text"),
    [
        (42, "tcp", TypeError, "must be a Unit or a RegisterMap; .* got 42"),
        ({}, "tcp", ValueError, "a device needs a unit"),
        ({300: Unit()}, "tcp", ValueError, "unit id must be 0..255, got 300"),
        (AsyncUnit(), "tcp", TypeError, "AsyncUnit, which waits in an event loop"),
        (Unit(), "modbus", ValueError, r"must be one of tcp, udp, .* got 'modbus'"),
    ],
)
@needs_proc
def test_a_mistake_is_named_and_leaves_nothing_open(
    source: object, scheme: str, error: type[Exception], text: str
) -> None:
    before = count_descriptors(), threading.active_count()
    with pytest.raises(error, match=text):
        Device(source, scheme)  # type: ignore[arg-type]
    assert (count_descriptors(), threading.active_count()) == before


# Values.


def test_inputs_are_set_by_the_test_and_not_by_clients(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter())
    device.input_registers[0:2] = [1, 2]
    with connect(device.endpoint) as client:
        assert client.read_input_registers(0, 3) == [1, 2, 2297]
    with pytest.raises(IndexError):
        device.input_registers[3] = 1
    with pytest.raises(ValueError, match="2 values are needed"):
        device.input_registers[0:2] = [1]
    with pytest.raises(IndexError, match=r"such as \[10:13\]"):
        device.input_registers[:2]
    with pytest.raises(IllegalDataAddressError):
        device.discrete_inputs[0]
    with pytest.raises(KeyError, match="only units of a RegisterMap or a device file"):
        device.values["voltage"] = 1


def test_a_block_of_ones_own_has_values_too(modbus_device: DeviceFactory) -> None:
    class Squares(Block):
        written = 0

        def read(self, address: int, count: int) -> list[int]:
            return [each * each for each in range(address, address + count)]

        def write(self, address: int, values: object) -> None:
            self.written = address

    block = Squares()
    device = modbus_device(Unit(holding_registers=block))
    assert device.holding_registers[2:5] == [4, 9, 16]
    device.holding_registers[7] = 1
    assert block.written == 7


def test_functions_of_ones_own_need_a_decoder(modbus_device: DeviceFactory) -> None:
    decoder = Decoder()
    decoder.register(ReadPeakRequest)
    device = modbus_device(Meter(), decoder=decoder)
    options = ClientOptions(decoder=decoder)
    with TcpClient(device.host, device.port, options=options) as client:
        assert client.call(ReadPeakRequest(2)) == ReadPeakResponse(5120, 95)
    assert [each.request for each in device.requests] == [ReadPeakRequest(2)]


# The log.


def test_a_request_to_nobody_is_in_the_log(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter(), "rtu+tcp")
    with connect(device.endpoint) as client, pytest.raises(ResponseTimeoutError):
        client.read_coils(0, unit=9, timeout=0.1)
    (entry,) = device.requests
    assert (entry.unit, entry.outcome, entry.fault) == (9, "silence", "the device has no such unit")
    assert "unit 9: ReadCoilsRequest(address=0, count=1) -> no answer" in device.report()


def test_refused_requests_and_damaged_frames_are_in_the_report(
    modbus_device: DeviceFactory,
) -> None:
    device = modbus_device(meter(), "ascii+tcp")
    with socket.create_connection((device.host, device.port), 20) as link:
        link.sendall(b":010300000001FF\r\n")  # a wrong LRC
        link.sendall(b":010300460001B5\r\n")
        assert link.recv(100) == b":0183027A\r\n"
    assert device.damaged_frames == 1
    assert [each.outcome for each in device.requests] == ["exception"]
    assert "exception 02, illegal data address" in device.report()
    assert device.report().endswith("damaged frames: 1")
    device.clear_requests()
    assert device.requests == []
    assert device.report().startswith("no request came")


def test_a_test_can_wait_for_requests(modbus_device: DeviceFactory) -> None:
    device = modbus_device(meter())

    def program() -> None:
        with connect(device.endpoint) as client:
            client.read_coils(0)
            client.write_register(1, 8)

    thread = threading.Thread(target=program)
    thread.start()
    found = device.wait_until(lambda requests: any(each.function == 6 for each in requests))
    assert found[-1].values == (8,)
    thread.join()
    assert len(device.wait_for_requests(2)) == 2
    with pytest.raises(TimeoutError, match=r"within 0.01 s; 2 requests came:"):
        device.wait_for_requests(3, timeout=0.01)


# The end.


def test_a_serial_client_that_never_reads_does_not_hold_up_the_end() -> None:
    closing = threading.Event()
    cable = SerialCable(Tear(closing.wait))
    device = os.open(cable.device_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        # Full for so long that the thread must be waiting for the client.
        while select.select([], [device], [], 0.5)[1]:
            with suppress(BlockingIOError):
                os.write(device, bytes(1000))
        cable.close()
    finally:
        os.close(device)
    assert "modbus-cable" not in {each.name for each in threading.enumerate()}


@needs_proc
@each_scheme
def test_nothing_is_left_at_the_end(scheme: Scheme) -> None:
    with Device(meter(), scheme) as device, connect(device.endpoint) as client:
        client.read_coils(0)
    before = count_descriptors(), threading.enumerate()
    device = Device(meter(), scheme)
    client = connect(device.endpoint)
    client.read_coils(0)
    device.faults.delay(1000.0)  # a call is being executed at the end
    thread = threading.Thread(target=ask_in_vain, args=(client,))
    thread.start()
    device.wait_for_requests(2)
    device.close()
    device.close()
    thread.join()
    client.close()
    assert (count_descriptors(), threading.enumerate()) == before


def ask_in_vain(client: BlockingCalls) -> None:
    with pytest.raises((ResponseTimeoutError, ConnectionLostError)):
        client.call(ReadHoldingRegistersRequest(0, 1), timeout=0.3)
