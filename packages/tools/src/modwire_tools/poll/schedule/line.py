"""`Line`: the devices that share a serial port or a connection, and whose turn it is."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modwire.errors import (
    ConnectionLostError,
    ExceptionResponseError,
    GatewayTargetFailedError,
)

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

    Of those that have something to send, the one is next that has waited for the longest time:
    since its reading was due, or since the answer to its last request. So a device with many
    requests takes turns with the others, and one that does not answer makes no reading of another
    one later than by its timeout, as long as the line has time for all. `seconds` is the time that
    the line was in use; `lateness` has the number of readings that began too late by up to each of
    `LATENESS`, `late` the sum of all.

    - `is_ending`: set it to begin no more readings; those that were begun go on to their end.
    - `is_once`: set it to read each device once.
    - `late_window`: the seconds for which a client holds back the next request to a unit that did
      not answer, because its answer may be late; 0 with transaction ids. To ask it earlier would
      keep the others waiting.
    """

    def __init__(self) -> None:
        self.devices: dict[str, DeviceState] = {}
        self.seconds = 0.0
        self.lateness = [0] * (len(LATENESS) + 1)
        self.late = 0.0
        self.is_ending = self.is_once = False
        self.late_window = 0.0
        self._now = -math.inf

    def next(self, now: float) -> Ask | None:
        """Return the next request to send; None if there is none yet, see `wake`."""
        if now < self._now:
            for each in self.devices.values():
                each.settle(now)
        self._now = now
        while (device := self._chosen(now)) is not None:
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
        """Return the device whose turn it is; None if there is none yet."""
        chosen = min(self.devices.values(), key=self._due, default=None)
        return chosen if chosen is not None and self._due(chosen) <= now else None

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
                return device.failed(error, now, wall, self._rest(ask, error))
            return self._answered(device, now, wall)
        device.is_link_lost = isinstance(error, ConnectionLostError)
        return device.failed(error, now, wall, self.late_window)

    def _rest(self, ask: Ask, error: ExceptionResponseError) -> float:
        """Return the seconds for which the client holds back the next request to the unit."""
        if not isinstance(error, GatewayTargetFailedError):
            return 0.0
        # The answer to the gateway may still come, until its timeout and later.
        return self.late_window and self.late_window + (ask.timeout or 0.0)

    def _end(self, ask: Ask, now: float) -> DeviceState:
        device = ask.device
        device.is_asked = False
        device.asked_at = now
        device.seconds = max(0.0, now - ask.now)
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
