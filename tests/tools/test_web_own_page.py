"""The page of a server of one's own in Chromium, as a person uses it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.routing import Mount

from axe_core import violations
from chromium import Browser, console, hosts, wait
from modwire import ResponseTimeoutError
from modwire_asyncio import TcpServer
from modwire_sync import TcpClient
from modwire_tools.web import UnitsView, page_app
from own_page import OwnPage, pump_station
from page_requests import ask

pytestmark = pytest.mark.timeout(600)

UNIT = "#/device/0/unit/1"
TOKEN = "a-token-for-tests"
ENTER, CONTROL = "\ue007", "\ue009"
PATIENCE = 60.0  # timeout in seconds on a busy machine


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPage]:
    with OwnPage() as page:
        yield page


@pytest.fixture
def client(own: OwnPage) -> Iterator[TcpClient]:
    with TcpClient("127.0.0.1", own.modbus, unit=1, timeout=PATIENCE) as client:
        yield client


def replace_text(browser: Browser, selector: str, text: str) -> None:
    """Type a text in place of what is in an input, and confirm it."""
    browser.one(selector).send_keys(CONTROL + "a" + CONTROL, text, ENTER)


def click(browser: Browser, selector: str) -> None:
    """Scroll to a button, and click it."""
    button = browser.one(selector)
    browser.run("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def test_the_page_has_what_any_units_have(browser: Browser, own: OwnPage) -> None:
    browser.leave()
    hosts(browser.driver)
    browser.open(own.link)
    browser.wait_text("h1", "Pump station")
    browser.one('td[data-address="0"]')
    assert [each.text for each in browser.all(".tabs a")] == [
        "Registers",
        "Counters",
        "Events",
        "Device",
    ]
    assert browser.all(".power") == []
    for view, selector in (
        ("counters", ".counters dd"),
        ("events", ".events, main .empty"),
        ("device", ".card"),
    ):
        browser.open(f"{own.link}{UNIT}/{view}")
        browser.one(selector)
    browser.open(f"{own.link}#/clients")
    browser.one("h1")
    browser.open(f"{own.link}#/traffic")
    browser.one(".filters")
    assert hosts(browser.driver) == {f"127.0.0.1:{own.port}"}
    assert console(browser.driver) == []


def test_a_value_is_written_for_a_modbus_client(
    browser: Browser, own: OwnPage, client: TcpClient
) -> None:
    browser.open(f"{own.link}{UNIT}/registers/holding_registers")
    browser.one('td[data-address="1"][tabindex]').click()
    browser.type("77", ENTER)
    browser.wait_text('td[data-address="1"]', "77")
    assert client.read_holding_registers(1) == [77]
    client.write_register(2, 4711)
    browser.wait_text('td[data-address="2"]', "4711")
    browser.one('[data-choice="discrete_inputs"]').click()
    browser.one('td[data-address="1"][data-bit="0"]').click()
    browser.one('td[data-address="1"][data-bit="1"]')
    assert client.read_discrete_inputs(0, 2) == [True, True]
    assert console(browser.driver) == []


def test_a_value_that_the_unit_refuses(browser: Browser, own: OwnPage) -> None:
    browser.open(f"{own.link}{UNIT}/registers/holding_registers")
    browser.one('td[data-address="1"][tabindex]').click()
    browser.type("200", ENTER)
    browser.wait_text(".edit-problem", lambda text: "200 is not allowed at address 1" in text)
    assert all("status of 400" in each for each in console(browser.driver))


def test_events_are_watched_and_cleared(browser: Browser, own: OwnPage, client: TcpClient) -> None:
    own.do(own.units[1].clear_event_log)
    browser.open(f"{own.link}{UNIT}/events")
    browser.wait_text("main .empty", "No event is in the log.")
    client.restart_communications()
    browser.wait_text(
        ".events tbody tr:first-child", lambda text: "CommunicationRestartEvent" in text
    )
    client.read_coils(0)
    rows = ".events tbody tr"
    browser.wait_text(f"{rows}:first-child", lambda text: "message processed" in text)
    browser.one(".bar button").click()
    browser.wait_text("main .empty", "No event is in the log.")
    assert own.do(lambda: own.units[1].event_log) == b""
    assert console(browser.driver) == []


def test_counters_and_statistics_are_reset(
    browser: Browser, own: OwnPage, client: TcpClient
) -> None:
    def set_statistics() -> None:
        own.units[1].modbus_plus_statistics = [5] * 54

    client.read_coils(0)
    own.do(set_statistics)
    browser.open(f"{own.link}{UNIT}/counters")
    browser.wait_text(".counters dd", lambda text: text.isdigit() and int(text) > 0)
    browser.one(".fold summary").click()
    browser.wait_text(".fold .facts dd", "5")
    click(browser, ".fold button")
    browser.wait_text(".fold .facts dd", "0")
    click(browser, ".bar button")
    browser.wait_text(".counters dd", "0")
    assert own.do(lambda: own.units[1].server_message_count) == 0
    assert console(browser.driver) == []


def test_identity_and_settings(browser: Browser, own: OwnPage, client: TcpClient) -> None:
    browser.open(f"{own.link}{UNIT}/device")
    browser.wait_text(".card .facts", lambda text: "ACME" in text and "vendor name" in text)
    replace_text(browser, "#diagnostic-register", "0x1234")
    wait("the register is set", lambda: client.return_diagnostic_register() == 0x1234)
    replace_text(browser, "#exception-status", "300")
    browser.wait_text("#panel .problem", "exception_status must be 0..255, got '300'")
    replace_text(browser, "#exception-status", "7")
    wait("the status is set", lambda: client.read_exception_status() == 7)
    replace_text(browser, "#delimiter", "35")
    wait("the delimiter is set", lambda: own.units.ascii_delimiter == 35)
    browser.wait_text(".card .bar .muted", "#")
    browser.one("#listen-only").click()
    browser.one('#listen-only[aria-checked="true"]')
    with pytest.raises(ResponseTimeoutError):
        client.read_coils(0, timeout=0.2)
    browser.one("#listen-only").click()
    browser.one('#listen-only[aria-checked="false"]')
    assert all("status of 400" in each for each in console(browser.driver))


def test_values_are_reset_only_after_a_question(
    browser: Browser, own: OwnPage, client: TcpClient
) -> None:
    client.write_register(0, 99)
    browser.open(f"{own.link}{UNIT}/device")
    browser.one("#delimiter")
    click(browser, "#reset-values")
    browser.wait_text("#reset-values", "Reset all values of this unit?")
    assert client.read_holding_registers(0) == [99]
    click(browser, "#reset-values")
    wait("the values are reset", lambda: client.read_holding_registers(0) == [15])
    browser.wait_text("#reset-values", "Reset values")


def test_networks_and_modes(browser: Browser, own: OwnPage) -> None:
    browser.open(f"{own.link}{UNIT}/device")
    replace_text(browser, "#network", "192.168.0.0/16")
    browser.one('[aria-label="Remove 192.168.0.0/16"]')
    replace_text(browser, "#network", "10.1.2.3/8")
    browser.wait_text("#panel .problem", lambda text: "has host bits set" in text)
    replace_text(browser, "#network", "::1")
    browser.one('[aria-label="Remove ::1/128"]')
    assert list(map(str, own.allow.networks or ())) == ["192.168.0.0/16", "::1/128"]
    click(browser, '[aria-label="Remove 192.168.0.0/16"]')
    wait("it is removed", lambda: len(own.allow.networks or ()) == 1)
    click(browser, "#allow-all")
    click(browser, "#allow-all")
    wait("all are allowed", lambda: own.allow.networks is None)
    place = f"tcp://127.0.0.1:{own.modbus}"
    browser.choose(f'[aria-label="Mode of {place}"]', "rtu")
    wait("the program is asked", lambda: own.modes == [(place, "rtu")])
    assert all("status of 400" in each for each in console(browser.driver))


@pytest.mark.long
@pytest.mark.parametrize("size", [(1280, 860), (360, 700)], ids=["wide", "narrow"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_view_is_accessible(
    browser: Browser, own: OwnPage, client: TcpClient, colours: str, size: tuple[int, int]
) -> None:
    client.read_coils(0)
    own.allow.networks = ["127.0.0.0/8"]
    browser.leave()
    browser.resize(*size)
    browser.colours(colours)
    found: dict[str, list[str]] = {}
    for view, selector in (
        (f"{UNIT}/registers", "td[tabindex]"),
        (f"{UNIT}/counters", ".fold summary"),
        (f"{UNIT}/events", ".events tbody tr"),
        (f"{UNIT}/device", ".card .row button"),
        ("api/docs", "#get_devices"),
    ):
        browser.open(own.link + view)
        browser.one(selector)
        if view.endswith("counters"):
            browser.one(selector).click()
            browser.one(".fold .facts dd")
        if view.endswith("device"):
            click(browser, "#allow-all")
        found[view] = violations(browser.driver)
        width = browser.run("return document.documentElement.scrollWidth")
        assert width == size[0], f"{view} is {width} wide"
    own.allow.networks = None
    assert console(browser.driver) == []
    assert {name: each for name, each in found.items() if each} == {}


@contextmanager
def mounted() -> Iterator[tuple[str, Any]]:
    """A program with asyncio: an application of its own, a page in it, and a Modbus server."""
    started: list[Any] = []
    is_ready = threading.Event()

    async def main() -> None:
        units = pump_station()
        view = UnitsView(units, title="Pump station")
        options = view.watched("tcp://127.0.0.1:5020")
        app = Starlette(routes=[Mount("/plant/modbus", page_app(view, token=TOKEN))])
        config = Config()
        config.bind = ["127.0.0.1:0"]
        config.errorlog = None
        (listening,) = config.create_sockets().insecure_sockets
        port = listening.getsockname()[1]
        listening.listen()  # connections wait until hypercorn accepts them
        config.bind = [f"fd://{listening.detach()}"]
        stop = asyncio.Event()
        async with TcpServer(units, ("127.0.0.1", 0), options=options) as server:
            started.extend((asyncio.get_running_loop(), stop, port, server.address))
            is_ready.set()
            await serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert is_ready.wait(PATIENCE)
    loop, stop, port, address = started
    try:
        yield f"http://127.0.0.1:{port}/plant/modbus/", address
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
    assert not thread.is_alive()


def test_below_a_path_of_an_asyncio_program(browser: Browser) -> None:
    with mounted() as (link, address):
        port = int(link.split(":")[2].partition("/")[0])
        assert ask(port, "GET", "/plant/modbus/api").status == 401
        browser.open(f"{link}#token={TOKEN}")
        browser.wait_text("h1", "Pump station")
        browser.wait_text("#link-state", "live")
        assert TOKEN not in browser.driver.current_url
        with TcpClient(*address, unit=1, timeout=PATIENCE) as client:
            browser.open(f"{link}{UNIT}/registers/holding_registers")
            client.write_register(3, 123)
            browser.wait_text('td[data-address="3"]', "123")
            browser.one('td[data-address="4"][tabindex]').click()
            browser.type("5", ENTER)
            wait("it is written", lambda: client.read_holding_registers(4) == [5])
            browser.open(f"{link}#/clients")
            browser.wait_text(".clients tbody th", lambda text: text.startswith("127.0.0.1:"))
        browser.open(f"{link}api/docs")
        browser.one("#get_devices summary").click()
        browser.one("#get_devices button[type=submit]").click()
        browser.wait_text("#get_devices .status", "200")
        browser.one('nav a[href="../#/traffic"]').click()
        browser.one(".filters")
        browser.leave()
    complaints = [each for each in console(browser.driver) if "WebSocket" not in each]
    assert all("401" in each for each in complaints), complaints
