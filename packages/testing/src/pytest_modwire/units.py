"""`DeviceUnits`: the units that the server of a device asks, in front of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from modwire import ExceptionResponse, FaultyResponse, InvalidRequestError, Unit, Units, Waits

from .faults import Asked

if TYPE_CHECKING:
    from modwire import BaseUnit, Response
    from modwire.messages.base import AnyRequest

    from .faults import Faults


class DeviceUnits(Units):
    """The units of `behind`, with the faults of the device.

    It has a unit for every id, so that the log has the requests to those that do not exist; these
    are not answered. `pause(seconds)` waits, and returns True at once if the device is closed.
    `threads` are those that have executed requests.
    """

    def __init__(self, behind: Units, faults: Faults, pause: Callable[[float], bool]) -> None:
        super().__init__({})
        self.behind = behind
        self.faults = faults
        self.pause = pause
        self.bus = behind.bus
        self.damaged_frames = 0
        self.threads: set[threading.Thread] = set()
        self._fronts: dict[int, _Front] = {}
        self._nobody = _Nobody()

    def get(self, unit_id: int) -> BaseUnit:
        """Return the unit with this id, or one that does not answer."""
        return self._in_front(unit_id, self.behind.get(unit_id))

    def for_tcp(self, unit_id: int) -> BaseUnit:
        """Return the unit that a TCP request with this id addresses, or one without an answer."""
        return self._in_front(unit_id, self.behind.for_tcp(unit_id))

    def _in_front(self, unit_id: int, unit: BaseUnit | None) -> BaseUnit:
        if unit is None:
            return self._nobody
        front = self._fronts.get(unit_id)
        if front is None or front.behind is not unit:
            front = self._fronts[unit_id] = _Front(self, unit_id, unit)
        # A delay must not stop the thread that serves.
        front.blocking = unit.blocking or self.faults.may_delay
        return front

    def __iter__(self) -> Iterator[BaseUnit]:
        ids = {unit: unit_id for unit_id, unit in reversed(self.behind.by_id.items())}
        return iter([self._in_front(ids[unit], unit) for unit in self.behind if unit in ids])

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        """Count the damaged frames that came, and report them to the units."""
        self.damaged_frames += count
        self.behind.communication_error(count, overrun=overrun)


class _Front(Unit):
    """Injects the faults of the device into the responses of the unit `behind`."""

    def __init__(self, units: DeviceUnits, unit_id: int, behind: BaseUnit) -> None:
        super().__init__()
        self.behind = behind
        self._units = units
        self._id = unit_id

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        self._units.threads.add(threading.current_thread())
        if broadcast:
            self.behind.execute(request, broadcast=True)
            return None
        asked = Asked(self.behind, request)
        seconds, fault = self._units.faults.take(self._id, request)
        if fault is None or fault.answer is None:
            response = asked.execute()
            if seconds:
                response = FaultyResponse(response, fault="delay")
        else:
            response = fault.answer(asked)
        if seconds and self._units.pause(seconds):
            return FaultyResponse(None, fault="delay")
        return response

    @property
    def listen_only(self) -> bool:
        """True if the unit behind this one must not answer."""
        return self.behind.listen_only

    @listen_only.setter
    def listen_only(self, value: bool) -> None:
        self.behind.listen_only = value

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return self.behind.refuse(error, broadcast=broadcast)


class _Nobody(Unit):
    """Stands for the units that the device does not have: it does not answer."""

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        return FaultyResponse(None, fault="the device has no such unit")

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return None


def check_units(units: Units) -> None:
    """Raise TypeError for a unit that a device in a thread cannot execute."""
    for unit in units:
        if unit.waits not in (Waits.NEVER, Waits.THREAD):
            raise TypeError(
                f"a device executes its units in a thread, so {type(unit).__name__}, which waits "
                "in an event loop or a queue, cannot be one of them: take a Unit"
            )
