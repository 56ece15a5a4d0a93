"""`modwire ports`: the serial ports of this machine, and what is plugged in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .ending import FailedError
from .output import JsonFlag

if TYPE_CHECKING:
    from .output import Json

_STABLE_NAMES = Path("/dev/serial/by-id")


class Plugged(Protocol):
    """A port as pyserial describes it."""

    device: str
    description: str
    manufacturer: str | None
    product: str | None
    serial_number: str | None
    vid: int | None
    pid: int | None


class Port(NamedTuple):
    """A serial port: its endpoint, what is plugged in, and why it cannot be opened, or "".

    `stable` is an endpoint that stays the same when the adapter is plugged in elsewhere, or "".
    """

    endpoint: str
    description: str
    usb: str
    serial_number: str
    stable: str
    trouble: str


def ports(
    as_json: JsonFlag = False,
) -> None:
    """List the serial ports of this machine, with what is plugged in.

    Each line has the endpoint for other commands, the adapter, its USB id and serial number, and a
    name that stays the same in another socket. The exit code is 1 if there is no port.
    """
    from .output import print_json_list
    from .scan_output import Rows

    found = found_ports()
    rows = Rows("endpoint", "adapter", "USB id", "serial number", "stable name", as_json=as_json)
    for port in found:
        text = "; ".join(filter(None, [port.description, port.trouble]))
        rows.add((port.endpoint, text, port.usb, port.serial_number, port.stable), _json(port))
    if found:
        rows.end()
        return
    if as_json:
        print_json_list([])
    raise FailedError(
        "there is no serial port: is an adapter plugged in? In a container or a virtual machine, "
        "it must be passed through"
    )


def found_ports(links: Path = _STABLE_NAMES) -> list[Port]:
    """Return the ports by name; `links` is the folder of names that stay the same."""
    from serial.tools.list_ports import comports

    stable = _stable_names(links)
    found: list[Port] = []
    for each in sorted(comports(), key=lambda port: _natural(port.device)):
        found.append(
            Port(
                _endpoint(each.device),
                _description(each),
                f"{each.vid:04x}:{each.pid:04x}" if each.vid is not None else "",
                each.serial_number or "",
                _endpoint(stable[each.device]) if each.device in stable else "",
                _trouble(each.device),
            )
        )
    return found


def _endpoint(device: str) -> str:
    return f"rtu://{device}"


def _description(port: Plugged) -> str:
    """Return the maker and the product, or what the system says."""
    named = [text for text in (port.manufacturer, port.product) if text]
    if named:
        return " ".join(dict.fromkeys(named))
    is_known = port.description not in ("", "n/a", port.device, Path(port.device).name)
    return port.description if is_known else "a port of this machine, without USB"


def _stable_names(links: Path) -> dict[str, str]:
    """Return the links by the device that they lead to."""
    try:
        return {str(each.resolve()): str(each) for each in sorted(links.iterdir())}
    except OSError:
        return {}


def _trouble(device: str) -> str:
    """Return why a port cannot be opened, with what to do, or ""."""
    if os.name != "posix" or not os.path.exists(device) or os.access(device, os.R_OK | os.W_OK):
        return ""
    from modwire_tools.system_advice import system_advice

    return system_advice(f"{_endpoint(device)}: Permission denied")


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts ttyUSB2 before ttyUSB10."""
    parts: list[tuple[int, str]] = []
    for is_number, digits in _pieces(text):
        parts.append((int(digits), "") if is_number else (-1, digits))
    return parts


def _pieces(text: str) -> Iterable[tuple[bool, str]]:
    from itertools import groupby

    return ((key, "".join(group)) for key, group in groupby(text, str.isdigit))


def _json(port: Port) -> Json:
    found: dict[str, Json] = {"endpoint": port.endpoint, "description": port.description}
    others = {
        "usb": port.usb,
        "serial_number": port.serial_number,
        "stable": port.stable,
        "trouble": port.trouble,
    }
    return {**found, **{name: text for name, text in others.items() if text}}
