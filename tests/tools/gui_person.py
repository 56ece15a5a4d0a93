"""A program: a person at the window of `modwire gui`, with mouse and keyboard, by xdotool.

test_gui_windows.py starts it with a toolkit, a device file, and a file to which its browser writes
links. Its task runs in the loop of the window: it looks at the widgets, but acts by events of the
X server alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import trio

from modwire_tools.gui.setup import Setup
from modwire_tools.gui.toolkits import window_of
from modwire_trio import connect

DIALOG = "Choose a device file"
PATIENCE = 120.0  # seconds for everything, on a busy machine


async def until(what: str, condition: Callable[[], object]) -> None:
    """Wait until the window shows something."""
    with trio.move_on_after(PATIENCE / 4):
        while not condition():  # noqa: ASYNC110 - a window has no event for what it shows
            await trio.sleep(0.01)
        return
    raise AssertionError(f"waited in vain: {what}")


async def xdotool(*words: object) -> str:
    done = await trio.run_process(["xdotool", *map(str, words)], capture_stdout=True, check=False)
    return done.stdout.decode().strip()


class Person:
    """A person, who sees the window and has a mouse and a keyboard."""

    def __init__(self, toolkit: str, window: Any) -> None:
        self.window = window
        self.toolkit = toolkit
        self.eyes = import_module(f"gui_eyes.{toolkit}_eyes")

    def rows(self, name: str) -> list[list[str]]:
        """Return the texts of a list."""
        found: list[list[str]] = self.eyes.rows(getattr(self.window, name))
        return found

    def text(self, name: str) -> str:
        """Return the text of a field or a label; "" if it is hidden."""
        return str(self.eyes.text(getattr(self.window, name)))

    async def _click(self, where: Callable[[], tuple[int, int]]) -> None:
        # Layout may move a widget in the moment after it has appeared.
        before = None
        while before != (at := where()):
            before = at
            await trio.sleep(0.1)
        await xdotool("mousemove", *at, "click", 1)

    async def click(self, name: str) -> None:
        await self._click(lambda: self.eyes.place(getattr(self.window, name)))

    async def click_row(self, name: str, index: int) -> None:
        await self._click(lambda: self.eyes.place_of_row(getattr(self.window, name), index))

    async def write(self, name: str, text: str, *keys: str) -> None:
        """Replace the text of a field, and press keys."""
        await self.click(name)
        await xdotool("key", "End", "shift+Home", "type", text)
        await until(f"{name} has {text}", lambda: self.text(name) == text)
        await press(*keys)

    async def choose_file(self, path: str) -> None:
        """Choose a file in the current folder."""
        # A dialog may lose keys while it opens and completes names: then it is opened again.
        while self.text("file") != path:
            await self.click("browse_button")
            await into_window(DIALOG)
            await xdotool("sleep", 1)
            if self.toolkit != "tk":
                await press("ctrl+l")  # shows the field for a name in the dialog of GTK
            await xdotool("sleep", 0.5, "type", "--delay", 30, Path(path).name)
            # The first Enter may only end a completion.
            while await xdotool("search", "--onlyvisible", "--name", f"^{DIALOG}$"):
                await xdotool("key", "Return", "sleep", 0.5)


async def press(*keys: str) -> None:
    if keys:
        await xdotool("key", *keys)


async def into_window(title: str) -> str:
    """Wait for a window, and move the mouse there: without a window manager, keys follow it."""
    found = ""
    with trio.fail_after(PATIENCE / 4):
        while not found:
            found = await xdotool("search", "--onlyvisible", "--name", f"^{title}$")
    number = found.splitlines()[-1]
    await xdotool("mousemove", "--window", number, 5, 5)
    return number


async def read(port: int, address: int, unit: int) -> int:
    async with connect(f"tcp://127.0.0.1:{port}?timeout=60") as client:
        return int((await client.read_holding_registers(address, 1, unit=unit))[0])


async def refuses(port: int) -> bool:
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return True
    return False


async def use(person: Person, file: str, browser: Path) -> None:
    """Choose a file, start three devices, read, change a value, look at the page, and stop."""
    await until("the window appears", lambda: person.eyes.is_shown(person.window))
    await person.choose_file(file)
    assert person.text("file") == file
    await person.write("count", "3")
    await person.click("start_button")
    await until("three devices run", lambda: _running(person) == 3)
    ports = [int(row[-1].rpartition(":")[2]) for row in person.rows("devices")]
    assert await read(ports[2], 10, 7) == 1200
    await until("the request is counted", lambda: person.rows("devices")[2][2] == "1")

    # Points of another device, which live.
    await person.click_row("devices", 1)
    await until("its place", lambda: person.text("heading").endswith(f":{ports[1]}"))
    pressure = person.rows("points")[1]
    assert pressure[0] == "pressure"
    await until("another pressure", lambda: person.rows("points")[1][1] != pressure[1])
    await person.click_row("points", 0)
    await until("the value to change", lambda: person.text("value") == "1200")
    await person.write("value", "many", "Return")
    await until("it says why", lambda: person.text("message"))
    assert person.text("message") == "speed must be a number, got 'many'"
    await person.write("value", "900", "Return")
    await until("the value", lambda: person.rows("points")[0][1] == "900")
    assert person.text("message") == ""
    assert [await read(port, 10, 7) for port in ports] == [1200, 900, 1200]

    await person.click_row("devices", 2)
    await person.click("stop_device")
    await until("it is stopped", lambda: person.rows("devices")[2][-1].startswith("stopped, "))
    await person.click("start_device")
    await until("three devices run", lambda: _running(person) == 3)

    await press("ctrl+1")
    path = "#/device/2/unit/7/registers\n"
    await until("the browser opens", lambda: browser.exists() and path in browser.read_text())
    await person.click("stop_button")
    await until("nothing runs", lambda: not person.rows("devices") and not person.rows("points"))
    for port in ports:
        assert await refuses(port)
    await press("F1")
    help_window = await into_window("Help")
    while help_window in await xdotool("search", "--onlyvisible", "--name", "^Help$"):
        await press("Escape")
    await into_window("modwire simulator")
    await press("ctrl+q")


def _running(person: Person) -> int:
    return sum(row[-1].startswith("running, ") for row in person.rows("devices"))


def main() -> None:
    toolkit, file, browser = sys.argv[1:]
    window = window_of(toolkit).Window(Setup(port="0"))  # type: ignore[arg-type]
    run = window.presenter.run

    async def run_with_person() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                person = Person(toolkit, window)
                nursery.start_soon(partial(use, person, file, Path(browser)))
                await run()

    window.presenter.run = run_with_person
    assert not window.run()
    print("closed")


main()
