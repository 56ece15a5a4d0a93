"""Every server follows the scenarios; a failure names the wrong step."""

from __future__ import annotations

from pathlib import Path

import pytest

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .players import check_scenarios, plays, run
from .scenarios import (
    server_faults,
    server_functions,
    server_gateways,
    server_limits,
    server_lines,
    server_rights,
)
from .scenarios.server_steps import ServerScenario, play_server

SCENARIOS = [
    *server_functions.scenarios(),
    *server_limits.scenarios(),
    *server_lines.scenarios(),
    *server_faults.scenarios(),
    *server_gateways.scenarios(),
    *server_rights.scenarios(),
]


@pytest.mark.parametrize(("driver", "scenario"), plays(DRIVERS, SCENARIOS))
def test_server(driver: Driver, scenario: ServerScenario, tmp_path: Path) -> None:
    run(play_server, driver, scenario, tmp_path)


def test_every_server_plays_every_scenario_that_it_can() -> None:
    check_scenarios(DRIVERS, SCENARIOS)
