"""`modwire poll` on real connections: reading, writing, reloading, and sinks that fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from modwire import IllegalDataAddressError, SequentialBlock, Unit, Units
from modwire_sync import SerialServer
from modwire_tools.poll.local_reader import LocalReader
from modwire_tools.poll.plant import read_plant
from modwire_tools.poll.poller import Poller
from modwire_tools.poll.reader import ReadingEndedError
from modwire_tools.poll.sample import BAD, GOOD, Sample
from polled_plant import PATIENCE, KeepingSink, device, plant_of, polling, run, serving, spec_of
from pty_pair import PtyPair


def test_values_reach_a_sink_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as served:
            plant = plant_of(tmp_path, device("tank", served.port))
            async with polling(plant) as polled:
                for level in range(1, 6):
                    served.set_level(level)
                    await polled.until_value("tank", "level", level)
                values = polled.sink.values("tank", "level")
                assert values == sorted(values)
                assert polled.sink.values("tank", "pump") == [False]
                first = polled.sink.samples[0]
                assert (first.quality, first.measure) == (GOOD, "mm")

    run(test)


def test_values_are_delivered_although_nothing_can_be_read_any_more(tmp_path: Path) -> None:
    """As when the node of Ray on this machine has ended: a slow sink has its time all the same."""

    async def test() -> None:
        ended, read = asyncio.Event(), asyncio.Event()

        class EndingReader(LocalReader):
            async def run(self) -> None:
                running = asyncio.ensure_future(super().run())
                await read.wait()
                running.cancel()
                raise ReadingEndedError("the network is gone")

            async def finish(self) -> None:
                ended.set()

        class SlowSink(KeepingSink):
            async def write(self, samples: Sequence[Sample]) -> None:
                read.set()
                await ended.wait()
                await super().write(samples)

        async with serving() as served:
            plant = plant_of(tmp_path, device("tank", served.port))
            sink = SlowSink()
            poller = Poller(replace(plant, sinks=[spec_of(sink)]), lambda _: None, EndingReader)
            with pytest.raises(ReadingEndedError, match="the network is gone"):
                await asyncio.wait_for(poller.run(), PATIENCE)
            assert sink.samples

    run(test)


def test_an_answer_that_is_on_its_way_at_the_end_is_delivered(tmp_path: Path) -> None:
    """A stop loses no reading that was begun, and begins no other one."""

    async def test() -> None:
        asked, answering = asyncio.Event(), asyncio.Event()
        requests: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with closing(writer):
                while request := await reader.read(12):
                    requests.append(request)
                    asked.set()
                    await answering.wait()
                    size = 2 * request[11]
                    head = request[:4] + bytes((0, 3 + size)) + request[6:8] + bytes((size,))
                    writer.write(head + bytes((0, 7)) * request[11])

        text = '[[device.point]]\nname = "far"\nat = "hr:1000"\n'
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            text = device("tank", server.sockets[0].getsockname()[1]).partition(
                "[[device.point]]\nname = \"pump\"")[0] + text  # fmt: skip
            async with polling(plant_of(tmp_path, text)) as polled:
                await asked.wait()
                polled.poller.stop()
                (line,) = polled.schedule.lines.values()
                await polled.until(lambda: line.is_ending)
                assert len(requests) == 1
                answering.set()
        # Two requests are one reading.
        assert [each.value for each in polled.sink.samples] == [7, 7]
        assert len(requests) == 2

    run(test)


def test_a_device_that_does_not_answer_holds_up_the_end_for_two_seconds(tmp_path: Path) -> None:
    async def test() -> None:
        asked = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with closing(writer):
                while await reader.read(12):
                    asked.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            text = device("tank", server.sockets[0].getsockname()[1]).replace(
                "timeout=5", "timeout=3600"
            )
            async with polling(plant_of(tmp_path, text)) as polled:
                await asked.wait()
        assert polled.sink.samples == []

    run(test)


def test_devices_behind_a_gateway_share_one_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(1, 2, 3) as served:
            port = served.port
            text = "".join(device(f"d{unit}", port, unit) for unit in (1, 2, 3))
            async with polling(plant_of(tmp_path, text)) as polled:
                names = {"d1", "d2", "d3"}
                await polled.until(lambda: {each.device for each in polled.sink.samples} == names)
                assert len(served.connections) == 1

    run(test)


def test_a_dead_gateway_is_not_noticed_by_others(tmp_path: Path) -> None:
    """It refuses connections: its values are bad, with the reason, and the others come on time."""

    async def test() -> None:
        async with serving() as served, serving() as away:
            port = away.port
            await away.server.shutdown()
            text = device("tank", served.port) + device("away", port)
            async with polling(plant_of(tmp_path, text)) as polled:
                await polled.until(lambda: len(polled.sink.values("tank", "level")) > 10)
                bad = [each for each in polled.sink.samples if each.device == "away"]
                assert {(each.value, each.quality) for each in bad} == {(None, BAD)}
                assert bad[0].reason == "no connection: Connection refused"
                is_well, plain = polled.poller.health()
                assert is_well
                assert plain["devices"] == {
                    "number": 2,
                    "without answer": {"away": "no connection: Connection refused"},
                }

    run(test)


def test_a_dead_device_on_a_serial_line_is_asked_seldom(tmp_path: Path) -> None:
    """The others are read all the time: its pauses double, and each costs one timeout."""
    unit = Unit(holding_registers=SequentialBlock(0, [7]))

    async def test(path: str) -> None:
        text = "".join(
            f'[[device]]\nname = "u{number}"\ninterval = "50ms"\n'
            f'endpoint = "rtu://{path}?baudrate=115200&parity=N&timeout=0.2&unit={number}"\n'
            'point = [{ name = "level", at = "hr:0" }]\n'
            for number in (1, 2, 3)
        )
        async with polling(plant_of(tmp_path, text)) as polled:
            values = polled.sink.values
            await polled.until(
                lambda: min(len(values("u1", "level")), len(values("u3", "level"))) > 40
            )
            states = {each.spec.name: each for each in polled.schedule.devices()}
            assert values("u2", "level") == [None]
            assert states["u2"].reason == "no answer"
            assert states["u2"].requests < states["u1"].requests / 5

    units = Units({1: unit, 3: unit})  # unit 2 is not there
    with (
        PtyPair() as cable,
        SerialServer(units, cable.right, baudrate=115200, parity="N"),
    ):
        run(lambda: test(cable.left))


def test_a_write_is_checked_and_read_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port).replace('"20ms"', '"1h"')
            async with polling(plant_of(tmp_path, text)) as polled:
                await polled.until(lambda: polled.sink.values("tank", "level") == [0])
                write = polled.poller.write
                assert await write("tank", "level", "22") == 22
                assert served.units.by_id[1].holding_registers.read(0, 1) == (22,)
                # The next regular reading is in an hour.
                await polled.until(lambda: polled.sink.values("tank", "level") == [0, 22])
                for name, point, value, said in (
                    ("tank", "level", "x", "must be a whole number"),
                    ("tank", "level", "70000", "uint16"),
                    ("tank", "lever", "1", "has no point 'lever'"),
                    ("tonk", "level", "1", "there is no device 'tonk'"),
                ):
                    with pytest.raises(ValueError, match=said):
                        await write(name, point, value)

    run(test)


def test_a_write_goes_to_the_unit_of_the_device_and_to_nothing_that_is_only_read(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with serving(1, 2) as served:
            text = device("a", served.port) + device("b", served.port, 2)
            text += '[[device.point]]\nname = "flow"\nat = "ir:0"\n'
            text += '[[device.point]]\nname = "full"\nat = "di:0"\n'
            async with polling(plant_of(tmp_path, text)) as polled:
                await polled.until_value("b", "level", 0)
                assert await polled.poller.write("b", "level", "22") == 22
                await polled.until_value("b", "level", 22)
                for point, table in (("flow", "input registers"), ("full", "discrete inputs")):
                    said = f"{point} cannot be written, it is one of the {table}"
                    with pytest.raises(ValueError, match=said):
                        await polled.poller.write("b", point, "1")
            first = served.units.by_id[1].holding_registers
            assert first is not None
            assert first.read(0, 1) == (0,)

    run(test)


def test_a_refused_write_raises_the_refusal(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(registers=5) as served:
            text = device("tank", served.port).replace("hr:0", "hr:9")
            async with polling(plant_of(tmp_path, text)) as polled:
                await polled.until(lambda: polled.sink.values("tank", "pump"))
                with pytest.raises(IllegalDataAddressError):
                    await polled.poller.write("tank", "level", "1")

    run(test)


def test_a_reload_touches_only_what_has_changed(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(1, 2, 3) as served, serving() as other:
            port = served.port
            before = device("same", port) + device("other", other.port, interval2=1)
            before = before.replace("interval2 = 1", "")
            async with polling(plant_of(tmp_path, before + device("gone", port, 2))) as polled:
                sink = polled.sink
                names = {"same", "other", "gone"}
                await polled.until(lambda: {each.device for each in sink.samples} == names)
                state = {each.spec.name: each for each in polled.schedule.devices()}
                plant = plant_of(tmp_path, before + device("new", port, 3))
                said = await polled.poller.reload(replace(plant, sinks=polled.poller.plant.sinks))
                assert said == "2 devices as before; new or changed: new; no longer read: gone"
                await polled.until(lambda: sink.values("new", "level"))
                now = {each.spec.name: each for each in polled.schedule.devices()}
                assert set(now) == {"same", "other", "new"}
                assert now["same"] is state["same"]
                assert now["other"] is state["other"]
                assert (len(served.connections), len(other.connections)) == (1, 1)
                assert sink.opened == 1

    run(test)


def test_a_reload_closes_lines_without_devices_and_exchanges_sinks(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as served, serving() as other:
            first = device("a", served.port)
            async with polling(plant_of(tmp_path, first)) as polled:
                await polled.until(lambda: polled.sink.samples)
                plant = plant_of(tmp_path, device("b", other.port))
                fresh = KeepingSink()
                plant = replace(plant, sinks=[spec_of(fresh, "fresh")])
                assert await polled.poller.reload(plant) == (
                    "0 devices as before; new or changed: b; no longer read: a; "
                    "sinks opened anew: fresh"
                )
                await polled.until(lambda: fresh.values("b", "level"))
                await polled.until(lambda: not served.connections)
                assert list(polled.poller.deliveries) == ["fresh"]

    run(test)


def test_a_reload_forgets_the_queues_of_sinks_that_are_gone_and_keeps_the_spool(
    tmp_path: Path,
) -> None:
    """Else the spool would grow for a sink that never comes back."""

    async def test() -> None:
        async with serving() as served:
            text = device("a", served.port)
            plant = plant_of(tmp_path, text + '[spool]\nfile = "s"\n')
            gone = KeepingSink()
            gone.problem = "it is away"
            plant = replace(plant, sinks=[spec_of(gone, "gone")])
            async with polling(plant) as polled:
                await polled.until(lambda: len(polled.sink.samples) > 20)
                store = polled.poller.backlog.store
                assert store is not None
                assert store.size > 0
                other = plant_of(tmp_path, text + '[spool]\nfile = "other"\n')
                keep = [each for each in polled.poller.plant.sinks if each.name == "keep"]
                await polled.poller.reload(replace(other, sinks=keep))
                said = "the spool is that of the start: a change of it needs a restart"
                assert said in polled.told
                assert polled.poller.plant.spool == plant.spool
                assert not (tmp_path / "other").exists()
                assert set(store.cursors()) == {"keep"}
                count = len(polled.sink.samples)
                await polled.until(lambda: len(polled.sink.samples) > count + 5)
                await polled.until(lambda: store.size < 1000)

    run(test)


def test_a_sink_that_fails_holds_up_nobody_and_gets_all_values_later(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as served:
            plant = plant_of(tmp_path, device("tank", served.port))
            slow = KeepingSink()
            slow.problem = "the broker is away"
            plant = replace(plant, sinks=[spec_of(slow, "slow")])
            async with polling(plant) as polled:
                for level in range(1, 8):
                    served.set_level(level)
                    await polled.until_value("tank", "level", level)
                assert slow.samples == []
                assert polled.told == ["sink slow: the broker is away; values wait for it"]
                is_well, plain = polled.poller.health()
                assert not is_well
                assert plain["sinks"] == {"failing": {"slow": "the broker is away"}}
                slow.problem = ""
                await polled.until(lambda: 7 in slow.values("tank", "level"))
                count = len(slow.samples)
                assert slow.samples == polled.sink.samples[:count]
                assert polled.told[1:] == ["sink slow works again"]
                assert not any(each.dropped for each in polled.poller.backlog.cursors.values())

    run(test)


def test_json_lines_are_what_was_read(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port, tags='{ hall = "3" }')
            text += '[[sink]]\njson = "values.jsonl"\n[[sink]]\ncsv = "values.csv"\n'
            async with polling(plant_of(tmp_path, text)) as polled:
                await polled.until(lambda: len(polled.sink.samples) > 5)

    run(test)
    lines = (tmp_path / "values.jsonl").read_text().splitlines()
    assert len(lines) > 5
    first = json.loads(lines[0])
    assert first.pop("time").endswith("Z")
    assert first == {
        "device": "tank",
        "point": "level",
        "value": 0,
        "quality": "good",
        "unit": "mm",
        "tags": {"hall": "3"},
    }
    rows = (tmp_path / "values.csv").read_text().splitlines()
    assert rows[0] == "time,device,point,value,unit,quality,reason"
    assert rows[1].split(",")[1:] == ["tank", "level", "0", "mm", "good", ""]
    assert len(rows) == len(lines) + 1


def test_the_plant_of_the_tests_is_one_of_the_reference(tmp_path: Path) -> None:
    """A reload compares plants: the same file twice is the same plant."""
    text = device("tank", 5020, deadband=0).replace("deadband = 0", "stale = 2")
    plant = plant_of(tmp_path, text + '[[sink]]\njson = "a"\n[spool]\nfile = "b"\n')
    again = read_plant(tmp_path / "plant.toml")
    assert (plant.devices, plant.sinks, plant.spool) == (again.devices, again.sinks, again.spool)
