"""`plan`: no cheaper requests exist, and forbidden addresses are not read."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire.planner import PlanLimits, Planner, Span, plan

HOLDING, COILS = "holding_registers", "coils"
SPACE = 16  # addresses that the brute force looks at

Range = tuple[int, int]


def holding(*ranges: tuple[int, int]) -> list[Span]:
    return [Span(HOLDING, address, count) for address, count in ranges]


def cheapest(points: list[Range], limits: PlanLimits, most: int, item_cost: float) -> float:
    """Return the cost of the best set of requests; every interval of the space is tried."""
    wanted = {address for start, stop in points for address in range(start, stop)}
    forbidden = {a for each in limits.forbidden.get(HOLDING, ()) for a in each}

    def widest_hole(start: int, stop: int) -> int:
        widest = run = 0
        for address in range(start, stop):
            run = 0 if address in wanted else run + 1
            widest = max(widest, run)
        return widest

    requests = [
        (start, stop)
        for start in range(SPACE)
        for stop in range(start + 1, min(SPACE, start + most) + 1)
        if not forbidden.intersection(range(start, stop))
        and (limits.max_gap is None or widest_hole(start, stop) <= limits.max_gap)
    ]
    masks = [
        (
            sum(1 << n for n, (a, b) in enumerate(points) if start <= a and b <= stop),
            limits.request_cost + item_cost * (stop - start),
        )
        for start, stop in requests
    ]
    best = {0: 0.0}
    for covered in range(1, 1 << len(points)):  # the cheapest way to read at least these points
        lowest = covered & -covered
        best[covered] = min(cost + best[covered & ~mask] for mask, cost in masks if mask & lowest)
    return best[(1 << len(points)) - 1]


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[Range], PlanLimits]:
    table = draw(st.sampled_from([HOLDING, COILS]))
    most = draw(st.integers(1, 9))
    forbidden = draw(st.sets(st.integers(0, SPACE - 1), max_size=2))
    points = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, SPACE - 1))
        stop = draw(st.integers(start + 1, min(SPACE, start + most)))
        if not forbidden.intersection(range(start, stop)):
            points.append((start, stop))
    limits = PlanLimits(
        draw(st.sampled_from([0.5, 1, 2, 3, 5, 16])),
        draw(st.sampled_from([0, 0.25, 1, 2])) * (16 if table == COILS else 1),
        max_registers=most,
        max_bits=most,
        max_gap=draw(st.none() | st.integers(0, 4)),
        forbidden={table: forbidden},
    )
    return table, points, limits


@settings(max_examples=1000, deadline=None)
@given(cases())
def test_no_other_requests_cost_less(case: tuple[str, list[Range], PlanLimits]) -> None:
    table, points, limits = case
    requests = plan([Span(table, a, b - a) for a, b in points], limits=limits)
    if table == COILS:  # the brute force knows registers
        item_cost = limits.item_cost / 16
        limits = limits.replace(forbidden={HOLDING: limits.forbidden[COILS]})
    else:
        item_cost = limits.item_cost
    cost = sum(limits.request_cost + item_cost * each.count for each in requests)
    assert cost == cheapest(points, limits, limits.max_registers, item_cost)
    assert requests == sorted(requests)
    assert all(any(each.address <= a and b <= each.stop for each in requests) for a, b in points)
    touched = {address for each in requests for address in range(each.address, each.stop)}
    assert not any(touched.intersection(each) for each in limits.forbidden[HOLDING])
    assert all(each.count <= limits.max_registers for each in requests)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 40)), max_size=60), st.randoms())
def test_order_and_repetition_of_the_points_do_not_matter(
    ranges: list[Range], random: object
) -> None:
    points = holding(*ranges)
    assert plan(points[::-1] + points) == plan(points)


def test_a_hole_is_read_if_that_costs_less_than_a_request() -> None:
    limits = PlanLimits(request_cost=10, item_cost=1)
    assert plan(holding((0, 2), (11, 2)), limits=limits) == holding((0, 13))
    assert plan(holding((0, 2), (13, 2)), limits=limits) == holding((0, 2), (13, 2))


def test_of_plans_that_cost_the_same_the_one_is_made_that_reads_less() -> None:
    limits = PlanLimits(request_cost=10, item_cost=1)
    assert plan(holding((0, 2), (12, 2)), limits=limits) == holding((0, 2), (12, 2))
    # Two requests either way, and nothing for a register: the wide hole is left out.
    limits = PlanLimits(request_cost=1, item_cost=0, max_registers=10)
    points = holding((0, 1), (2, 1), (9, 1), (10, 1))
    assert plan(points, limits=limits) == holding((0, 3), (9, 2))


def test_the_cuts_are_made_in_the_widest_holes() -> None:
    """Filling the first request up to its limit would read 3 more registers."""
    limits = PlanLimits(max_registers=10)
    points = holding((0, 2), (4, 2), (9, 1), (10, 5))
    assert plan(points, limits=limits) == holding((0, 6), (9, 6))


def test_a_bit_costs_a_sixteenth_of_a_register() -> None:
    limits = PlanLimits(request_cost=10, item_cost=1)
    points = [Span(COILS, 0), Span(COILS, 160)]
    assert plan(points, limits=limits) == [Span(COILS, 0, 161)]
    points = [Span(COILS, 0), Span(COILS, 161)]
    assert plan(points, limits=limits) == points
    assert limits.cost([Span(COILS, 0, 32), *holding((0, 5))]) == 27


def test_tables_are_planned_apart() -> None:
    points = [Span(table, 5, 2) for table in ("input_registers", HOLDING, COILS, "discrete_inputs")]
    assert plan(points) == sorted(points)


def test_nothing_is_read_for_no_points() -> None:
    assert plan([]) == []


def test_a_full_request_is_what_the_specification_allows() -> None:
    assert plan(holding(*((address, 1) for address in range(300)))) == holding(
        (0, 125), (125, 125), (250, 50)
    )
    assert plan([Span(COILS, address) for address in range(2001)]) == [
        Span(COILS, 0, 2000),
        Span(COILS, 2000, 1),
    ]


def test_a_point_is_never_torn() -> None:
    """A 64-bit counter with words from two requests could have a wrong value."""
    points = holding(*((address, 4) for address in range(0, 160, 4)))
    assert plan(points) == holding((0, 124), (124, 36))


def test_points_that_overlap_are_both_whole() -> None:
    limits = PlanLimits(max_registers=10)
    assert plan(holding((0, 8), (4, 8), (5, 1)), limits=limits) == holding((0, 8), (4, 8))


def test_reading_an_address_twice_is_paid_twice() -> None:
    """Two requests that overlap by 4 registers, or three that leave out two."""
    limits = PlanLimits(request_cost=5, item_cost=1, max_registers=10)
    points = holding((0, 2), (3, 6), (5, 6), (12, 2))
    assert plan(points, limits=limits) == holding((0, 2), (3, 8), (12, 2))
    limits = limits.replace(request_cost=7)
    assert plan(points, limits=limits) == holding((0, 9), (5, 9))


def test_a_point_that_is_too_long_is_cut_at_the_longest_request() -> None:
    assert plan(holding((10, 300))) == holding((10, 125), (135, 125), (260, 50))
    assert plan(holding((10, 300), (312, 2))) == holding((10, 125), (135, 125), (260, 54))


def test_the_last_address_can_be_read() -> None:
    assert plan(holding((65535, 1), (65533, 1))) == holding((65533, 3))


def test_the_largest_gap_holds_whatever_a_request_costs() -> None:
    limits = PlanLimits.for_network().replace(max_gap=3)
    points = holding((0, 1), (4, 1), (9, 1))
    assert plan(points, limits=limits) == holding((0, 5), (9, 1))
    limits = limits.replace(max_gap=0)
    assert plan(holding((0, 1), (1, 1), (3, 1)), limits=limits) == holding((0, 2), (3, 1))


def test_forbidden_addresses_are_in_no_request() -> None:
    limits = PlanLimits(forbidden={HOLDING: [5, range(20, 30)]})
    points = holding((0, 5), (6, 4), (12, 8), (30, 1))
    assert plan(points, limits=limits) == holding((0, 5), (6, 14), (30, 1))
    # of another table they are nobody's business
    assert plan([Span(COILS, 0), Span(COILS, 6)], limits=limits) == [Span(COILS, 0, 7)]


def test_a_point_that_is_forbidden_is_an_error_that_names_it() -> None:
    limits = PlanLimits(forbidden={HOLDING: [range(20, 30)]})
    with pytest.raises(ValueError, match=r"holding_registers 29\.\.30 has addresses that are forb"):
        plan(holding((29, 2)), limits=limits)


def test_what_is_no_span_is_named() -> None:
    for make in (plan, Planner):
        with pytest.raises(TypeError, match=r"points must be Spans, got \('coils', 1, 2\)"):
            make([("coils", 1, 2)])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="limits must be PlanLimits, got 5"):
            make([], limits=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="what was refused must be a Span, got 3"):
        Planner([]).refused(3)  # type: ignore[arg-type]


def test_on_a_slow_line_holes_cost_and_on_a_network_requests_do() -> None:
    line = PlanLimits.for_line(9600)
    assert line.request_cost == pytest.approx(13 * 11 / 9600 + 2 * 38.5 / 9600 + 0.01)
    assert line.item_cost == pytest.approx(22 / 9600)
    for gap, number in ((14, 1), (15, 2)):
        assert len(plan(holding((0, 2), (2 + gap, 2)), limits=line)) == number
    for gap, number in ((121, 1), (122, 2)):
        assert len(plan(holding((0, 2), (2 + gap, 2)), limits=PlanLimits.for_network())) == number
    assert PlanLimits.for_line(9600, latency=0.1).request_cost > line.request_cost


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"request_cost": 0}, "request_cost must be a number, greater than 0, got 0"),
        ({"request_cost": -1}, "request_cost must be a number, greater than 0, got -1"),
        ({"request_cost": float("inf")}, "request_cost must be a number"),
        ({"item_cost": float("nan")}, "item_cost must be a number, at least 0, got nan"),
        ({"item_cost": "1"}, "item_cost must be a number, at least 0, got '1'"),
        ({"item_cost": True}, "item_cost must be a number, at least 0, got True"),
        ({"max_bits": True}, r"max_bits must be 1\.\.2000, got True"),
        ({"max_registers": 126}, r"max_registers must be 1\.\.125, got 126"),
        ({"max_registers": 0}, r"max_registers must be 1\.\.125, got 0"),
        ({"max_bits": 2001}, r"max_bits must be 1\.\.2000, got 2001"),
        ({"max_gap": -1}, "max_gap must be a whole number, at least 0, got -1"),
        ({"forbidden": {"registers": []}}, "table must be one of coils, .*, got 'registers'"),
        ({"forbidden": {HOLDING: [range(0, 9, 2)]}}, r"with step 1, got range\(0, 9, 2\)"),
        ({"forbidden": {HOLDING: ["1-5"]}}, "forbidden must be addresses and ranges .*'1-5'"),
        ({"forbidden": {HOLDING: 7}}, "forbidden must have a list for holding_registers, got 7"),
        ({"forbidden": [7]}, r"forbidden must name its tables, \{table: .*, got \[7\]"),
        ({"forbidden": {HOLDING: [65536]}}, r"forbidden addresses must be 0\.\.65535, got 65536"),
        ({"forbidden": {HOLDING: [range(-5, 3)]}}, r"must be 0\.\.65535, got range\(-5, 3\)"),
    ],
)
def test_a_wrong_limit_says_what_is_allowed(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PlanLimits().replace(**arguments)


@pytest.mark.parametrize("latency", [-1, float("inf"), "0"])
def test_times_and_baudrates_are_checked(latency: float) -> None:
    with pytest.raises(ValueError, match="latency must be at least 0 seconds"):
        PlanLimits.for_line(9600, latency=latency)
    with pytest.raises(ValueError, match="round_trip must be greater than 0 seconds"):
        PlanLimits.for_network(round_trip=latency)
    with pytest.raises(ValueError, match="baudrate must be greater than 0, got 0"):
        PlanLimits.for_line(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("holding", 0, 1), "table must be one of coils, discrete_inputs, .*, got 'holding'"),
        ((HOLDING, 0, 0), "count at least 1, got 0 and 0"),
        ((HOLDING, -1, 1), r"addresses must be 0\.\.65535, got -1\.\.-1"),
        ((HOLDING, 65535, 2), r"addresses must be 0\.\.65535, got 65535\.\.65536"),
        ((HOLDING, 1.0, 1), "must be whole numbers"),
    ],
)
def test_a_wrong_span_says_what_is_allowed(arguments: tuple[str, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Span(*arguments)


def test_spans_and_limits_are_values() -> None:
    span = Span(HOLDING, 3, 4)
    assert (span.stop, repr(span)) == (7, "Span(table='holding_registers', address=3, count=4)")
    assert {span, Span(HOLDING, 3, 4)} == {span} != {Span(HOLDING, 3, 5)}
    assert span != (HOLDING, 3, 4)
    assert copy.deepcopy(span) == pickle.loads(pickle.dumps(span)) == span
    assert span.contains(Span(HOLDING, 4, 3))
    assert not span.contains(Span(HOLDING, 4, 4))
    assert not span.contains(Span(COILS, 4, 3))
    limits = PlanLimits(forbidden={HOLDING: [range(8, 12), 3, range(4, 9), range(0)]})
    assert limits.forbidden == {HOLDING: (range(3, 12),)}
    assert repr(limits) == (
        "PlanLimits(request_cost=16.0, item_cost=1.0, max_registers=125, max_bits=2000, "
        "max_gap=None, forbidden={'holding_registers': (range(3, 12),)})"
    )
    assert pickle.loads(pickle.dumps(limits)) == copy.deepcopy(limits) == limits
    assert {limits, limits.replace(max_gap=None)} == {limits} != {PlanLimits()}
    with pytest.raises(TypeError):
        limits.forbidden[COILS] = ()  # type: ignore[index]
    values: Iterable[tuple[object, str]] = ((span, "count"), (limits, "max_gap"))
    for value, name in values:
        with pytest.raises(AttributeError, match=f"immutable, '{name}' cannot be set"):
            setattr(value, name, 5)
        with pytest.raises(AttributeError, match=f"immutable, '{name}' cannot be deleted"):
            delattr(value, name)


def test_long_points_that_overlap_are_cut_alike() -> None:
    """If each were cut separately, 260 million pieces would fill the memory."""
    points = holding(*((start, 60000) for start in range(4400)), (7, 61001))
    requests = plan(points, limits=PlanLimits(max_registers=1))
    assert requests == holding(*((address, 1) for address in range(64399)))
    requests = plan(points[:1] + points[125:126] + points[-1:])
    assert sum(span.count for span in requests) < 3 * 61001
    for start in (7, 125):
        assert Span(HOLDING, start, 125) in requests
