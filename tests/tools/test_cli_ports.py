"""`modwire ports`: what is plugged in, under the endpoint that other commands take."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modwire import Endpoint
from modwire_command import good, modwire
from modwire_tools.cli.ports import found_ports


class Plugged:
    """A port as pyserial describes it."""

    def __init__(self, device: str, **facts: Any) -> None:
        self.device = device
        self.description = "n/a"
        self.manufacturer = self.product = self.serial_number = self.vid = self.pid = None
        vars(self).update(facts)


FTDI = {
    "description": "FT232R USB UART - FT232R USB UART",
    "manufacturer": "FTDI",
    "product": "FT232R USB UART",
    "serial_number": "A50285BI",
    "vid": 0x0403,
    "pid": 0x6001,
}


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that replaces the ports of this machine."""

    def replace(*ports: Plugged) -> None:
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(ports))

    return replace


def test_a_line_says_what_is_plugged_in(plug: Callable[..., None]) -> None:
    plug(
        Plugged("/dev/ttyUSB10", **FTDI),
        Plugged("/dev/ttyUSB2", description="USB2.0-Serial", vid=0x1A86, pid=0x7523),
        Plugged("/dev/ttyS99"),
        Plugged("COM3", **FTDI),
    )
    assert good("ports").splitlines() == [
        "rtu:///dev/ttyS99\ta port of this machine, without USB\t\t\t",
        "rtu:///dev/ttyUSB2\tUSB2.0-Serial\t1a86:7523\t\t",
        "rtu:///dev/ttyUSB10\tFTDI FT232R USB UART\t0403:6001\tA50285BI\t",
        "rtu://COM3\tFTDI FT232R USB UART\t0403:6001\tA50285BI\t",
    ]
    for line in good("ports").splitlines():
        Endpoint.parse(line.partition("\t")[0])


def test_json_is_for_programs(plug: Callable[..., None]) -> None:
    plug(Plugged("/dev/ttyUSB0", **FTDI), Plugged("/dev/ttyS99"))
    assert json.loads(good("ports", "--json")) == [
        {"endpoint": "rtu:///dev/ttyS99", "description": "a port of this machine, without USB"},
        {
            "endpoint": "rtu:///dev/ttyUSB0",
            "description": "FTDI FT232R USB UART",
            "usb": "0403:6001",
            "serial_number": "A50285BI",
        },
    ]


def test_without_a_port_the_exit_code_is_1(plug: Callable[..., None]) -> None:
    plug()
    result = modwire("ports")
    assert (result.out, result.code) == ("", 1)
    assert result.err.startswith("modwire: there is no serial port: is an adapter plugged in?")
    assert modwire("ports", "--json").out == "[]\n"


@pytest.mark.skipif(os.name != "posix", reason="these names are those of Linux")
def test_the_name_that_stays_the_same_is_shown(plug: Callable[..., None], tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    links = tmp_path / "by-id"
    links.mkdir()
    (links / "usb-FTDI_FT232R_A50285BI-if00-port0").symlink_to(port)
    plug(Plugged(str(port.resolve()), **FTDI))
    (found,) = found_ports(links)
    assert found.stable == f"rtu://{links}/usb-FTDI_FT232R_A50285BI-if00-port0"
    assert found_ports(tmp_path / "none")[0].stable == ""


@pytest.mark.skipif(os.name != "posix", reason="its permissions are those of POSIX")
def test_a_port_without_permission_says_what_to_do(
    plug: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(Plugged("/dev/null", **FTDI))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "; you may not open the port: `sudo usermod -aG " in good("ports")
    (found,) = json.loads(good("ports", "--json"))
    assert found["trouble"].startswith("you may not open the port")


def test_the_ports_of_this_machine_are_listed() -> None:
    """Whatever it has."""
    result = modwire("ports")
    assert result.code in (0, 1)
    assert bool(result.out) == (result.code == 0)
