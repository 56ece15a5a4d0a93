"""`Presenter`, which decides what the windows show and do: without a toolkit and a display."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from modwire_tools.gui.menus import ABOUT, HELP, Entry, menus
from modwire_tools.gui.presenter import Presenter
from modwire_tools.gui.screen import Row, Screen
from modwire_tools.gui.setup import Setup
from modwire_trio import connect
from programs import free_port
from pump_file import PUMP
from running_simulation import PATIENCE, until


@dataclass
class FakeWindow:
    """A front end that keeps the latest screen."""

    form: Setup = field(default_factory=lambda: Setup(port="0"))
    screens: list[Screen] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.links: list[str] = []
        self.has_browser = True
        self.presenter = Presenter(self, self.browse)

    @property
    def screen(self) -> Screen:
        return self.screens[-1]

    def browse(self, link: str) -> bool:
        self.links.append(link)
        return self.has_browser

    def setup(self) -> Setup:
        return self.form

    def show(self, screen: Screen) -> None:
        self.screens.append(screen)

    def choose_file(self) -> None: ...

    def set_file(self, path: str) -> None:
        self.form = Setup(path, port="0")

    def inform(self, title: str, text: str) -> None:
        self.told.append((title, text))

    def points(self) -> dict[str, Row]:
        rows = [self.presenter.point_row(at) for at in range(self.screen.points)]
        return {row.texts[0]: row for row in rows}

    def devices(self) -> list[str]:
        """The last column: the state and the addresses of each device."""
        return [self.presenter.device_row(at).texts[-1] for at in range(self.screen.devices)]

    def choose(self, name: str) -> None:
        self.presenter.choose_point(list(self.points()).index(name))

    def port(self, device: int = 0) -> int:
        return int(self.devices()[device].rpartition(":")[2])

    def is_running(self) -> bool:
        return self.screen.title.endswith(" - modwire") and "(start" not in self.screen.title


@asynccontextmanager
async def opened(form: Setup | None = None, *, start: bool = True) -> AsyncIterator[FakeWindow]:
    """A window whose loop is trio's own, with a simulation unless `start` is False."""
    window = FakeWindow(form or Setup(port="0"))
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(window.presenter.run)
            await until(lambda: window.screens)
            if start:
                window.presenter.start()
                await until(window.is_running)
            yield window
            window.presenter.close()


def run(body: Callable[[], Awaitable[None]]) -> None:
    trio.run(body)


async def read(port: int, address: int, count: int = 1, unit: int = 1) -> list[int]:
    async with connect(f"tcp://127.0.0.1:{port}?timeout=30") as client:
        return list(await client.read_holding_registers(address, count, unit=unit))


async def refuses(port: int) -> None:
    """Wait until nothing listens on a port."""
    while True:
        try:
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
        except OSError:
            return
        await trio.sleep(0.002)


def free_ports(count: int) -> int:
    """Return the first of `count` consecutive ports on which nothing listens."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            continue
        return first


@pytest.fixture
def pump(tmp_path: Path) -> str:
    path = tmp_path / "pump.toml"
    path.write_text(PUMP)
    return str(path)


def test_a_client_reads_what_is_shown_and_gets_what_is_typed() -> None:
    async def body() -> None:
        async with opened() as window:
            port = window.port()
            assert window.screen.title == f"Energy meter at tcp://127.0.0.1:{port} - modwire"
            assert window.screen.heading == f"Energy meter: running, tcp://127.0.0.1:{port}"
            row = window.points()["demand_period"]
            assert row.texts == ("demand_period", "15", "min", "hr:0", "uint16", "")
            window.choose("demand_period")
            editor = window.screen.editor
            assert (editor.label, editor.text) == ("&Value of demand_period (min)", "15")
            window.presenter.set_value("0x14")
            assert window.screen.editor.text == "20"
            assert await read(port, 0, 2) == [20, 40]
            assert window.presenter.device_row(0).texts[2] == "1"
            # A refused value stays in the field: the editor does not change.
            for text, told in (("many", "demand_period must be a number, got 'many'"),
                               ("70000", "demand_period: ")):  # fmt: skip
                before = window.screen.editor
                window.presenter.set_value(text)
                assert window.screen.message.startswith(told)
                assert window.screen.editor is before
            window.presenter.set_value("21")
            assert window.screen.message == ""
            assert await read(port, 0) == [21]

    run(body)


def test_the_list_is_live_bits_are_switched_and_points_are_held() -> None:
    async def body() -> None:
        async with opened() as window:
            seconds = window.points()["operating_seconds"].texts[1]
            async with connect(f"tcp://127.0.0.1:{window.port()}?timeout=30") as client:
                await client.write_registers(0, [45])
                await until(lambda: window.points()["demand_period"].texts[1] == "45")
                await until(lambda: window.points()["operating_seconds"].texts[1] != seconds)
                window.choose("relay_1")
                assert window.presenter.switch()
                assert (await client.read_coils(0, 2))[0]
                window.choose("demand_period")
                assert not window.presenter.switch()
                assert not window.screen.can_hold
            window.choose("voltage_l1")
            assert window.screen.can_hold
            window.presenter.hold()
            row = window.points()["voltage_l1"]
            assert (row.texts[-1], row.mark) == ("held: sine around 230, 60 s", "held")
            assert window.screen.is_held
            count = len(window.screens)
            await until(lambda: len(window.screens) > count + 1)
            assert window.points()["voltage_l1"] == row
            window.presenter.hold()
            await until(lambda: window.points()["voltage_l1"].texts[1] != row.texts[1])

    run(body)


def test_devices_and_units_are_apart_and_one_device_can_be_stopped(pump: str) -> None:
    async def body() -> None:
        async with opened(Setup(pump, port="0", devices="3")) as window:
            assert len(window.devices()) == 3
            ports = [window.port(at) for at in range(3)]
            window.presenter.choose_device(1)
            assert (window.screen.units, window.screen.unit) == (["7  drive", "8"], 0)
            window.choose("speed")
            window.presenter.set_value("900")
            assert [(await read(port, 10, unit=7))[0] for port in ports] == [1200, 900, 1200]
            window.presenter.choose_unit(1)
            assert list(window.points()) == ["level"]
            assert await read(ports[1], 0, unit=8) == [40]

            window.presenter.stop_device()
            await until(lambda: window.devices()[1].startswith("stopped, "))
            assert window.presenter.device_row(1).mark == "muted"
            assert (window.screen.can_start_device, window.screen.can_stop_device) == (True, False)
            await refuses(ports[1])
            assert await read(ports[0], 10, unit=7) == [1200]
            window.presenter.start_device()
            await until(lambda: window.devices()[1] == f"running, tcp://127.0.0.1:{ports[1]}")
            await until(lambda: window.screen.can_stop_device)

    run(body)


def test_stop_closes_the_ports_and_start_opens_them_again() -> None:
    port = free_port()

    async def body() -> None:
        async with opened(Setup(port=str(port)), start=False) as window:
            assert window.screen.heading == "Nothing is simulated: press Start (F5)."
            for _ in range(2):
                window.presenter.start()
                await until(window.is_running)
                assert (window.screen.can_start, window.screen.can_stop) == (False, True)
                window.presenter.start()  # does nothing while it runs
                assert await read(port, 0) == [15]
                window.presenter.stop()
                await until(lambda: window.screen.can_start)
                await refuses(port)
                screen = window.screen
                assert (screen.title, screen.devices, screen.points) == ("modwire simulator", 0, 0)
                assert (screen.editor.text, screen.can_set, screen.device) == ("", False, None)
                assert screen.message == ""

    run(body)


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.1.2 is an address of Linux alone")
def test_devices_may_be_on_consecutive_addresses() -> None:
    port = free_port()
    setup = Setup(host="127.0.1.1", port=str(port), devices="2", consecutive="addresses")

    async def body() -> None:
        async with opened(setup) as window:
            places = f"tcp://127.0.1.1:{port} to tcp://127.0.1.2:{port}"
            assert window.screen.title == f"Energy meter (2 devices) at {places} - modwire"

    run(body)


def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[unit]]\nid = 1\n[[unit.point]]\nname = "a"\nat = "hr:0"\ntype = "int17"\n')
    missing = tmp_path / "missing.toml"

    async def body() -> None:
        async with opened(start=False) as window:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                used = listener.getsockname()[1]
                for form, expected in (
                    (Setup(str(wrong)), f"{wrong}: unit 1 (1), point 1 (a), type must be one of "),
                    (Setup(str(missing)), f"cannot read {missing}: No such file or directory"),
                    (Setup(port="hundred"), "port must be a whole number, 0..65535, got 'hundred'"),
                    (Setup(port="65536"), "port must be a whole number, 0..65535, got '65536'"),
                    (Setup(devices="0"), "the number of devices must be a whole number, 1..65535"),
                    (Setup(host=""), "host must be a name or an address, such as 127.0.0.1"),
                    (Setup(port=str(used)), f"tcp://127.0.0.1:{used}: "),
                ):
                    window.form = form
                    window.presenter.start()
                    assert not window.screen.can_start
                    await until(lambda: window.screen.message and window.screen.can_start)
                    assert window.screen.message.startswith(expected)
                    assert "\n" not in window.screen.message
                assert "another program listens there already" in window.screen.message
            window.presenter.start()
            await until(window.is_running)
            assert window.screen.message == ""

    run(body)


def test_a_device_whose_port_is_taken_is_told_and_the_others_are_served() -> None:
    first = free_ports(2)
    port = first + 1

    async def body() -> None:
        with socket.create_server(("127.0.0.1", port)) as listener:
            async with opened(Setup(port=str(first), devices="2")) as window:
                await until(lambda: window.screen.message)
                assert window.screen.message.startswith(f"tcp://127.0.0.1:{port}: ")
                row = window.presenter.device_row(1)
                assert row.mark == "bad"
                assert "in use" in row.texts[-1]
                window.presenter.choose_device(1)
                assert "in use" in window.screen.heading
                listener.close()
                window.presenter.start_device()
                await until(lambda: window.devices()[1] == f"running, tcp://127.0.0.1:{port}")

    run(body)


def test_the_rest_is_on_the_page() -> None:
    async def body() -> None:
        async with opened(start=False) as window:
            entries = {
                entry.text.replace("&", ""): entry
                for _, each in menus(window, window.presenter)
                for entry in each
                if isinstance(entry, Entry)
            }
            entries["Traffic..."].act()
            assert window.screen.message == "nothing is simulated: press Start (F5) first"
            entries["Start"].act()
            await until(window.is_running)
            for number, name in enumerate(("Registers", "Traffic"), 1):
                entries[f"{name}..."].act()
                await until(lambda number=number: len(window.links) == number)
            page, path = window.links[0].split("#")
            assert path == "/device/0/unit/1/registers"
            assert window.links[1] == f"{page}#/traffic"
            stream = await trio.open_tcp_stream("127.0.0.1", int(page.split(":")[-1].strip("/")))
            async with stream:
                host = page.split("/")[2]
                await stream.send_all(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
            window.has_browser = False
            entries["Faults..."].act()
            await until(lambda: window.screen.message)
            link = f"{page}#/device/0/unit/1/faults"
            assert window.screen.message == f"no browser could be opened; the page is at {link}"
            entries["Help"].act()
            entries["About"].act()
            assert window.told == [("Help", HELP), ("About modwire", ABOUT)]
            keys = [entry.keys for entry in entries.values() if entry.keys]
            assert len(keys) == len(set(keys))

    run(body)


def test_without_the_extra_of_the_page_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def body() -> None:
        async with opened() as window:
            window.presenter.open_page("traffic")
            told = 'the page needs more packages: pip install "modwire-tools[web]"'
            assert window.screen.message == told

    for name in [name for name in sys.modules if name.startswith("modwire_tools.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("modwire_tools.web", raising=False)
    monkeypatch.setitem(sys.modules, "starlette", None)
    for name in [name for name in sys.modules if name.startswith("starlette.")]:
        monkeypatch.setitem(sys.modules, name, None)
    run(body)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    window = FakeWindow()

    async def body() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(window.presenter.run)
                await until(lambda: window.screens)
                window.presenter.start()
                await until(window.is_running)
                os.kill(os.getpid(), number)

    run(body)
    assert window.presenter.interrupted == (number == signal.SIGINT)


def test_closing_while_it_starts_ends_all() -> None:
    async def body() -> None:
        async with opened(Setup(port="0", devices="20"), start=False) as window:
            window.presenter.start()
            assert "Starting" in window.screen.heading

    run(body)
