"""`read_modbus_exporter`: the modules of modbus_exporter's YAML configuration.

The first digit of an address is the function code that reads it, not the digit of a reference:
300022 is holding register 22 (function 3), 400022 input register 22, counted from 0 as on the wire.
"""

from __future__ import annotations

from ..addresses import Place
from ..simulator.devices import PointSpec
from .entries import Entry
from .findings import Findings, FoundDevice, Notes
from .loading import load_yaml

_TABLES = {1: "coils", 2: "discrete_inputs", 3: "holding_registers", 4: "input_registers"}
_ORDERS = {"big": "ABCD", "little": "DCBA", "mixed": "BADC", "yolo": "CDAB"}
_TYPES = (
    *("bool", "int16", "uint16", "float16", "int32", "uint32", "float32"),
    *("int64", "uint64", "float64"),
)
_LINE = {"baudrate": "baudrate", "databits": "bytesize", "parity": "parity", "stopbits": "stopbits"}
_MODULE = ("name", "protocol", "timeout", "metrics", "workarounds", *_LINE)
_UNUSED = ("help", "metricType")
_METRIC = (
    "name",
    "labels",
    "address",
    "dataType",
    "endianness",
    "bitOffset",
    "factor",
    *_UNUSED,
)
_HIGHEST = 465535


def is_modbus_exporter(values: object) -> bool:
    """True if the values of a YAML file are a configuration of modbus_exporter."""
    return isinstance(values, dict) and "modules" in values


def read_modbus_exporter(text: str, file: str, unit: int = 1) -> Findings:
    """Return a device for each module. `unit` is its unit id, which is the sub_target of a scrape.

    The list has no endpoint either: that is the target of a scrape.
    """
    notes = Notes(file)
    whole = Entry(load_yaml(text, file), ("modules",), file)
    if "modules" not in whole:
        raise whole.error("modules", "is missing")
    devices: list[FoundDevice] = []
    for module in whole.entries("modules", _MODULE):
        device = FoundDevice(module.label("name"), notes)
        _read_connection(module, device, notes)
        for metric in module.entries("metrics", _METRIC):
            notes.unused(metric, _UNUSED)
            point = _point(metric, notes)
            if point is not None:
                device.add(unit, point, metric.where)
        devices.append(device)
    return Findings([each.spec() for each in devices], notes.all())


def _read_connection(module: Entry, device: FoundDevice, notes: Notes) -> None:
    protocol = module.one_of("protocol", ("tcp/ip", "serial"), "tcp/ip")
    if module.whole("timeout", 0, 3_600_000, 0):
        device.connection["timeout"] = module.whole("timeout", 1, 3_600_000) / 1000
    if protocol == "serial":
        for key, option in _LINE.items():
            if key in module:
                device.connection[option] = module.get(key)
    else:
        notes.unused(module, tuple(_LINE))
    if "workarounds" in module:
        notes.unused(module.entry("workarounds", ("sleepAfterConnect",)), ("sleepAfterConnect",))


def _point(metric: Entry, notes: Notes) -> PointSpec | None:
    """Return the point of a metric; None with a note if the device file can have none."""
    number = metric.whole("address", 10, _HIGHEST)
    function, address = int(str(number)[0]), int(str(number)[1:])
    if function not in _TABLES or address > 0xFFFF:
        raise metric.error(
            "address",
            "must have the function code that reads it as first digit, 1 to 4, and behind it "
            f"0..65535, as in 300022 for holding register 22, got {number}",
        )
    place = Place(_TABLES[function], address)
    name = _name(metric)
    kind = metric.one_of("dataType", _TYPES, "")
    order = _ORDERS[metric.one_of("endianness", tuple(_ORDERS), "big")]
    if kind == "bool":
        if "factor" in metric:
            raise metric.error("factor", "cannot be used with the type bool")
        if "bitOffset" not in metric:
            raise metric.error("bitOffset", "is missing, the type bool needs it")
        bit = metric.whole("bitOffset", 0, 15)
        if not place.has_bits:
            return PointSpec(name, place, "bit", bit=bit)
        if bit:
            notes.left_out(metric.where, f"one of the {place.table} has no bit {bit}, only bit 0")
            return None
        return PointSpec(name, place, "bool")
    if "bitOffset" in metric:
        raise metric.error("bitOffset", f"is for the type bool, not for {kind}")
    if place.has_bits:
        notes.left_out(metric.where, f"the {place.table} hold no {kind}, only bool")
        return None
    factor = metric.decimal("factor", 1.0)
    if not factor:
        raise metric.error("factor", "must not be 0")
    if kind[-2:] == "16" and order != "DCBA":
        order = "ABCD"  # of one register, only little is swapped
    return PointSpec(name, place, kind, order=order, scale=factor)


def _name(metric: Entry) -> str:
    """Return the name with its labels, as Prometheus writes a series."""
    name = metric.label("name")
    if "labels" not in metric or metric.get("labels") is None:
        return name
    labels = metric.free("labels")
    inside = ",".join(f'{key}="{labels.label(key)}"' for key in labels.names())
    return f"{name}{{{inside}}}" if inside else name
