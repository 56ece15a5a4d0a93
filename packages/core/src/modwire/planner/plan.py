"""The read planner: it finds the cheapest requests for the points to read.

`plan` does it once; `Planner` also learns the addresses that a device refuses. Register maps use
both, and so do programs that poll a device themselves. Nothing is sent here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from ..arguments import explained
from ..errors import IllegalDataValueError, ServerDeviceFailureError
from ..units.tables import ADDRESSES, BIT_TABLES, TABLES
from .limits import PlanLimits, Span

if TYPE_CHECKING:
    from typing import TypeAlias

    # The first address and the one after the last: a span within one table, without its name.
    Range: TypeAlias = tuple[int, int]


DEFAULT_LIMITS = PlanLimits()
TEMPORARY_REFUSALS = (IllegalDataValueError, ServerDeviceFailureError)
"""Exceptions 03 and 04: often one value of a request is to blame, and only for a time.

Ask for the others alone as after 02, but remember nothing: see `Planner`.
"""
_start, _end = itemgetter(0), itemgetter(1)  # of a Range


@explained
def plan(points: Iterable[Span], *, limits: PlanLimits = DEFAULT_LIMITS) -> list[Span]:
    """Return the cheapest requests that read all `points`, sorted by table and address.

    No other requests within `limits` cost less; of those with equal cost these read the fewest
    addresses. A point is read by one request. Only a point longer than the longest request is cut,
    into pieces of that length from its start. Points may be in any order, repeated, and overlap.
    Raises ValueError for a point in a forbidden range.
    """
    _check_limits(limits)
    return [
        Span(table, start, stop - start)
        for table, ranges in sorted(_by_table(points).items())
        for start, stop in _requests(table, _pieces(table, ranges, limits), limits)
    ]


def _requests(
    table: str, points: Sequence[Range], limits: PlanLimits, refused: Sequence[Range] = ()
) -> list[Range]:
    """Return the cheapest requests for `points`; both are sorted, and none contains another.

    No request may contain one of `refused`, which are sorted by their ends; no point does.

    Because both ends of the points ascend, a request covers consecutive points, and a plan is a
    set of cuts between points. A cut costs a request and saves the hole that it is in. The best
    plan up to a point has a last cut, from which one request reaches the point. Of all such cuts
    it takes the one that is cheapest together with the best plan before it. The first of them only
    moves forward, so a queue keeps the cheapest at its head (a sliding minimum): n points take n
    steps.
    """
    most = _longest(table, limits)
    item_cost = limits.item_cost / 16 if table in BIT_TABLES else limits.item_cost
    request_cost = limits.request_cost
    widest = ADDRESSES if limits.max_gap is None else limits.max_gap
    forbidden = limits.forbidden.get(table, ())
    cuts: list[int] = []  # for each point, the first point of the request that ends with it
    # (cost, addresses read beyond the points, index of the point after the cut), best first
    queue: deque[tuple[float, int, int]] = deque()
    cost, read, before = 0.0, 0, 0
    first = known = 0
    for index, (start, stop) in enumerate(points):
        hole = start - before
        if index:
            cost += request_cost - item_cost * hole
            read -= hole
            if hole > widest or (hole > 0 and forbidden and _touched(forbidden, before, start)):
                first = index
        # Of two equal cuts the later one is kept, so that the first requests are the full ones.
        while queue and (queue[-1][0], queue[-1][1]) >= (cost, read):
            queue.pop()
        queue.append((cost, read, index))
        while stop - points[first][0] > most:
            first += 1
        while known < len(refused) and refused[known][1] <= stop:
            while points[first][0] <= refused[known][0]:
                first += 1
            known += 1
        while queue[0][2] < first:
            queue.popleft()
        cost, read, cut = queue[0]
        cuts.append(cut)
        before = stop
    found: list[Range] = []
    index = len(points) - 1
    while index >= 0:
        found.append((points[cuts[index]][0], points[index][1]))
        index = cuts[index] - 1
    return found[::-1]


def _pieces(table: str, ranges: Sequence[Range], limits: PlanLimits) -> list[Range]:
    """Return the sorted ranges that no other range contains; too long ones are cut.

    Raises ValueError for a range with forbidden addresses.
    """
    most = _longest(table, limits)
    forbidden = limits.forbidden.get(table, ())
    if forbidden:
        for start, stop in ranges:
            if _touched(forbidden, start, stop):
                raise ValueError(f"{table} {start}..{stop - 1} has addresses that are forbidden")
    short = [each for each in ranges if each[1] - each[0] <= most]
    cut: set[Range] = set()
    # The ranges with the highest ends come first. When a later range meets one of their cuts, it
    # is cut at the same places from there on, so there are never more pieces than addresses.
    long = [each for each in ranges if each[1] - each[0] > most]
    for start, stop in sorted(long, key=_end, reverse=True):
        while stop - start > most:
            if (start, start + most) in cut:
                start += (stop - start - 1) // most * most
                break
            cut.add((start, start + most))
            start += most
        cut.add((start, stop))
    kept: list[Range] = []
    end = 0
    for start, stop in sorted([*short, *cut]):
        if stop > end:
            if kept and kept[-1][0] == start:
                kept.pop()  # of two with the same start the longer one comes later
            kept.append((start, stop))
            end = stop
    return kept


class Planner:
    """The requests for a set of points, on a device that may refuse some of them.

    Call `requests()` for each poll, and `refused()` for each request that the device refuses:

        pending = planner.requests()
        while pending:
            span = pending.pop()
            try:
                values = client.read_holding_registers(span.address, span.count)
            except IllegalDataAddressError:
                pending += planner.refused(span)

    Every point that can be read has then been read. The planner remembers refusals: a point that
    was refused alone is not requested again, and no request contains a span that was refused
    before. So each poll has fewer refusals, until there are none; the plan is then the cheapest one
    known to work. It may have one request too many if a poll was interrupted. Raises ValueError
    like `plan`, TypeError for other classes than `Span` and `PlanLimits`. Not thread-safe.
    """

    @explained
    def __init__(self, points: Iterable[Span], limits: PlanLimits = DEFAULT_LIMITS) -> None:
        _check_limits(limits)
        self._limits = limits
        by_table = _by_table(points)
        # By table: the points sorted by their starts, and the length of the longest.
        self._readable = {table: sorted(set(ranges)) for table, ranges in by_table.items()}
        self._longest = {
            table: max(stop - start for start, stop in ranges)
            for table, ranges in self._readable.items()
        }
        self._pieces = {
            table: _pieces(table, ranges, limits) for table, ranges in self._readable.items()
        }
        self._unreadable: list[Span] = []
        # Ranges that no request may contain, sorted by their ends: points that cannot be read, and
        # pairs of neighbours that cannot be read together.
        self._refused: dict[str, list[Range]] = {table: [] for table in TABLES}
        # The pair that is assumed to cause a refusal, by the parts that are requested instead.
        self._blamed: dict[Span, Range] = {}
        self._plan: list[Span] | None = None

    @property
    def unreadable(self) -> list[Span]:
        """Points, as passed in, that the device refused alone or in part."""
        return sorted(self._unreadable)

    def __repr__(self) -> str:
        known = sum(map(len, self._readable.values())) + len(self._unreadable)
        return f"<{type(self).__name__} of {known} points, {len(self._unreadable)} unreadable>"

    def __contains__(self, point: object) -> bool:
        """True if the span `point` is one of the points, readable or not."""
        if not isinstance(point, Span):
            return False
        readable = self._readable.get(point.table, [])
        wanted = (point.address, point.stop)
        at = bisect_left(readable, wanted)
        return readable[at : at + 1] == [wanted] or point in self._unreadable

    def requests(self) -> list[Span]:
        """Return the cheapest requests for all points that are not known to be unreadable."""
        if self._plan is None:
            self._plan = [
                span
                for table, pieces in sorted(self._pieces.items())
                for span in self._requests(table, pieces)
            ]
        return list(self._plan)

    def refused(self, span: Span) -> list[Span]:
        """Return the requests in place of `span`, which the device refused; [] if it was one point.

        Call it for exception 02, and for others with which a device refuses these addresses for
        good, but not for a timeout; for `TEMPORARY_REFUSALS` call that of a planner of this poll.
        A request for several points is bisected, preferably at its largest hole, where the device
        most likely has no addresses. Raises TypeError unless it is a Span.
        """
        if not isinstance(span, Span):
            raise TypeError(f"what was refused must be a Span, got {span!r}")
        self._plan = None
        table, start, stop = span.table, span.address, span.stop
        refused = self._refused[table]
        blamed = self._blamed.pop(span, None)
        if blamed is not None:  # this part is refused too, so the pair is not the cause
            at = bisect_left(refused, blamed[1], key=_end)
            while at < len(refused) and refused[at][1] == blamed[1]:
                if refused[at] == blamed:
                    del refused[at]
                    break
                at += 1
        inside = self._inside(span)
        if inside == [(start, stop)]:
            insort(refused, (start, stop), key=_end)
            self._drop(table, start, stop)
            # Points inside it were read with it until now, and need their own requests from now on.
            return self._requests(table, self._inside(span))
        if len(inside) < 2 or any(start <= low for low, _ in self._known(span)):
            return self._requests(table, inside)
        at = _middle(inside)
        pair = inside[at - 1][0], inside[at][1]
        parts = self._requests(table, inside[:at]) + self._requests(table, inside[at:])
        insort(refused, pair, key=_end)
        self._blamed.update(dict.fromkeys(parts, pair))
        return parts

    def _drop(self, table: str, start: int, stop: int) -> None:
        """Remove the points that cannot be read without the piece `start`..`stop - 1`.

        Only the pieces near these points are made again: in a large table they are few.
        """
        readable, pieces = self._readable[table], self._pieces[table]
        longest = _longest(table, self._limits)
        lost = [
            point
            for point in self._overlapping(table, start, stop)
            if _needs(point, (start, stop), longest)
        ]
        low, high = start, stop
        for point in lost:
            del readable[bisect_left(readable, point)]
            self._unreadable.append(Span(table, point[0], point[1] - point[0]))
            low, high = min(low, point[0]), max(high, point[1])
        first = bisect_right(pieces, low, key=_end)
        last = bisect_left(pieces, high, key=_start)
        left = _pieces(table, self._overlapping(table, low, high), self._limits)
        pieces[first:last] = [piece for piece in left if low < piece[1] and piece[0] < high]

    def _overlapping(self, table: str, start: int, stop: int) -> list[Range]:
        """Return the readable points that have an address of `start`..`stop - 1`."""
        readable = self._readable[table]
        first = bisect_right(readable, (start - self._longest[table], ADDRESSES))
        last = bisect_left(readable, (stop, 0))
        return [point for point in readable[first:last] if point[1] > start]

    def _requests(self, table: str, pieces: Sequence[Range]) -> list[Span]:
        if not pieces:
            return []
        whole = Span(table, pieces[0][0], pieces[-1][1] - pieces[0][0])
        return [
            Span(table, start, stop - start)
            for start, stop in _requests(table, pieces, self._limits, self._known(whole))
        ]

    def _known(self, span: Span) -> list[Range]:
        """Return the refused ranges that end within `span`."""
        refused = self._refused[span.table]
        first = bisect_right(refused, span.address, key=_end)
        return refused[first : bisect_right(refused, span.stop, key=_end)]

    def _inside(self, span: Span) -> list[Range]:
        """Return the pieces that are completely within `span`."""
        pieces = self._pieces.get(span.table, [])
        first = bisect_left(pieces, span.address, key=_start)
        return pieces[first : bisect_right(pieces, span.stop, key=_end)]


def _needs(point: Range, refused: Range, longest: int) -> bool:
    """True if `point` cannot be read without `refused`, which is in one of its pieces."""
    piece = point[0] + (refused[0] - point[0]) // longest * longest
    return point[0] <= refused[0] and refused[1] <= min(point[1], piece + longest)


def _middle(pieces: Sequence[Range]) -> int:
    """Return the index to bisect at: at the largest hole in the middle half, or in the middle."""
    number = len(pieces)
    least = max(1, number // 4)
    return max(
        range(least, number - least + 1),
        key=lambda at: (pieces[at][0] - pieces[at - 1][1], -abs(2 * at - number)),
    )


def _check_limits(limits: PlanLimits) -> None:
    if not isinstance(limits, PlanLimits):
        raise TypeError(f"limits must be PlanLimits, got {limits!r}")


def _longest(table: str, limits: PlanLimits) -> int:
    return limits.max_bits if table in BIT_TABLES else limits.max_registers


def _by_table(points: Iterable[Span]) -> dict[str, list[Range]]:
    ranges: dict[str, list[Range]] = {}
    for point in points:
        if not isinstance(point, Span):
            raise TypeError(f"points must be Spans, got {point!r}")
        ranges.setdefault(point.table, []).append((point.address, point.address + point.count))
    return ranges


def _touched(forbidden: Sequence[range], start: int, stop: int) -> bool:
    """True if one of the `forbidden` ranges, which are sorted, has an address of start..stop-1."""
    at = bisect_right(forbidden, start, key=lambda each: each.stop)
    return at < len(forbidden) and forbidden[at].start < stop
