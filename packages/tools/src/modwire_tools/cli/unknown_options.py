"""Advice for options that no command has, but an endpoint or another program."""

from __future__ import annotations

from collections.abc import Sequence

from modwire_tools.pasting import for_shell

_TYPED = {
    **dict.fromkeys(("baud", "speed", "b"), "baudrate"),
    **dict.fromkeys(("data-bits", "databits"), "bytesize"),
    **dict.fromkeys(("stop-bits",), "stopbits"),
    **dict.fromkeys(("retry",), "retries"),
}
_UNITS = ("slave", "slave-id", "slaveid", "unit-id", "device-id", "id", "station", "node")
_PLACES = ("host", "ip", "server", "address", "port", "serial", "tcp", "rtu", "device-address")


def option_advice(option: str, words: Sequence[str]) -> str:
    """Return what to write in place of an unknown `option`; "" if nothing is known.

    `words` are the arguments of the command, from which the advice takes endpoint and value.
    """
    from modwire.endpoint_options import OPTIONS

    name = option.lstrip("-")
    if name in _UNITS:
        return "a unit is --unit"
    if name in _PLACES:
        return "the device is one word, an endpoint, such as tcp://192.0.2.7:502"
    name = _TYPED.get(name, name.replace("-", "_"))
    if name not in OPTIONS:
        return ""
    _, given, value = " ".join(words).partition(option)
    value = value.lstrip("= ").partition(" ")[0] if given else ""
    value = value if value and not value.startswith("-") else "..."
    place = next((word for word in words if "://" in word), "tcp://192.0.2.7")
    joined = f"{place}{'&' if '?' in place else '?'}{name}={value}"
    return f"{name} is an option of the endpoint, as in {for_shell(joined)}"
