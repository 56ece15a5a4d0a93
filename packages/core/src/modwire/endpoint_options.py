"""The options of a client that an endpoint may have, by name: how each is written and checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .endpoint_text import IN_PATHS, is_number, one_of, quoted, seconds_in
from .options import (
    MAX_IN_FLIGHT,
    check_count,
    check_count_or_never,
    check_effect,
    check_flag,
    check_range,
    check_seconds,
    check_timeout,
)
from .quirks import Quirks, check_quirks, check_quirks_effect

if TYPE_CHECKING:
    from typing import Literal, TypeAlias, TypedDict

    from .framing.base import Framing

    Check: TypeAlias = Callable[[str, object], object]

NEVER = "never"  # the text of None
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


if TYPE_CHECKING:

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
        ca: str
        certificate: str
        key: str
        password_file: str
        server_hostname: str
        pinned: str

    class ConnectOptions(EndpointOptions, total=False):
        """The arguments of `connect`, which replace what the endpoint has; see `Endpoint`."""

        unit: int
        timeout: float
        retries: int
        baudrate: int
        bytesize: int
        parity: Literal["N", "E", "O"]
        stopbits: int


TEXTS = ("ca", "certificate", "key", "password_file", "server_hostname", "pinned")


def check_text(name: str, value: object) -> str:
    """Return a text such as the path of a file; raise ValueError if it is empty or has a NUL."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{name} must be a text without NUL, got {value!r}")
    return value


_seconds: Check = check_seconds  # type: ignore[assignment]
_flag: Check = check_flag  # type: ignore[assignment]
_CHECKS: dict[str, Check] = {
    "pause": _seconds,
    "unit_pause": _seconds,
    "connect_delay": _seconds,
    "reconnect_after": check_count_or_never,  # type: ignore[dict-item]
    "busy_retries": partial(check_count, least=0),
    "busy_pause": _seconds,
    "retry_writes": _flag,
    "turnaround": _seconds,
    "late_reply_window": _seconds,
    "silence": _seconds,
    "tolerance": _seconds,
    "suppress_echo": _flag,
    "quirks": lambda _, value: check_quirks(value),  # type: ignore[arg-type]
    "max_in_flight": partial(check_range, least=1, most=MAX_IN_FLIGHT),
    "connect_timeout": lambda name, value: check_timeout(value, name),  # type: ignore[arg-type]
    "keepalive": _flag,
    "rs485": _flag,
    "exclusive": _flag,
    **dict.fromkeys(TEXTS, check_text),
}
MORE_OPTIONS = tuple(_CHECKS)
_LINE_OPTIONS = ("baudrate", "bytesize", "parity", "stopbits")
OPTIONS = (*_LINE_OPTIONS, "unit", "timeout", "retries", *MORE_OPTIONS)
TIMES = ("timeout", "connect_timeout", *(name for name in _CHECKS if _CHECKS[name] is _seconds))
FLAGS = tuple(name for name in _CHECKS if _CHECKS[name] is _flag)


def check_value(name: str, value: object) -> object:
    """Return the `value` of an option of `MORE_OPTIONS`; raise ValueError if it is wrong."""
    return _CHECKS[name](name, value)


def check_option(
    transport: str, framing: type[Framing], scheme: str, name: str, value: object
) -> object:
    """Return the `value` of an option.

    Raises ValueError if it is wrong or has no effect on such a link, which the error calls
    `scheme`; TypeError for a name that no link has.
    """
    if name not in _CHECKS:
        allowed = options_of(transport, framing)
        raise TypeError(f"option must be {one_of(allowed, name, name)}")
    check_effect(name, transport, framing, scheme)
    checked = check_value(name, value)
    if isinstance(checked, Quirks):
        check_quirks_effect(checked, framing, scheme)
    return checked


def options_of(transport: str, framing: type[Framing]) -> list[str]:
    """Return the names of the options that have an effect on such a link."""
    return [name for name in OPTIONS if _has_effect(name, transport, framing)]


def _has_effect(name: str, transport: str, framing: type[Framing]) -> bool:
    try:
        check_effect(name, transport, framing, "")
    except ValueError:
        return False
    return True


def option_value(name: str, text: str) -> object:
    """Return the value of an option's text.

    Raises ValueError, whose text begins with the name, for a text that can be no such value.
    Numbers out of range are returned, and so are texts that are no whole number: `check_option`
    and its like refuse them.
    """
    if name in TEXTS:
        return text
    if name == "quirks":
        return _quirks_in(text)
    if name == "parity":
        return text.upper() if text in ("n", "e", "o") else text
    if name in FLAGS:
        if text.lower() not in _FLAGS:
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return _FLAGS[text.lower()]
    if name in TIMES and not is_number(text):
        seconds = seconds_in(text)
        if seconds is None:
            raise ValueError(f"{name} must be a time, such as 0.1, 100ms or 2s, got {text!r}")
        return seconds
    if name == "reconnect_after":
        if text == NEVER:
            return None
        if not is_number(text) or not int(text):
            raise ValueError(f"{name} must be a whole number, at least 1, or never, got {text!r}")
    return int(text) if is_number(text) else text


def option_text(value: object) -> str:
    """Return the text of an option's value, which `option_value` reads."""
    if value is None:
        return NEVER
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value, IN_PATHS)
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
