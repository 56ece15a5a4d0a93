"""`RegisterMap`: the base class of register maps."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeVar, overload

from ..errors import InvalidResponseError
from ..planner import DEFAULT_LIMITS, PlanLimits, Planner, Span, plan
from ..units.block import Block
from ..units.datastore import MemoryBlock, SparseBlock
from ..units.tables import TABLES
from ..units.unit import Unit
from ..values.orders import ABCD, find_order
from .image import WHOLE, AnyPoint, Image
from .transfer import read_steps, run, write_steps

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..calls import AsyncCalls, BlockingCalls
    from ..units.datastore import Datastore
    from ..values.orders import Order, OrderName
    from .transfer import Call

MapT = TypeVar("MapT", bound="RegisterMap")


class RegisterMap(Image):
    """A device as typed attributes; an instance holds the values that were read or set.

        class Pump(RegisterMap):
            pressure = uint16(input=0, scale=0.01, unit="bar")
            speed = float32(holding=10, order="CDAB", unit="1/min")
            running = coil(0)

        pump = Pump.read(client)            # await Pump.read(client) with an async client
        print(pump.pressure)
        pump.speed, pump.running = 1450.0, True
        pump.write(client)                  # writes the two that were set
        Pump.speed.write(client, 1500.0)    # writes one point alone
        unit = Pump().build_unit()          # simulates a pump in a server

    Reading an attribute raises AttributeError if it was neither read nor set, and
    InvalidResponseError if its registers have no such value; setting one to a value that does not
    fit raises ValueError. A value that was set reads back as the device will see it: a float32 has
    seven digits, a scaled integer is rounded. Other attributes must be declared in the class, so
    that a misspelt point is an error.

    `class Pump(RegisterMap, order="CDAB")` sets the order of the points that the class itself
    declares; `order`, `byte_order` and `word_order` of a point take precedence. `limits` sets the
    costs and limits of requests, a `PlanLimits`: the default is for a serial line, and
    `PlanLimits.for_network()` gives fewer requests. Subclasses inherit both, and the points
    unchanged. `points` has the points by name.
    """

    points: ClassVar[Mapping[str, AnyPoint]] = MappingProxyType({})
    limits: ClassVar[PlanLimits] = DEFAULT_LIMITS
    _order: ClassVar[Order] = ABCD
    _requests: ClassVar[tuple[Span, ...] | None] = None

    def __init_subclass__(
        cls, *, limits: PlanLimits | None = None, order: Order | OrderName | None = None
    ) -> None:
        super().__init_subclass__()
        if order is not None:
            cls._order = find_order(None, None, order)
        if limits is not None:
            if not isinstance(limits, PlanLimits):
                raise TypeError(f"limits must be PlanLimits, got {limits!r}")
            cls.limits = limits
        for value in vars(cls).values():
            if isinstance(value, AnyPoint):
                value.adopt(cls._order, cls.limits)
        found: dict[str, AnyPoint] = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if isinstance(value, AnyPoint):
                    if hasattr(RegisterMap, name):
                        raise TypeError(
                            f"a point cannot be called {name!r}, which maps have: "
                            f"take another name, such as {name + '_'!r}"
                        )
                    found[name] = value
                else:
                    found.pop(name, None)
        cls.points = MappingProxyType(found)
        cls._requests = None

    @classmethod
    def planner(cls, *points: AnyPoint, limits: PlanLimits | None = None) -> Planner:
        """Return a planner for `points`, or all of them, which learns a device's missing addresses.

        Keep one for each device, and pass it to every `read` of that device.
        """
        spans = [point.span for point in points or cls.points.values()]
        return Planner(spans, cls.limits if limits is None else limits)

    @overload
    @classmethod
    def read(
        cls,
        client: BlockingCalls,
        *points: AnyPoint,
        planner: Planner | None = None,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> Self: ...
    @overload
    @classmethod
    def read(
        cls,
        client: AsyncCalls,
        *points: AnyPoint,
        planner: Planner | None = None,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> Coroutine[object, object, Self]: ...
    @classmethod
    def read(
        cls,
        client: BlockingCalls | AsyncCalls,
        *points: AnyPoint,
        planner: Planner | None = None,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> object:
        """Read `points`, or all of them, in the cheapest requests: return a map of this class.

        Await the call if the client is async. A request for several points that the device refuses
        with exception 02 is read in parts. A `planner` remembers refused requests for the next
        call, and has the points to read: see `planner()`. `unit` and `timeout` are those of the
        client's calls, the timeout for each request.

        Raises: the errors of the client's calls; IllegalDataAddressError for a point that is
        refused alone, unless there is a planner, which lists it as `unreadable`; ValueError for a
        point of another map, and for points and a planner; TypeError for another kind of client.
        """
        return run(client, partial(cls._read_steps, points, planner), unit, timeout)

    @classmethod
    async def _read_steps(
        cls, points: Sequence[AnyPoint], planner: Planner | None, call: Call
    ) -> Self:
        image = cls()
        wanted: Iterable[AnyPoint] = points or cls.points.values()
        if planner is not None:
            if points:
                raise ValueError("a planner knows what to read: give points to planner() instead")
            requests: Iterable[Span] = planner.requests()
        elif points:
            for point in points:
                if not any(point is own for own in cls.points.values()):
                    raise ValueError(f"points must be those of {cls.__name__}, got {point!r}")
            requests = plan([point.span for point in points], limits=cls.limits)
        else:
            if cls._requests is None:
                spans = [point.span for point in wanted]
                cls._requests = tuple(plan(spans, limits=cls.limits))
            requests = cls._requests
        await read_steps(call, image, wanted, requests, cls.limits, planner)
        return image

    @overload
    def write(
        self, client: BlockingCalls, *, unit: int | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def write(
        self, client: AsyncCalls, *, unit: int | None = None, timeout: float | None = None
    ) -> Coroutine[object, object, None]: ...
    def write(
        self,
        client: BlockingCalls | AsyncCalls,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> object:
        """Write the points set since the last read or write; await it if the client is async.

        Neighbouring points share a request, ordered by table and address: first whole coils and
        registers, then bits of registers (function 22). If a request fails, the points that were
        not written still count as set.

        Raises: ValueError, with nothing sent, if one of the points cannot be written, such as an
        input; the errors of the client's calls; TypeError for another kind of client.
        """
        return run(client, partial(write_steps, self), unit, timeout)

    def build_unit(self) -> Unit:
        """Return a unit for a server with the points of this map and no other address.

        They have the values of this instance, or 0 if it has none. `store` changes them later,
        `load` reads them back.
        """
        unit = Unit(
            coils=self._build_block("coils"),
            discrete_inputs=self._build_block("discrete_inputs"),
            holding_registers=self._build_block("holding_registers"),
            input_registers=self._build_block("input_registers"),
        )
        self.take_changes()
        return unit

    def _build_block(self, table: str) -> SparseBlock | None:
        known = self.known(table)
        values = {
            address: known.get(address, 0)
            for point in self.points.values()
            for address in range(point.span.address, point.span.stop)
            if point.span.table == table
        }
        return SparseBlock(values) if values else None

    def store(self, unit: Datastore) -> None:
        """Store the points that were set since the last call in the tables of a unit.

        This is a change by the device itself, so inputs change too, and the rules that blocks in
        memory have for clients do not apply. Raises IndexError or IllegalDataAddressError for
        addresses that the unit does not have.
        """
        changes = dict.fromkeys(self.take_changes())
        try:
            for point in list(changes):
                span, items = point.span, self.raw(point)
                block: Block = getattr(unit, span.table)
                if point.mask != WHOLE:
                    old = block.read(span.address, 1)[0]
                    items = [old & ~point.mask | items[0] & point.mask]
                if isinstance(block, MemoryBlock):
                    block[span.address : span.stop] = items
                else:
                    block.write(span.address, items)
                del changes[point]
        finally:
            self.return_changes(changes)

    @classmethod
    def load(cls, unit: Datastore) -> Self:
        """Return a map of a unit's values. Raises IllegalDataAddressError if a point is missing."""
        image = cls()
        for point in cls.points.values():
            span, block = point.span, getattr(unit, point.span.table)
            image.receive(span, block.read(span.address, span.count))
        return image

    def as_dict(self) -> dict[str, object]:
        """Return the values of the points that were read or set, by name.

        `json.dumps` accepts them, except custom types and enums other than `IntEnum`. Raises
        InvalidResponseError if registers have no such value.
        """
        return {
            name: getattr(self, name) for name, point in self.points.items() if self.knows(point)
        }

    def __setattr__(self, name: str, value: object) -> None:
        # Otherwise a misspelt point would silently never be written.
        if not hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__} has no point {name!r}, it has {', '.join(self.points)}"
            )
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, ...]:
        # Used for copies too. Points contain functions, which can be neither pickled nor copied;
        # their names are enough to find them again.
        known = {table: dict(self.known(table)) for table in TABLES}
        names = {point: name for name, point in self.points.items()}
        changes = [names[point] for point in self.changes if point in names]
        return _rebuilt, (type(self), known, changes, vars(self))

    def __eq__(self, other: object) -> bool:
        """True if both know the same points, with equal registers and bits."""
        if not isinstance(other, RegisterMap) or type(self) is not type(other):
            return NotImplemented
        return self._compared() == other._compared()

    def _compared(self) -> dict[str, list[int]]:
        # Ignore bits outside the mask of each point, and registers between points.
        return {
            name: [item & point.mask for item in self.raw(point)]
            for name, point in self.points.items()
            if self.knows(point)
        }

    def __repr__(self) -> str:
        values: list[str] = []
        for name, point in self.points.items():
            if self.knows(point):
                try:
                    values.append(f"{name}={getattr(self, name)!r}")
                except InvalidResponseError:
                    values.append(f"{name}=<{self.raw(point)}>")
        return f"{type(self).__name__}({', '.join(values)})"


def _rebuilt(
    kind: type[MapT],
    known: Mapping[str, Mapping[int, int]],
    names: Iterable[str],
    attributes: Mapping[str, object],
) -> MapT:
    image = kind()
    vars(image).update(attributes)
    image.take(known, [kind.points[name] for name in names])
    return image
