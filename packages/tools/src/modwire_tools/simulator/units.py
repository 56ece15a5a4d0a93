"""`SimulatedUnit`: a unit made from a `UnitSpec`, with points that change.

Refusals and faults are implemented by units in front of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from modwire import (
    BaseUnit,
    Block,
    ExceptionResponse,
    FaultyResponse,
    Identity,
    InvalidRequestError,
    Response,
    SequentialBlock,
    Unit,
)
from modwire.units.tables import TABLES
from modwire_trio import AsyncUnit
from modwire_trio.servers import peer_hung_up

from .behaviours import Source, noise
from .devices import SILENCE, BlockSpec, FileSpec, PointSpec, UnitSpec
from .expressions import Expression
from .points import Codec, LivePoint
from .tables import RefusedInSilence, RefusingTable, Table, TablePlan
from .view import Faults

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

_BASIC_OBJECTS = (0, 1, 2)
_MOST_DEEP = 32  # length of a chain of points; Python's stack allows some more


class UnitPlan:
    """The parts that all units of one `spec` share: thousands of units are made quickly.

    Raises ValueError for a point that does not fit, and for duplicate names.
    """

    def __init__(self, spec: UnitSpec) -> None:
        self.spec = spec
        self.codecs = [Codec(point) for point in spec.points]
        blocks = [*_blocks_of_points(spec, self.codecs), *spec.blocks]
        self.tables: dict[str, TablePlan] = {}
        for name in TABLES:
            plan = TablePlan(
                [each for each in blocks if each.place.table == name],
                [each for each in spec.refusals if each.place.table == name],
                spec.missing.get(name),
                spec.limits.get(name),
            )
            if plan.segments or plan.has_rules:
                self.tables[name] = plan
        names: set[str] = set()
        for point, codec in zip(spec.points, self.codecs, strict=True):
            if point.name in names:
                raise ValueError(f"point {point.name!r} is there twice in unit {spec.id}")
            names.add(point.name)
            if point.value is not None:
                try:
                    items = codec.encode(point.value)
                except ValueError as error:
                    raise ValueError(f"point {point.name!r}: {error}") from None
                table = self.tables[point.place.table]
                codec.store(items, *table.place(point.place.address, codec.size))
        self.identity: Identity | None = None
        if spec.identity:
            # Identity needs the mandatory objects, but a device may leave them empty.
            objects = {**dict.fromkeys(_BASIC_OBJECTS, b""), **spec.identity}
            self.identity = Identity(objects, individual_access=spec.individual_access)


class SimulatedUnit(Unit):
    """A unit made from a `UnitPlan`; `now` returns the device's time in seconds.

    `tables` are its tables, and `points` its named values, by name.
    """

    def __init__(self, plan: UnitPlan, now: Callable[[], float], seed: int = 0) -> None:
        spec = self.spec = plan.spec
        self.points: dict[str, LivePoint] = {}
        self.now = now
        self._seed = seed
        self._depth = self._deepest = 0
        self.tables = {
            name: (RefusingTable if table.has_rules else Table)(table, now)
            for name, table in plan.tables.items()
        }
        super().__init__(
            *(self.tables.get(name) for name in TABLES),
            identity=plan.identity,
            files={each.number: _file_block(each) for each in spec.files},
            fifo_queues={at: list(values) for at, values in spec.fifo_queues.items()},
            server_id=spec.server_id.id,
            run_indicator=spec.server_id.is_running,
            additional_id_data=spec.server_id.additional,
            exception_status=spec.exception_status,
        )
        self.diagnostic_register = spec.diagnostic_register
        for number, (point, codec) in enumerate(zip(spec.points, plan.codecs, strict=True)):
            table = self.tables[point.place.table]
            source = self._source(number, point)
            words, at = table.place(point.place.address, codec.size)
            living = self.points[point.name] = LivePoint(point, codec, source, words, at)
            table.add_point(living)

    def _source(self, number: int, point: PointSpec) -> Source | None:
        if point.behaviour is None:
            return None
        own_seed = int(noise(self._seed, self.spec.id * 1000 + number) * (1 << 53))
        return point.behaviour.begin(own_seed, self.lookup)

    def reset(self) -> None:
        """Set all values to those at the beginning; changing points begin again."""
        super().reset()
        for number, point in enumerate(self.points.values()):
            point.restart(self._source(number, point.spec))

    def check(self) -> None:
        """Raise ValueError if a point needs an unknown one, or depends on too long a chain."""
        for number, point in enumerate(self.points.values()):
            behaviour = point.spec.behaviour
            # Each check has its own time, so that no value comes from an earlier check.
            time = number * 1e-9
            try:
                if isinstance(behaviour, Expression):
                    behaviour.check(self.lookup, time)
                elif point.source is not None:
                    point.source.value(time)
            except (LookupError, ValueError) as error:
                message = error.args[0] if error.args else error
                raise ValueError(f"point {point.spec.name!r}: {message}") from None
            if self._deepest > _MOST_DEEP:
                raise ValueError(
                    f"point {point.spec.name!r} needs another one, which needs another one, and so "
                    f"on: at most {_MOST_DEEP} may be in such a row"
                )

    def lookup(self, name: str, time: float) -> object:
        """Return the value of a point at a time; raises LookupError for an unknown name."""
        point = self.points.get(name)
        if point is None:
            known = ", ".join(self.points)
            raise LookupError(f"there is no point {name!r}; there are {known}")
        self._depth += 1
        try:
            self._deepest = max(self._deepest, self._depth)
            if self._depth > _MOST_DEEP:
                raise ValueError("too many points need one another")
            return point.exact(time)
        finally:
            self._depth -= 1


def _blocks_of_points(spec: UnitSpec, codecs: Sequence[Codec]) -> list[BlockSpec]:
    """Return a block for each point, because a point need not be in a block of the unit."""
    blocks: list[BlockSpec] = []
    for point, codec in zip(spec.points, codecs, strict=True):
        if point.place.address + codec.size > 0x10000:
            raise ValueError(
                f"point {point.name!r} has {codec.size} registers from {point.place} on, "
                "which leads out of 0..65535"
            )
        blocks.append(BlockSpec(point.place, (0,) * codec.size))
    return blocks


def _file_block(spec: FileSpec) -> Block:
    return SequentialBlock(spec.start, spec.records)


class FrontUnit(Unit):
    """A unit in front of another, which has the tables, the counters and the log."""

    def __init__(self, behind: Unit) -> None:
        super().__init__()
        self.behind = behind

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Return the response of the unit behind this one."""
        return self.behind.execute(request, broadcast=broadcast)

    @property
    def listen_only(self) -> bool:
        """True if the unit behind this one must not answer."""
        return self.behind.listen_only

    @listen_only.setter
    def listen_only(self, value: bool) -> None:
        self.behind.listen_only = value

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return self.behind.refuse(error, broadcast=broadcast)

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        self.behind.communication_error(count, overrun=overrun)


class RefusingUnit(FrontUnit):
    """Refuses whole functions with the codes in the `spec` of the unit behind it."""

    def __init__(self, behind: SimulatedUnit) -> None:
        super().__init__(behind)
        self._codes = behind.spec.refuses

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        code = self._codes.get(request.function_code)
        if code == SILENCE:
            return FaultyResponse(None)
        if code is not None:
            error = InvalidRequestError("not supported by the device", request.function_code, code)
            return self.behind.refuse(error, broadcast=broadcast)
        response = self.behind.execute(request, broadcast=broadcast)
        if isinstance(response, ExceptionResponse) and isinstance(response.cause, RefusedInSilence):
            return FaultyResponse(None)
        return response


class FaultyUnit(FrontUnit):
    """Injects `faults` into the responses of the unit behind it; see `view.Faults`.

    A request is executed if its response is damaged, but not if it is dropped, not answered, or
    refused.
    """

    def __init__(self, behind: Unit, faults: Faults, draw: random.Random) -> None:
        super().__init__(behind)
        self.faults = faults
        self._draw = draw

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        faults, draw = self.faults, self._draw.random
        if broadcast:
            return self.behind.execute(request, broadcast=True)
        if draw() < faults.drop:
            return FaultyResponse(None, drops=True, fault="drop")
        if draw() < faults.silence:
            return FaultyResponse(None, fault="silence")
        if draw() < faults.damage:
            response = self.behind.execute(request)
            if isinstance(response, FaultyResponse):
                return response  # it is silent anyway
            return FaultyResponse(response, is_damaged=True, fault="damage")
        if draw() < faults.exception:
            code = faults.exception_code
            error = InvalidRequestError("an injected fault", request.function_code, code)
            return FaultyResponse(self.behind.refuse(error), fault="exception")
        return self.behind.execute(request)


class DelayedUnit(AsyncUnit):
    """Delays the responses of a `FaultyUnit`. Only clients on the same line have to wait too."""

    def __init__(self, faulty: FaultyUnit, draw: random.Random) -> None:
        super().__init__()
        self.behind = faulty
        self._draw = draw

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        faults = self.behind.faults
        is_late = not broadcast and self._draw.random() < faults.delay
        response = self.behind.execute(request, broadcast=broadcast)
        if not is_late:
            return response
        # A closed connection would otherwise be kept until the end of the delay.
        with trio.move_on_after(faults.delay_seconds):
            await peer_hung_up()
        if isinstance(response, FaultyResponse):
            return response  # the other fault is more important than the delay
        return FaultyResponse(response, fault="delay")

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return self.behind.refuse(error, broadcast=broadcast)

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        self.behind.communication_error(count, overrun=overrun)


def in_front(unit: SimulatedUnit, faults: Faults, draw: random.Random) -> BaseUnit:
    """Return the unit to serve instead of `unit`: itself, or one in front of it."""
    spec = unit.spec
    codes = {
        *(refusal.code for refusal in spec.refusals),
        *(limit.code for limit in spec.limits.values()),
        *spec.missing.values(),
    }
    front: Unit = unit
    if spec.refuses or SILENCE in codes:
        front = RefusingUnit(unit)
    if not (faults.drop or faults.silence or faults.damage or faults.exception or faults.delay):
        return front
    faulty = FaultyUnit(front, faults, draw)
    return DelayedUnit(faulty, draw) if faults.delay else faulty
