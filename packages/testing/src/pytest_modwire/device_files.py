"""Device files of the simulator; the only module that needs modwire-tools, and loaded with one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

from .sources import Parts
from .values import NamedValues, UnitValues

try:
    from modwire_tools.simulator.files import read_device
    from modwire_tools.simulator.live_device import LiveDevice, Plans
    from modwire_tools.simulator.units import SimulatedUnit
    from modwire_tools.simulator.view import Faults
except ImportError as error:
    raise ImportError(
        "a device file is read by modwire-tools: pip install 'pytest-modwire[files]'"
    ) from error

_SEED = 0  # random values are the same in every run


def file_parts(path: str | Path) -> Parts:
    """Return the parts of the device in a TOML or JSON file.

    The faults in the file are left out: they happen at random, a test switches its own. Raises
    OSError, and ValueError for a mistake in the file.
    """
    spec = read_device(path)
    spec = replace(spec, units=[replace(each, faults=Faults()) for each in spec.units])
    begun = monotonic()
    device = LiveDevice(0, spec, [], lambda: monotonic() - begun, _SEED, Plans())
    device.check()
    values = {
        number: UnitValues(unit, _PointValues(unit)) for number, unit in device.simulated.items()
    }
    return Parts(device.units, values)


class _PointValues(NamedValues):
    """The points of a simulated unit; one that changes continues from the value that is set."""

    def __init__(self, unit: SimulatedUnit) -> None:
        self._unit = unit

    def __getitem__(self, name: str) -> object:
        if name not in self._unit.points:
            raise self._unknown(name)
        return self._unit.points[name].value(self._unit.now())

    def __setitem__(self, name: str, value: object) -> None:
        if name not in self._unit.points:
            raise self._unknown(name)
        now = self._unit.now()
        point = self._unit.points[name]
        point.refresh(now)
        point.set(value, now)

    def __iter__(self) -> Iterator[str]:
        return iter(self._unit.points)
