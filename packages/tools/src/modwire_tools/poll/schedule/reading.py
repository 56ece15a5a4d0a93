"""`Group`: the points of a device with one interval; `Reading`: one reading of them.

The steps of a reading are those of the core, `modwire.maps.transfer.read_steps`: a request that
the device refuses is sent again in parts, and the planner remembers what it refuses.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine, Generator, Sequence
from typing import TYPE_CHECKING

from modwire.maps.image import Image
from modwire.maps.transfer import read_steps
from modwire.planner import PlanLimits, Planner

from .points import PointState
from .reasons import reason_of

if TYPE_CHECKING:
    from modwire.errors import ModbusError
    from modwire.messages.base import AnyRequest, Response

    from ..sample import Sample


class Group:
    """Points that are read together, every `interval` seconds from `origin` on.

    The times are `origin + number * interval`; `due` is the next one that was not begun. It may be
    set to an earlier time.
    """

    def __init__(
        self, points: Sequence[PointState], interval: float, origin: float, limits: PlanLimits
    ) -> None:
        self.points = points
        self.interval = interval
        self.due = origin
        self.stale_at = math.inf
        self.readings = 0
        self.missed = 0
        self._origin = origin
        self._number = 0  # of the regular time that comes next; `due` may be earlier
        self._limits = limits
        self.forget()

    def start(self, origin: float) -> None:
        """Begin with another first time."""
        self._origin = origin
        self._set(0)

    def forget(self) -> None:
        """Forget what the device refuses: it may be another one now."""
        self.planner = Planner((each.asked.span for each in self.points), self._limits)

    def begin(self, now: float) -> Reading:
        """Begin the reading that is due; times that have passed meanwhile are left out."""
        self._leave_out(now, 1)
        return Reading(self, self._limits)

    def skip(self, now: float) -> None:
        """Leave out the readings that are due, because the device does not answer."""
        if self.due <= now:
            self._leave_out(now, 0)

    def settle(self, now: float) -> None:
        """Set a due time that is too far away: the clock was set back."""
        if self.due > now + self.interval * 1.5:
            self._set(math.floor((now - self._origin) / self.interval) + 1)

    def _leave_out(self, now: float, begun: int) -> None:
        """Set the first due time after `now`; all but `begun` of those before it were missed."""
        number = math.floor((now - self._origin) / self.interval) + 1
        if number <= self._number and now >= self._time(self._number):
            number = self._number + 1  # rounding has given the time that is being begun
        self.missed += max(0, number - self._number - begun)
        self._set(number)

    def _set(self, number: int) -> None:
        self._number = number
        self.due = self._time(number)

    def _time(self, number: int) -> float:
        return self._origin + number * self.interval


class _Asked:
    """Awaited by the steps for the answer to a request."""

    def __init__(self, request: AnyRequest) -> None:
        self._request = request

    def __await__(self) -> Generator[AnyRequest, Response, Response]:
        return (yield self._request)


async def _call(request: AnyRequest) -> Response:
    return await _Asked(request)


class Reading:
    """One reading of a group: `request` is the next one to send, None at the end."""

    def __init__(self, group: Group, limits: PlanLimits) -> None:
        self.group = group
        self.request: AnyRequest | None = None
        self._image = Image()
        planner = group.planner
        points = [each.asked for each in group.points]
        steps = read_steps(_call, self._image, points, planner.requests(), limits, planner)
        self._steps: Coroutine[AnyRequest, Response | None, None] = steps
        self._go_on(None)

    def answered(self, response: Response) -> None:
        """Take the answer to `request`."""
        self._go_on(response)

    def refused(self, error: ModbusError) -> None:
        """Take an exception response; raises it if this reading cannot go on."""
        try:
            self.request = self._steps.throw(error)
        except StopIteration:
            self.request = None

    def _go_on(self, response: Response | None) -> None:
        try:
            self.request = self._steps.send(response)
        except StopIteration:
            self.request = None

    def abandon(self) -> None:
        """Send no more requests."""
        self._steps.close()
        self.request = None

    def samples(self, wall: float, reason: str = "") -> list[Sample]:
        """Return the values to pass on; points that were not read are bad because of `reason`."""
        image = self._image
        found: list[Sample] = []
        refusals = image.refusals
        for point in self.group.points:
            if point.asked in refusals:
                sample = point.bad(reason_of(refusals[point.asked]), wall)
            else:
                try:
                    items = image.raw(point.asked)
                except AttributeError:
                    sample = point.bad(reason or "it was not read", wall)
                else:
                    sample = point.good(items, wall)
            if sample is not None:
                found.append(sample)
        return found
