"""`Schedule`: the lines of a plant, and the phases of their devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..plant.spec import PlantDevice
from .device import DeviceState
from .line import Line

if TYPE_CHECKING:
    from ..sample import Sample

# Multiples of it, without their whole parts, are spread evenly over 0..1, however many they are;
# so a device that is added later leaves the phases of all others as they are.
_GOLDEN = 0.6180339887498949


class Schedule:
    """The lines of the devices that were added, by `PlantDevice.line`.

    The first device is read at once, and every device for the first time within its interval.
    """

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str, int, str], Line] = {}
        self._count = 0

    def add(self, spec: PlantDevice, now: float) -> DeviceState:
        """Add a device from `now` on; its name must be new."""
        device = DeviceState(spec, now, self._count * _GOLDEN % 1.0)
        self._count += 1
        self.lines.setdefault(spec.line, Line()).devices[spec.name] = device
        return device

    def remove(self, spec: PlantDevice) -> None:
        """Remove a device; a request that is on its way may still be answered."""
        line = self.lines[spec.line]
        device = line.devices.pop(spec.name)
        if device.reading is not None:
            device.reading.abandon()
            device.reading = None
        if not line.devices:
            del self.lines[spec.line]

    def devices(self) -> Iterator[DeviceState]:
        """Yield all devices."""
        for line in self.lines.values():
            yield from line.devices.values()

    def read_once(self, now: float) -> None:
        """Let all groups be due at `now`, and no later time."""
        for line in self.lines.values():
            line.is_once = True
        for device in self.devices():
            for group in device.groups:
                group.due = now

    def turn_stale(self, now: float) -> list[Sample]:
        """Return the values that should have been read again before `now`."""
        return [sample for device in self.devices() for sample in device.turn_stale(now)]
