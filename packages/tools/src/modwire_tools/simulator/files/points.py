"""`read_points`: the named, typed values of a unit in a device file, or of a device in a plant."""

from __future__ import annotations

import math
from pathlib import Path

from modwire.values.orders import Endian

from ..devices import PointSpec, PointValue, Polled, Scalar
from ..fields import shown
from ..points import INTEGERS, TYPES, Codec
from .limits import MOST_IN_POINTS
from .living import read_behaviour
from .sections import Section

POINT_KEYS = (
    "name",
    "at",
    "type",
    "length",
    "bit",
    "order",
    "byte_order",
    "word_order",
    "scale",
    "offset",
    "unit",
    "value",
    "none",
    "interval",
    "deadband",
    "on_change",
)
ORDERS: dict[tuple[Endian, Endian], str] = {
    ("big", "big"): "ABCD",
    ("big", "little"): "CDAB",
    ("little", "big"): "BADC",
    ("little", "little"): "DCBA",
}
"""The names of orders, by byte order and word order."""

SIZED = ("string", "bcd", "bits")
"""The types whose points have a length."""


def read_points(unit: Section, folder: Path) -> tuple[PointSpec, ...]:
    """Return the points of a unit; a `replay` is looked for in `folder`. Raises DeviceFileError."""
    points: list[PointSpec] = []
    room = MOST_IN_POINTS
    for section in unit.sections("point", POINT_KEYS, "name"):
        points.append(read_point(section, folder))
        room -= points[-1].size
        if room < 0:
            raise section.error("", f"is one too many: all have a length of {MOST_IN_POINTS}")
    return tuple(points)


def read_point(point: Section, folder: Path) -> PointSpec:
    """Return one point; see `read_points`."""
    name = point.text("name")
    if not name:
        raise point.error("name", "must not be empty")
    place = point.address()
    if place.has_bits:
        kind = point.one_of("type", ("bool",), "bool")
    else:
        kind = point.one_of("type", TYPES[1:], "uint16")
    if kind in SIZED:
        size = point.integer("length", 1, 0x20000)
    elif "length" in point:
        raise point.error("length", f"is for the types {', '.join(SIZED)}, not for {kind}")
    else:
        size = 1
    bit = point.integer("bit", 0, 15) if kind == "bit" else 0
    if kind != "bit" and "bit" in point:
        raise point.error("bit", f"is for the type bit, not for {kind}")
    behaviour = None
    value: PointValue | None = None
    if "value" in point:
        if isinstance(point.get("value"), dict):
            behaviour = read_behaviour(point, folder)
        else:
            value = _read_value(point)
    spec = PointSpec(
        name,
        place,
        kind,
        size=size,
        order=_read_order(point),
        scale=point.number("scale", 1.0),
        offset=point.number("offset", 0.0),
        unit=point.text("unit", ""),
        value=value,
        behaviour=behaviour,
        none=_read_none(point),
        polled=_read_polled(point, kind),
        bit=bit,
    )
    try:
        codec = Codec(spec)
        codec.check_none(spec.none)
        if value is not None:
            codec.encode(value)
    except ValueError as error:
        raise point.failure("", error) from None
    if kind in INTEGERS and not spec.scale:
        raise point.error("scale", "must not be 0")
    return spec


def _read_value(point: Section) -> PointValue:
    value = point.get("value")
    if isinstance(value, (int, float, str, bool)):
        return value
    if isinstance(value, list):
        items: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        found: list[Scalar] = []
        for item in items:
            if not isinstance(item, (int, float, str, bool)):
                raise point.error("value", f"must have plain values, got {shown(item)}")
            found.append(item)
        return tuple(found)
    allowed = "a number, a text, true, false or a table"
    raise point.error("value", f"must be {allowed}, got {shown(value)}")


def _read_order(point: Section) -> str:
    names = tuple(ORDERS.values())
    if "order" in point:
        for key in ("byte_order", "word_order"):
            if key in point:
                raise point.error(key, "must be left out beside order")
        return point.one_of("order", names, names[0])
    ends = ("big", "little")
    order = (
        point.one_of("byte_order", ends, "big") == "little",
        point.one_of("word_order", ends, "big") == "little",
    )
    return names[2 * order[0] + order[1]]


def _read_none(point: Section) -> tuple[int | float, ...]:
    """Return the raw values that stand for no value, from one number or a list of them."""
    if "none" not in point:
        return ()
    value = point.get("none")
    items: list[object] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    found: list[int | float] = []
    for each in items:
        if isinstance(each, (int, float)) and not isinstance(each, bool):
            found.append(each)
        elif each == "nan":  # JSON has no such number
            found.append(math.nan)
    if not items or len(found) != len(items):
        allowed = "a raw value such as 0x8000, or a list of them"
        raise point.error("none", f"must be {allowed}, got {shown(point.get('none'))}")
    return tuple(found)


def _read_polled(point: Section, kind: str) -> Polled:
    """Return the settings for `modwire poll`."""
    is_number = kind not in ("bool", "string", "bits", "bit")
    if "deadband" in point and not is_number:
        raise point.error("deadband", f"is for numbers, not for {kind}; use on_change = true")
    return Polled(
        point.seconds("interval", 0.0),
        point.number("deadband", 0.0, above=0.0),
        point.flag("on_change", False),
    )
