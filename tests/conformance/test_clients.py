"""Every client follows the scenarios; a failure names the wrong step."""

from __future__ import annotations

from pathlib import Path

import pytest

from modwire.calls import BlockingCalls

from .drivers.all import DRIVERS
from .drivers.base import Driver, calls_of
from .players import check_scenarios, plays, run
from .scenarios import (
    client_answers,
    client_cancellation,
    client_functions,
    client_halves,
    client_lines,
    client_links,
    client_other_links,
    client_timeouts,
)
from .scenarios.client_steps import ClientScenario, play_client

SCENARIOS = [
    *client_functions.scenarios(),
    *client_answers.scenarios(),
    *client_timeouts.scenarios(),
    *client_halves.scenarios(),
    *client_lines.scenarios(),
    *client_links.scenarios(),
    *client_other_links.scenarios(),
    *client_cancellation.scenarios(),
]


@pytest.mark.parametrize(("driver", "scenario"), plays(DRIVERS, SCENARIOS))
def test_client(driver: Driver, scenario: ClientScenario, tmp_path: Path) -> None:
    run(play_client, driver, scenario, tmp_path)


def test_every_call_is_in_a_scenario() -> None:
    called = {function.method for function in client_functions.FUNCTIONS}
    # `force_listen_only_mode` has no response, so it has its own script.
    assert called | {"force_listen_only_mode"} == set(calls_of(BlockingCalls))


def test_every_client_plays_every_scenario_that_it_can() -> None:
    check_scenarios(DRIVERS, SCENARIOS)
