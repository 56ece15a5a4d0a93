"""When a lost link is opened again, and which requests may be sent twice."""

from __future__ import annotations

import pytest

from modwire.client.backoff import Backoff, LinkHistory
from modwire.messages.register_access import ReadHoldingRegistersRequest, WriteSingleRegisterRequest

READ = ReadHoldingRegistersRequest(0)
WRITE = WriteSingleRegisterRequest(0, 1)


def test_the_first_try_after_a_failure_comes_at_once_and_later_ones_wait() -> None:
    """A device that was restarted is back soon; one that is gone is not asked all the time."""
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
    """Each run of trio has a clock of its own: one before may have been hours ahead."""
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


def test_a_server_that_closes_every_connection_at_once_counts_as_a_failure() -> None:
    backoff = Backoff()
    for _ in range(3):
        LinkHistory(backoff, looks_always=False).lost(10.0)
    assert backoff.wait(10.0) > 0.0
    used = LinkHistory(backoff, looks_always=False)
    used.heard = 9.0
    used.lost(10.0)
    assert backoff.wait(10.0) == 0.0


def test_a_link_is_looked_at_after_a_pause() -> None:
    history = LinkHistory(Backoff(), looks_always=False)
    history.heard = 10.0
    assert not history.needs_look(10.2)
    assert history.needs_look(11.0)


def test_without_transaction_ids_a_link_is_always_looked_at() -> None:
    """What lies in the buffer would pass for the answer."""
    history = LinkHistory(Backoff(), looks_always=True)
    history.heard = 10.0
    assert history.needs_look(10.0)


def test_only_a_read_may_be_sent_again_and_only_if_the_server_said_nothing() -> None:
    history = LinkHistory(Backoff(), looks_always=False)
    history.sent = 10.0
    assert not history.may_repeat(READ)  # a new link: closing it was the answer
    history.heard = 10.1
    assert not history.may_repeat(READ)  # it said something
    history.sent = 20.0
    assert history.may_repeat(READ)
    assert not history.may_repeat(WRITE)
