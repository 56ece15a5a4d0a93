"""Units 248..255 on a serial line: reserved by the specification, and used by devices."""

from __future__ import annotations

from importlib import import_module

import pytest

from modwire import Decoder, RtuFraming, Units
from server_peers import memory_unit

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .drivers.far_ends import PtyListener

_wrap = RtuFraming(Decoder(), is_server=True).wrap


@pytest.mark.parametrize(
    "driver",
    [driver for driver in DRIVERS if "serial" not in driver.lacks],
    ids=lambda driver: driver.name,
)
@pytest.mark.parametrize("unit", [248, 250, 255])
def test_a_device_at_a_reserved_id_is_read_and_served(driver: Driver, unit: int) -> None:
    package = import_module(f"modwire_{driver.adapter}")
    request = _wrap(unit, 0, bytes.fromhex("0300050001"))
    answer = _wrap(unit, 0, bytes.fromhex("03020005"))

    async def play() -> None:
        line = PtyListener(driver)
        client = package.connect(f"rtu://{line.address}?unit={unit}&timeout=10")
        end = await line.accept()
        task = driver.start(driver.call(client, "read_holding_registers", (5,), {}))
        assert await end.receive(len(request)) == request
        await end.send(answer)
        await task.wait()
        assert (task.error, task.value) == (None, [5])
        await driver.finish(driver.close(client))

        units = Units({unit: memory_unit()})
        serving = await driver.serve("serial", units, line.address, 5.0, {})
        await end.send(request)
        assert await end.receive(len(answer)) == answer
        await driver.finish(serving.stop)
        line.close()

    driver.run(play)
