"""`Entities`: the entities of a hub of Home Assistant as points."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace

from ..addresses import Place
from ..simulator.devices import PointSpec, Polled
from ..simulator.fields import shown
from .entries import Entry, list_of
from .findings import FoundDevice, Notes

_TABLES = {
    "holding": "holding_registers",
    "input": "input_registers",
    "coil": "coils",
    "discrete_input": "discrete_inputs",
}
_WRITES = {
    **_TABLES,
    "holdings": "holding_registers",
    "coils": "coils",
}
_REGISTERS = ("holding", "input")
_SWAPS = {"none": "ABCD", "byte": "BADC", "word": "CDAB", "word_byte": "DCBA"}
_NUMBERS = (
    *("int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
_TYPES = ("int", "uint", "float", *_NUMBERS, "string", "custom")
# The older types are named by their registers.
_BY_COUNT = {1: "16", 2: "32", 4: "64"}
_STRUCTS = {
    "h": "int16",
    "H": "uint16",
    "i": "int32",
    "I": "uint32",
    "l": "int32",
    "L": "uint32",
    "q": "int64",
    "Q": "uint64",
    "e": "float16",
    "f": "float32",
    "d": "float64",
}
_GENERAL = ("device_class", "unique_id", "lazy_error_count", "state_class")
_BASE = ("name", "slave", "device_address", "address", "scan_interval", *_GENERAL)
_ALTERS = ("min_value", "max_value", "zero_suppress")
_NUMERIC = ("data_type", "count", "structure", "swap", "reverse_order", "scale", "offset")
_SENSOR = (
    *_BASE,
    *_NUMERIC,
    *_ALTERS,
    "nan_value",
    "input_type",
    "precision",
    "unit_of_measurement",
    "virtual_count",
    "slave_count",
)
_BINARY = (*_BASE, "input_type", "virtual_count", "slave_count")
_SWITCH_UNUSED = ("command_on", "command_off")
_LIGHT_UNUSED = ("brightness_address", "color_temp_address", "min_temp", "max_temp")
_SWITCH = (*_BASE, "write_type", "verify", *_SWITCH_UNUSED, *_LIGHT_UNUSED)
_VERIFY_UNUSED = ("state_on", "state_off", "delay")
_STATES = ("state_open", "state_opening", "state_closed", "state_closing")
_COVER = (*_BASE, "input_type", "status_register", "status_register_type", *_STATES)
_MODES = ("hvac_mode_register", "fan_mode_register", "swing_mode_register")
_CLIMATE_UNUSED = (
    "min_temp",
    "max_temp",
    "temp_step",
    "hvac_onoff_coil",
    "hvac_on_value",
    "hvac_off_value",
    "hvac_action_register",
    "target_temp_write_registers",
    "write_registers",
)
_CLIMATE = (
    *_BASE,
    *_NUMERIC,
    "input_type",
    "precision",
    "temperature_unit",
    "target_temp_register",
    "target_temp_scale",
    "target_temp_offset",
    "current_temp_scale",
    "current_temp_offset",
    "hvac_onoff_register",
    *_MODES,
    *_CLIMATE_UNUSED,
)

ENTITIES = (
    *("sensors", "binary_sensors", "switches", "lights", "fans", "covers", "climates"),
    "numbers",
)
"""The keys of a hub with entities."""


class Entities:
    """Reads the entities of one hub into `device`."""

    def __init__(self, device: FoundDevice, notes: Notes) -> None:
        self._device = device
        self._notes = notes

    def read(self, hub: Entry) -> None:
        """Read all entities of a hub."""
        readers: dict[str, tuple[tuple[str, ...], Callable[[Entry], None]]] = {
            "sensors": (_SENSOR, self._sensor),
            "binary_sensors": (_BINARY, self._binary_sensor),
            "switches": (_SWITCH, self._switch),
            "lights": (_SWITCH, self._switch),
            "fans": (_SWITCH, self._switch),
            "covers": (_COVER, self._cover),
            "climates": (_CLIMATE, self._climate),
        }
        for key, (allowed, read) in readers.items():
            for entry in hub.entries(key, allowed):
                self._notes.unused(entry, _GENERAL)
                read(entry)
        if "numbers" in hub:
            self._notes.left_out(f"{hub.where}, numbers", "this kind of entity is not known")

    def _sensor(self, entry: Entry) -> None:
        point = self._number(entry, entry.label("name"))
        if point is None:
            return
        unit = entry.label("unit_of_measurement") if "unit_of_measurement" in entry else ""
        point = replace(point, unit=unit, none=_none(entry, point.type))
        for key in _ALTERS:
            if key in entry:
                value = shown(entry.get(key))
                text = f"{key}: {value} changes what Home Assistant shows, not the point"
                self._notes.changed(entry.where, text)
        if "precision" in entry:
            self._notes.unused(entry, ("precision",))
        words = _words(point)
        for number in range(_virtual(entry) + 1):
            place = Place(point.place.table, point.place.address + number * words)
            self._add(entry, replace(point, name=_numbered(point.name, number), place=place))

    def _number(self, entry: Entry, name: str) -> PointSpec | None:
        """Return the point of a sensor or climate; None with a note if there can be none."""
        table = _TABLES[entry.one_of("input_type", _REGISTERS, "holding")]
        place = Place(table, entry.whole("address", 0, 0xFFFF))
        kind = entry.one_of("data_type", _TYPES, "int16")
        order = _SWAPS[entry.option("swap", tuple(_SWAPS), "none")]
        if entry.flag("reverse_order", False):
            order = "CDAB"
        count = entry.whole("count", 1, 125, 1)
        if kind in ("int", "uint", "float"):
            if count not in _BY_COUNT:
                raise entry.error("count", f"must be 1, 2 or 4 for {kind}, got {count}")
            kind += _BY_COUNT[count]
        elif kind == "string":
            if "count" not in entry:
                raise entry.error("count", "is missing, a string needs its number of registers")
            if order in ("CDAB", "DCBA"):
                self._notes.left_out(entry.where, "a text with its registers in reverse order")
                return None
            return PointSpec(name, place, "string", size=2 * count, order=order)
        elif kind == "custom":
            found = self._custom(entry, count)
            if found is None:
                return None
            kind, own = found
            # A structure that is little-endian is reversed within the swapped registers.
            order = _reversed(order) if own else order
        elif "count" in entry and count != _registers_of(kind):
            raise entry.error("count", f"must be left out for {kind}, got {count}")
        if "structure" in entry and entry.get("data_type") != "custom":
            raise entry.error("structure", f"is for the data_type custom, not for {kind}")
        if kind[-2:] == "16" and order in ("CDAB", "DCBA"):
            order = "ABCD" if order == "CDAB" else "BADC"
        scale = entry.decimal("scale", 1.0)
        if not scale:
            raise entry.error("scale", "must not be 0")
        return PointSpec(
            name, place, kind, order=order, scale=scale, offset=entry.decimal("offset", 0.0)
        )

    def _custom(self, entry: Entry, count: int) -> tuple[str, bool] | None:
        """Return the type of a structure, and True if it is little-endian; None with a note."""
        structure = entry.label("structure")
        try:
            size = struct.calcsize(structure)
        except struct.error as error:
            raise entry.error(
                "structure", f'must be a format of struct, such as ">f": {error}'
            ) from None
        if size != 2 * count:
            raise entry.error("count", f"must be {size / 2:g}, the registers of {structure}")
        found = re.fullmatch(r"([<>!=@]?)1?([a-zA-Z])", structure)
        kind = "" if found is None else _STRUCTS.get(found[2], "")
        if found is None or not kind or _registers_of(kind) != count:
            self._notes.left_out(
                entry.where, f"the structure {structure} is not one number of a known type"
            )
            return None
        return kind, found[1] not in (">", "!")

    def _binary_sensor(self, entry: Entry) -> None:
        table = _TABLES[entry.one_of("input_type", tuple(_TABLES), "coil")]
        first, name = entry.whole("address", 0, 0xFFFF), entry.label("name")
        for number in range(_virtual(entry) + 1):
            place = Place(table, first + number)
            # Of a register, Home Assistant takes the lowest bit.
            kind = "bool" if place.has_bits else "bit"
            self._add(entry, PointSpec(_numbered(name, number), place, kind))

    def _switch(self, entry: Entry) -> None:
        name = entry.label("name")
        self._notes.unused(entry, (*_SWITCH_UNUSED, *_LIGHT_UNUSED))
        table = _WRITES[entry.one_of("write_type", tuple(_WRITES), "holding")]
        place = Place(table, entry.whole("address", 0, 0xFFFF))
        self._add(entry, _state(name, place))
        if "verify" not in entry or entry.get("verify") is None:
            return
        verify = entry.entry("verify", ("address", "input_type", *_VERIFY_UNUSED))
        self._notes.unused(verify, _VERIFY_UNUSED)
        default = next(key for key, found in _TABLES.items() if found == table)
        shown = Place(
            _WRITES[verify.one_of("input_type", tuple(_WRITES), default)],
            verify.whole("address", 0, 0xFFFF, place.address),
        )
        if shown != place:
            self._add(entry, _state(f"{name} verify", shown))

    def _cover(self, entry: Entry) -> None:
        name = entry.label("name")
        self._notes.unused(entry, _STATES)
        table = _TABLES[entry.one_of("input_type", ("holding", "coil"), "holding")]
        self._add(entry, _state(name, Place(table, entry.whole("address", 0, 0xFFFF))))
        if "status_register" in entry:
            kind = _TABLES[entry.one_of("status_register_type", _REGISTERS, "holding")]
            status = Place(kind, entry.whole("status_register", 0, 0xFFFF))
            self._add(entry, _state(f"{name} status", status))

    def _climate(self, entry: Entry) -> None:
        name = entry.label("name")
        self._notes.unused(entry, (*_CLIMATE_UNUSED, "precision"))
        point = self._number(entry, name)
        if point is None:
            return
        unit = entry.label("temperature_unit", "C")
        point = replace(point, unit=f"°{unit}" if unit in ("C", "F") else unit)
        current = replace(
            point,
            scale=entry.decimal("current_temp_scale", point.scale),
            offset=entry.decimal("current_temp_offset", point.offset),
        )
        self._add(entry, current)
        targets = _registers(entry, "target_temp_register")
        for number, address in enumerate(dict.fromkeys(targets)):
            target = replace(
                point,
                name=_numbered(f"{name} target", number),
                place=Place("holding_registers", address),
                scale=entry.decimal("target_temp_scale", point.scale),
                offset=entry.decimal("target_temp_offset", point.offset),
            )
            self._add(entry, target)
        for key in _MODES:
            if key in entry and entry.get(key) is not None:
                mode = entry.free(key)
                self._notes.unused(mode, ("values", "write_registers"))
                for address in _registers(mode, "address")[:1]:
                    place = Place("holding_registers", address)
                    self._add(entry, _state(f"{name} {key.removesuffix('_register')}", place))
        if "hvac_onoff_register" in entry:
            place = Place("holding_registers", entry.whole("hvac_onoff_register", 0, 0xFFFF))
            self._add(entry, _state(f"{name} hvac_onoff", place))

    def _add(self, entry: Entry, point: PointSpec) -> None:
        interval = entry.decimal("scan_interval", 0.0)
        if interval > 0:
            point = replace(point, polled=Polled(interval))
        key = "slave" if "slave" in entry else "device_address"
        self._device.add(entry.whole(key, 0, 255, 1), point, entry.where)


def _state(name: str, place: Place) -> PointSpec:
    """Return the point of a coil, or of a register with a state as its number."""
    return PointSpec(name, place, "bool" if place.has_bits else "uint16")


def _numbered(name: str, number: int) -> str:
    return f"{name} {number}" if number else name


def _virtual(entry: Entry) -> int:
    key = "virtual_count" if "virtual_count" in entry else "slave_count"
    return entry.whole(key, 0, 1000, 0)


def _registers(entry: Entry, key: str) -> list[int]:
    """Return the addresses of a key that may have one or a list of them."""
    value = list_of(entry.get(key))
    if value is None:
        return [entry.whole(key, 0, 0xFFFF)]
    found = [each for each in value if isinstance(each, int) and 0 <= each <= 0xFFFF]
    if not found or len(found) != len(value):
        raise entry.error(key, f"must be an address 0..65535 or a list of them, got {shown(value)}")
    return found


def _none(entry: Entry, kind: str) -> tuple[int, ...]:
    """Return the raw values of `nan_value`, which stands for its negative, too."""
    if "nan_value" not in entry or kind == "string":
        return ()
    number = entry.whole("nan_value", -(1 << 63), (1 << 64) - 1)
    bits = 16 * _registers_of(kind)
    if kind.startswith("float"):
        form = {16: ">e", 32: ">f", 64: ">d"}[bits]
        raws = [int.from_bytes(struct.pack(form, each), "big") for each in (number, -number)]
        return tuple(dict.fromkeys(raws))
    least, most = (
        (0, (1 << bits) - 1) if kind[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    )
    allowed = [each for each in (number, -number) if least <= each <= most]
    return tuple(dict.fromkeys(each & (1 << bits) - 1 for each in allowed))


def _reversed(order: str) -> str:
    """Return the order of a number whose bytes are all in reverse order, too."""
    return {"ABCD": "DCBA", "CDAB": "BADC", "BADC": "CDAB", "DCBA": "ABCD"}[order]


def _registers_of(kind: str) -> int:
    """Return the number of registers of a number, such as 2 of float32."""
    return int("".join(filter(str.isdigit, kind))) // 16


def _words(point: PointSpec) -> int:
    if point.type == "string":
        return point.size // 2
    return _registers_of(point.type)
