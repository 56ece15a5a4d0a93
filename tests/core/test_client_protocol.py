"""The client on TCP: matching of responses, timeouts, and the order of requests."""

from __future__ import annotations

import pytest

from client_line import ANSWER, READ, Line, registers, tcp
from modwire.client.options import ClientOptions
from modwire.client.protocol import ClientProtocol
from modwire.errors import (
    ConnectionLostError,
    FrameError,
    IllegalDataAddressError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
)
from modwire.framing import TcpFraming
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.quirks import Quirks


def test_an_answer_ends_its_exchange() -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    assert line.send() == tcp(1, "0300000002")
    with pytest.raises(RuntimeError, match="is not done"):
        exchange.result()
    line.hear(tcp(1, ANSWER))
    assert exchange.done and registers(exchange) == (1, 2)
    assert line.protocol.deadline() is None


@pytest.mark.parametrize(
    "pieces",
    [
        [tcp(1, ANSWER)[:9], tcp(1, ANSWER)[9:]],
        [tcp(7, ANSWER), tcp(1, ANSWER)],
        [tcp(1, ANSWER, unit=9) + tcp(1, ANSWER)],
        [tcp(7, ANSWER) + tcp(1, ANSWER)[:5], tcp(1, ANSWER)[5:]],
        [bytes((byte,)) for byte in tcp(1, ANSWER)],
    ],
    ids=["two", "stale", "other unit", "one and a half", "bytes"],
)
def test_an_answer_may_come_in_pieces_and_behind_others(pieces: list[bytes]) -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    line.send()
    for piece in pieces:
        assert not exchange.done
        line.hear(piece)
    assert registers(exchange) == (1, 2)
    assert line.protocol.deadline() is None


def test_an_exception_response_raises_its_own_error() -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    line.send()
    line.hear(tcp(1, "8302"))
    with pytest.raises(
        IllegalDataAddressError, match="exception 02 .*ReadHoldingRegisters"
    ) as caught:
        exchange.result()
    assert caught.value.request is READ


def test_an_unknown_exception_code_is_an_error_too() -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    line.send()
    line.hear(tcp(1, "83ff"))
    with pytest.raises(ModbusError, match=r"exception FF \(unknown exception code\)"):
        exchange.result()


@pytest.mark.parametrize(
    ("pdu", "complaint"),
    [
        ("04 04 0001 0002", "function code 4, the request had 3"),
        ("84 02", "function code 132"),
        ("83", "must be 2 bytes, got 1"),
        ("83 02 00", "must be 2 bytes, got 3"),
        ("03 02 0001", "byte count 4 for 2 registers and 6 bytes in all, got 4"),
        ("03 06 0001 0002 0003", "byte count 4 for 2 registers and 6 bytes in all, got 8"),
        ("03 02 0001 0002", "byte count"),
        ("03 06 0001 0002", "byte count"),
        ("03 03 0001 00", "byte count"),
        ("03 00", "byte count"),
        ("03", "byte count"),
    ],
)
def test_an_answer_with_our_transaction_that_does_not_fit_is_refused_at_once(
    pdu: str, complaint: str
) -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    line.send()
    line.hear(tcp(1, pdu))
    with pytest.raises(InvalidResponseError, match=complaint):
        exchange.result()
    after = line.start()
    line.send()
    line.hear(tcp(2, ANSWER))
    assert registers(after) == (1, 2)


def test_foreign_transactions_and_units_are_skipped_and_counted() -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    line.send()
    line.hear(tcp(0, ANSWER) + tcp(7, ANSWER) + tcp(1, ANSWER, unit=9))
    assert not exchange.done and line.protocol.skipped == 3
    line.hear(tcp(1, "03 04 0003 0004"))
    assert registers(exchange) == (3, 4)


def test_a_wrong_protocol_id_breaks_the_link_for_everybody() -> None:
    line = Line(TcpFraming, max_in_flight=2)
    both = [line.start(), line.start()]
    line.send()
    line.hear(bytes.fromhex("0001000100070103040001002"[:24]))
    for exchange in both:
        with pytest.raises(FrameError, match="protocol id must be 0, got 1"):
            exchange.result()
    assert line.protocol.broken
    line.protocol.reset()
    after = line.start()
    line.send()
    line.hear(tcp(3, ANSWER))
    assert registers(after) == (1, 2)


def test_half_a_reply_breaks_the_link_when_it_is_used_again() -> None:
    line = Line(TcpFraming, retries=1)
    exchange = line.start()
    line.send()
    line.hear(tcp(1, ANSWER)[:-1])
    line.wait()
    assert not line.protocol.broken, "the rest may still come"
    assert line.send() == b""
    assert line.protocol.broken
    with pytest.raises(ConnectionLostError, match="the rest of an answer did not come"):
        exchange.result()
    line.protocol.reset()
    after = line.start()
    line.send()
    line.hear(tcp(2, ANSWER))
    assert registers(after) == (1, 2)


def test_half_a_reply_and_its_late_rest_break_nothing() -> None:
    line = Line(TcpFraming)
    line.start()
    line.send()
    line.hear(tcp(1, ANSWER)[:-1])
    line.wait()
    line.hear(tcp(1, ANSWER)[-1:])
    after = line.start()
    line.send()
    line.hear(tcp(2, ANSWER))
    assert registers(after) == (1, 2)


def test_replies_may_come_in_any_order() -> None:
    line = Line(TcpFraming, max_in_flight=16)
    exchanges = [line.start(ReadHoldingRegistersRequest(n)) for n in range(20)]
    assert len(line.send()) == 16 * 12
    for transaction in range(16, 0, -1):
        line.hear(tcp(transaction, b"\x03\x02" + transaction.to_bytes(2, "big")))
    assert [registers(each) for each in exchanges[:16]] == [(n,) for n in range(1, 17)]
    assert len(line.send()) == 4 * 12
    assert not exchanges[16].done


def test_only_so_many_requests_are_open_as_were_asked_for() -> None:
    line = Line(TcpFraming)
    first, second = line.start(), line.start()
    assert line.send() == tcp(1, "0300000002")
    assert line.send() == b""
    line.hear(tcp(1, ANSWER))
    assert line.send() == tcp(2, "0300000002")
    line.hear(tcp(2, ANSWER))
    assert first.done and second.done


def test_a_late_answer_is_not_the_next_ones() -> None:
    line = Line(TcpFraming)
    first = line.start()
    line.send()
    assert line.wait() == pytest.approx(1.0)
    with pytest.raises(ResponseTimeoutError, match="unit 1 did not answer .* within 1 s"):
        first.result()
    second = line.start()
    line.send()
    line.hear(tcp(1, ANSWER))
    assert not second.done
    line.hear(tcp(2, "03 04 0005 0006"))
    assert registers(second) == (5, 6)


def test_a_transaction_id_whose_answer_is_overdue_is_not_used_again() -> None:
    line = Line(TcpFraming, response_timeout=0.001)
    line.start()
    line.send()
    line.wait()
    rest = tcp(1, ANSWER)[2:]
    for _ in range(0x10000):
        line.start()
        transaction = line.send()[:2]
        assert transaction != b"\0\1"
        line.hear(transaction + rest, after=0.0)


def test_a_cancelled_exchange_leaves_the_others_alone() -> None:
    line = Line(TcpFraming, max_in_flight=3)
    first, second, third, queued = (line.start() for _ in range(4))
    line.send()
    line.protocol.cancel(second, line.now)
    line.protocol.cancel(queued, line.now)
    line.protocol.cancel(queued, line.now)
    line.hear(tcp(2, ANSWER) + tcp(3, ANSWER) + tcp(1, ANSWER))
    assert registers(first) == registers(third) == (1, 2)
    assert line.send() == b"" and line.protocol.deadline() is None
    with pytest.raises(ModbusError, match="cancelled"):
        second.result()


def test_a_lost_link_ends_what_is_open_and_what_waits() -> None:
    line = Line(TcpFraming)
    exchanges = [line.start(), line.start()]
    line.send()
    line.hear(tcp(1, ANSWER)[:9])
    line.protocol.receive_eof(line.now)
    for exchange in exchanges:
        with pytest.raises(ConnectionLostError, match="closed the connection"):
            exchange.result()
    after = line.start()
    line.send()
    line.hear(tcp(2, ANSWER))
    assert registers(after) == (1, 2)


def test_reads_are_retried_and_writes_are_not() -> None:
    line = Line(TcpFraming, retries=2)
    read, attempts = line.start(), 0
    while not read.done:
        attempts += bool(line.send())
        line.wait()
    assert attempts == 3
    with pytest.raises(ResponseTimeoutError, match="in 3 attempts"):
        read.result()
    write = line.start(WriteSingleRegisterRequest(0, 1))
    line.send()
    line.wait()
    assert write.done
    line = Line(TcpFraming, retries=1, retry_writes=True)
    write = line.start(WriteSingleRegisterRequest(0, 1))
    line.send()
    line.wait()
    assert not write.done and line.send() == tcp(2, "0600000001")


def test_an_answer_to_any_attempt_counts_once() -> None:
    line = Line(TcpFraming, retries=1)
    exchange = line.start()
    line.send()
    line.wait()
    line.send()
    line.hear(tcp(2, ANSWER) + tcp(1, "03 04 0009 0009"))
    assert registers(exchange) == (1, 2)


def test_quirks_are_off_until_named() -> None:
    strict, lenient = Line(TcpFraming), Line(TcpFraming, quirks=Quirks.zero_transaction_id)
    for line, taken in ((strict, False), (lenient, True)):
        exchange = line.start()
        line.send()
        line.hear(tcp(0, ANSWER))
        assert exchange.done is taken
    for quirks, taken in ((Quirks.none, False), (Quirks.any_unit, True)):
        line = Line(TcpFraming, quirks=quirks)
        exchange = line.start()
        line.send()
        line.hear(tcp(1, ANSWER, unit=0))
        assert exchange.done is taken
    for quirks in (Quirks.none, Quirks.trailing_bytes):
        line = Line(TcpFraming, quirks=quirks)
        exchange = line.start()
        line.send()
        line.hear(tcp(1, ANSWER + b"\0\0"))
        if quirks:
            assert registers(exchange) == (1, 2)
        else:
            with pytest.raises(InvalidResponseError):
                exchange.result()


def test_datagrams_hold_whole_frames_and_never_run_together() -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    line.send()
    for junk in (tcp(1, ANSWER)[:9], b"GET / HTTP/1.1", b"", b"\xff" * 12):
        line.protocol.receive_datagram(junk, line.now)
    assert not line.protocol.broken
    assert not exchange.done, "anybody can send a datagram"
    line.protocol.receive_datagram(tcp(1, ANSWER), line.now)
    assert registers(exchange) == (1, 2)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"unit": 256}, "unit must be 0..255, got 256"),
        ({"max_in_flight": 17}, "max_in_flight must be 1..16, got 17"),
        ({"max_in_flight": 0}, "max_in_flight must be 1..16, got 0"),
        ({"retries": -1}, "retries must be a whole number, at least 0, got -1"),
        ({"response_timeout": 0}, "timeout must be greater than 0 seconds"),
        ({"response_timeout": float("nan")}, "timeout must be greater than 0 seconds"),
        ({"turnaround": -1}, "turnaround must be at least 0 seconds"),
        ({"late_reply_window": float("inf")}, "late_reply_window must be at least 0 seconds"),
        ({"silence": -0.1}, "silence must be at least 0 seconds"),
        ({"unit": 1.0}, "unit must be 0..255, got 1.0"),
        ({"unit": "1"}, "unit must be 0..255, got '1'"),
        ({"response_timeout": "1"}, "timeout must be greater than 0 seconds"),
        ({"response_timeout": 10**400}, "timeout must be greater than 0 seconds"),
        ({"retries": 1.5}, "retries must be a whole number"),
        ({"quirks": "any_unit"}, "quirks must be a member of Quirks, .* got 'any_unit'"),
    ],
)
def test_wrong_options_are_refused_with_the_range(options: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ClientOptions(**options)


def test_wrong_arguments_of_a_call_are_refused_before_anything_is_sent() -> None:
    line = Line()
    with pytest.raises(ValueError, match="unit must be 0..255, got -1"):
        line.start(unit=-1)
    with pytest.raises(ValueError, match="timeout must be greater than 0"):
        line.start(timeout=0)
    assert line.send() == b""
    line = Line(TcpFraming)
    with pytest.raises(ValueError, match="unit must be 0..255, got 256"):
        line.start(unit=256)
    line.start()
    assert line.send() == tcp(1, "0300000002"), "the refused call took no transaction id"


def test_a_timeout_names_the_peer_where_it_has_a_name() -> None:
    client = ClientProtocol(TcpFraming)
    client.name = "tcp://192.0.2.1:502"
    exchange = client.start(ReadHoldingRegistersRequest(0), 9, now=0.0)
    client.data_to_send(0.0)
    client.handle_timeout(1.0)
    with pytest.raises(ResponseTimeoutError, match="^tcp://192.0.2.1:502: unit 9 did not answer"):
        exchange.result()


def test_each_datagram_has_one_frame() -> None:
    """Requests that time out together are retried in separate datagrams."""
    client = ClientProtocol(TcpFraming, ClientOptions(max_in_flight=4, retries=1))
    client.is_datagram = True
    exchanges = [client.start(ReadHoldingRegistersRequest(at), now=0.0) for at in range(3)]

    def sent(now: float) -> list[bytes]:
        return list(iter(lambda: client.data_to_send(now), b""))

    first = sent(0.0)
    assert [len(each) for each in first] == [12] * 3
    client.handle_timeout(1.0)
    again = sent(1.0)
    assert [len(each) for each in again] == [12] * 3
    assert sorted(each[7:] for each in again) == sorted(each[7:] for each in first)
    assert not any(exchange.done for exchange in exchanges)
