"""Behaviours: how values change, with time as a plain number."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire_tools.simulator.behaviours import (
    Choice,
    Copy,
    Counter,
    Ramp,
    RandomWalk,
    Replay,
    Sine,
    noise,
)
from modwire_tools.simulator.expressions import Expression


def nobody(name: str, time: float) -> object:
    raise LookupError(name)


def test_a_sine_swings_around_its_middle() -> None:
    sine = Sine(230, 4, 60).begin(0, nobody)
    assert [sine.value(t) for t in (0, 15, 30, 45)] == pytest.approx([230, 234, 230, 226])
    assert Sine(230, 4, 60, phase=0.25).begin(0, nobody).value(0) == pytest.approx(234)
    assert not sine.resume(231, 3)


def test_noise_strays_no_further_than_it_may() -> None:
    source = Sine(10, 0, 60, noise=2).begin(5, nobody)
    values = [source.value(t / 3) for t in range(300)]
    assert all(8 <= value <= 12 for value in values)
    assert max(values) - min(values) > 3


@pytest.mark.parametrize(
    ("then", "expected"),
    [("repeat", [0, 5, 0, 5, 0]), ("bounce", [0, 5, 10, 5, 0]), ("once", [0, 5, 10, 10, 10])],
)
def test_a_ramp_ends_as_it_is_told(then: str, expected: list[float]) -> None:
    ramp = Ramp(0, 10, 20, then).begin(0, nobody)
    assert [ramp.value(t) for t in (0, 10, 20, 30, 40)] == pytest.approx(expected)


def test_a_ramp_goes_on_from_what_was_written() -> None:
    ramp = Ramp(0, 10, 20).begin(0, nobody)
    assert ramp.resume(8, 100)
    assert ramp.value(101) == pytest.approx(8.5)
    assert not ramp.resume(11, 101)
    assert not ramp.resume("x", 101)


@given(seed=st.integers(0, 1 << 60), times=st.lists(st.floats(0, 1e6), min_size=1, max_size=5))
def test_a_random_walk_stays_within_its_bounds_and_can_be_repeated(
    seed: int, times: list[float]
) -> None:
    walk = RandomWalk(5, 3, 0.5, low=0, high=10)
    first, second = walk.begin(seed, nobody), walk.begin(seed, nobody)
    for time in sorted(times):
        value = first.value(time)
        assert 0 <= value <= 10  # type: ignore[operator]
        assert value == second.value(time)


def test_a_random_walk_moves_by_its_step_and_goes_on_from_what_was_written() -> None:
    source = RandomWalk(100, 1).begin(3, nobody)
    values = [source.value(t) for t in range(50)]
    steps = [abs(b - a) for a, b in pairwise(values)]  # type: ignore[operator]
    assert max(steps) <= 1
    assert len(set(values)) > 40
    assert source.resume(500, 60.5)
    assert source.value(60.9) == 500
    assert abs(source.value(61.1) - 500) <= 1  # type: ignore[operator]


def test_a_counter_counts_in_steps_and_starts_again() -> None:
    source = Counter(98, rate=0.5, step=1, modulo=100).begin(0, nobody)
    assert [source.value(t) for t in (0, 1, 2, 4, 6)] == [98, 98, 99, 0, 1]
    assert source.resume(50, 10)
    assert source.value(14) == 52


def test_a_choice_is_made_in_turn_or_at_random() -> None:
    turn = Choice((1, 5, 9), 2).begin(0, nobody)
    assert [turn.value(t) for t in (0, 1.9, 2, 4, 6)] == [1, 1, 5, 9, 1]
    random = Choice((1, 5, 9), 1, at_random=True).begin(0, nobody)
    assert {random.value(t) for t in range(60)} == {1, 5, 9}


def test_a_copy_is_what_the_other_point_says() -> None:
    source = Copy("speed").begin(0, lambda name, time: (name, time))
    assert source.value(3) == ("speed", 3)


def test_a_replay_loops_holds_and_interpolates() -> None:
    times, values = (0.0, 1.0, 3.0), (10.0, 20.0, 40.0)
    held = Replay("f", "c", times=times, values=values)
    assert [held.at(t) for t in (0, 0.9, 1, 2, 3, 4.9, 5, 6)] == [10, 10, 20, 20, 40, 40, 10, 20]
    once = Replay("f", "c", loop=False, interpolate=True, times=times, values=values)
    assert [once.at(t) for t in (0, 0.5, 2, 3, 99)] == [10, 15, 30, 40, 40]
    assert Replay("f", "c", times=(0.0,), values=(7.0,)).at(5) == 7


def test_an_expression_computes_with_time_and_points() -> None:
    points = {"pump": True, "flow": 3.5}
    expression = Expression("20 + flow * 2 + sin(t) if pump else 0")
    source = expression.begin(0, lambda name, time: points[name])
    assert source.value(0) == 27
    assert source.value(math.pi / 2) == 28
    points["pump"] = False
    assert source.value(2) == 0
    assert not source.resume(1, 2)


def test_an_expression_keeps_its_value_where_it_fails() -> None:
    source = Expression("1 / (t - 1)").begin(0, nobody)
    assert source.value(2) == 1
    assert source.value(1) == 1


def test_random_in_expressions_is_of_the_seed() -> None:
    expression = Expression("random()")
    first, second = expression.begin(1, nobody), expression.begin(2, nobody)
    assert first.value(5) == first.value(5) == expression.begin(1, nobody).value(5)
    assert first.value(5) != second.value(5)


@pytest.mark.parametrize(
    "text",
    ["", "1 +", "().__class__", "open('x')", "__import__('os')", "[].append(1)", "x for x in y"],
)
def test_an_expression_can_do_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        Expression(text).check(nobody)


def test_an_unknown_name_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"'flow', which is neither a point.*sqrt"):
        Expression("flow + 1").check(nobody)


@given(seed=st.integers(0, 1 << 64), step=st.integers(0, 1 << 40))
def test_noise_is_from_0_up_to_1_and_the_same_for_the_same(seed: int, step: int) -> None:
    assert 0 <= noise(seed, step) < 1
    assert noise(seed, step) == noise(seed, step)


def test_behaviours_are_told_in_words() -> None:
    assert Sine(230, 4, 60).text == "sine around 230, 60 s"
    assert Ramp(0, 5, 10, "once").text == "ramp 0 to 5, 10 s, once"
    assert RandomWalk(1, 0.5, low=0).text == "random walk by 0.5 every 1 s within 0.."
    assert Counter(rate=2, modulo=100).text == "counter by 2/s, modulo 100"
    assert Choice((1, 2), 5).text == "one of 2 values in turn, 5 s"
    assert Copy("a").text == "copy of a"
    assert Replay("day.csv", "P").text == "replay of P in day.csv"
    assert Expression("a + 1").text == "= a + 1"
