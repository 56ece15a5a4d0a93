"""Assigns scenarios to drivers by what each scenario needs, never by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from .drivers.base import CAPABILITIES, Driver

# Capabilities that no driver of an adapter has, and why.
CANNOT = {
    "sync": frozenset({"cancel"}),  # a waiting thread cannot be cancelled
}


# A tenth of a second is all that a peer has to act before a timeout that is wanted. A machine that
# is busy may be too slow for that, but hardly three times.
_TRIES = 3


class Scenario(Protocol):
    """The common part of the scenarios of clients and of servers."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[str]: ...

    @property
    def passes_time(self) -> bool: ...


def plays(drivers: Iterable[Driver], scenarios: Sequence[Scenario]) -> list[Any]:
    """Return each driver with each scenario that it plays, as parameters for pytest."""
    return [
        pytest.param(driver, scenario, id=f"{driver.name}: {scenario.name}")
        for driver in drivers
        for scenario in scenarios
        if driver.plays(scenario.needs, scenario.passes_time)
    ]


ScenarioT = TypeVar("ScenarioT", bound=Scenario)


def run(
    play: Callable[[Driver, ScenarioT, str], Awaitable[None]],
    driver: Driver,
    scenario: ScenarioT,
    directory: Path,
) -> None:
    """Play a scenario in folders of its own in `directory`; again, if time passes in it."""
    tries = _TRIES if scenario.passes_time else 1
    for number in range(1, tries + 1):
        place = directory / str(number)
        place.mkdir()
        try:
            driver.run(lambda place=place: play(driver, scenario, str(place)))
        except AssertionError:
            if number == tries:
                raise
        else:
            return


def check_scenarios(drivers: Sequence[Driver], scenarios: Sequence[Scenario]) -> None:
    """Check that each adapter plays every scenario, except those that need what it cannot do."""
    names = [scenario.name for scenario in scenarios]
    assert len(set(names)) == len(names), "two scenarios have the same name"
    assert all(scenario.needs <= set(CAPABILITIES) for scenario in scenarios)
    assert all(driver.lacks <= set(CAPABILITIES) for driver in drivers)
    for adapter in {driver.adapter for driver in drivers}:
        own = [driver for driver in drivers if driver.adapter == adapter]
        for scenario in scenarios:
            is_played = any(driver.plays(scenario.needs, scenario.passes_time) for driver in own)
            missing = scenario.needs & CANNOT.get(adapter, frozenset())
            assert is_played != bool(missing), f"{adapter} and {scenario.name!r}"
