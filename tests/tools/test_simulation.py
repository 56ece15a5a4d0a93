"""A simulation through its view, as the page and the window use it."""

from __future__ import annotations

import os
from itertools import groupby

import pytest
import trio
import trio.testing

from copied_devices import SerialLine
from modwire import (
    ConnectionLostError,
    IllegalDataAddressError,
    ResponseTimeoutError,
)
from modwire_tools.addresses import parse_place
from modwire_tools.simulator.behaviours import Counter, Sine
from modwire_tools.simulator.devices import BlockSpec, DeviceSpec, UnitSpec
from modwire_tools.simulator.expressions import Expression
from modwire_tools.simulator.meter import energy_meter
from modwire_tools.simulator.simulation import Simulation, place
from modwire_tools.simulator.view import Faults, TrafficFilter
from modwire_trio import connect
from running_simulation import (
    ANY,
    PATIENCE,
    SOON,
    Clock,
    client_of,
    device,
    point,
    running,
    until,
)


def test_values_live_with_the_time_of_the_devices() -> None:
    async def main() -> None:
        clock = Clock()
        counter = point("n", "ir:0", behaviour=Counter(10, 2))
        async with running([device(counter)], clock=clock) as view, client_of(view) as client:
            assert await client.read_input_registers(0) == [10]
            clock.now += 5
            assert await client.read_input_registers(0) == [20]
            assert view.values(0, 1, "input_registers", 0, 2) == [20, None]
            info = view.points(0, 1)[0]
            assert (info.value, info.behaviour, info.held) == (20, "counter by 2/s", False)

    trio.run(main)


def test_points_see_each_other_and_their_types_bound_them() -> None:
    async def main() -> None:
        clock = Clock()
        points = (
            point("t", "ir:0", "float32", behaviour=Expression("t")),
            point("double", "ir:2", "float32", order="CDAB", behaviour=Expression("t_ * 2")),
            point("t_", "ir:4", "int16", scale=0.1, behaviour=Expression("t")),
            point("much", "hr:0", "uint8", behaviour=Expression("t * 1000")),
            point("late", "di:3", "bool", behaviour=Expression("t > 2")),
        )
        async with running([device(*points)], clock=clock) as view:
            clock.now += 3.25
            values = {each.name: each.value for each in view.points(0, 1)}
            assert values == {"t": 3.25, "double": 6.5, "t_": 3.2, "much": 255, "late": True}

    trio.run(main)


def test_bits_of_a_register_live_apart_from_one_another() -> None:
    async def main() -> None:
        clock = Clock()
        points = (
            point("late", "hr:0", "bit", bit=15, behaviour=Expression("t > 2")),
            point("on", "hr:0", "bit", bit=1, value=True),
            point("whole", "hr:0"),
        )
        blocks = [BlockSpec(parse_place("hr:0"), (0x0010,))]
        async with running([device(*points, blocks=blocks)], clock=clock) as view:
            assert view.values(0, 1, "holding_registers", 0, 1) == [0x0012]
            view.write_point(0, 1, "on", False)
            clock.now += 3
            assert view.values(0, 1, "holding_registers", 0, 1) == [0x8010]
            values = {each.name: each.value for each in view.points(0, 1)}
            assert values == {"late": True, "on": False, "whole": 0x8010}

    trio.run(main)


def test_two_points_that_ask_each_other_come_to_an_end() -> None:
    async def main() -> None:
        points = (
            point("a", "ir:0", behaviour=Expression("b + 1")),
            point("b", "ir:1", behaviour=Expression("a + 1")),
        )
        async with running([device(*points)]) as view, client_of(view) as client:
            assert len(await client.read_input_registers(0, 2)) == 2

    trio.run(main)


def test_a_written_point_goes_on_or_is_held_whoever_writes() -> None:
    async def main() -> None:
        clock = Clock()
        points = (
            point("count", "hr:0", behaviour=Counter()),
            point("wave", "hr:1", behaviour=Sine(50, 10, 60)),
            point("stays", "hr:2", value=7),
        )
        async with running([device(*points)], clock=clock) as view, client_of(view) as client:
            await client.write_registers(0, [500, 11, 8])
            clock.now += 10
            assert await client.read_holding_registers(0, 3) == [510, 11, 8]
            assert [each.held for each in view.points(0, 1)] == [False, True, False]
            view.hold_point(0, 1, "wave", False)
            clock.now += 5
            assert (await client.read_holding_registers(1))[0] == 60
            view.hold_point(0, 1, "count", True)
            clock.now += 5
            assert await client.read_holding_registers(0) == [515]
            view.write_point(0, 1, "count", 3)
            view.hold_point(0, 1, "count", False)
            clock.now += 2
            assert await client.read_holding_registers(0) == [5]
            view.write(0, 1, "holding_registers", 0, [100])
            clock.now += 1
            assert await client.read_holding_registers(0) == [101]
            with pytest.raises(ValueError, match="is constant"):
                view.hold_point(0, 1, "stays", True)
            with pytest.raises(ValueError, match="uint16 must be an integer 0..65535"):
                view.write_point(0, 1, "stays", -1)

    trio.run(main)


def test_the_owner_writes_where_clients_may_not() -> None:
    async def main() -> None:
        block = BlockSpec(parse_place("hr:0"), (1, 2), read_only=True)
        inputs = BlockSpec(parse_place("di:4"), (0, 1))
        async with running([device(blocks=(block, inputs))]) as view, client_of(view) as client:
            with pytest.raises(IllegalDataAddressError):
                await client.write_register(0, 5)
            view.write(0, 1, "holding_registers", 0, [5, 6])
            view.write(0, 1, "discrete_inputs", 4, [1])
            assert await client.read_holding_registers(0, 2) == [5, 6]
            assert await client.read_discrete_inputs(4, 2) == [True, True]
            tables = [(each.table, each.ranges, each.writable) for each in view.tables(0, 1)]
            assert tables == [
                ("discrete_inputs", [(4, 2)], False),
                ("holding_registers", [(0, 2)], True),
            ]

    trio.run(main)


def test_wrong_arguments_of_the_view_are_one_sentence() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view:
            for error, match, call in [
                (LookupError, "no device 1, there are 0..0", lambda: view.points(1, 1)),
                (LookupError, "has no unit 2, it has 1", lambda: view.counters(0, 2)),
                (LookupError, "has no point 'x'", lambda: view.trend(0, 1, "x")),
                (ValueError, "count must be 1..1000", lambda: view.values(0, 1, "coils", 0, 0)),
                (ValueError, "addresses must be", lambda: view.values(0, 1, "coils", 65535, 2)),
                (ValueError, "table must be one", lambda: view.values(0, 1, "coil", 0, 1)),
                (ValueError, "must be 0..1, got 2", lambda: view.write(0, 1, "coils", 0, [2])),
                (ValueError, "does not have all", lambda: view.write(0, 1, "coils", 1, [1, 1])),
                (ValueError, "drop must be 0..1", lambda: view.set_faults(0, 1, Faults(drop=2))),
                (
                    ValueError,
                    "exception_code",
                    lambda: view.set_faults(0, 1, Faults(0, 0, 0, 0, 0)),
                ),
                (ValueError, "at least 1 message", lambda: view.traffic(most=0)),
            ]:
                with pytest.raises(error, match=match):
                    call()

    trio.run(main)


def test_traffic_is_recorded_from_when_it_is_asked_for_and_can_be_filtered() -> None:
    async def main() -> None:
        endpoints = (ANY, "udp://127.0.0.1:0")
        async with running([energy_meter()], endpoints, count=2) as view:
            client, other = client_of(view), client_of(view, 1, 1)
            async with client, other:
                await client.read_coils(0)
                assert view.traffic() == []
                await client.read_holding_registers(0, 2)
                await client.write_register(0, 20)
                with pytest.raises(IllegalDataAddressError):
                    await client.read_coils(99)
                await other.read_holding_registers(0)
                found = view.traffic()
                assert [each.number for each in found] == [1, 2, 3, 4]
                assert [each.device for each in found] == [0, 0, 0, 1]
                first, third = found[0], found[2]
                assert (first.request, first.response) == ("0300000002", "0304000f0028")
                assert first.response_text == "15, 40"
                assert "holding registers" in first.request_text
                assert (first.unit, first.function, first.outcome) == (1, 3, "ok")
                assert 0 <= first.milliseconds < PATIENCE * 1000
                assert (third.response, third.outcome) == ("8102", "exception")

                def numbers(after: int = 0, **wanted: object) -> list[int]:
                    chosen = TrafficFilter(**wanted)  # type: ignore[arg-type]
                    return [each.number for each in view.traffic(after, chosen)]

                assert numbers(device=1) == [4]
                assert numbers(functions=[3]) == [1, 4]
                assert numbers(functions=[3], after=1) == [4]
                assert numbers(outcome="exception") == [3]
                assert numbers(text="ILLEGAL data") == [3]
                assert numbers(peer="127.0.0.1", unit=1) == [1, 2, 3, 4]
                assert numbers(unit=2) == []
                assert [each.number for each in view.traffic(most=2)] == [3, 4]

    trio.run(main)


def test_who_is_connected_is_known_and_how_often_they_asked() -> None:
    async def main() -> None:
        async with running([energy_meter()], (ANY, "udp://127.0.0.1:0")) as view:
            async with client_of(view) as client, client_of(view, 0, 1) as datagrams:
                await client.read_coils(0)
                await client.read_coils(1)
                await datagrams.read_coils(0)
                found = {each.endpoint[:3]: each for each in view.connections()}
                assert {key: each.requests for key, each in found.items()} == {"tcp": 2, "udp": 1}
                assert found["tcp"].since <= found["tcp"].heard + 1
                assert view.devices()[0].connections == 1
                assert view.devices()[0].requests == 3
                assert view.counters(0, 1)["server messages"] == 3
            await until(lambda: view.devices()[0].connections == 0)
            assert [each.endpoint[:3] for each in view.connections()] == ["udp"]

    trio.run(main)


def test_a_stopped_device_closes_its_connections_and_keeps_its_values_and_port() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view:
            endpoint = view.devices()[0].endpoints
            async with client_of(view) as client:
                await client.write_register(0, 99)
                view.stop(0)
                await until(lambda: view.devices()[0].connections == 0)
                assert not view.devices()[0].running
                with pytest.raises(ConnectionLostError):
                    await client.read_holding_registers(0)
                view.start(0)
                view.start(0)
                assert view.devices()[0].running
                assert view.devices()[0].endpoints == endpoint
            async with client_of(view) as client:
                while True:
                    try:
                        assert await client.read_holding_registers(0) == [99]
                        break
                    except ConnectionLostError:  # the device does not listen yet
                        await trio.sleep(0.01)
            assert view.devices()[0].requests == 1

    trio.run(main)


def test_a_port_in_use_is_a_problem_of_one_device() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as first:
            taken = first.devices()[0].endpoints[0]
            devices = place([energy_meter()], [taken]) + place([energy_meter()], [ANY])
            simulation = Simulation(devices, seed=1)
            async with trio.open_nursery() as nursery:
                await nursery.start(simulation.run)
                view = simulation.view
                assert [each.running for each in view.devices()] == [False, True]
                assert "in use" in view.problems()[0]
                first.stop(0)
                await until(lambda: not first.devices()[0].running)
                await trio.testing.wait_all_tasks_blocked()
                view.start(0)
                await until(lambda: view.devices()[0].endpoints == [taken])
                await trio.testing.wait_all_tasks_blocked()
                assert view.problems() == {}
                nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_when_a_device_of_a_line_is_stopped_the_others_go_on() -> None:
    def on_the_line(number: int) -> DeviceSpec:
        block = BlockSpec(parse_place("hr:0"), (number,))
        return DeviceSpec(f"d{number}", (UnitSpec(number, blocks=(block,)),))

    async def main() -> None:
        devices = [on_the_line(1), on_the_line(2)]
        with SerialLine() as line:
            place_at = f"rtu://{line.right}?baudrate=115200"
            client = connect(f"rtu://{line.left}?baudrate=115200&timeout=5&retries=3")
            async with running(devices, [place_at]) as view, client:
                view.traffic()

                async def read(unit: int) -> list[int]:
                    return await client.read_holding_registers(0, unit=unit)

                assert await read(1) == [1]
                assert await read(2) == [2]
                # The first device had opened the port, now the second one does. A request sent
                # before that is lost, so the client retries.
                view.stop(0)
                await until(lambda: not view.devices()[0].running)
                await trio.testing.wait_all_tasks_blocked(0.05)
                assert await read(2) == [2]
                with pytest.raises(ResponseTimeoutError):
                    await client.read_holding_registers(0, unit=1, timeout=SOON)
                view.start(0)
                await trio.testing.wait_all_tasks_blocked(0.05)
                assert await read(1) == [1]
                assert view.problems() == {}
                assert [each.device for each in view.connections()] == [0, 1]
                # In turn, although on a busy machine the client may have sent a request twice.
                assert [key for key, _ in groupby(each.device for each in view.traffic())] == [
                    0,
                    1,
                    0,
                ]

    trio.run(main)


def test_a_trend_begins_when_it_is_asked_for() -> None:
    async def main() -> None:
        async with running([energy_meter()]) as view:
            [(_, value)] = view.trend(0, 1, "energy")
            assert value == pytest.approx(18462.903)
            assert view.trend(0, 1, "location") == []

    trio.run(main)


def test_the_title_names_what_is_simulated() -> None:
    async def main() -> None:
        async with running([energy_meter(), device(name="Pump")], count=5) as view:
            assert view.title() == "Energy meter, Pump (5 devices)"
            assert view.device_count() == 5
            names = [each.name for each in view.devices(1, 2)]
            assert names == ["Pump", "Energy meter"]

    trio.run(main)


def test_an_endpoint_with_tls_needs_a_certificate() -> None:
    placed = place([energy_meter()], ["tls://127.0.0.1:0"])
    with pytest.raises(ValueError, match="tls://127.0.0.1:0 needs the certificate and the key"):
        Simulation(placed)


def test_devices_are_placed_on_ports_and_addresses_one_after_the_other() -> None:
    meter = energy_meter()
    ports = place([meter], ["tcp://127.0.0.1:6000", "udp://127.0.0.1:7000"], count=3)
    assert [str(each) for each in ports[2].endpoints] == [
        "tcp://127.0.0.1:6002",
        "udp://127.0.0.1:7002",
    ]
    addresses = place([meter], ["tcp://127.0.1.255:502"], count=2, consecutive="addresses")
    assert str(addresses[1].endpoints[0]) == "tcp://127.0.2.0:502"


@pytest.mark.parametrize(
    ("endpoint", "options", "expected"),
    [
        ("tcp://127.0.0.1:65535", {"count": 2}, "device 2 would be at 65536"),
        ("tcp://localhost:1", {"count": 2, "consecutive": "addresses"}, "need an IP address"),
        ("rtu:///dev/x", {"count": 2}, "every unit needs an id of its own: 1 is in"),
        ("unix:///tmp/x", {"count": 2}, "cannot be that of 2 devices"),
        ("tls://127.0.0.1?key=x", {}, "has key, which only clients have: --key is the option"),
        ("tcp://127.0.0.1", {"count": 0}, "devices must be at least 1, got 0"),
        ("tcp://127.0.0.1", {"consecutive": "ids"}, "must be ports or addresses, got 'ids'"),
    ],
)
def test_what_cannot_be_placed_is_told(
    endpoint: str, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        place([energy_meter()], [endpoint], **options)  # type: ignore[arg-type]
