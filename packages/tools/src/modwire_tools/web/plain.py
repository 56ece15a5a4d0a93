"""What a `View` gives, as plain JSON that a browser reads without loss."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TypeGuard

from ..explain import Field
from ..simulator.view import (
    ConnectionInfo,
    DeviceInfo,
    Faults,
    Message,
    PointInfo,
    TableInfo,
    View,
)

_LARGEST_EXACT = 2**53 - 1  # beyond, JavaScript rounds
Json = object
"""dicts, lists, texts, numbers, bools and None: what `json.dumps` takes."""


def to_json(value: object) -> str:
    """`value` as JSON, without spaces; what is not finite or exact must be a text already."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def exact(value: object) -> Json:
    """A point's value: numbers that JSON or JavaScript cannot hold become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        return str(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if _is_sequence(value):
        return [exact(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


Flat = DeviceInfo | PointInfo | ConnectionInfo | Message | Faults


def _flat(info: Flat) -> dict[str, Json]:
    """The fields of `info`; dataclasses.asdict copies all that is in them, and takes ten times."""
    return {field.name: getattr(info, field.name) for field in fields(info)}


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def device(
    info: DeviceInfo, problems: Mapping[int, str], count: int | None = None
) -> dict[str, Json]:
    """A device with its units, or `count` of them, and why it could not be served, or ""."""
    units = [{"id": unit.id, "name": unit.name} for unit in info.units[:count]]
    return {**_flat(info), "units": units, "problem": problems.get(info.index, "")}


def devices(
    view: View, start: int, count: int, found: Sequence[int] | None, *, units: int | None = None
) -> dict[str, Json]:
    """A page of the devices, or of those that were `found`, and how many there are.

    `units` is how many of each device's units are wanted, None for all.
    """
    if found is None:
        total, shown = view.device_count(), view.devices(start, count)
    else:
        total = len(found)
        shown = [each for index in found[start : start + count] for each in view.devices(index, 1)]
    problems = view.problems()
    return {
        "total": total,
        "start": start,
        "devices": [device(info, problems, units) for info in shown],
    }


def search_devices(view: View, text: str) -> list[int] | None:
    """The indexes of the devices in which `text` is found; None for no text."""
    if not text:
        return None
    sought = text.casefold()
    return [info.index for info in view.devices() if sought in _searched(info)]


def _searched(info: DeviceInfo) -> str:
    units = (f"{unit.id} {unit.name}" for unit in info.units)
    return "\n".join((f"#{info.index}", info.name, *info.endpoints, *units)).casefold()


def table(info: TableInfo) -> dict[str, Json]:
    """A table, its ranges as [first address, count]."""
    return {
        "table": info.table,
        "ranges": [list(place) for place in info.ranges],
        "writable": info.writable,
    }


def point(info: PointInfo) -> dict[str, Json]:
    """A point with its value."""
    return {**_flat(info), "value": exact(info.value)}


def trend(samples: Sequence[tuple[float, float]]) -> list[Json]:
    """[time, value] pairs, with None where a value was not finite: a gap in the line."""
    return [[time, value if math.isfinite(value) else None] for time, value in samples]


def connection(info: ConnectionInfo) -> dict[str, Json]:
    """A client."""
    return _flat(info)


def message(info: Message) -> dict[str, Json]:
    """A request and its answer."""
    return _flat(info)


def faults(info: Faults) -> dict[str, Json]:
    """What a unit does wrong."""
    return _flat(info)


def field(info: Field) -> dict[str, Json]:
    """A field of a message."""
    return {
        "start": info.start,
        "data": info.data.hex(" "),
        "name": info.name,
        "meaning": info.meaning,
    }
