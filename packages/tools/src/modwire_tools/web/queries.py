"""Queries of a `View`, for the REST interface and the WebSocket; each takes one of the `models`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, TypeGuard

from msgspec import UNSET, Meta, Struct

from ..explain import Field, explain_pdu
from ..simulator.view import (
    ConnectionInfo,
    DeviceInfo,
    EndpointMode,
    EventInfo,
    Faults,
    IdentityObject,
    Message,
    PointInfo,
    ServerView,
    TableInfo,
    TrafficFilter,
    UnitState,
    View,
)
from .models import (
    Device,
    DevicePage,
    Devices,
    Exchange,
    ExplainedField,
    Explanation,
    Networks,
    Nothing,
    OneDevice,
    OnePoint,
    OneUnit,
    Statistics,
    TableRange,
    TrafficQuery,
    Trend,
)
from .reading import hex_bytes, read

_LARGEST_EXACT = 2**53 - 1  # JavaScript rounds larger integers


def devices(view: ServerView, asked: DevicePage) -> Devices:
    """Return a page of all devices, or of the devices that the search finds."""
    return device_page(view, asked, search_devices(view, asked.search))


def device_page(
    view: ServerView, asked: DevicePage, found: Sequence[int] | None, *, units: int | None = None
) -> Devices:
    """Return a page of all devices or of `found`, with at most `units` units of each."""
    start, stop = asked.start, asked.start + asked.count
    if found is None:
        total, shown = view.device_count(), view.devices(start, asked.count)
    else:
        total = len(found)
        shown = [each for index in found[start:stop] for each in view.devices(index, 1)]
    problems = view.problems()
    return Devices(total, start, [_device(info, problems, units) for info in shown])


def search_devices(view: ServerView, text: str) -> list[int] | None:
    """Return the indexes of the devices that contain `text`; None if it is empty."""
    if not text:
        return None
    sought = text.casefold()
    return [info.index for info in view.devices() if sought in _searched(info)]


def _searched(info: DeviceInfo) -> str:
    units = (f"{unit.id} {unit.name}" for unit in info.units)
    return "\n".join((f"#{info.index}", info.name, *info.endpoints, *units)).casefold()


def device(view: ServerView, asked: OneDevice) -> Device:
    """Return a device; raises LookupError for an unknown index."""
    found = view.devices(asked.device, 1)
    if not found:
        raise LookupError(
            f"there is no device {asked.device}; there are {view.device_count()} from 0 on"
        )
    return _device(found[0], view.problems(), None)


def _device(info: DeviceInfo, problems: Mapping[int, str], units: int | None) -> Device:
    return Device(
        info.index,
        info.name,
        info.running,
        info.endpoints,
        info.units[:units],
        info.requests,
        info.connections,
        problems.get(info.index, ""),
    )


def tables(view: ServerView, asked: OneUnit) -> list[TableInfo]:
    """Return the tables of a unit."""
    return view.tables(asked.device, asked.unit)


def values(view: ServerView, asked: TableRange) -> list[int | None]:
    """Return values of a table; None for each address that does not exist."""
    return view.values(asked.device, asked.unit, asked.table, asked.address, asked.count)


def points(view: View, asked: OneUnit) -> list[PointInfo]:
    """Return the points of a unit."""
    return [_point(info) for info in view.points(asked.device, asked.unit)]


def point(view: View, asked: OnePoint) -> PointInfo:
    """Return a point; raises LookupError for an unknown name."""
    return _point(find_point(view, asked))


def find_point(view: View, asked: OnePoint) -> PointInfo:
    """Return a point with the exact value of the view; raises LookupError for an unknown name."""
    for info in view.points(asked.device, asked.unit):
        if info.name == asked.name:
            return info
    raise LookupError(f"this unit has no point {asked.name!r}")


def _point(info: PointInfo) -> PointInfo:
    return replace(info, value=exact(info.value))


def exact(value: object) -> object:
    """Return a point's value for JSON, with text for numbers that JavaScript cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        return str(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if _is_sequence(value):
        return [exact(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def trend(view: View, asked: OnePoint) -> Trend:
    """Return the latest values of a point; JSON has null for infinite values and NaN."""
    return Trend(asked.name, view.trend(asked.device, asked.unit, asked.name))


def counters(view: ServerView, asked: OneUnit) -> dict[str, int]:
    """Return the diagnostic counters of a unit."""
    return view.counters(asked.device, asked.unit)


def state(view: ServerView, asked: OneUnit) -> UnitState:
    """Return the settings of a unit."""
    return view.state(asked.device, asked.unit)


def identity(view: ServerView, asked: OneUnit) -> list[IdentityObject]:
    """Return the device identification of a unit."""
    return view.identity(asked.device, asked.unit)


def events(view: ServerView, asked: OneUnit) -> list[EventInfo]:
    """Return the event log of a unit, the newest event first."""
    return view.events(asked.device, asked.unit)


def statistics(view: ServerView, asked: OneUnit) -> Statistics:
    """Return the Modbus Plus statistics of a unit, by name."""
    return view.statistics(asked.device, asked.unit)


def modes(view: ServerView, asked: OneDevice) -> list[EndpointMode]:
    """Return the mode of each endpoint of a device."""
    return view.modes(asked.device)


def networks(view: ServerView, asked: OneDevice) -> Networks:
    """Return the networks whose clients may connect to a device."""
    return Networks(view.networks(asked.device))


def faults(view: View, asked: OneUnit) -> Faults:
    """Return the faults of a unit."""
    return view.faults(asked.device, asked.unit)


def connections(view: ServerView, asked: Nothing) -> list[ConnectionInfo]:
    """Return the connected clients."""
    return view.connections()


def traffic(view: ServerView, asked: TrafficQuery) -> list[Message]:
    """Return the latest messages that pass the filter."""
    return view.traffic(asked.after, traffic_filter(asked), asked.most)


class _Function(Struct):
    functions: Annotated[int, Meta(ge=1, le=255)]


def traffic_filter(asked: TrafficQuery) -> TrafficFilter:
    """Return the filter in a request; raises ValueError for a wrong function code."""
    codes = asked.functions.split(",") if asked.functions.strip() else []
    functions = [read(_Function, {"functions": code}).functions for code in codes]
    return TrafficFilter(
        device=None if asked.device is UNSET else asked.device,
        unit=None if asked.unit is UNSET else asked.unit,
        peer=asked.peer or None,
        functions=functions or None,
        outcome=None if asked.outcome is UNSET else asked.outcome,
        text=asked.text or None,
    )


def explain(view: ServerView, asked: Exchange) -> Explanation:
    """Return the fields of a request and of its response."""
    request = hex_bytes("request", asked.request)
    response = hex_bytes("response", asked.response)
    return Explanation(
        [_field(each) for each in explain_pdu(request, is_response=False)] if request else [],
        [_field(each) for each in explain_pdu(response, is_response=True, request=request or None)]
        if response
        else [],
    )


def _field(field: Field) -> ExplainedField:
    return ExplainedField(field.start, field.data.hex(" "), field.name, field.meaning)
