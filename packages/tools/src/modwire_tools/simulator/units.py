"""`SimulatedUnit`: a unit made of a `UnitSpec`, with tables and points that live.

What a device refuses, and what it does wrong on demand, are units that stand in front of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from modwire import (
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

from .behaviours import noise
from .devices import SILENCE, BlockSpec, FileSpec, UnitSpec
from .expressions import Expression
from .points import Codec, LivePoint
from .tables import RefusedInSilence, RefusingTable, Table, TablePlan
from .view import Faults

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

_BASIC_OBJECTS = (0, 1, 2)
_MOST_DEEP = 32  # points that each need the next one; Python's stack allows some more


class UnitPlan:
    """What all units that `spec` describes have in common, so that thousands are made quickly.

    Raises ValueError for a point that does not fit, and for names that are there twice.
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
            # What is mandatory has to be there for the object; a device may have left it empty.
            objects = {**dict.fromkeys(_BASIC_OBJECTS, b""), **spec.identity}
            self.identity = Identity(objects, individual_access=spec.individual_access)


class SimulatedUnit(Unit):
    """A unit made by a `UnitPlan`; `now()` is the seconds of the device's life.

    `tables` are those that it has, by name, `points` its named values.
    """

    def __init__(self, plan: UnitPlan, now: Callable[[], float], seed: int = 0) -> None:
        spec = self.spec = plan.spec
        self.points: dict[str, LivePoint] = {}
        self.now = now
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
            source = None
            if point.behaviour is not None:
                own_seed = int(noise(seed, spec.id * 1000 + number) * (1 << 53))
                source = point.behaviour.begin(own_seed, self.lookup)
            words, at = table.place(point.place.address, codec.size)
            living = self.points[point.name] = LivePoint(point, codec, source, words, at)
            table.add_point(living)

    def check(self) -> None:
        """Raise ValueError for a point that names another one which is not there, or too many."""
        for number, point in enumerate(self.points.values()):
            behaviour = point.spec.behaviour
            # Each at a time of its own, at which no other one has its value already.
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
        """The value of a point at a time; LookupError if there is none with that name."""
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
    """A block for each point, so that it need not be in one of the unit's."""
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
    """Stands in front of a unit, whose tables, counters and log stay its own."""

    def __init__(self, behind: Unit) -> None:
        super().__init__()
        self.behind = behind

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """What the unit behind answers."""
        return self.behind.execute(request, broadcast=broadcast)

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return self.behind.refuse(error, broadcast=broadcast)

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        self.behind.communication_error(count, overrun=overrun)


class RefusingUnit(FrontUnit):
    """Refuses whole functions by the codes that `spec` has, as a certain device does."""

    def __init__(self, behind: SimulatedUnit) -> None:
        super().__init__(behind)
        self._codes = behind.spec.refuses

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        code = self._codes.get(request.function_code)
        if code == SILENCE:
            return None
        if code is not None:
            error = InvalidRequestError("it does not do that", request.function_code, code)
            return self.behind.refuse(error, broadcast=broadcast)
        response = self.behind.execute(request, broadcast=broadcast)
        if isinstance(response, ExceptionResponse) and isinstance(response.cause, RefusedInSilence):
            return None
        return response


class FaultyUnit(FrontUnit):
    """Does what `faults` say with the answers of the unit behind; see `view.Faults`.

    What is dropped, silenced or refused was never executed; what is damaged was.
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
            return FaultyResponse(response, is_damaged=True, fault="damage")
        if draw() < faults.exception:
            code = faults.exception_code
            error = InvalidRequestError("a fault that was asked for", request.function_code, code)
            return FaultyResponse(self.behind.refuse(error), fault="exception")
        return self.behind.execute(request)


class DelayedUnit(AsyncUnit):
    """A `FaultyUnit` that answers late; others are served meanwhile, except on the same line.

    It stands in front of a `FaultyUnit`.
    """

    def __init__(self, faulty: FaultyUnit, draw: random.Random) -> None:
        Unit.__init__(self)
        self.behind = faulty
        self._draw = draw

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        faults = self.behind.faults
        is_late = not broadcast and self._draw.random() < faults.delay
        response = self.behind.execute(request, broadcast=broadcast)
        if not is_late:
            return response
        # Who has hung up would else hold its connection for as long as that.
        with trio.move_on_after(faults.delay_seconds):
            await peer_hung_up()
        if isinstance(response, FaultyResponse):
            return response  # whose fault says more
        return FaultyResponse(response, fault="delay")

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return self.behind.refuse(error, broadcast=broadcast)

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        self.behind.communication_error(count, overrun=overrun)


def in_front(unit: SimulatedUnit, faults: Faults, draw: random.Random) -> Unit:
    """What a server is given for `unit`: the unit itself where nothing stands in front of it."""
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
