"""The schedule of `modwire poll`, on a line that is simulated: no clock, no device, no waiting."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire import (
    ConnectionLostError,
    Endpoint,
    GatewayTargetFailedError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
    SequentialBlock,
    ServerDeviceFailureError,
    Unit,
)
from modwire.planner import PlanLimits
from modwire_tools.addresses import parse_place
from modwire_tools.client.points import item_of
from modwire_tools.poll.plant import PlantDevice, PlantPoint
from modwire_tools.poll.sample import BAD, GOOD, STALE, Sample
from modwire_tools.simulator.devices import PointSpec
from simulated_line import TIMEOUT, WALL, Simulated, device, timeout


def test_a_point_is_read_at_the_phase_of_its_interval() -> None:
    line = Simulated()
    line.add(device("a", 1.0), device("b", 1.0))
    line.run(10.0)
    assert line.begun["a"] == [1000.0 + number for number in range(10)]
    # The second device has another phase, so that not all are asked at once.
    assert [round(each - line.begun["b"][0], 6) for each in line.begun["b"]] == list(range(10))
    assert 0.1 < line.begun["b"][0] - 1000.0 < 0.9


def test_points_with_one_interval_share_requests() -> None:
    """40 points are one request, not 40; those with another interval are not read with them."""
    line = Simulated()
    line.add(device("a", 1.0, at=[f"hr:{number}" for number in range(40)]))
    line.add(device("b", 1.0, 10.0))
    line.run(10.0)
    assert len(line.begun["a"]) == 10
    assert len(line.begun["b"]) == 11
    assert len([each for each in line.samples if each.device == "a"]) == 400


def test_a_value_has_its_quality_and_the_time_of_the_answer() -> None:
    line = Simulated()
    line.add(device("a", 1.0))
    line.run(0.5)
    assert line.samples == [
        Sample("a", "p0", 7, GOOD, "", WALL + 1000.01, "", {"hall": "3"})
    ]  # fmt: skip


def test_there_is_no_burst_after_a_stall() -> None:
    """After a suspended laptop, a device is asked once for all the readings that were missed."""
    line = Simulated()
    line.add(device("a", 1.0))
    line.run(2.0)
    line.begun.clear()
    line.now += 3600.4
    line.run(3.0)
    assert [round(each - 1000.0, 3) for each in line.begun["a"]] == [3602.4, 3603.0, 3604.0, 3605.0]
    assert line.state("a").missed == 3600


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    line = Simulated()
    line.add(device("a", 1.0))
    line.run(5.0)
    line.begun.clear()
    line.now -= 3600.0
    line.run(10.0)
    assert 9 <= len(line.begun["a"]) <= 11


def test_a_clock_that_is_set_back_within_a_reading_does_no_harm() -> None:
    line = Simulated()
    line.add(device("a", 1.0, at=["hr:0", "hr:40"], limits=PlanLimits(max_gap=0)))
    assert line.step(1001.0)
    line.now -= 3600.0
    line.run(1.5)
    assert [each.value for each in line.samples] == [7] * 4


def test_devices_share_a_line_that_is_too_slow_for_them() -> None:
    """One with many points does not take the line from one with few."""
    line = Simulated(seconds=lambda name: 0.1)
    many = [f"hr:{number}" for number in range(0, 40, 2)]
    line.add(device("many", 0.5, at=many, limits=PlanLimits(max_gap=0)))
    line.add(device("few", 0.5))
    line.run(60.0)
    few = line.begun["few"]
    # It gets all that it wants; the other one gets what is left.
    assert len(few) >= 118
    assert max(after - before for before, after in itertools.pairwise(few)) <= 0.75
    assert len(line.begun["many"]) >= 470


def test_a_dead_device_costs_the_others_one_timeout() -> None:
    line = Simulated(failing={"dead": timeout()})
    line.add(device("dead", 1.0), *(device(f"d{number}", 1.0) for number in range(9)))
    line.run(300.0)
    for number in range(9):
        assert line.state(f"d{number}").latest <= TIMEOUT + 9 * 0.01
        # Every reading was made: none was left out.
        assert len(line.begun[f"d{number}"]) >= 299
    # The pauses double from 1 s to 60 s.
    dead = line.begun["dead"]
    pauses = [after - before for before, after in itertools.pairwise(dead)]
    assert pauses[:6] == pytest.approx([2, 3, 5, 9, 17, 33])
    assert pauses[6:] == pytest.approx([61] * len(pauses[6:]), abs=0.2)


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (timeout(), 1.3),
        (InvalidResponseError("it is of unit 9"), 1.3),
        (GatewayTargetFailedError(None), 1.3 + 1.5),
        (ServerDeviceFailureError(None), 0.1),
    ],
)
def test_a_unit_whose_answer_may_be_late_keeps_nobody_waiting(
    error: ModbusError, pause: float
) -> None:
    """Without transaction ids, a client holds back its next request for some time."""
    line = Simulated(failing={"odd": error})
    spec = device("odd", 0.1)
    line.add(replace(spec, endpoint=spec.endpoint.replace(timeout=1.5)), device("b", 0.1))
    (only,) = line.schedule.lines.values()
    only.late_window = 1.3
    line.run(4.5)
    begun = line.begun["odd"]
    seconds = TIMEOUT if isinstance(error, ResponseTimeoutError) else 0.01
    assert begun[1] - begun[0] == pytest.approx(pause + seconds, abs=0.11)
    assert begun[1] - begun[0] - seconds >= pause - 0.011
    assert line.state("b").latest <= TIMEOUT


def test_a_device_that_comes_back_is_read_as_before() -> None:
    line = Simulated(failing={"a": timeout()})
    line.add(device("a", 1.0, 5.0, retry=10.0))
    line.run(60.0)
    assert [(each.point, each.quality, each.reason) for each in line.take()] == [
        ("p0", BAD, "no answer"),
        ("p1", BAD, "no answer"),
    ]
    line.failing.clear()
    line.run(30.0)
    line.begun.clear()
    line.take()
    line.run(10.0)
    assert len(line.begun["a"]) == 12
    assert {each.quality for each in line.take()} == {GOOD}
    # Times are those of the first phase again.
    assert {round(each % 1.0, 3) for each in line.begun["a"]} <= {0.0, 0.01}


def test_a_link_that_is_back_is_known_to_all_its_devices() -> None:
    """A gateway that was away has a dozen devices, each with its own pause of a minute."""
    line = Simulated()
    line.add(*(device(f"d{number}", 1.0) for number in range(10)))
    line.failing = {f"d{number}": ConnectionLostError("gone") for number in range(10)}
    line.run(200.0)
    line.failing = {}
    line.run(61.0)
    first = min(times[-1] for times in line.begun.values())
    assert all(any(each >= first for each in times) for times in line.begun.values())
    line.begun.clear()
    line.run(2.0)
    assert all(len(times) == 2 for times in line.begun.values())


def test_a_missing_address_is_bad_and_is_not_asked_again() -> None:
    """hr:60 does not exist: the others are read without it, and soon in one request."""
    line = Simulated()
    line.add(device("a", 1.0, at=["hr:40", "hr:49", "hr:60"]))
    line.run(1.0)
    assert {each.point: (each.quality, each.value) for each in line.take()} == {
        "p0": (GOOD, 7),
        "p1": (GOOD, 7),
        "p2": (BAD, None),
    }
    line.run(3.0)
    line.begun.clear()
    line.take()
    line.run(5.0)
    assert len(line.begun["a"]) == 5
    assert {each.point for each in line.take()} == {"p0", "p1"}
    assert line.state("a").points[2].sample.reason == "exception 02 (illegal data address)"


def test_values_in_one_request_that_is_lost_do_not_hide_the_others() -> None:
    line = Simulated()
    line.add(device("a", 1.0, at=["hr:0", "hr:40"], limits=PlanLimits(max_gap=0)))
    assert line.step(1001.0)
    line.failing["a"] = timeout()
    line.step(1001.0)
    assert {each.point: each.quality for each in line.samples} == {"p0": GOOD, "p1": BAD}


def test_a_value_that_is_not_read_again_becomes_stale_once() -> None:
    line = Simulated()
    line.add(device("a", 1.0))
    line.run(0.5)
    line.take()
    assert line.schedule.turn_stale(1002.9) == []
    (sample,) = line.schedule.turn_stale(1003.1)
    assert (sample.value, sample.quality, sample.time) == (7, STALE, WALL + 1000.01)
    assert sample.reason == "not read for 3 s"
    assert line.schedule.turn_stale(1100.0) == []
    line.now = 1100.0
    line.run(0.5)
    assert [each.quality for each in line.samples] == [GOOD]


@pytest.mark.parametrize(
    ("settings", "values", "passed"),
    [
        ({}, [1, 1, 2], [1, 1, 2]),
        ({"on_change": True}, [1, 1, 2, 2, 1], [1, 2, 1]),
        ({"deadband": 2.0}, [10, 12, 13, 11, 10], [10, 13, 10]),
        # Slow drift counts from the last value that was passed on.
        ({"deadband": 2.0}, [10, 11, 12, 13, 14, 15, 16], [10, 13, 16]),
    ],
)
def test_what_has_not_changed_is_not_passed_on(
    settings: dict[str, object], values: list[int], passed: list[int]
) -> None:
    line = Simulated()
    line.add(device("a", 1.0, **settings))  # type: ignore[arg-type]
    for value in values:
        assert line.unit.holding_registers is not None
        line.unit.holding_registers.write(0, [value])
        line.run(1.0)
    assert [each.value for each in line.samples] == passed


@pytest.mark.parametrize(
    ("kind", "size", "settings", "registers", "passed"),
    [
        (
            "float32",
            1,
            {"deadband": 0.5},
            [[0x3F80, 0], [0x7FC0, 0], [0x7FC0, 0], [0x3F80, 0]],
            ["1.0", "nan", "1.0"],
        ),
        (
            "string",
            4,
            {"on_change": True},
            [[0x4142, 0x4344], [0x4142, 0x4344], [0x4142, 0x4345]],
            ["ABCD", "ABCE"],
        ),
    ],
)
def test_no_number_is_a_change_and_so_is_another_text(
    kind: str,
    size: int,
    settings: dict[str, Any],
    registers: list[list[int]],
    passed: list[str],
) -> None:
    spec = PointSpec("p", parse_place("hr:0"), kind, size=size)
    point = PlantPoint("p", item_of(spec), 1.0, **settings)
    line = Simulated()
    line.add(PlantDevice("a", Endpoint.parse("tcp://127.0.0.1"), 1, [point]))
    for each in registers:
        assert line.unit.holding_registers is not None
        line.unit.holding_registers.write(0, each)
        line.run(1.0)
    assert [str(each.value) for each in line.samples] == passed


def test_another_reason_of_a_bad_value_is_passed_on() -> None:
    line = Simulated()
    line.add(device("a", 1.0, retry=1.0))
    for error in (timeout(), timeout(), ConnectionLostError("gone"), timeout()):
        line.failing["a"] = error
        line.run(3.0)
    reasons = [each.reason for each in line.samples]
    assert reasons == ["no answer", "the connection was lost", "no answer"]


def test_a_value_after_a_failure_is_passed_on_though_it_is_the_same() -> None:
    line = Simulated()
    line.add(device("a", 1.0, on_change=True, retry=1.0))
    line.run(1.0)
    line.failing["a"] = timeout()
    line.run(5.0)
    line.failing.clear()
    line.run(5.0)
    assert [(each.value, each.quality) for each in line.samples] == [
        (7, GOOD),
        (None, BAD),
        (7, GOOD),
    ]


def test_a_device_that_is_removed_meanwhile_is_forgotten() -> None:
    line = Simulated()
    spec = device("a", 1.0)
    line.add(spec, device("b", 1.0))
    (only,) = line.schedule.lines.values()
    ask = only.next(line.now)
    assert ask is not None
    line.schedule.remove(spec)
    assert only.answered(ask, line.unit.execute(ask.request), line.now + 0.1, WALL) == []
    line.run(5.0)
    assert set(line.begun) == {"b"}


def test_a_number_that_no_database_has_is_a_text() -> None:
    """A serial number of 24 BCD digits must keep all of them."""
    spec = PointSpec("serial", parse_place("hr:0"), "bcd", size=24)
    line = Simulated(unit=Unit(holding_registers=SequentialBlock(0, [0x9876] * 6)))
    endpoint = Endpoint.parse("tcp://127.0.0.1")
    line.add(PlantDevice("a", endpoint, 1, [PlantPoint("serial", item_of(spec), 1.0)]))
    line.run(0.5)
    assert [each.value for each in line.samples] == ["9876" * 6]


DEVICES = st.lists(
    st.tuples(st.sampled_from([0.2, 0.5, 1.0, 2.5, 10.0]), st.floats(0.001, 0.3), st.booleans()),
    min_size=1,
    max_size=5,
)
EVENTS = st.lists(st.floats(-100.0, 5000.0), max_size=2)


@given(devices=DEVICES, jumps=EVENTS)
def test_no_reading_is_repeated_and_none_starves(
    devices: list[tuple[float, float, bool]], jumps: list[float]
) -> None:
    """Whatever the intervals, times of answer, dead devices and jumps of the clock."""
    slow = {f"d{number}": each[1] for number, each in enumerate(devices)}
    line = Simulated(seconds=slow.__getitem__)
    line.failing = {f"d{number}": timeout() for number, each in enumerate(devices) if each[2]}
    line.add(*(device(f"d{number}", each[0]) for number, each in enumerate(devices)))
    longest = sum(max(slow[name], TIMEOUT * (name in line.failing)) for name in slow)
    for jump in [0.0, *jumps]:
        line.now += jump
        line.run(12.0)  # the first request after a jump is at an odd time
        line.begun.clear()
        line.run(20.0)
        for number, (interval, _, is_dead) in enumerate(devices):
            begun = line.begun[f"d{number}"]
            if is_dead:
                assert len(begun) <= 20 / (TIMEOUT + 1.0) + 1
                continue
            # Never twice for one time, and never left out for longer than all others need.
            numbers = [int((each - 1000.0) / interval + 1e-6) for each in begun]
            gaps = [after - before for before, after in itertools.pairwise(begun)]
            assert len(begun) <= 20 / interval + 2, numbers
            assert max(gaps, default=0.0) <= interval + 2 * longest + 0.001
            assert len(begun) >= 20 / (interval + 2 * longest) - 1
