"""Who plays which scenario: decided by what each needs, never by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pytest

from .drivers.base import CAPABILITIES, Driver

# What an adapter cannot do at all, in none of its drivers, and why.
CANNOT = {
    "sync": frozenset({"cancel"}),  # nothing can be thrown into a thread that waits
}


class Scenario(Protocol):
    """What is alike in the scenarios of clients and of servers."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[str]: ...

    @property
    def passes_time(self) -> bool: ...


def plays(drivers: Iterable[Driver], scenarios: Sequence[Scenario]) -> list[Any]:
    """The pairs of a driver and a scenario that is one for it, as pytest's parameters."""
    return [
        pytest.param(driver, scenario, id=f"{driver.name}: {scenario.name}")
        for driver in drivers
        for scenario in scenarios
        if driver.plays(scenario.needs, scenario.passes_time)
    ]


def check_scenarios(drivers: Sequence[Driver], scenarios: Sequence[Scenario]) -> None:
    """Each adapter plays every scenario, but for those that need what `CANNOT` says."""
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
