"""Clocks that jump do `modwire poll` no harm: that of the system gives the times of values only."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from modwire_tools.poll import local_reader, poller
from polled_plant import KeepingSink, device, plant_of, polling, run, serving, spec_of
from simulated_line import Simulated, timeout
from simulated_line import device as line_device

DAY = 86400.0


@pytest.mark.parametrize("jump", [10 * DAY, -10 * DAY])
def test_the_clock_of_the_system_may_be_set(
    jump: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No value in the spool is too old by that, and no reading is left out, or made twice."""
    offset = [0.0]
    clocks = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + offset[0])
    for room in (poller, local_reader):
        monkeypatch.setattr(room, "time", clocks)

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port) + '[spool]\nfile = "s"\nage = "1h"\n'
            slow = KeepingSink()
            slow.problem = "the broker is away"
            plant = plant_of(tmp_path, text)
            plant = replace(plant, sinks=[spec_of(slow, "slow")])
            async with polling(plant) as polled:
                await polled.until_value("tank", "level", 0)
                offset[0] = jump
                served.set_level(1)
                await polled.until_value("tank", "level", 1)
                (state,) = polled.schedule.devices()
                count = state.requests
                await polled.until(lambda: state.requests > count + 10)
                assert state.missed < 10_000  # those of a slow machine; of ten days: 43 million
                slow.problem = ""
                await polled.until(lambda: 1 in slow.values("tank", "level"))
                assert not any(each.dropped for each in polled.poller.backlog.cursors.values())
                levels = [each for each in slow.samples if each.point == "level"]
                assert levels[0].value == 0
                # A value has the time of the system at its answer.
                moved = levels[-1].time - levels[0].time
                assert moved == pytest.approx(jump, abs=DAY)
                assert levels[-1].time == pytest.approx(clocks.time(), abs=DAY)

    run(test)


def test_a_dead_device_is_asked_again_though_the_clock_was_set_back() -> None:
    """As that of a machine that was restored: a pause of a minute must not become an hour."""
    line = Simulated(failing={"a": timeout()})
    line.add(line_device("a", 1.0), line_device("b", 1.0))
    line.run(300.0)
    line.now -= 3600.0
    line.begun.clear()
    line.run(130.0)
    assert len(line.begun["a"]) >= 2
    assert 128 <= len(line.begun["b"]) <= 132
