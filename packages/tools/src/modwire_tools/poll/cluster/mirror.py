"""`Mirror`: figures and latest values of all devices, as the driver has them from the actors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from ..delivery.packing import unpack
from ..local_reader import name_of
from ..reader import DeviceFigures, LineFigures, Take
from ..sample import BAD, Sample

if TYPE_CHECKING:
    from ..plant.spec import PlantDevice
    from .batch import Batch


class _Device:
    def __init__(self, spec: PlantDevice) -> None:
        self.spec = spec
        self.figures = DeviceFigures(spec.name, 0, "", 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, False)
        self.samples: dict[str, Sample | None] = dict.fromkeys(each.name for each in spec.points)


class Mirror:
    """The devices of a plant; `take` gets the values that go to the sinks."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._devices: dict[str, _Device] = {}
        self._lines: dict[str, LineFigures] = {}

    def add(self, spec: PlantDevice) -> None:
        """Add a device that will be read."""
        self._devices[spec.name] = _Device(spec)

    def remove(self, spec: PlantDevice) -> None:
        """Remove a device."""
        del self._devices[spec.name]

    def receive(self, batch: Batch, names: Collection[str]) -> None:
        """Take a batch of an actor that reads the devices `names`; others have moved on."""
        for data in batch.readings:
            samples = unpack(data)
            if self._keep(samples, names):
                self._take(samples)
        for data in batch.latest:
            self._keep(unpack(data), names)
        for figures in batch.devices:
            if figures.name in names and figures.name in self._devices:
                self._devices[figures.name].figures = figures
        self._lines.update((each.name, each) for each in batch.lines)

    def _keep(self, samples: Sequence[Sample], names: Collection[str]) -> bool:
        """Keep values as the latest ones; False if another actor reads the device now."""
        name = samples[0].device
        if name not in names or name not in self._devices:
            return False
        self._devices[name].samples.update((each.point, each) for each in samples)
        return True

    def lose(self, names: Iterable[str], reason: str, wall: float) -> None:
        """Let all values of devices be bad at `wall`, in seconds since 1970."""
        for name in names:
            device = self._devices[name]
            failures = max(1, device.figures.failures)
            device.figures = device.figures._replace(
                failures=failures, reason=reason, is_tried=True
            )
            tags = device.spec.tags
            samples = [
                Sample(name, each.name, None, BAD, reason, wall, each.item.measure, tags)
                for each in device.spec.points
            ]
            device.samples.update((each.point, each) for each in samples)
            self._take(samples)

    def devices(self) -> Sequence[DeviceFigures]:
        """Return the figures of all devices."""
        return [each.figures for each in self._devices.values()]

    def lines(self) -> Sequence[LineFigures]:
        """Return the figures of all lines that have been used."""
        names = dict.fromkeys(name_of(each.spec.line) for each in self._devices.values())
        return [self._lines[each] for each in names if each in self._lines]

    def samples(self) -> Iterable[tuple[str, Sequence[Sample | None]]]:
        """Return the devices, each with the latest values of its points, None before the first."""
        for name, device in self._devices.items():
            yield name, list(device.samples.values())
