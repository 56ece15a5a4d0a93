"""`read`: checks a request and returns it as one of the `models`; an error is one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeGuard, TypeVar

import msgspec
from msgspec import Struct
from msgspec.inspect import IntType

from ..simulator.fields import fields_of, shown
from ..values.numbers import parse_int

T = TypeVar("T", bound=Struct)


def read(model: type[T], given: Mapping[str, object]) -> T:
    """Return a `model` with the fields in `given`. An integer may be text: "16" or "0x10".

    None and "" mean that a field is missing, except in a text field. Raises ValueError.
    """
    fields = fields_of(model)
    check_names("field", given, fields)
    found: dict[str, object] = {}
    for name, field in fields.items():
        value = given.get(name)
        if name not in given or (not field.is_text and value in (None, "")):
            if field.required:
                raise ValueError(f"{name} is missing; it must be {field.allowed}")
            continue
        is_integer = isinstance(field.kind, IntType)
        try:
            found[name] = field.check(_parse_integer(value) if is_integer else value)
        except ValueError:
            raise ValueError(f"{name} {field.complaint(value)}") from None
    return model(**found)


def check_names(kind: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise ValueError for a name that is not allowed, or is there twice; `kind` of names."""
    known = list(allowed)
    seen: set[str] = set()
    for name in given:
        if name not in known:
            others = f"there are {', '.join(known)}" if known else "there are none here"
            raise ValueError(f"there is no {kind} {shown(name)}; {others}")
        if name in seen:
            raise ValueError(f"the {kind} {name} is there twice")
        seen.add(name)


def _parse_integer(value: object) -> object:
    """Return the integer in the text of a path or query; return any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return parse_int(value)
    except ValueError:
        return value


def parse_object(data: bytes | str) -> dict[str, object]:
    """Return the JSON object in `data`, {} if `data` is empty; raises ValueError."""
    if not data.strip():
        return {}
    try:
        found: object = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON") from None
    if not is_object(found):
        raise ValueError('the body must be a JSON object, such as {"value": 1}')
    return found


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Return True for a JSON object, whose keys are texts."""
    return isinstance(value, dict)


_FLAGS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


def point_value(value: object, now: object) -> object:
    """Return the new value of a point. A text is parsed as a value of the same kind as `now`.

    Raises ValueError.
    """
    if not isinstance(value, str) or isinstance(now, str):
        return value
    given = value.strip()
    if isinstance(now, bool):
        if given.lower() not in _FLAGS:
            raise ValueError(f"the value must be true or false, got {given!r}")
        return _FLAGS[given.lower()]
    try:
        if isinstance(now, int):
            try:
                return int(given, 0 if given.lower().lstrip("+-").startswith("0x") else 10)
            except ValueError:
                return float(given)
        if isinstance(now, float):
            return float(given)
        return msgspec.json.decode(given)
    except (ValueError, RecursionError):
        kind = "a number" if isinstance(now, int | float) else "a list such as [1, 2]"
        raise ValueError(f"the value must be {kind}, got {given!r}") from None


def hex_bytes(name: str, digits: str) -> bytes:
    """Return the bytes of a PDU; raises ValueError that names the field."""
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{name} must be hexadecimal digits, got {shown(digits)}") from None
