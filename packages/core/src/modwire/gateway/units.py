"""`GatewayUnits`: which unit ids lead where; the core of every adapter's `Gateway`.

An adapter's `Gateway` adds the lines: it makes a unit for each device behind one, which waits in
the `GatewayLine` for its turn and then passes the request on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..errors import GatewayPathUnavailableError
from ..messages.base import RawRequest
from ..options import check_count, check_timeout
from ..units.unit import Unit
from ..units.units import Units
from .queue import Rules
from .remote import failed_answer

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Response
    from .queue import LineClient

_MOST_UNIT = 255


class GatewayUnits(Units):
    """Units on lines behind a gateway, and units of its own beside them.

    The arguments are those of `GatewayLine`. Raises ValueError for what is out of range.
    """

    def __init__(
        self,
        *,
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
        self._lines: dict[LineClient, _Line] = {}
        self._make_other: Callable[[int], Unit] | None = None  # for the line with all other ids
        self._others: dict[int, Unit] = {}
        self._nowhere = _Nowhere()
        self._zero = _Nowhere(blocking=True)

    # What an adapter calls.

    def _check_line(
        self, client: LineClient, kind: type[LineClient], timeout: float | None
    ) -> None:
        """Raise TypeError for what is no client of the adapter's, ValueError for no timeout."""
        if not isinstance(client, kind):
            package = kind.__module__.partition(".")[0]
            raise TypeError(f"line must be a client of {package}, got {client!r}")
        if timeout is not None:
            check_timeout(timeout)

    def _add_line(
        self,
        client: LineClient,
        make: Callable[[int], Unit],
        units: Mapping[int, int] | Iterable[int] | None,
        hung_up: Callable[[object], None],
    ) -> None:
        """Let unit ids lead to what `make` gives for an id on the line, 0 for all units on it.

        `hung_up` is told of those who will take no answer. A client that was added before is the
        same line: no broadcast goes there twice.
        """
        if units is None:
            if self._make_other is not None:
                raise ValueError("units must be named: all other ids lead to another line already")
            self._make_other = make
        else:
            ids = _mapping(units)
            for unit_id in ids:
                if unit_id in self._units:
                    raise ValueError(f"unit {unit_id} is in use already")
            made: dict[int, Unit] = {}
            for unit_id, target in ids.items():
                if target not in made:
                    made[target] = make(target)
                self[unit_id] = made[target]
        if client not in self._lines:
            self._lines[client] = _Line(make(0), hung_up)

    # What a server calls.

    def get(self, unit_id: int) -> Unit | None:
        """The unit with this id, its own or on a line, or None."""
        unit = self._units.get(unit_id)
        if unit is None and self._make_other is not None and 0 < unit_id <= _MOST_UNIT:
            unit = self._others.get(unit_id)
            if unit is None:
                unit = self._others[unit_id] = self._make_other(unit_id)
        return unit

    def for_tcp(self, unit_id: int) -> Unit | None:
        """The unit that a TCP request with this id means; never None.

        0 is a broadcast, unless a unit has that id, and 255 the only unit of the gateway itself,
        if it has one. What leads nowhere is answered with 0A, gateway path unavailable.
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
        """Whether a TCP request to unit 0 is for all units."""
        return self.get(0) is None

    def hung_up(self, asker: object) -> None:
        """`asker` will take no answer: what it has in the queues is not passed on."""
        for line in self._lines.values():
            line.hung_up(asker)

    def _own(self) -> list[Unit]:
        return [unit for unit in dict.fromkeys(self._units.values()) if not unit.forwards]

    def __iter__(self) -> Iterator[Unit]:
        """Whom a broadcast is for: the gateway's own units and each line, once."""
        return iter([*self._own(), *(line.everyone for line in self._lines.values())])

    def __getitem__(self, unit_id: int) -> Unit:
        unit = self.get(unit_id)
        if unit is None:
            raise KeyError(unit_id)
        return unit

    def __contains__(self, unit_id: object) -> bool:
        return isinstance(unit_id, int) and self.get(unit_id) is not None

    def __repr__(self) -> str:
        others = ", all others" if self._make_other is not None else ""
        return f"<{type(self).__name__} {sorted(self._units)}{others}>"


class _Line(NamedTuple):
    everyone: Unit  # all units on it
    hung_up: Callable[[object], None]


class _Nowhere(Unit):
    """What no path leads to: 0A, gateway path unavailable."""

    cooperative: ClassVar[bool] = True
    forwards: ClassVar[bool] = True

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        return failed_answer(request, GatewayPathUnavailableError(request), broadcast=broadcast)


class _ForAll(RawRequest):
    """A request that goes to all units on a line, so that nobody answers."""

    __slots__ = ()
    expects_response = False


def passed_on(request: AnyRequest, *, broadcast: bool) -> AnyRequest | None:
    """What a gateway sends on a line for `request`; None where a broadcast asks for something.

    Where a broadcast is no such thing, as on TCP, its answer is not waited for either.
    """
    if not broadcast:
        return request
    if not request.is_write:
        return None
    pdu = request.encode()
    return _ForAll(pdu[0], pdu[1:])


def _mapping(units: Mapping[int, int] | Iterable[int]) -> dict[int, int]:
    """Unit ids of the gateway -> those on the line."""
    if isinstance(units, Mapping):
        ids: dict[int, int] = dict(units)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(units, Iterable):
        ids = {each: each for each in units}
    else:
        raise TypeError(f"units must be unit ids, or map them to others, got {units!r}")
    for unit_id, target in ids.items():
        if not isinstance(unit_id, int) or not 0 <= unit_id <= _MOST_UNIT:
            raise ValueError(f"unit id must be 0..{_MOST_UNIT}, got {unit_id!r}")
        if not isinstance(target, int) or not 1 <= target <= _MOST_UNIT:
            raise ValueError(f"unit id on the line must be 1..{_MOST_UNIT}, got {target!r}")
    return ids
