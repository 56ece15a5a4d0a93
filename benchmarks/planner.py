"""Cost of the read planner's requests beside those of other tools, and the time of planning.

The merge rules of the other tools are written here from their documentation, with its defaults.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence

from rounds import FLOOR, OURS, Row, Settings, cpu_sample, measure, quartiles

from modwire.planner import PlanLimits, Span, plan

TARGET_MS = 50.0  # for 10,000 points

_LINE, _NETWORK = PlanLimits.for_line(9600), PlanLimits.for_network()
_COSTS = {"RTU 9600": _LINE, "TCP": _NETWORK}
_LONGEST = {"holding_registers": 125, "input_registers": 125, "coils": 2000}

Requests = list[Span]
Points = Sequence[Span]


def merged(points: Points, gap: int, longest: int) -> Requests:
    """Return requests; a point joins the last one if at most `gap` addresses are between them."""
    requests: Requests = []
    for point in points:
        if requests:
            last = requests[-1]
            count = max(last.stop, point.stop) - last.address
            if point.address - last.stop <= gap and count <= longest:
                requests[-1] = Span(last.table, last.address, count)
                continue
        requests.append(point)
    return requests


def max_insert(points: Points, fill: int = 50) -> Requests:
    """Telegraf's `max_insert`: holes of up to `optimization_max_register_fill` are read too."""
    return merged(points, fill, _LONGEST[points[0].table])


def best_insert(points: Points, limits: PlanLimits) -> Requests:
    """The same with the best of all fills, as found by trying, which the documentation advises."""
    return min((max_insert(points, fill) for fill in range(126)), key=limits.cost)


def max_gap(points: Points) -> Requests:
    """Home Assistant's `max_gap` of 16 addresses, with its `max_span` of 125, for bits as well."""
    return merged(points, 16, 125)


def shrink(points: Points) -> Requests:
    """Telegraf's `shrink`, with every address from the first point to the last as a field.

    The fields fill one request after the other. Omitted fields at both ends of a request are cut
    off; a request with only omitted fields is dropped. A point that would be split starts the next.
    """
    requests: Requests = []
    stop = points[0].address
    for point in points:
        if requests and point.stop <= stop:
            last = requests[-1]
            requests[-1] = Span(last.table, last.address, point.stop - last.address)
            continue
        longest = _LONGEST[point.table]
        begin = stop + (point.address - stop) // longest * longest
        if point.stop > begin + longest:
            begin = point.address
        stop = begin + longest
        requests.append(point)
    return requests


def rearrange(points: Points) -> Requests:
    """Telegraf's `rearrange` on the same fields: as many requests, with the fewest registers.

    Its documentation says "usually" fewer; this one always finds the minimum.
    """
    number, longest = len(shrink(points)), _LONGEST[points[0].table]
    # plans[end]: the best plan of so many requests for points[:end], and the addresses it reads
    plans: dict[int, tuple[int, Requests]] = {0: (0, [])}
    for _ in range(number):
        longer: dict[int, tuple[int, Requests]] = {}
        for first, (read, requests) in plans.items():
            for end in range(first + 1, len(points) + 1):
                count = points[end - 1].stop - points[first].address
                if count > longest:
                    break
                if end not in longer or read + count < longer[end][0]:
                    span = Span(points[0].table, points[first].address, count)
                    longer[end] = read + count, [*requests, span]
        plans = longer
    return plans[len(points)][1]


def _random_points(table: str, number: int, addresses: int, widths: Sequence[int]) -> Requests:
    """Return random points that do not overlap, evenly distributed."""
    source = random.Random(number)
    taken: set[int] = set()
    points: Requests = []
    while len(points) < number:
        point = Span(table, source.randrange(addresses), source.choice(widths))
        if taken.isdisjoint(range(point.address, point.stop)):
            taken.update(range(point.address, point.stop))
            points.append(point)
    return sorted(points)


def _floats(*addresses: int) -> Requests:
    return [Span("input_registers", address, 2) for address in addresses]


def _clusters() -> Requests:
    """Return the points of a controller: two in three of 25 groups of 4 to 12 registers."""
    source = random.Random(25)
    points: Requests = []
    address = 0
    for _ in range(25):
        for _ in range(source.randrange(4, 13)):
            if source.randrange(3):
                points.append(Span("holding_registers", address))
            address += 1
        address += source.choice((3, 8, 12, 20, 40, 90))
    return points


def point_lists() -> dict[str, Requests]:
    """Return the lists of points to read, by name; sorted, without overlaps."""
    return {
        "three-phase meter, 44 floats": _floats(
            *(*range(0, 24, 2), 30, 32, 34, 42, 46, 48, 50, 52, 56, 60, 62, 66, 70, 72, 74, 76, 78),
            *(84, 86, 200, 204, 206, 224, 234, 236, 238, 240, 248, 250, 252, 258, 342),
        ),
        "inverter, 26 points in 4 models": [
            Span("holding_registers", 40000 + address, count)
            for address, count in (
                *(
                    (4, 16),
                    (20, 16),
                    (44, 8),
                    (52, 16),
                    (71, 1),
                    (72, 3),
                    (75, 1),
                    (76, 3),
                    (79, 3),
                ),
                *((83, 1), (84, 2), (86, 1), (93, 3), (96, 2), (100, 2), (103, 1), (107, 1)),
                *((123, 1), (149, 1), (154, 2), (163, 1), (260, 1), (262, 1), (282, 3), (302, 3)),
                (322, 3),
            )
        ],
        "controller, 25 clusters": _clusters(),
        "20 blocks of 60 registers, 6 apart": [
            Span("holding_registers", block + a) for block in range(0, 1320, 66) for a in range(60)
        ],
        "200 points strewn over 4,000": _random_points("holding_registers", 200, 4000, (1, 2, 4)),
        "400 coils strewn over 8,000": _random_points("coils", 400, 8000, (1,)),
    }


def _comparison(name: str, points: Requests, costs: str) -> Row:
    """Return the row with the times on the link; the floor is the cheapest of all other plans."""
    limits = _COSTS[costs]
    plans = {
        OURS: plan(points, limits=limits),
        "shrink": shrink(points),
        "rearrange": rearrange(points),
        "max_insert 50": max_insert(points),
        "max_insert, best": best_insert(points, limits),
        "max_gap 16": max_gap(points),
        "one each": list(points),
    }
    for tool, requests in plans.items():
        longest = _LONGEST[points[0].table]
        if not all(any(span.contains(point) for span in requests) for point in points):
            raise RuntimeError(f"{tool} does not read all of: {name}")
        if any(span.count > longest for span in requests):
            raise RuntimeError(f"{tool} has a request that is too long: {name}")
    spent = {tool: limits.cost(requests) * 1e3 for tool, requests in plans.items()}
    ours = spent.pop(OURS)
    floor = min(spent.values())
    return Row(
        "planner",
        f"{name}, {costs}",
        "ms",
        {FLOOR: floor, OURS: ours},
        ours / floor,
        (ours / floor, ours / floor),
        1.0,
        True,
        {tool: cost / floor for tool, cost in spent.items()},
    )


def _timing(name: str, points: Requests, limits: PlanLimits, settings: Settings) -> Row:
    def looped(function: Callable[[], object]) -> Callable[[int], object]:
        def loop(count: int) -> None:
            for _ in range(count):
                function()

        return loop

    samples = {
        FLOOR: cpu_sample(looped(lambda: sorted(points)), settings.sample),
        OURS: cpu_sample(looped(lambda: plan(points, limits=limits)), settings.sample),
    }
    times = measure(samples, max(3, settings.rounds // 5))
    took = [each * 1e3 for each in times[OURS]]
    return Row(
        "planner, time",
        name,
        "ms",
        {FLOOR: statistics.median(times[FLOOR]) * 1e3, OURS: statistics.median(took)},
        statistics.median(took),
        quartiles(took),
        TARGET_MS,
        True,
        {},
    )


def run(settings: Settings) -> list[Row]:
    """Return a row for each list of points and kind of link, and the time of planning."""
    rows = [
        _comparison(name, points, costs)
        for name, points in point_lists().items()
        for costs in _COSTS
    ]
    strewn = _random_points("holding_registers", 10_000, 65_000, (1, 2, 4))
    random.Random(0).shuffle(strewn)
    forbidden = {"holding_registers": [range(a, a + 1) for a in range(0, 65_000, 650)]}
    taken = {address for each in forbidden["holding_registers"] for address in each}
    allowed = [each for each in strewn if taken.isdisjoint(range(each.address, each.stop))]
    rows.append(_timing("10,000 points, RTU 9600", strewn, _LINE, settings))
    rows.append(_timing("10,000 points, TCP", strewn, _NETWORK, settings))
    rows.append(
        _timing(
            f"{len(allowed):,} points, 100 addresses forbidden",
            allowed,
            _LINE.replace(forbidden=forbidden),
            settings,
        )
    )
    return rows
