"""`Image`: the known values of a device's tables, and the points that were set.

A map is an image, and its points read it, so points that share a register always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..messages.bit_access import MAX_WRITE_BITS, WriteMultipleCoilsRequest, WriteSingleCoilRequest
from ..messages.register_access import (
    MAX_WRITE_REGISTERS,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from ..messages.register_operations import MaskWriteRegisterRequest
from ..planner import DEFAULT_LIMITS, PlanLimits, Span
from ..units.tables import TABLES

if TYPE_CHECKING:
    from ..messages.base import AnyRequest
    from ..values.orders import Order

WHOLE = 0xFFFF
_MOST_WRITTEN = {"coils": MAX_WRITE_BITS, "holding_registers": MAX_WRITE_REGISTERS}


class AnyPoint:
    """Untyped base of `Point`: its place in the device.

    `span` is its table, address and count; `mask` has the bits of a register that belong to it.
    `name` is the name of the attribute, `unit` the unit of measurement. `limits` are those of its
    map, and apply when it is read alone.
    """

    def __init__(self, span: Span, *, unit: str = "", mask: int = WHOLE) -> None:
        self.span = span
        self.unit = unit
        self.mask = mask
        self.name = ""
        self.limits = DEFAULT_LIMITS
        self._is_adopted = False

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @property
    def where(self) -> str:
        """Name, table and address, for errors and logs."""
        table = self.span.table.replace("_", " ")[:-1]
        return f"{self.name or 'point'} ({table} {self.span.address})"

    @property
    def is_writable(self) -> bool:
        """True for coils and holding registers, which a client can write."""
        return self.span.table in _MOST_WRITTEN

    def adopt(self, order: Order, limits: PlanLimits) -> None:
        """Take the order and the limits of the first map that has the point.

        Another map with the same point must not change them for the first.
        """
        if not self._is_adopted:
            self._is_adopted = True
            self.limits = limits
            self._take_order(order)

    def _take_order(self, order: Order) -> None:
        """Take the order of the map; only for points of registers."""

    def __repr__(self) -> str:
        return f"<Point {self.where}>"


class Write(NamedTuple):
    """A request, and the points that are completely written when it is answered."""

    request: AnyRequest
    points: Sequence[AnyPoint]


class Image:
    """Registers and bits by table and address, and the points that were set."""

    __slots__ = ("_known", "_set")

    def __init__(self) -> None:
        self._known: dict[str, dict[int, int]] = {table: {} for table in TABLES}
        self._set: dict[AnyPoint, None] = {}

    def raw(self, point: AnyPoint) -> list[int]:
        """Return the registers or bits of `point`; AttributeError if not all were read or set."""
        span = point.span
        known = self._known[span.table]
        try:
            return [known[address] for address in range(span.address, span.stop)]
        except KeyError:
            raise AttributeError(f"{point.where} was neither read nor set") from None

    def knows(self, point: AnyPoint) -> bool:
        """True if `point` was read or set."""
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
        self._set.pop(point, None)
        self._set[point] = None

    def receive(self, span: Span, items: Iterable[int]) -> None:
        """Store the values that were read."""
        self._known[span.table].update(zip(range(span.address, span.stop), items, strict=True))

    def take(self, known: Mapping[str, Mapping[int, int]], changes: Iterable[AnyPoint]) -> None:
        """Add values by table and address, and points that count as set."""
        for table, values in known.items():
            self._known[table].update(values)
        self._set.update(dict.fromkeys(changes))

    @property
    def changes(self) -> list[AnyPoint]:
        """The points that were set, in the order they were set."""
        return list(self._set)

    def take_changes(self) -> list[AnyPoint]:
        """Return the points that were set, in that order, and count them as unchanged."""
        changes = list(self._set)
        self._set.clear()
        return changes

    def return_changes(self, points: Iterable[AnyPoint]) -> None:
        """Count `points` as set again, before those that were set in the meantime."""
        self._set = {**dict.fromkeys(points), **self._set}


def plan_writes(image: Image, points: Sequence[AnyPoint]) -> list[Write]:
    """Return the requests that write `points` as they are in `image`, by table and address.

    Neighbouring points share a request of function 15 or 16 (5 or 6 for one coil or register) up
    to its limit; a point is only split if it is longer than that. Bits of a register are written
    by function 22, which does not change the others. Raises ValueError for a point that no client
    can write.
    """
    for point in points:
        if not point.is_writable:
            raise ValueError(
                f"{point.where} cannot be written, only coils and holding registers can"
            )
    whole = [point for point in points if point.mask == WHOLE]
    runs: list[list[AnyPoint]] = []
    table, start, stop = "", 0, 0
    for point in sorted(whole, key=lambda point: point.span):
        span = point.span
        longest = start + _MOST_WRITTEN[span.table]
        if span.table != table or span.address > stop or max(stop, span.stop) > longest:
            runs.append([])
            table, start, stop = span.table, span.address, 0
        runs[-1].append(point)
        stop = max(stop, span.stop)
    writes = [write for run in runs for write in _writes(image, run)]

    registers = [point.span for point in whole if point.span.table == "holding_registers"]
    covered = {address for span in registers for address in range(span.address, span.stop)}
    parts: dict[int, list[AnyPoint]] = {}
    for point in points:
        if point.mask != WHOLE:
            parts.setdefault(point.span.address, []).append(point)
    for address, fields in sorted(parts.items()):
        if address in covered:
            continue
        mask = 0
        for field in fields:
            mask |= field.mask
        word = image.raw(fields[0])[0]
        writes.append(Write(MaskWriteRegisterRequest(address, ~mask & WHOLE, word & mask), fields))
    return writes


def _writes(image: Image, points: Sequence[AnyPoint]) -> Iterator[Write]:
    """Return the requests for neighbouring points, which are sorted."""
    table, start = points[0].span.table, points[0].span.address
    stop = max(point.span.stop for point in points)
    while start < stop:
        count = min(stop - start, _MOST_WRITTEN[table])
        items = image.raw(AnyPoint(Span(table, start, count)))
        request: AnyRequest
        if table == "coils" and count == 1:
            request = WriteSingleCoilRequest(start, bool(items[0]))
        elif table == "coils":
            request = WriteMultipleCoilsRequest(start, list(map(bool, items)))
        elif count == 1:
            request = WriteSingleRegisterRequest(start, items[0])
        else:
            request = WriteMultipleRegistersRequest(start, items)
        start += count
        yield Write(request, points if start == stop else ())
