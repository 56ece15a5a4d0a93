"""`Layout`: the registers of one device of pymodbus's simulator, by its configuration."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..simulator.fields import shown
from .entries import Entry, list_of, table_of
from .findings import Notes

if TYPE_CHECKING:
    from typing import TypeAlias

_SIZES = {"bits": 1, "uint16": 1, "uint32": 2, "float32": 2, "float64": 4}
_TYPES = (*_SIZES, "string")
# pymodbus 3.16 packs these as floats, so that they have other values than the file says.
_BROKEN = ("int16",)
_SECTIONS = ("setup", "invalid", "write", "repeat", *_TYPES, *_BROKEN)
_SETUP = (
    "co size",
    "di size",
    "hr size",
    "ir size",
    "shared blocks",
    "type exception",
    "defaults",
)
_MOST = 0x10000
_DIFFERENCES = {
    "increment": "counts at each read in pymodbus; the point keeps the value",
    "random": "has a new value at each read in pymodbus; the point has one every tenth of a second",
    "uptime": "counts seconds since the start, here too",
    "timestamp": "is the time of day in pymodbus; the point keeps the value",
    "reset": "ends pymodbus when it is read; the point keeps the value",
}


@dataclass(frozen=True)
class Cell:
    """A register: its value, and in the first one of a value its type, else ""."""

    register: int
    type: str = ""
    length: int = 1  # registers of the value that begins here
    value: int | float | str = 0
    size: int = 1  # registers that must be read together
    kind: str = ""  # the type of the value that it belongs to
    is_writable: bool = False
    action: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    where: str = ""

    @property
    def run_key(self) -> object:
        """Cells with the same key can be in one block."""
        return self.kind == "bits", self.size, self.is_writable


if TYPE_CHECKING:
    Cells: TypeAlias = Sequence[Cell | None]
else:
    Cells = Sequence


class Layout:
    """The tables of a device, and its cells.

    `tables` has the range of cells of each table; with `shared` it is the same for all four. With
    `type_exception` a read must not cut a value.
    """

    def __init__(self, devices: Entry, name: str, notes: Notes) -> None:
        self._entry = devices.entry(name, _SECTIONS)
        self._notes = notes
        self.where = self._entry.where
        setup = self._setup = self._entry.entry("setup", _SETUP)
        self.shared = setup.flag("shared blocks", False)
        self.type_exception = setup.flag("type exception", False)
        sizes = {key: setup.whole(f"{key} size", 0, _MOST) for key in ("co", "di", "ir", "hr")}
        names = ("coils", "discrete_inputs", "input_registers", "holding_registers")
        self.tables: dict[str, tuple[int, int]] = {}
        start = 0
        for table, size in zip(names, sizes.values(), strict=True):
            if self.shared:
                self.tables[table] = 0, max(sizes.values())
            else:
                self.tables[table] = start, start + size
                start += size
        self.size = max(stop for _, stop in self.tables.values())

    def cells(self) -> list[Cell | None]:
        """Return the registers; None for those that are not there."""
        found: list[Cell | None] = [None] * self.size
        for first, last in self._ranges("invalid"):
            del first, last  # what no section defines is invalid anyway
        for kind in _BROKEN:
            if kind in self._entry:
                self._notes.left_out(
                    f"{self.where}, {kind}", "pymodbus gives them other values than the file says"
                )
        for kind in _TYPES:
            self._read_type(kind, found)
        for first, last in self._ranges("write"):
            for at in range(first, last + 1):
                cell = found[at]
                if cell is None:
                    raise self._entry.error("write", f"has register {at}, which is not defined")
                found[at] = replace(cell, is_writable=True)
        self._repeat(found)
        return found

    def _ranges(self, key: str) -> list[tuple[int, int]]:
        return [self._range(key, each) for each in self._entry.listed(key)]

    def _range(self, key: str, value: object) -> tuple[int, int]:
        ends = list_of(value) or [value, value]
        numbers = [each for each in ends if isinstance(each, int) and not isinstance(each, bool)]
        if len(numbers) != 2 or len(ends) != 2 or not 0 <= numbers[0] <= numbers[1] < self.size:
            raise self._entry.error(
                key,
                f"must be a register or [first, last] of 0..{self.size - 1}, got {shown(value)}",
            )
        return numbers[0], numbers[1]

    def _read_type(self, kind: str, found: list[Cell | None]) -> None:
        for number, item in enumerate(self._entry.listed(kind), 1):
            key = f"{kind} {number}"
            table = {"addr": item} if table_of(item) is None else item
            holder = Entry({key: table}, (key,), self.where)
            entry = holder.entry(key, ("addr", "value", "action", "parameters"))
            first, last = self._range(kind, entry.get("addr"))
            cells = self._value(entry, kind, last - first + 1)
            for at, cell in enumerate(cells, first):
                if at >= self.size:
                    raise entry.error("addr", f"leads beyond the last register, {self.size - 1}")
                if found[at] is not None:
                    raise entry.error("addr", f"has register {at}, which another entry has")
                found[at] = cell

    def _value(self, entry: Entry, kind: str, count: int) -> list[Cell]:
        """Return the cells of an entry: one text, or the same number again and again."""
        value = entry.get("value") if "value" in entry else self._default("value", kind)
        action = entry.get("action") if "action" in entry else self._default("action", kind)
        name = action if isinstance(action, str) else ""
        if action is not None and not name:
            raise entry.error("action", f"must be a name or null, got {shown(action)}")
        if name:
            text = _DIFFERENCES.get(name, "is an action of your own; the point keeps the value")
            self._notes.changed(entry.where, f"{name}: {text}")
        parameters = entry.get("parameters") if "parameters" in entry else None
        common = Cell(
            0,
            kind=kind,
            action=name,
            parameters=table_of(parameters) or {},
            where=entry.where,
        )
        if kind == "string":
            return _text_cells(entry, value, count, common)
        registers = _registers(entry, kind, value)
        size = len(registers)
        assert isinstance(value, (int, float))
        whole = (count + size - 1) // size * size  # pymodbus rounds up to whole values
        found: list[Cell] = []
        for at in range(whole):
            cell = replace(common, register=registers[at % size], size=size)
            is_first = at % size == 0
            found.append(replace(cell, type=kind, length=size, value=value) if is_first else cell)
        return found

    def _default(self, what: str, kind: str) -> object:
        defaults = self._setup.entry("defaults", ("value", "action"))
        return (
            defaults.entry(what, (*_TYPES, *_BROKEN)).get(kind)
            if _has(defaults, what, kind)
            else None
        )

    def _repeat(self, found: list[Cell | None]) -> None:
        for entry in self._entry.entries("repeat", ("addr", "to"), "addr"):
            first, last = self._range("repeat", entry.get("addr"))
            to_first, to_last = self._range("repeat", entry.get("to"))
            length = last - first + 1
            for at in range(to_first, to_last + 1):
                found[at] = found[first + (at - to_first) % length]


def _has(defaults: Entry, what: str, kind: str) -> bool:
    return what in defaults and kind in (table_of(defaults.get(what)) or {})


def _registers(entry: Entry, kind: str, value: object) -> list[int]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise entry.error("value", f"must be a number for {kind}, got {shown(value)}")
    try:
        if kind in ("bits", "uint16"):
            data = struct.pack(">H", int(value))
        elif kind == "uint32":
            data = struct.pack(">I", int(value))
        else:
            data = struct.pack(">f" if kind == "float32" else ">d", value)
    except (struct.error, OverflowError, ValueError) as error:
        raise entry.error("value", f"does not fit {kind}, got {shown(value)}: {error}") from None
    return list(struct.unpack(f">{len(data) // 2}H", data))


def _text_cells(entry: Entry, value: object, count: int, common: Cell) -> list[Cell]:
    if not isinstance(value, str):
        raise entry.error("value", f"must be a text, got {shown(value)}")
    data = value.ljust(2 * count).encode()
    if len(value) > 2 * count or len(data) != 2 * count:
        raise entry.error("value", f"must have at most {2 * count} bytes, got {shown(value)}")
    registers = struct.unpack(f">{count}H", data)
    found = [replace(common, register=each) for each in registers]
    found[0] = replace(found[0], type="string", length=count, value=data.decode())
    return found
