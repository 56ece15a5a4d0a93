"""`read_device`: reads a device file as a `DeviceSpec`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from modwire.units.tables import BIT_TABLES, TABLES

from ..devices import (
    BlockSpec,
    DeviceSpec,
    FileSpec,
    Limit,
    Refusal,
    UnitSpec,
)
from ..fields import shown
from ..units import SimulatedUnit, UnitPlan
from ..view import Faults
from .connection import read_connection, read_endpoint
from .identity import read_identity, read_server_id
from .limits import LARGEST, MOST_UNITS, MOST_VALUES, check_keys
from .points import read_points
from .sections import DeviceFileError, Section

# Imported by name: type checkers assume the oldest Python, and tomli may not be installed.
_parse_toml: Callable[[str], object] = import_module(
    "tomllib" if sys.version_info >= (3, 11) else "tomli"
).loads

_UNIT_KEYS = (
    "id",
    "name",
    "every_id",
    "identity",
    "server_id",
    "exception_status",
    "diagnostic_register",
    "block",
    "point",
    "file",
    "fifo",
    "refusal",
    "missing",
    "limits",
    "refuses",
    "faults",
)
_ADDRESSES = 0x10000


def read_device(path: Path | str, *, needs_units: bool = True) -> DeviceSpec:
    """Return the device in a TOML file, or in a JSON file if the name ends in .json.

    Without `needs_units` the file may have no unit: a `[connection]` is enough to ask a device.
    Raises OSError, and `DeviceFileError` for a mistake in the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:  # may be a pipe, or a device that could be read for ever
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise DeviceFileError(f"{path}: must have at most {LARGEST} bytes, and has more")
        text = data.decode("utf-8-sig")  # editors of Windows begin a file with a BOM
    except UnicodeDecodeError as error:
        raise DeviceFileError(f"{path}: must be UTF-8: {error}") from None
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror}") from None
    try:
        found = _parse_json(text) if path.suffix == ".json" else _parse_toml_text(text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise DeviceFileError(f"{path}: this is no {kind}: {error}") from None
    try:
        return parse_device(
            _table(found, path),
            str(path),
            path.parent,
            default_name=path.stem,
            needs_units=needs_units,
        )
    except MemoryError:
        raise DeviceFileError(f"{path}: needs more memory than there is") from None


def _parse_json(text: str) -> object:
    found: object = json.loads(text)
    return found


def _parse_toml_text(text: str) -> object:
    check_keys(text)
    return _parse_toml(text)


def _table(found: object, path: Path) -> Mapping[str, object]:
    if not isinstance(found, dict):
        raise DeviceFileError(f"{path}: a device must be a table, got {shown(found)}")
    return found  # pyright: ignore[reportUnknownVariableType]


def parse_device(
    values: Mapping[str, object],
    file: str,
    folder: Path,
    *,
    default_name: str,
    needs_units: bool = True,
) -> DeviceSpec:
    """Return the device that the values of a file describe; raises `DeviceFileError`."""
    device = Section(values, ("name", "connection", "unit"), file)
    sections = device.sections("unit", _UNIT_KEYS, "id")
    if len(sections) > MOST_UNITS:
        raise device.error("unit", f"must be there at most {MOST_UNITS} times, not {len(sections)}")
    units: list[UnitSpec] = []
    room = MOST_VALUES
    for each in sections:
        units.append(_read_unit(each, folder))
        room -= sum(len(block.values) for block in units[-1].blocks)
        if room < 0:
            raise device.error("unit", f"must have at most {MOST_VALUES} values in all blocks")
    if not units and needs_units:
        raise device.error("unit", "is missing: a device has at least one, [[unit]] in TOML")
    seen: set[int] = set()
    for unit in units:
        if unit.id in seen:
            raise device.error("unit", f"must have an id of its own, {unit.id} is there twice")
        seen.add(unit.id)
    if sum(unit.every_id for unit in units) > 1:
        raise device.error("unit", "may have every_id once, it is there in several")
    connection = read_connection(device)
    return DeviceSpec(
        device.text("name", default_name),
        tuple(sorted(units, key=lambda unit: unit.id)),
        connection,
        read_endpoint(device, connection),
    )


def _read_unit(unit: Section, folder: Path) -> UnitSpec:
    identity, individual_access = read_identity(unit)
    spec = UnitSpec(
        unit.integer("id", 0, 255),
        unit.text("name", ""),
        unit.flag("every_id", False),
        blocks=_read_blocks(unit),
        points=read_points(unit, folder),
        refusals=tuple(
            _read_refusal(each)
            for each in unit.sections("refusal", ("at", "count", "exception"), "at")
        ),
        missing={table: found.code(table) for table, found in _tables(unit, "missing").items()},
        limits={
            table: _read_limit(found, table) for table, found in _tables(unit, "limits").items()
        },
        refuses={
            function: found.code(str(function))
            for function, found in unit.mapping(
                "refuses", _function_code, "function codes 1..127"
            ).items()
        },
        identity=identity,
        individual_access=individual_access,
        server_id=read_server_id(unit),
        exception_status=unit.integer("exception_status", 0, 255, 0),
        diagnostic_register=unit.integer("diagnostic_register", 0, 0xFFFF, 0),
        files=tuple(
            _read_file(each)
            for each in unit.sections("file", ("number", "start", "records"), "number")
        ),
        fifo_queues=_read_queues(unit),
        faults=unit.model("faults", Faults, {}) if "faults" in unit else Faults(),
    )
    try:
        SimulatedUnit(UnitPlan(spec), lambda: 0.0).check()
    except ValueError as error:
        raise unit.failure("", error) from None
    return spec


def _tables(unit: Section, key: str) -> dict[str, Section]:
    return unit.mapping(
        key, lambda name: name if name in TABLES else None, f"the tables {', '.join(TABLES)}"
    )


def _function_code(name: str) -> int | None:
    is_code = name.isascii() and name.isdigit() and len(name) <= 3
    return int(name) if is_code and 1 <= int(name) <= 127 else None


# Parts of a unit.

_BLOCK_KEYS = ("at", "values", "count", "fill", "read_only", "step", "apart")


def _read_blocks(unit: Section) -> tuple[BlockSpec, ...]:
    blocks: list[BlockSpec] = []
    room: dict[str, int] = dict.fromkeys(TABLES, _ADDRESSES)
    for section in unit.sections("block", _BLOCK_KEYS, "at"):
        block = _read_block(section)
        blocks.append(block)
        room[block.place.table] -= len(block.values)
        if room[block.place.table] < 0:
            raise section.error("", f"is one too many: a table has {_ADDRESSES} addresses")
    return tuple(blocks)


def _read_block(block: Section) -> BlockSpec:
    place = block.address()
    room = _ADDRESSES - place.address
    if "values" in block:
        for key in ("count", "fill"):
            if key in block:
                raise block.error(key, "must be left out beside values")
        values = block.registers("values", has_bits=place.has_bits)
        if not 1 <= len(values) <= room:
            raise block.error("values", f"must be 1..{room} from {place} on, got {len(values)}")
    else:
        fill = block.integer("fill", 0, 1 if place.has_bits else 0xFFFF, 0)
        values = (fill,) * block.integer("count", 1, room)
    return BlockSpec(
        place,
        values,
        block.flag("read_only", False),
        block.integer("step", 1, len(values), 1),
        block.flag("apart", False),
    )


def _read_refusal(refusal: Section) -> Refusal:
    place = refusal.address()
    count = refusal.integer("count", 1, _ADDRESSES - place.address, 1)
    return Refusal(place, count, refusal.code("exception"))


def _read_limit(limits: Section, table: str) -> Limit:
    most = 2000 if table in BIT_TABLES else 125
    if isinstance(limits.get(table), int):
        return Limit(limits.integer(table, 1, most))
    limit = limits.section(table, ("count", "exception"))
    code = limit.code("exception") if "exception" in limit else 3
    return Limit(limit.integer("count", 1, most), code)


def _read_file(file: Section) -> FileSpec:
    number = file.integer("number", 1, 0xFFFF)
    start = file.integer("start", 0, 9999, 0)
    records = file.registers("records")
    if not 1 <= len(records) <= 10000 - start:
        raise file.error("records", f"must be 1..{10000 - start}, got {len(records)}")
    return FileSpec(number, start, records)


def _read_queues(unit: Section) -> dict[int, tuple[int, ...]]:
    queues: dict[int, tuple[int, ...]] = {}
    for each in unit.sections("fifo", ("address", "values"), "address"):
        values = each.registers("values")
        if len(values) > 31:
            raise each.error("values", f"must be 0..31, got {len(values)}")
        queues[each.integer("address", 0, 0xFFFF)] = values
    return queues
