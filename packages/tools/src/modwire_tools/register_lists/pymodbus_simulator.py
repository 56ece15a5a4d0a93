"""`read_pymodbus`: the devices in the JSON configuration of pymodbus's simulator.

The simulator has registers without names: each value becomes a point called by its address, and its
registers a block, which is read only unless the section `write` has them. With "shared blocks" all
four tables have the same registers, and coil 32 is the lowest bit of register 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from modwire import ObjectId

from ..addresses import SHORT_NAMES, Place
from ..simulator.behaviours import Behaviour, Counter
from ..simulator.devices import BlockSpec, PointSpec, PointValue
from ..simulator.expressions import Expression
from .entries import Entry, table_of
from .findings import Findings, FoundDevice, Notes
from .loading import load_json
from .pymodbus_cells import Cell, Cells, Layout

_WHOLE = ("server_list", "device_list")
_IDENTITY = {
    "VendorName": ObjectId.VENDOR_NAME,
    "ProductCode": ObjectId.PRODUCT_CODE,
    "MajorMinorRevision": ObjectId.MAJOR_MINOR_REVISION,
    "VendorUrl": ObjectId.VENDOR_URL,
    "ProductName": ObjectId.PRODUCT_NAME,
    "ModelName": ObjectId.MODEL_NAME,
    "UserApplicationName": ObjectId.USER_APPLICATION_NAME,
}
_MOST_BITS = 0x10000


def is_pymodbus(values: object) -> bool:
    """True if the values of a JSON file are a configuration of pymodbus's simulator."""
    return isinstance(values, dict) and ("device_list" in values or "setup" in values)


def read_pymodbus(text: str, file: str) -> Findings:
    """Return the devices in a configuration; it may have one without `device_list`, too."""
    notes = Notes(file)
    values = load_json(text, file)
    unit, identity = 1, dict[int, bytes]()
    every_id = True
    found: object
    if "setup" in (table_of(values) or {}):
        found = {"device": values}
    else:
        whole = Entry(values, _WHOLE, file)
        found = whole.get("device_list")
        if "server_list" in whole:
            server = _server(whole, notes)
            if server is not None:
                identity = _identity(server)
                if "device_id" in server:
                    unit, every_id = server.whole("device_id", 0, 255), False
    listed = Entry({"device_list": found}, _WHOLE, file).free("device_list")
    devices: list[FoundDevice] = []
    for name in listed.names():
        device = FoundDevice(name, notes)
        made = device.unit(unit)
        made.every_id, made.identity = every_id, identity
        _Reader(device, unit, notes, Layout(listed, name, notes)).read()
        devices.append(device)
    return Findings([each.spec() for each in devices], notes.all())


def _server(whole: Entry, notes: Notes) -> Entry | None:
    """Return the server whose identity the devices get: "server", or else the first."""
    servers = whole.free("server_list")
    names = servers.names()
    if not names:
        return None
    name = "server" if "server" in names else names[0]
    notes.changed(
        f"{servers.where}, {name}",
        "its identity and device_id are used; where to listen is said to modwire simulate, as in "
        "--tcp 127.0.0.1:5020",
    )
    return servers.free(name)


def _identity(server: Entry) -> dict[int, bytes]:
    if "identity" not in server:
        return {}
    found = server.entry("identity", tuple(_IDENTITY))
    texts = {int(_IDENTITY[key]): found.text(key).encode() for key in found.names()}
    return dict(sorted(texts.items()))


class _Reader:
    """Makes the blocks and points of one device from its cells."""

    def __init__(self, device: FoundDevice, unit: int, notes: Notes, layout: Layout) -> None:
        self._device = device
        self._unit = unit
        self._notes = notes
        self._layout = layout

    def read(self) -> None:
        """Add the blocks and points of all tables."""
        layout = self._layout
        cells = layout.cells()
        if layout.shared:
            self._notes.changed(
                layout.where,
                "shared blocks: holding and input registers begin with the same values, and bits "
                "are coils and discrete inputs too, but what is written into one of the tables is "
                "not seen in the others",
            )
        for table, (start, stop) in layout.tables.items():
            part = cells[start:stop]
            if table in ("coils", "discrete_inputs"):
                self._add_bits(table, part)
            else:
                self._add_registers(table, part)

    def _add_registers(self, table: str, cells: Cells) -> None:
        unit = self._device.unit(self._unit)
        for at, run in _runs(cells):
            step = run[0].size if self._layout.type_exception else 1
            values = tuple(cell.register for cell in run)
            unit.blocks.append(
                BlockSpec(Place(table, at), values, not run[0].is_writable, step=max(step, 1))
            )
        if table == "input_registers" and self._layout.shared:
            return  # the points of the holding registers name the same values
        for at, cell in enumerate(cells):
            if cell is not None and cell.type and _is_whole(cells, at):
                self._device.add(self._unit, _point(table, at, cell), cell.where)

    def _add_bits(self, table: str, cells: Cells) -> None:
        unit = self._device.unit(self._unit)
        for at, run in _runs(cells):
            if self._layout.shared and run[0].type != "bits":
                continue
            bits = [cell.register >> bit & 1 for cell in run for bit in range(16)]
            bits = bits[: _MOST_BITS - 16 * at]
            if not bits:
                self._notes.left_out(run[0].where, f"the {table} have no address {16 * at}")
                continue
            place = Place(table, 16 * at)
            unit.blocks.append(BlockSpec(place, tuple(bits), not run[0].is_writable))
            if self._layout.shared:
                continue
            for number, bit in enumerate(bits, 16 * at):
                name = f"{SHORT_NAMES[table]}_{number}"
                point = PointSpec(name, Place(table, number), "bool", value=bool(bit))
                self._device.add(self._unit, point, run[0].where)


def _runs(cells: Cells) -> list[tuple[int, list[Cell]]]:
    """Return the runs of cells that one block can hold, each with its first address."""
    found: list[tuple[int, list[Cell]]] = []
    numbered = [(at, cell) for at, cell in enumerate(cells) if cell is not None]
    for _, group in groupby(
        enumerate(numbered), lambda each: (each[1][0] - each[0], each[1][1].run_key)
    ):
        items = [each for _, each in group]
        found.append((items[0][0], [cell for _, cell in items]))
    return found


def _is_whole(cells: Cells, at: int) -> bool:
    """True if all registers of the value that begins at an address are there."""
    first = cells[at]
    assert first is not None
    rest = cells[at + 1 : at + first.length]
    return len(rest) == first.length - 1 and all(
        cell is not None and not cell.type for cell in rest
    )


def _point(table: str, at: int, cell: Cell) -> PointSpec:
    name, place = f"{SHORT_NAMES[table]}_{at}", Place(table, at)
    if cell.type == "string":
        return PointSpec(name, place, "string", size=2 * cell.length, value=cell.value)
    if cell.type == "bits":
        number = cell.value if isinstance(cell.value, int) else 0
        bits = tuple(bool(number >> bit & 1) for bit in range(16))
        return PointSpec(name, place, "bits", size=16, value=bits)
    behaviour = _behaviour(cell)
    value: PointValue | None = cell.value if behaviour is None else None
    return PointSpec(name, place, cell.type, value=value, behaviour=behaviour)


def _behaviour(cell: Cell) -> Behaviour | None:
    """Return what comes nearest to an action of pymodbus; `Layout` notes what differs."""
    if cell.action == "uptime":
        return Counter(1.0, 1.0, 1.0)
    if cell.action == "random":
        least, most = _bounds(cell.parameters)
        if cell.type.startswith("uint"):
            return Expression(f"floor({least!r} + random() * {most - least + 1!r})")
        return Expression(f"{least!r} + random() * {most - least!r}")
    return None


def _bounds(parameters: Mapping[str, object]) -> Sequence[float]:
    found = [parameters.get(key, default) for key, default in (("minval", 1), ("maxval", 65536))]
    return [each if isinstance(each, (int, float)) else 1 for each in found]
