"""One device for programs of each package: its thread does not depend on the loop of the test."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modwire import ResponseTimeoutError, SequentialBlock, ServerDeviceBusyError, Unit

if TYPE_CHECKING:
    from pytest_modwire import Device, DeviceFactory
    from pytest_modwire.device import Scheme

SCHEMES: tuple[Scheme, ...] = ("tcp", "udp", "rtu", "ascii", "rtu+tcp")


@pytest.fixture(params=SCHEMES)
def device(request: pytest.FixtureRequest, modbus_device: DeviceFactory) -> Device:
    made = modbus_device(Unit(holding_registers=SequentialBlock(0, [15, 40])), request.param)
    made.faults.busy(function=1)
    made.faults.silence(function=2)
    return made


def check(device: Device) -> None:
    assert device.holding_registers[1] == 41
    assert [each.outcome for each in device.requests] == ["ok", "ok", "exception", "silence"]


def test_a_blocking_test(device: Device) -> None:
    from modwire_sync import connect

    with connect(device.endpoint) as client:
        assert client.read_holding_registers(0, 2) == [15, 40]
        client.write_register(1, 41)
        with pytest.raises(ServerDeviceBusyError):
            client.read_coils(0)
        with pytest.raises(ResponseTimeoutError):
            client.read_discrete_inputs(0, timeout=0.1)
    check(device)


def test_a_trio_test(device: Device) -> None:
    trio = pytest.importorskip("trio")
    connect = pytest.importorskip("modwire_trio").connect

    async def scenario() -> None:
        async with connect(device.endpoint) as client:
            assert await client.read_holding_registers(0, 2) == [15, 40]
            await client.write_register(1, 41)
            with pytest.raises(ServerDeviceBusyError):
                await client.read_coils(0)
            with pytest.raises(ResponseTimeoutError):
                await client.read_discrete_inputs(0, timeout=0.1)

    trio.run(scenario)
    check(device)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_asyncio_test(device: Device, loop: str) -> None:
    pytest.importorskip(loop)
    connect = pytest.importorskip("modwire_asyncio").connect

    async def scenario() -> None:
        async with connect(device.endpoint) as client:
            assert await client.read_holding_registers(0, 2) == [15, 40]
            await client.write_register(1, 41)
            with pytest.raises(ServerDeviceBusyError):
                await client.read_coils(0)
            with pytest.raises(ResponseTimeoutError):
                await client.read_discrete_inputs(0, timeout=0.1)

    if loop == "uvloop":
        import uvloop

        uvloop.run(scenario())
    else:
        asyncio.run(scenario())
    check(device)


def test_a_gevent_test(device: Device) -> None:
    pytest.importorskip("gevent")
    connect = pytest.importorskip("modwire_gevent").connect
    with connect(device.endpoint) as client:
        assert client.read_holding_registers(0, 2) == [15, 40]
        client.write_register(1, 41)
        with pytest.raises(ServerDeviceBusyError):
            client.read_coils(0)
        with pytest.raises(ResponseTimeoutError):
            client.read_discrete_inputs(0, timeout=0.1)
    check(device)


MONKEY_PATCHED = """
from gevent import monkey

monkey.patch_all()
from modwire import SequentialBlock, Unit
from modwire_gevent import connect
from pytest_modwire import Device

for scheme in ("tcp", "udp", "rtu", "rtu+tcp"):
    with Device(Unit(holding_registers=SequentialBlock(0, [15, 40])), scheme) as device:
        if scheme != "udp":
            device.faults.tear(0.01)
        device.faults.delay(0.01)
        with connect(device.endpoint) as client:
            print(scheme, client.read_holding_registers(0, 2))
"""


def test_a_monkey_patched_test() -> None:
    """There the threads of the device are greenlets."""
    pytest.importorskip("modwire_gevent")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MONKEY_PATCHED],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    expected = [f"{each} [15, 40]" for each in ("tcp", "udp", "rtu", "rtu+tcp")]
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")
