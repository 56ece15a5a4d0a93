"""The page keeps still while values live and while the user edits, on wide and narrow screens."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from chromium import Browser, wait
from modwire_sync import TcpClient
from running_page import RunningPage

pytestmark = pytest.mark.timeout(600)

METER, BOILER = "#/device/0/unit/1", "#/device/1/unit/1"
ENTER, ESCAPE = "\ue007", "\ue00c"
# Every cell that is shown, with its place and size.
PLACES = """
return [...document.querySelectorAll(arguments[0])].filter((each) => each.offsetParent)
  .map((each) => each.getBoundingClientRect())
  .map(({x, y, width, height}) => [x, y + window.scrollY, width, height].map(Math.round).join(" "));
"""


@pytest.fixture
def boiler(page: RunningPage) -> Iterator[TcpClient]:
    with TcpClient("127.0.0.1", page.ports[1]) as client:
        yield client


def places(browser: Browser, selector: str) -> object:
    found = browser.run(PLACES, selector)
    assert found
    return found


@pytest.mark.parametrize("width", [1280, 1000, 800, 360])
def test_longer_values_move_no_column_of_the_points(
    browser: Browser, page: RunningPage, width: int
) -> None:
    browser.resize(width)
    browser.open(f"{page.link}{BOILER}/points")
    row = "tr[data-point=setpoint] "
    for first, second in (("1.5", "-3276.8"), ("0", "2000")):
        page.do(lambda first=first: page.view.write_point(1, 1, "setpoint", float(first)))  # type: ignore[misc]
        page.do(lambda: page.view.write_point(1, 1, "serial", "A"))
        browser.wait_text(f"{row}.value", lambda text, first=first: text == first)  # type: ignore[misc]
        before = places(browser, ".points th, .points td, .points .value")
        page.do(lambda second=second: page.view.write_point(1, 1, "setpoint", float(second)))  # type: ignore[misc]
        page.do(lambda: page.view.write_point(1, 1, "serial", "ABCDEFGHIJKL"))
        browser.wait_text(f"{row}.value", lambda text, second=second: text == second)  # type: ignore[misc]
        browser.wait_text("tr[data-point=serial] .value", "ABCDEFGHIJKL")
        assert places(browser, ".points th, .points td, .points .value") == before


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("form", ["decimal", "signed", "float32"])
def test_longer_values_move_no_column_of_the_registers(
    browser: Browser, page: RunningPage, boiler: TcpClient, width: int, form: str
) -> None:
    boiler.write_registers(200, [0] * 40)
    browser.resize(width)
    browser.open(f"{page.link}{BOILER}/registers/holding_registers?from=200")
    browser.choose('[aria-label="Format"]', form)
    browser.wait_text('td[data-address="200"]', "0")
    before = places(browser, ".grid th, .grid td")
    boiler.write_registers(200, [0xC7FF, 0xFFFF] * 20)
    browser.wait_text('td[data-address="200"]', lambda text: len(text) > 4)
    assert places(browser, ".grid th, .grid td") == before
    browser.choose('[aria-label="Format"]', "decimal")


@pytest.mark.parametrize("width", [1280, 360])
def test_the_register_grid_keeps_its_columns_while_editing(
    browser: Browser, page: RunningPage, boiler: TcpClient, width: int
) -> None:
    browser.resize(width)
    browser.open(f"{page.link}{BOILER}/registers/holding_registers?from=210")
    # In the first, a middle and the last column.
    for address in (210, 212, 213):
        cell = f'td[data-address="{address}"]'
        browser.one(f"{cell}[tabindex]").click()
        before = places(browser, ".grid th, .grid td")
        size = browser.run("return document.documentElement.scrollWidth")
        browser.press(ENTER)
        browser.one(f"{cell} .edit")
        assert places(browser, ".grid th, .grid td") == before
        browser.press("70000", ENTER)
        browser.wait_text(".edit-problem", lambda text: "65535" in text)
        assert places(browser, ".grid th, .grid td") == before
        assert browser.run("return document.documentElement.scrollWidth") == size
        # The whole input is visible, beside the cells around it.
        assert browser.run(
            "const frame = document.querySelector('.grid-frame').getBoundingClientRect();"
            "const input = document.querySelector('.edit').getBoundingClientRect();"
            "return input.left >= frame.left && input.right <= frame.right && input.width >= 60"
        )
        browser.press(ESCAPE)
        wait("the edit is over", lambda: not browser.all(".edit"))


def test_the_rows_of_the_points_keep_still_while_editing(
    browser: Browser, page: RunningPage
) -> None:
    browser.open(f"{page.link}{BOILER}/points")
    browser.one("tr[data-point=serial] .value")
    before = places(browser, ".points th, .points td")
    browser.one("tr[data-point=setpoint] .value").click()
    browser.press("99999999", ENTER)
    browser.wait_text(".edit-problem", lambda text: text != "")
    assert places(browser, ".points th, .points td") == before
    browser.press(ESCAPE)
    browser.driver.get_log("browser")  # has the refused edit


@pytest.mark.parametrize("width", [320, 360, 414])
def test_every_tab_is_in_sight_on_a_phone(browser: Browser, page: RunningPage, width: int) -> None:
    """Faults, the last one, was behind the edge of the screen, without a hint."""
    browser.resize(width, 700)
    browser.open(f"{page.link}{METER}/points")
    browser.one(".tabs a")
    for tab in browser.all(".tabs a"):
        found = tab.rect
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= width, tab.text
    assert [each.text for each in browser.all(".tabs a")][-1] == "Faults"
    browser.all(".tabs a")[-1].click()
    browser.one("button[data-fault=drop]")


def test_the_trend_of_a_bit_has_steps(browser: Browser, page: RunningPage) -> None:
    """A slanted line would show values that a coil never has."""
    with TcpClient("127.0.0.1", page.ports[0]) as meter:
        meter.write_coil(0, False)
        browser.open(f"{page.link}{METER}/trends?show=relay_1&show=voltage_l1")
        relay, voltage = ".trend[aria-label=relay_1] ", ".trend[aria-label=voltage_l1] "
        browser.wait_text(f"{relay}.trend-value", "off")
        meter.write_coil(0, True)
        browser.wait_text(f"{relay}.trend-value", "on")

    def line(of: str) -> str:
        return str(browser.one(f"{of}.chart-line").get_attribute("d"))

    wait("the step is drawn", lambda: "V" in line(relay))
    wait("the other line grows", lambda: "L" in line(voltage))
    assert "L" not in line(relay)
    # Each part goes along the time, then up or down.
    assert line(relay).count("H") == line(relay).count("V") >= 1
    labels = browser.run(f"return [...document.querySelectorAll('{relay}.chart-grid text')]"
                         ".map((each) => each.textContent).slice(0, 2)")  # fmt: skip
    assert labels == ["off", "on"]


def test_requests_per_device_are_seen_at_a_glance(
    browser: Browser, page: RunningPage, boiler: TcpClient
) -> None:
    browser.open(f"{page.link}#/devices")
    selector = "li:nth-child(2) .device-requests"
    text = browser.wait_text(selector, lambda text: text.endswith(" requests"))
    first = int(text.split()[0].replace("\u202f", ""))
    for _ in range(7):
        boiler.read_holding_registers(100, 1)
    browser.wait_text(selector, f"{first + 7} requests")
    browser.resize(360)
    browser.open(f"{page.link}#/devices")
    wait("a phone shows them too", lambda: browser.one(selector).is_displayed())


def test_traffic_shows_mistakes(browser: Browser, page: RunningPage) -> None:
    page.do(page.view.traffic)
    browser.open(f"{page.link}#/traffic?outcome=mistake")
    browser.one(".filters")
    with socket.create_connection(("127.0.0.1", page.ports[0]), timeout=30) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(1) == b""
    newest = ".messages li:first-child "
    browser.wait_text(
        f"{newest}.m-request", lambda text: text.startswith("an HTTP client in place")
    )
    assert browser.text(f"{newest}.m-answer") == "the connection is closed"
    assert browser.text(f"{newest}.m-unit") == "\u2013"
    browser.one(f"{newest}.message").click()
    browser.wait_text(f"{newest}.raw", lambda text: "GET / HTTP/1.1" in text)
    assert "47 45 54 20 2f" in browser.text(f"{newest}.raw")

    with socket.create_connection(("127.0.0.1", page.ports[0]), timeout=30) as client:
        client.sendall(bytes.fromhex("000100000006090300000002"))
        browser.wait_text(f"{newest}.m-answer", "no answer: there is no unit 9 here, only 1")
    assert browser.text(f"{newest}.m-request") == "read 2 holding registers from 0"
    assert browser.text(f"{newest}.m-unit") == "9"
