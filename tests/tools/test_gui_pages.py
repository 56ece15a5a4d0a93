"""The pages of the window: registers, traffic and faults, and what clients see of them."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from driven_window import (
    DEVICE,
    Steps,
    asking,
    drive,
    message,
    port_of,
    press,
    setup_of,
    started,
    type_in,
)
from modwire import ExceptionResponseError, ServerDeviceFailureError
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


def test_registers_are_seen_found_and_changed(device_file: Path) -> None:
    def body(window: Window) -> Steps:
        yield from started(window)
        press(window.root, "Control-Key-2")
        pane = window.registers
        yield lambda: pane.rows.count == 4 and pane.rows.texts(3)
        assert [pane.rows.texts(at)[0] for at in range(4)] == ["10", "200", "201", "202"]
        type_in(pane.address, "0xC9")
        assert pane.rows.selected == 2
        press(pane.rows.tree, "Return")
        type_in(pane.editor.entry, "-2")
        assert pane.rows.texts(2)[1:6] == (
            "0x00C9",
            "65534",
            "-2",
            "0xFFFE",
            "1111 1111 1111 1110",
        )
        with asking(port_of(window)) as ask:
            read = ask(lambda client: client.read_holding_registers(200, 3, unit=7))
            yield read.done
            assert tuple(read.result()) == (1, 0xFFFE, 3)
        press(pane.rows.tree, "Return")
        type_in(pane.editor.entry, "65536")
        assert message(window).startswith("the value must be 0..65535, 0x0..0xFFFF or ")
        press(pane.editor.entry, "Escape")
        type_in(pane.address, "203")
        assert message(window) == "there is no address 203 among the holding registers"

        pane.tables.set("Input registers")
        pane.tables.event_generate("<<ComboboxSelected>>")
        yield lambda: pane.rows.count == 2 and pane.rows.texts(1)

    drive(setup_of(file=str(device_file)), body)


def test_traffic_is_told_in_words_and_filtered() -> None:
    def body(window: Window) -> Steps:
        yield from started(window)
        with asking(port_of(window)) as ask:

            def talk(client: object) -> None:
                client.read_holding_registers(0, 2)  # type: ignore[attr-defined]
                client.write_coil(1, True)  # type: ignore[attr-defined]
                with pytest.raises(ExceptionResponseError):
                    client.read_holding_registers(500, 1)  # type: ignore[attr-defined]

            talked = ask(talk)
            yield talked.done
            talked.result()
        # It was recorded before the page was opened.
        press(window.root, "Control-f")
        pane = window.traffic
        yield lambda: len(_answers(pane.tree)) == 3
        requests = [pane.tree.item(row, "values")[4] for row in pane.tree.get_children()]
        assert requests[0] == "read 2 holding registers from 0"
        assert _answers(pane.tree)[0] == "15, 40"
        assert _answers(pane.tree)[2].startswith("exception 02")

        pane.tree.selection_set(pane.tree.get_children()[0])
        yield lambda: "03 00 00 00 02" in str(pane.details.cget("text"))
        assert "03 04 00 0F 00 28" in str(pane.details.cget("text"))

        type_in(pane.text, "coil", "KeyRelease-l")
        yield lambda: len(_answers(pane.tree)) == 1
        type_in(pane.text, "", "KeyRelease-BackSpace")
        yield lambda: len(_answers(pane.tree)) == 3
        type_in(pane.functions, "3", "KeyRelease-3")
        pane.outcome.set("exception")
        pane.outcome.event_generate("<<ComboboxSelected>>")
        yield lambda: len(_answers(pane.tree)) == 1
        assert _answers(pane.tree)[0].startswith("exception 02")

    drive(setup_of(), body)


def _answers(tree: tk.Misc) -> list[str]:
    return [tree.item(row, "values")[5] for row in tree.get_children()]  # type: ignore[attr-defined]


def test_a_fault_that_is_asked_for_is_what_a_client_gets() -> None:
    def body(window: Window) -> Steps:
        yield from started(window)
        press(window.root, "Control-Key-5")
        pane = window.faults
        yield lambda: pane.fields["exception"].get() == "0"
        type_in(pane.fields["exception"], "101")
        assert message(window) == "Refuse with an exception: it must be 0..100 %, got '101'"
        type_in(pane.fields["exception"], "100")
        assert message(window) == ""
        with asking(port_of(window)) as ask:
            read = ask(lambda client: client.read_holding_registers(0, 1))
            yield read.done
            with pytest.raises(ServerDeviceFailureError):
                read.result()
            pane.clear_button.invoke()
            read = ask(lambda client: client.read_holding_registers(0, 1))
            yield read.done
            assert tuple(read.result()) == (15,)
        assert pane.fields["exception"].get() == "0"

    drive(setup_of(), body)
