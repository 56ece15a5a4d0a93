"""The options of a client that an endpoint may have, by name: how each is written and checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from .endpoint_text import is_number, one_of
from .options import (
    MAX_IN_FLIGHT,
    check_count,
    check_flag,
    check_range,
    check_seconds,
    check_timeout,
)
from .quirks import Quirks

if TYPE_CHECKING:
    from typing import TypeAlias

    Check: TypeAlias = Callable[[str, object], object]

NEVER = "never"  # the text of None
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class EndpointOptions(TypedDict, total=False):
    """The options of an endpoint that most devices do not need; see `Endpoint`."""

    pause: float
    unit_pause: float
    connect_delay: float
    reconnect_after: int | None
    busy_retries: int
    busy_pause: float
    retry_writes: bool
    turnaround: float
    late_reply_window: float
    silence: float
    tolerance: float
    suppress_echo: bool
    quirks: Quirks
    max_in_flight: int
    connect_timeout: float
    keepalive: bool
    rs485: bool
    exclusive: bool


def _quirks(name: str, value: object) -> Quirks:
    if not isinstance(value, Quirks):
        raise ValueError(f"{name} must be members of Quirks, got {value!r}")
    return value


def _count_or_never(name: str, value: object) -> object:
    return None if value is None else check_count(name, value)  # type: ignore[arg-type]


_seconds: Check = check_seconds  # type: ignore[assignment]
_flag: Check = check_flag  # type: ignore[assignment]
_CHECKS: dict[str, Check] = {
    "pause": _seconds,
    "unit_pause": _seconds,
    "connect_delay": _seconds,
    "reconnect_after": _count_or_never,
    "busy_retries": partial(check_count, least=0),
    "busy_pause": _seconds,
    "retry_writes": _flag,
    "turnaround": _seconds,
    "late_reply_window": _seconds,
    "silence": _seconds,
    "tolerance": _seconds,
    "suppress_echo": _flag,
    "quirks": _quirks,
    "max_in_flight": partial(check_range, least=1, most=MAX_IN_FLIGHT),
    "connect_timeout": lambda name, value: check_timeout(value, name),  # type: ignore[arg-type]
    "keepalive": _flag,
    "rs485": _flag,
    "exclusive": _flag,
}
MORE_OPTIONS = tuple(_CHECKS)
_OF_SERIAL = ("rs485", "exclusive")
_OF_NETWORKS = ("max_in_flight",)
_OF_CONNECTIONS = ("connect_timeout",)
_OF_TCP = ("keepalive",)


def check_option(transport: str, name: str, value: object) -> object:
    """Return the `value` of an option; raise ValueError if it is wrong or `transport` lacks it."""
    if name not in _CHECKS:
        raise TypeError(f"option must be {one_of(MORE_OPTIONS, name, name)}")
    has_it = (
        transport == "serial"
        if name in _OF_SERIAL
        else transport != "serial"
        if name in _OF_NETWORKS
        else transport in ("tcp", "tls", "unix")
        if name in _OF_CONNECTIONS
        else transport in ("tcp", "tls")
        if name in _OF_TCP
        else True
    )
    if not has_it:
        raise ValueError(f"{transport} has no {name}")
    return _CHECKS[name](name, value)


def option_value(name: str, text: str) -> object:
    """Return the value of an option's text; a text that is wrong is returned as it is."""
    if name == "quirks":
        return _quirks_in(text)
    if name == "parity":
        return text.upper() if text in ("n", "e", "o") else text
    if _CHECKS.get(name) is _flag:
        return _FLAGS.get(text.lower(), text)
    if name == "reconnect_after" and text == NEVER:
        return None
    if is_number(text):
        return int(text)
    try:
        return float(text) if name == "timeout" or name in _CHECKS else text
    except ValueError:
        return text


def option_text(value: object) -> str:
    """Return the text of an option's value, which `option_value` reads."""
    if value is None:
        return NEVER
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Quirks):
        return ",".join(each.name or "" for each in Quirks if each and each in value) or "none"
    return f"{value}".removesuffix(".0")


def _quirks_in(text: str) -> Quirks:
    found = Quirks.none
    for name in text.split(","):
        if name not in Quirks.__members__:
            raise ValueError(f"quirks must be {one_of(Quirks.__members__, name, name)}")
        found |= Quirks[name]
    return found
