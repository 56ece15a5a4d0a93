"""`UnitsView`: the `ServerView` of a program's own units, beside the servers that serve them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import trio

from modwire import (
    AllowedNetworks,
    BaseUnit,
    Block,
    Endpoint,
    ExceptionResponseError,
    IllegalDataAddressError,
    ServerOptions,
    Units,
)
from modwire.server.options import Served
from modwire.units.datastore import MemoryBlock
from modwire.units.tables import BIT_TABLES, TABLES
from modwire.units.unit import Waits

from ..addresses import Place
from ..endpoint_forms import opened
from ..metrics.counting import both_hooks
from ..simulator.clients import Clients
from ..simulator.mistakes import Mistakes, Watch
from ..simulator.traffic import Traffic
from ..simulator.unit_panel import (
    UnitPanel,
    check_range,
    check_table,
    check_values,
    choose_endpoint,
    mode_of,
)
from ..simulator.view import (
    ConnectionInfo,
    DeviceInfo,
    EndpointMode,
    Feature,
    Message,
    TableInfo,
    TrafficFilter,
    UnitInfo,
)

if TYPE_CHECKING:
    from modwire.server.options import OnConnection

_WITHOUT_CONNECTIONS = ("udp", "serial")
SetMode = Callable[[str, str], object]


class ServedAt:
    """An endpoint at which units are served; `text` may be set once its port is known."""

    def __init__(self, view: UnitsView, text: str) -> None:
        self.text = text
        self._view = view

    def watched(self, options: ServerOptions | None = None) -> ServerOptions:
        """Return `options` with hooks that show the clients and the traffic of this endpoint."""
        return self._view.hooked(self, ServerOptions() if options is None else options)


class UnitsView(UnitPanel):
    """The view of `units`, which servers of any package for trio or asyncio serve.

    - `title`: the name of the device on the page.
    - `allow`: the networks given to the servers, so that the page can change them.
    - `set_mode(endpoint, mode)`: serves an endpoint with other frames; without it, the page shows
      modes and cannot change them. `mode` is "tcp", "rtu", "ascii" or "binary".

    `watched` and `place` name the endpoints. A write from the page to coils and holding registers
    is as that of a client: the rules of the block and its `on_write` apply. Inputs are written as
    by their owner. Blocks of units with `Waits.THREAD` are used in worker threads.

    Call everything in the loop of the servers. The methods are documented in `ServerView`.
    """

    def __init__(
        self,
        units: Units,
        *,
        title: str = "modwire server",
        allow: AllowedNetworks | None = None,
        set_mode: SetMode | None = None,
    ) -> None:
        if not isinstance(units, Units):
            raise TypeError(
                f"units must be Units, such as Units.single(unit), got {type(units).__name__}"
            )
        if allow is not None and not isinstance(allow, AllowedNetworks):
            raise TypeError(
                "allow must be AllowedNetworks, which the servers got as well, got "
                f"{type(allow).__name__}"
            )
        self.units = units
        self._title = title
        self._allow = allow
        self._set_mode = set_mode
        self._places: list[ServedAt] = []
        self._device = _Device()
        self._traffic = Traffic(self._begin_recording, self._note_unfinished)
        self._clients = Clients(self._traffic, time.time, _servers_time)
        self._mistakes = Mistakes(self._traffic, time.time)

    # For the servers.

    def place(self, endpoint: str) -> ServedAt:
        """Add an endpoint, such as "tcp://127.0.0.1:5020"; the page shows its text."""
        self._places.append(ServedAt(self, endpoint))
        return self._places[-1]

    def watched(self, endpoint: str, options: ServerOptions | None = None) -> ServerOptions:
        """Return options for the server at `endpoint`, so that the page shows its clients.

        They are `options` with more hooks. Call it before the page is made.
        """
        return self.place(endpoint).watched(options)

    def hooked(self, place: ServedAt, options: ServerOptions) -> ServerOptions:
        """Return `options` with hooks for `place`; see `watched`."""
        clients, device = self._clients, self._device
        if _transport(place.text) in _WITHOUT_CONNECTIONS:

            def told(protocol: Served, call: Any, response: Any) -> None:
                clients.told(device, place.text, protocol, call, response)

            return options.replace(on_answer=both_hooks(told, options.on_answer))

        def connected(protocol: Served) -> None:
            clients.connected(device, place, protocol)

        return options.replace(
            on_connect=_both(connected, options.on_connect),
            on_disconnect=_both(clients.disconnected, options.on_disconnect),
        )

    def watch(self, place: ServedAt, peer: str = "") -> None:
        """Record what is no request, in the task that serves `place` with watched framings."""
        Watch(self._mistakes, 0, lambda: place.text, self.units, peer=peer).begin()

    def _begin_recording(self) -> None:
        self._clients.begin_recording()

    def _note_unfinished(self) -> None:
        self._clients.note_unfinished()

    # The units, for `UnitPanel`.

    def _found(self, device: int, unit: int) -> BaseUnit:
        self._check(device)
        found = self.units.get(unit)
        if found is None:
            known = ", ".join(str(each.id) for each in self._shown_units()) or "none"
            raise LookupError(f"there is no unit {unit}, there are {known}")
        return found

    def _check(self, device: int) -> None:
        if device:
            raise LookupError(f"there is no device {device}; there is only 0")

    def _ids(self, device: int, unit: int) -> list[int]:
        found = self._found(device, unit)
        return sorted(each for each, other in self.units.by_id.items() if other is found)

    def _homes(self, device: int) -> Sequence[Units]:
        self._check(device)
        return [self.units]

    def _allowed(self, device: int) -> AllowedNetworks:
        self._check(device)
        if self._allow is None:
            raise LookupError("the networks of this server cannot be changed here")
        return self._allow

    def _shown_units(self) -> list[UnitInfo]:
        """Return each unit once, by its lowest id, but 0 only if it has no other."""
        ids: dict[BaseUnit, list[int]] = {}
        for unit_id, unit in sorted(self.units.by_id.items()):
            ids.setdefault(unit, []).append(unit_id)
        shown = [
            UnitInfo(
                next(filter(None, each), 0),
                "" if len(each) == 1 else "all ids" if len(each) == 256 else f"{len(each)} ids",
            )
            for each in ids.values()
        ]
        return sorted(shown, key=lambda each: each.id)

    # The view.

    def features(self) -> frozenset[Feature]:
        found: set[Feature] = set()
        if self._places:
            found.add("clients")
        if self._allow is not None:
            found.add("networks")
        if self._set_mode is not None:
            found.add("mode")
        return frozenset(found)

    def waits(self) -> bool:
        return any(unit.waits is Waits.THREAD for unit in self.units)

    def title(self) -> str:
        return self._title

    def device_count(self) -> int:
        return 1

    def devices(self, start: int = 0, count: int | None = None) -> list[DeviceInfo]:
        if start or count == 0:
            return []
        return [
            DeviceInfo(
                0,
                self._title,
                True,
                [each.text for each in self._places],
                self._shown_units(),
                self.units.bus.messages,
                self._device.connections,
            )
        ]

    def problems(self) -> Mapping[int, str]:
        return {}

    def tables(self, device: int, unit: int) -> list[TableInfo]:
        blocks = [(table, _block(self._found(device, unit), table)) for table in TABLES]
        return [
            TableInfo(
                table, [(each.start, len(each)) for each in ranges], Place(table, 0).is_writable
            )
            for table, block in blocks
            if (ranges := _ranges(block))
        ]

    def values(
        self, device: int, unit: int, table: str, address: int, count: int
    ) -> list[int | None]:
        check_table(table)
        check_range(address, count)
        block = _block(self._found(device, unit), table)
        values: list[int | None] = [None] * count
        for each in _ranges(block):
            first, stop = max(address, each.start), min(address + count, each.stop)
            if first < stop:
                values[first - address : stop - address] = _read(block, first, stop - first)
        return values

    def write(
        self, device: int, unit: int, table: str, address: int, values: Sequence[int]
    ) -> None:
        check_table(table)
        is_bits = table in BIT_TABLES
        check_values(address, values, 1 if is_bits else 0xFFFF)
        block = _block(self._found(device, unit), table)
        stop = address + len(values)
        if not any(each.start <= address and stop <= each.stop for each in _ranges(block)):
            raise ValueError(
                f"unit {unit} does not have all of {address}..{stop - 1} in its "
                f"{table.replace('_', ' ')}"
            )
        given = [bool(value) for value in values] if is_bits else list(values)
        store: Callable[[slice, Sequence[int]], None] | None = getattr(block, "__setitem__", None)
        if store is not None and not Place(table, 0).is_writable:
            store(slice(address, stop), given)
            return
        try:
            block.write(address, given)
        except ExceptionResponseError as error:
            if not isinstance(block, MemoryBlock):
                raise
            raise ValueError(f"the unit refuses the value: {error.detail or error}") from None

    def connections(self) -> list[ConnectionInfo]:
        return self._clients.connections()

    def traffic(
        self, after: int = 0, wanted: TrafficFilter | None = None, most: int = 200
    ) -> list[Message]:
        return self._traffic.latest(after, wanted, most)

    def modes(self, device: int) -> list[EndpointMode]:
        self._check(device)
        found = [(each.text, _parsed(each.text)) for each in self._places]
        return [EndpointMode(text, mode_of(endpoint)) for text, endpoint in found if endpoint]

    def set_mode(self, device: int, mode: str, endpoint: str = "") -> None:
        self._check(device)
        if self._set_mode is None:
            raise LookupError("the mode of this server cannot be changed here")
        modes = self.modes(device)
        chosen = modes[choose_endpoint([each.endpoint for each in modes], endpoint)]
        self._set_mode(chosen.endpoint, mode)


class _Device:
    """The device of all clients."""

    def __init__(self) -> None:
        self.index = self.connections = self.line_requests = 0


def _servers_time() -> float:
    """Return the time as servers in this loop measure it (seconds, monotonic)."""
    try:
        return trio.current_time()
    except RuntimeError:
        return time.monotonic()


def _both(first: OnConnection, second: OnConnection | None) -> OnConnection:
    def hook(protocol: Served) -> None:
        first(protocol)
        if second is not None:
            second(protocol)

    return hook


def _parsed(text: str) -> Endpoint | None:
    try:
        return Endpoint.parse(opened(text))
    except ValueError:
        return None  # a name of the program's own


def _transport(text: str) -> str:
    endpoint = _parsed(text)
    return "" if endpoint is None else endpoint.transport


def _block(unit: BaseUnit, table: str) -> Block:
    block: Block = getattr(unit, table)
    return block


def _ranges(block: Block) -> Sequence[range]:
    """Return the addresses of a block; those of a block that does not know them may be any."""
    found = block.ranges()
    return (range(0x10000),) if found is None else found


def _read(block: Block, address: int, count: int) -> list[int | None]:
    """Return values, None for addresses that the block refuses: halves are tried one by one."""
    try:
        return [int(value) for value in block.read(address, count)]
    except IllegalDataAddressError:
        if count == 1:
            return [None]
    half = count // 2
    return [*_read(block, address, half), *_read(block, address + half, count - half)]
