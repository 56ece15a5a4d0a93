"""`Line`: the devices that share a serial port or a connection, and whose turn it is."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modwire.errors import ConnectionLostError, ExceptionResponseError

from .device import DeviceState

if TYPE_CHECKING:
    from modwire.errors import ModbusError
    from modwire.messages.base import AnyRequest, Response

    from ..sample import Sample

LATENESS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)  # seconds


@dataclass(frozen=True)
class Ask:
    """A request to send to `unit`, with the timeout of its device or None; sent at `now`."""

    device: DeviceState
    request: AnyRequest
    unit: int
    timeout: float | None
    now: float


class Line:
    """Devices that are asked in turn.

    Of those that have something to send, the one is next that has used the line for the shortest
    time (start-time fair queuing: a device that comes late gets no credit for the time before).
    So neither a device with many points nor one that does not answer keeps the others waiting for
    longer than one request. `seconds` is the time that the line was in use; `lateness` has the
    number of readings that began too late by up to each of `LATENESS`, `late` the sum of all.

    - `is_ending`: set it to begin no more readings; those that were begun go on to their end.
    - `is_once`: set it to read each device once.
    """

    def __init__(self) -> None:
        self.devices: dict[str, DeviceState] = {}
        self.seconds = 0.0
        self.lateness = [0] * (len(LATENESS) + 1)
        self.late = 0.0
        self.is_ending = self.is_once = False
        self._used = 0.0  # that of the device whose turn it was last
        self._now = -math.inf

    def next(self, now: float) -> Ask | None:
        """Return the next request to send; None if there is none yet, see `wake`."""
        if now < self._now:
            for each in self.devices.values():
                each.settle(now)
        self._now = now
        while (device := self._chosen(now)) is not None:
            self._used = device.used
            if device.reading is None:
                device.begin(now)
                self.lateness[bisect_left(LATENESS, device.late)] += 1
                self.late += device.late
            request = device.request
            if request is not None:
                device.is_asked = True
                device.requests += 1
                spec = device.spec
                return Ask(device, request, spec.unit, spec.endpoint.timeout, now)
            # The device refuses all points of the group, so there is nothing to send.
            device.answered(now, device.answered_at)
        return None

    def _chosen(self, now: float) -> DeviceState | None:
        """Return the device whose turn it is."""
        chosen: DeviceState | None = None
        for device in self.devices.values():
            if self._due(device) <= now:
                if not device.is_ready:
                    device.is_ready = True
                    device.used = max(device.used, self._used)
                if chosen is None or device.used < chosen.used:
                    chosen = device
        return chosen

    def _due(self, device: DeviceState) -> float:
        """Return the time of the next request to a device; infinity if there is none."""
        is_over = self.is_ending or (self.is_once and device.is_tried)
        return math.inf if is_over and device.reading is None else device.due()

    def wake(self, now: float) -> float | None:
        """Return the time at which there is a next request; None if only an answer brings one."""
        due = min(map(self._due, self.devices.values()), default=math.inf)
        return None if due == math.inf else max(due, now)

    def answered(self, ask: Ask, response: Response, now: float, wall: float) -> list[Sample]:
        """Take the response to a request; return the values of a reading that is complete."""
        device = self._end(ask, now)
        if device.reading is None:  # removed meanwhile
            return []
        device.reading.answered(response)
        return self._answered(device, now, wall)

    def failed(self, ask: Ask, error: ModbusError, now: float, wall: float) -> list[Sample]:
        """Take the failure of a request; return the values that were read, and are bad now."""
        device = self._end(ask, now)
        device.errors += 1
        if device.reading is None:
            return []
        if isinstance(error, ExceptionResponseError):
            try:
                device.reading.refused(error)
            except ExceptionResponseError:
                return device.failed(error, now, wall)
            return self._answered(device, now, wall)
        device.is_link_lost = isinstance(error, ConnectionLostError)
        return device.failed(error, now, wall)

    def _end(self, ask: Ask, now: float) -> DeviceState:
        device = ask.device
        device.is_asked = device.is_ready = False
        device.seconds = max(0.0, now - ask.now)
        device.used += device.seconds
        self.seconds += device.seconds
        return device

    def _answered(self, device: DeviceState, now: float, wall: float) -> list[Sample]:
        samples = device.answered(now, wall)
        for other in self.devices.values():
            # The link is back, which was all that was wrong with them.
            if other.is_link_lost and other is not device:
                other.retry_at = min(other.retry_at, now)
                other.groups[0].due = min(other.groups[0].due, now)
        return samples
