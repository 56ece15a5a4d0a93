"""`read_home_assistant`: the hubs below `modbus:` in a configuration of Home Assistant.

The facts are from the documentation of its Modbus integration. Addresses are those on the wire, and
units are called `slave` or `device_address`, 1 without either. `ha_entities` reads the entities.
"""

from __future__ import annotations

from .entries import Entry, Tagged, list_of, table_of
from .findings import Findings, FoundDevice, Notes
from .ha_entities import ENTITIES, Entities
from .loading import load_yaml

_HUB_UNUSED = ("close_comm_on_error", "retry_on_empty", "lazy_error_count")
_LINE = ("method", "baudrate", "bytesize", "parity", "stopbits")
_NETWORKS = {"tcp": "tcp", "udp": "udp", "rtuovertcp": "rtu+tcp"}
_HUB = (
    "name",
    "type",
    "host",
    "port",
    "timeout",
    "delay",
    "retries",
    "message_wait_milliseconds",
    *_LINE,
    *_HUB_UNUSED,
    *ENTITIES,
)


def is_home_assistant(values: object) -> bool:
    """True if the values of a YAML file are a configuration of Home Assistant, or its hubs."""
    table = table_of(values)
    if table is not None:
        return "modbus" in table
    return any(table_of(hub) is not None for hub in list_of(values) or ())


def read_home_assistant(text: str, file: str) -> Findings:
    """Return a device for each hub.

    The file has `modbus:`, or the list below it alone, as a file for `!include` has it.
    """
    notes = Notes(file)
    values = load_yaml(text, file)
    table = table_of(values)
    if table is not None:
        every = Entry(table, tuple(table), file)  # other integrations have their own keys
        values = every.get("modbus")
        if isinstance(values, Tagged):
            raise every.error("modbus", f"is {values}, which another file has: name that file")
        values = values if table_of(values) is None else [values]
    whole = Entry({"modbus": values}, ("modbus",), file)
    devices: list[FoundDevice] = []
    for number, hub in enumerate(whole.entries("modbus", _HUB), 1):
        default = "modbus_hub" if number == 1 else f"modbus_hub_{number}"
        device = FoundDevice(hub.label("name", default), notes)
        notes.unused(hub, _HUB_UNUSED)
        _read_connection(hub, device, notes)
        Entities(device, notes).read(hub)
        devices.append(device)
    return Findings([each.spec() for each in devices], notes.all())


def _read_connection(hub: Entry, device: FoundDevice, notes: Notes) -> None:
    connection = device.connection
    if "timeout" in hub:
        connection["timeout"] = hub.decimal("timeout", 5.0)
    if hub.decimal("delay", 0.0):
        connection["connect_delay"] = hub.decimal("delay", 0.0)
    if hub.decimal("message_wait_milliseconds", 0.0):
        connection["pause"] = hub.decimal("message_wait_milliseconds", 0.0) / 1000
    if "retries" in hub:
        connection["retries"] = hub.whole("retries", 0, 1000)
    kind = hub.one_of("type", (*_NETWORKS, "serial"), "")
    place = "port" if kind == "serial" else "host"
    value = hub.get(place)
    if isinstance(value, Tagged):
        notes.changed(hub.where, f"{place} is {value}, which the file does not have: --endpoint")
        return
    if kind == "serial":
        method = hub.one_of("method", ("rtu", "ascii"), "rtu")
        options = [f"{key}={hub.get(key)}" for key in _LINE[1:] if key in hub]
        text = f"{method}://{hub.label('port')}?{'&'.join(options)}".rstrip("?")
    else:
        notes.unused(hub, _LINE)
        host = hub.label("host")
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        text = f"{_NETWORKS[kind]}://{shown}:{hub.whole('port', 1, 65535, 502)}"
    device.set_endpoint(text, f"{hub.where}, {place}")
