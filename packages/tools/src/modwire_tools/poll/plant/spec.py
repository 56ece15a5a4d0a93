"""`Plant`: what a plant file says, in plain values; `reading` makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modwire import Endpoint
from modwire.planner import PlanLimits

from ...client.points import item_of
from ...simulator.devices import PointSpec
from ...values.items import Item

if TYPE_CHECKING:
    from ..sinks.base import Sink


LineKey = tuple[str, str, int, str]
"""A line: its transport, host, port, and the path of a serial port."""


@dataclass(frozen=True)
class PlantPoint:
    """A point to read every `interval` seconds.

    A number is passed on if it differs from the last one by more than `deadband`, any value with
    `on_change` if it differs at all. Two points are equal if they were made of an equal `source`,
    what the file says about a point.
    """

    name: str
    item: Item = field(compare=False)
    interval: float
    deadband: float = 0.0
    on_change: bool = False
    source: PointSpec | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the source in place of the item, which has functions."""
        return _point, (self.name, self.interval, self.deadband, self.on_change, self.source)


def _point(
    name: str, interval: float, deadband: float, on_change: bool, source: PointSpec
) -> PlantPoint:
    return PlantPoint(name, item_of(source), interval, deadband, on_change, source)


@dataclass(frozen=True)
class PlantDevice:
    """A device, its unit id and its points.

    Its values are stale `stale` seconds after they should have been read again, 0 for three
    intervals. While it does not answer, it is asked at least every `retry` seconds. `node` is
    the name of the node of a cluster that runs its line, "" for any node.
    """

    name: str
    endpoint: Endpoint
    unit: int
    points: Sequence[PlantPoint]
    limits: PlanLimits = field(default_factory=PlanLimits)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    stale: float = 0.0
    retry: float = 60.0
    node: str = ""

    @property
    def line(self) -> LineKey:
        """The line that the device shares with others: a serial port, or a connection."""
        each = self.endpoint
        return each.transport, each.host, each.port, each.path


@dataclass(frozen=True)
class SinkSpec:
    """A sink: its name, unique in the plant; its kind; the texts and numbers of its table.

    Two specs that are equal make equal sinks. `values` has secrets: never print it.
    """

    name: str
    kind: str
    values: Mapping[str, object] = field(repr=False)
    sink: Sink = field(repr=False, compare=False)


@dataclass(frozen=True)
class SpoolSpec:
    """The file for values that no sink has taken yet, at most `size` bytes and `age` seconds.

    With `is_synced`, each reading waits until the disk has it.
    """

    file: Path
    size: int
    age: float
    is_synced: bool = False


@dataclass(frozen=True)
class Plant:
    """A plant: the file that it was read from, its devices and sinks.

    `device_files` are the other files that were read.
    """

    file: Path
    name: str
    devices: Sequence[PlantDevice]
    sinks: Sequence[SinkSpec] = ()
    spool: SpoolSpec | None = None
    device_files: Sequence[Path] = ()
