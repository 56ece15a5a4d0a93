"""Endpoints as users type them: `right_form` of what is none, and `:PORT` for all addresses."""

from __future__ import annotations

import os
import re

from modwire import Endpoint

from .addresses import parse_place
from .pasting import for_shell
from .values.suggesting import unit_advice

ALL = "0.0.0.0"
"""The host of an endpoint that stands for all addresses of this machine, IPv6 too: `:PORT`."""

_SCHEMES = ("tcp", "udp", "tls", "unix", "rtu", "ascii", "binary")
_LINES = ("rtu", "ascii", "binary")
# What other programs call these schemes.
_OTHER_SCHEMES = {
    **dict.fromkeys(("http", "https", "modbus", "modbustcp", "modbus+tcp", "modbus-tcp"), "tcp"),
    **dict.fromkeys(("modbuss", "mbaps", "mbtls", "ssl", "tcps"), "tls"),
    **dict.fromkeys(("modbus+tls", "modbus-tls", "modbustls"), "tls"),
    **dict.fromkeys(("mbtcp", "mbap", "socket", "tcp4", "tcp6", "opc.tcp"), "tcp"),
    **dict.fromkeys(("serial", "tty", "com", "modbusrtu", "modbus+rtu", "modbus-rtu"), "rtu"),
    **dict.fromkeys(("rtutcp", "rtu-tcp", "tcp+rtu", "rtuovertcp", "rtu_tcp"), "rtu+tcp"),
}
_COM = re.compile(r"COM\d+", re.IGNORECASE)
_DEVICE = re.compile(r"(?:tty|cu\.|rfcomm)[\w.-]+")
# The settings of a line behind its name, as other programs have them: /dev/ttyUSB0:9600,8N1.
_SETTINGS = re.compile(r"(.+?)[:,](\d{3,7})(?:[:,-]?([78])-?([NEO])-?([12]))?", re.IGNORECASE)


def opened(text: str) -> str:
    """Return the text of an endpoint to listen at, with `ALL` in place of a host that is left out.

    Other texts are returned as they are.
    """
    scheme, separator, rest = text.partition("://")
    return f"{scheme}://{ALL}{rest}" if separator and rest.startswith(":") else text


def shown(endpoint: Endpoint | str) -> str:
    """Return the text of an endpoint to listen at, with `:PORT` for all addresses."""
    return str(endpoint).replace(f"://{ALL}:", "://:", 1)


def explained(text: str, error: ValueError, *, listens: bool = False) -> str:
    """Return the text of an error about an endpoint, with the right form if it can be guessed."""
    if not listens and _is_place(text):
        return f"endpoint {text!r} is an address of values, the endpoint of the device comes first"
    meant = right_form(text, listens=listens)
    if not meant:
        unit = re.search(r"[?&]unit=(\d+)", text)
        is_unit = unit is not None and "unit must" in str(error)
        return f"{error}{unit_advice(unit[1])}" if unit is not None and is_unit else str(error)
    scheme, separator, _ = text.partition("://")
    if not separator:
        return f"endpoint {text!r}: must start with a scheme, such as {for_shell(meant)}"
    if scheme.lower() in _OTHER_SCHEMES:
        return f"endpoint {text!r}: there is no scheme {scheme}, write {for_shell(meant)}"
    return f"{error}; write {for_shell(meant)}"


def check_settings(endpoint: Endpoint) -> None:
    """Raise ValueError if the path of a line has settings behind it: /dev/ttyUSB0:9600,8N1."""
    if endpoint.transport == "serial" and _SETTINGS.fullmatch(endpoint.path):
        if not os.path.exists(endpoint.path):
            meant = f"{endpoint.framing}://{_line(endpoint.path)}"
            raise ValueError(
                f"endpoint {str(endpoint)!r}: settings of the line follow a ?, write "
                f"{for_shell(meant)}"
            )


def _is_place(text: str) -> bool:
    try:
        parse_place(text.partition("/")[0].partition("=")[0])
    except ValueError:
        return False
    return True


def right_form(text: str, *, listens: bool = False) -> str:
    """Return the endpoint that `text` seems to mean, "" if none or if it is an endpoint already.

    A server that `listens` may do so at all addresses, a client needs a host.
    """
    place, mark, query = text.strip().partition("?")
    scheme, separator, rest = place.partition("://")
    if not separator:
        found = _without_scheme(place, listens)
    elif scheme.lower() in _OTHER_SCHEMES:
        found = _with_scheme(_OTHER_SCHEMES[scheme.lower()], rest, listens)
    else:
        found = _with_scheme(scheme.lower(), rest, listens)
    if mark:
        found += ("&" if "?" in found else "?") + query
    return found if _is_right(found, listens) else ""


def _without_scheme(place: str, listens: bool) -> str:
    """Return the endpoint for a text without `://`."""
    scheme, colon, rest = place.partition(":")
    scheme = _OTHER_SCHEMES.get(scheme.lower(), scheme.lower())
    if colon and scheme in _SCHEMES:
        return _with_scheme(scheme, f":{rest}" if rest.isdigit() else rest, listens)
    if place.endswith((".sock", ".socket")):
        return f"unix://{place}"
    line = _SETTINGS.fullmatch(place)
    name = line[1] if line else place
    if name.startswith("/") or _COM.fullmatch(name) or _DEVICE.fullmatch(name):
        return _with_scheme("rtu", place, listens)
    if place.isdigit():
        return f"tcp://127.0.0.1:{place}"
    return _with_scheme("tcp", place, listens)


def _with_scheme(scheme: str, rest: str, listens: bool) -> str:
    """Return the endpoint with a scheme that exists, from what follows it."""
    if scheme in _LINES:
        return f"{scheme}://{_line(rest)}"
    if scheme == "unix":
        return f"unix:///{rest.lstrip('/')}"
    place = rest.strip("/")
    if place.startswith("*:"):
        place = place[1:]
    if place.startswith(":") and place[1:].isdigit():
        return f"{scheme}://{place}" if listens else f"{scheme}://127.0.0.1{place}"
    if place.count(":") > 1 and not place.startswith("["):
        return f"{scheme}://[{place}]"
    return f"{scheme}://{place}"


def _line(place: str) -> str:
    """Return the path of a serial port, with its settings as options."""
    options = ""
    found = _SETTINGS.fullmatch(place)
    if found:
        place, baudrate, bits, parity, stops = found.groups()
        options = f"?baudrate={baudrate}"
        if bits:
            options += f"&bytesize={bits}&parity={parity.upper()}&stopbits={stops}"
    name = place.lstrip("/")
    if _COM.fullmatch(name):
        return name.upper() + options
    if _DEVICE.fullmatch(name):
        return f"/dev/{name}{options}"
    return f"/{name}{options}"


def _is_right(text: str, listens: bool) -> bool:
    try:
        Endpoint.parse(opened(text) if listens else text)
    except ValueError:
        return False
    return True
