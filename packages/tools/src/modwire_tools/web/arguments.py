"""Reads what a request brings: numbers of paths and queries, bodies. Errors are one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TypeGuard

from starlette.requests import Request

from ..simulator.view import Faults, TrafficFilter

OUTCOMES = ("ok", "exception", "silence")
MOST_DEVICES = 500
MOST_VALUES = 1000
MOST_MESSAGES = 1000


def integer(
    given: Mapping[str, object], name: str, least: int, most: int, default: int | None = None
) -> int:
    """The whole number called `name`, within its limits; `default` where it is not given."""
    value = given.get(name)
    if value is None or value == "":
        if default is None:
            raise ValueError(f"{name} is missing; it must be {least}..{most}")
        return default
    number = _as_integer(value)
    if number is None or not least <= number <= most:
        raise ValueError(f"{name} must be {least}..{most}, got {_shown(value)}")
    return number


def text(given: Mapping[str, object], name: str, default: str = "") -> str:
    """The text called `name`, of at most 200 characters."""
    value = given.get(name, default)
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(f"{name} must be a text of at most 200 characters, got {_shown(value)}")
    return value


def flag(given: Mapping[str, object], name: str) -> bool:
    """The true or false called `name`."""
    value = given.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {_shown(value)}")
    return value


def device_of(given: Mapping[str, object]) -> int:
    """The index of a device."""
    return integer(given, "device", 0, 1_000_000)


def unit_of(given: Mapping[str, object]) -> int:
    """A unit id."""
    return integer(given, "unit", 0, 255)


def values_of(given: Mapping[str, object]) -> list[int]:
    """The values of a write: 1..1000 whole numbers."""
    values = given.get("values")
    if not _is_list(values) or not 1 <= len(values) <= MOST_VALUES:
        raise ValueError(f"values must be a list of 1..{MOST_VALUES} numbers")
    numbers: list[int] = []
    for value in values:
        if not isinstance(value, int):
            raise ValueError(f"values must be whole numbers, got {_shown(value)}")
        numbers.append(int(value))
    return numbers


def traffic_filter(given: Mapping[str, object]) -> TrafficFilter:
    """The filter of a traffic request; what is not given filters nothing."""
    outcome = text(given, "outcome") or None
    if outcome is not None and outcome not in OUTCOMES:
        raise ValueError(f"outcome must be {', '.join(OUTCOMES)}, got {outcome!r}")
    return TrafficFilter(
        device=device_of(given) if _has(given, "device") else None,
        unit=unit_of(given) if _has(given, "unit") else None,
        peer=text(given, "peer") or None,
        functions=_functions(text(given, "functions")),
        outcome=outcome,
        text=text(given, "text") or None,
    )


def changed_faults(old: Faults, given: Mapping[str, object]) -> Faults:
    """`old` with what is given in place; the names are those of `Faults`."""
    names = [field.name for field in fields(Faults)]
    for name in given:
        if name not in names:
            raise ValueError(f"a fault is one of {', '.join(names)}, got {name!r}")
    return Faults(
        drop=_number(given, "drop", 1.0, old.drop),
        silence=_number(given, "silence", 1.0, old.silence),
        damage=_number(given, "damage", 1.0, old.damage),
        exception=_number(given, "exception", 1.0, old.exception),
        exception_code=integer(given, "exception_code", 1, 255, old.exception_code),
        delay=_number(given, "delay", 1.0, old.delay),
        delay_seconds=_number(given, "delay_seconds", 3600.0, old.delay_seconds),
    )


def _number(given: Mapping[str, object], name: str, most: float, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= most:
        raise ValueError(f"{name} must be 0..{most:g}, got {_shown(value)}")
    return float(value)


def point_value(value: object, now: object) -> object:
    """What to set a point to whose value is `now`: a text is read as what that is."""
    if not isinstance(value, str) or isinstance(now, str):
        return value
    given = value.strip()
    if isinstance(now, bool):
        words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
        if given.lower() not in words:
            raise ValueError(f"the value must be true or false, got {given!r}")
        return words[given.lower()]
    try:
        if isinstance(now, int):
            try:
                return int(given, 0 if given.lower().lstrip("+-").startswith("0x") else 10)
            except ValueError:
                return float(given)
        if isinstance(now, float):
            return float(given)
        return json.loads(given)
    except ValueError:
        kind = "a number" if isinstance(now, int | float) else "a list such as [1, 2]"
        raise ValueError(f"the value must be {kind}, got {given!r}") from None


def hex_bytes(given: Mapping[str, object], name: str) -> bytes:
    """A PDU as hexadecimal digits; empty where it is not given."""
    digits = given.get(name, "")
    if not isinstance(digits, str) or len(digits) > 2000:
        raise ValueError(f"{name} must be at most 1000 bytes as hexadecimal digits")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{name} must be hexadecimal digits, got {_shown(digits)}") from None


async def body_of(request: Request) -> dict[str, object]:
    """The body of a request, which must be a JSON object; nothing is an empty one."""
    return json_object(await request.body())


def json_object(data: bytes | str) -> dict[str, object]:
    """The object that `data` is in JSON."""
    if not data.strip():
        return {}
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON") from None
    if not is_object(found):
        raise ValueError('the body must be a JSON object, such as {"value": 1}')
    return found


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a value from JSON is an object, whose keys are texts."""
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _has(given: Mapping[str, object], name: str) -> bool:
    return given.get(name) not in (None, "")


def _functions(codes: str) -> list[int] | None:
    if not codes.strip():
        return None
    return [integer({"functions": code}, "functions", 1, 255) for code in codes.split(",")]


def _as_integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if not isinstance(value, str) or not value.isascii() or len(value) > 20:
        return None
    try:
        return int(value, 16 if value[:2].lower() == "0x" else 10)
    except ValueError:
        return None


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
