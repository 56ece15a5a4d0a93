"""`read_class_module`: the points in a module with `RegisterMap` classes, without running it.

It reads what `class_module` writes, and modules written by hand whose points are calls with plain
arguments, such as `voltage = uint16(input=0, scale=0.1, unit="V")`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..addresses import Place
from ..map_modules.names import CONSTANTS
from ..simulator.devices import PointSpec
from ..simulator.files.sections import DeviceFileError
from ..simulator.points import FLOATS, INTEGERS
from .findings import Findings, FoundDevice, Notes

_SINGLE = {"coil": "coils", "discrete_input": "discrete_inputs"}
_SIZED = {"string": "length", "bcd": "digits", "bits": "count"}
_KINDS = (*INTEGERS, *FLOATS, *_SIZED, *_SINGLE, "bit", "point")
_ORDERS = {"ABCD", "CDAB", "BADC", "DCBA"}
_ARGUMENTS = ("holding", "input", "unit", "order", "scale", "offset", "none")


def read_class_module(text: str, file: str) -> Findings:
    """Return the device in a module: a unit for each class, with the id in its `UNIT`, or 1, 2, ...

    `NAMES` of a class has the names of points that are no names of attributes, `UNIT_NAME` that of
    the unit, and `DEVICE` and `ENDPOINT` of the module are those of the device. A point that a
    device file cannot hold is left out with a note. Raises DeviceFileError for a module that is no
    Python, and for wrong arguments.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise DeviceFileError(
            f"{file}{line}: this is no Python: {str(error) or 'it is too deep'}"
        ) from None
    notes = Notes(file)
    device = FoundDevice(Path(file).stem, notes)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    maps = [node for node in classes if any(_name_of(base) == "RegisterMap" for base in node.bases)]
    if not maps:
        raise DeviceFileError(f"{file}: must have a class whose base is RegisterMap")
    for node in tree.body:
        for name, value in _assignments(node):
            where = f"{file}, line {node.lineno}"
            if name == "ENDPOINT":
                device.set_endpoint(_quoted(value, name, where), f"{where}, {name}")
            elif name == "DEVICE":
                device.name = notes.device = _quoted(value, name, where)
    for number, node in enumerate(maps, 1):
        _Class(node, file, device, notes).read(number)
    return Findings([device.spec()], notes.all())


class _Class:
    """Reads one class."""

    def __init__(self, node: ast.ClassDef, file: str, device: FoundDevice, notes: Notes) -> None:
        self._node = node
        self._file = file
        self._device = device
        self._notes = notes
        self._order = "ABCD"
        for keyword in node.keywords:
            if keyword.arg == "order":
                self._order = self._checked_order(_literal(keyword.value), node.lineno)
            else:
                where = f"{file}, line {node.lineno}, {node.name}"
                notes.changed(where, f"{keyword.arg} has no place in a device file")

    def read(self, default_unit: int) -> None:
        """Add the points to the device."""
        unit, unit_name, names = default_unit, "", dict[str, str]()
        assigned = [each for node in self._node.body for each in self._assigned(node)]
        for name, value, line in assigned:
            if name == "UNIT":
                unit = self._whole(name, _literal(value), 0, 255, line)
            elif name == "UNIT_NAME":
                unit_name = _quoted(value, name, f"{self._file}, line {line}")
            elif name == "NAMES":
                names = self._names(value, line)
        self._device.unit(unit).name = unit_name
        for name, value, line in assigned:
            if name in CONSTANTS:
                continue
            where = f"{self._file}, line {line} ({name})"
            point = self._point(value, names.get(name, name), where, line)
            if point is not None:
                self._device.add(unit, point, where)

    def _assigned(self, node: ast.stmt) -> Iterator[tuple[str, ast.expr, int]]:
        for name, value in _assignments(node):
            yield name, value, node.lineno

    def _names(self, value: ast.expr, line: int) -> dict[str, str]:
        found = _literal(value)
        if not isinstance(found, dict) or not all(
            isinstance(each, str)
            for pair in found.items()  # pyright: ignore[reportUnknownVariableType]
            for each in pair  # pyright: ignore[reportUnknownVariableType]
        ):
            raise self._error(line, 'NAMES must be a dict such as {"phase_l1": "Phase L1"}')
        return found  # pyright: ignore[reportUnknownVariableType]

    def _point(self, value: ast.expr, name: str, where: str, line: int) -> PointSpec | None:
        """Return the point that a call makes; None with a note if a device file cannot have it."""
        kind = _name_of(value.func) if isinstance(value, ast.Call) else ""
        if not isinstance(value, ast.Call) or kind not in _KINDS:
            what = f"the function {kind}" if kind else "an expression that is no call"
            self._notes.left_out(where, f"{what} makes no point that a device file can have")
            return None
        given = {each.arg: _literal(each.value) for each in value.keywords if each.arg}
        places = [_literal(each) for each in value.args]
        if kind in _SINGLE:
            address = places[0] if places else given.get("address")
            return PointSpec(name, self._place(_SINGLE[kind], address, line), "bool")
        for argument in given:
            if argument not in (*_ARGUMENTS, "number", *_SIZED.values()):
                self._notes.left_out(where, f"a device file has no {argument}")
                return None
        place = self._register(given, line)
        if kind == "bit":
            number = places[0] if places else given.get("number")
            return PointSpec(name, place, "bit", bit=self._whole("bit", number, 0, 15, line))
        point = PointSpec(name, place, kind, unit=self._text(given, "unit", line))
        if kind == "point":
            return self._scaled_bcd(value, point, given, where, line)
        if kind in _SIZED:
            size = places[0] if places else given.get(_SIZED[kind])
            point = replace(point, size=self._whole(_SIZED[kind], size, 1, 0x20000, line))
        scale, offset = given.get("scale", 1.0), given.get("offset", 0.0)
        if not isinstance(scale, (int, float)) or not isinstance(offset, (int, float)):
            self._notes.left_out(where, "a device file has no scale in another register")
            return None
        return self._finished(replace(point, scale=scale, offset=offset), given, line)

    def _scaled_bcd(
        self,
        call: ast.Call,
        point: PointSpec,
        given: Mapping[str, object],
        where: str,
        line: int,
    ) -> PointSpec | None:
        """Return the point of `point(scaled(bcd_of(4), 0.1, 0.0), holding=0)`."""
        inner = call.args[0] if call.args else None
        if isinstance(inner, ast.Call) and _name_of(inner.func) == "scaled" and inner.args:
            digits = inner.args[0]
            numbers = [_literal(each) for each in inner.args[1:]]
            if isinstance(digits, ast.Call) and _name_of(digits.func) == "bcd_of" and digits.args:
                size = self._whole("digits", _literal(digits.args[0]), 1, 0x20000, line)
                scale, offset = [*numbers, 0.0][:2] if numbers else (1.0, 0.0)
                if isinstance(scale, (int, float)) and isinstance(offset, (int, float)):
                    point = replace(point, type="bcd", size=size, scale=scale, offset=offset)
                    return self._finished(point, given, line)
        self._notes.left_out(where, "a device file has no types of your own")
        return None

    def _finished(self, point: PointSpec, given: Mapping[str, object], line: int) -> PointSpec:
        """Return the point with its order, and the raw values that stand for none."""
        order = self._checked_order(given.get("order", self._order), line)
        none = given.get("none", ())
        values = none if isinstance(none, (tuple, list)) else (none,)  # pyright: ignore[reportUnknownVariableType]
        numbers = tuple(each for each in values if isinstance(each, (int, float)))  # pyright: ignore[reportUnknownVariableType]
        if len(numbers) != len(values):  # pyright: ignore[reportUnknownArgumentType]
            raise self._error(line, f"none must be raw values, got {none!r}")
        return replace(point, order=order, none=numbers)

    def _register(self, given: Mapping[str, object], line: int) -> Place:
        named = [name for name in ("holding", "input") if name in given]
        if len(named) != 1:
            raise self._error(line, "a point in registers must have holding= or input=")
        table = f"{named[0]}_registers"
        return self._place(table, given[named[0]], line)

    def _place(self, table: str, address: object, line: int) -> Place:
        return Place(table, self._whole("address", address, 0, 0xFFFF, line))

    def _whole(self, name: str, value: object, least: int, most: int, line: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._error(line, f"{name} must be {least}..{most}, got {_shown(value)}")
        return value

    def _text(self, given: Mapping[str, object], name: str, line: int) -> str:
        value = given.get(name, "")
        if not isinstance(value, str):
            raise self._error(line, f"{name} must be a text, got {_shown(value)}")
        return value

    def _checked_order(self, value: object, line: int) -> str:
        if not isinstance(value, str) or value not in _ORDERS:
            allowed = ", ".join(sorted(_ORDERS))
            raise self._error(line, f"order must be one of {allowed}, got {_shown(value)}")
        return value

    def _error(self, line: int, text: str) -> DeviceFileError:
        return DeviceFileError(f"{self._file}, line {line}: {text}")


class _NoLiteral:
    """Stands for an argument that is no plain value."""

    def __repr__(self) -> str:
        return "an expression"


_NO_LITERAL = _NoLiteral()


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)


def _literal(node: ast.expr) -> object:
    """Return the value of an expression without names; `float("nan")` is one too."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_literal(each) for each in node.elts)
    if isinstance(node, ast.Call) and _name_of(node.func) == "float" and len(node.args) == 1:
        text = _literal(node.args[0])
        return float("nan") if text == "nan" else _NO_LITERAL
    try:
        found: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _NO_LITERAL
    return found


def _quoted(node: ast.expr, name: str, where: str) -> str:
    """Return a text in quotes; raises DeviceFileError for anything else."""
    found = _literal(node)
    if not isinstance(found, str):
        raise DeviceFileError(f"{where}: {name} must be a text in quotes")
    return found


def _name_of(node: ast.expr) -> str:
    """Return the last name of `maps.RegisterMap` or `RegisterMap`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement assigns, with the value."""
    if isinstance(node, ast.AnnAssign):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
