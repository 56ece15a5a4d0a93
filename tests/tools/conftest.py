"""A device to read, write and scan, and a browser with the page, for the tests of a module."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from modwire import Identity, SequentialBlock, SparseBlock, Unit, Units
from modwire_sync import TcpServer

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

    from chromium import Browser
    from running_page import RunningPage

    from ..conftest import RequirePeer


def make_device() -> Unit:
    """Return a unit: voltages from ir:0 on, a power at ir:8, a text at hr:30, and only hr:100."""
    registers = [2304, 2311, 2297, *[0] * 5, *struct.unpack(">HH", struct.pack(">f", 3218.25))]
    holding = dict.fromkeys([*range(50), 100], 0)
    holding.update(zip(range(30, 34), struct.unpack(">4H", b"pump\0\0\0\0"), strict=True))
    return Unit(
        coils=SequentialBlock(0, [0] * 20),
        discrete_inputs=SequentialBlock(0, [1, 0, 1]),
        holding_registers=SparseBlock(holding, read_only=[49]),
        input_registers=SequentialBlock(0, registers),
        identity=Identity({0: "ACME", 1: "M1", 2: "1.0"}),
    )


@pytest.fixture
def device(plant: tuple[str, Unit]) -> Unit:
    """The served device."""
    return plant[1]


@pytest.fixture
def endpoint(plant: tuple[str, Unit]) -> str:
    """The endpoint of the device."""
    return plant[0]


@pytest.fixture(scope="module")
def plant() -> Iterator[tuple[str, Unit]]:
    """The endpoint of the device, and the device."""
    unit = make_device()
    with TcpServer(Units({1: unit}), ("127.0.0.1", 0)) as server:
        host, port = server.address
        # A busy machine must not look like a slow device: wait for the response.
        yield f"tcp://{host}:{port}?timeout=20", unit


@pytest.fixture(scope="module")
def driver(require_peer: RequirePeer) -> Iterator[WebDriver]:
    """One browser for all tests of a module: it takes a second to start."""
    # Selenium is in requirements-dev.txt; an environment with the package's dependencies only runs
    # without these tests.
    pytest.importorskip("selenium", reason="no selenium, so no browser is tried")
    from chromium import chromium, is_there

    require_peer("Chromium", is_there(), "apt-get install chromium chromium-driver")
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def page(driver: WebDriver) -> Iterator[RunningPage]:
    """The page of an energy meter and a boiler, served for a whole module."""
    from running_page import RunningPage

    with RunningPage() as served:
        yield served


@pytest.fixture
def browser(driver: WebDriver) -> Iterator[Browser]:
    """A browser without a page; afterwards, its console must have no errors."""
    from chromium import Browser, console, hosts

    console(driver)
    hosts(driver)
    found = Browser(driver)
    found.resize(1280)
    found.colours("light")
    yield found
    assert console(driver) == []
