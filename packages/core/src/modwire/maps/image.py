"""`Image`: the known values of a device's tables, and the points that were set.

A map is an image, and its points read it, so points that share a register always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..planner import DEFAULT_LIMITS, PlanLimits, Span, WriteFunctions
from ..planner.writes import MOST_WRITTEN
from ..units.tables import TABLES

if TYPE_CHECKING:
    from ..errors import ExceptionResponseError
    from ..values.orders import Order

WHOLE = 0xFFFF


class Settings(NamedTuple):
    """The options of a map that its points take."""

    order: Order
    limits: PlanLimits
    write_functions: WriteFunctions


class AnyPoint:
    """Untyped base of `Point`: its place in the device.

    `span` is its table, address and count; `mask` has the bits of a register that belong to it.
    `name` is the name of the attribute, `unit` the unit of measurement. `limits` and
    `write_functions` are those of its map, and apply when it is read and written alone. `scale` is
    the point that has its scale factor, or None. `is_integer` is True if its value is an integer
    that is not scaled, so that it may be a scale factor itself.
    """

    scale: AnyPoint | None = None
    is_integer: bool = False

    def __init__(self, span: Span, *, unit: str = "", mask: int = WHOLE) -> None:
        self.span = span
        self.unit = unit
        self.mask = mask
        self.name = ""
        self.limits = DEFAULT_LIMITS
        self.write_functions = WriteFunctions.ALL
        self._is_adopted = False

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name
        if self.scale is not None:  # it may be no attribute itself
            self.scale.name = self.scale.name or f"scale of {name}"

    @property
    def where(self) -> str:
        """Name, table and address, for errors and logs."""
        table = self.span.table.replace("_", " ")[:-1]
        return f"{self.name or 'point'} ({table} {self.span.address})"

    @property
    def is_writable(self) -> bool:
        """True for coils and holding registers, which a client can write."""
        return self.span.table in MOST_WRITTEN

    def adopt(self, settings: Settings) -> None:
        """Take the settings of the first map that has the point.

        Another map with the same point must not change them for the first.
        """
        if not self._is_adopted:
            self._is_adopted = True
            self.limits = settings.limits
            self.write_functions = settings.write_functions
            self._take_order(settings.order)
        if self.scale is not None:
            self.scale.adopt(settings)

    def resolve(self, points: Mapping[str, object], owner: str) -> None:
        """Find the scale factor by its name in the `points` of the map `owner`, if it has one."""

    def _take_order(self, order: Order) -> None:
        """Take the order of the map; only for points of registers."""

    def has_none(self, items: Sequence[int]) -> bool:
        """True if the registers or bits of the point stand for None, or an item in it does."""
        return False

    def settle(self, image: Image, value: object) -> None:
        """Set a value that waited in `image` for the scale factor; raises ValueError."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Point {self.where}>"


def with_scales(points: Iterable[AnyPoint]) -> list[AnyPoint]:
    """Return `points` and those with their scale factors, each once."""
    found: dict[AnyPoint, None] = {}
    for point in points:
        found[point] = None
        if point.scale is not None:
            found[point.scale] = None
    return list(found)


class Image:
    """Registers and bits by table and address, and the points that were set.

    A point whose scale factor is unknown waits with its value until `settle_waiting`. A point that
    the device refused has the refusal.
    """

    __slots__ = ("_known", "_refused", "_set", "_waiting")

    def __init__(self) -> None:
        self._known: dict[str, dict[int, int]] = {table: {} for table in TABLES}
        self._set: dict[AnyPoint, None] = {}
        self._waiting: dict[AnyPoint, object] = {}
        self._refused: dict[AnyPoint, ExceptionResponseError] = {}

    def raw(self, point: AnyPoint) -> list[int]:
        """Return the registers or bits of `point`.

        Raises ExceptionResponseError if the device refused to read them; AttributeError if they
        were neither read nor set.
        """
        span = point.span
        known = self._known[span.table]
        try:
            return [known[address] for address in range(span.address, span.stop)]
        except KeyError:
            pass
        if point in self._refused:
            raise self._refused[point].with_traceback(None)
        if point in self._waiting and point.scale is not None:
            raise AttributeError(f"{point.where} waits for its scale factor, {point.scale.where}")
        raise AttributeError(f"{point.where} was neither read nor set")

    def has_raw(self, point: AnyPoint) -> bool:
        """True if all registers or bits of `point` are known."""
        known = self._known[point.span.table]
        return all(address in known for address in range(point.span.address, point.span.stop))

    def known(self, table: str) -> Mapping[int, int]:
        """Return the known values of a table, by address."""
        return self._known[table]

    def set_raw(self, point: AnyPoint, items: Sequence[int]) -> None:
        """Set the registers or bits of `point`, which then counts as set."""
        known = self._known[point.span.table]
        for address, item in enumerate(items, point.span.address):
            if point.mask != WHOLE:
                item = known.get(address, 0) & ~point.mask | item & point.mask
            known[address] = item
        self._waiting.pop(point, None)
        self._set.pop(point, None)
        self._set[point] = None

    def set_waiting(self, point: AnyPoint, value: object) -> None:
        """Keep the value of a point whose scale factor is unknown."""
        self._waiting.pop(point, None)
        self._waiting[point] = value

    @property
    def waiting_values(self) -> Mapping[AnyPoint, object]:
        """The values that wait for a scale factor, in the order they were set."""
        return self._waiting

    def missing_scales(self) -> list[AnyPoint]:
        """Return the points whose scale factors are waited for and unknown."""
        scales = dict.fromkeys(point.scale for point in self._waiting if point.scale is not None)
        return [scale for scale in scales if not self.has_raw(scale)]

    def settle_waiting(self) -> None:
        """Set the values whose scale factors are known now.

        Raises ValueError for one that does not fit; it waits on, as do those after it.
        """
        for point, value in list(self._waiting.items()):
            if point.scale is not None and self.has_raw(point.scale):
                point.settle(self, value)

    def receive(self, span: Span, items: Iterable[int]) -> None:
        """Store the values that were read."""
        self._known[span.table].update(zip(range(span.address, span.stop), items, strict=True))

    def set_refusal(self, point: AnyPoint, error: ExceptionResponseError) -> None:
        """Keep the error with which the device refused to read `point`."""
        self._refused[point] = error

    @property
    def refusals(self) -> Mapping[AnyPoint, ExceptionResponseError]:
        """The points that the device refused to read, with its refusals."""
        return self._refused

    def take(self, known: Mapping[str, Mapping[int, int]], changes: Iterable[AnyPoint]) -> None:
        """Add values by table and address, and points that count as set."""
        for table, values in known.items():
            self._known[table].update(values)
        self._set.update(dict.fromkeys(changes))

    @property
    def changes(self) -> list[AnyPoint]:
        """The points that were set, in the order they were set; those that wait come last."""
        return [*self._set, *self._waiting]

    def take_changes(self) -> list[AnyPoint]:
        """Return the points that were set and do not wait, and count them as unchanged."""
        changes = list(self._set)
        self._set.clear()
        return changes

    def return_changes(self, points: Iterable[AnyPoint]) -> None:
        """Count `points` as set again, before those that were set in the meantime."""
        self._set = {**dict.fromkeys(points), **self._set}
