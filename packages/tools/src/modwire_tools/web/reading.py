"""`read` makes one of the `models` of what a request says; errors are one sentence for the user."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeGuard, TypeVar

import msgspec
from msgspec import Struct, ValidationError, inspect
from msgspec.structs import FieldInfo
from msgspec.structs import fields as structs_fields

T = TypeVar("T", bound=Struct)


def read(model: type[T], given: Mapping[str, object]) -> T:
    """Return the `model` with these fields; a number may be a text, also in hexadecimal, "0x10".

    None and "" stand for a field that is not given, except where a text may be. Raises ValueError.
    """
    fields = _fields(model)
    if model.__struct_config__.forbid_unknown_fields:
        for name in given:
            if name not in fields:
                raise ValueError(f"there is no field {name!r}; there are {', '.join(fields)}")
    found: dict[str, object] = {}
    for name, (field, kind) in fields.items():
        value = given.get(name)
        is_text = isinstance(kind, inspect.StrType | inspect.CustomType)
        if name not in given or (not is_text and value in (None, "")):
            if field.required:
                raise ValueError(f"{name} is missing; it must be {_allowed(kind)}")
            continue
        if isinstance(kind, inspect.IntType) and isinstance(value, str):
            value = _parse_integer(value)
        try:
            found[name] = msgspec.convert(value, field.type)
        except ValidationError:
            raise ValueError(_complaint(name, kind, given[name])) from None
    return model(**found)


@cache
def _fields(model: type[Struct]) -> Mapping[str, tuple[FieldInfo, inspect.Type]]:
    """The fields, with their types without what is for the schema only."""
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)
    kinds = {field.name: _bare(field.type) for field in info.fields}
    return {field.name: (field, kinds[field.name]) for field in structs_fields(model)}


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _complaint(name: str, kind: inspect.Type, value: object) -> str:
    if isinstance(kind, inspect.ListType):
        most = kind.max_length
        if not is_list(value) or not value or (most is not None and len(value) > most):
            return f"{name} must be {_allowed(kind)}"
        wrong = next(item for item in value if not isinstance(item, int))
        return f"{name} must be whole numbers, got {_shown(wrong)}"
    return f"{name} must be {_allowed(kind)}, got {_shown(value)}"


def _allowed(kind: inspect.Type) -> str:
    """What a field may be, as the end of "it must be"."""
    match kind:
        case inspect.IntType() | inspect.FloatType():
            return f"{kind.ge:g}..{kind.le}" if kind.ge is not None else "a number"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return ", ".join(map(str, kind.values))
        case inspect.ListType():
            return f"a list of {kind.min_length}..{kind.max_length} numbers"
        case inspect.StrType(max_length=int(most)):
            return f"a text of at most {most} characters"
        case _:
            return "a text"


def _parse_integer(text: str) -> int | str:
    """The number in a text of a path or a query; the text itself if it is none."""
    if not text.isascii() or len(text) > 20:
        return text
    try:
        return int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        return text


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."


def parse_object(data: bytes | str) -> dict[str, object]:
    """Return the JSON object in `data`, an empty one for nothing; raises ValueError."""
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
    """True for an object of JSON, whose keys are texts."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """True for a list of JSON."""
    return isinstance(value, list)


_FLAGS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


def point_value(value: object, now: object) -> object:
    """Return the new value of a point that is `now`: a text is parsed as a value of that kind.

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
    except ValueError:
        kind = "a number" if isinstance(now, int | float) else "a list such as [1, 2]"
        raise ValueError(f"the value must be {kind}, got {given!r}") from None


def hex_bytes(name: str, digits: str) -> bytes:
    """Return the bytes of a PDU; raises ValueError that names the field."""
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{name} must be hexadecimal digits, got {_shown(digits)}") from None
