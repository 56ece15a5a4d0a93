"""`LiveDevice`: a device of a running simulation: its units, its faults, where it is served."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from modwire import Endpoint, Units

from .devices import DeviceSpec, UnitSpec
from .fields import fields_of
from .units import SimulatedUnit, UnitPlan, in_front
from .view import Faults


class Plans:
    """The plans of units, each made once."""

    def __init__(self) -> None:
        self._plans: dict[int, UnitPlan] = {}

    def find(self, spec: UnitSpec) -> UnitPlan:
        """The plan of `spec`; raises ValueError for what cannot be."""
        # By identity: a description has dictionaries, and comparing two takes long.
        plan = self._plans.get(id(spec))
        if plan is None:
            plan = self._plans[id(spec)] = UnitPlan(spec)
        return plan


class LiveDevice:
    """Made of a `DeviceSpec`; `units` are served, `simulated` are those behind faults.

    `endpoints` are where it is to be served, `listening` where it is, with the ports that the
    system chose. `problem` says why it could not be served.
    """

    def __init__(
        self,
        index: int,
        spec: DeviceSpec,
        endpoints: Sequence[Endpoint],
        now: Callable[[], float],
        seed: int,
        plans: Plans,
    ) -> None:
        self.index = index
        self.spec = spec
        self.endpoints = list(endpoints)
        self.listening: list[str] = []
        self.running = False
        self.problem = ""
        self.connections = 0
        self.line_requests = 0
        self.simulated = {
            unit.id: SimulatedUnit(plans.find(unit), now, seed) for unit in spec.units
        }
        self._faults = {unit.id: unit.faults for unit in spec.units}
        # Not a Random for each unit: it has two and a half thousand bytes of state.
        self._draw: random.Random | None = None
        self._seed = seed
        self._counted_from = 0
        self.units = Units({})
        # On a line with other devices its units are in the `Units` of the line too.
        self.homes: list[Units] = [self.units]
        for unit_id in self.simulated:
            self._put_up(unit_id)

    def check(self) -> None:
        """Raise ValueError for what can only be seen when all points are there."""
        for unit in self.simulated.values():
            try:
                unit.check()
            except ValueError as error:
                raise ValueError(f"{self.spec.name}, unit {unit.spec.id}: {error}") from None

    def unit(self, unit_id: int) -> SimulatedUnit:
        """The unit with an id; LookupError if there is none."""
        unit = self.simulated.get(unit_id)
        if unit is None:
            known = ", ".join(map(str, sorted(self.simulated)))
            raise LookupError(f"device {self.index} has no unit {unit_id}, it has {known}")
        return unit

    def faults(self, unit_id: int) -> Faults:
        """What a unit does wrong."""
        self.unit(unit_id)
        return self._faults[unit_id]

    def set_faults(self, unit_id: int, faults: Faults) -> None:
        """Change what a unit does wrong; raises ValueError for what cannot be."""
        self.unit(unit_id)
        check_faults(faults)
        self._faults[unit_id] = faults
        self._put_up(unit_id)

    def _put_up(self, unit_id: int) -> None:
        if self._draw is None and self._faults[unit_id] != Faults():
            self._draw = random.Random(self._seed)
        draw = self._draw if self._draw is not None else _NO_DRAW
        front = in_front(self.simulated[unit_id], self._faults[unit_id], draw)
        for home in self.homes:
            home[unit_id] = front
            if self.simulated[unit_id].spec.every_id and home is self.units:
                for other in range(256):
                    if other not in self.simulated:
                        home[other] = front

    def join(self, line: Units) -> None:
        """Let the units be on a line too."""
        self.homes.append(line)
        for unit_id in self.simulated:
            line[unit_id] = self.units[unit_id]

    def leave(self, line: Units) -> None:
        """Take the units from a line."""
        if line in self.homes:
            self.homes.remove(line)
            for unit_id in self.simulated:
                del line[unit_id]

    @property
    def requests(self) -> int:
        """How often it was asked since it was started."""
        return self.units.bus.messages + self.line_requests - self._counted_from

    def started(self) -> None:
        """It is served from now on."""
        self._counted_from = self.units.bus.messages + self.line_requests
        self.running = True
        self.problem = ""


_NO_DRAW = random.Random(0)


def check_faults(faults: Faults) -> None:
    """Raise ValueError for rates, codes and times outside their limits."""
    for name, field in fields_of(Faults).items():
        try:
            field.check(getattr(faults, name))
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
