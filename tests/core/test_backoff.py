"""The back-off between attempts to open a lost link.

The conformance suite, `client_links.py`, tests when a client uses the back-off, checks its link
and retries a read.
"""

from __future__ import annotations

import pytest

from modwire.client.link import Backoff


def test_the_first_try_after_a_failure_comes_at_once_and_later_ones_wait() -> None:
    """A restarted device is back soon; a missing device must not get constant attempts."""
    backoff = Backoff(0.1, 1.0)
    assert backoff.wait(5.0) == 0.0
    waits = []
    for _ in range(7):
        backoff.failed(10.0)
        waits.append(backoff.wait(10.0))
    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert backoff.wait(10.75) == pytest.approx(0.25)
    assert backoff.wait(12.0) == 0.0


def test_a_clock_that_was_set_back_makes_no_pause_longer() -> None:
    """Each run of trio has its own clock: an earlier one may have been hours ahead."""
    backoff = Backoff(1.0, 8.0, forgiven=0)
    backoff.failed(900_000.1)
    assert backoff.wait(900_000.1) == pytest.approx(1.0)
    assert backoff.wait(10_000.0) == 0.0


def test_a_link_that_works_ends_the_waiting() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.failed(10.0)
    backoff.succeeded()
    assert backoff.wait(10.0) == 0.0
    backoff.failed(11.0)
    assert backoff.wait(11.0) == 0.0


def test_a_device_that_is_gone_for_a_year_is_still_asked() -> None:
    backoff = Backoff()
    for _ in range(5000):
        backoff.failed(10.0)
    assert backoff.wait(10.0) == 5.0


@pytest.mark.parametrize(("first", "most"), [(0, 1), (2, 1), (1, float("inf"))])
def test_impossible_pauses_are_refused(first: float, most: float) -> None:
    with pytest.raises(ValueError, match="first must be"):
        Backoff(first, most)
