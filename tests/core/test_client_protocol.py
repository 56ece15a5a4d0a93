"""The client's decisions: what a reply answers, how long is waited, what is sent when."""

from __future__ import annotations

import pytest

from modwire.checksums import crc16
from modwire.client.exchange import Exchange
from modwire.client.options import ClientOptions, Quirks
from modwire.client.protocol import ClientProtocol
from modwire.errors import (
    ConnectionLostError,
    FrameError,
    GatewayTargetFailedError,
    IllegalDataAddressError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
)
from modwire.framing import AsciiFraming, BinaryFraming, Frame, RtuFraming, TcpFraming
from modwire.messages import Decoder, RawRequest, Response
from modwire.messages.canopen import CanopenGeneralReferenceRequest
from modwire.messages.diagnostics import DiagnosticsRequest
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.register_operations import ReadWriteMultipleRegistersRequest
from modwire.options import silent_interval

READ = ReadHoldingRegistersRequest(0, 2)
CANOPEN = CanopenGeneralReferenceRequest(b"\x01")
ANSWER = bytes.fromhex("03 04 0001 0002")


def tcp(transaction: int, pdu: bytes | str, unit: int = 1) -> bytes:
    pdu = bytes.fromhex(pdu) if isinstance(pdu, str) else pdu
    return TcpFraming(Decoder(), is_server=True).encode(Frame(unit, transaction, pdu))


def rtu(pdu: bytes | str, unit: int = 1) -> bytes:
    body = bytes((unit,)) + (bytes.fromhex(pdu) if isinstance(pdu, str) else pdu)
    return body + crc16(body).to_bytes(2, "little")


def registers(exchange: Exchange[Response]) -> tuple[int, ...]:
    return exchange.result().registers  # type: ignore[attr-defined, no-any-return]


class Line:
    """A client protocol, its clock, and what it sent."""

    def __init__(self, framing: type = RtuFraming, **options: object) -> None:
        self.protocol = ClientProtocol(framing, ClientOptions(**options))  # type: ignore[arg-type]
        self.now = 100.0

    def start(self, request: object = READ, unit: int | None = None, **more: object):  # type: ignore[no-untyped-def]
        return self.protocol.start(request, unit, now=self.now, **more)  # type: ignore[arg-type, var-annotated]

    def send(self) -> bytes:
        return self.protocol.data_to_send(self.now)

    def hear(self, data: bytes, after: float = 0.01) -> None:
        self.now += after
        self.protocol.receive_data(data, self.now)

    def wait(self) -> float:
        """Let the time come that the protocol asked for."""
        deadline = self.protocol.deadline()
        assert deadline is not None, "the protocol waits for nothing"
        waited = max(deadline - self.now, 0.0)
        self.now = max(deadline, self.now)
        self.protocol.handle_timeout(self.now)
        return waited

    def settle(self, exchange: object) -> None:
        for _ in range(10):
            if exchange.done:  # type: ignore[attr-defined]
                return
            self.wait()
        raise AssertionError("the exchange never ended")


# --- TCP: transaction ids ---------------------------------------------------------------------


def test_an_answer_ends_its_exchange() -> None:
    line = Line(TcpFraming)
    exchange = line.start()
    assert line.send() == tcp(1, "0300000002")
    with pytest.raises(RuntimeError, match="is not done"):
        exchange.result()
    line.hear(tcp(1, ANSWER))
    assert exchange.done and registers(exchange) == (1, 2)
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
        ("03 02 0001", "answer has 1 registers, the request asked for 2"),
        ("03 06 0001 0002 0003", "answer has 3 registers, the request asked for 2"),
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
    for _ in range(0x10000):
        line.start()
        (transaction,) = {int.from_bytes(line.send()[:2], "big")}
        assert transaction != 1
        line.hear(tcp(transaction, ANSWER), after=0.0)


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


# --- RTU: a line that is shared ---------------------------------------------------------------


@pytest.mark.parametrize(
    "junk",
    [
        "00",
        "ff ff",
        "01",
        "01 03",
        "f8" * 20,
        rtu("0300000002").hex(),  # its own echo
        rtu(ANSWER, unit=9).hex(),  # another unit's response
        rtu("0300000002", unit=9).hex() + rtu(ANSWER, unit=9).hex(),
        rtu("03 04 0007 0008")[:-1].hex() + "00",  # the reply with a bad CRC, then again
    ],
)
@pytest.mark.parametrize("cut", [1, 3, 300])
def test_a_client_finds_its_reply_behind_junk(junk: str, cut: int) -> None:
    line = Line()
    exchange = line.start()
    assert line.send() == rtu("0300000002")
    data = bytes.fromhex(junk) + rtu(ANSWER)
    for at in range(0, len(data), cut):
        line.hear(data[at : at + cut], after=0.0)
    line.settle(exchange)
    assert registers(exchange) == (1, 2)
    assert line.now < 100.1, "the reply was found only after a long wait"


@pytest.mark.parametrize("junk", ["00", "ff ff", "01", "01 03"])
def test_a_client_finds_its_reply_after_junk_and_silence(junk: str) -> None:
    line = Line()
    exchange = line.start()
    line.send()
    line.hear(bytes.fromhex(junk))
    line.hear(rtu(ANSWER), after=0.005)
    assert registers(exchange) == (1, 2)


def test_an_echo_before_the_answer_to_a_write_is_dropped_when_asked_for() -> None:
    write = WriteSingleRegisterRequest(1, 3)
    line = Line(suppress_echo=True)
    exchange = line.start(write)
    adu = line.send()
    line.hear(adu)
    assert not exchange.done, "the echo was taken for the answer"
    line.hear(adu)
    exchange.result()
    exchange = line.start(WriteMultipleRegistersRequest(1, [10, 258]))
    line.wait()
    line.hear(line.send() + rtu("10 0001 0002"))
    line.settle(exchange)
    exchange.result()


@pytest.mark.parametrize("reply", ["04 04 0001 0002", "03 02 0001", "03 06 0001 0002 0003"])
def test_a_wrong_reply_on_a_line_is_never_the_answer(reply: str) -> None:
    line = Line()
    exchange = line.start()
    line.send()
    line.hear(rtu(reply))
    assert not exchange.done
    line.settle(exchange)
    with pytest.raises(InvalidResponseError):
        exchange.result()


def test_the_right_reply_may_follow_a_wrong_one() -> None:
    line = Line()
    exchange = line.start()
    line.send()
    line.hear(rtu("03 02 0001") + rtu(ANSWER))
    assert registers(exchange) == (1, 2)


@pytest.mark.parametrize("late_by", [0.01, 0.5, 0.99])
def test_a_late_reply_on_a_line_is_not_the_next_ones(late_by: float) -> None:
    line = Line()
    first = line.start()
    line.send()
    line.wait()
    assert first.done
    second = line.start()
    assert line.send() == b"", "the unit owes a reply and must not be asked yet"
    line.hear(rtu("03 04 0bad 0bad"), after=late_by)
    assert not second.done
    line.wait()
    assert line.send() == rtu("0300000002"), "the late reply came, so the line is free"
    line.hear(rtu(ANSWER))
    assert registers(second) == (1, 2)


def test_a_unit_that_stays_silent_is_asked_again_after_the_window() -> None:
    line = Line(late_reply_window=0.3)
    line.start()
    line.send()
    line.wait()
    other, same = line.start(unit=2), line.start(unit=1)
    assert line.send()[0] == 2, "another unit does not wait"
    line.hear(rtu(ANSWER, unit=2))
    other.result()
    assert line.send() == b""
    assert line.wait() == pytest.approx(0.29)
    assert line.send()[0] == 1
    line.hear(rtu(ANSWER))
    assert registers(same) == (1, 2)


def test_a_second_reply_after_a_retry_is_not_the_next_ones() -> None:
    line = Line(retries=1)
    first = line.start()
    line.send()
    line.wait()
    assert line.send() == b"" or line.now > 0
    line.send()
    line.hear(rtu(ANSWER))
    assert registers(first) == (1, 2)
    second = line.start()
    line.now += 0.01
    assert line.send() == b""
    line.hear(rtu("03 04 0bad 0bad"), after=0.2)
    line.wait()
    assert line.send() == rtu("0300000002")
    line.hear(rtu(ANSWER))
    assert registers(second) == (1, 2)


def test_a_cancelled_exchange_keeps_the_line_until_its_reply_came() -> None:
    line = Line()
    first = line.start()
    line.send()
    line.protocol.cancel(first, line.now)
    second = line.start(unit=2)
    assert line.send() == b""
    line.hear(rtu(ANSWER))
    line.wait()
    assert line.send()[0] == 2
    line.hear(rtu(ANSWER, unit=2))
    assert registers(second) == (1, 2)
    line.start(unit=1)
    line.now += 0.01
    assert line.send(), "unit 1 owes nothing any more"


def test_the_line_is_quiet_before_each_request() -> None:
    line = Line(silence=silent_interval(9600))
    first = line.start()
    line.send()
    line.hear(rtu(ANSWER))
    first.result()
    line.start(unit=2)
    assert line.send() == b""
    assert line.wait() == pytest.approx(38.5 / 9600)
    assert line.send()


@pytest.mark.parametrize(
    ("baudrate", "seconds"), [(9600, 38.5 / 9600), (19200, 38.5 / 19200), (38400, 0.00175)]
)
def test_silence_is_three_and_a_half_characters_or_1750_microseconds(
    baudrate: int, seconds: float
) -> None:
    assert silent_interval(baudrate) == seconds


@pytest.mark.parametrize("framing", [RtuFraming, AsciiFraming, BinaryFraming])
def test_a_broadcast_is_done_after_the_turnaround(framing: type) -> None:
    line = Line(framing, turnaround=0.15)
    exchange = line.start(WriteSingleRegisterRequest(0, 1), unit=0)
    next_one = line.start()
    assert line.send()
    assert line.send() == b""
    assert line.wait() == pytest.approx(0.15)
    assert exchange.done and exchange.result() is None
    assert line.send() and not next_one.done


def test_a_broadcast_must_be_a_write() -> None:
    for request in (READ, ReadWriteMultipleRegistersRequest(0, 1, 0, [1]), CANOPEN):
        with pytest.raises(ValueError, match=r"a broadcast \(unit 0\) must be a plain write, got"):
            Line().start(request, unit=0)
    assert Line(TcpFraming).start(unit=0).unit == 0


def test_listen_only_mode_is_never_answered() -> None:
    line = Line(TcpFraming)
    exchange = line.start(DiagnosticsRequest(4))
    line.send()
    line.wait()
    assert exchange.done and exchange.result() is None


def test_a_query_of_any_length_comes_back_without_waiting_for_silence() -> None:
    line = Line()
    exchange = line.start(DiagnosticsRequest(0, [1, 2, 3, 4]))
    adu = line.send()
    for byte in adu:
        line.hear(bytes((byte,)), after=0.0)
    assert exchange.done and exchange.result().data == (1, 2, 3, 4)


def test_a_raw_request_takes_what_comes() -> None:
    line = Line()
    exchange = line.start(RawRequest(65, b"abc"))
    assert line.send() == rtu(b"\x41abc")
    line.hear(rtu(b"\x41anything"))
    line.settle(exchange)
    assert exchange.result().data == b"anything"
    exchange = line.start(RawRequest(65, b"abc"))
    line.wait()
    line.send()
    line.hear(rtu("c1 0b"))
    with pytest.raises(GatewayTargetFailedError):
        exchange.result()


@pytest.mark.parametrize("ending", [b"\r\n", b"\r$"])
def test_ascii_frames_follow_the_delimiter_that_was_set(ending: bytes) -> None:
    line = Line(AsciiFraming)
    exchange = line.start(DiagnosticsRequest(3, ord("$") << 8))
    adu = line.send()
    assert adu.endswith(b"\r\n")
    line.hear(adu[:-2] + ending)
    exchange.result()
    line.start()
    line.now += 1
    assert line.send().endswith(b"\r$")


# --- arguments --------------------------------------------------------------------------------


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
        ({"quirks": "any_unit"}, "quirks must be a member of Quirks, got 'any_unit'"),
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


def test_a_timeout_names_the_peer_where_it_has_a_name() -> None:
    client = ClientProtocol(TcpFraming)
    client.name = "tcp://192.0.2.1:502"
    exchange = client.start(ReadHoldingRegistersRequest(0), 9, now=0.0)
    client.data_to_send(0.0)
    client.handle_timeout(1.0)
    with pytest.raises(ResponseTimeoutError, match="^tcp://192.0.2.1:502: unit 9 did not answer"):
        exchange.result()


def test_each_datagram_has_one_frame() -> None:
    """Requests that time out together are sent again each on its own; a device reads one."""
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


def test_the_end_of_the_stream_ends_a_frame_as_silence_does() -> None:
    client = ClientProtocol(RtuFraming, ClientOptions(silence=0.0, tolerance=0.05))
    exchange = client.start(RawRequest(65, b"\1"), 1, now=0.0)
    answer = client.data_to_send(0.0)  # nobody knows how long an answer to function 65 is
    client.receive_data(answer, 0.1)
    assert not exchange.done
    client.receive_eof(0.1)
    assert exchange.result().data == b"\1"
