"""The page in Chromium, as a user sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from attacking_site import attacking_site
from chromium import Browser, console, hosts, wait
from fake_view import FakeView
from modwire import ServerDeviceBusyError
from modwire_sync import TcpClient
from running_page import RunningPage, ServedPage

pytestmark = pytest.mark.timeout(600)

METER = "#/device/0/unit/1"
BOILER = "#/device/1/unit/1"
TOKEN = "a-token-for-tests"


@pytest.fixture
def meter(page: RunningPage) -> Iterator[TcpClient]:
    with TcpClient("127.0.0.1", page.ports[0]) as client:
        yield client


@pytest.fixture
def boiler(page: RunningPage) -> Iterator[TcpClient]:
    with TcpClient("127.0.0.1", page.ports[1]) as client:
        yield client


# The page shows a mark for a second; on a busy machine the test may look later than that.
NOTE_MARKS = """
window.marked = [];
new MutationObserver((changes) => {
  for (const {target} of changes) {
    if (target.classList.contains("changed")) window.marked.push(target.dataset.address);
  }
}).observe(document.body, {subtree: true, attributeFilter: ["class"]});
"""
ENTER, ESCAPE, RIGHT, DOWN = "\ue007", "\ue00c", "\ue014", "\ue015"
VIEWS = {
    f"{METER}/points": "tr[data-point=voltage_l1] .value",
    f"{BOILER}/registers/holding_registers": 'td[data-address="100"]',
    f"{METER}/registers/coils": 'td[data-address="0"]',
    f"{METER}/trends": ".chart-line",
    f"{METER}/counters": ".counters dd",
    f"{METER}/events": ".bar button",
    f"{METER}/device": ".card .facts dd",
    f"{METER}/faults": "button[data-fault=drop]",
    "#/traffic": ".filters",
    "#/clients": "h1",
    "api/docs": "#get_devices",
}


@pytest.mark.parametrize("link", ["#/nothing", "#/devices/0/units/1", "#/device/0/unit/1/%"])
def test_a_link_that_leads_nowhere_shows_the_first_device(
    browser: Browser, page: RunningPage, link: str
) -> None:
    browser.leave()
    browser.open(page.link + link)
    wait("the first device is shown", lambda: browser.run("return location.hash") == METER)
    browser.wait_text("h1", "Energy meter")


def test_every_view_opens_and_asks_no_other_machine(browser: Browser, page: RunningPage) -> None:
    browser.leave()
    hosts(browser.driver)
    for view, selector in VIEWS.items():
        browser.open(page.link + view)
        browser.one(selector)
    assert hosts(browser.driver) == {f"127.0.0.1:{page.port}"}
    assert console(browser.driver) == []


def test_every_view_fits_a_narrow_screen(browser: Browser, page: RunningPage) -> None:
    browser.resize(360, 700)
    browser.open(page.link)
    for view, selector in {"#/devices": ".device-list a", **VIEWS}.items():
        browser.driver.get(page.link + view)
        browser.one(selector)
        width = browser.run("return document.documentElement.scrollWidth")
        assert width == 360, f"{view} is {width} wide"


def test_the_first_device_is_shown(browser: Browser, page: RunningPage) -> None:
    browser.open(page.link)
    browser.wait_text("h1", "Energy meter")
    browser.wait_text("#link-state", "live")
    assert browser.one("#title").text == "Energy meter, Boiler"
    assert len(browser.all(".device-list a")) == 2


def test_values_change_before_the_eyes(browser: Browser, page: RunningPage) -> None:
    browser.open(f"{page.link}{METER}/points")
    value = "tr[data-point=operating_seconds] .value"
    first = browser.wait_text(value, str.isdigit)
    browser.wait_text(value, lambda text: text.isdigit() and int(text) > int(first))
    browser.one(f"{value}.changed")


def test_an_edit_reaches_a_modbus_client(
    browser: Browser, page: RunningPage, boiler: TcpClient
) -> None:
    """The user moves, edits and confirms with the keyboard only."""
    browser.open(f"{page.link}{BOILER}/registers/holding_registers")
    browser.one('td[data-address="100"][tabindex]').click()
    browser.press(RIGHT)
    browser.press(DOWN)
    browser.press(ENTER)
    assert browser.one(".editing").get_attribute("data-address") == "111"
    browser.press("0x1F4", ENTER)
    browser.wait_text('td[data-address="111"]', "500")
    assert boiler.read_holding_registers(111, 1) == [500]
    focused = browser.driver.switch_to.active_element
    assert focused.get_attribute("data-address") == "111"


def test_a_write_of_a_client_reaches_the_page(
    browser: Browser, page: RunningPage, boiler: TcpClient
) -> None:
    browser.open(f"{page.link}{BOILER}/registers/holding_registers")
    browser.one('td[data-address="120"][tabindex]')
    browser.run(NOTE_MARKS)
    boiler.write_register(120, 4711)
    browser.wait_text('td[data-address="120"]', "4711")
    wait("the change is marked", lambda: "120" in browser.listed("return window.marked"))
    wait("the mark fades", lambda: not browser.all('td[data-address="120"].changed'))


def test_a_wrong_value_is_refused_in_place(
    browser: Browser, page: RunningPage, boiler: TcpClient
) -> None:
    before = boiler.read_holding_registers(130, 1)
    browser.open(f"{page.link}{BOILER}/registers/holding_registers")
    browser.one('td[data-address="130"][tabindex]').click()
    browser.type("70000", ENTER)  # the first digit begins an edit
    browser.wait_text(".edit-problem", "a value here must be 0..65535, got 70000")
    browser.press(ESCAPE)
    browser.wait_text('td[data-address="130"]', str(before[0]))
    assert boiler.read_holding_registers(130, 1) == before


def test_registers_are_shown_and_edited_in_other_formats(
    browser: Browser, page: RunningPage, boiler: TcpClient
) -> None:
    boiler.write_registers(140, [0xFFFE, 0x4148, 0x0000])
    browser.open(f"{page.link}{BOILER}/registers/holding_registers")
    cell = 'td[data-address="140"]'
    browser.wait_text(cell, "65534")
    for name, text in {"signed": "-2", "hex": "FFFE"}.items():
        browser.choose('[aria-label="Format"]', name)
        browser.wait_text(cell, text)
    browser.choose('[aria-label="Format"]', "binary")
    browser.wait_text(cell, "1111 1111 1111 1110")
    boiler.write_registers(140, [0x4148, 0x0000])
    browser.choose('[aria-label="Format"]', "float32")
    browser.wait_text(cell, "12.5")
    browser.one(cell).click()
    browser.press(ENTER)
    browser.press("-0.5", ENTER)
    browser.wait_text(cell, "-0.5")
    assert boiler.read_holding_registers(140, 2) == [0xBF00, 0]


def test_a_coil_is_switched(browser: Browser, page: RunningPage, meter: TcpClient) -> None:
    browser.open(f"{page.link}{METER}/registers/coils")
    browser.one('td[data-address="1"][data-bit="0"]').click()
    browser.one('td[data-address="1"][data-bit="1"]')
    assert meter.read_coils(0, 2) == [False, True]
    browser.press(" ")
    browser.one('td[data-address="1"][data-bit="0"]')
    assert meter.read_coils(0, 2) == [False, False]


def test_a_point_is_edited_and_held(browser: Browser, page: RunningPage, boiler: TcpClient) -> None:
    browser.open(f"{page.link}{BOILER}/points")
    browser.one("tr[data-point=setpoint] .value").click()
    browser.press("58.5", ENTER)
    browser.wait_text("tr[data-point=setpoint] .value", "58.5")
    assert boiler.read_holding_registers(0, 1) == [585]
    browser.one("tr[data-point=setpoint] .value").click()
    browser.press("warm", ENTER)
    browser.wait_text(".edit-problem", lambda text: "must be a number" in text)
    browser.press(ESCAPE)
    # The browser itself logs each response that is an error.
    assert all("status of 400" in each for each in console(browser.driver))

    browser.one("tr[data-point=flow_temperature] .switch").click()
    browser.one("tr[data-point=flow_temperature].held")
    first = boiler.read_input_registers(0, 2)
    browser.one("tr[data-point=flow_temperature] .switch").click()
    wait("the point lives again", lambda: boiler.read_input_registers(0, 2) != first)


def test_a_fault_switch_works(browser: Browser, page: RunningPage, meter: TcpClient) -> None:
    browser.open(f"{page.link}{METER}/faults")
    browser.choose('[aria-label="Exception code"]', "6")
    browser.one("button[data-fault=exception]").click()
    browser.one('button[data-fault=exception][aria-checked="true"]')
    with pytest.raises(ServerDeviceBusyError):
        meter.read_coils(0, 1)
    browser.one("button[data-fault=exception]").click()
    browser.one('button[data-fault=exception][aria-checked="false"]')
    assert len(meter.read_coils(0, 1)) == 1


def test_traffic_is_decoded(browser: Browser, page: RunningPage, boiler: TcpClient) -> None:
    browser.open(f"{page.link}#/traffic?device=1")
    browser.one(".filters")
    page.do(page.view.traffic)  # recording begins now, if the page has not begun it
    boiler.write_registers(150, [1, 2, 3])
    newest = ".messages li:first-child "
    browser.wait_text(f"{newest}.m-request", lambda text: "150" in text)
    browser.one(f"{newest}.message").click()
    browser.one(f"{newest}.fields-table")
    request, answer = browser.all(f"{newest}.pdus section")
    assert "function code" in request.text
    assert "16, write multiple registers" in request.text
    assert "00 96" in request.text  # 150
    assert "16, write multiple registers" in answer.text

    boiler.read_holding_registers(150, 2)
    browser.choose('[aria-label="Function"]', "3")
    browser.wait_text(f"{newest}.m-request", lambda text: "read 2 holding registers" in text)
    assert browser.text(f"{newest}.m-answer") == "1, 2"
    browser.choose('[aria-label="Outcome"]', "silence")
    browser.wait_text("main .empty", lambda text: text.startswith("No message yet"))


def test_trends_are_drawn_as_lines(browser: Browser, page: RunningPage) -> None:
    browser.open(f"{page.link}{METER}/trends?show=operating_seconds")
    wait(
        "the line grows",
        lambda: str(browser.one(".chart-line").get_attribute("d")).count("L") >= 2,
    )
    assert len(browser.all(".chart-grid text")) >= 3
    browser.run("document.querySelector('.chart').focus()")
    browser.press("\ue012")  # arrow left: an earlier value
    browser.wait_text(".chart-tip", lambda text: " at " in text)


def test_clients_and_counters(browser: Browser, page: RunningPage, meter: TcpClient) -> None:
    meter.read_coils(0, 1)
    browser.open(f"{page.link}#/clients")
    browser.wait_text(".clients tbody th", lambda text: text.startswith("127.0.0.1:"))
    browser.open(f"{page.link}{METER}/counters")
    first = int(browser.wait_text(".counters dd", str.isdigit))
    meter.read_coils(0, 1)
    browser.wait_text(".counters dd", lambda text: text.isdigit() and int(text) > first)


def test_a_device_is_stopped_and_started(browser: Browser, page: RunningPage) -> None:
    browser.open(f"{page.link}{METER}/points")
    browser.wait_text(".head .pill", "running")
    browser.one(".power").click()
    browser.wait_text(".head .pill", "stopped")
    browser.wait_text(".power", "Start")
    browser.one(".power").click()
    browser.wait_text(".head .pill", "running")
    with TcpClient("127.0.0.1", page.ports[0]) as client:
        assert len(client.read_coils(0, 1)) == 1


def test_the_interface_is_tried_on_its_page(browser: Browser, page: RunningPage) -> None:
    browser.open(f"{page.link}api/docs")
    browser.one("#get_devices_device summary").click()
    browser.one("#get_devices_device button[type=submit]").click()
    browser.wait_text("#get_devices_device .status", "200")
    assert '"name": "Energy meter"' in browser.text("#get_devices_device .answer pre")


def test_colours_follow_the_system(browser: Browser, page: RunningPage) -> None:
    browser.open(page.link)
    grounds = []
    for scheme in ("light", "dark"):
        wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
        grounds.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert grounds == ["rgb(245, 247, 248)", "rgb(15, 21, 26)"]


def test_thousands_of_devices_are_turned_page_by_page_and_searched(browser: Browser) -> None:
    with ServedPage(FakeView(count=2000)) as served:
        browser.open(served.link)
        browser.wait_text(".side-foot", lambda text: "1\u2013100 of 2\u202f000" in text)
        browser.wait_text("#problems", "1 not served")
        assert len(browser.all(".device-list a")) == 100
        browser.one('[aria-label="Next devices"]').click()
        browser.wait_text(".device-list li:first-child .device-name", "device 100")
        browser.one('[aria-label="Search devices"]').send_keys("device 1999")
        browser.wait_text(".side-foot", lambda text: "1 device" in text)
        browser.one(".device-list a").click()
        browser.wait_text("h1", "device 1999")
        browser.leave()


def test_a_lost_link_is_shown_and_comes_back_by_itself(browser: Browser) -> None:
    view = FakeView()
    with ServedPage(view) as served:
        browser.open(f"{served.link}#/device/0/unit/1/registers/coils")
        browser.one('td[data-address="3"][data-bit="0"]')
        port = served.port
    wait("the loss is shown", lambda: browser.one("#lost").is_displayed())
    assert browser.text("#link-state") == "lost"
    view.write(0, 1, "coils", 3, [1])
    with ServedPage(view, port=port):
        browser.wait_text("#link-state", "live")
        browser.one('td[data-address="3"][data-bit="1"]')
        assert not browser.one("#lost").is_displayed()
        browser.leave()
    # The browser logs the failed reconnects, and nothing else.
    assert all("ERR_CONNECTION_REFUSED" in each or "WebSocket" in each
               for each in console(browser.driver))  # fmt: skip


def test_the_token_of_the_link_opens_the_page(browser: Browser) -> None:
    with ServedPage(FakeView(), token=TOKEN) as served:
        browser.open(served.link)
        browser.one("#token").send_keys("wrong-token", ENTER)
        browser.wait_text("#problem", "this is not the token of this server")
        browser.leave()
        browser.open(f"{served.link}#token={TOKEN}")
        browser.wait_text("h1", "device 0")
        browser.wait_text("#link-state", "live")
        assert TOKEN not in browser.driver.current_url
        browser.leave()
        browser.open(served.link)  # with the cookie
        browser.wait_text("h1", "device 0")
        assert browser.run("return document.cookie") == ""
        browser.leave()
    complaints = console(browser.driver)
    assert all("401" in each for each in complaints), complaints


def test_a_page_of_another_site_reaches_nothing(browser: Browser) -> None:
    """A real browser sends real requests, from a page on another port of this machine."""
    view = FakeView()
    with ServedPage(view) as served, attacking_site(served.port) as link:
        browser.driver.get(link)
        wait("all attempts have ended", lambda: browser.driver.title != "attack")
        ends = browser.driver.title
        browser.leave()
    assert ends == "rrrrr"
    assert view.values_of["coils"][0] == 0
    assert view.stopped == set()
    console(browser.driver)
