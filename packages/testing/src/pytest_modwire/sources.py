"""`Parts`: the units of a device, made from whatever the test describes it with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modwire import BaseUnit, Units
from modwire.maps import RegisterMap

from .values import NamedValues, UnitValues

if TYPE_CHECKING:
    from typing import TypeAlias

    from modwire.units.datastore import Datastore

    One: TypeAlias = "BaseUnit | RegisterMap | type[RegisterMap]"
    Source: TypeAlias = "One | Units | Mapping[int, One] | str | Path"

_FIRST = 1  # the unit id of a device with one unit, which clients ask by default


class Parts(NamedTuple):
    """The units of a device, and the values of those that are known by their ids."""

    units: Units
    values: dict[int, UnitValues]


def parts_of(source: Source) -> Parts:
    """Return the parts of a device.

    Raises TypeError for a source of another kind, ImportError for a device file without
    modwire-tools, OSError and ValueError for a wrong device file.
    """
    if isinstance(source, str | Path):
        from .device_files import file_parts

        return file_parts(source)
    if isinstance(source, Units):
        return Parts(source, {number: UnitValues(unit) for number, unit in source.by_id.items()})
    several: Mapping[int, One] = source if isinstance(source, Mapping) else {_FIRST: source}
    if not several:
        raise ValueError("a device needs a unit, got none")
    values = {number: _values_of(number, one) for number, one in several.items()}
    return Parts(Units({number: each.unit for number, each in values.items()}), values)


def _values_of(number: int, one: One) -> UnitValues:
    if isinstance(one, type) and issubclass(one, RegisterMap):
        one = one()
    if isinstance(one, RegisterMap):
        unit = one.build_unit()
        return UnitValues(unit, _MapValues(type(one), unit))
    if isinstance(one, BaseUnit):
        return UnitValues(one)
    raise TypeError(
        f"unit {number} must be a Unit or a RegisterMap; a device may also be Units, or the path "
        f"of a device file; got {one!r}"
    )


class _MapValues(NamedValues):
    """The points of a register map, in the tables of a unit."""

    def __init__(self, kind: type[RegisterMap], unit: Datastore) -> None:
        self._kind = kind
        self._unit = unit

    def __getitem__(self, name: str) -> object:
        if name not in self._kind.points:
            raise self._unknown(name)
        value: object = getattr(self._kind.load(self._unit), name)
        return value

    def __setitem__(self, name: str, value: object) -> None:
        if name not in self._kind.points:
            raise self._unknown(name)
        image = self._kind()
        setattr(image, name, value)
        image.store(self._unit)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kind.points)
