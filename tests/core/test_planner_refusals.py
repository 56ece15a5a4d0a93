"""`Planner`: a device with holes is read completely, and refuses nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire.planner import PlanLimits, Planner, Span, plan

HOLDING, COILS = "holding_registers", "coils"

Device = Callable[[Span], bool]  # True if it accepts a request


def holding(*ranges: tuple[int, int]) -> list[Span]:
    return [Span(HOLDING, address, count) for address, count in ranges]


class Poll:
    """All requests of one poll, and which of them `device` refused."""

    def __init__(self, planner: Planner, device: Device) -> None:
        self.answered: list[Span] = []
        self.refused: list[Span] = []
        pending = planner.requests()
        while pending:
            span = pending.pop()
            if device(span):
                self.answered.append(span)
            else:
                self.refused.append(span)
                parts = planner.refused(span)
                assert all(span.contains(part) and span != part for part in parts)
                pending += parts

    def has(self, point: Span, limits: PlanLimits) -> bool:
        """True if the point was read: in one request, or in several if it is too long for one."""
        if point.count <= limits.max_registers:
            return any(span.contains(point) for span in self.answered)
        got = {address for span in self.answered for address in range(span.address, span.stop)}
        return got.issuperset(range(point.address, point.stop))


def with_holes(holes: set[int]) -> Device:
    return lambda span: holes.isdisjoint(range(span.address, span.stop))


def polled(planner: Planner, device: Device, most: int = 100) -> list[Poll]:
    """Polls until nothing is refused any more."""
    polls = [Poll(planner, device)]
    while polls[-1].refused:
        assert len(polls) < most, "the device is refusing for ever"
        polls.append(Poll(planner, device))
    return polls


points_lists = st.lists(
    st.builds(Span, st.just(HOLDING), st.integers(0, 60), st.integers(1, 8)),
    min_size=1,
    max_size=20,
)
devices = st.one_of(
    st.sets(st.integers(0, 68), max_size=12).map(with_holes),
    # answers nothing across the borders of its blocks
    st.integers(1, 20).map(
        lambda size: lambda span: span.address // size == (span.stop - 1) // size
    ),
    # answers nothing that is longer than it can take
    st.integers(1, 20).map(lambda most: lambda span: span.count <= most),
    # answers what it has by entire objects only
    st.integers(1, 4).map(lambda size: lambda span: span.address % size == 0 == span.count % size),
)


@settings(max_examples=500)
@given(points_lists, devices, st.sampled_from([125, 20, 6]))
def test_every_point_that_can_be_read_is_read_in_every_poll(
    points: list[Span], device: Device, most: int
) -> None:
    limits = PlanLimits(max_registers=most)
    planner = Planner(points, limits)
    polls = polled(planner, device)
    for point in points:
        pieces = plan([point], limits=limits)
        if all(device(piece) for piece in pieces):
            assert point not in planner.unreadable
            assert all(poll.has(point, limits) for poll in polls)
        else:  # an answer to more than the point has it too, on devices that are odd enough
            unreadable = point in planner.unreadable
            assert unreadable or all(poll.has(point, limits) for poll in polls)
    # No refusal comes twice, so a device is settled after few polls.
    refused = [span for poll in polls for span in poll.refused]
    assert len(refused) == len(set(refused))


@settings(max_examples=300)
@given(points_lists, st.sets(st.integers(0, 68), max_size=6))
def test_the_plan_for_a_device_with_holes_ends_as_good_as_if_they_had_been_known(
    points: list[Span], holes: set[int]
) -> None:
    planner = Planner(points)
    polled(planner, with_holes(holes))
    readable = [point for point in points if with_holes(holes)(point)]
    known = PlanLimits(forbidden={HOLDING: holes})
    assert known.cost(planner.requests()) == known.cost(plan(readable, limits=known))


def test_without_refusals_the_plan_is_that_of_plan() -> None:
    points = [Span(COILS, 7), *holding((0, 4), (200, 2), (10, 2))]
    planner = Planner(iter(points))
    assert planner.requests() == plan(points) == planner.requests()
    assert planner.unreadable == []


def test_what_is_handed_out_is_the_callers() -> None:
    planner = Planner(holding((0, 4)))
    planner.requests().clear()
    assert planner.requests() == holding((0, 4))


def test_a_refused_request_is_bisected_at_its_hole() -> None:
    planner = Planner(holding((0, 2), (2, 2), (4, 2), (16, 2), (18, 2)))
    assert planner.requests() == holding((0, 20))
    assert planner.refused(Span(HOLDING, 0, 20)) == holding((0, 6), (16, 4))
    # Both were answered, so it was the hole.
    assert planner.requests() == holding((0, 6), (16, 4))


def test_a_hole_is_found_once() -> None:
    """40 points, one of which the device does not have: ten requests, then one or two for ever."""
    points = holding(*((address, 1) for address in range(40)))
    planner = Planner(points)
    first, *later = polled(planner, with_holes({13}))
    assert len(first.refused) <= 8
    assert sum(len(poll.refused) for poll in later) == 0
    assert planner.unreadable == holding((13, 1))
    assert planner.requests() == holding((0, 13), (14, 26))


def test_a_single_point_that_is_refused_is_not_asked_again() -> None:
    planner = Planner([Span(COILS, 3), *holding((3, 2))])
    assert planner.refused(Span(HOLDING, 3, 2)) == []
    assert planner.requests() == [Span(COILS, 3)]
    assert planner.unreadable == holding((3, 2))


def test_what_was_part_of_a_refused_point_is_asked_alone() -> None:
    """A block may be refused as one, and its first register be there."""
    planner = Planner(holding((0, 10), (0, 1), (8, 2), (8, 4)))
    assert planner.refused(Span(HOLDING, 0, 12)) == holding((0, 10), (8, 4))
    assert planner.refused(Span(HOLDING, 0, 10)) == holding((0, 1))
    assert planner.unreadable == holding((0, 10))
    assert planner.requests() == holding((0, 1), (8, 4))


def test_of_a_long_point_every_piece_must_be_there() -> None:
    planner = Planner(holding((0, 200), (130, 2)))
    assert planner.requests() == holding((0, 125), (125, 75))
    assert planner.refused(Span(HOLDING, 125, 75)) == holding((130, 2))
    assert planner.unreadable == holding((0, 200))
    assert planner.requests() == holding((130, 2))


def test_long_points_that_overlap_are_refused_apart() -> None:
    """A device allows 20..26 and 27, but no read across: the second point is split there."""
    planner = Planner(holding((20, 8), (21, 7)), PlanLimits(max_registers=6))
    assert planner.requests() == holding((20, 6), (21, 6), (26, 2))
    assert planner.refused(Span(HOLDING, 26, 2)) == holding((27, 1))
    assert planner.unreadable == holding((20, 8))
    assert planner.requests() == holding((21, 6), (27, 1))


def test_a_refusal_that_comes_late_is_answered_too() -> None:
    """With several requests in flight, one may be refused when its parts are known already."""
    planner = Planner(holding((0, 2), (4, 2), (8, 2)))
    span = Span(HOLDING, 0, 10)
    assert planner.refused(span)
    assert planner.refused(span)
    assert planner.refused(Span(HOLDING, 4, 2)) == []
    assert planner.refused(span) == holding((0, 2), (8, 2))
    assert planner.refused(Span(HOLDING, 0, 4)) == holding((0, 2))

    planner = Planner(holding((0, 2), (2, 2), (4, 2), (6, 2)))
    assert planner.refused(Span(HOLDING, 0, 2)) == []
    assert planner.refused(Span(HOLDING, 0, 8)) == holding((2, 6))
    assert planner.requests() == holding((2, 6))


@pytest.mark.parametrize("span", [Span(COILS, 0, 5), Span(HOLDING, 50, 5), Span(HOLDING, 1, 1)])
def test_a_refusal_of_what_nobody_wanted_changes_nothing(span: Span) -> None:
    planner = Planner(holding((0, 2), (3, 2)))
    before = planner.requests()
    assert planner.refused(span) == []
    assert planner.requests() == before
    assert planner.unreadable == []


def test_a_device_that_refuses_everything_is_left_alone() -> None:
    points = holding(*((address, 2) for address in range(0, 600, 3)))
    planner = Planner(points)
    poll = Poll(planner, lambda span: False)
    assert len(poll.refused) < 2 * len(points)
    assert planner.unreadable == points
    assert planner.requests() == []


def test_a_large_device_that_refuses_much_is_still_planned_quickly() -> None:
    """The time for a refusal must not grow with the number of points: the line waits."""
    points = holding(*((address, 2) for address in range(0, 60_000, 6)))
    planner = Planner(points, PlanLimits.for_network())
    began = process_time()
    poll = Poll(planner, with_holes(set(range(0, 60_000, 12))))
    took = process_time() - began
    assert planner.unreadable == points[::2]
    assert len(poll.answered) >= len(points) // 2
    assert took / len(poll.refused) < 0.001, "it was 3 ms when all points were looked at each time"


def test_a_wrong_point_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"holding_registers 3\.\.4 has addresses that are forbid"):
        Planner(holding((3, 2)), PlanLimits(forbidden={HOLDING: [4]}))


def test_a_planner_knows_its_points_readable_or_not() -> None:
    planner = Planner(holding((0, 2), (10, 1)))
    polled(planner, with_holes({10}))
    assert Span(HOLDING, 0, 2) in planner
    assert Span(HOLDING, 10, 1) in planner
    for other in (Span(HOLDING, 0, 1), Span(HOLDING, 5, 1), Span(COILS, 0, 2), 0):
        assert other not in planner
