"""Takes the pictures of the page for `docs/`: `python tests/tools/take_screenshots.py`.

Chromium shows each view of a simulation with clients. It takes about a minute, because trends
need some samples.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from chromium import chromium, console, wait
from modwire import ModbusError
from modwire_sync import TcpClient
from own_page import OwnPage
from running_page import RunningPage, ServedPage

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

DOCS = Path(__file__).parents[2] / "docs"
METER, BOILER = "#/device/0/unit/1", "#/device/1/unit/1"
RECORDED = 45.0  # seconds of the trends
WIDE, NARROW = (1180, 760), (360, 720)


def _talk(meter: TcpClient, boiler: TcpClient) -> None:
    meter.read_input_registers(0, 12)
    boiler.read_holding_registers(100, 8)
    boiler.write_registers(104, [round(time.time()) % 1000, 3])
    meter.write_coil(0, True)
    meter.read_discrete_inputs(0, 2)
    with suppress(ModbusError):
        meter.read_holding_registers(400, 2)  # refused, so that the traffic has an exception


def _mistake(port: int) -> None:
    """Send an RTU frame to the port for Modbus TCP, so that the traffic has a mistake."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(bytes.fromhex("010300000002c40b"))
        time.sleep(0.2)


class Camera:
    """A browser, and clients for some traffic."""

    def __init__(self, driver: WebDriver, page: ServedPage, talk: Callable[[], object]) -> None:
        self._driver = driver
        self._link = page.link
        self._talk = talk

    def resize(self, size: tuple[int, int]) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def colours(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def take(self, name: str, view: str, *clicks: str, seconds: float = 1.5) -> None:
        """Take a picture of a view, `seconds` after it was opened, with these elements clicked."""
        driver = self._driver
        driver.get(self._link + view)
        aside = {"type": "mouseMoved", "x": 1, "y": 1}
        driver.execute_cdp_cmd("Input.dispatchMouseEvent", aside)
        time.sleep(seconds)
        self._talk()
        time.sleep(0.5)
        for selector in clicks:
            seek = partial(driver.find_elements, "css selector", selector)
            wait(f"{name} has {selector}", seek)
            seek()[0].click()
            time.sleep(0.5)
        path = DOCS / f"page-{name}.png"
        driver.save_screenshot(str(path))
        size = path.stat().st_size
        assert size < 200_000, f"{path.name} has {size} bytes"
        sys.stdout.write(f"{path.name}: {size // 1000} kB\n")


def main() -> None:
    """Take all pictures."""
    DOCS.mkdir(exist_ok=True)
    with RunningPage(12) as page, chromium() as driver:
        ports = page.ports
        view = page.view
        for name in ("voltage_l1", "current_l1", "active_power"):
            page.do(lambda name=name: view.trend(0, 1, name))  # type: ignore[misc]
        page.do(view.traffic)
        with TcpClient("127.0.0.1", ports[0]) as meter, TcpClient("127.0.0.1", ports[1]) as boiler:
            camera = Camera(driver, page, lambda: _talk(meter, boiler))
            camera.resize(WIDE)
            camera.colours("light")
            camera.take("points", f"{METER}/points")
            cell = 'td[data-address="104"]'
            camera.take("registers", f"{BOILER}/registers/holding_registers", cell)
            camera.take("counters", f"{METER}/counters")
            camera.take("device", f"{METER}/device")
            switch = "button[data-fault=exception]"
            camera.take("faults", f"{BOILER}/faults", switch)
            driver.find_element("css selector", switch).click()
            camera.take("clients", "#/clients")
            _mistake(ports[0])
            camera.take("traffic", "#/traffic", "li:nth-child(4) .message")
            shown = "show=voltage_l1&show=current_l1&show=active_power"
            camera.take("trends", f"{METER}/trends?{shown}", seconds=RECORDED)
            camera.colours("dark")
            camera.take("dark", f"{METER}/trends?{shown}&dark")
            camera.colours("light")
            camera.resize(NARROW)
            camera.take("narrow", f"{METER}/points")
            camera.resize(WIDE)
            send = "#get_devices_device button[type=submit]"
            camera.take("api", "api/docs", "#get_devices_device summary", send)
        with OwnPage() as own, TcpClient("127.0.0.1", own.modbus, unit=1) as client:
            own.allow.networks = ["127.0.0.0/8", "192.168.0.0/16"]
            camera = Camera(driver, own, lambda: client.read_coils(0))
            camera.resize((1180, 900))
            camera.take("own", f"{METER}/device")
        assert console(driver) == []


if __name__ == "__main__":
    main()
