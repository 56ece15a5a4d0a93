"""`DeviceState`: a device of a line: its groups, its reading, and its back-off while it is dead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..plant.spec import PlantDevice
from .points import PointState
from .reading import Group, Reading
from .reasons import is_absence, reason_of

if TYPE_CHECKING:
    from modwire.errors import ModbusError
    from modwire.messages.base import AnyRequest

    from ..sample import Sample

_FIRST_RETRY = 1.0  # seconds
_STALE_INTERVALS = 3
_GONE = 3  # failures in a row; then it may be another device that comes back


class DeviceState:
    """A device and its figures.

    - `reading`: the reading that was begun and has requests to send, or None.
    - `is_asked`: True while a request is on its way; `asked_at` is the end of the last one.
    - `failures`: the number of failures in a row because of which the device counts as dead; 0 if
      it answers. `reason` has the last one, and it is asked again at `retry_at`.
    - `requests`, `errors`: all requests, and those without a good answer.
    - `late`: seconds by which the last reading began too late; `latest`: the most so far.
    - `answered_at`: time of the last answer, in seconds since 1970, 0 before the first.
    - `seconds`: the time of the last request until its answer.
    """

    def __init__(self, spec: PlantDevice, now: float, share: float) -> None:
        self.spec = spec
        self._share = share  # of each interval: its phase
        self.points = [PointState(spec, each) for each in spec.points]
        self.groups = [
            Group(points, interval, now + share * interval, spec.limits)
            for interval, points in self._by_interval().items()
        ]
        self.reading: Reading | None = None
        self.is_asked = False
        self.failures = 0
        self.reason = ""
        self.is_link_lost = False
        self.retry_at = -math.inf
        self.asked_at = -math.inf
        self.requests = self.errors = 0
        self.late = self.latest = 0.0
        self.answered_at = 0.0
        self.seconds = 0.0

    def _by_interval(self) -> dict[float, list[PointState]]:
        found: dict[float, list[PointState]] = {}
        for point in self.points:
            found.setdefault(point.spec.interval, []).append(point)
        return dict(sorted(found.items()))

    def start(self, now: float) -> None:
        """Begin at another time than that of the constructor."""
        for group in self.groups:
            group.start(now + self._share * group.interval)

    @property
    def is_tried(self) -> bool:
        """True if every group was read, or the device has failed."""
        return bool(self.failures) or all(group.readings for group in self.groups)

    @property
    def missed(self) -> int:
        """The number of readings that were left out."""
        return sum(group.missed for group in self.groups)

    def due(self) -> float:
        """Return the time from which the next request waits; infinity while one is on its way."""
        if self.is_asked:
            return math.inf
        if self.reading is not None:
            return self.asked_at
        return max(self.retry_at, min(group.due for group in self.groups))

    def begin(self, now: float) -> None:
        """Begin the reading that is due."""
        group = min(self.groups, key=lambda each: each.due)
        self.late = max(0.0, now - max(group.due, self.retry_at))
        self.latest = max(self.latest, self.late)
        self.reading = group.begin(now)

    @property
    def request(self) -> AnyRequest | None:
        """The next request of the reading; None if there is none."""
        return None if self.reading is None else self.reading.request

    def hasten(self, point: str, now: float) -> None:
        """Let the group of a point be due now: its value was written."""
        for group in self.groups:
            if any(each.spec.name == point for each in group.points):
                group.due = min(group.due, now)

    def settle(self, now: float) -> None:
        """Set times that are too far away: the clock was set back."""
        for group in self.groups:
            group.settle(now)
        self.asked_at = min(self.asked_at, now)
        if self.retry_at > now + self.spec.retry:
            self.retry_at = now

    def answered(self, now: float, wall: float) -> list[Sample]:
        """Take an answer of the device; return the values of a reading that is complete."""
        self.answered_at = wall
        if self.failures:
            self._revive()
        reading = self.reading
        if reading is None or reading.request is not None:
            return []
        return self._finish(reading, now, wall, "")

    def _revive(self) -> None:
        """Count the device as alive."""
        self.failures, self.reason, self.is_link_lost = 0, "", False
        self.retry_at = -math.inf

    def _finish(self, reading: Reading, now: float, wall: float, reason: str) -> list[Sample]:
        self.reading = None
        group = reading.group
        group.readings += 1
        group.stale_at = now + self._patience(group)
        return reading.samples(wall, reason)

    def _patience(self, group: Group) -> float:
        return self.spec.stale or _STALE_INTERVALS * group.interval

    def failed(self, error: ModbusError, now: float, wall: float, rest: float) -> list[Sample]:
        """Take a failed request: the reading ends, and a device that is not there is left alone.

        It is not asked for `rest` seconds at least. Returns the values that are bad now.
        """
        reading, reason = self.reading, reason_of(error)
        if reading is None:
            return []
        reading.abandon()
        found = self._finish(reading, now, wall, reason)
        self.retry_at = now + rest
        if not is_absence(error):
            return found
        self.failures += 1
        self.reason = reason
        pause = min(self.spec.retry, _FIRST_RETRY * 2.0 ** min(self.failures - 1, 30))
        self.retry_at = now + max(pause, rest)
        for group in self.groups:
            group.skip(self.retry_at)
            if self.failures == _GONE:
                group.forget()
            group.stale_at = math.inf
            if group is not reading.group:
                bad = (point.bad(reason, wall) for point in group.points)
                found += [sample for sample in bad if sample is not None]
        # The first request after the pause is one of the group with the shortest interval.
        self.groups[0].due = min(self.groups[0].due, self.retry_at)
        return found

    def turn_stale(self, now: float) -> Iterator[Sample]:
        """Yield the values that should have been read again before `now`."""
        for group in self.groups:
            if now < group.stale_at:
                continue
            group.stale_at = math.inf
            reason = f"not read for {self._patience(group):g} s"
            for point in group.points:
                sample = point.stale(reason)
                if sample is not None:
                    yield sample
