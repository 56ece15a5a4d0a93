"""`GatewayUnits`: maps unit ids of a gateway to devices; every package's `Gateway` is one.

A package defines its line, which makes the units behind it: their requests wait in the
`GatewayLine` for their turn and are then passed on; see `devices`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..arguments import explained
from ..errors import GatewayPathUnavailableError
from ..options import check_count, check_range, check_timeout
from ..units.unit import BaseUnit, Unit, Waits
from ..units.units import Units
from .queue import LineClient, Rules
from .remote import failed_answer

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Response

_MOST_UNIT = 255

ClientT = TypeVar("ClientT", bound=LineClient)


class Line(Protocol):
    """A line of a gateway, made by a package."""

    def unit(self, target: int, timeout: float | None) -> BaseUnit:
        """Return a unit that passes requests on to unit `target`; 0 is all units on the line."""
        raise NotImplementedError

    def hung_up(self, client: object) -> None:
        """Withdraw the queued requests of `client`, which has disconnected."""
        raise NotImplementedError


class GatewayUnits(Units, Generic[ClientT]):
    """The units of a server that are devices on other lines.

    `line` is a client, and `units` maps the unit ids of the gateway to those on the line, or lists
    ids that are the same on both; with None all ids without another unit are passed on. `timeout`
    is the response timeout of the units in seconds, None for the client's own. `add_line` adds
    another line, `gateway[unit_id] = unit` a unit of the gateway itself.

    Exception responses of a device are passed back unchanged, and unknown functions are passed on.
    A unit id without a device is answered with exception 0A, gateway path unavailable, but not at
    all on a serial line. A lost line is answered with 0A too, a unit that does not answer with 0B,
    gateway target failed.

    - `queue`: maximum number of waiting requests of a client; clients take turns. Others, and
      those that have waited longer than `patience` seconds, get exception 06, server device busy.
    - `pause`: seconds for which a unit that did not answer gets no request, at least the client's
      `late_reply_window`. They are doubled each time, up to `longest_pause`. New requests to the
      unit and those already queued are answered with 0B at once.
    - A broadcast goes to each line once, and is not answered. On TCP and UDP a write to unit 0 is
      a broadcast, unless a unit has that id.

    Raises ValueError for arguments out of range, TypeError unless `line` is the package's client.
    """

    @explained
    def __init__(
        self,
        line: ClientT,
        units: Mapping[int, int] | Iterable[int] | None = None,
        *,
        timeout: float | None = None,
        queue: int = 16,
        patience: float = 10.0,
        pause: float = 1.0,
        longest_pause: float = 30.0,
    ) -> None:
        super().__init__({})
        self._rules = Rules(
            check_count("queue", queue),
            check_timeout(patience, "patience"),
            check_timeout(pause, "pause"),
            check_timeout(longest_pause, "longest_pause"),
        )
        if longest_pause < pause:
            raise ValueError(
                f"longest_pause must be at least pause, in seconds, got {longest_pause} and {pause}"
            )
        self._lines: dict[ClientT, Line] = {}
        self._everyone: list[BaseUnit] = []  # for each line, unit 0, which is all units on it
        self._make_other: Callable[[int], BaseUnit] | None = None  # for all other ids
        self._others: dict[int, BaseUnit] = {}
        self._nowhere = _Nowhere()
        self._zero = _Nowhere()
        self._zero.waits = Waits.LOOP  # servers make a broadcast of it, which may wait
        self.add_line(line, units, timeout=timeout)

    def _new_line(self, client: ClientT, rules: Rules) -> Line:
        """Return the line of a client. Raises TypeError unless it is one of this package."""
        raise NotImplementedError(f"{type(self).__name__} must define _new_line()")

    @explained
    def add_line(
        self,
        line: ClientT,
        units: Mapping[int, int] | Iterable[int] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Map `units` to another line, or to the same one with another `timeout`.

        The arguments are those of the constructor. Raises ValueError for a unit id that is in use.
        """
        found = self._lines.get(line) or self._new_line(line, self._rules)
        if timeout is not None:
            check_timeout(timeout)
        if units is None:
            if self._make_other is not None:
                raise ValueError("units must be named: all other ids lead to another line already")
            self._make_other = lambda unit_id: found.unit(unit_id, timeout)
        else:
            ids = _mapping(units, 1 if line.broadcasts_zero else 0)
            for unit_id in ids:
                if unit_id in self.by_id:
                    raise ValueError(f"unit {unit_id} is in use already")
            made = {target: found.unit(target, timeout) for target in dict.fromkeys(ids.values())}
            for unit_id, target in ids.items():
                self[unit_id] = made[target]
        if line not in self._lines:
            self._lines[line] = found
            self._everyone.append(found.unit(0, timeout))

    # What a server calls.

    def get(self, unit_id: int) -> BaseUnit | None:
        """Return the unit with this id, the gateway's own or on a line, or None."""
        unit = self.by_id.get(unit_id)
        if unit is None and self._make_other is not None and 0 < unit_id <= _MOST_UNIT:
            unit = self._others.get(unit_id)
            if unit is None:
                unit = self._others[unit_id] = self._make_other(unit_id)
        return unit

    def for_tcp(self, unit_id: int) -> BaseUnit | None:
        """Return the unit that a TCP request with this id addresses; never None.

        0 is a broadcast, unless a unit has that id. 255 is the gateway's own unit, if it has
        exactly one. An id without a unit is answered with 0A, gateway path unavailable.
        """
        unit = self.get(unit_id)
        if unit is not None:
            return unit
        if not unit_id:
            return self._zero
        own = self._own()
        return own[0] if unit_id == _MOST_UNIT and len(own) == 1 else self._nowhere

    @property
    def broadcasts_zero(self) -> bool:
        """True if a TCP request to unit 0 is a broadcast."""
        return self.get(0) is None

    def hung_up(self, client: object) -> None:
        """Withdraw the queued requests of `client`, which has disconnected."""
        for line in self._lines.values():
            line.hung_up(client)

    def _own(self) -> list[BaseUnit]:
        units = dict.fromkeys(self.by_id.values())
        return [unit for unit in units if unit.waits is not Waits.QUEUE]

    def __iter__(self) -> Iterator[BaseUnit]:
        """Iterate over the units that get a broadcast: the gateway's own, and each line once."""
        return iter([*self._own(), *self._everyone])

    def __getitem__(self, unit_id: int) -> BaseUnit:
        unit = self.get(unit_id)
        if unit is None:
            raise KeyError(unit_id)
        return unit

    def __contains__(self, unit_id: object) -> bool:
        return isinstance(unit_id, int) and self.get(unit_id) is not None

    def __repr__(self) -> str:
        others = ", all others" if self._make_other is not None else ""
        return f"<{type(self).__name__} {sorted(self.by_id)}{others}>"


class _Nowhere(Unit):
    """A unit without a path to it, which answers 0A, gateway path unavailable."""

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        return failed_answer(request, GatewayPathUnavailableError(request), broadcast=broadcast)


def _mapping(units: Mapping[int, int] | Iterable[int], least: int) -> dict[int, int]:
    """Return a dict from the unit ids of the gateway to those on the line, `least`..255."""
    if isinstance(units, Mapping):
        ids: dict[int, int] = dict(units)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(units, Iterable):
        ids = {each: each for each in units}
    else:
        raise TypeError(f"units must be unit ids, or map them to others, got {units!r}")
    for unit_id, target in ids.items():
        check_range("unit id", unit_id, 0, _MOST_UNIT)
        check_range("unit id on the line", target, least, _MOST_UNIT)
    return ids
