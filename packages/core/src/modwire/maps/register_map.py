"""`RegisterMap`: the base of a class that names the points of a device."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeVar, overload

from ..calls import AsyncCalls, BlockingCalls
from ..errors import InvalidResponseError
from ..planner.plan import DEFAULT_LIMITS, PlanLimits, Planner, Span, plan
from ..units.block import Block
from ..units.datastore import MemoryBlock, SparseBlock
from ..units.unit import Unit
from ..values.orders import ABCD, find_order
from .image import TABLES, WHOLE, AnyPoint, Image
from .transfer import Reading, no_client, read_async, read_blocking, write_async, write_blocking

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..units.datastore import Datastore
    from ..values.orders import Order, OrderName

MapT = TypeVar("MapT", bound="RegisterMap")


class RegisterMap(Image):
    """A device as typed attributes; an instance holds what was read of it, and what is to be set.

        class Pump(RegisterMap):
            pressure = uint16(input=0, scale=0.01, unit="bar")
            speed = float32(holding=10, order="CDAB", unit="1/min")
            running = coil(0)

        pump = Pump.read(client)            # await Pump.read(client) with an async client
        print(pump.pressure)
        pump.speed, pump.running = 1450.0, True
        pump.write(client)                  # the two that were set
        Pump.speed.write(client, 1500.0)    # or one alone
        unit = Pump().build_unit()          # a pump for a server

    An attribute that was neither read nor set raises AttributeError, one whose registers are no
    such value InvalidResponseError; setting one to what does not fit raises ValueError. A value
    that was set is what the device will make of it: a float32 has seven digits, a scaled integer
    is rounded. Attributes of your own have to be in the class, so that a misspelt point is refused.

    `class Pump(RegisterMap, order="CDAB")` sets the order of the points that the class names
    itself; `order`, `byte_order` and `word_order` of a point go first. `limits=PlanLimits(...)`
    says what requests may read, and what they cost: the default is that of a serial line, and with
    `PlanLimits.for_network()` there are fewer. A subclass inherits both, and the points as they
    are. `points` has the points by name.
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
        """A planner for `points`, or all of them, which learns where one device has holes.

        Keep one for each device that is polled, and give it to every `read` of that device.
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
    ) -> Self | Coroutine[object, object, Self]:
        """Read `points`, or all of them, in the requests that cost least together.

        A request for several points that the device refuses with 02 is asked in parts. Each call
        starts anew unless `planner` remembers, which also says what to read: see `planner()`. A
        point that is refused alone raises IllegalDataAddressError; with a planner it is left out,
        here and in later calls, and listed as `planner.unreadable`.

        `unit` and `timeout` are those of the client's calls, the latter for each request. Raises
        what they raise, and ValueError for points and a planner at once.
        """
        image, reading = cls._reading(points, planner)
        if isinstance(client, BlockingCalls):
            read_blocking(client, reading, unit, timeout)
            return image
        if isinstance(client, AsyncCalls):
            return cls._read_async(client, image, reading, unit, timeout)
        raise no_client(client)

    @classmethod
    async def _read_async(
        cls,
        client: AsyncCalls,
        image: Self,
        reading: Reading,
        unit: int | None,
        timeout: float | None,
    ) -> Self:
        await read_async(client, reading, unit, timeout)
        return image

    @classmethod
    def _reading(cls, points: Iterable[AnyPoint], planner: Planner | None) -> tuple[Self, Reading]:
        image = cls()
        points = tuple(points)
        if planner is not None:
            if points:
                raise ValueError("a planner knows what to read: give points to planner() instead")
            return image, Reading(image, (), planner.requests(), cls.limits, planner)
        if points:
            for point in points:
                if not any(point is own for own in cls.points.values()):
                    raise ValueError(f"points must be those of {cls.__name__}, got {point!r}")
            requests = plan([point.span for point in points], limits=cls.limits)
            return image, Reading(image, points, requests, cls.limits)
        if cls._requests is None:
            spans = [point.span for point in cls.points.values()]
            cls._requests = tuple(plan(spans, limits=cls.limits))
        return image, Reading(image, cls.points.values(), cls._requests, cls.limits)

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
    ) -> Coroutine[object, object, None] | None:
        """Write the points that were set since they were last read or written.

        Those next to each other go in one request, by table and address: whole coils and registers
        first, then bits of registers (function 22). Where one request fails, the points that were
        not written count as set still. Raises ValueError, with nothing sent, where one of them
        cannot be written, such as an input; else what the client's calls raise.
        """
        if isinstance(client, BlockingCalls):
            write_blocking(client, self, unit, timeout)
            return None
        if isinstance(client, AsyncCalls):
            return write_async(client, self, unit, timeout)
        raise no_client(client)

    def build_unit(self) -> Unit:
        """A unit for a server that has the points of this map and no other address.

        They have the values of this instance; what is not known of it is 0. `store` changes them
        later, `load` reads them back.
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
        """Put the points that were set since into the tables of a unit, inputs too.

        It is the owner of the unit who does this: rules for clients do not hold in blocks in
        memory. Raises IndexError or IllegalDataAddressError for what the unit does not have.
        """
        changes = dict.fromkeys(self.take_changes())
        try:
            for point in list(changes):
                span, items = point.span, self.raw(point)
                block = _block(unit, span.table)
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
        """What the tables of a unit hold; raises IllegalDataAddressError for what they lack."""
        image = cls()
        for point in cls.points.values():
            span = point.span
            image.receive(span, _block(unit, span.table).read(span.address, span.count))
        return image

    def as_dict(self) -> dict[str, object]:
        """The values by name, of the points that were read or set; raises InvalidResponseError.

        `json.dumps` takes them, apart from types of your own and enums other than `IntEnum`.
        """
        return {
            name: getattr(self, name) for name, point in self.points.items() if self.knows(point)
        }

    def __setattr__(self, name: str, value: object) -> None:
        # A misspelt point would else be set nowhere, and never be written.
        if not hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__} has no point {name!r}, it has {', '.join(self.points)}"
            )
        super().__setattr__(name, value)

    def __copy__(self) -> Self:
        copied = type(self)()
        vars(copied).update(vars(self))
        copied.take({table: self.known(table) for table in TABLES}, self.changes)
        return copied

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        copied = self.__copy__()
        vars(copied).update(deepcopy(vars(self), memo))
        return copied

    def __reduce__(self) -> tuple[object, ...]:
        # Points have functions in them: those that were set are found again by their names.
        known = {table: dict(self.known(table)) for table in TABLES}
        changes = set(self.changes)
        names = [name for name, point in self.points.items() if point in changes]
        return _unpickled, (type(self), known, names, vars(self))

    def __eq__(self, other: object) -> bool:
        """Whether both know the same points, with the same registers and bits."""
        if not isinstance(other, RegisterMap) or type(self) is not type(other):
            return NotImplemented
        return self._compared() == other._compared()

    def _compared(self) -> dict[str, list[int]]:
        # Bits beside a bit field, and registers between points, are none of theirs.
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


def _unpickled(
    kind: type[MapT],
    known: Mapping[str, Mapping[int, int]],
    names: Iterable[str],
    attributes: Mapping[str, object],
) -> MapT:
    image = kind()
    vars(image).update(attributes)
    image.take(known, [kind.points[name] for name in names])
    return image


def _block(unit: Datastore, table: str) -> Block:
    blocks = {
        "coils": unit.coils,
        "discrete_inputs": unit.discrete_inputs,
        "holding_registers": unit.holding_registers,
        "input_registers": unit.input_registers,
    }
    return blocks[table]
