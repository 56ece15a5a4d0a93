"""A register map reads, writes and simulates a device through the clients of every package."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from modwire import IllegalDataAddressError, TcpFraming, Units
from modwire.maps import RegisterMap, bit, coil, float32, string, uint16

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


@pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS if "tcp" not in driver.lacks], ids=lambda d: d.name
)
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
