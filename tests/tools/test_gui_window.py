"""The window of `modwire gui` on a screen of Xvfb: what users do, and what clients see."""

from __future__ import annotations

import socket
import sys
import tkinter as tk
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from driven_window import (
    DEVICE,
    Steps,
    asking,
    cell,
    double_click,
    drive,
    message,
    port_of,
    press,
    row_of,
    running,
    setup_of,
    started,
    stopped,
    type_in,
)
from programs import PATIENCE, free_port
from virtual_screen import virtual_display

if TYPE_CHECKING:
    from modwire_tools.gui.window import Window

    from ..conftest import RequirePeer


pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def display(require_peer: RequirePeer) -> str:
    return virtual_display(require_peer)


@pytest.fixture(autouse=True)
def _screen(display: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display)


@pytest.fixture
def device_file(tmp_path: Path) -> Path:
    path = tmp_path / "pump.toml"
    path.write_text(DEVICE)
    return path


def test_a_client_reads_what_the_window_shows_and_an_edit_reaches_it() -> None:
    def body(window: Window) -> Steps:
        yield lambda: window.form.start_button.winfo_viewable()
        press(window.form.port, "Return")
        yield running(window)
        rows = window.points.rows
        yield lambda: cell(rows, "demand_period", 1) == "15"
        port = port_of(window)
        assert window.root.title() == f"Energy meter at tcp://127.0.0.1:{port} - modwire"
        with asking(port) as ask:
            read = ask(lambda client: client.read_holding_registers(0, 2))
            yield read.done
            assert tuple(read.result()) == (15, 40)

            double_click(rows, row_of(rows, "demand_period"), 1)
            type_in(window.points.editor.entry, "20")
            assert window.points.editor.entry is None
            read = ask(lambda client: client.read_holding_registers(0, 2))
            yield read.done
            assert tuple(read.result()) == (20, 40)

            # A wrong value stays in its field until Escape, with a message about what is allowed.
            rows.select(row_of(rows, "ct_ratio"))
            press(rows.tree, "Return")
            type_in(window.points.editor.entry, "many")
            assert message(window) == "ct_ratio must be a number, got 'many'"
            type_in(window.points.editor.entry, "70000")
            assert message(window).startswith("ct_ratio: ")
            press(window.points.editor.entry, "Escape")
            assert window.points.editor.entry is None

            # Enter switches a bit.
            rows.select(row_of(rows, "relay_1"))
            press(rows.tree, "Return")
            coils = ask(lambda client: client.read_coils(0, 2))
            yield coils.done
            assert list(coils.result())[:2] == [True, False]
            assert message(window) == ""

    drive(setup_of(), body)


def test_a_clients_writes_show_and_a_point_can_be_held() -> None:
    def body(window: Window) -> Steps:
        yield from started(window)
        rows = window.points.rows
        yield lambda: cell(rows, "voltage_l1", 1)
        with asking(port_of(window)) as ask:
            written = ask(lambda client: client.write_registers(0, [45, 60]))
            yield written.done
            written.result()
            yield (
                lambda: cell(rows, "demand_period", 1) == "45" and cell(rows, "ct_ratio", 1) == "60"
            )
            window.select_page(3)
            clients = window.clients.rows
            yield lambda: clients.count == 1 and clients.texts(0)[-1] == "1"
        yield lambda: window.clients.rows.count == 0

        window.select_page(0)
        rows.select(row_of(rows, "voltage_l1"))
        press(rows.tree, "space")
        held = cell(rows, "voltage_l1", 1)
        assert cell(rows, "voltage_l1", 5) == "held: sine around 230, 60 s"
        # Other points still change, but not this one.
        seconds = cell(rows, "operating_seconds", 1)
        yield lambda: cell(rows, "operating_seconds", 1) != seconds
        assert cell(rows, "voltage_l1", 1) == held
        press(rows.tree, "space")
        yield lambda: cell(rows, "voltage_l1", 1) != held

        # By now, its trend is a line.
        yield lambda: window.points.chart.find_withtag("line")
        (label,) = window.points.chart.find_withtag("last")
        assert window.points.chart.itemcget(label, "text").endswith(" V")

    drive(setup_of(), body)


def test_stop_closes_the_port_and_start_opens_it_again() -> None:
    port = free_port()

    def body(window: Window) -> Steps:
        for _ in range(2):
            yield from started(window)
            assert window.form.start_button.instate(["disabled"])
            assert window.form.host.instate(["disabled"])
            with asking(port) as ask:
                read = ask(lambda client: client.read_holding_registers(0, 1))
                yield read.done
                assert tuple(read.result()) == (15,)
            window.form.stop_button.invoke()
            yield stopped(window)
            assert _refuses(port)
            assert window.root.title() == "modwire simulator"
            assert window.devices.rows.count == 0
            assert window.points.rows.count == 0
        assert message(window) == ""

    drive(setup_of(port=str(port)), body)


def test_two_devices_are_apart_and_one_can_be_stopped(device_file: Path) -> None:
    port = _free_ports(2)

    def body(window: Window) -> Steps:
        yield from started(window)
        places = f"tcp://127.0.0.1:{port} to tcp://127.0.0.1:{port + 1}"
        assert window.root.title() == f"Pump (2 devices) at {places} - modwire"
        devices, points = window.devices.rows, window.points.rows
        yield lambda: devices.count == 2 and devices.texts(1)
        devices.select(1)
        yield lambda: window.choice.device == 1 and cell(points, "speed", 1) == "1200"
        window.points.edit(row_of(points, "speed"))
        type_in(window.points.editor.entry, "900")
        with asking(port) as ask, asking(port + 1) as ask_second:
            read = [
                each(lambda client: client.read_holding_registers(10, 1, unit=7))
                for each in (ask, ask_second)
            ]
            yield lambda: all(each.done() for each in read)
            assert [tuple(each.result()) for each in read] == [(1200,), (900,)]

        # Another unit of the device.
        window.units.current(1)
        window.units.event_generate("<<ComboboxSelected>>")
        yield lambda: cell(points, "level", 1) == "40"

        window.devices.stop_button.invoke()
        yield lambda: devices.texts(1)[2].startswith("stopped, ")
        yield lambda: _refuses(port + 1)
        assert not _refuses(port)
        window.devices.start_button.invoke()
        yield lambda: devices.texts(1)[2] == f"tcp://127.0.0.1:{port + 1}"

    drive(setup_of(file=str(device_file), port=str(port), devices="2"), body)


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.1.2 is an address of Linux alone")
def test_devices_may_be_on_consecutive_addresses() -> None:
    port = free_port()

    def body(window: Window) -> Steps:
        yield from started(window)
        places = f"tcp://127.0.1.1:{port} to tcp://127.0.1.2:{port}"
        assert window.root.title() == f"Energy meter (2 devices) at {places} - modwire"
        socket.create_connection(("127.0.1.2", port), PATIENCE).close()

    setup = setup_of(host="127.0.1.1", port=str(port), devices="2", consecutive="addresses")
    drive(setup, body)


def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[unit]]\nid = 1\n[[unit.point]]\nname = "a"\nat = "hr:0"\ntype = "int17"\n')
    missing = tmp_path / "missing.toml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        used = listener.getsockname()[1]

        def body(window: Window) -> Steps:
            yield lambda: window.form.start_button.winfo_viewable()
            form = window.form
            for field, value, expected in (
                (form.file, str(wrong), f"{wrong}: unit 1 (1), point 1 (a), type must be one of "),
                (form.file, str(missing), f"cannot read {missing}: No such file or directory"),
                (form.port, "hundred", "port must be a whole number, 0..65535, got 'hundred'"),
                (form.port, "65536", "port must be a whole number, 0..65535, got '65536'"),
                (form.devices, "0", "the number of devices must be a whole number, 1..65535"),
                (form.host, "", "host must be a name or an address, such as 127.0.0.1"),
                (form.port, str(used), f"tcp://127.0.0.1:{used}: "),
            ):
                before = field.get()
                field.delete(0, "end")
                field.insert(0, value)
                form.start_button.invoke()
                yield lambda: message(window) and window.session.state == "stopped"
                assert message(window).startswith(expected)
                assert "\n" not in message(window)
                assert form.start_button.instate(["!disabled"])
                field.delete(0, "end")
                field.insert(0, before)
            assert "another program listens there already" in message(window)
            form.start_button.invoke()
            yield running(window)
            assert message(window) == ""

        drive(setup_of(), body)


def test_a_device_whose_port_is_taken_is_told_and_the_others_are_served() -> None:
    port = _free_ports(2)
    with socket.create_server(("127.0.0.1", port + 1)) as listener:

        def body(window: Window) -> Steps:
            yield from started(window)
            yield lambda: message(window).startswith(f"tcp://127.0.0.1:{port + 1}: ")
            devices = window.devices.rows
            yield lambda: devices.count == 2 and devices.texts(1)
            assert devices.texts(0)[2] == f"tcp://127.0.0.1:{port}"
            devices.select(1)
            yield lambda: "in use" in str(window.state.cget("text"))
            listener.close()
            window.devices.start_button.invoke()
            yield lambda: window.devices.rows.texts(1)[2] == f"tcp://127.0.0.1:{port + 1}"

        drive(setup_of(port=str(port), devices="2"), body)


def test_a_file_is_chosen_in_the_dialog(device_file: Path) -> None:
    def body(window: Window) -> Steps:
        yield lambda: window.form.browse_button.winfo_viewable()
        root = window.root

        def answer() -> None:
            dialogs = [each for each in _inside(root, ".") if _class(root, each) == "TkFDialog"]
            fields = [
                each
                for dialog in dialogs
                for each in _inside(root, dialog)
                if _class(root, each) == "TEntry" and root.tk.call("winfo", "viewable", each)
            ]
            if not fields:
                root.after(20, answer)
                return
            name = fields[-1]
            root.tk.call(name, "insert", 0, str(device_file))
            root.tk.call("focus", "-force", name)
            root.update()
            root.tk.call("event", "generate", name, "<Return>")

        root.after(20, answer)
        press(root, "Control-o")
        assert window.form.file.get() == str(device_file)
        window.form.start_button.invoke()
        yield running(window)
        yield lambda: cell(window.points.rows, "speed", 1) == "1200"

    drive(setup_of(), body)


def _class(root: tk.Tk, name: str) -> str:
    return str(root.tk.call("winfo", "class", name))


def _inside(root: tk.Tk, name: str) -> list[str]:
    """Return the names of all widgets in a widget; Tk's own dialogs have no Python objects."""
    found: list[str] = []
    for each in root.tk.splitlist(root.tk.call("winfo", "children", name)):
        found += [each, *_inside(root, each)]
    return found


def test_all_is_reached_by_keys() -> None:
    def body(window: Window) -> Steps:
        yield lambda: window.form.start_button.winfo_viewable()
        root, form = window.root, window.form
        press(root, "Alt-d")
        assert root.focus_get() is form.file
        order = []
        for _ in range(7):
            widget = root.focus_get()
            order.append(widget)
            assert widget is not None
            press(widget, "Tab")
        assert order == [
            form.file,
            form.browse_button,
            form.host,
            form.port,
            form.devices,
            form.consecutive,
            form.start_button,
        ]
        press(root, "F5")
        yield running(window)
        press(root, "Control-Key-3")
        yield lambda: root.focus_get() is window.traffic.tree
        press(root, "Control-Key-1")
        yield lambda: root.focus_get() is window.points.rows.tree
        press(root, "Alt-n")
        assert root.focus_get() is window.units
        height = window.theme.font.metrics("linespace")
        press(root, "Control-plus")
        press(root, "Control-plus")
        assert window.theme.font.metrics("linespace") > height
        press(root, "Control-Key-0")
        assert window.theme.font.metrics("linespace") == height
        press(root, "Shift-F5")
        yield stopped(window)
        press(root, "Alt-a")
        yield running(window)
        press(window.form.stop_button, "Return")
        yield stopped(window)

    drive(setup_of(), body)


def test_closing_while_it_starts_ends_all() -> None:
    def body(window: Window) -> Steps:
        yield lambda: window.form.start_button.winfo_viewable()
        window.form.start_button.invoke()
        assert window.session.state == "starting"
        # `drive` returns only after everything has ended.

    drive(setup_of(devices="20"), body)


def _refuses(port: int) -> bool:
    """True if nothing listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


def _free_ports(count: int) -> int:
    """Return the first of `count` consecutive ports on which nothing listens."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            continue
        return first
