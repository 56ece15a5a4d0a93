"""`Reader`: reads the devices of a plant, and what a poller shows of them.

`LocalReader` runs the lines in this process, `ClusterReader` on the nodes of a Ray cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ..values.item_texts import Assignment
    from .plant.spec import PlantDevice
    from .sample import Sample


class DeviceFigures(NamedTuple):
    """The figures of a device, as `DeviceState` counts them; `is_tried` is the same there."""

    name: str
    failures: int
    reason: str
    requests: int
    errors: int
    readings: int
    missed: int
    late: float
    latest: float
    answered_at: float
    seconds: float
    is_tried: bool


class LineFigures(NamedTuple):
    """The figures of a line, as `Line` counts them."""

    name: str
    seconds: float
    lateness: Sequence[int]
    late: float


Take = Callable[[Sequence["Sample"]], None]
"""Called with the values of one device, which go to the sinks."""


class ReadingEndedError(OSError):
    """Raised if nothing can be read any more, for a reason outside of this program."""


class Reader(Protocol):
    """Reads devices from `start` on, and hands their values on in order per point."""

    async def start(self, devices: Sequence[PlantDevice], *, once: bool = False) -> None:
        """Begin with these devices; with `once`, read each point once."""
        ...

    async def run(self) -> None:
        """Read until cancelled; raises ReadingEndedError, and an error that is a bug."""
        ...

    async def change(self, gone: Sequence[PlantDevice], come: Sequence[PlantDevice]) -> None:
        """Read some devices no longer, then others; all the rest go on undisturbed."""
        ...

    async def finish(self) -> None:
        """Begin no more readings, and hand on those that were begun: two seconds at most."""
        ...

    async def write(self, device: PlantDevice, assignment: Assignment) -> None:
        """Write a value now, and let the point be read again. Raises ModbusError, ValueError."""
        ...

    def devices(self) -> Sequence[DeviceFigures]:
        """Return the figures of all devices."""
        ...

    def lines(self) -> Sequence[LineFigures]:
        """Return the figures of all lines."""
        ...

    def samples(self) -> Iterable[tuple[str, Sequence[Sample | None]]]:
        """Return the devices, each with the latest values of its points, None before the first."""
        ...
