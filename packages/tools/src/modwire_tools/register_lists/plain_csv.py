"""`read_plain_csv`: a table with a column for each key of a point, and `id` for the unit id."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..simulator.files.points import POINT_KEYS, read_point
from ..simulator.files.sections import DeviceFileError, Section
from ..values.numbers import parse_float, parse_int
from .findings import Findings, FoundDevice, Notes

_COLUMNS = ("id", *POINT_KEYS)
_WHOLE = ("id", "length", "bit")
_NUMBERS = ("scale", "offset", "deadband")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def is_plain_csv(text: str) -> bool:
    """True if the first line of a CSV file names the columns `name` and `at`."""
    return {"name", "at"} <= set(_header(text)[1])


def read_plain_csv(text: str, file: str, unit: int = 1) -> Findings:
    """Return the one device in a table; `unit` is the unit id of lines without `id`.

    Columns are separated by commas, semicolons or tabs, and the first line has their names.
    """
    delimiter, names = _header(text)
    for name in names:
        if name not in _COLUMNS:
            allowed = ", ".join(_COLUMNS)
            raise DeviceFileError(f"{file}, line 1: a column may be {allowed}, got {name!r}")
    for name in ("name", "at"):
        if name not in names:
            raise DeviceFileError(f"{file}, line 1: there must be a column {name}")
    if len(set(names)) < len(names):
        raise DeviceFileError(f"{file}, line 1: each column must be there once, got {names}")
    notes = Notes(file)
    device = FoundDevice(Path(file).stem, notes)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(rows):
            if number and any(cell.strip() for cell in row):
                where = f"{file}, line {rows.line_num}"
                if len(row) > len(names):
                    raise DeviceFileError(
                        f"{where}: must have at most {len(names)} columns, got {len(row)}"
                    )
                _read_row(dict(zip(names, row, strict=False)), where, device, unit)
    except csv.Error as error:
        raise DeviceFileError(f"{file}, line {rows.line_num}: this is no CSV: {error}") from None
    return Findings([device.spec()], notes.all())


def _header(text: str) -> tuple[str, list[str]]:
    """Return the delimiter of a table, and the names in its first line."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    return delimiter, [cell.strip().strip('"').lower() for cell in first.split(delimiter)]


def _read_row(cells: dict[str, str], where: str, device: FoundDevice, unit: int) -> None:
    values: dict[str, object] = {}
    for name, cell in cells.items():
        text = cell.strip()
        if text:
            try:
                is_text = name == "value" and cells.get("type", "").strip() == "string"
                values[name] = text if is_text else _value(name, text)
            except ValueError as error:
                raise DeviceFileError(f"{where}: {name} {error}") from None
    number = values.pop("id", unit)
    if not isinstance(number, int) or not 0 <= number <= 255:
        raise DeviceFileError(f"{where}: id must be 0..255, got {number!r}")
    title = values.get("name")
    place = f"point ({title})" if isinstance(title, str) and title.isprintable() else "the point"
    point = read_point(Section(values, POINT_KEYS, where, place), Path())
    device.add(number, point, where)


def _value(name: str, text: str) -> object:
    """Return a cell as the value that a device file would have; raises ValueError."""
    if name in _WHOLE:
        return parse_int(text)
    if name in _NUMBERS:
        return parse_float(text)
    if name == "none":
        return [parse_float(each) for each in text.split()]
    if name == "on_change":
        if text.lower() not in _FLAGS:
            raise ValueError(f"must be true or false, got {text!r}")
        return _FLAGS[text.lower()]
    if name == "value":
        if text.lower() in ("true", "false"):
            return _FLAGS[text.lower()]
        try:
            return parse_float(text)
        except ValueError:
            return text
    return text
