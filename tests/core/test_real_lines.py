"""Lines as they are: never quiet, torn by pauses, echoing, behind gateways that give up."""

from __future__ import annotations

import pytest

from client_line import rtu
from modwire import (
    ClientOptions,
    ClientProtocol,
    InvalidResponseError,
    Quirks,
    RawRequest,
    ReadDeviceIdentificationRequest,
    ReadHoldingRegistersRequest,
    ResponseTimeoutError,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    TcpFraming,
    Unit,
    Units,
)
from modwire.framing.base import Framing
from modwire.options import silent_interval
from modwire.server.line import LineServer

READ = ReadHoldingRegistersRequest(0, 10)
ANSWER = rtu("0314" + bytes(range(20)).hex())
WRITE = rtu("1000000003060001 0002 0003")


def client(framing: type[Framing] = RtuFraming, **options: object) -> ClientProtocol:
    return ClientProtocol(framing, ClientOptions(**options))  # type: ignore[arg-type]


def pass_time(protocol: ClientProtocol | LineServer, until: float) -> bytes:
    """Do all that is due before `until`; return what a server writes."""
    written = b""
    while (due := protocol.deadline()) is not None and due < until:
        written += protocol.handle_timeout(due) or b""
    return written


@pytest.mark.parametrize("baudrate", [1200, 9600, 115200])
@pytest.mark.parametrize("gap", [0.001, 0.016, 0.03, 0.1, 0.25])
def test_a_torn_frame_is_completed_by_its_rest(baudrate: int, gap: float) -> None:
    """USB adapters deliver in lumps, TCP sends again, and a busy program reads late."""
    silence = silent_interval(baudrate)
    for cut in range(1, len(ANSWER)):
        protocol = client(silence=silence)
        exchange = protocol.start(READ, 1, now=0.0)
        protocol.data_to_send(0.0)
        protocol.receive_data(ANSWER[:cut], 0.1)
        pass_time(protocol, 0.1 + gap)
        protocol.receive_data(ANSWER[cut:], 0.1 + gap)
        assert exchange.done, cut
        assert exchange.result().registers[9] == 0x1213
    for cut in range(1, len(WRITE)):
        units = Units({1: Unit(holding_registers=SequentialBlock(0, [0] * 3))})
        server = LineServer(
            RtuFraming, ServerOptions(silence=silence), units, peer="line", on_drop=pytest.fail
        )
        server.receive_data(WRITE[:cut], 0.1)
        pass_time(server, 0.1 + gap)
        server.receive_data(WRITE[cut:], 0.1 + gap)
        assert pass_time(server, 9.0) == rtu("1000000003"), cut


@pytest.mark.parametrize("gap", [0.03, 0.25])
def test_a_frame_torn_at_every_byte_is_one_frame(gap: float) -> None:
    protocol = client(response_timeout=60.0)
    exchange = protocol.start(READ, 1, now=0.0)
    protocol.data_to_send(0.0)
    now = 0.1
    for byte in ANSWER:
        pass_time(protocol, now)
        protocol.receive_data(bytes((byte,)), now)
        now += gap
    assert exchange.done
    assert protocol.frame_errors == 0


@pytest.mark.parametrize("gap", [0.03, 0.25])
def test_a_frame_whose_crc_ends_with_00_is_not_over_before_that_byte(gap: float) -> None:
    """The CRC is right without its last byte too."""
    request = rtu("030024 0002")
    assert request[-1] == 0
    units = Units({1: Unit(holding_registers=SequentialBlock(0, [0] * 40))})
    server = LineServer(RtuFraming, ServerOptions(), units, peer="line", on_drop=pytest.fail)
    server.receive_data(request[:-1], 0.1)
    written = pass_time(server, 0.1 + gap)
    server.receive_data(request[-1:], 0.1 + gap)
    assert written + pass_time(server, 9.0) == rtu("03040000 0000")

    values = next(n for n in range(0x10000) if rtu(f"0302{n:04x}")[-1] == 0)
    answer = rtu(f"0302{values:04x}")
    protocol = client()
    exchange = protocol.start(ReadHoldingRegistersRequest(0, 1), 1, now=0.0)
    protocol.data_to_send(0.0)
    protocol.receive_data(answer[:-1], 0.1)
    pass_time(protocol, 0.1 + gap)
    protocol.receive_data(answer[-1:], 0.1 + gap)
    assert exchange.result().registers == (values,)
    assert (protocol.skipped, protocol.frame_errors) == (0, 0)


@pytest.mark.parametrize("lost", range(1, len(WRITE)))
def test_a_server_is_right_again_after_a_truncated_request(lost: int) -> None:
    units = Units({1: Unit(holding_registers=SequentialBlock(0, [0] * 3))})
    server = LineServer(RtuFraming, ServerOptions(), units, peer="line", on_drop=pytest.fail)
    server.receive_data(WRITE[:-lost], 0.0)
    pass_time(server, 0.1)
    server.receive_data(WRITE, 0.1)
    assert pass_time(server, 9.0) == rtu("1000000003")


def test_waiting_for_quiet_has_a_bound() -> None:
    """A stuck transceiver brings a byte a millisecond: the call must end all the same."""
    protocol = client(response_timeout=0.5)
    protocol.receive_data(b"\xff", 0.0)
    exchange = protocol.start(READ, 1, now=0.0)
    now, sent = 0.0, b""
    while not exchange.done and now < 10.0:
        sent += protocol.data_to_send(now)
        now += 0.001
        protocol.receive_data(b"\xff", now)
        protocol.handle_timeout(now)
    assert len(sent) == 8, "it was sent once, after the longest frame"
    assert now < 1.0
    with pytest.raises(ResponseTimeoutError, match="the line is never quiet"):
        exchange.result()


def test_the_first_request_on_a_line_that_is_never_quiet_says_so() -> None:
    protocol = client(response_timeout=0.5)
    exchange = protocol.start(READ, 1, now=0.0)
    protocol.data_to_send(0.0)
    for step in range(1, 600):
        protocol.receive_data(b"\xff", step / 1000)
        protocol.handle_timeout(step / 1000)
    with pytest.raises(ResponseTimeoutError, match="the line is never quiet"):
        exchange.result()


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize(
    "noise", ["01 03 fa", "01 03", "01", "01 03 23 2f 00", "01 2b 0e", "05 03 14"]
)
def test_noise_like_the_beginning_of_a_frame_hides_no_answer(noise: str, chunk: int) -> None:
    """A few bytes before each answer, without a silence: a part of an echo, for example."""
    protocol = client()
    data = bytes.fromhex(noise) + ANSWER
    for number in range(3):
        exchange = protocol.start(READ, 1, now=float(number))
        protocol.data_to_send(float(number))
        for at in range(0, len(data), chunk):
            protocol.receive_data(data[at : at + chunk], number + 0.1)
        pass_time(protocol, number + 0.9)
        assert exchange.result().registers[9] == 0x1213


def test_an_echo_of_unknown_length_is_dropped_before_an_equal_answer() -> None:
    protocol = client(suppress_echo=True)
    exchange = protocol.start(RawRequest(65, b"\1\2"), 1, now=0.0)
    sent = protocol.data_to_send(0.0)
    for at, piece in ((0.01, sent[:3]), (0.02, sent[3:] + sent)):
        protocol.receive_data(piece, at)
    pass_time(protocol, 0.5)
    assert exchange.result().encode() == b"\x41\1\2"


def test_an_answer_that_is_longer_than_it_says_ends_with_silence() -> None:
    """The device counts two objects and sends three."""
    protocol = client()
    exchange = protocol.start(ReadDeviceIdentificationRequest(1), 1, now=0.0)
    protocol.data_to_send(0.0)
    protocol.receive_data(rtu("2b0e0101000002 000141 010142 020143"), 0.1)
    pass_time(protocol, 0.9)
    assert [each.value for each in exchange.result().objects] == [b"A", b"B", b"C"]
    assert protocol.frame_errors == 0


def test_values_beyond_the_count_are_named_when_the_time_is_over() -> None:
    protocol = client()
    exchange = protocol.start(ReadHoldingRegistersRequest(0, 2), 1, now=0.0)
    protocol.data_to_send(0.0)
    protocol.receive_data(rtu("03 04 0001 0002 0003"), 0.1)
    protocol.handle_timeout(0.2)
    protocol.handle_timeout(1.0)
    with pytest.raises(InvalidResponseError, match="got 8: 03 04 00 01 00 02 00 03"):
        exchange.result()


@pytest.mark.parametrize("code", [0x05, 0x0B])
def test_the_answer_after_a_refusal_is_not_the_next_request_s(code: int) -> None:
    protocol = client()
    first = protocol.start(READ, 1, now=0.0)
    protocol.data_to_send(0.0)
    protocol.receive_data(rtu(f"83{code:02x}"), 0.5)
    assert first.done
    second = protocol.start(READ, 1, now=0.6)
    assert protocol.data_to_send(0.6) == b""
    protocol.receive_data(ANSWER, 0.7)
    assert not second.done
    assert protocol.data_to_send(0.8) != b"", "the answer has come: the unit is free"


def test_with_any_unit_an_overdue_reply_keeps_the_whole_link() -> None:
    protocol = client(quirks=Quirks.any_unit)
    protocol.start(READ, 5, now=0.0)
    protocol.data_to_send(0.0)
    protocol.handle_timeout(1.0)
    other = protocol.start(READ, 6, now=1.1)
    assert protocol.data_to_send(1.1) == b""
    protocol.receive_data(ANSWER, 1.2)
    assert not other.done
    assert protocol.data_to_send(1.3) != b""


def test_with_transaction_id_0_a_late_reply_is_nobody_s() -> None:
    protocol = client(TcpFraming, quirks=Quirks.zero_transaction_id, max_in_flight=4)
    protocol.start(READ, 1, now=0.0)
    protocol.data_to_send(0.0)
    protocol.handle_timeout(1.0)
    second = protocol.start(READ, 1, now=1.1)
    assert protocol.data_to_send(1.1) == b""
    late = b"\0\0\0\0\0\x17\1" + ANSWER[1:-2]
    protocol.receive_data(late, 1.2)
    assert not second.done
    assert protocol.data_to_send(1.2)[:2] == b"\0\2"
    protocol.receive_data(late, 1.3)
    assert second.done


@pytest.mark.parametrize(
    ("data", "came"),
    [
        (b"", "nothing came"),
        (b"\xf8" * 7, "7 bytes were no RTU frame: wrong baud rate, parity or wiring[?]"),
        (ANSWER[:9], "9 bytes of an unfinished frame came"),
        (rtu("83 02", unit=2), "unit 2 answered with exception 02"),
    ],
)
def test_a_timeout_tells_what_came_instead(data: bytes, came: str) -> None:
    """Nothing at all is a cable, bytes that are no frame are the line settings."""
    protocol = client()
    exchange = protocol.start(READ, 1, now=0.0)
    protocol.data_to_send(0.0)
    protocol.receive_data(data, 0.1)
    pass_time(protocol, 1.5)
    with pytest.raises(ResponseTimeoutError, match=f"within 1 s: {came}$") as caught:
        exchange.result()
    assert (caught.value.request, caught.value.unit) == (READ, 1)
