"""`class_module`: a Python module with a typed `RegisterMap` for each unit of a device."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..simulator.devices import DeviceSpec, PointSpec, Polled, UnitSpec
from ..simulator.files import with_connection
from ..simulator.points import FLOATS, INTEGERS
from .names import attribute_names, class_name

_BY_TABLE = {"coils": "coil", "discrete_inputs": "discrete_input"}
_ARGUMENTS = {"holding_registers": "holding", "input_registers": "input"}


@dataclass
class ClassModule:
    """The text of a module, and sentences about what its classes cannot hold."""

    text: str = ""
    notes: list[str] = field(default_factory=list[str])


def class_module(device: DeviceSpec, name: str = "") -> ClassModule:
    """Return the module for a device; `name` is that of its class, by default the device's.

    Each class has the unit id as `UNIT`, the unit's name as `UNIT_NAME`, and in `NAMES` the names
    of points that are no names of attributes; the module has `DEVICE`, the name of the device, and
    `ENDPOINT`. `modwire map import` reads the same points from it. Raises ValueError if no unit has
    a point.
    """
    units = [unit for unit in device.units if unit.points]
    if not units:
        raise ValueError("there must be at least one unit with a point")
    module = ClassModule()
    base = name or class_name(device.name)
    used: set[str] = set()
    bodies: list[str] = []
    for unit in units:
        own = base if len(units) == 1 else f"{base}{class_name(unit.name or f'unit {unit.id}')}"
        if own in used:
            own = f"{own}{unit.id}"
        used.add(own)
        bodies.append(_class(device, unit, own, module))
    unused = [unit.id for unit in device.units if not unit.points]
    if unused:
        module.notes.append(f"units without points have no class: {', '.join(map(str, unused))}")
    module.text = _head(device, bodies, module) + "".join(f"\n\n{each}" for each in bodies)
    return module


def _head(device: DeviceSpec, bodies: Sequence[str], module: ClassModule) -> str:
    text = "".join(bodies)
    functions = (
        *("bcd", "bit", "bits", "coil", "discrete_input", *FLOATS, *INTEGERS, "point", "string"),
    )
    used = sorted(name for name in functions if f" = {name}(" in text)
    lines = [f'"""Register map of {_quoted_in_docstring(device.name)}."""', ""]
    has_names = "NAMES: " in text
    if has_names:
        lines.append("from collections.abc import Mapping")
    lines += ["from typing import ClassVar", ""]
    lines.append(f"from modwire.maps import {', '.join(['RegisterMap', *used])}")
    if "scaled(bcd_of(" in text:
        lines.append("from modwire.values import bcd_of, scaled")
    lines += ["", f"DEVICE = {_quoted(device.name)}"]
    if device.endpoint:
        lines += [f"ENDPOINT = {_quoted(with_connection(device.endpoint, device.connection))}"]
    elif device.connection:
        module.notes.append("a module has the options of the connection only with an endpoint")
    return "\n".join(lines) + "\n"


def _class(device: DeviceSpec, unit: UnitSpec, name: str, module: ClassModule) -> str:
    attributes = attribute_names(point.name for point in unit.points)
    title = f"{_quoted_in_docstring(unit.name)}, unit" if unit.name else "Unit"
    lines = [f"class {name}(RegisterMap):"]
    lines += [f'    """{title} {unit.id} of {_quoted_in_docstring(device.name)}."""', ""]
    lines.append(f"    UNIT: ClassVar[int] = {unit.id}")
    if unit.name:
        lines.append(f"    UNIT_NAME: ClassVar[str] = {_quoted(unit.name)}")
    renamed = [
        (attribute, point.name)
        for attribute, point in zip(attributes, unit.points, strict=True)
        if attribute != point.name
    ]
    if renamed:
        lines.append("    NAMES: ClassVar[Mapping[str, str]] = {")
        lines += [
            f"        {_quoted(attribute)}: {_quoted(original)}," for attribute, original in renamed
        ]
        lines.append("    }")
    lines.append("")
    for attribute, point in zip(attributes, unit.points, strict=True):
        lines.append(f"    {attribute} = {_call(point)}")
        module.notes += [f"unit {unit.id}, {point.name}: {each}" for each in _lost(point)]
    if unit != UnitSpec(unit.id, unit.name, points=unit.points):
        module.notes.append(f"unit {unit.id}: a class has its points, and nothing else of the unit")
    return "\n".join(lines) + "\n"


def _call(point: PointSpec) -> str:
    """Return the call that makes the point of a map."""
    address = point.place.address
    if point.place.has_bits:
        return f"{_BY_TABLE[point.place.table]}({address})"
    where = f"{_ARGUMENTS[point.place.table]}={address}"
    if point.type == "bit":
        return f"bit({point.bit}, {where})"
    kind, first = point.type, list[str]()
    scale: list[str] = []
    if point.scale != 1.0:
        scale.append(f"scale={point.scale!r}")
    if point.offset:
        scale.append(f"offset={point.offset!r}")
    if point.type in ("string", "bits", "bcd"):
        first.append(str(point.size))
    if point.type == "bcd" and scale:
        kind = "point"
        first = [f"scaled(bcd_of({point.size}), {point.scale!r}, {point.offset!r})"]
        scale = []
    arguments = [*first, where, *scale]
    if point.none and point.type != "string":
        arguments.append(f"none={_none(point.none)}")
    if point.order != "ABCD":
        arguments.append(f'order="{point.order}"')
    if point.unit:
        arguments.append(f"unit={_quoted(point.unit)}")
    return f"{kind}({', '.join(arguments)})"


def _none(values: Sequence[int | float]) -> str:
    texts = ['float("nan")' if math.isnan(each) else repr(each) for each in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _lost(point: PointSpec) -> Iterator[str]:
    """Yield what a point of a class cannot hold."""
    if point.value is not None or point.behaviour is not None:
        yield "a class has no value of its own"
    if point.polled != Polled():
        yield "a class has no interval, no deadband and no on_change"
    if point.unit and (point.place.has_bits or point.type == "bit"):
        yield f"a bit has no unit of measurement in a class, here {point.unit!r}"
    if point.place.has_bits and (point.scale != 1.0 or point.offset or point.order != "ABCD"):
        yield "a coil or discrete input has no scale, no offset and no order in a class"
    if point.none and point.type == "string":
        yield "a text has no value that stands for none in a class"


def _quoted(text: str) -> str:
    """Return a text between double quotes, as Python and JSON write it."""
    return json.dumps(text, ensure_ascii=False)


def _quoted_in_docstring(text: str) -> str:
    """Return a name as a docstring can have it, on one line."""
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown.replace("\\", "\\\\").replace('"', "'")
