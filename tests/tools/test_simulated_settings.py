"""Settings of a simulation that its page changes: modes, delimiters, networks, values at first."""

from __future__ import annotations

import os

import pytest
import trio

from modwire import ConnectionLostError, ResponseTimeoutError
from modwire_tools.demo.line import serial_line
from modwire_tools.simulator.behaviours import Counter
from modwire_tools.simulator.devices import DeviceSpec, UnitSpec
from modwire_tools.simulator.simulation import Simulation, place
from modwire_tools.simulator.view import View
from modwire_trio import connect
from running_simulation import ANY, PATIENCE, Clock, client_of, device, point, running

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")


async def read_soon(endpoint: str, unit: int) -> list[int]:
    """Return a register of a server that is about to listen."""
    while True:
        try:
            async with connect(endpoint) as client:
                return await client.read_holding_registers(0, unit=unit)
        except (ConnectionLostError, ResponseTimeoutError):
            await trio.sleep(0.01)


def pump(unit: int) -> DeviceSpec:
    return DeviceSpec(f"pump {unit}", [UnitSpec(unit, points=[point("speed", "hr:0", value=unit)])])


@has_ptys
def test_devices_on_one_line_change_their_mode_together() -> None:
    async def main(near: str, far: str) -> None:
        devices = [pump(3), pump(4)]
        async with running(devices, [f"rtu://{near}"]) as view:
            endpoint = view.devices()[1].endpoints[0]
            assert [each.mode for each in view.modes(1)] == ["rtu"]
            async with connect(f"rtu://{far}?timeout={PATIENCE}") as client:
                assert await client.read_holding_registers(0, unit=3) == [3]
            view.set_mode(1, "ascii", endpoint)
            for index in (0, 1):
                assert [each.mode for each in view.modes(index)] == ["ascii"]
            for unit in (3, 4):
                assert await read_soon(f"ascii://{far}?timeout=1", unit) == [unit]
            async with connect(f"ascii://{far}?timeout={PATIENCE}") as client:
                await client.change_ascii_input_delimiter("#", unit=4)
                assert await client.read_holding_registers(0, unit=3) == [3]
            assert view.state(1, 4).delimiter == ord("#")
            view.set_delimiter(0, 10)
            assert view.state(0, 3).delimiter == 10
            async with connect(f"ascii://{far}?timeout={PATIENCE}") as client:
                assert await client.read_holding_registers(0, unit=4) == [4]
            with pytest.raises(ValueError, match="serial"):
                view.set_mode(0, "tcp")
            assert view.problems() == {}

    with serial_line() as (near, far):
        trio.run(main, near, far)


def test_a_stopped_device_starts_with_its_new_mode() -> None:
    async def main() -> None:
        async with running([pump(1)]) as view:
            place_before = view.devices()[0].endpoints[0]
            view.stop(0)
            view.set_mode(0, "rtu")
            assert not view.devices()[0].running
            view.start(0)
            place_now = view.modes(0)[0].endpoint
            assert place_now == place_before.replace("tcp:", "rtu+tcp:")
            assert await read_soon(f"{place_now}?timeout={PATIENCE}", 1) == [1]

    trio.run(main)


def test_networks_are_those_of_all_endpoints() -> None:
    async def main() -> None:
        async with running([pump(1)], [ANY, "udp://127.0.0.1:0"]) as view:
            with pytest.raises(ValueError, match="^endpoint must be one of tcp://127.0.0.1:"):
                view.set_mode(0, "rtu")
            for endpoint in (0, 1):
                view.set_networks(0, None)
                async with client_of(view, endpoint=endpoint, timeout=0.2) as client:
                    assert await client.read_holding_registers(0, unit=1, timeout=PATIENCE) == [1]
                    view.set_networks(0, ["::1"])
                    with pytest.raises((ConnectionLostError, ResponseTimeoutError)):
                        await client.read_holding_registers(0, unit=1)

    trio.run(main)


def test_a_reset_begins_anew() -> None:
    async def main() -> None:
        clock = Clock()
        points = [
            point("count", "ir:0", behaviour=Counter(1)),
            point("speed", "hr:0", value=7),
        ]
        async with running([device(*points)], clock=clock) as view:
            clock.now += 50

            def values() -> list[object]:
                return [each.value for each in view.points(0, 1)]

            count = values()[0]
            assert isinstance(count, int)
            view.write_point(0, 1, "count", 1000)
            view.hold_point(0, 1, "count", True)
            view.write_point(0, 1, "speed", 8)
            view.reset(0, 1, diagnostics=False, values=True)
            clock.now += 1
            assert values() == [count + 1, 7]
            assert not view.points(0, 1)[0].held

    trio.run(main)


def test_which_ids_a_unit_has() -> None:
    specs = [UnitSpec(1, every_id=True), UnitSpec(7)]
    view: View = Simulation(place([DeviceSpec("d", specs)], [ANY])).view
    assert view.state(0, 7).ids == [7]
    assert view.state(0, 1).ids == [each for each in range(256) if each != 7]
    assert view.identity(0, 1) == []
    assert not view.waits()
