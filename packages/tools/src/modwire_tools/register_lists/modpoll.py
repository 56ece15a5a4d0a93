"""`read_modpoll`: the CSV configuration of modpoll, with lines for devices, pollers and references.

The facts are from modpoll's documentation, and were checked with version 1.6. Addresses are those
on the wire. A reference of a coil or a discrete input is eight of them: its address counts bytes
from the start of the poller, and modpoll lists the last of the eight first.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import NamedTuple

from ..addresses import Place
from ..simulator.devices import PointSpec
from ..simulator.files.sections import DeviceFileError
from ..values.numbers import parse_float, parse_int, parse_whole
from .findings import Findings, FoundDevice, Notes

_TABLES = {
    "coil": "coils",
    "discrete_input": "discrete_inputs",
    "holding_register": "holding_registers",
    "input_register": "input_registers",
}
_ORDERS = {"BE_BE": "ABCD", "LE_BE": "BADC", "BE_LE": "CDAB", "LE_LE": "DCBA"}
_NUMBERS = (
    *("int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64"),
)
_BITS = {"bool8": 8, "bool": 8, "bool16": 16}
_WIDTHS = {"bool8": 1, "bool": 1, "bool16": 2, **{name: int(name[-2:]) // 16 for name in _NUMBERS}}
_KINDS = f"{', '.join(_NUMBERS)}, bool, bool8, bool16, or string with its bytes, such as string16"
_FORMS = (
    "a line begins with device (name, unit id), poll (table, first address, count, order) or ref "
    "(name, address, type, rw, unit, scale)"
)
_MOST = {"coils": 2000, "discrete_inputs": 2000, "holding_registers": 123, "input_registers": 123}


class _Poller(NamedTuple):
    table: str
    start: int
    size: int
    order: str


def is_modpoll(text: str) -> bool:
    """True if the first line of a CSV file begins with "device"."""
    first = next((line for line in text.splitlines() if line.strip(", \t")), "")
    return first.partition(",")[0].strip().lower() == "device"


def read_modpoll(text: str, file: str) -> Findings:
    """Return the devices in a configuration of modpoll; all of them are of one connection."""
    reader = _Reader(file)
    try:
        rows = csv.reader(io.StringIO(text), strict=True)
        for row in rows:
            if any(cell.strip() for cell in row):
                reader.read(row, rows.line_num)
    except csv.Error as error:
        raise DeviceFileError(f"{file}: this is no CSV: {error}") from None
    return Findings([each.spec() for each in reader.devices], reader.notes.all())


class _Reader:
    def __init__(self, file: str) -> None:
        self.devices: list[FoundDevice] = []
        self.notes = Notes(file)
        self._file = file
        self._unit = 0
        self._poller: _Poller | None = None
        self._is_told = False

    def read(self, row: list[str], line: int) -> None:
        """Read a line that is not empty."""
        where = f"{self._file}, line {line}"
        cells = [cell.strip() for cell in row]
        kind = cells[0].lower()
        if "device" in kind:  # modpoll looks for the word in the cell
            self._read_device(cells, where)
        elif "poll" in kind:
            self._read_poller(cells, where)
        elif "ref" in kind:
            self._read_reference(cells, where)
        elif not kind.startswith("#"):
            self.notes.left_out(where, f"modpoll ignores it: {_FORMS}, got {cells[0]!r}")

    def _read_device(self, cells: list[str], where: str) -> None:
        _check_length(cells, 3, "device,NAME,ID", where)
        with _at(f"{where}, the unit id"):
            self._unit = parse_whole(cells[2], 0, 255)
        if not cells[1]:
            raise DeviceFileError(f"{where}: a device must have a name")
        self.devices.append(FoundDevice(cells[1], self.notes))
        self._poller = None

    def _read_poller(self, cells: list[str], where: str) -> None:
        form = "poll,TABLE,FIRST,COUNT,ORDER"
        _check_length(cells, 5, form, where)
        if not self.devices:
            raise DeviceFileError(f"{where}: a poller must be behind a device,NAME,ID")
        table = _TABLES.get(cells[1].lower())
        if table is None:
            allowed = ", ".join(_TABLES)
            raise DeviceFileError(f"{where}: the table must be one of {allowed}, got {cells[1]!r}")
        order = _ORDERS.get(cells[4].upper())
        if order is None:
            allowed = ", ".join(_ORDERS)
            raise DeviceFileError(f"{where}: the order must be one of {allowed}, got {cells[4]!r}")
        with _at(f"{where}, the first address"):
            start = parse_whole(cells[2], 0, 0xFFFF)
        with _at(f"{where}, the count"):
            count = parse_whole(cells[3], 1, min(_MOST[table], 0x10000 - start))
        self._poller = _Poller(table, start, count, order)

    def _read_reference(self, cells: list[str], where: str) -> None:
        _check_length(cells, 5, "ref,NAME,ADDRESS,TYPE,RW,UNIT,SCALE", where)
        poller = self._poller
        if poller is None:
            raise DeviceFileError(f"{where}: a reference must be behind a poll,... of its device")
        name = cells[1].replace(" ", "_")
        if not name:
            raise DeviceFileError(f"{where}: a reference must have a name")
        where = f"{where} ({name})"
        kind, (address, bit) = _kind(cells[3], where), _address(cells[2], where)
        if bit is not None and kind != "bool":
            raise DeviceFileError(f"{where}: a bit, as in {cells[2]}, must have the type bool")
        width = _width(kind)
        if not poller.start <= address <= poller.start + poller.size - width:
            self.notes.left_out(
                where,
                f"modpoll ignores it, {address} is not in the poller from {poller.start} on, "
                f"{poller.size} long",
            )
            return
        access = cells[4].lower() or "r"
        if "r" not in access:
            self.notes.changed(where, f"modpoll never reads it, its access is {cells[4]!r}")
        unit = cells[5] if len(cells) > 5 else ""
        scale = _scale(cells[6] if len(cells) > 6 else "", where)
        if poller.table in ("coils", "discrete_inputs"):
            self._add_bits(
                poller, PointSpec(name, Place(poller.table, 0), kind), address, bit, where
            )
            return
        point = PointSpec(name, Place(poller.table, address), kind, order=poller.order, unit=unit)
        is_swapped = poller.order in ("BADC", "DCBA")
        if bit is not None:
            number = (bit + 8) % 16 if is_swapped else bit
            point = replace(point, type="bit", bit=number, order="ABCD")
        elif kind in _BITS:
            # modpoll begins with the first byte, which has the bits 8 to 15 of a register, and
            # has no other order for bits.
            point = replace(point, type="bits", size=_BITS[kind], order="BADC")
        elif kind.startswith("string"):
            point = replace(point, type="string", size=2 * width, order="ABCD")
        elif scale:
            point = replace(point, scale=scale)
        self.devices[-1].add(self._unit, point, where)

    def _add_bits(
        self, poller: _Poller, point: PointSpec, address: int, bit: int | None, where: str
    ) -> None:
        """Add a point for each coil of a reference."""
        if point.type not in _BITS or bit is not None:
            kind = f"{point.type} of coils" if bit is None else "bit of coils"
            self.notes.left_out(where, f"a device file has no {kind}, only single ones")
            return
        first, end = poller.start + 8 * (address - poller.start), poller.start + poller.size
        if first >= end:
            self.notes.left_out(
                where, f"an address counts bytes here, and the poller has no byte {address}"
            )
            return
        for number in range(_BITS[point.type]):
            coil = first + number // 8 * 8 + 7 - number % 8  # as modpoll lists them
            if coil < end:
                name, place = f"{point.name}/{number}", Place(poller.table, coil)
                each = replace(point, name=name, type="bool", place=place)
                self.devices[-1].add(self._unit, each, where)
        if not self._is_told:
            self._is_told = True
            self.notes.changed(
                where, f"modpoll lists the last of eight first: {point.name}/0 is {first + 7}"
            )


class _at:  # noqa: N801 - used as a function
    """Put a place before the ValueError of the block."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, ValueError):
            raise DeviceFileError(f"{self._where} {error}") from None


def _check_length(cells: list[str], least: int, form: str, where: str) -> None:
    if len(cells) < least:
        raise DeviceFileError(f"{where}: must have at least {least} columns, {form}")


def _kind(text: str, where: str) -> str:
    kind = text.lower()
    is_text = kind.startswith("string") and kind[6:].isdecimal() and 1 <= int(kind[6:][:4]) <= 246
    if kind not in _WIDTHS and not is_text:
        raise DeviceFileError(f"{where}: the type must be {_KINDS}, got {text!r}")
    return kind


def _width(kind: str) -> int:
    return _WIDTHS[kind] if kind in _WIDTHS else (int(kind[6:]) + 1) // 2


def _address(text: str, where: str) -> tuple[int, int | None]:
    """Return the address, and the bit behind ":" or None."""
    address, colon, bit = text.partition(":")
    with _at(f"{where}, the address"):
        found = parse_int(address)
        if not 0 <= found <= 0xFFFF:
            raise ValueError(f"must be 0..65535, got {address!r}")
    if not colon:
        return found, None
    with _at(f"{where}, the bit"):
        return found, parse_whole(bit, 0, 15)


def _scale(text: str, where: str) -> float:
    """Return the scale; 0.0 for none, which modpoll takes for no scale too."""
    if not text:
        return 0.0
    with _at(f"{where}, the scale"):
        found = parse_float(text)
        if found != found or abs(found) > 1e300:
            raise ValueError(f"must be a finite number, got {text!r}")
    return found
