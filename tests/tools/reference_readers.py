"""Readers that read what each tool would read with its list, without code of modwire.

A `Memory` has the registers and bits of a device, as they were read from it, and a reader returns
the values of one device of the list by the names that the tool gives them.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

LISTS = Path(__file__).with_name("lists")
Memory = Mapping[tuple[int, int, int], int]  # by unit, function code and address
Values = dict[tuple[int, str], object]  # by unit and name


def registers(memory: Memory, unit: int, function: int, address: int, count: int) -> bytes:
    words = [memory[unit, function, each] for each in range(address, address + count)]
    return struct.pack(f">{count}H", *words)


def ordered(data: bytes, order: str) -> bytes:
    """The bytes most significant first; `order` names those of 32 bits as they are sent."""
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


CODES = {
    "INT16": "h",
    "UINT16": "H",
    "INT32": "i",
    "UINT32": "I",
    "INT64": "q",
    "UINT64": "Q",
    "FLOAT16": "e",
    "FLOAT32": "f",
    "FLOAT64": "d",
}


def number(data: bytes, kind: str, order: str) -> Any:
    return struct.unpack(f">{CODES[kind.upper()]}", ordered(data, order))[0]


# telegraf.

_LETTERS = {"AB": "ABCD", "BA": "DCBA", "ABCDEFGH": "ABCD", "HGFEDCBA": "DCBA", "LSW-BE": "CDAB"}
_LETTERS |= {"GHEFCDAB": "CDAB", "BADCFEHG": "BADC"}
_FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


def telegraf(memory: Memory, device: int) -> Values:
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    plugin = toml.loads((LISTS / "telegraf.conf").read_text())["inputs"]["modbus"][device]
    found: Values = {}
    for unit, function, order, field in _telegraf_fields(plugin):
        address = field["address"]
        address = address[0] if isinstance(address, list) else address
        if not field.get("omit"):
            order = _LETTERS.get(order, order)
            found[unit, field["name"]] = _telegraf_value(
                memory, unit, function, address, order, field
            )
    return found


def _telegraf_fields(plugin: dict[str, Any]) -> Iterator[tuple[int, int, str, dict[str, Any]]]:
    tables = {"coils": 1, "discrete_inputs": 2, "holding_registers": 3, "input_registers": 4}
    for table, function in tables.items():
        for field in plugin.get(table, ()):
            yield plugin["slave_id"], function, field.get("byte_order", ""), field
    for group in (*plugin.get("request", ()), *plugin.get("metric", ())):
        for field in group["fields"]:
            register = field.get("register", group.get("register", "holding"))
            order = group.get("byte_order", "ABCD")
            yield group["slave_id"], _FUNCTIONS[register], order, field


def _telegraf_value(
    memory: Memory, unit: int, function: int, at: int, order: str, field: dict[str, Any]
) -> object:
    if function < 3:
        return memory[unit, function, at]
    listed = field["address"] if isinstance(field["address"], list) else []
    kind = field.get("type") or field["data_type"]
    scale = field.get("scale") or 1.0
    is_swapped = order in ("BADC", "DCBA")
    if kind == "STRING":
        data = registers(memory, unit, function, at, len(listed) or field["length"])
        words = [data[each : each + 2] for each in range(0, len(data), 2)]
        return b"".join(word[::-1] if is_swapped else word for word in words).rstrip(b"\0").decode()
    if kind == "BIT":
        word = registers(memory, unit, function, at, 1)
        return int.from_bytes(word, "little" if is_swapped else "big") >> field["bit"] & 1
    if kind[-1] in "LH":
        byte = registers(memory, unit, function, at, 1)[(kind[-1] == "L") != is_swapped]
        return (byte - 256 if kind[0] == "I" and byte > 127 else byte) * scale
    if kind in ("FIXED", "UFIXED", "FLOAT32") and listed:
        kind = ("" if kind == "FIXED" else "U") + f"INT{16 * len(listed)}"
    kind = kind.removesuffix("-IEEE")
    data = registers(memory, unit, function, at, int(kind[-2:]) // 16)
    return number(data, kind, order) * scale


# modbus_exporter.


def modbus_exporter(memory: Memory, device: int) -> Values:
    module = yaml.safe_load((LISTS / "modbus.yml").read_text())["modules"][device]
    orders = {"big": "ABCD", "little": "DCBA", "mixed": "BADC", "yolo": "CDAB"}
    found: Values = {}
    for metric in module["metrics"]:
        function, address = int(str(metric["address"])[0]), int(str(metric["address"])[1:])
        labels = ",".join(f'{key}="{value}"' for key, value in metric.get("labels", {}).items())
        name = metric["name"] + (f"{{{labels}}}" if labels else "")
        if metric["dataType"] == "bool":
            value = memory[1, function, address] >> metric["bitOffset"] & 1
            if not (function < 3 and metric["bitOffset"]):
                found[1, name] = value
            continue
        kind = metric["dataType"]
        order = orders[metric.get("endianness", "big")]
        if kind.endswith("16") and order != "DCBA":
            order = "ABCD"
        data = registers(memory, 1, function, address, int(kind[-2:]) // 16)
        found[1, name] = float(number(data, kind, order)) * metric.get("factor", 1)
    return found


# Home Assistant: values before they are rounded to the precision that is shown.

_SWAPS = {None: "ABCD", "byte": "BADC", "word": "CDAB", "word_byte": "DCBA"}
_INPUTS = {"coil": 1, "discrete_input": 2, "holding": 3, "input": 4}


def home_assistant(memory: Memory, device: int) -> Values:
    hub = yaml.safe_load((LISTS / "configuration.yaml").read_text())["modbus"][device]
    found: Values = {}
    for sensor in hub["sensors"]:
        unit = sensor.get("slave", sensor.get("device_address", 1))
        for extra in range(sensor.get("virtual_count", 0) + 1):
            name = f"{sensor['name']} {extra}" if extra else sensor["name"]
            if sensor["name"] != "Pair":
                found[unit, name] = _ha_value(memory, unit, sensor, extra)
    for sensor in hub.get("binary_sensors", ()):
        function = _INPUTS[sensor.get("input_type", "coil")]
        count = sensor.get("virtual_count", sensor.get("slave_count", 0))
        for extra in range(count + 1):
            name = f"{sensor['name']} {extra}" if extra else sensor["name"]
            unit = sensor["slave"]
            found[unit, name] = memory[unit, function, sensor["address"] + extra] & 1
    if device == 0:
        found[3, "Boost"], found[3, "Boost verify"] = memory[3, 3, 80], memory[3, 4, 81]
        found[3, "Lamp"] = memory[3, 1, 12]
        found[3, "Shutter"], found[3, "Shutter status"] = memory[3, 3, 90], memory[3, 4, 91]
        found[3, "Zone"] = number(registers(memory, 3, 4, 100, 1), "INT16", "ABCD") * 0.5
        found[3, "Zone target"] = number(registers(memory, 3, 3, 101, 1), "INT16", "ABCD") * 0.5
        found[3, "Zone hvac_mode"] = memory[3, 3, 102]
        found[3, "Zone hvac_onoff"] = memory[3, 3, 103]
    return found


def _ha_value(memory: Memory, unit: int, sensor: dict[str, Any], extra: int) -> object:
    kind = sensor.get("data_type", "int16")
    function = _INPUTS[sensor.get("input_type", "holding")]
    count = sensor.get("count") or int(kind[-2:]) // 16
    at = int(sensor["address"]) + extra * count
    words = [memory[unit, function, each] for each in range(at, at + count)]
    swap = sensor.get("swap")
    if swap in ("byte", "word_byte"):
        words = [int.from_bytes(word.to_bytes(2, "little"), "big") for word in words]
    if swap in ("word", "word_byte"):
        words.reverse()
    data = struct.pack(f">{count}H", *words)
    if kind == "string":
        return data.decode().rstrip("\0")
    form = sensor["structure"] if kind == "custom" else f">{CODES[kind.upper()]}"
    value = struct.unpack(form, data)[0]
    if "nan_value" in sensor and value in (sensor["nan_value"], -sensor["nan_value"]):
        return None
    return sensor.get("scale", 1) * value + sensor.get("offset", 0)


def pymodbus_configuration() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LISTS / "simulator.json").read_text())
    return found
