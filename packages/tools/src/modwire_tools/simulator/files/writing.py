"""`write_device`: writes a `DeviceSpec` as a device file; `read_device` returns an equal one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import tomli_w

from modwire import ObjectId

from ...replacing import replace_file
from ..devices import BlockSpec, DeviceSpec, PointSpec, ServerId, UnitSpec
from ..view import Faults
from .connection import connection_values
from .living import behaviour_values
from .sections import named_code, quoted_data

_MOST_IN_LIST = 4  # values; more are written as lines of digits
_REGISTERS_IN_LINE = 16
_BITS_IN_LINE = 64

_SIZED = ("string", "bcd", "bits")
_NAMES = {int(each): each.name.lower() for each in ObjectId}


def write_device(device: DeviceSpec, path: Path | str) -> None:
    """Write a device file: JSON if its name ends in .json, else TOML.

    The file is replaced in one step, so that no reader sees a part of it. Raises OSError, also for
    a symbolic link.
    """
    path = Path(path)
    replace_file(path, dump_device(device, as_json=path.suffix == ".json").encode())


def dump_device(device: DeviceSpec, *, as_json: bool = False) -> str:
    """Return the text of a device file."""
    values: dict[str, object] = {"name": device.name}
    if device.connection or device.endpoint:
        values["connection"] = connection_values(device.connection, device.endpoint)
    values["unit"] = [unit_values(unit) for unit in device.units]
    if as_json:
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return tomli_w.dumps(values, multiline_strings=True)


def unit_values(unit: UnitSpec) -> dict[str, object]:
    """Return a unit in plain values, in the form of a device file."""
    values: dict[str, object] = {"id": unit.id}
    if unit.name:
        values["name"] = unit.name
    if unit.every_id:
        values["every_id"] = True
    if unit.exception_status:
        values["exception_status"] = unit.exception_status
    if unit.diagnostic_register:
        values["diagnostic_register"] = unit.diagnostic_register
    if unit.identity or not unit.individual_access:
        identity: dict[str, object] = {
            _NAMES.get(number, f"0x{number:02X}"): quoted_data(value)
            for number, value in unit.identity.items()
        }
        if not unit.individual_access:
            identity["individual_access"] = False
        values["identity"] = identity
    if unit.server_id != ServerId():
        values["server_id"] = _server_id_values(unit.server_id)
    if unit.refuses:
        values["refuses"] = {str(code): named_code(by) for code, by in unit.refuses.items()}
    if unit.missing:
        values["missing"] = {table: named_code(code) for table, code in unit.missing.items()}
    if unit.limits:
        values["limits"] = {
            table: {"count": limit.count, "exception": named_code(limit.code)}
            for table, limit in unit.limits.items()
        }
    if unit.faults != Faults():
        default = vars(Faults())
        values["faults"] = {
            name: value for name, value in vars(unit.faults).items() if value != default[name]
        }
    lists: dict[str, list[dict[str, object]]] = {
        "point": [_point_values(each) for each in unit.points],
        "block": [_block_values(each) for each in unit.blocks],
        "refusal": [
            {"at": str(each.place), "count": each.count, "exception": named_code(each.code)}
            for each in unit.refusals
        ],
        "file": [
            {"number": each.number, "start": each.start, "records": _digits(each.records)}
            for each in unit.files
        ],
        "fifo": [
            {"address": address, "values": list(queue)}
            for address, queue in unit.fifo_queues.items()
        ],
    }
    values.update({name: items for name, items in lists.items() if items})
    return values


def _server_id_values(server_id: ServerId) -> dict[str, object]:
    values: dict[str, object] = {"id": quoted_data(server_id.id)}
    if server_id.is_running is not True:
        values["running"] = "absent" if server_id.is_running is None else False
    if server_id.additional:
        values["additional"] = quoted_data(server_id.additional)
    return values


def _block_values(block: BlockSpec) -> dict[str, object]:
    values: dict[str, object] = {"at": str(block.place)}
    if len(block.values) > _MOST_IN_LIST and len(set(block.values)) == 1:
        values["count"] = len(block.values)
        values["fill"] = block.values[0]
    else:
        values["values"] = _digits(block.values, has_bits=block.place.has_bits)
    if block.read_only:
        values["read_only"] = True
    if block.step > 1:
        values["step"] = block.step
    if block.apart:
        values["apart"] = True
    return values


def _digits(values: Sequence[int], *, has_bits: bool = False) -> list[int] | str:
    """Return values as a list, or as lines of digits if there are many."""
    if len(values) <= _MOST_IN_LIST:
        return list(map(int, values))
    width = _BITS_IN_LINE if has_bits else _REGISTERS_IN_LINE
    lines: list[str] = []
    for at in range(0, len(values), width):
        part = values[at : at + width]
        lines.append(
            "".join(str(int(bit)) for bit in part)
            if has_bits
            else " ".join(f"{register:04X}" for register in part)
        )
    return "\n".join([*lines, ""])


def _point_values(point: PointSpec) -> dict[str, object]:
    values: dict[str, object] = {"name": point.name, "at": str(point.place)}
    if not point.place.has_bits:
        values["type"] = point.type
    if point.type in _SIZED:
        values["length"] = point.size
    if point.type == "bit":
        values["bit"] = point.bit
    if point.order != "ABCD":
        values["order"] = point.order
    if point.scale != 1.0:
        values["scale"] = point.scale
    if point.offset:
        values["offset"] = point.offset
    if point.unit:
        values["unit"] = point.unit
    if point.behaviour is not None:
        values["value"] = behaviour_values(point.behaviour)
    elif point.value is not None:
        value = point.value
        values["value"] = list(value) if isinstance(value, (list, tuple)) else value
    if point.none:
        none = ["nan" if each != each else each for each in point.none]  # JSON has no such number
        values["none"] = none[0] if len(none) == 1 else none
    polled = point.polled
    if polled.interval:
        values["interval"] = polled.interval
    if polled.deadband:
        values["deadband"] = polled.deadband
    if polled.on_change:
        values["on_change"] = True
    return values
