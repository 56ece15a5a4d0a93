"""`PointState`: the latest value of a point, its quality, and what is passed on of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from modwire.maps.image import AnyPoint

from ...values.types import shortest
from ..plant.spec import PlantDevice, PlantPoint
from ..sample import BAD, GOOD, STALE, Sample

if TYPE_CHECKING:
    from ...values.types import Value


class PointState:
    """A point of a device: `sample` is its latest value, None before the first reading."""

    __slots__ = ("_deadband", "_decode", "_device", "_passed", "asked", "sample", "spec")

    def __init__(self, device: PlantDevice, spec: PlantPoint) -> None:
        self.spec = spec
        self.asked = AnyPoint(spec.item.span)
        self.asked.name = spec.name
        self.sample: Sample | None = None
        self._device = device
        self._decode: Callable[[Sequence[int]], Value] = spec.item.decode
        if spec.item.type in ("float32", "float16"):
            self._decode = self._decode_short
        elif spec.item.type.startswith("bcd"):
            self._decode = self._decode_long
        # None: each value is passed on; 0: each change.
        self._deadband = spec.deadband if spec.deadband or spec.on_change else None
        self._passed: Sample | None = None

    def _decode_short(self, items: Sequence[int]) -> Value:
        """Decode a float without the digits that 32 bits cannot hold: 230.4."""
        value = self.spec.item.decode(items)
        return shortest(value) if isinstance(value, float) else value

    def _decode_long(self, items: Sequence[int]) -> Value:
        """Decode a number of any length; one that databases and MessagePack lack is a text."""
        value = self.spec.item.decode(items)
        return str(value) if isinstance(value, int) and abs(value) >= 1 << 63 else value

    def good(self, items: Sequence[int], wall: float) -> Sample | None:
        """Take registers or bits that were read; return the value if it is to be passed on."""
        try:
            value = self._decode(items)
        except ValueError as error:
            return self.bad(str(error), wall)
        device, spec = self._device, self.spec
        sample = self.sample = Sample(
            device.name, spec.name, value, GOOD, "", wall, spec.item.measure, device.tags
        )
        if self._deadband is not None and not self._differs(sample, self._deadband):
            return None
        self._passed = sample
        return sample

    def _differs(self, sample: Sample, deadband: float) -> bool:
        last = self._passed
        if last is None or last.quality != GOOD:
            return True
        old, new = last.value, sample.value
        if isinstance(old, (int, float)) and isinstance(new, (int, float)):
            # False for two NaN, which are no change; True for one.
            return abs(new - old) > deadband or (old == old) != (new == new)
        return new != old

    def bad(self, reason: str, wall: float) -> Sample | None:
        """Take a failure; return it unless the point has failed for the same reason before."""
        last = self.sample
        if last is not None and last.quality == BAD and last.reason == reason:
            return None
        return self._turn(None, BAD, reason, wall)

    def stale(self, reason: str) -> Sample | None:
        """Count a good value as stale; return it, or None if it is not good."""
        last = self.sample
        if last is None or last.quality != GOOD:
            return None
        return self._turn(last.value, STALE, reason, last.time)

    def _turn(self, value: Value, quality: str, reason: str, wall: float) -> Sample:
        device, spec = self._device, self.spec
        measure = spec.item.measure
        self.sample = Sample(
            device.name, spec.name, value, quality, reason, wall, measure, device.tags
        )
        self._passed = self.sample
        return self.sample
