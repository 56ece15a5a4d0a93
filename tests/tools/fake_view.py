"""`FakeView`: a small simulation without servers, for tests of the page and its interface."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from modwire import AllowedNetworks, Endpoint, Identity, ObjectId, Unit, Units
from modwire_tools.simulator.unit_panel import UnitPanel, choose_endpoint, mode_of
from modwire_tools.simulator.view import (
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

NOW = 1_790_000_000.0


@dataclass
class FakeView(UnitPanel):
    """`count` devices with the units 1 and 7, which share tables, points and everything else."""

    count: int = 3
    stopped: set[int] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)
    trends: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    current_faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        identity = {**dict.fromkeys((0, 1, 2), "x"), ObjectId.PRODUCT_NAME: "Fake", 128: "é"}
        self.unit = Unit(identity=Identity(identity))
        self.unit.restart()
        self.allowed = AllowedNetworks()
        self.served_at = Endpoint.parse("rtu+tcp://127.0.0.1:5020")
        self.values_of: dict[str, dict[int, int]] = {
            "coils": dict.fromkeys(range(16), 0),
            "holding_registers": {
                **dict.fromkeys(range(40), 0),
                **dict.fromkeys(range(100, 104), 7),
            },
            "input_registers": dict.fromkeys(range(10), 0),
        }
        self.point_list = [
            PointInfo("voltage", "input_registers", 0, 2, "float32", "V", 230.5, "sine", False),
            PointInfo("running", "coils", 0, 1, "bit", "", True, "", False),
            PointInfo("label", "holding_registers", 20, 4, "text", "", "pump", "", False),
            PointInfo("energy", "holding_registers", 30, 4, "uint64", "Wh", 2**60, "", False),
            PointInfo("broken", "holding_registers", 34, 2, "float32", "", math.nan, "", False),
            PointInfo("a/b", "holding_registers", 38, 1, "uint16", "", 5, "", False),
        ]

    def _found(self, device: int, unit: int) -> Unit:
        self._check(device, unit)
        return self.unit

    def _ids(self, device: int, unit: int) -> list[int]:
        return [1, 7]

    def _homes(self, device: int) -> list[Units]:
        self._check(device, 1)
        return [Units({1: self.unit, 7: self.unit})]

    def _allowed(self, device: int) -> AllowedNetworks:
        self._check(device, 1)
        return self.allowed

    def features(self) -> frozenset[Feature]:
        return frozenset(("points", "faults", "power", "clients", "networks", "mode"))

    def waits(self) -> bool:
        return False

    def modes(self, device: int) -> list[EndpointMode]:
        return [EndpointMode(str(self.served_at), mode_of(self.served_at))]

    def set_mode(self, device: int, mode: str, endpoint: str = "") -> None:
        choose_endpoint([str(self.served_at)], endpoint)
        self.served_at = self.served_at.replace(framing=mode)

    def title(self) -> str:
        return "a fake"

    def devices(self, start: int = 0, count: int | None = None) -> list[DeviceInfo]:
        end = self.count if count is None else min(self.count, start + count)
        units = [UnitInfo(1, "meter"), UnitInfo(7, "drive")]
        return [
            DeviceInfo(
                index=index,
                name=f"device {index}",
                running=index not in self.stopped,
                endpoints=[f"tcp://127.0.0.1:{5020 + index}"],
                units=units,
                requests=0,
                connections=0,
            )
            for index in range(start, end)
        ]

    def device_count(self) -> int:
        return self.count

    def _check(self, device: int, unit: int) -> None:
        if not 0 <= device < self.count:
            raise LookupError(f"there is no device {device}")
        if unit not in (1, 7):
            raise LookupError(f"device {device} has no unit {unit}")

    def tables(self, device: int, unit: int) -> list[TableInfo]:
        self._check(device, unit)
        return [
            TableInfo("coils", [(0, 16)], True),
            TableInfo("holding_registers", [(0, 40), (100, 4)], True),
            TableInfo("input_registers", [(0, 10)], False),
        ]

    def _table(self, table: str) -> dict[int, int]:
        if table not in self.values_of:
            raise LookupError(f"this unit has no table {table!r}")
        return self.values_of[table]

    def values(
        self, device: int, unit: int, table: str, address: int, count: int
    ) -> list[int | None]:
        self._check(device, unit)
        found = self._table(table)
        return [found.get(place) for place in range(address, address + count)]

    def write(
        self, device: int, unit: int, table: str, address: int, values: Sequence[int]
    ) -> None:
        self._check(device, unit)
        found = self._table(table)
        for offset, value in enumerate(values):
            if address + offset not in found:
                raise LookupError(f"{table} has no address {address + offset}")
            if not 0 <= value <= 65535:
                raise ValueError(f"a register must be 0..65535, got {value}")
        found.update({address + offset: value for offset, value in enumerate(values)})

    def points(self, device: int, unit: int) -> list[PointInfo]:
        self._check(device, unit)
        return list(self.point_list)

    def _replace_point(self, name: str, **changes: object) -> None:
        for index, point in enumerate(self.point_list):
            if point.name == name:
                self.point_list[index] = replace(point, **changes)  # type: ignore[arg-type]
                return
        raise LookupError(f"there is no point {name!r}")

    def write_point(self, device: int, unit: int, name: str, value: object) -> None:
        self._check(device, unit)
        if name == "voltage" and isinstance(value, float | int) and value > 1000:
            raise ValueError(f"voltage must be 0..1000 V, got {value}")
        self._replace_point(name, value=value)

    def hold_point(self, device: int, unit: int, name: str, held: bool) -> None:
        self._check(device, unit)
        self._replace_point(name, held=held)

    def trend(self, device: int, unit: int, name: str) -> list[tuple[float, float]]:
        self._check(device, unit)
        return self.trends.setdefault(name, [])

    def counters(self, device: int, unit: int) -> dict[str, int]:
        self._check(device, unit)
        return {"bus messages": 3, "bus exception errors": 1}

    def connections(self) -> list[ConnectionInfo]:
        return [ConnectionInfo(0, "tcp://127.0.0.1:5020", "127.0.0.1:40000", NOW, NOW + 1, 9)]

    def add_message(self, **changes: object) -> None:
        """Add a message: a read of one holding register, with `changes` applied."""
        message = Message(
            number=len(self.messages) + 1,
            time=time.time(),
            milliseconds=0.4,
            device=0,
            endpoint="tcp://127.0.0.1:5020",
            peer="127.0.0.1:40000",
            unit=1,
            function=3,
            request="0300000001",
            response="03020007",
            request_text="read 1 holding register from 0",
            response_text="7",
            outcome="ok",
            fault="",
        )
        self.messages.append(replace(message, **changes))  # type: ignore[arg-type]

    def traffic(
        self, after: int = 0, wanted: TrafficFilter | None = None, most: int = 200
    ) -> list[Message]:
        wanted = wanted or TrafficFilter()
        found = [
            message
            for message in self.messages
            if message.number > after
            and wanted.device in (None, message.device)
            and wanted.unit in (None, message.unit)
            and wanted.outcome in (None, message.outcome)
            and (wanted.functions is None or message.function in wanted.functions)
            and (wanted.peer is None or wanted.peer in message.peer)
            and (wanted.text is None or wanted.text in message.request_text)
        ]
        return found[-most:]

    def faults(self, device: int, unit: int) -> Faults:
        self._check(device, unit)
        return self.current_faults

    def set_faults(self, device: int, unit: int, faults: Faults) -> None:
        self._check(device, unit)
        self.current_faults = faults

    def start(self, device: int) -> None:
        self.stopped.discard(device)

    def stop(self, device: int) -> None:
        self.stopped.add(device)

    def problems(self) -> Mapping[int, str]:
        return {2: "port 5022 is in use"}
