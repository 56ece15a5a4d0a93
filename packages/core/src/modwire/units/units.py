"""`Units`: the units that a server answers for, by unit id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol
from weakref import WeakValueDictionary

from ..arguments import explained
from .diagnostics import BusStatistics
from .unit import BaseUnit, Waits

_START = 0x3A  # ":", the first character of an ASCII frame


class Delimited(Protocol):
    """A framing whose frames end with a character that may be changed."""

    def use_delimiter(self, code: int) -> None:
        """End frames by the character with this code from now on."""
        raise NotImplementedError


class Units:
    """The units that a server answers for, by unit id: `Units({1: unit, 2: other})`.

    Ids are 0..255. On a serial line 1..247 are addresses, 0 is a broadcast to all units and the
    others are reserved, though devices use them; on TCP 255 or 0 is the device itself (see
    `for_tcp`). One unit may have several ids, and be in several `Units`: it then counts the bus
    messages of all lines.

    The server protocol counts every valid frame in `bus.messages`, and reports damaged ones to
    `communication_error`. Raises ValueError for an id out of range.
    """

    @explained
    def __init__(self, units: Mapping[int, BaseUnit]) -> None:
        if not isinstance(units, Mapping):
            raise TypeError(f"units must map unit ids to units, such as {{1: unit}}, got {units!r}")
        self.bus = BusStatistics()
        self._delimiter: int | None = None  # None if the owner has set none
        # By id. Not a WeakSet: servers in other threads add to it while a setter goes through it,
        # and of this one a list can be taken in one step.
        self._delimited: WeakValueDictionary[int, Delimited] = WeakValueDictionary()
        self.by_id: dict[int, BaseUnit] = {}  # the units that were set; a gateway has more
        for unit_id, unit in units.items():
            self[unit_id] = unit

    @classmethod
    def single(cls, unit: BaseUnit) -> Units:
        """Return `Units` with one unit that answers to every id, 0..255."""
        return cls(dict.fromkeys(range(256), unit))

    def get(self, unit_id: int) -> BaseUnit | None:
        """Return the unit with this id, or None."""
        return self.by_id.get(unit_id)

    def for_tcp(self, unit_id: int) -> BaseUnit | None:
        """Return the unit that a TCP request with this id addresses, or None.

        255, and 0 in older clients, address the device itself (MODBUS Messaging on TCP/IP V1.0b,
        section 4.4.1): if no unit has that id, this is the only unit, if there is exactly one.
        """
        unit = self.by_id.get(unit_id)
        if unit is None and unit_id in (0, 255):
            units = list(self)
            if len(units) == 1:
                return units[0]
        return unit

    @property
    def wait(self) -> bool:
        """True if any unit waits for something while it executes a request."""
        return any(unit.waits is not Waits.NEVER for unit in self)

    @property
    def broadcasts_zero(self) -> bool:
        """True if a TCP request to unit 0 is a broadcast, as it is in a gateway."""
        return False

    def hung_up(self, client: object) -> None:
        """Withdraw the requests of `client`, which has disconnected, from a gateway's queues."""

    @property
    def ascii_delimiter(self) -> int:
        """The code of the last character of ASCII frames, 0..127; by default 10, line feed.

        Setting it changes the frames of all open lines and connections with these units, and of
        later ones, as function 8, sub-function 3 does for one of them (section 6.8). The clients
        have to use the same one. Raises ValueError for another code, and for ":", which begins
        frames.
        """
        return 10 if self._delimiter is None else self._delimiter

    @ascii_delimiter.setter
    def ascii_delimiter(self, code: int) -> None:
        if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 127:
            raise ValueError(f"ascii_delimiter must be a character code, 0..127, got {code!r}")
        if code == _START:
            raise ValueError('ascii_delimiter must not be ":", which begins frames')
        self._delimiter = code
        for unit in self:
            unit.ascii_delimiter = code
        for reference in self._delimited.valuerefs():
            framing = reference()
            if framing is not None:
                framing.use_delimiter(code)

    def follow(self, framing: Delimited) -> None:
        """Let the owner's `ascii_delimiter` apply to `framing`; its server calls this."""
        self._delimited[id(framing)] = framing
        if self._delimiter is not None:
            framing.use_delimiter(self._delimiter)

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        """Report `count` damaged frames on the line (CRC, LRC, parity, too short) to all units.

        `overrun` is True if one of them lost characters.
        """
        for unit in self:
            unit.communication_error(count, overrun=overrun)

    def __getitem__(self, unit_id: int) -> BaseUnit:
        return self.by_id[unit_id]

    def __setitem__(self, unit_id: int, unit: BaseUnit) -> None:
        if isinstance(unit_id, bool) or not isinstance(unit_id, int) or not 0 <= unit_id <= 255:
            raise ValueError(f"unit id must be 0..255, got {unit_id!r}")
        if not isinstance(unit, BaseUnit):
            raise TypeError(f"unit {unit_id} must be a Unit, got {type(unit).__name__}")
        unit.attach(self.bus)
        self.by_id[unit_id] = unit

    def __delitem__(self, unit_id: int) -> None:
        del self.by_id[unit_id]

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self.by_id

    def __iter__(self) -> Iterator[BaseUnit]:
        """Iterate over the units, each once."""
        return iter(list(dict.fromkeys(self.by_id.values())))

    def __len__(self) -> int:
        """Number of units, each counted once."""
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<Units {sorted(self.by_id)}>"
