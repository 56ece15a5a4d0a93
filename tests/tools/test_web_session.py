"""A session with the page: a device file, three devices, one value, and its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from chromium import Browser, console, wait
from modwire_command import good, modwire, started

pytestmark = pytest.mark.timeout(600)

PUMP = """
name = "Pump"

[[unit]]
id = 1

[[unit.point]]
name = "speed"
at = "hr:0"
type = "uint16"
unit = "rpm"
value = 1450

[[unit.point]]
name = "runs"
at = "co:0"
type = "bool"
value = true
"""
ENTER = "\ue007"


def test_a_device_file_three_devices_and_one_value(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "pump.toml"
    path.write_text(PUMP)
    tcp = ("--tcp", "127.0.0.1:0", "--web", "127.0.0.1:0")
    browser.leave()
    with started("simulate", str(path), "--devices", "3", *tcp) as simulator:
        link = simulator.read_until(r"Page: (http://127.0.0.1:\d+/)\n")[1]
        simulator.read_until("Ctrl")
        browser.open(link)
        browser.wait_text(".side-foot", lambda text: "3 devices" in text)
        wait("all run", lambda: len(browser.all(".dot[data-state=running]")) == 3)
        browser.all(".device-list a")[1].click()
        browser.wait_text("h1", "Pump")
        place = browser.wait_text(".places", lambda text: text.startswith("tcp://"))
        assert good("read", f"{place}?timeout=20", "hr:0") == "hr:0\t1450\n"

        browser.wait_text("tr[data-point=speed] .value", "1450")
        browser.one("tr[data-point=speed] .value").click()
        browser.press("900", ENTER)
        browser.wait_text("tr[data-point=speed] .value", "900")
        assert good("read", f"{place}?timeout=20", "hr:0") == "hr:0\t900\n"
        others = [each.get_attribute("title") for each in browser.all(".device-list a")]
        assert len(others) == len(set(others)) == 3
        assert good("read", f"{others[0]}?timeout=20", "hr:0") == "hr:0\t1450\n"

        browser.one(".power").click()
        browser.wait_text(".head .pill", "stopped")
        assert modwire("read", f"{place}?timeout=20", "hr:0").code == 1
        browser.one(".power").click()
        browser.wait_text(".head .pill", "running")
        for number in range(3):
            browser.all(".device-list a")[number].click()
            browser.one(f".device-list li:nth-child({number + 1}) a[aria-current]")
            browser.wait_text(".head .pill", "running")
            browser.one(".power").click()
            browser.wait_text(".head .pill", "stopped")
        assert browser.all(".dot[data-state=running]") == []
        assert console(browser.driver) == []
        browser.leave()
        assert simulator.interrupt() == 130
        assert "Traceback" not in simulator.text
