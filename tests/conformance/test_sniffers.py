"""The sniffer of every package follows the scenarios; a failure names the wrong step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio

import modwire_asyncio
import modwire_trio
from modwire import ConnectionLostError

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .players import check_scenarios, plays, run
from .scenarios import sniffing
from .scenarios.sniffing import SnifferScenario, play_sniffer
from .test_parity import PACKAGES

SCENARIOS = sniffing.scenarios()


@pytest.mark.parametrize(("driver", "scenario"), plays(DRIVERS, SCENARIOS))
def test_sniffer(driver: Driver, scenario: SnifferScenario, tmp_path: Path) -> None:
    run(play_sniffer, driver, scenario, tmp_path)


def test_every_sniffer_plays_every_scenario() -> None:
    check_scenarios(DRIVERS, SCENARIOS)


@pytest.mark.parametrize("package", PACKAGES.values())
def test_a_longer_silence_is_waited_for(package: Any) -> None:
    """The end of bytes that are no known frame comes after `silence`, at least t3.5."""
    for silence, expected in ((0.0, 38.5 / 9600), (0.25, 0.25)):
        line = import_module(f"{package.__name__}.sniffing").SerialSniffer(
            "/dev/x", baudrate=9600, silence=silence, tolerance=0.0
        )
        line.sniffer.receive_data(bytes.fromhex("01 03 04 00"), 100.0)
        assert line.sniffer.deadline() == pytest.approx(100.0 + expected)
    with pytest.raises(ValueError, match="silence must be at least 0 seconds"):
        import_module(f"{package.__name__}.sniffing").SerialSniffer("/dev/x", silence=-1.0)


@pytest.mark.parametrize("package", PACKAGES.values())
def test_a_port_that_is_not_there(package: Any) -> None:
    sniffer = import_module(f"{package.__name__}.sniffing").SerialSniffer("/dev/no-such-port")
    assert repr(sniffer) == "<SerialSniffer rtu:///dev/no-such-port>"
    ways: dict[Any, Callable[[], object]] = {
        modwire_trio: lambda: trio.run(sniffer.hear, 1.0),
        modwire_asyncio: lambda: asyncio.run(sniffer.hear(1.0)),
    }
    with pytest.raises(ConnectionLostError, match="^rtu:///dev/no-such-port: .*No such file"):
        ways.get(package, lambda: sniffer.hear(1.0))()
