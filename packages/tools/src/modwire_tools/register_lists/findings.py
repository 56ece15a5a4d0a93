"""`Findings`: the devices that a reader of register lists finds, and notes about the rest.

Nothing of a list is lost silently: an entry that a device file cannot hold is left out with a note,
and so is a setting that changes no value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from modwire import Endpoint

from ..simulator.devices import BlockSpec, DeviceSpec, PointSpec, UnitSpec
from ..simulator.files import with_connection
from ..simulator.files.connection import (
    connection_of,
    connection_values,
    read_connection,
    read_endpoint,
)
from ..simulator.files.sections import DeviceFileError, Section
from ..simulator.points import Codec
from .entries import Entry

_TABLE_SIZE = 0x10000


@dataclass(frozen=True)
class Note:
    """One sentence about an entry at a place of the list; `is_lost` if it was left out.

    `device` is the name of the device that the entry is of, "" for the whole list.
    """

    place: str
    text: str
    is_lost: bool = False
    device: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {'left out: ' if self.is_lost else ''}{self.text}"


class Notes:
    """The notes about a list; settings of a device that are not used share one for each key.

    `file` is the name of the list, `device` that of the device that is being read.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.device = ""
        self._notes: list[Note] = []
        self._unused: dict[tuple[str, str], list[str]] = {}

    def left_out(self, place: str, why: str) -> None:
        """Note that an entry is not in the device file."""
        self._notes.append(Note(place, why, is_lost=True, device=self.device))

    def changed(self, place: str, text: str) -> None:
        """Note that an entry is in the device file, but something of it is not."""
        self._notes.append(Note(place, text, device=self.device))

    def unused(self, entry: Entry, keys: Sequence[str]) -> None:
        """Note which of `keys` the entry has: settings that a device file has no place for."""
        for key in keys:
            if key in entry:
                self._unused.setdefault((self.device, key), []).append(entry.where)

    def all(self) -> list[Note]:
        """Return the notes."""
        found = list(self._notes)
        for (device, key), places in self._unused.items():
            more = f", and at {len(places) - 1} more" if len(places) > 1 else ""
            text = f"{key} is not used, a device file has none{more}"
            found.append(Note(places[0], text, device=device))
        return found


@dataclass
class _Unit:
    points: dict[str, PointSpec] = field(default_factory=dict[str, PointSpec])
    blocks: list[BlockSpec] = field(default_factory=list[BlockSpec])
    name: str = ""
    every_id: bool = False
    identity: Mapping[int, bytes] = field(default_factory=dict[int, bytes])


class FoundDevice:
    """One device of a list, which the reader fills with points before it begins the next one."""

    def __init__(self, name: str, notes: Notes) -> None:
        self.name = notes.device = name
        self.endpoint = ""
        self.connection: dict[str, object] = {}
        self.interval = 0.0  # seconds; of points without one of their own
        self._notes = notes
        self._units: dict[int, _Unit] = {}

    def unit(self, number: int) -> _Unit:
        """Return the unit with that id, a new one the first time."""
        return self._units.setdefault(number, _Unit())

    def add(self, unit: int, point: PointSpec, where: str) -> None:
        """Add a point; `where` is its place in the list.

        A name that the unit has already gets a number. Raises DeviceFileError if the point does
        not fit into its table.
        """
        try:
            codec = Codec(point)
            codec.check_none(point.none)
        except ValueError as error:
            raise DeviceFileError(f"{where}: {error}") from None
        if point.place.address + codec.size > _TABLE_SIZE:
            raise DeviceFileError(
                f"{where}: has {codec.size} registers from {point.place} on, which leads out of "
                "0..65535"
            )
        if self.interval and not point.polled.interval:
            point = replace(point, polled=replace(point.polled, interval=self.interval))
        points = self.unit(unit).points
        name, number = point.name, 2
        while name in points:
            if replace(point, name=name) == points[name]:
                self._notes.changed(where, f"{name} is there already, with the same settings")
                return
            name, number = f"{point.name} {number}", number + 1
        if name != point.name:
            self._notes.changed(where, f"is called {name!r} here: a unit has each name once")
        points[name] = replace(point, name=name)

    def set_endpoint(self, text: str, where: str) -> None:
        """Set the endpoint; its options become those of the connection."""
        try:
            endpoint = Endpoint.parse(with_connection(text, self.connection))
        except ValueError as error:
            raise DeviceFileError(f"{where}: {error}") from None
        self.connection = connection_of(endpoint)
        self.endpoint = text.partition("?")[0]

    def spec(self) -> DeviceSpec:
        """Return the device; units without points and blocks are left out.

        Raises DeviceFileError if its connection is none.
        """
        values = {"connection": connection_values(self.connection, self.endpoint)}
        place = f"{self._notes.file}, {self.name}" if self.name.isprintable() else self._notes.file
        table = Section(values, ("connection",), place)
        read_endpoint(table, read_connection(table))
        units = [
            UnitSpec(
                number,
                unit.name,
                unit.every_id,
                blocks=tuple(unit.blocks),
                points=tuple(unit.points.values()),
                identity=unit.identity,
            )
            for number, unit in sorted(self._units.items())
            if unit.points or unit.blocks
        ]
        return DeviceSpec(self.name, tuple(units), self.connection, self.endpoint)


@dataclass(frozen=True)
class Findings:
    """The devices in a list, and the notes about it."""

    devices: Sequence[DeviceSpec]
    notes: Sequence[Note]
