"""The client on a serial line: late responses, echoes, silence, broadcasts and delimiters."""

from __future__ import annotations

import pytest

from client_line import ANSWER, CANOPEN, READ, Line, registers, rtu
from modwire.client.options import ClientOptions
from modwire.client.protocol import ClientProtocol
from modwire.errors import (
    GatewayTargetFailedError,
    InvalidResponseError,
)
from modwire.framing import AsciiFraming, BinaryFraming, RtuFraming, TcpFraming
from modwire.messages import RawRequest
from modwire.messages.diagnostics import DiagnosticsRequest
from modwire.messages.register_access import (
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.register_operations import ReadWriteMultipleRegistersRequest
from modwire.options import silent_interval


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


def test_the_end_of_the_stream_ends_a_frame_as_silence_does() -> None:
    client = ClientProtocol(RtuFraming, ClientOptions(silence=0.0, tolerance=0.05))
    exchange = client.start(RawRequest(65, b"\1"), 1, now=0.0)
    answer = client.data_to_send(0.0)  # a response to function 65 may have any length
    client.receive_data(answer, 0.1)
    assert not exchange.done
    client.receive_eof(0.1)
    assert exchange.result().data == b"\1"
