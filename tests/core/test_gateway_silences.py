"""`GatewayLine` and units that do not respond: pauses, probes, and their waiting requests."""

from __future__ import annotations

import pytest

from gateway_lines import (
    ANSWER,
    BUSY,
    COILS,
    FAILED,
    LOST,
    READ,
    SILENT,
    WRITE_ALL,
    Line,
    code,
    failure,
    is_open,
)
from modwire.errors import (
    ExceptionResponseError,
    IllegalDataAddressError,
    InvalidResponseError,
)
from modwire.messages import RawRequest


def test_a_dead_unit_costs_the_others_one_timeout() -> None:
    """Requests that wait for it get a response too; later ones in the pause get it at once."""
    line = Line(pause=1.0)
    dead = line.ask("a", unit=9)
    waiting = [line.ask(name, unit=9) for name in "bcd"]
    living = line.ask("e", unit=1)
    assert line.end(dead, SILENT, now=1.0) == [*waiting, living]
    assert [code(each) for each in waiting] == [FAILED] * 3
    assert is_open(living)
    refused = line.ask("a", now=1.5, unit=9)
    assert code(refused) == FAILED
    assert "unit 9 did not answer shortly before" in str(refused.refusal)
    assert line.said == ["unit 9 does not answer: it is not asked for 1 s"]


def test_pauses_double_and_one_request_probes_after_each() -> None:
    line = Line(pause=1.0, longest_pause=3.0)
    now = 0.0
    line.end(line.ask("a", now, unit=9), SILENT, now)
    for pause in (1.0, 2.0, 3.0, 3.0):
        assert code(line.ask("a", now + pause - 0.01, unit=9)) == FAILED
        now += pause
        probe = line.ask("a", now, unit=9)
        assert is_open(probe)
        assert code(line.ask("b", now, unit=9)) == FAILED  # one is enough
        line.end(probe, SILENT, now)
    assert len(line.said) == 1


def test_the_first_answer_ends_it() -> None:
    line = Line(pause=1.0)
    line.end(line.ask("a", unit=9), SILENT)
    line.end(line.ask("a", 1.0, unit=9), ANSWER, 1.0)
    assert line.said[1:] == ["unit 9 answers again"]
    line.end(line.ask("a", 1.0, unit=9), SILENT, 1.0)  # the next pause is as short as the first one
    assert code(line.ask("a", 1.9, unit=9)) == FAILED
    assert is_open(line.ask("a", 2.0, unit=9))


@pytest.mark.parametrize("outcome", [None, ValueError("no PDU"), LOST])
def test_a_probe_that_tells_nothing_leaves_it_to_the_next(outcome: object) -> None:
    line = Line(pause=1.0)
    line.end(line.ask("a", unit=9), SILENT)
    line.end(line.ask("a", 1.0, unit=9), outcome, 1.0)
    assert is_open(line.ask("b", 1.0, unit=9))


def test_a_probe_that_leaves_its_queue_leaves_it_to_the_next() -> None:
    line = Line(pause=1.0, patience=5.0)
    line.end(line.ask("a", unit=9), SILENT)
    living = line.ask("x", 1.0)
    for _ in range(2):
        probe = line.ask("a", 1.0, unit=9)
        assert not probe.is_decided
        assert code(line.ask("b", 1.0, unit=9)) == FAILED
        line.leave(probe, 1.0)
    late = line.ask("a", 1.0, unit=9)
    line.end(living, ANSWER, 9.0)
    assert code(late) == BUSY
    assert is_open(line.ask("b", 9.0, unit=9))


def test_what_was_asked_before_the_unit_was_found_dead_doubles_no_pause() -> None:
    line = Line(most_open=3, pause=1.0)
    tickets = [line.ask("a", unit=9) for _ in range(3)]
    for ticket in tickets:
        line.end(ticket, SILENT)
    assert is_open(line.ask("a", 1.0, unit=9))


def test_a_unit_that_answered_meanwhile_is_found_dead_again_at_once() -> None:
    """The request that was a probe is then a normal request."""
    line = Line(most_open=2, pause=1.0)
    old, dead, living = line.ask("a", unit=9), line.ask("b", unit=9), line.ask("c", unit=1)
    line.end(dead, SILENT)
    assert is_open(living)
    probe = line.ask("d", 1.0, unit=9)
    assert line.end(old, ANSWER, 1.0) == [probe]
    line.end(probe, SILENT, 1.0)
    assert code(line.ask("e", 1.0, unit=9)) == FAILED


def test_an_answer_to_what_was_asked_before_ends_it_too() -> None:
    line = Line(most_open=2, pause=1.0)
    first, second = line.ask("a", unit=9), line.ask("a", unit=9)
    line.end(first, SILENT)
    line.end(second, ANSWER)
    assert is_open(line.ask("a", unit=9))


@pytest.mark.parametrize(
    "outcome", [ANSWER, failure(IllegalDataAddressError()), failure(InvalidResponseError())]
)
def test_whatever_a_unit_answers_it_is_alive(outcome: object) -> None:
    line = Line()
    line.end(line.ask("a"), outcome)
    assert is_open(line.ask("a"))


def test_a_unit_that_another_gateway_waited_for_is_backed_off_here_too() -> None:
    line = Line()
    line.end(line.ask("a"), failure(ExceptionResponseError.for_code(READ, FAILED)))
    assert code(line.ask("a")) == FAILED


def test_a_function_that_is_never_answered_does_not_hold_up_the_unit() -> None:
    """Many devices are silent instead of sending 01: a scan must not count them as dead."""
    line = Line(pause=1.0)
    line.end(line.ask("a"))
    line.end(line.ask("scan", request=RawRequest(43, b"\x0e\1\0")), SILENT)
    assert line.said == ["unit 1 does not answer to function 43: it is not asked for 1 s"]
    assert code(line.ask("scan", request=RawRequest(43, b"\x0e\1\0"))) == FAILED
    line.end(line.ask("a"))
    line.end(line.ask("scan", 1.0, request=RawRequest(43, b"\x0e\1\0")), SILENT, 1.0)
    assert code(line.ask("scan", 2.9, request=RawRequest(43, b"\x0e\1\0"))) == FAILED
    line.end(line.ask("a"))


def test_a_unit_that_may_answer_late_lets_the_others_go_first() -> None:
    """The client holds the line for its late response, so that no other call gets it."""
    line = Line(late=1.0)
    line.end(line.ask("a"))
    scan = line.ask("scan", request=RawRequest(43, b"\x0e\1\0"))
    same, other, last = line.ask("a"), line.ask("b", unit=2), line.ask("c", unit=3)
    assert line.end(scan, SILENT, 5.0) == [other]
    assert line.end(other, now=5.5) == [last]
    again = line.ask("b", 5.9, unit=2)
    assert line.end(last, now=6.0) == [same]
    assert line.end(same, now=6.0) == [again]
    assert line.end(again, now=6.0) == []


def test_a_unit_that_may_answer_late_is_asked_if_no_other_request_waits() -> None:
    """The client handles the late response; any response ends this state."""
    line = Line(late=1.0)
    line.end(line.ask("a"))
    gone = line.ask("a")
    same = line.ask("a")
    assert line.leave(gone, 0.0) == [same]
    other = line.ask("b", 0.1, unit=2)
    line.ask("a", 0.1)
    line.ask("c", 0.1, unit=2)
    assert line.end(same, now=0.2) == [other]
    assert line.end(other, now=0.2)[0].client == "a"


def test_a_unit_that_dies_is_found_dead_whatever_it_is_asked() -> None:
    """It is found at the second function, even if both functions are used the first time."""
    line = Line(pause=1.0)
    line.end(line.ask("a"))
    line.end(line.ask("a", request=COILS), SILENT)
    line.end(line.ask("a", request=RawRequest(100)), SILENT)
    assert code(line.ask("a")) == FAILED
    assert line.said[1] == "unit 1 does not answer: it is not asked for 1 s"


def test_only_the_silent_function_is_taken_out_of_the_queues() -> None:
    line = Line()
    line.end(line.ask("a"))
    coils = line.ask("a", request=COILS)
    others = [line.ask("b"), line.ask("c", request=COILS), line.ask("c", unit=2, request=COILS)]
    line.end(coils, SILENT)
    assert [code(each) for each in others] == [None, FAILED, None]


def test_a_broadcast_without_an_answer_says_nothing_about_the_units() -> None:
    line = Line()
    line.end(line.ask("a", unit=0, request=WRITE_ALL), None)
    line.end(line.ask("a", unit=0, request=WRITE_ALL), SILENT)
    assert is_open(line.ask("a", unit=0, request=WRITE_ALL))
    assert line.said == []


def test_a_unit_that_comes_and_goes_does_not_fill_the_log() -> None:
    line = Line(pause=0.1, longest_pause=0.1)
    line.end(line.ask("a"), ANSWER)
    for number in range(50):
        line.end(line.ask("a", number * 0.19), SILENT, number * 0.19)
        line.end(line.ask("a", number * 0.19 + 0.1), ANSWER, number * 0.19 + 0.1)
    assert line.said == [
        "unit 1 does not answer: it is not asked for 0.1 s",
        "unit 1 answers again",
    ]
    line.end(line.ask("a", 11.0), SILENT, 11.0)
    assert line.said[2:] == [
        "unit 1 does not answer: it is not asked for 0.1 s (49 more like this since the last line)"
    ]
