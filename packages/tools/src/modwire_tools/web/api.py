"""The REST interface under `/api`: `OPERATIONS` defines its routes and its OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..simulator.view import (
    ConnectionInfo,
    EndpointMode,
    EventInfo,
    Faults,
    IdentityObject,
    Message,
    PointInfo,
    ServerView,
    TableInfo,
    UnitState,
    View,
)
from . import queries
from .access import RefusedError
from .guard import SESSION, route_of
from .models import (
    ChangeFaults,
    ChangePoint,
    ChangeUnit,
    Device,
    DevicePage,
    Devices,
    Exchange,
    Explanation,
    Networks,
    Nothing,
    OneDevice,
    OneNetwork,
    OnePoint,
    OneUnit,
    Overview,
    ResetUnit,
    SetDelimiter,
    SetMode,
    SetNetworks,
    Statistics,
    TableRange,
    Token,
    TrafficQuery,
    Trend,
    Values,
    WriteValues,
)
from .operations import Host, Operation, answer, change, check_query, get, remove
from .reading import parse_object, point_value, read

AskedT = TypeVar("AskedT", bound=Struct)


def _of_view(query: Callable[[ServerView, AskedT], object]) -> Callable[[Host, AskedT], object]:
    return lambda host, asked: query(host.view, asked)


def _of_simulation(query: Callable[[View, AskedT], object]) -> Callable[[Host, AskedT], object]:
    return lambda host, asked: query(host.simulation, asked)


def _overview(host: Host, asked: Nothing) -> Overview:
    view = host.view
    features = sorted(view.features())
    return Overview(view.title(), view.device_count(), view.problems(), __version__, features)


async def _describe(host: Host, request: Request) -> object:
    check_query(request, ())
    return {**host.document, "servers": [{"url": route_of(request.scope)[1] or "/"}]}


async def _sign_in(host: Host, request: Request) -> Response:
    check_query(request, ())
    asked = read(Token, parse_object(await request.body()))
    response = answer({})
    if host.access.wants_token:
        if not host.access.is_token(asked.token):
            raise RefusedError(401, "this is not the token of this server")
        host.access.give_cookie(response, route_of(request.scope)[1])
    return response


def _start(host: Host, asked: OneDevice) -> Device:
    queries.device(host.view, asked)
    host.simulation.start(asked.device)
    return queries.device(host.view, asked)


def _stop(host: Host, asked: OneDevice) -> Device:
    queries.device(host.view, asked)
    host.simulation.stop(asked.device)
    return queries.device(host.view, asked)


def _set_delimiter(host: Host, asked: SetDelimiter) -> Device:
    host.view.set_delimiter(asked.device, asked.delimiter)
    return queries.device(host.view, asked)


def _set_mode(host: Host, asked: SetMode) -> list[EndpointMode]:
    host.view.set_mode(asked.device, asked.mode, asked.endpoint)
    return host.view.modes(asked.device)


def _set_networks(host: Host, asked: SetNetworks) -> Networks:
    host.view.set_networks(asked.device, asked.networks)
    return queries.networks(host.view, asked)


def _allow_all(host: Host, asked: OneDevice) -> Networks:
    host.view.set_networks(asked.device, None)
    return queries.networks(host.view, asked)


def _add_network(host: Host, asked: OneNetwork) -> Networks:
    host.view.add_network(asked.device, asked.network)
    return queries.networks(host.view, asked)


def _remove_network(host: Host, asked: OneNetwork) -> Networks:
    host.view.remove_network(asked.device, asked.network)
    return queries.networks(host.view, asked)


def _change_unit(host: Host, asked: ChangeUnit) -> UnitState:
    names = ("listen_only", "diagnostic_register", "exception_status")
    given = {name: getattr(asked, name) for name in names if getattr(asked, name) is not UNSET}
    if not given:
        raise ValueError(f"what to change is missing: {', '.join(names)}")
    host.view.change_state(asked.device, asked.unit, **given)
    return queries.state(host.view, asked)


def _reset(host: Host, asked: ResetUnit) -> dict[str, int]:
    view = host.view
    view.reset(asked.device, asked.unit, diagnostics=asked.diagnostics, values=asked.values)
    return queries.counters(view, asked)


def _clear_events(host: Host, asked: OneUnit) -> list[EventInfo]:
    host.view.clear_events(asked.device, asked.unit)
    return queries.events(host.view, asked)


def _clear_statistics(host: Host, asked: OneUnit) -> Statistics:
    host.view.clear_statistics(asked.device, asked.unit)
    return queries.statistics(host.view, asked)


def _values(host: Host, asked: TableRange) -> Values:
    return Values(asked.table, asked.address, queries.values(host.view, asked))


def _write_values(host: Host, asked: WriteValues) -> Values:
    device, unit, table, address = asked.device, asked.unit, asked.table, asked.address
    values = [int(value) for value in asked.values]
    host.view.write(device, unit, table, address, values)
    return Values(table, address, host.view.values(device, unit, table, address, len(values)))


def _change_point(host: Host, asked: ChangePoint) -> PointInfo:
    view = host.simulation
    point = queries.find_point(view, asked)
    if asked.value is UNSET and asked.held is UNSET:
        raise ValueError("what to change is missing: value, held or both")
    if asked.value is not UNSET:
        value = point_value(asked.value, point.value)
        view.write_point(asked.device, asked.unit, asked.name, value)
    if asked.held is not UNSET:
        view.hold_point(asked.device, asked.unit, asked.name, asked.held)
    return queries.point(view, asked)


def _change_faults(host: Host, asked: ChangeFaults) -> Faults:
    view = host.simulation
    named = {field.name: getattr(asked, field.name) for field in fields(Faults)}
    given = {name: value for name, value in named.items() if value is not UNSET}
    faults = replace(view.faults(asked.device, asked.unit), **given)
    view.set_faults(asked.device, asked.unit, faults)
    return view.faults(asked.device, asked.unit)


_DEVICE = "/api/devices/{device}"
_UNIT = f"{_DEVICE}/units/{{unit}}"
_TABLE = f"{_UNIT}/tables/{{table}}"
_POINT = f"{_UNIT}/points/{{name}}"

_NETWORKS = f"{_DEVICE}/networks"

# fmt: off
OPERATIONS = (
    get("/api", Nothing, Overview, "Server", "What is served", _overview),
    Operation("GET", "/api/openapi.json", Nothing, dict, "Server", "This description", None,
              _describe),
    Operation("POST", SESSION, Token, Nothing, "Server", "Get the page's cookie for the token",
              {"token": "..."}, _sign_in),
    get("/api/devices", DevicePage, Devices, "Devices", "Devices, page by page",
        _of_view(queries.devices)),
    get(_DEVICE, OneDevice, Device, "Devices", "One device", _of_view(queries.device)),
    change("POST", f"{_DEVICE}/start", OneDevice, Device, "Devices", "Serve a device again",
           _start).only_with("power"),
    change("POST", f"{_DEVICE}/stop", OneDevice, Device, "Devices",
           "Stop serving a device; its values stay", _stop).only_with("power"),
    get(f"{_DEVICE}/modes", OneDevice, list[EndpointMode], "Devices",
        "The mode of each endpoint: MBAP, RTU, ASCII or Binary", _of_view(queries.modes)),
    change("PUT", f"{_DEVICE}/modes", SetMode, list[EndpointMode], "Devices",
           "Serve an endpoint with another mode", _set_mode, {"mode": "rtu"}).only_with("mode"),
    change("PUT", f"{_DEVICE}/delimiter", SetDelimiter, Device, "Devices",
           "Change the last character of ASCII frames", _set_delimiter, {"delimiter": 10}),
    get(_NETWORKS, OneDevice, Networks, "Devices", "The networks whose clients may connect",
        _of_view(queries.networks)).only_with("networks"),
    change("PUT", _NETWORKS, SetNetworks, Networks, "Devices",
           "Allow these networks and no others", _set_networks,
           {"networks": ["127.0.0.0/8"]}).only_with("networks"),
    change("POST", _NETWORKS, OneNetwork, Networks, "Devices", "Allow one network more",
           _add_network, {"network": "192.168.0.0/16"}).only_with("networks"),
    remove(_NETWORKS, OneDevice, Networks, "Devices", "Allow all networks",
           _allow_all).only_with("networks"),
    remove(f"{_NETWORKS}/{{network}}", OneNetwork, Networks, "Devices", "Allow one network less",
           _remove_network).only_with("networks"),
    get(f"{_UNIT}/tables", OneUnit, list[TableInfo], "Values", "The tables of a unit",
        _of_view(queries.tables)),
    get(_TABLE, TableRange, Values, "Values", "Values of a table", _values, waits=True),
    change("PUT", _TABLE, WriteValues, Values, "Values",
           "Write values, of inputs too", _write_values, {"address": 0, "values": [1]},
           waits=True),
    get(f"{_UNIT}/points", OneUnit, list[PointInfo], "Points", "The points of a unit",
        _of_simulation(queries.points)).only_with("points"),
    get(_POINT, OnePoint, PointInfo, "Points", "One point",
        _of_simulation(queries.point)).only_with("points"),
    change("PUT", _POINT, ChangePoint, PointInfo, "Points",
           "Set a point, hold its value, or release it", _change_point,
           {"value": 1}).only_with("points"),
    get(f"{_UNIT}/trends/{{name}}", OnePoint, Trend, "Points",
        "The latest values of a point, recorded since the first such request",
        _of_simulation(queries.trend)).only_with("points"),
    get(_UNIT, OneUnit, UnitState, "Diagnostics", "The settings of a unit",
        _of_view(queries.state)),
    change("PUT", _UNIT, ChangeUnit, UnitState, "Diagnostics",
           "Change settings of a unit; those that are not named stay", _change_unit,
           {"listen_only": False}),
    change("POST", f"{_UNIT}/reset", ResetUnit, dict[str, int], "Diagnostics",
           "Reset the counters and the event log of a unit, or its values; answers the counters",
           _reset, {"diagnostics": True, "values": False}, waits=True),
    get(f"{_UNIT}/identity", OneUnit, list[IdentityObject], "Diagnostics",
        "The device identification (function 43/14)", _of_view(queries.identity)),
    get(f"{_UNIT}/counters", OneUnit, dict[str, int], "Diagnostics", "The diagnostic counters",
        _of_view(queries.counters)),
    get(f"{_UNIT}/events", OneUnit, list[EventInfo], "Diagnostics",
        "The event log (function 12), the newest first", _of_view(queries.events)),
    remove(f"{_UNIT}/events", OneUnit, list[EventInfo], "Diagnostics", "Clear the event log",
           _clear_events),
    get(f"{_UNIT}/statistics", OneUnit, Statistics, "Diagnostics",
        "The Modbus Plus statistics (function 8, sub-function 21)", _of_view(queries.statistics)),
    remove(f"{_UNIT}/statistics", OneUnit, Statistics, "Diagnostics",
           "Clear the Modbus Plus statistics", _clear_statistics),
    get(f"{_UNIT}/faults", OneUnit, Faults, "Faults", "The faults of a unit",
        _of_simulation(queries.faults)).only_with("faults"),
    change("PUT", f"{_UNIT}/faults", ChangeFaults, Faults, "Faults",
           "Change the faults of a unit; those that are not named stay", _change_faults,
           {"exception": 0.5, "exception_code": 6}).only_with("faults"),
    get("/api/connections", Nothing, list[ConnectionInfo], "Clients", "Connected clients",
        _of_view(queries.connections)).only_with("clients"),
    get("/api/traffic", TrafficQuery, list[Message], "Clients",
        "The latest messages, recorded since the first such request",
        _of_view(queries.traffic)).only_with("clients"),
    get("/api/explain", Exchange, Explanation, "Clients", "What the bytes of a message mean",
        _of_view(queries.explain)),
)
"""All operations, in the order of the documentation."""
# fmt: on


def operations_of(view: ServerView) -> list[Operation]:
    """Return the operations for what `view` has."""
    features = view.features()
    return [each for each in OPERATIONS if each.feature is None or each.feature in features]
