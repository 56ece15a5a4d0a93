"""`Units`: the units that a server answers for, by unit id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from .diagnostics import BusStatistics
from .unit import Unit


class Units:
    """The units that a server answers for, by unit id: `Units({1: unit, 2: other})`.

    Ids are 0..255. On a serial line 1..247 are addresses, 0 is a broadcast to all units and the
    others are reserved; on TCP 255 or 0 is the device itself (see `for_tcp`). One unit may have
    several ids, and be in several `Units`: its bus messages are then those of all lines.

    The server protocol adds every good frame to `bus.messages`, and tells `communication_error`.
    Raises ValueError for an id out of range.
    """

    def __init__(self, units: Mapping[int, Unit]) -> None:
        if not isinstance(units, Mapping):
            raise TypeError(f"units must map unit ids to units, such as {{1: unit}}, got {units!r}")
        self.bus = BusStatistics()
        self._units: dict[int, Unit] = {}
        for unit_id, unit in units.items():
            self[unit_id] = unit

    @classmethod
    def single(cls, unit: Unit) -> Units:
        """One unit that answers to every id, 0..255."""
        return cls(dict.fromkeys(range(256), unit))

    def get(self, unit_id: int) -> Unit | None:
        """The unit with this id, or None."""
        return self._units.get(unit_id)

    def find_reads(self, unit_id: int) -> Callable[[bytes], bytes | None] | None:
        """`Unit.answer_read` of the unit with this id, or None where it is not there or blocks."""
        unit = self._units.get(unit_id)
        return None if unit is None or unit.blocking else unit.answer_read

    def for_tcp(self, unit_id: int) -> Unit | None:
        """The unit that a TCP request with this id means, or None.

        255, and 0 of older clients, mean the device itself (MODBUS Messaging on TCP/IP V1.0b,
        section 4.4.1): where neither is in use, that is the only unit, if there is only one.
        """
        unit = self._units.get(unit_id)
        if unit is None and unit_id in (0, 255):
            units = list(self)
            if len(units) == 1:
                return units[0]
        return unit

    @property
    def blocking(self) -> bool:
        """Whether any unit says that it blocks."""
        return any(unit.blocking for unit in self)

    @property
    def broadcasts_zero(self) -> bool:
        """Whether a TCP request to unit 0 is for all units: where a gateway stands for a line."""
        return False

    def hung_up(self, asker: object) -> None:
        """`asker` will take no answer: a gateway forgets what it has not begun for it."""

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        """Tell all units of damaged frames on the line (CRC, LRC, parity, overrun, too short)."""
        for unit in self:
            unit.communication_error(count, overrun=overrun)

    def __getitem__(self, unit_id: int) -> Unit:
        return self._units[unit_id]

    def __setitem__(self, unit_id: int, unit: Unit) -> None:
        if not isinstance(unit_id, int) or not 0 <= unit_id <= 255:
            raise ValueError(f"unit id must be 0..255, got {unit_id}")
        if not isinstance(unit, Unit):
            raise TypeError(f"unit {unit_id} must be a Unit, got {type(unit).__name__}")
        unit.attach(self.bus)
        self._units[unit_id] = unit

    def __delitem__(self, unit_id: int) -> None:
        del self._units[unit_id]

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self._units

    def __iter__(self) -> Iterator[Unit]:
        """The units, each once."""
        return iter(list(dict.fromkeys(self._units.values())))

    def __len__(self) -> int:
        """How many units there are, each counted once."""
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<Units {sorted(self._units)}>"
