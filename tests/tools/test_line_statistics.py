"""The statistics of a line: what the table of `modwire sniff` shows."""

from __future__ import annotations

import pytest

from modwire.sniffing import Sniffer
from modwire_tools.sniffing import LineStatistics
from noisy_line import rtu

READ, ANSWER = "03 0000 0002", "03 04 0001 0002"


def statistics(*said: tuple[float, bytes]) -> LineStatistics:
    """Return the statistics of messages at their times."""
    found = LineStatistics()
    sniffer = Sniffer(response_timeout=0.5)
    for time, message in said:
        sniffer.receive_data(message, time)
        sniffer.end_frame()
    sniffer.end()
    for heard in sniffer:
        found.add(heard)
    return found


def test_rates_and_times_of_a_unit() -> None:
    said: list[tuple[float, bytes]] = []
    for number in range(40):
        said += [
            (100 + number * 0.5, rtu(1, READ)),
            (100 + number * 0.5 + 0.001 * (number % 3 + 1), rtu(1, ANSWER)),
        ]
    found = statistics(*said)
    [(unit, counts)] = found.ordered()
    assert (unit, counts.requests, counts.answered) == (1, 40, 40)
    assert counts.milliseconds() == pytest.approx((1.0, 2.0, 3.0))
    assert counts.rate.at(119.5) == pytest.approx(2.0, rel=0.1)
    assert counts.rate.at(200.0) == 0.0
    assert not counts.errors


def test_errors_by_kind_and_unit() -> None:
    found = statistics(
        *((1.0, rtu(1, READ)), (1.01, rtu(1, ANSWER)), (2.0, rtu(2, READ)), (3.0, rtu(2, READ))),
        *((3.1, rtu(2, "83 02")), (4.0, rtu(1, READ)[:-1] + b"\0"), (5.0, b"\xff" * 3)),
        *((6.0, rtu(1, READ)), (6.1, rtu(3, ANSWER)), (6.2, rtu(1, ANSWER))),
        *((7.0, rtu(1, READ)), (7.9, rtu(1, ANSWER)), (9.0, rtu(5, ANSWER))),
    )
    units = dict(found.ordered())
    assert list(units) == [1, 2, 5, None]
    assert units[1].requests == 3
    assert units[1].errors == {
        "wrong checksum": 1,
        "answer by another unit": 1,
        "unanswered": 1,
        "late answer": 1,
    }
    assert units[2].errors == {"unanswered": 1, "repeated request": 1}
    assert units[2].exceptions == {"02 illegal data address": 1}
    assert units[5].errors == {"answer without request": 1}
    assert (units[5].requests, units[5].milliseconds()) == (0, None)
    assert units[None].errors == {"noise": 1}
    assert (found.first, found.last) == (1.0, 9.0)
