"""The REST interface under `/api`: `OPERATIONS` defines its routes and its OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

from msgspec import UNSET, Struct
from starlette.responses import Response

from .. import __version__
from ..simulator.view import ConnectionInfo, Faults, Message, PointInfo, TableInfo, View
from . import queries
from .access import RefusedError
from .guard import SESSION
from .models import (
    ChangeFaults,
    ChangePoint,
    Device,
    DevicePage,
    Devices,
    Exchange,
    Explanation,
    Nothing,
    OneDevice,
    OnePoint,
    OneUnit,
    Overview,
    TableRange,
    Token,
    TrafficQuery,
    Trend,
    Values,
    WriteValues,
)
from .operations import Host, answer, change, get
from .reading import point_value

AskedT = TypeVar("AskedT", bound=Struct)


def _of_view(query: Callable[[View, AskedT], object]) -> Callable[[Host, AskedT], object]:
    return lambda host, asked: query(host.view, asked)


def _overview(host: Host, asked: Nothing) -> Overview:
    view = host.view
    return Overview(view.title(), view.device_count(), view.problems(), __version__)


def _sign_in(host: Host, asked: Token) -> Response:
    response = answer({})
    if host.access.wants_token:
        if not host.access.is_token(asked.token):
            raise RefusedError(401, "this is not the token that the simulator printed")
        host.access.give_cookie(response)
    return response


def _start(host: Host, asked: OneDevice) -> Device:
    queries.device(host.view, asked)
    host.view.start(asked.device)
    return queries.device(host.view, asked)


def _stop(host: Host, asked: OneDevice) -> Device:
    queries.device(host.view, asked)
    host.view.stop(asked.device)
    return queries.device(host.view, asked)


def _values(host: Host, asked: TableRange) -> Values:
    return Values(asked.table, asked.address, queries.values(host.view, asked))


def _write_values(host: Host, asked: WriteValues) -> Values:
    device, unit, table, address = asked.device, asked.unit, asked.table, asked.address
    values = [int(value) for value in asked.values]
    host.view.write(device, unit, table, address, values)
    return Values(table, address, host.view.values(device, unit, table, address, len(values)))


def _change_point(host: Host, asked: ChangePoint) -> PointInfo:
    point = queries.find_point(host.view, asked)
    if asked.value is UNSET and asked.held is UNSET:
        raise ValueError("what to change is missing: value, held or both")
    if asked.value is not UNSET:
        value = point_value(asked.value, point.value)
        host.view.write_point(asked.device, asked.unit, asked.name, value)
    if asked.held is not UNSET:
        host.view.hold_point(asked.device, asked.unit, asked.name, asked.held)
    return queries.point(host.view, asked)


def _change_faults(host: Host, asked: ChangeFaults) -> Faults:
    named = {field.name: getattr(asked, field.name) for field in fields(Faults)}
    given = {name: value for name, value in named.items() if value is not UNSET}
    faults = replace(host.view.faults(asked.device, asked.unit), **given)
    host.view.set_faults(asked.device, asked.unit, faults)
    return host.view.faults(asked.device, asked.unit)


_DEVICE = "/api/devices/{device}"
_UNIT = f"{_DEVICE}/units/{{unit}}"
_TABLE = f"{_UNIT}/tables/{{table}}"
_POINT = f"{_UNIT}/points/{{name}}"

# fmt: off
OPERATIONS = (
    get("/api", Nothing, Overview, "Simulation", "What is simulated", _overview),
    get("/api/openapi.json", Nothing, dict, "Simulation", "This description",
        lambda host, asked: host.document),
    change("POST", SESSION, Token, Nothing, "Simulation",
           "Get the page's cookie for the token", _sign_in, {"token": "..."}),
    get("/api/devices", DevicePage, Devices, "Devices", "Devices, page by page",
        _of_view(queries.devices)),
    get(_DEVICE, OneDevice, Device, "Devices", "One device", _of_view(queries.device)),
    change("POST", f"{_DEVICE}/start", OneDevice, Device, "Devices", "Serve a device again",
           _start),
    change("POST", f"{_DEVICE}/stop", OneDevice, Device, "Devices",
           "Stop serving a device; its values stay", _stop),
    get(f"{_UNIT}/tables", OneUnit, list[TableInfo], "Values", "The tables of a unit",
        _of_view(queries.tables)),
    get(_TABLE, TableRange, Values, "Values", "Values of a table", _values),
    change("PUT", _TABLE, WriteValues, Values, "Values",
           "Write values, to read-only tables too", _write_values, {"address": 0, "values": [1]}),
    get(f"{_UNIT}/points", OneUnit, list[PointInfo], "Points", "The points of a unit",
        _of_view(queries.points)),
    get(_POINT, OnePoint, PointInfo, "Points", "One point", _of_view(queries.point)),
    change("PUT", _POINT, ChangePoint, PointInfo, "Points",
           "Set a point, hold its value, or release it", _change_point, {"value": 1}),
    get(f"{_UNIT}/trends/{{name}}", OnePoint, Trend, "Points",
        "The latest values of a point, recorded since the first such request",
        _of_view(queries.trend)),
    get(f"{_UNIT}/counters", OneUnit, dict[str, int], "Diagnostics", "The diagnostic counters",
        _of_view(queries.counters)),
    get(f"{_UNIT}/faults", OneUnit, Faults, "Faults", "The faults of a unit",
        _of_view(queries.faults)),
    change("PUT", f"{_UNIT}/faults", ChangeFaults, Faults, "Faults",
           "Change the faults of a unit; those that are not named stay", _change_faults,
           {"exception": 0.5, "exception_code": 6}),
    get("/api/connections", Nothing, list[ConnectionInfo], "Diagnostics", "Connected clients",
        _of_view(queries.connections)),
    get("/api/traffic", TrafficQuery, list[Message], "Traffic",
        "The latest messages, recorded since the first such request", _of_view(queries.traffic)),
    get("/api/explain", Exchange, Explanation, "Traffic", "What the bytes of a message mean",
        _of_view(queries.explain)),
)
"""All operations, in the order of the documentation."""
# fmt: on
