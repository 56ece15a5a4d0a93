"""`RegisterMap`: the base class of register maps."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeVar, overload

from ..arguments import check_arguments, explained
from ..errors import ModbusError
from ..planner import DEFAULT_LIMITS, PlanLimits, Planner, Span, WriteFunctions, plan
from ..units.block import Block
from ..units.datastore import MemoryBlock, SparseBlock
from ..units.tables import TABLES
from ..units.unit import Unit
from ..values.orders import ABCD, find_order
from .image import WHOLE, AnyPoint, Image, Settings, with_scales
from .shown import shown
from .transfer import read_steps, run, write_steps

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..calls import AsyncCalls, BlockingCalls
    from ..errors import ExceptionResponseError
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
        unit = Pump(speed=0.0).build_unit() # simulates a pump in a server

    Reading an attribute raises AttributeError if it was neither read nor set, InvalidResponseError
    if its registers have no such value, and the refusal, such as IllegalDataAddressError, if the
    device refused to read it. The other points are not affected; `read_errors` has all such errors.
    Setting one to a value that does not fit raises ValueError. A value that was set reads back as
    the device will see it: a float32 has seven digits, a scaled integer is rounded; but one that is
    scaled by a register reads back as it was set until that register is known. Other attributes
    must be declared in the class, so that a misspelt point is an error.

    `class Pump(RegisterMap, order="CDAB")` sets the order of the points that the class itself
    declares; `order`, `byte_order` and `word_order` of a point take precedence. `limits` sets the
    costs and limits of requests, a `PlanLimits`: the default is for a serial line, and
    `PlanLimits.for_network()` gives fewer requests. `write_functions=WriteFunctions(15, 16)` names
    the functions that write the device. Subclasses inherit these, and the points unchanged.
    `points` has the points by name.
    """

    points: ClassVar[Mapping[str, AnyPoint]] = MappingProxyType({})
    limits: ClassVar[PlanLimits] = DEFAULT_LIMITS
    write_functions: ClassVar[WriteFunctions] = WriteFunctions.ALL
    _order: ClassVar[Order] = ABCD
    # The points, and those with their scale factors, which may be no attributes.
    _all_points: ClassVar[tuple[AnyPoint, ...]] = ()
    _requests: ClassVar[tuple[Span, ...] | None] = None

    def __init_subclass__(
        cls,
        *,
        limits: PlanLimits | None = None,
        order: Order | OrderName | None = None,
        write_functions: WriteFunctions | None = None,
    ) -> None:
        super().__init_subclass__()
        if order is not None:
            cls._order = find_order(None, None, order)
        if limits is not None:
            if not isinstance(limits, PlanLimits):
                raise TypeError(f"limits must be PlanLimits, got {limits!r}")
            cls.limits = limits
        if write_functions is not None:
            if not isinstance(write_functions, WriteFunctions):
                raise TypeError(
                    "write_functions must be WriteFunctions, such as WriteFunctions(15, 16), "
                    f"got {write_functions!r}"
                )
            cls.write_functions = write_functions
        settings = Settings(cls._order, cls.limits, cls.write_functions)
        for value in vars(cls).values():
            if isinstance(value, AnyPoint):
                value.adopt(settings)
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
        for point in found.values():
            point.resolve(found, cls.__name__)
        cls._all_points = tuple(with_scales(found.values()))
        cls._requests = None

    @explained
    def __init__(self, /, **values: object) -> None:
        """Make a map in which the points named in `values` are set, as attributes are."""
        super().__init__()
        check_arguments(type(self).__name__, values, self.points, {})
        for name, value in values.items():
            setattr(self, name, value)
        self.settle_waiting()

    @classmethod
    def planner(cls, *points: AnyPoint, limits: PlanLimits | None = None) -> Planner:
        """Return a planner for `points`, or all of them, which learns a device's missing addresses.

        Keep one for each device, and pass it to every `read` of that device.
        """
        spans = [point.span for point in (with_scales(points) if points else cls._all_points)]
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

        Await the call if the client is async. Scale factors are read with the points. A request for
        several points that the device refuses with exception 02, 03 or 04 is read in parts; a point
        that is refused alone raises its refusal when its attribute is read, and so do those of a
        table that the device does not have (01). A `planner` remembers refused requests for the
        next call, and has the points to read: see `planner()`. `unit` and `timeout` are those of
        the client's calls, the timeout for each request.

        Raises: the errors of the client's calls; the refusal, such as IllegalDataAddressError, if
        every point is refused and there is no planner, which lists them as `unreadable`; ValueError
        for a point of another map, and for points and a planner; TypeError for another kind of
        client.
        """
        return run(client, partial(cls._read_steps, points, planner), unit, timeout)

    @classmethod
    async def _read_steps(
        cls, points: Sequence[AnyPoint], planner: Planner | None, call: Call
    ) -> Self:
        image = cls()
        for point in points:
            if not any(point is own for own in cls.points.values()):
                raise ValueError(f"points must be those of {cls.__name__}, got {point!r}")
        wanted: Sequence[AnyPoint] = with_scales(points) if points else cls._all_points
        if planner is not None:
            if points:
                raise ValueError("a planner knows what to read: give points to planner() instead")
            requests: Iterable[Span] = planner.requests()
        elif points:
            requests = plan([point.span for point in wanted], limits=cls.limits)
        else:
            if cls._requests is None:
                cls._requests = tuple(plan([each.span for each in wanted], limits=cls.limits))
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
        registers, then bits of registers (function 22); `write_functions` may say otherwise. If a
        request fails, the points that were not written still count as set. A scale factor that this
        map has neither read nor set is read first.

        Raises: ValueError, with nothing written, if one of the points cannot be written, such as an
        input, and for None; the errors of the client's calls; TypeError for another kind of client.
        """
        steps = partial(write_steps, self, self.write_functions, self.limits)
        return run(client, steps, unit, timeout)

    def build_unit(self) -> Unit:
        """Return a unit for a server with the points of this map and no other address.

        They have the values of this instance, or 0 if it has none, a scale factor too. `store`
        changes them later, `load` reads them back. A value of None becomes its first raw value.
        Raises ValueError if a value does not fit with its scale factor.
        """
        for scale in self.missing_scales():
            self.receive(scale.span, [0] * scale.span.count)
        self.settle_waiting()
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
            for point in self._all_points
            for address in range(point.span.address, point.span.stop)
            if point.span.table == table
        }
        return SparseBlock(values) if values else None

    def store(self, unit: Datastore) -> None:
        """Store the points that were set since the last call in the tables of a unit.

        This is a change by the device itself, so inputs change too, and the rules that blocks in
        memory have for clients do not apply. A scale factor that this map does not have is that of
        the unit. Raises IndexError or IllegalDataAddressError for addresses that the unit does not
        have, ValueError for a value that does not fit with its scale factor.
        """
        for scale in self.missing_scales():
            self._receive_from(unit, scale)
        self.settle_waiting()
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
        for point in cls._all_points:
            image._receive_from(unit, point)
        return image

    def _receive_from(self, unit: Datastore, point: AnyPoint) -> None:
        span, block = point.span, getattr(unit, point.span.table)
        self.receive(span, block.read(span.address, span.count))

    def as_dict(self) -> dict[str, object]:
        """Return the values of the points that were read or set, by name.

        Those with an error are left out, see `read_errors`. `json.dumps` accepts the values, except
        custom types and enums other than `IntEnum`.
        """
        return self._values_and_errors()[0]

    @property
    def read_errors(self) -> dict[str, ModbusError]:
        """The errors of the points that have no value, by name, as reading the attributes raises.

        InvalidResponseError if the registers have no such value, else the refusal of the device.
        Points that were neither read nor set are not in it.
        """
        return self._values_and_errors()[1]

    def _values_and_errors(self) -> tuple[dict[str, object], dict[str, ModbusError]]:
        found: dict[str, object] = {}
        errors: dict[str, ModbusError] = {}
        for name in self.points:
            try:
                found[name] = getattr(self, name)
            except ModbusError as error:
                errors[name] = error
            except AttributeError:
                pass  # neither read nor set
        return found, errors

    def __setattr__(self, name: str, value: object) -> None:
        # Otherwise a misspelt point would silently never be written.
        if not hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__} has no point {name!r}, it has {', '.join(self.points)}"
            )
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, ...]:
        # Used for copies too. Points contain functions, which can be neither pickled nor copied;
        # their keys are enough to find them again.
        known = {table: dict(self.known(table)) for table in TABLES}
        keys = {point: key for key, point in _by_key(type(self)).items()}
        changes = [keys[each] for each in self.changes if each in keys]
        waiting = {keys[each]: value for each, value in self.waiting_values.items() if each in keys}
        refused = {keys[each]: error for each, error in self.refusals.items() if each in keys}
        return _rebuilt, (type(self), known, changes, waiting, refused, vars(self))

    def __eq__(self, other: object) -> bool:
        """True if both know the same points, with equal values; registers without one as such."""
        if not isinstance(other, RegisterMap) or type(self) is not type(other):
            return NotImplemented
        ours, theirs = self._compared(), other._compared()
        return ours.keys() == theirs.keys() and all(
            value == theirs[name] or shown(value) == shown(theirs[name])  # NaN is not itself
            for name, value in ours.items()
        )

    def _compared(self) -> dict[str, object]:
        found, errors = self._values_and_errors()
        for name in errors:
            if self.has_raw(self.points[name]):
                found[name] = errors[name].args, self.raw(self.points[name])
        return found

    def __repr__(self) -> str:
        found, errors = self._values_and_errors()
        texts = {name: shown(value) for name, value in found.items()}
        for name in errors:
            point = self.points[name]
            texts[name] = f"<{self.raw(point)}>" if self.has_raw(point) else "<refused>"
        inside = ", ".join(f"{name}={texts[name]}" for name in self.points if name in texts)
        return f"{type(self).__name__}({inside})"


def _by_key(kind: type[RegisterMap]) -> dict[str, AnyPoint]:
    """Return the points by name; scale factors that are no attributes by that of their value."""
    scales = {f"{name}.scale": each.scale for name, each in kind.points.items() if each.scale}
    return {**scales, **kind.points}


def _rebuilt(
    kind: type[MapT],
    known: Mapping[str, Mapping[int, int]],
    changes: Iterable[str],
    waiting: Mapping[str, object],
    refused: Mapping[str, ExceptionResponseError],
    attributes: Mapping[str, object],
) -> MapT:
    image = kind()
    vars(image).update(attributes)
    points = _by_key(kind)
    image.take(known, [points[key] for key in changes if key not in waiting])
    for key, value in waiting.items():
        image.set_waiting(points[key], value)
    for key, error in refused.items():
        image.set_refusal(points[key], error)
    return image
