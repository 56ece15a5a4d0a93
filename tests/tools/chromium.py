"""Chromium, driven by Selenium: for the tests of the page, and for the pictures in `docs/`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

PATIENCE = 60.0  # timeout in seconds on a busy machine


def is_there() -> bool:
    """True if Chromium and its driver are installed."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium(width: int = 1280, height: int = 860, *, is_dark: bool = False) -> Iterator[WebDriver]:
    """Start a headless browser with a new profile, which logs its requests and its console."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in (
        "--headless=new",
        "--no-sandbox",  # needed for root in containers
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--hide-scrollbars",
        # Requests for other hosts fail, and are in the log.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--window-size={width},{height}",
        *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if is_dark else []),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option(
        "perfLoggingPrefs", {"enableNetwork": True, "enablePage": False}
    )
    # Chromium leaves folders in the temporary place, and may write to it a moment longer.
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        service = Service(shutil.which("chromedriver"), env={**os.environ, "TMPDIR": place})
        driver = Chrome(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


def console(driver: WebDriver) -> list[str]:
    """Return the messages in the console since the last call, except notes."""
    return [
        str(entry["message"]) for entry in driver.get_log("browser") if entry["level"] != "INFO"
    ]


def hosts(driver: WebDriver) -> set[str]:
    """Return the hosts and ports of the requests since the last call."""
    found: set[str] = set()
    for entry in driver.get_log("performance"):
        event = json.loads(str(entry["message"]))["message"]
        if event["method"] == "Network.requestWillBeSent":
            link = urlsplit(event["params"]["request"]["url"])
        elif event["method"] == "Network.webSocketCreated":
            link = urlsplit(event["params"]["url"])
        else:
            continue
        if link.scheme not in ("data", "blob", "chrome", "about"):
            found.add(link.netloc)
    return found


def wait(what: str, is_so: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until `is_so()`; otherwise the test fails with `what`."""
    from selenium.common.exceptions import (
        NoSuchElementException,
        StaleElementReferenceException,
        TimeoutException,
    )
    from selenium.webdriver.support.wait import WebDriverWait

    waiting: WebDriverWait[None] = WebDriverWait(
        None,  # type: ignore[arg-type]
        patience,
        poll_frequency=0.05,
        ignored_exceptions=(NoSuchElementException, StaleElementReferenceException),
    )
    try:
        waiting.until(lambda _: is_so())
    except TimeoutException:
        raise AssertionError(f"{what}: not within {patience:g} s") from None


class Browser:
    """The page as a user sees and operates it."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def open(self, link: str) -> None:
        """Show a view; the page is not loaded again if it is open."""
        self.driver.get(link)

    def leave(self) -> None:
        """Show an empty page, so that no request is pending when a server ends."""
        self.driver.get("about:blank")

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        """Wait for the element, and return it."""
        wait(f"there is {selector}", lambda: self.all(selector))
        return self.all(selector)[0]

    def text(self, selector: str) -> str:
        found = self.all(selector)
        return found[0].text if found else ""

    def wait_text(self, selector: str, is_so: Callable[[str], object] | str) -> str:
        """Wait until the text of an element is as wanted, and return it."""
        if isinstance(is_so, str):
            wanted = is_so
            is_so = wanted.__eq__
        wait(f"{selector} reads as wanted", lambda: is_so(self.text(selector)))
        return self.text(selector)

    def press(self, *keys: str) -> None:
        """Press keys in the focused element."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def type(self, *keys: str) -> None:
        """Press keys one by one, wherever the focus moves meanwhile."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def choose(self, selector: str, value: str) -> None:
        from selenium.webdriver.support.select import Select

        Select(self.one(selector)).select_by_value(value)

    def resize(self, width: int, height: int = 800) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def colours(self, scheme: str) -> None:
        """Show the page as on a system in "light" or "dark" mode."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def listed(self, script: str) -> list[object]:
        """Return the list that a script returns."""
        found = self.run(script)
        assert isinstance(found, list)
        return found

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)
