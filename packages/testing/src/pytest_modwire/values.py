"""`UnitValues`: the registers, bits and points of a unit, for the test to set and assert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

from modwire.units.datastore import MemoryBlock
from modwire.units.tables import BIT_TABLES

if TYPE_CHECKING:
    from modwire import BaseUnit, Block


class TableValues:
    """The values of a table by address, as the owner of the device sees them.

    `table[3]` is a value and `table[3:6]` a list; both can be set, in tables that clients cannot
    write too. Coils and discrete inputs are booleans. Raises IndexError for an address that the
    unit does not have.
    """

    def __init__(self, block: Block, name: str) -> None:
        self._block = block
        self._name = name

    @overload
    def __getitem__(self, address: int) -> int: ...
    @overload
    def __getitem__(self, address: slice) -> list[int]: ...
    def __getitem__(self, address: int | slice) -> int | list[int]:
        values = self._read(*_range(address))
        return values if isinstance(address, slice) else values[0]

    @overload
    def __setitem__(self, address: int, value: int) -> None: ...
    @overload
    def __setitem__(self, address: slice, value: Sequence[int]) -> None: ...
    def __setitem__(self, address: int | slice, value: int | Sequence[int]) -> None:
        start, count = _range(address)
        values = [value] if isinstance(value, int) else list(value)
        if len(values) != count:
            raise ValueError(f"{count} values are needed for {address}, got {len(values)}")
        if isinstance(self._block, MemoryBlock):
            self._block[start : start + count] = values
        else:
            self._block.write(start, values)

    def _read(self, start: int, count: int) -> list[int]:
        if isinstance(self._block, MemoryBlock):
            values = list(self._block[start : start + count])
        else:
            values = list(self._block.read(start, count))
        return [bool(each) for each in values] if self._name in BIT_TABLES else values

    def __repr__(self) -> str:
        return f"<{self._name.replace('_', ' ')} of {self._block!r}>"


def _range(address: int | slice) -> tuple[int, int]:
    if not isinstance(address, slice):
        return address, 1
    start, stop = address.start, address.stop
    if start is None or stop is None or address.step not in (None, 1) or not 0 <= start < stop:
        raise IndexError(f"a slice must be such as [10:13], got {address}")
    return start, stop - start


class NamedValues(Mapping[str, object]):
    """The values of the named points of a unit: `values["speed"] = 1450.0`.

    This one has no points: those of register maps and of device files are subclasses.
    """

    def __getitem__(self, name: str) -> object:
        raise self._unknown(name)

    def __setitem__(self, name: str, value: object) -> None:
        raise self._unknown(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _unknown(self, name: str) -> KeyError:
        known = ", ".join(self)
        if not known:
            return KeyError(
                f"no point {name!r}: only units of a RegisterMap or a device file have named points"
            )
        return KeyError(f"no point {name!r}; there are {known}")

    def __repr__(self) -> str:
        return repr(dict(self))


class UnitValues:
    """The values of a unit: its four tables, and its named points in `values`.

    `unit` is the unit itself.
    """

    def __init__(self, unit: BaseUnit, values: NamedValues | None = None) -> None:
        self.unit = unit
        self.values = NamedValues() if values is None else values

    @property
    def coils(self) -> TableValues:
        """The coils, which are booleans."""
        return TableValues(self.unit.coils, "coils")

    @property
    def discrete_inputs(self) -> TableValues:
        """The discrete inputs, which are booleans."""
        return TableValues(self.unit.discrete_inputs, "discrete_inputs")

    @property
    def holding_registers(self) -> TableValues:
        """The holding registers, 0..65535 each."""
        return TableValues(self.unit.holding_registers, "holding_registers")

    @property
    def input_registers(self) -> TableValues:
        """The input registers, 0..65535 each."""
        return TableValues(self.unit.input_registers, "input_registers")
