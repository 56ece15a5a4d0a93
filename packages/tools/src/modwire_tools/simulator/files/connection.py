"""The table `[connection]` of a device file: the endpoint of the real device, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modwire import Endpoint, Quirks
from modwire.endpoint_options import (
    FLAGS,
    MORE_OPTIONS,
    NEVER,
    TIMES,
    check_value,
    option_text,
    option_value,
)
from modwire.endpoint_text import unquoted

from ...endpoint_forms import explained
from ..fields import shown
from .sections import Section

_ENDPOINT = "endpoint"
_OF_LINES = ("baudrate", "bytesize", "parity", "stopbits", "rs485", "exclusive")
_NAMES = tuple(dict.fromkeys(("unit", "timeout", "retries", *_OF_LINES, *MORE_OPTIONS)))
# Endpoints that have every combination of options that a link can have between them.
_NETWORKS = tuple(
    Endpoint.parse(f"{scheme}://device") for scheme in ("tcp", "rtu+tcp", "tls", "rtu+tls")
)
_LINES = (Endpoint.parse("ascii:///device"), Endpoint.parse("rtu:///device"))


def read_connection(device: Section) -> dict[str, object]:
    """Return the options in the table by name, as endpoints have them; {} without the table."""
    if "connection" not in device:
        return {}
    table = device.section("connection", (*_NAMES, _ENDPOINT))
    found = {name: _value(table, name) for name in list(table.keys()) if name != _ENDPOINT}
    try:
        for name in found.keys() & set(MORE_OPTIONS):
            check_value(name, found[name])
        _check_together(found)
    except ValueError as error:
        name, _, text = str(error).partition(" ")
        raise (table.error(name, text) if name in found else table.failure("", error)) from None
    return found


def read_endpoint(device: Section, connection: Mapping[str, object]) -> str:
    """Return the endpoint in the table, "" if it has none; `connection` has its options."""
    if "connection" not in device:
        return ""
    table = device.section("connection", (*_NAMES, _ENDPOINT))
    text = table.text(_ENDPOINT, "")
    if not text:
        return ""
    try:
        Endpoint.parse(text)
    except ValueError as error:
        raise table.error(_ENDPOINT, f"is wrong: {explained(text, error)}") from None
    try:
        Endpoint.parse(with_connection(text, connection))
    except ValueError as error:
        raise table.failure("", error) from None
    return text


def _check_together(found: Mapping[str, Any]) -> None:
    """Raise ValueError for a wrong value, and if no link has all of the options."""
    errors: list[ValueError] = []
    for place in _LINES if any(name in _OF_LINES for name in found) else _NETWORKS:
        try:
            place.replace(**found)
        except ValueError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def _value(table: Section, name: str) -> object:
    value = table.get(name)
    if name == "quirks":
        return _quirks(table, name)
    if name in FLAGS:
        return table.flag(name, False)
    if name in TIMES and isinstance(value, str):
        try:
            return option_value(name, value)
        except ValueError as error:
            raise table.error(name, str(error).removeprefix(f"{name} ")) from None
    if name == "reconnect_after":
        if value == NEVER:
            return None
        if isinstance(value, str):
            raise table.error(name, f'must be a number or "{NEVER}", got {shown(value)}')
    if value is None:  # null in JSON
        raise table.error(name, "must have a value, got null")
    return value


def _quirks(table: Section, name: str) -> object:
    value = table.get(name)
    names: list[object] = value if isinstance(value, list) else [None]  # pyright: ignore[reportUnknownVariableType]
    texts = [each for each in names if isinstance(each, str)]
    if len(texts) != len(names):
        raise table.error(
            name, f'must be a list of names, such as ["any_unit"], got {shown(table.get(name))}'
        )
    try:
        return option_value(name, ",".join(texts)) if texts else Quirks.none
    except ValueError as error:
        raise table.error(name, str(error).removeprefix(f"{name} ")) from None


def connection_values(connection: Mapping[str, object], endpoint: str) -> dict[str, object]:
    """Return the table, as `read_connection` and `read_endpoint` read it."""
    found = {name: _plain(value) for name, value in connection.items()}
    return {_ENDPOINT: endpoint, **found} if endpoint else found


def _plain(value: object) -> object:
    if isinstance(value, Quirks):
        return option_text(value).split(",")
    return NEVER if value is None else value


def connection_of(endpoint: Endpoint) -> dict[str, object]:
    """Return the options of an endpoint that are not left to their defaults."""
    query = str(endpoint).partition("?")[2]
    items = (item.partition("=") for item in query.split("&") if item)
    return {name: option_value(name, unquoted(text)) for name, _, text in items}


def with_connection(text: str, connection: Mapping[str, object]) -> str:
    """Return the text of an endpoint with the options in `connection` that it does not have."""
    place, _, query = text.partition("?")
    items = query.split("&") if query else []
    given = {item.partition("=")[0] for item in items}
    items += [
        f"{name}={option_text(value)}" for name, value in connection.items() if name not in given
    ]
    return f"{place}?{'&'.join(items)}" if items else place
