"""`Panel`: the `View` of a running simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modwire import Units
from modwire.server.peers import AllowedNetworks
from modwire.units.tables import BIT_TABLES, TABLES

from ..addresses import Place
from .live_device import LiveDevice
from .points import LivePoint
from .serving import Server
from .tables import Table
from .traffic import Traffic
from .trends import Trends
from .unit_panel import UnitPanel, check_range, check_table, check_values, choose_endpoint, mode_of
from .units import SimulatedUnit
from .view import (
    ConnectionInfo,
    DeviceInfo,
    EndpointMode,
    Faults,
    Feature,
    Message,
    PointInfo,
    TableInfo,
    TrafficFilter,
    UnitInfo,
)

_FEATURES: frozenset[Feature] = frozenset(
    ("points", "faults", "power", "clients", "networks", "mode")
)


class Panel(UnitPanel):
    """The methods are documented in `View`."""

    def __init__(
        self,
        devices: Sequence[LiveDevice],
        server: Server,
        traffic: Traffic,
        trends: Trends,
    ) -> None:
        self._devices = devices
        self._server = server
        self._traffic = traffic
        self._trends = trends

    def _device(self, index: int) -> LiveDevice:
        if not 0 <= index < len(self._devices):
            raise LookupError(f"there is no device {index}, there are 0..{len(self._devices) - 1}")
        return self._devices[index]

    def _unit(self, device: int, unit: int) -> SimulatedUnit:
        return self._device(device).unit(unit)

    def _point(self, device: int, unit: int, name: str) -> LivePoint:
        found = self._unit(device, unit)
        if name not in found.points:
            known = ", ".join(found.points) or "none"
            raise LookupError(f"unit {unit} has no point {name!r}; it has {known}")
        return found.points[name]

    def _table(self, device: int, unit: int, table: str) -> Table:
        found = self._unit(device, unit)
        check_table(table)
        if table not in found.tables:
            raise ValueError(f"unit {unit} has no {table.replace('_', ' ')}")
        return found.tables[table]

    # The units, for `UnitPanel`.

    def _found(self, device: int, unit: int) -> SimulatedUnit:
        return self._unit(device, unit)

    def _ids(self, device: int, unit: int) -> list[int]:
        found = self._device(device)
        if not self._unit(device, unit).spec.every_id:
            return [unit]
        return [each for each in range(256) if each == unit or each not in found.simulated]

    def _homes(self, device: int) -> Sequence[Units]:
        return self._device(device).homes

    def _allowed(self, device: int) -> AllowedNetworks:
        return self._device(device).allowed

    def features(self) -> frozenset[Feature]:
        return _FEATURES

    def waits(self) -> bool:
        return False

    def set_delimiter(self, device: int, code: int) -> None:
        super().set_delimiter(device, code)
        for unit in self._device(device).simulated.values():
            unit.ascii_delimiter = code

    def modes(self, device: int) -> list[EndpointMode]:
        found = self._device(device).endpoints
        return [EndpointMode(str(each), mode_of(each)) for each in found]

    def set_mode(self, device: int, mode: str, endpoint: str = "") -> None:
        found = self._device(device)
        chosen = choose_endpoint([str(each) for each in found.endpoints], endpoint)
        self._server.change_mode(found, found.endpoints[chosen], mode)

    def title(self) -> str:
        names = list(dict.fromkeys(each.spec.name for each in self._devices))
        count = len(self._devices)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return shown if count == len(names) else f"{shown} ({count} devices)"

    def devices(self, start: int = 0, count: int | None = None) -> list[DeviceInfo]:
        if start < 0 or (count is not None and count < 0):
            raise ValueError(f"start and count must be at least 0, got {start} and {count}")
        stop = None if count is None else start + count
        return [
            DeviceInfo(
                each.index,
                each.spec.name,
                each.running,
                list(each.listening) or [str(endpoint) for endpoint in each.endpoints],
                [UnitInfo(unit.spec.id, unit.spec.name) for unit in each.simulated.values()],
                each.requests,
                each.connections,
            )
            for each in self._devices[start:stop]
        ]

    def device_count(self) -> int:
        return len(self._devices)

    def tables(self, device: int, unit: int) -> list[TableInfo]:
        return [
            TableInfo(
                name,
                [(each.start, each.stop - each.start) for each in table.segments],
                Place(name, 0).is_writable,
            )
            for name, table in self._unit(device, unit).tables.items()
        ]

    def values(
        self, device: int, unit: int, table: str, address: int, count: int
    ) -> list[int | None]:
        check_range(address, count)
        if table in TABLES and table not in self._unit(device, unit).tables:
            return [None] * count
        return self._table(device, unit, table).peek(address, count)

    def write(
        self, device: int, unit: int, table: str, address: int, values: Sequence[int]
    ) -> None:
        found = self._table(device, unit, table)
        check_values(address, values, 1 if table in BIT_TABLES else 0xFFFF)
        try:
            found.poke(address, values)
        except IndexError:
            last = address + len(values) - 1
            raise ValueError(
                f"unit {unit} does not have all of {address}..{last} in its "
                f"{table.replace('_', ' ')}"
            ) from None

    def points(self, device: int, unit: int) -> list[PointInfo]:
        found = self._unit(device, unit)
        now = found.now()
        return [
            PointInfo(
                name,
                point.spec.place.table,
                point.spec.place.address,
                point.codec.size,
                point.spec.type,
                point.spec.unit,
                point.value(now),
                "" if point.spec.behaviour is None else point.spec.behaviour.text,
                point.held,
            )
            for name, point in found.points.items()
        ]

    def write_point(self, device: int, unit: int, name: str, value: object) -> None:
        point = self._point(device, unit, name)
        now = self._unit(device, unit).now()
        point.refresh(now)
        point.set(value, now)

    def hold_point(self, device: int, unit: int, name: str, held: bool) -> None:
        self._point(device, unit, name).hold(held, self._unit(device, unit).now())

    def trend(self, device: int, unit: int, name: str) -> list[tuple[float, float]]:
        self._point(device, unit, name)
        return self._trends.latest(device, unit, name)

    def connections(self) -> list[ConnectionInfo]:
        return self._server.clients.connections()

    def traffic(
        self, after: int = 0, wanted: TrafficFilter | None = None, most: int = 200
    ) -> list[Message]:
        return self._traffic.latest(after, wanted, most)

    def faults(self, device: int, unit: int) -> Faults:
        return self._device(device).faults(unit)

    def set_faults(self, device: int, unit: int, faults: Faults) -> None:
        self._device(device).set_faults(unit, faults)

    def start(self, device: int) -> None:
        self._server.start(self._device(device))

    def stop(self, device: int) -> None:
        self._server.stop(self._device(device))

    def problems(self) -> Mapping[int, str]:
        return {each.index: each.problem for each in self._devices if each.problem}
