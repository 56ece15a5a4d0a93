"""A register map reads, writes and simulates a device through the clients of every package."""

from __future__ import annotations

import struct
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from modwire import (
    ExceptionResponse,
    IllegalDataAddressError,
    InvalidResponseError,
    Response,
    SequentialBlock,
    TcpFraming,
    Unit,
    Units,
)
from modwire.maps import RegisterMap, bit, coil, float32, int16, string, uint16, uint32
from modwire.planner import WriteFunctions

from .drivers.all import DRIVERS
from .drivers.base import Driver


class Pump(RegisterMap):
    """A map with holes, which is read in parts, and a text that needs two requests."""

    pressure = uint16(input=0, scale=0.01)
    speed = float32(holding=0x10, order="CDAB")
    mode = uint16(holding=0x14)
    hot = bit(3, holding=0x15)
    text = string(300, holding=0x20)
    running = coil(0)


class Other(RegisterMap):
    missing = uint16(holding=0x12)


def pump() -> Pump:
    made = Pump()
    made.pressure, made.speed, made.text = 4.25, 1450.0, "P" * 300
    return made


class Odd(RegisterMap, write_functions=WriteFunctions(6, 15)):
    """A device without functions 5, 16 and 22, which leaves out half of what it should have."""

    factor = int16(holding=0, none=0x8000)
    power = int16(holding=1, scale=factor, none=0x8000)
    limit = uint16(holding=2, scale=factor)
    current = uint32(holding=3, none=(0x80000000, 0xFFFFFFFF))
    hot = bit(3, holding=5)
    name = string(8, holding=6, nul_terminated=True, errors="replace")
    text = string(4, holding=10)
    missing = uint16(holding=14)
    running = coil(0)


class OddUnit(Unit):
    """A unit with functions 1, 3, 6 and 15, and without register 14."""

    def execute(self, request: Any, *, broadcast: bool = False) -> Response | None:
        if request.function_code not in (1, 3, 6, 15):
            return ExceptionResponse(request.function_code, 1)
        return super().execute(request, broadcast=broadcast)


def odd_unit() -> OddUnit:
    names = struct.unpack(">4H", b"AB\xff\0\xff\xffCD")
    registers = [0xFFFE, 0x8000, 150, 0xFFFF, 0xFFFF, 0xF000, *names, 0xFFFF, 0x4100]
    return OddUnit(
        coils=SequentialBlock(0, [False]), holding_registers=SequentialBlock(0, registers)
    )


on_tcp = pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS if "tcp" not in driver.lacks], ids=lambda d: d.name
)


@on_tcp
def test_a_map_of_an_odd_device_goes_through_the_clients_of_every_package(driver: Driver) -> None:
    async def play() -> None:
        unit = odd_unit()
        serving = await driver.serve("tcp", Units({1: unit}), None, 1.0, {})
        listener: Any = SimpleNamespace(address=serving.address)
        client = driver.client("tcp", listener, TcpFraming, {})
        try:
            found = await driver.finish(partial(Odd.read, client))
            assert found.as_dict() == {
                "factor": -2,
                "power": None,
                "limit": 1.5,
                "current": None,
                "hot": False,
                "name": "AB\ufffd",
                "running": False,
            }
            assert {name: type(error) for name, error in found.read_errors.items()} == {
                "text": InvalidResponseError,
                "missing": IllegalDataAddressError,
            }
            assert await driver.finish(partial(Odd.power.read, client)) is None
            assert await driver.finish(partial(Odd.limit.read, client)) == 1.5
            with pytest.raises(ValueError, match="cannot be written as None"):
                await driver.finish(partial(Odd.current.write, client, None))
            found.power, found.current, found.hot, found.running = -3.21, 0x20001, True, True
            await driver.finish(partial(found.write, client))
            await driver.finish(partial(Odd.limit.write, client, 2.25))
            assert unit.holding_registers.read(0, 6) == (0xFFFE, 0xFEBF, 225, 2, 1, 0xF008)
            assert unit.coils.read(0, 1) == (True,)
        finally:
            await driver.finish(driver.close(client))
            await driver.finish(serving.stop)

    driver.run(play)


@on_tcp
def test_a_map_goes_through_the_clients_of_every_package(driver: Driver) -> None:
    async def play() -> None:
        unit = pump().build_unit()
        serving = await driver.serve("tcp", Units({1: unit}), None, 1.0, {})
        listener: Any = SimpleNamespace(address=serving.address)
        client = driver.client("tcp", listener, TcpFraming, {})
        try:
            planner = Pump.planner()
            for _ in range(2):
                found = await driver.finish(partial(Pump.read, client, planner=planner))
                assert found.as_dict() == {**pump().as_dict(), "mode": 0, "hot": 0, "running": 0}
            found.mode, found.hot, found.running, found.text = 3, True, True, "Q" * 299
            await driver.finish(partial(found.write, client))
            await driver.finish(partial(Pump.speed.write, client, 1500.0))
            assert await driver.finish(partial(Pump.speed.read, client)) == 1500.0
            found.speed = 1500.0
            assert await driver.finish(partial(Pump.read, client)) == Pump.load(unit) == found
            with pytest.raises(IllegalDataAddressError):
                await driver.finish(partial(Other.read, client))
        finally:
            await driver.finish(driver.close(client))
            await driver.finish(serving.stop)

    driver.run(play)
