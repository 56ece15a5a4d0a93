"""`GatewayLine`: clients take turns at a line, and a dead unit does not hold it up."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.client.options import ClientOptions
from modwire.errors import (
    ConnectionLostError,
    ExceptionCode,
    ExceptionResponseError,
    IllegalDataAddressError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
)
from modwire.gateway.queue import GatewayLine, Rules, Ticket
from modwire.gateway.remote import failed_answer
from modwire.messages import RawRequest, ReadCoilsRequest, ReadHoldingRegistersRequest
from modwire.messages.base import Response
from modwire.messages.register_access import ReadHoldingRegistersResponse

READ = ReadHoldingRegistersRequest(0)
COILS = ReadCoilsRequest(0)
WRITE_ALL = RawRequest(6, b"\0\0\0\0")
ANSWER = ReadHoldingRegistersResponse([1])
BUSY, NO_PATH, FAILED = 0x06, 0x0A, 0x0B


class Line(GatewayLine[Ticket]):
    """A line, and what it said of units that changed."""

    def __init__(self, **arguments: float) -> None:
        self._said: list[str] = []
        super().__init__(**arguments)  # type: ignore[arg-type]

    @property
    def said(self) -> list[str]:
        """The entries of the log, without the name of the line."""
        self._said += [text.partition(": ")[2] for text in self.take_log()]
        return self._said

    def ask(self, asker: object, now: float = 0.0, unit: int = 1, request: object = READ) -> Ticket:
        """A request of `asker`."""
        ticket = Ticket(asker, unit, request)  # type: ignore[arg-type]
        self.enter(ticket, now)
        return ticket

    def end(self, ticket: Ticket, outcome: object = ANSWER, now: float = 0.0) -> list[Ticket]:
        assert is_open(ticket)
        return self.finished(ticket, outcome, now)


def is_open(ticket: Ticket) -> bool:
    return ticket.is_decided and ticket.refusal is None


def code(ticket: Ticket) -> int | None:
    """The exception that answers a ticket which is refused."""
    return None if ticket.refusal is None else ticket.refusal.code


def failure(error: ModbusError) -> Response | None:
    return failed_answer(READ, error, broadcast=False)


SILENT = failure(ResponseTimeoutError())
LOST = failure(ConnectionLostError())


# Turns.


def test_a_free_line_is_given_at_once() -> None:
    line = Line()
    ticket = Ticket("a", 1, READ)
    assert not ticket.is_decided
    assert line.enter(ticket, 0.0) == [ticket]
    assert is_open(ticket)
    assert line.end(ticket) == []
    assert line.is_idle


def test_clients_take_turns_whatever_one_of_them_asks() -> None:
    """A client that floods waits behind each of the others, once for each of its requests."""
    line = Line(queue=16)
    current = line.ask("first")
    flood = [line.ask("flood") for _ in range(16)]
    others = [line.ask(name) for name in ("b", "c")]
    more = line.ask("b")
    order: list[Ticket] = []
    for _ in range(19):
        (current,) = line.end(current)
        order.append(current)
    assert order[:4] == [flood[0], *others, flood[1]]
    assert order[4] is more
    assert order[5:] == flood[2:]
    assert line.end(current) == []
    assert line.is_idle


def test_a_full_queue_is_busy_for_its_client_alone() -> None:
    line = Line(queue=2)
    line.ask("a")
    waiting = [line.ask("a") for _ in range(2)]
    assert [each.is_decided for each in waiting] == [False, False]
    refused = line.ask("a")
    assert code(refused) == BUSY
    assert str(refused.refusal).endswith("2 requests of this client wait")
    assert not line.ask("b").is_decided


def test_a_full_line_evicts_from_the_longest_queue() -> None:
    """On UDP there is no end of clients, so all of them together have a bound as well."""
    line = Line(queue=4, most_waiting=4)
    line.ask("flood")
    flood = [line.ask("flood") for _ in range(4)]
    late = line.ask("late")
    assert [code(each) for each in flood] == [None, None, None, BUSY]
    assert not late.is_decided
    assert line.waiting == 4
    second = line.ask("second")
    assert [code(each) for each in flood] == [None, None, BUSY, BUSY]
    assert not second.is_decided
    assert code(line.ask("late")) == BUSY  # no client has more than it would have


def test_so_many_requests_are_asked_at_once_as_the_line_takes() -> None:
    line = Line(most_open=3)
    tickets = [line.ask(name) for name in "abcd"]
    assert [is_open(each) for each in tickets] == [True, True, True, False]
    assert line.end(tickets[1]) == [tickets[3]]


def test_a_broadcast_has_the_line_for_itself() -> None:
    """Earlier requests are done before it, and later ones after it."""
    line = Line(most_open=4)
    before = [line.ask("a"), line.ask("b")]
    broadcast = line.ask("a", unit=0, request=WRITE_ALL)
    after = line.ask("b")
    assert [is_open(each) for each in (*before, broadcast, after)] == [True, True, False, False]
    assert line.end(before[0]) == []
    assert line.end(before[1]) == [broadcast]
    assert line.end(broadcast, None) == [after]


def test_a_request_that_waited_too_long_is_not_sent() -> None:
    """A write that comes after its client has given up may undo what others did since."""
    line = Line(patience=5.0)
    first = line.ask("a", now=0.0)
    late, in_time = line.ask("b", now=1.0), line.ask("c", now=3.0)
    assert line.end(first, now=7.0) == [late, in_time]
    assert code(late) == BUSY
    assert str(late.refusal).endswith("it has waited 6.0 s for its turn")
    assert is_open(in_time)


def test_a_request_that_leaves_takes_no_turn() -> None:
    line = Line()
    first = line.ask("a")
    leaving, other = line.ask("b"), line.ask("c")
    assert line.leave(leaving, 0.0) == [leaving]
    assert code(leaving) == BUSY
    assert line.leave(leaving, 0.0) == []
    assert line.waiting == 1
    assert line.leave(first, 0.0) == [other]  # it was being asked
    assert line.finished(first, ANSWER, 0.0) == []
    assert line.end(other) == []
    assert line.is_idle


def test_the_last_of_many_that_leaves_opens_the_way() -> None:
    line = Line(most_open=2)
    line.ask("a")
    broadcast, behind = line.ask("b", unit=0, request=WRITE_ALL), line.ask("c")
    assert line.leave(broadcast, 0.0) == [broadcast, behind]


def test_requests_of_a_client_that_hung_up_are_not_sent_and_a_sent_one_goes_on() -> None:
    """Else clients that come back for want of patience would fill the line with old requests."""
    line = Line()
    first = line.ask("a")
    gone = [line.ask("b"), line.ask("b"), line.ask("a")]
    other = line.ask("c")
    assert line.hung_up("b", 0.0) == gone[:2]
    assert line.hung_up("a", 0.0) == gone[2:]
    assert line.hung_up("a", 0.0) == []
    assert [code(each) for each in gone] == [BUSY] * 3
    assert line.waiting == 1
    assert line.end(first) == [other]


def test_a_broadcast_of_a_client_that_hung_up_opens_the_way() -> None:
    line = Line(most_open=2)
    line.ask("a")
    broadcast, behind = line.ask("b", unit=0, request=WRITE_ALL), line.ask("c")
    assert line.hung_up("b", 0.0) == [broadcast, behind]


# Units that do not answer.


def test_a_dead_unit_costs_the_others_one_timeout() -> None:
    """Requests that wait for it are answered too, and later ones in the pause at once."""
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
    line.end(line.ask("a", 1.0, unit=9), SILENT, 1.0)  # and the next pause is the first one again
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
    """The request that was to probe the unit is an ordinary one by then."""
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
    """Many devices keep silent where they should answer 01: a scan must not cut them off."""
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
    """The client would hold the line for it: its late answer must not pass for another."""
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
    """Its client sees to the rest; an answer of any kind ends that."""
    line = Line(late=1.0)
    line.end(line.ask("a"))
    gone = line.ask("a")
    same = line.ask("a")
    assert line.leave(gone, 0.0) == [same]
    other = line.ask("b", 0.1, unit=2)
    line.ask("a", 0.1)
    line.ask("c", 0.1, unit=2)
    assert line.end(same, now=0.2) == [other]
    assert line.end(other, now=0.2)[0].asker == "a"


def test_a_unit_that_dies_is_found_dead_whatever_it_is_asked() -> None:
    """At the second function at the latest, though it was never asked for either before."""
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


# Lines that are lost.


def test_all_waiting_requests_are_answered_if_the_line_stays_lost() -> None:
    """After the first loss it may be back at once; each try to open it may take seconds."""
    line = Line()
    first = line.ask("a")
    second, third, fourth = (line.ask(name) for name in "bcd")
    assert line.end(first, LOST) == [second]
    assert is_open(second)
    assert line.end(second, LOST) == [third, fourth]
    assert [code(third), code(fourth)] == [NO_PATH, NO_PATH]
    assert is_open(line.ask("a"))  # it is tried again, and the client knows when


def test_a_line_that_came_back_is_forgiven() -> None:
    line = Line()
    first = line.ask("a")
    second, third, fourth = (line.ask(name) for name in "bcd")
    line.end(first, LOST)
    line.end(second, ANSWER)
    assert line.end(third, LOST) == [fourth]
    assert is_open(fourth)


# All together.


def test_the_pause_is_no_shorter_than_the_client_waits_for_a_late_reply() -> None:
    """Until then the client would keep the line for the unit that owes one."""
    for options, pause in (
        (ClientOptions(response_timeout=2.0), 2.0),
        (ClientOptions(response_timeout=2.0, late_reply_window=0.1), 1.0),
        (ClientOptions(late_reply_window=40.0), 40.0),
    ):
        rules = Rules(queue=1, patience=1.0, pause=1.0, longest_pause=30.0)
        client = SimpleNamespace(name="client", options=options)
        line = GatewayLine[Ticket].of_client(client, rules)
        ticket = Ticket("a", 1, READ)
        line.enter(ticket, 0.0)
        line.finished(ticket, SILENT, 0.0)
        assert line.take_log() == [
            f"gateway to client: unit 1 does not answer: it is not asked for {pause:g} s"
        ]
        assert line.take_log() == []
        tries = [Ticket("a", 1, READ) for _ in range(2)]
        line.enter(tries[0], pause - 0.01)
        line.enter(tries[1], pause)
        assert [code(each) for each in tries] == [FAILED, None]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "answer", "silence", "loss", "nothing", "leave", "hang up"]),
        st.integers(0, 3),  # the client, or the number of the ticket
        st.integers(0, 3),  # which unit
        st.floats(0, 2),  # how much later
    ),
    max_size=60,
)
OUTCOMES = {"answer": ANSWER, "silence": SILENT, "loss": LOST, "nothing": None}


@given(STEPS, st.integers(1, 3))
def test_every_request_is_decided_exactly_once(
    steps: list[tuple[str, int, int, float]], most_open: int
) -> None:
    """In any order of events bounds hold, the line is never idle while a request waits, all end."""
    line: GatewayLine[Ticket] = GatewayLine(most_open=most_open, queue=3, most_waiting=6, late=1.0)
    now = 0.0
    alive: list[Ticket] = []
    decided: Counter[Ticket] = Counter()

    def opened() -> list[Ticket]:
        return [each for each in alive if is_open(each)]

    def check(found: list[Ticket]) -> None:
        decided.update(found)
        for each in found:
            assert each.is_decided
            assert each.refusal is None or each.refusal.code in set(ExceptionCode)
            if each.refusal is not None:
                alive.remove(each)
        assert len(opened()) <= most_open
        assert line.waiting == len(alive) - len(opened()) <= 6
        assert opened() or not line.waiting
        assert all(each.unit for each in opened()) or len(opened()) == 1

    for kind, number, unit, later in steps:
        now += later
        if kind == "enter":
            ticket = Ticket(number, unit, READ if unit else WRITE_ALL)
            alive.append(ticket)
            check(line.enter(ticket, now))
        elif kind == "hang up":
            check(line.hung_up(number, now))
            assert {each.asker for each in alive if not is_open(each)}.isdisjoint({number})
        elif alive:
            ticket = alive[number % len(alive)]
            if kind == "leave":
                if is_open(ticket):
                    alive.remove(ticket)
                check(line.leave(ticket, now))
            elif is_open(ticket):
                alive.remove(ticket)
                check(line.finished(ticket, OUTCOMES[kind], now))
    while alive:
        ticket = opened()[0]
        alive.remove(ticket)
        check(line.finished(ticket, ANSWER, now))
    assert line.is_idle
    assert set(decided.values()) <= {1}
