"""`GatewayLine`: clients take turns at a line, and a dead unit does not hold it up."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from gateway_lines import (
    ANSWER,
    BUSY,
    FAILED,
    LOST,
    NO_PATH,
    READ,
    SILENT,
    WRITE_ALL,
    Line,
    code,
    is_open,
)
from modwire.client.options import ClientOptions
from modwire.errors import (
    ExceptionCode,
)
from modwire.gateway.queue import GatewayLine, Rules, Ticket

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
    """Each request of a flooding client waits behind one request of each other client."""
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
    """UDP can have any number of clients, so there is also a limit for all clients together."""
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
    assert code(line.ask("late")) == BUSY  # no client has a longer queue than this one would have


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
    """A write after its client's timeout could undo later writes of other clients."""
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
    assert line.leave(first, 0.0) == [other]  # its request was on the line
    assert line.finished(first, ANSWER, 0.0) == []
    assert line.end(other) == []
    assert line.is_idle


def test_the_last_of_many_that_leaves_opens_the_way() -> None:
    line = Line(most_open=2)
    line.ask("a")
    broadcast, behind = line.ask("b", unit=0, request=WRITE_ALL), line.ask("c")
    assert line.leave(broadcast, 0.0) == [broadcast, behind]


def test_requests_of_a_client_that_hung_up_are_not_sent_and_a_sent_one_goes_on() -> None:
    """Otherwise clients that reconnect after a timeout would fill the queue with old requests."""
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


# Lines that are lost.


def test_all_waiting_requests_are_answered_if_the_line_stays_lost() -> None:
    """After the first loss it may be back at once; each attempt to open it may take seconds."""
    line = Line()
    first = line.ask("a")
    second, third, fourth = (line.ask(name) for name in "bcd")
    assert line.end(first, LOST) == [second]
    assert is_open(second)
    assert line.end(second, LOST) == [third, fourth]
    assert [code(third), code(fourth)] == [NO_PATH, NO_PATH]
    assert is_open(line.ask("a"))  # it is tried again; the client's back-off decides when


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
    """Until then the client would hold the line for the late response of that unit."""
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
    """In any order of events: limits hold, a line with requests is never idle, and all end."""
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
            assert {each.client for each in alive if not is_open(each)}.isdisjoint({number})
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
