"""`LiveDevice`: a device of a running simulation, with its units, faults and endpoints."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from modwire import Endpoint, Units
from modwire.server.peers import AllowedNetworks

from .devices import DeviceSpec, UnitSpec
from .fields import fields_of
from .units import SimulatedUnit, UnitPlan, in_front
from .view import Faults


class Plans:
    """The plans of units. A plan is made once for all devices with the same description."""

    def __init__(self) -> None:
        self._plans: dict[int, UnitPlan] = {}

    def find(self, spec: UnitSpec) -> UnitPlan:
        """Return the plan of `spec`; raises ValueError if the description is wrong."""
        # Compare identities: comparing the dictionaries of two descriptions is slow.
        plan = self._plans.get(id(spec))
        if plan is None:
            plan = self._plans[id(spec)] = UnitPlan(spec)
        return plan


class LiveDevice:
    """A device made from a `DeviceSpec`.

    Servers get `units`, which inject the faults; `simulated` has the units behind them. `endpoints`
    are the requested ones, `listening` the active ones, with the ports that the system chose.
    `problem` is the reason why the device could not be served, or "". Clients of the networks in
    `allowed` may connect.
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
        # All units share one Random, made on first use: it has 2,500 bytes of state.
        self._draw: random.Random | None = None
        self._seed = seed
        self._counted_from = 0
        self.allowed = AllowedNetworks()
        self.units = Units({})
        # On a shared line, its units are in the `Units` of the line as well.
        self.homes: list[Units] = [self.units]
        for unit_id in self.simulated:
            self._put_up(unit_id)

    def check(self) -> None:
        """Raise ValueError for mistakes that can be found only when all points exist."""
        for unit in self.simulated.values():
            try:
                unit.check()
            except ValueError as error:
                raise ValueError(f"{self.spec.name}, unit {unit.spec.id}: {error}") from None

    def unit(self, unit_id: int) -> SimulatedUnit:
        """Return the unit with this id; raises LookupError if there is none."""
        unit = self.simulated.get(unit_id)
        if unit is None:
            known = ", ".join(map(str, sorted(self.simulated)))
            raise LookupError(f"device {self.index} has no unit {unit_id}, it has {known}")
        return unit

    def faults(self, unit_id: int) -> Faults:
        """Return the faults of a unit."""
        self.unit(unit_id)
        return self._faults[unit_id]

    def set_faults(self, unit_id: int, faults: Faults) -> None:
        """Change the faults of a unit; raises ValueError if they are outside their limits."""
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
        """Add the units to a line."""
        self.homes.append(line)
        for unit_id in self.simulated:
            line[unit_id] = self.units[unit_id]

    def leave(self, line: Units) -> None:
        """Remove the units from a line."""
        if line in self.homes:
            self.homes.remove(line)
            for unit_id in self.simulated:
                del line[unit_id]

    @property
    def requests(self) -> int:
        """The number of requests since the device was started."""
        return self.units.bus.messages + self.line_requests - self._counted_from

    def started(self) -> None:
        """Record that the device is served from now on."""
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
