"""`Table`: a table of a simulated unit, with ranges of addresses and points that change.

A changing point is computed when it is read, so that a device without requests costs nothing.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from modwire import ExceptionResponseError, IllegalDataAddressError
from modwire.units.datastore import MemoryBlock

from .devices import BlockSpec, Limit, Refusal
from .points import LivePoint

_ILLEGAL_DATA_ADDRESS = 2


class Segment:
    """Consecutive addresses, and their values as on the wire."""

    __slots__ = ("start", "stop", "words")

    def __init__(self, start: int, words: bytearray) -> None:
        self.start = start
        self.stop = start + (len(words) >> 1)
        self.words = words


class Table(MemoryBlock):
    """A table with the addresses of `plan`. `now` returns the device's time in seconds."""

    plain_reads = True

    def __init__(self, plan: TablePlan, now: Callable[[], float]) -> None:
        super().__init__(self._wrote, plan.read_only, None)
        self._now = now
        self.segments = [Segment(start, bytearray(words)) for start, words in plan.segments]
        self._starts = [segment.start for segment in self.segments]
        self._living: list[LivePoint] = []
        self._plan = plan

    def add_point(self, point: LivePoint) -> None:
        """Compute `point` at each read, if it is a changing one."""
        if point.source is not None:
            self._living.append(point)

    # For clients.

    def _load(self, address: int, count: int) -> bytes:
        segment = self._segment(address, count)
        if self._living:
            self._refresh(address, address + count)
        start = segment.start
        return bytes(segment.words[(address - start) << 1 : (address + count - start) << 1])

    read_registers = _load

    def _store(self, address: int, data: bytes) -> None:
        segment = self._segment(address, len(data) >> 1)
        at = (address - segment.start) << 1
        segment.words[at : at + len(data)] = data

    def _segment(self, address: int, count: int) -> Segment:
        segment = self._find(address, count)
        if segment is None:
            raise IllegalDataAddressError(
                detail=f"{address}..{address + count - 1} are not all there"
            )
        return segment

    def _find(self, address: int, count: int) -> Segment | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        segment = self.segments[index]
        return segment if address + count <= segment.stop else None

    def _refresh(self, start: int, stop: int) -> None:
        now = self._now()
        for point in self._living:
            at = point.spec.place.address
            if at < stop and start < at + point.codec.size:
                point.refresh(now)

    def _wrote(self, address: int, values: Sequence[int]) -> None:
        self.owner_wrote(address, len(values))

    # For the owner, who may write everywhere.

    def owner_wrote(self, address: int, count: int) -> None:
        """Tell the changing points at these addresses that they were written."""
        if self._living:
            now = self._now()
            for point in self._living:
                at = point.spec.place.address
                if at < address + count and address < at + point.codec.size:
                    point.written(now)

    def peek(self, address: int, count: int) -> list[int | None]:
        """Return the values; None for each address that does not exist."""
        if self._living:
            self._refresh(address, address + count)
        found: list[int | None] = [None] * count
        for segment in self.segments:
            first, stop = max(segment.start, address), min(segment.stop, address + count)
            if first < stop:
                data = segment.words[(first - segment.start) << 1 : (stop - segment.start) << 1]
                found[first - address : stop - address] = struct.unpack(f">{stop - first}H", data)
        return found

    def poke(self, address: int, values: Sequence[int]) -> None:
        """Write values; raises IndexError unless all addresses are in one segment."""
        words, at = self.place(address, len(values))
        struct.pack_into(f">{len(values)}H", words, at, *values)
        self.owner_wrote(address, len(values))

    def place(self, address: int, count: int) -> tuple[bytearray, int]:
        """Return the bytes of the segment with these addresses, and the offset of the first one."""
        segment = self._find(address, count)
        if segment is None:
            raise IndexError(f"{address}..{address + count - 1} are not all there")
        return segment.words, (address - segment.start) << 1

    def reset(self) -> None:
        """Set the words to those at the beginning; `SimulatedUnit.reset` restarts the points."""
        for segment, (_, words) in zip(self.segments, self._plan.segments, strict=True):
            segment.words[:] = words

    def ranges(self) -> list[range]:
        return [range(segment.start, segment.stop) for segment in self.segments]

    def __len__(self) -> int:
        return sum(segment.stop - segment.start for segment in self.segments)

    def __iter__(self) -> Iterator[int]:
        for segment in self.segments:
            yield from range(segment.start, segment.stop)

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self._find(address, 1) is not None


class RefusingTable(Table):
    """A table that refuses requests with other codes than 02, as a certain device does."""

    plain_reads = False

    def __init__(self, plan: TablePlan, now: Callable[[], float]) -> None:
        super().__init__(plan, now)
        self._refusals = plan.refusals
        self._missing = plan.missing
        self._limit = plan.limit
        self._steps = plan.steps

    def _load(self, address: int, count: int) -> bytes:
        limit = self._limit
        if limit is not None and count > limit.count:
            raise refusal(limit.code, f"the most at once are {limit.count}, got {count}")
        stop = address + count
        refused: list[tuple[int, int]] = []  # address and code
        for each in self._refusals:
            first = max(address, each.place.address)
            if first < min(stop, each.place.address + each.count):
                refused.append((first, each.code))
        for start, end, step in self._steps:
            if (
                start < stop
                and address < end
                and ((max(address, start) - start) % step or (min(stop, end) - start) % step)
            ):
                refused.append((max(address, start), self._missing))
        if self._find(address, count) is None:
            refused.append((self._first_missing(address, stop), self._missing))
        if refused:
            # A device checks the addresses in order, so the first refused one gives the code.
            first, code = min(refused, key=lambda each: each[0])
            raise refusal(code, f"address {first} is refused")
        return super()._load(address, count)

    read_registers = _load

    def _first_missing(self, address: int, stop: int) -> int:
        """Return the first address that is missing, or that begins another segment."""
        segment = self._find(address, 1)
        return address if segment is None else min(segment.stop, stop)


class RefusedInSilence(Exception):  # noqa: N818 - no error, but a way to respond
    """Raised if there shall be no response; the unit in front catches it."""


def refusal(code: int, detail: str) -> Exception:
    """Return the exception that makes a table respond with `code`, or not at all."""
    if code == _ILLEGAL_DATA_ADDRESS:
        return IllegalDataAddressError(detail=detail)
    if code < 0:
        return RefusedInSilence(detail)
    return ExceptionResponseError(code=code, detail=detail)


class TablePlan:
    """The parts that the tables of all devices with the same description share.

    If `blocks` overlap, the later one has the value. Adjacent blocks can be read together
    unless one of them is `apart`. `refusals`, `missing` and `limit` are those of `UnitSpec`.
    `has_rules` is True if a `RefusingTable` is needed for them.
    """

    def __init__(
        self,
        blocks: Sequence[BlockSpec],
        refusals: Sequence[Refusal] = (),
        missing: int | None = None,
        limit: Limit | None = None,
    ) -> None:
        self.read_only = [range(each.place.address, each.stop) for each in blocks if each.read_only]
        self.steps = [
            (each.place.address, each.stop, each.step) for each in blocks if each.step > 1
        ]
        self.refusals = refusals
        self.missing = _ILLEGAL_DATA_ADDRESS if missing is None else missing
        self.limit = limit
        self.has_rules = bool(refusals or missing is not None or limit or self.steps)
        self.segments = _join(blocks)

    def place(self, address: int, count: int) -> tuple[bytearray, int]:
        """Return the bytes with the initial values of these addresses, and their offset."""
        for start, words in self.segments:
            if start <= address and address + count <= start + (len(words) >> 1):
                return words, (address - start) << 1
        raise IndexError(f"{address}..{address + count - 1} are not all there")


def _join(blocks: Sequence[BlockSpec]) -> list[tuple[int, bytearray]]:
    """Return the segments of `blocks`, adjacent ones joined, with their values."""
    spans: list[tuple[int, int]] = []
    was_apart = False
    for block in sorted(blocks, key=lambda block: (block.place.address, block.stop)):
        start, stop = block.place.address, block.stop
        last = spans[-1] if spans else (0, -1)
        touches = start < last[1] or (start == last[1] and not block.apart and not was_apart)
        if touches:
            spans[-1] = (last[0], max(last[1], stop))
            was_apart = was_apart or block.apart
        else:
            spans.append((start, stop))
            was_apart = block.apart
    segments = [(start, bytearray((stop - start) << 1)) for start, stop in spans]
    starts = [start for start, _ in segments]
    for block in blocks:
        start, words = segments[bisect_right(starts, block.place.address) - 1]
        at = (block.place.address - start) << 1
        struct.pack_into(f">{len(block.values)}H", words, at, *block.values)
    return segments
