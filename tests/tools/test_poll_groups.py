"""Groups of lines on nodes: who reads which device, and that no device is read by two.

The nodes are in the loop of the test; test_poll_cluster.py has the same with Ray.
"""

from __future__ import annotations

import asyncio
import pickle
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fake_cluster import FakeCluster
from modwire import ConnectionLostError, IllegalDataAddressError
from modwire_tools.poll.cluster import batch, group
from modwire_tools.poll.cluster.cluster_reader import ClusterReader
from modwire_tools.poll.cluster.line_actor import LineActor
from modwire_tools.poll.cluster.spreading import spread
from modwire_tools.poll.delivery.packing import unpack
from modwire_tools.poll.plant import Plant
from modwire_tools.poll.poller import Poller
from modwire_tools.poll.reader import ReadingEndedError
from modwire_tools.poll.sample import BAD, GOOD
from polled_plant import (
    PATIENCE,
    KeepingSink,
    Polled,
    device,
    plant_of,
    polling,
    run,
    serving,
    spec_of,
)


def test_lines_are_spread_evenly() -> None:
    """Each node has about the same requests per second, also with lines that are bound to one."""
    rates = {f"l{number}": 1.0 + number % 3 for number in range(90)}
    for loads in ({"a": 0.0, "b": 0.0, "c": 0.0}, {"a": 30.0, "b": 5.0, "c": 0.0}):
        sums = dict(loads)
        for line, node in spread(rates, loads, {}).items():
            sums[node] += rates[line]
        assert max(sums.values()) - min(sums.values()) <= 3.0
    assert spread({"l": 1.0}, {"a": 9.0, "b": 0.0}, {}) == {"l": "b"}
    assert spread({}, {"a": 0.0}, {}) == {}


def test_lines_that_need_not_move_stay() -> None:
    rates = {f"l{number}": 1.0 for number in range(30)}
    homes = {line: "ab"[number % 2] for number, line in enumerate(rates)}
    assert spread(rates, {"a": 0.0, "b": 0.0}, homes) == homes
    # Another line comes: it goes to one of them, and all others stay.
    assert spread({**rates, "new": 1.0}, {"a": 0.0, "b": 0.0}, homes).items() >= homes.items()
    # A node comes back: it gets a third, and those first that had come from it.
    guests = [line for number, line in enumerate(rates) if number % 2 and number < 20]
    placed = spread(rates, {"a": 0.0, "b": 0.0, "c": 0.0}, homes, guests)
    moved = {line for line in rates if placed[line] != homes[line]}
    assert 9 <= len(moved) <= 10
    assert {placed[line] for line in moved} == {"c"}
    assert len(moved & set(guests)) >= 5
    # The node of some is gone: they alone are placed anew.
    placed = spread(rates, {"a": 0.0, "c": 0.0}, homes)
    assert {line for line in rates if placed[line] != homes[line]} == {
        line for line in rates if homes[line] == "b"
    }


def test_spreading_ends_with_any_rates() -> None:
    random.seed(7)
    for _ in range(200):
        rates = {number: random.choice([0.01, 0.1, 1, 50]) for number in range(20)}
        loads = {node: random.choice([0.0, 1.0, 100.0]) for node in "abc"}
        homes = {line: random.choice("abcd") for line in rates if random.random() < 0.7}
        placed = spread(rates, loads, homes)
        assert placed.keys() == rates.keys()
        assert set(placed.values()) <= set(loads)


def test_a_device_is_the_same_on_another_machine(tmp_path: Path) -> None:
    """Scale, type, values that mean none, names of values: all of it is pickled."""
    text = device("tank", 5020, tags='{ hall = "3" }', stale=2, max_gap=3)
    text += 'type = "int16"\nscale = 0.1\nnone = 7\ndeadband = 0.5\n'.join(
        ['[[device.point]]\nname = "far"\nat = "hr:9"\n', ""]
    )
    (spec,) = plant_of(tmp_path, text).devices
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    for one, other in zip(spec.points, again.points, strict=True):
        assert one.item.decode([1]) == other.item.decode([1])
        assert one.item.measure == other.item.measure
    assert again.points[2].item.decode([7]) is None


def test_values_come_from_all_nodes_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        cluster = FakeCluster("a", "b", "c")
        async with serving() as one, serving() as two, serving() as three:
            servers = [one, two, three]
            text = "".join(device(f"d{n}", each.port) for n, each in enumerate(servers))
            async with polling(plant_of(tmp_path, text), cluster) as polled:
                for level in range(1, 4):
                    for each in servers:
                        each.set_level(level)
                    for name in ("d0", "d1", "d2"):
                        await polled.until_value(name, "level", level)
                assert {each.node for each in cluster.actors} == {"0", "1", "2"}
                for name in ("d0", "d1", "d2"):
                    values = polled.sink.values(name, "level")
                    assert values == sorted(values)
                    assert polled.sink.values(name, "pump") == [False]
                up = 'modwire_poll_up{device="d2"} 1'
                await polled.until(lambda: up in polled.poller.figures())
                latest = {(each.device, each.point) for each in polled.poller.latest()}
                assert len(latest) == 6
                assert polled.poller.health()[0]
            assert cluster.running() == []

    run(test)


def test_a_write_goes_through_the_node_of_the_line(tmp_path: Path) -> None:
    async def test() -> None:
        cluster = FakeCluster("a")
        async with serving(registers=5) as served:
            text = device("tank", served.port).replace('"20ms"', '"1h"')
            text += '[[device.point]]\nname = "far"\nat = "hr:9"\n'
            async with polling(plant_of(tmp_path, text), cluster) as polled:
                await polled.until(lambda: polled.sink.values("tank", "level") == [0])
                assert await polled.poller.write("tank", "level", "22") == 22
                await polled.until(lambda: polled.sink.values("tank", "level") == [0, 22])
                with pytest.raises(IllegalDataAddressError):
                    await polled.poller.write("tank", "far", "1")
                with pytest.raises(ValueError, match="has no point 'lever'"):
                    await polled.poller.write("tank", "lever", "1")
                cluster.dead.add("0")
                with pytest.raises(ConnectionLostError, match="the node of tank does not answer"):
                    await polled.poller.write("tank", "level", "1")

    run(test)


def test_a_line_is_read_by_the_node_that_it_names(tmp_path: Path) -> None:
    """One that names a node which is not there is bad, and nobody waits for it."""

    async def test() -> None:
        cluster = FakeCluster("a", "gateway-2")
        async with serving() as one, serving() as two, serving() as three:
            text = device("here", one.port, node='"gateway-2"')
            text += device("away", two.port, node='"gateway-3"') + device("any", three.port)
            async with polling(plant_of(tmp_path, text), cluster) as polled:
                sink = polled.sink
                await polled.until(
                    lambda: all(sink.values(each, "level") for each in ("any", "here"))
                )
                (bound,) = (each for each in cluster.actors if each.name == "gateway-2")
                assert bound.node == "1"
                (first, *rest) = [each for each in sink.samples if each.device == "away"]
                reason = "node gateway-3: it is not in the cluster"
                assert (first.value, first.quality, first.reason) == (None, BAD, reason)
                assert len(rest) == 1  # one for each point
                assert not two.connections
                assert polled.told == [f"{reason}; the lines wait for it, 1 device"]
                assert polled.poller.health()[1]["devices"] == {
                    "number": 3,
                    "without answer": {"away": reason},
                }
                # It comes, and nobody has to say so.
                cluster.names[2] = "gateway-3"
                await polled.until(lambda: sink.values("away", "level")[1:])
                assert sink.values("away", "level")[:2] == [None, 0]
                assert polled.told[1:] == ["node address 2: 1 device read again"]

    run(test)


@pytest.mark.parametrize("how", ["dead", "silent"])
def test_another_node_takes_over(how: str, tmp_path: Path) -> None:
    """Only the lines of the lost node move; its values are bad until they are read again."""

    async def test() -> None:
        cluster = FakeCluster("a", "b")
        async with serving() as one, serving() as two:
            plant = plant_of(tmp_path, device("d0", one.port) + device("d1", two.port))
            async with polling(plant, cluster) as polled:
                names = {"d0", "d1"}
                await polled.until(lambda: {each.device for each in polled.sink.samples} == names)
                lost = next(
                    name
                    for each in polled.poller.reader._groups  # type: ignore[attr-defined]
                    if each.node == "1"
                    for name in each.devices
                )
                kept = (names - {lost}).pop()
                getattr(cluster, how).add("1")
                await polled.until(lambda: None in polled.sink.values(lost, "level"))
                await polled.until(lambda: polled.sink.values(lost, "level")[-1] == 0)
                assert None not in polled.sink.values(kept, "level")
                assert {each.node for each in cluster.running()} == {"0"}
                said = "node address 1: it does not answer; another node takes over its lines, "
                assert polled.told == [f"{said}1 device", "node address 0: 1 device read again"]
                # The first actor has ended by itself: one connection is left at each device.
                await polled.until(lambda: len(one.connections) == len(two.connections) == 1)
                # Ray has the node for long: a reload gives it nothing until it answers again.
                same = replace(plant, sinks=polled.poller.plant.sinks)
                await polled.poller.reload(same)
                assert {each.node for each in cluster.running()} == {"0"}
                getattr(cluster, how).clear()
                await polled.poller.reload(same)
                assert {each.node for each in cluster.running()} == {"0", "1"}

    run(test)


def test_an_actor_that_nobody_asks_stops_reading(tmp_path: Path) -> None:
    """Its driver was killed, or has given it up; the lease ends before another actor begins."""

    async def test() -> None:
        async with serving() as served:
            plant = plant_of(tmp_path, device("tank", served.port))
            actor = LineActor("node")
            _, life, node = await actor.hello()
            assert node == "node"
            await actor.set_devices(1, plant.devices, False)
            found = await actor.collect(life, 0)
            while not found.readings:
                found = await actor.collect(life, 0)
            asked = time.monotonic()
            assert found.revision == 1
            # What was not acknowledged comes again, and first.
            again = await actor.collect(life, 0)
            assert list(again.readings[: len(found.readings)]) == list(found.readings)
            while served.connections:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.01)
            assert time.monotonic() - asked > batch.LEASE * 0.9
            # Values that it has read are kept, and it reads again only if it is told what.
            late = await actor.collect(life, 0)
            assert late.revision == 0
            assert len(late.readings) >= len(again.readings)
            samples = [each for data in late.readings for each in unpack(data)]
            assert {each.quality for each in samples} == {GOOD}
            assert (await actor.collect(life, late.last)).readings == []
            await actor.set_devices(2, plant.devices, False)
            while (await actor.collect(life, late.last)).last == late.last:
                pass
            await actor.finish()

    run(test)


def test_a_reload_moves_lines_to_a_node_that_has_come(tmp_path: Path) -> None:
    """The others go on on their connections, and no value is lost or comes twice."""

    async def test() -> None:
        cluster = FakeCluster("a")
        async with serving() as one, serving() as two, serving() as three:
            servers = [one, two, three]
            text = "".join(device(f"d{n}", each.port) for n, each in enumerate(servers))
            plant = plant_of(tmp_path, text)
            async with polling(plant, cluster) as polled:
                names = {"d0", "d1", "d2"}
                await polled.until(lambda: {each.device for each in polled.sink.samples} == names)
                before = [set(each.connections) for each in servers]
                cluster.names[1] = "b"
                same = replace(plant, sinks=polled.poller.plant.sinks)
                assert await polled.poller.reload(same) == "3 devices as before"
                assert [each.node for each in cluster.running()] == ["0", "1"]
                await count_more(polled, names)
                after = [set(each.connections) for each in servers]
                assert [one == other for one, other in zip(before, after, strict=True)].count(
                    False
                ) == 1
                times = [each.time for each in polled.sink.samples if each.point == "level"]
                keys = [(each.device, each.time) for each in polled.sink.samples
                        if each.point == "level"]  # fmt: skip
                assert len(set(keys)) == len(times)
                assert all(each.quality == GOOD for each in polled.sink.samples)

    run(test)


async def count_more(polled: Polled, names: set[str], more: int = 5) -> None:
    """Wait until each device has given some more values."""
    counts = {name: len(polled.sink.values(name, "level")) for name in names}
    await polled.until(
        lambda: all(len(polled.sink.values(name, "level")) > counts[name] + more for name in names)
    )


def test_another_version_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "_AGAIN", 0.1)

    async def test() -> None:
        cluster = FakeCluster("a")
        cluster.version = "0.1"
        async with (
            serving() as served,
            polling(plant_of(tmp_path, device("tank", served.port)), cluster) as polled,
        ):
            await polled.until(lambda: polled.told)
            said = "node address 0: it has modwire-tools 0.1, and this poller "
            assert polled.told[0].startswith(said)
            assert polled.sink.values("tank", "level") == [None]
            cluster.version = ""  # it was installed
            await polled.until(lambda: 0 in polled.sink.values("tank", "level"))

    run(test)


def test_without_a_node_of_its_own_the_poller_ends(tmp_path: Path) -> None:
    """Ray ends all its actors then, on other nodes too: it would have bad values for ever."""

    async def lose(plant: Plant) -> None:
        cluster = FakeCluster("a", "b")
        async with polling(plant, cluster) as polled:
            await polled.until(
                lambda: {each.device for each in polled.sink.samples} == {"d0", "d1"}
            )
            cluster.dead.add(cluster.here)
            for each in cluster.running():
                each.end()
            await asyncio.wait_for(polled.task, PATIENCE)

    async def test() -> None:
        async with serving() as one, serving() as two:
            text = device("d0", one.port, node='"b"') + device("d1", two.port)
            with pytest.raises(
                ReadingEndedError, match="the node of Ray on this machine has ended"
            ):
                await lose(plant_of(tmp_path, text))

    run(test)


def test_once_reads_each_point_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as one, serving() as two:
            text = device("d0", one.port) + device("d1", two.port)
            text += device("away", 1, node='"nowhere"')
            plant = plant_of(tmp_path, text)
            sink = KeepingSink()
            poller = Poller(
                replace(plant, sinks=[spec_of(sink)]),
                [].append,
                lambda take: ClusterReader(take, FakeCluster("a", "b"), [].append),
            )
            await poller.run(once=True)
            assert sorted((each.device, each.point, each.value) for each in sink.samples) == [
                ("away", "level", None),
                ("away", "pump", None),
                ("d0", "level", 0),
                ("d0", "pump", False),
                ("d1", "level", 0),
                ("d1", "pump", False),
            ]

    run(test)
