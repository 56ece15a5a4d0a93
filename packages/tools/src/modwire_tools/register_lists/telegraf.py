"""`read_telegraf`: the `[[inputs.modbus]]` of a telegraf configuration, in its three styles.

The facts are from the plugin's README: "register" has lists of fields by table, "request" and
"metric" name the unit and the byte order above their fields. Addresses are those on the wire.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from modwire.units.tables import TABLES

from ..addresses import Place
from ..simulator.devices import PointSpec
from ..simulator.fields import shown
from ..simulator.files.sections import DeviceFileError
from .entries import Entry, list_of, table_of
from .findings import Findings, FoundDevice, Notes
from .loading import load_toml
from .telegraf_connection import read_connection, seconds

_GENERAL = (
    "alias",
    "busy_retries_wait",
    "collection_jitter",
    "collection_offset",
    "debug_connection",
    "exclude_register_type_tag",
    "fielddrop",
    "fieldexclude",
    "fieldinclude",
    "fieldpass",
    "log_level",
    "metricpass",
    "name_override",
    "name_prefix",
    "name_suffix",
    "namedrop",
    "namepass",
    "optimization",
    "optimization_max_register_fill",
    "precision",
    "rs485",
    "startup_error_behavior",
    "tagdrop",
    "tagexclude",
    "taginclude",
    "tagpass",
    "tags",
)
_PLUGIN = (
    "name",
    "slave_id",
    "interval",
    "timeout",
    "busy_retries",
    "controller",
    "baud_rate",
    "data_bits",
    "parity",
    "stop_bits",
    "transmission_mode",
    "configuration_type",
    "request",
    "metric",
    "workarounds",
    *TABLES,
    *_GENERAL,
)
_TABLES = {
    "coil": "coils",
    "discrete": "discrete_inputs",
    "holding": "holding_registers",
    "input": "input_registers",
}
# By the orders of the styles "request" and "metric", and those of "register" by length.
_ORDERS = {
    **{name: name for name in ("ABCD", "DCBA", "BADC", "CDAB")},
    "MSW-BE": "ABCD",
    "MSW-LE": "BADC",
    "LSW-BE": "CDAB",
    "LSW-LE": "DCBA",
}
_REGISTER_ORDERS = {
    "AB": "ABCD",
    "BA": "DCBA",
    **{name: name for name in ("ABCD", "DCBA", "BADC", "CDAB")},
    "ABCDEFGH": "ABCD",
    "HGFEDCBA": "DCBA",
    "BADCFEHG": "BADC",
    "GHEFCDAB": "CDAB",
}
_NUMBERS = {
    f"{kind}{bits}": f"{kind.lower()}{bits}"
    for bits in (16, 32, 64)
    for kind in ("INT", "UINT", "FLOAT")
}
_BYTES = {"INT8L": "int8", "UINT8L": "uint8", "INT8H": "int8", "UINT8H": "uint8"}
_TYPES = (*_BYTES, *_NUMBERS, "STRING", "BIT")
_REGISTER_TYPES = (
    *_BYTES,
    *(name for name in _NUMBERS if "INT" in name),
    *("FLOAT16-IEEE", "FLOAT32-IEEE", "FLOAT64-IEEE", "FLOAT32", "FIXED", "UFIXED"),
    *("STRING", "BIT"),
)
_WORDS = {"16": 1, "32": 2, "64": 4}
_BY_WORDS = {1: "16", 2: "32", 4: "64"}


class _Field(NamedTuple):
    """A field as all three styles describe it."""

    name: str
    place: Place
    type: str
    order: str
    scale: float
    bit: int
    words: int  # registers of a string


def is_telegraf(values: object) -> bool:
    """True if the values of a TOML file are a telegraf configuration with Modbus."""
    return "modbus" in _inputs(values)


def read_telegraf(text: str, file: str) -> Findings:
    """Return the devices in a telegraf configuration, one for each `[[inputs.modbus]]`."""
    values = load_toml(text, file)
    notes = Notes(file)
    if not is_telegraf(values):
        raise DeviceFileError(f"{file}: must have [[inputs.modbus]]")
    whole = Entry({"inputs.modbus": _inputs(values)["modbus"]}, ("inputs.modbus",), file)
    plugins = whole.entries("inputs.modbus", _PLUGIN)
    devices = [
        _Plugin(each, notes, f"modbus {number}").read() for number, each in enumerate(plugins, 1)
    ]
    return Findings([each.spec() for each in devices], notes.all())


def _inputs(values: object) -> dict[str, object]:
    return table_of((table_of(values) or {}).get("inputs")) or {}


class _Plugin:
    """One `[[inputs.modbus]]`, which reads one device."""

    def __init__(self, entry: Entry, notes: Notes, name: str) -> None:
        self._entry = entry
        self._notes = notes
        self._device = FoundDevice(entry.text("name", name), notes)
        self._strings = ""

    def read(self) -> FoundDevice:
        """Return the device."""
        entry = self._entry
        self._notes.unused(entry, _GENERAL)
        self._strings = read_connection(entry, self._device, self._notes)
        if "interval" in entry:
            self._device.interval = seconds(entry, "interval")
        style = entry.option("configuration_type", ("register", "request", "metric"), "register")
        for key, of in (*((table, "register") for table in TABLES), *_STYLES):
            if key in entry and style != of:
                self._notes.left_out(
                    f"{entry.where}, {key}",
                    f"telegraf does not read it: configuration_type is {style}",
                )
        if style == "register":
            unit = entry.whole("slave_id", 0, 255, 0)
            for table in TABLES:
                for each in entry.entries(table, _REGISTER_KEYS):
                    self._read_register_field(each, unit, table)
        elif style == "request":
            for each in entry.entries("request", _REQUEST_KEYS, "register"):
                self._read_request(each)
        else:
            for each in entry.entries("metric", _METRIC_KEYS, "measurement"):
                self._read_metric(each)
        return self._device

    def _read_register_field(self, entry: Entry, unit: int, table: str) -> None:
        addresses = _addresses(entry)
        self._notes.unused(entry, ("measurement",))
        name, place = _name(entry), Place(table, addresses[0])
        if place.has_bits:
            entry.option("data_type", ("UINT16", "BOOL"), "UINT16")
            if len(addresses) > 1:
                raise entry.error("address", f"must be one address, got {addresses}")
            self._add(entry, unit, _Field(name, place, "BOOL", "ABCD", 0.0, 0, 0))
            return
        kind = entry.one_of("data_type", _REGISTER_TYPES, "")
        order = _REGISTER_ORDERS[entry.one_of("byte_order", tuple(_REGISTER_ORDERS), "")]
        if kind == "STRING":
            field = _Field(name, place, kind, order, 0.0, 0, len(addresses))
            self._add(entry, unit, field)
            return
        if kind == "BIT":
            bit = entry.whole("bit", 0, 15, 0)
            self._add(entry, unit, _Field(name, place, kind, order, 0.0, bit, 0))
            return
        if len(addresses) not in _BY_WORDS:
            raise entry.error("address", f"must be 1, 2 or 4 addresses, got {addresses}")
        if kind in ("FIXED", "UFIXED", "FLOAT32"):  # FLOAT32 without IEEE is an integer here
            kind = f"{'' if kind == 'FIXED' else 'U'}INT{_BY_WORDS[len(addresses)]}"
        kind = kind.removesuffix("-IEEE")
        words = 1 if kind in _BYTES else _WORDS[kind[-2:]]
        if len(addresses) != words:
            raise entry.error("address", f"must be {words} for {kind}, got {addresses}")
        if len(entry.text("byte_order")) != 2 * words:
            raise entry.error(
                "byte_order",
                f"must have {2 * words} letters for {words} addresses, "
                f"got {shown(entry.get('byte_order'))}",
            )
        scale = entry.decimal("scale", 0.0)
        if not scale:
            raise entry.error("scale", "must be a number other than 0, telegraf demands it here")
        self._add(entry, unit, _Field(name, place, kind, order, scale, 0, 0))

    def _read_request(self, request: Entry) -> None:
        unit = request.whole("slave_id", 0, 255, 0)
        order = _ORDERS[request.option("byte_order", tuple(_ORDERS), "ABCD")]
        table = _TABLES[request.option("register", tuple(_TABLES), "holding")]
        self._notes.unused(request, _GROUP_UNUSED)
        for entry in request.entries("fields", _REQUEST_FIELD_KEYS):
            if entry.flag("omit", False):
                self._notes.changed(entry.where, "has no point, omit is true")
                continue
            self._notes.unused(entry, ("measurement",))
            self._read_field(entry, unit, table, order)

    def _read_metric(self, metric: Entry) -> None:
        unit = metric.whole("slave_id", 0, 255, 0)
        order = _ORDERS[metric.option("byte_order", tuple(_ORDERS), "ABCD")]
        self._notes.unused(metric, _GROUP_UNUSED)
        for entry in metric.entries("fields", _METRIC_FIELD_KEYS):
            table = _TABLES[entry.option("register", tuple(_TABLES), "holding")]
            self._read_field(entry, unit, table, order)

    def _read_field(self, entry: Entry, unit: int, table: str, order: str) -> None:
        name = _name(entry)
        place = Place(table, entry.whole("address", 0, 0xFFFF))
        if place.has_bits:
            self._add(entry, unit, _Field(name, place, "BOOL", "ABCD", 0.0, 0, 0))
            return
        kind = entry.one_of("type", _TYPES, "")
        scale = entry.decimal("scale", 0.0)
        words = bit = 0
        if kind == "STRING":
            words = entry.whole("length", 1, 125)
        elif "length" in entry:
            raise entry.error("length", f"is for the type STRING, not for {kind}")
        if kind == "BIT":
            bit = entry.whole("bit", 0, 15, 0)
        elif "bit" in entry and entry.whole("bit", 0, 15):
            raise entry.error("bit", f"is for the type BIT, not for {kind}")
        if scale and kind in ("STRING", "BIT"):
            raise entry.error("scale", f"cannot be used with the type {kind}")
        output = entry.option("output", ("INT64", "UINT64", "FLOAT64", "STRING"), "")
        if (scale or kind.startswith("FLOAT")) and output in ("INT64", "UINT64"):
            self._notes.changed(
                entry.where, f"output {output} cuts the fraction off, the point has it"
            )
        self._add(entry, unit, _Field(name, place, kind, order, scale, bit, words))

    def _add(self, entry: Entry, unit: int, field: _Field) -> None:
        """Add the point of a field, or note why there is none."""
        kind, order = field.type, field.order
        is_swapped = order in ("BADC", "DCBA")
        place = field.place
        if kind == "BOOL":
            point = PointSpec(field.name, place, "bool")
        elif kind == "BIT":
            bit = (field.bit + 8) % 16 if is_swapped else field.bit
            point = PointSpec(field.name, place, "bit", bit=bit)
        elif kind == "STRING":
            if self._strings in ("lower", "upper"):
                self._notes.left_out(
                    entry.where,
                    f"string_register_location {self._strings}: a device file has no text with one "
                    "character in each register",
                )
                return
            order = "BADC" if is_swapped else "ABCD"
            point = PointSpec(field.name, place, "string", size=2 * field.words, order=order)
        elif kind in _BYTES:
            if order in ("BADC", "CDAB"):
                raise entry.error("byte_order", f"must be ABCD or DCBA for {kind}, got {order}")
            # The low byte is the one of a device file; an order that swaps takes the other.
            is_high = kind.endswith("H") != is_swapped
            order = "BADC" if is_high else "ABCD"
            point = PointSpec(field.name, place, _BYTES[kind], order=order)
        else:
            point = PointSpec(field.name, place, _NUMBERS[kind], order=order)
        if field.scale:
            point = replace(point, scale=field.scale)
        self._device.add(unit, point, entry.where)


_STYLES = (("request", "request"), ("metric", "metric"))
_REGISTER_KEYS = ("measurement", "name", "byte_order", "data_type", "scale", "address", "bit")
_GROUP_UNUSED = ("measurement", "tags", "optimization", "optimization_max_register_fill")
_REQUEST_KEYS = ("slave_id", "byte_order", "register", "fields", *_GROUP_UNUSED)
_METRIC_KEYS = ("slave_id", "byte_order", "fields", *_GROUP_UNUSED)
_FIELD_KEYS = ("address", "name", "type", "scale", "output", "length", "bit")
_REQUEST_FIELD_KEYS = (*_FIELD_KEYS, "measurement", "omit")
_METRIC_FIELD_KEYS = (*_FIELD_KEYS, "register")


def _name(entry: Entry) -> str:
    name = entry.text("name")
    if not name:
        raise entry.error("name", "must not be empty")
    return name


def _addresses(entry: Entry) -> list[int]:
    """Return the addresses of a field in the style "register"; raises unless they ascend by 1."""
    value = entry.get("address")
    items = list_of(value) or []
    found = [each for each in items if isinstance(each, int) and 0 <= each <= 0xFFFF]
    if not found or len(found) != len(items):
        raise entry.error("address", f"must be a list of addresses 0..65535, got {shown(value)}")
    if found != list(range(found[0], found[0] + len(found))):
        raise entry.error("address", f"must be consecutive addresses, such as [5, 6], got {found}")
    return found
