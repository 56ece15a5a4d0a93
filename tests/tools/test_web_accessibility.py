"""Every view of the page for users of a screen reader, and with little contrast: axe-core."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from axe_core import violations
from chromium import Browser, console, wait
from fake_view import FakeView
from modwire import ModbusError
from modwire_sync import TcpClient
from running_page import RunningPage, ServedPage

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

METER, BOILER = "#/device/0/unit/1", "#/device/1/unit/1"
ENTER = "\ue007"
WIDE, NARROW = (1280, 860), (360, 700)
HTTP = b"GET / HTTP/1.1\r\n\r\n"

Act = Callable[[Browser], object]


def edit_a_point(browser: Browser) -> None:
    """Show an error below a value."""
    browser.one("tr[data-point=setpoint] .value").click()
    browser.press("warm", ENTER)
    browser.wait_text(".edit-problem", lambda text: "must be a number" in text)


def edit_a_register(browser: Browser) -> None:
    browser.one('td[data-address="104"][tabindex]').click()
    browser.press(ENTER)
    browser.press("70000", ENTER)
    browser.wait_text(".edit-problem", lambda text: "65535" in text)


def unfold_messages(browser: Browser) -> None:
    """Show the bytes of a message, and of a mistake."""
    for outcome in ("ok", "exception", "mistake"):
        browser.one(f".message[data-outcome={outcome}]").click()
    wait("all are unfolded", lambda: len(browser.all(".fields-table")) >= 4)


def unfold_statistics(browser: Browser) -> None:
    browser.one(".fold summary").click()
    browser.one(".fold .facts dd")


def allow_a_network(browser: Browser) -> None:
    """Show the network, an error, and a question."""
    browser.one("#network").send_keys("127.0.0.0/8", ENTER)
    browser.one('[aria-label="Remove 127.0.0.0/8"]')
    browser.one("#network").send_keys("x", ENTER)
    browser.wait_text("#panel .problem", lambda text: "must have networks" in text)
    button = browser.one("#allow-all")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    browser.wait_text("#allow-all", lambda text: text.endswith("?"))


def try_an_operation(browser: Browser) -> None:
    for name in ("get_devices_device", "put_devices_device_units_unit_faults"):
        browser.one(f"#{name} summary").click()
        for summary in browser.all(f"#{name} .shapes summary"):
            summary.click()
    send = browser.one("#get_devices_device button[type=submit]")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", send)
    send.click()
    browser.wait_text("#get_devices_device .status", "200")


def show_a_value_in_the_trend(browser: Browser) -> None:
    wait("the line is drawn", lambda: browser.all(".chart-line[d*=L]"))
    browser.run("document.querySelector('.chart').focus()")
    browser.press("\ue012")
    browser.one(".chart-tip:not([hidden])")


# The view, an element that is there once it is shown, and what to do then.
VIEWS: dict[str, tuple[str, str, Act | None]] = {
    "devices": ("#/devices", ".device-list a", None),
    "points": (f"{METER}/points", "tr[data-point=voltage_l1] .value", None),
    "points, editing": (f"{BOILER}/points", "tr[data-point=setpoint] .value", edit_a_point),
    "registers": (f"{METER}/registers/input_registers", 'td[data-address="0"][tabindex]', None),
    "registers, editing": (
        f"{BOILER}/registers/holding_registers",
        'td[data-address="100"]',
        edit_a_register,
    ),
    "coils": (f"{BOILER}/registers/coils", 'td[data-bit="1"]', None),
    "trends": (
        f"{METER}/trends?show=voltage_l1&show=relay_1",
        ".chart-line[d*=M]",
        show_a_value_in_the_trend,
    ),
    "counters": (f"{METER}/counters", ".counters dd", unfold_statistics),
    "events": (f"{METER}/events", ".events tbody tr", None),
    "device": (f"{METER}/device", ".card .facts dd", allow_a_network),
    "faults": (f"{BOILER}/faults", "button[data-fault=drop][aria-checked]", None),
    "traffic": ("#/traffic", ".message", unfold_messages),
    "traffic, empty": ("#/traffic?text=nothing-has-this", ".filters", None),
    "clients": ("#/clients", ".clients tbody th", None),
    "documentation of the interface": ("api/docs", "#get_devices", try_an_operation),
}


@pytest.fixture(scope="module")
def _talk(page: RunningPage) -> Iterator[None]:
    """Clients, messages of each outcome, and a fault that is on."""
    page.do(page.view.traffic)
    with TcpClient("127.0.0.1", page.ports[0]) as meter, TcpClient("127.0.0.1", page.ports[1]):
        meter.read_input_registers(0, 4)
        with suppress(ModbusError):
            meter.read_coils(999)
        with socket.create_connection(("127.0.0.1", page.ports[0]), timeout=30) as other:
            other.sendall(HTTP)
            other.recv(1)
        faults = page.view.faults(1, 2)
        page.do(lambda: page.view.set_faults(1, 1, type(faults)(delay=0.2)))
        yield


@pytest.mark.usefixtures("_talk")
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_view(
    browser: Browser, page: RunningPage, colours: str, size: tuple[int, int]
) -> None:
    browser.leave()
    browser.resize(*size)
    browser.colours(colours)
    browser.open(page.link)
    found: dict[str, list[str]] = {}
    for name, (view, selector, act) in VIEWS.items():
        browser.open(page.link + view)
        browser.one(selector)
        if act is not None:
            act(browser)
        found[name] = violations(browser.driver)
    # The browser logs the refused edits.
    assert all("status of 400" in each for each in console(browser.driver))
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_states_that_a_user_sees_seldom(browser: Browser, colours: str) -> None:
    """A device that is not served, one that is not there, a page to sign in, and a lost link."""
    browser.colours(colours)
    found: dict[str, list[str]] = {}
    with ServedPage(FakeView(count=300)) as served:
        for name, view, selector in (
            ("not served", "#/device/2/unit/1/points", ".head .pill[data-state=failed]"),
            ("no such device", "#/device/999/unit/1/points", "main .empty"),
        ):
            browser.open(served.link + view)
            browser.one(selector)
            found[name] = violations(browser.driver)
        browser.open(f"{served.link}#/device/0/unit/1/points")
        browser.one("tr[data-point=voltage] .value")
    wait("the loss is shown", lambda: browser.one("#lost").is_displayed())
    found["lost"] = violations(browser.driver)
    browser.leave()
    with ServedPage(FakeView(), token="a-token-for-tests") as served:
        browser.open(served.link)
        browser.one("#token").send_keys("wrong-token", ENTER)
        browser.wait_text("#problem", lambda text: text != "")
        found["sign in"] = violations(browser.driver)
        browser.leave()
    console(browser.driver)
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_marked_values_have_contrast(browser: Browser, page: RunningPage, colours: str) -> None:
    """A mark is there for a second only, so axe-core gets marks that stay."""
    browser.colours(colours)
    for view, selector in (
        (f"{METER}/points", ".value"),
        (f"{BOILER}/registers/holding_registers", "td[tabindex]"),
        (f"{BOILER}/registers/coils", "td[tabindex]"),
        (f"{METER}/counters", ".counters .panel"),
    ):
        browser.open(page.link + view)
        browser.one(selector)
        browser.run(
            "const sheet = new CSSStyleSheet();"
            "sheet.replaceSync(`${arguments[0]} { background: var(--mark) !important;"
            " transition: none !important; }`);"
            "document.adoptedStyleSheets = [sheet]",
            selector,
        )
        assert violations(browser.driver) == [], view


def test_axe_core_finds_what_is_wrong(browser: Browser, page: RunningPage) -> None:
    """The other tests would pass if axe-core did nothing."""
    browser.open(f"{page.link}{METER}/points")
    browser.one(".value")
    browser.run(
        "const main = document.querySelector('#main');"
        "main.insertAdjacentHTML('afterbegin', '<button></button><p>pale</p>');"
        "main.querySelector('p').style.color = '#999'"
    )
    found = violations(browser.driver)
    rules = [each.partition(":")[0] for each in found]
    assert sorted(rules) == ["button-name", "color-contrast"]


def test_rows_and_values_have_names(browser: Browser, page: RunningPage) -> None:
    """A screen reader says which value it is, not just the number."""
    browser.open(f"{page.link}{BOILER}/points")
    value = browser.one("tr[data-point=pressure] .value")
    wait("the value is there", lambda: value.text)
    assert value.accessible_name.startswith("pressure: ")
    assert value.accessible_name.endswith(" bar, edit")
    assert browser.one("tr[data-point=pressure] .switch").accessible_name == "Hold pressure"
    heading = browser.one("tr[data-point=pressure] th")
    assert (heading.aria_role, heading.text) == ("rowheader", "pressure")

    browser.open(f"{page.link}{BOILER}/registers/holding_registers")
    browser.wait_text('td[data-address="0"]', str.isdigit)
    wait(
        "points have their names",
        lambda: browser.one('td[data-address="0"]').accessible_name.startswith(
            "holding register 0, setpoint: "
        ),
    )
    assert browser.one('td[data-address="1"]').accessible_name == "no address"

    page.do(page.view.traffic)
    with TcpClient("127.0.0.1", page.ports[0]) as client:
        client.read_coils(0, 1)
    browser.open(f"{page.link}#/traffic")
    name = browser.one(".message").accessible_name
    assert "device 0, unit 1, client 127.0.0.1:" in name
    assert "read 1 coil from 0; ok: " in name


def has_heading(browser: Browser, text: str) -> bool:
    """True if the only heading of the first level is `text`."""
    found = [each for each in browser.all("h1, [aria-level='1']") if each.is_displayed()]
    return [each.get_property("textContent") for each in found] == [text]


def test_the_page_has_landmarks_and_headings(browser: Browser, page: RunningPage) -> None:
    for size, view, heading in (
        (WIDE, f"{METER}/points", "Energy meter"),
        (WIDE, "#/traffic", "Traffic"),
        (WIDE, "#/clients", "Clients"),
        (WIDE, "api/docs", "REST interface"),
        (NARROW, "#/devices", "Devices"),
    ):
        browser.resize(*size)
        browser.open(page.link + view)
        wait(f"{view} has its heading", partial(has_heading, browser, heading))
        roles = {each.aria_role for each in browser.all("header, nav, main, [role]")}
        assert {"banner", "navigation"} <= roles, view


def test_the_skip_link_leads_to_the_content(browser: Browser, page: RunningPage) -> None:
    browser.open(f"{page.link}{METER}/points")
    browser.one(".value")
    browser.run("document.querySelector('#skip').focus()")
    browser.press(ENTER)
    wait(
        "the content is focused", lambda: browser.run("return document.activeElement.id") == "main"
    )
    assert browser.driver.current_url.endswith(f"{METER}/points")
