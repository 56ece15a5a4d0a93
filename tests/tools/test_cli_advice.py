"""The advice after an error comes from the bytes that came: the words are about this device."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from modwire import ConnectionLostError, Endpoint, ResponseTimeoutError
from modwire.checksums import lrc
from modwire_command import modwire
from modwire_tools.cli.diagnosis import Seen
from modwire_tools.cli.hints import described
from peers import Peer, mbap, refusing_port, registers, rtu, serial_line, tcp_server

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
Answer = Callable[[bytes], bytes]


def wrong_transaction(number: int) -> Answer:
    return lambda request: mbap(request, registers(5), transaction=number)


def with_length(change: int) -> Answer:
    """Return an answer whose length field is wrong by `change`."""

    def answer(request: bytes) -> bytes:
        right = mbap(request, registers(5))
        length = int.from_bytes(right[4:6], "big") + change
        return right[:4] + length.to_bytes(2, "big") + right[6:]

    return answer


def ascii_frame(unit: int, pdu: bytes) -> bytes:
    body = bytes([unit]) + pdu
    return b":" + (body + bytes([lrc(body)])).hex().upper().encode() + b"\r\n"


TCP_ANSWERS: list[tuple[Answer, str]] = [
    (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", "this looks like an HTTP server: Modbus is at"),
    (lambda _: b"SSH-2.0-OpenSSH_9.6\r\n", "this looks like an SSH server: Modbus is at another"),
    (
        lambda _: bytes.fromhex("15030100020246"),
        'the port needs TLS, as in "tls://127.0.0.1:{port}?timeout=0.2&ca=ca.pem&cert',
    ),
    (lambda _: b"\xff\xfd\x18\xff\xfd\x20", "this looks like a Telnet server: Modbus is at"),
    (
        lambda _: rtu(1, registers(5)),
        'the device sends RTU frames: use "rtu+tcp://127.0.0.1:{port}?timeout=0.2"',
    ),
    (
        lambda _: ascii_frame(1, registers(5)),
        'the device sends ASCII frames: use "ascii+tcp://127.0.0.1:{port}?timeout=0.2"',
    ),
    (
        wrong_transaction(0),
        'with the wrong transaction id 0: use "tcp://127.0.0.1:{port}?timeout=0.2&quirks=zero_tr',
    ),
    (
        wrong_transaction(77),
        'wrong transaction id 77: use "tcp://127.0.0.1:{port}?timeout=0.2&quirks=any_tra',
    ),
    (
        lambda request: mbap(request, registers(5)).replace(b"\x01\x03", b"\x09\x03"),
        'unit 9 answered; ask it with --unit 9, or use "tcp://127.0.0.1:{port}?timeout=0.2&quirks=any_u',
    ),
    (
        lambda _: b"",
        'for RTU frames over a network use "rtu+tcp://127.0.0.1:{port}?timeout=0.2"; or wait',
    ),
    (lambda request: mbap(request, b"\x83\x01"), "the device does not have that table"),
    (lambda request: mbap(request, b"\x83\x02"), "try one lower (manuals often count from 1)"),
    (lambda request: mbap(request, b"\x83\x03"), "try fewer at once"),
    (lambda request: mbap(request, b"\x83\x04"), "the device itself failed"),
    (lambda request: mbap(request, b"\x83\x0a"), "the gateway has no such unit: check --unit"),
    (lambda request: mbap(request, b"\x83\x0b"), "the gateway got no answer from the unit: check"),
    (lambda request: mbap(request, b"\x83\x06"), "or let it be asked again, as in "),
    (
        lambda request: mbap(request, b"\x83\x05"),
        'needs longer, as in "tcp://127.0.0.1:{port}?timeout=5&busy_retries=3"',
    ),
    (lambda _: b"", "check the unit (`modwire scan "),
    (
        with_length(+1),
        'the device has 6 in its length field, in place of 5: use "tcp://127.0.0.1:{port}'
        '?timeout=0.2&quirks=wrong_length"',
    ),
    (with_length(-1), "has 4 in its length field, in place of 5: use"),
    (with_length(0x0500 - 5), "MBAP length must be 2..254, got 1280; the device has 1280 in its"),
    (
        lambda request: mbap(request, registers(5) + b"\x12\x34"),
        '12 34; the device sends bytes behind the PDU, and counts them: use "tcp://127.0.0.1:'
        '{port}?timeout=0.2&quirks=trailing_bytes"',
    ),
    (
        lambda request: mbap(request, registers(5), transaction=0)[:6] + b"\0" + registers(5),
        "the wrong transaction id 0 and answers as unit 0: use "
        '"tcp://127.0.0.1:{port}?timeout=0.2&quirks=zero_transaction_id,any_unit"',
    ),
]
SERIAL_ANSWERS: list[tuple[Answer, str]] = [
    (
        lambda request: request,
        'the line echoes what is sent: use "rtu://{path}?timeout=0.2&suppress_echo=true"',
    ),
    (
        lambda _: ascii_frame(1, registers(5)),
        'the device sends ASCII frames: use "ascii://{path}?timeout=0.2"',
    ),
    (
        lambda _: rtu(6, registers(5)),
        'unit 6 answered; ask it with --unit 6, or use "rtu://{path}?timeout=0.2&quirks=any_unit"',
    ),
    (
        lambda _: b"\xfe\x80\xf8\x00\xff\x1e\x78",
        "check baud rate, parity, stop bits and the wiring",
    ),
    (lambda _: b"", "baud rate and parity, and the wiring (are A and B swapped?)"),
    (lambda _: rtu(1, registers(5))[1:], "the first byte of the answer was lost, all others are"),
]
RTU_TCP_ANSWERS: list[tuple[Answer, str]] = [
    (
        lambda _: bytes.fromhex("00010000000501030200 05"),
        'the device sends Modbus/TCP frames: use "tcp://127.0.0.1:{port}?timeout=0.2"',
    ),
    (lambda _: b"\xfe\x80\xf8\x00\xff", "check the serial settings of the gateway"),
    (lambda _: b"", 'a Modbus/TCP device is "tcp://127.0.0.1:{port}?timeout=0.2"; or wait longer'),
]


def said(*arguments: object) -> str:
    """Return the sentence of a command that fails."""
    result = modwire(*arguments)
    assert (result.out, result.code) == ("", 1)
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1
    return result.err


@contextmanager
def peer_on_tcp(answer: Answer, size: int) -> Iterator[int]:
    def script(peer: Peer) -> None:
        peer.send(answer(peer.request(size)))
        peer.expect_end()

    with tcp_server(script) as port:
        yield port


@pytest.mark.parametrize(("answer", "advice"), TCP_ANSWERS, ids=[each[1] for each in TCP_ANSWERS])
def test_on_tcp(answer: Answer, advice: str) -> None:
    with peer_on_tcp(answer, 12) as port:
        text = said("read", f"tcp://127.0.0.1:{port}?timeout=0.2", "hr:5")
        assert advice.format(port=port) in text


@pytest.mark.parametrize(
    ("answer", "advice"), RTU_TCP_ANSWERS, ids=[each[1] for each in RTU_TCP_ANSWERS]
)
def test_on_rtu_over_tcp(answer: Answer, advice: str) -> None:
    with peer_on_tcp(answer, 8) as port:
        text = said("read", f"rtu+tcp://127.0.0.1:{port}?timeout=0.2", "hr:5")
        assert advice.format(port=port) in text


@has_ptys
@pytest.mark.parametrize(
    ("answer", "advice"), SERIAL_ANSWERS, ids=[each[1] for each in SERIAL_ANSWERS]
)
def test_on_a_serial_line(answer: Answer, advice: str) -> None:
    def script(peer: Peer) -> None:
        peer.send(answer(peer.request(8)))

    with serial_line(script) as path:
        text = said("read", f"rtu://{path}?timeout=0.2", "hr:5")
        assert advice.format(path=path) in text


def test_a_write_gets_the_advice_too() -> None:
    with peer_on_tcp(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", 12) as port:
        text = said("write", f"tcp://127.0.0.1:{port}?timeout=0.2", "hr:5=1")
    assert "MBAP protocol id must be 0, got 21584; this looks like an HTTP server" in text
    assert text.count("HTTP") == 1
    assert "it may have been written" not in text
    assert "Modbus is at another port" in text


def test_a_scan_gets_the_advice_too() -> None:
    with peer_on_tcp(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", 12) as port:
        result = modwire("scan", f"tcp://127.0.0.1:{port}", "--units", "1..3", "--timeout", "200ms")
    assert result.code == 1
    assert "Modbus is at another port" in result.err


def test_several_addresses_get_one_advice() -> None:
    def script(peer: Peer) -> None:
        with suppress(AssertionError):  # the client has closed the link
            while True:
                peer.send(mbap(peer.request(12), registers(5), transaction=0))

    with tcp_server(script) as port:
        text = said("read", f"tcp://127.0.0.1:{port}?timeout=0.2", "hr:5", "ir:5")
    assert text.count("wrong transaction id 0") == 1


def test_a_device_that_closes_the_connection() -> None:
    with tcp_server(lambda peer: peer.request(12)) as port:
        text = said("write", f"tcp://127.0.0.1:{port}?timeout=1", "hr:1=1")
    assert "the server closed the connection" in text
    assert "it closes without an answer: it may have other clients" in text


def test_a_device_that_works_once() -> None:
    def script(peer: Peer) -> None:
        peer.send(peer.request(12))
        peer.request(12)
        peer.expect_end()

    with tcp_server(script) as port:
        result = modwire("write", f"tcp://127.0.0.1:{port}?timeout=0.2", "hr:1=1", "--verify")
    assert (result.out, result.code) == ("hr:1 = 1\n", 1)
    assert "it answered before: it may need a pause between requests" in result.err
    seen = Seen(Endpoint.parse("tcp://127.0.0.1"), first=b"\0\1")
    closed = ConnectionLostError("tcp://127.0.0.1:502: the server closed the connection")
    assert "take only one request on each connection" in described(closed, seen)


def answers_to(*frames: Answer) -> Callable[[Peer], None]:
    """Return a script that answers one request after the other."""

    def script(peer: Peer) -> None:
        for frame in frames:
            peer.send(frame(peer.request(12)))
        peer.expect_end()

    return script


def good_register(request: bytes) -> bytes:
    return mbap(request, registers(5, function_code=request[7]))


def test_bytes_that_are_not_counted_are_named_at_the_second_answer() -> None:
    answer = answers_to(*[lambda request: good_register(request) + b"\0\2"] * 2)
    with tcp_server(answer) as port:
        result = modwire("read", f"tcp://127.0.0.1:{port}?timeout=2", "hr:5", "ir:5")
    assert "sends bytes that its length field does not count: use" in result.err
    assert f'"tcp://127.0.0.1:{port}?timeout=2&quirks=wrong_length"' in result.err


def test_a_device_that_is_deaf_after_an_answer_gets_a_pause() -> None:
    with tcp_server(answers_to(good_register, lambda _: b"")) as port:
        result = modwire("read", f"tcp://127.0.0.1:{port}?timeout=0.2", "hr:5", "ir:5")
    assert result.code == 1
    paused = f'"tcp://127.0.0.1:{port}?timeout=0.2&pause=0.5"'
    assert f"a pause between requests, as in {paused}" in result.err


def test_a_late_answer_is_no_wrong_transaction_id() -> None:
    asked: list[bytes] = []

    def late(request: bytes) -> bytes:
        asked.append(request)
        return b"" if len(asked) == 1 else good_register(asked[0])

    with tcp_server(answers_to(late, late)) as port:
        endpoint = f"tcp://127.0.0.1:{port}?timeout=0.3&retries=1"
        text = said("read", endpoint, "hr:5")
    longer = f'"tcp://127.0.0.1:{port}?timeout=5&retries=1"'
    assert f"the device answers late: wait longer, as in {longer}" in text


def test_the_low_byte_of_the_id_is_recognized() -> None:
    seen = Seen(Endpoint.parse("tcp://127.0.0.1"))
    seen.note_sent(bytes.fromhex("0102 0000 0006 01 03 0000 0001"))
    seen.note_received(bytes.fromhex("0002 0000 0005 01 03 02 0007"))
    late = ResponseTimeoutError("an answer to another request came")
    assert "answers with the low byte of the transaction id alone" in described(late, seen)
    assert '"tcp://127.0.0.1:502?quirks=short_transaction_id"' in described(late, seen)


def test_half_an_answer_and_a_close() -> None:
    with tcp_server(lambda peer: peer.send(good_register(peer.request(12))[:8])) as port:
        text = said("read", f"tcp://127.0.0.1:{port}", "hr:5")
    assert "it closed in the middle of an answer" in text
    assert "answered before" not in text


def test_a_modbus_tcp_device_that_closes_at_rtu_frames() -> None:
    with tcp_server(lambda peer: peer.request(8)) as port:
        text = said("read", f"rtu+tcp://127.0.0.1:{port}", "hr:5")
    assert f"other frames (try tcp://127.0.0.1:{port})" in text


def test_the_quirks_that_are_set_stay() -> None:
    endpoint = "tcp://127.0.0.1:{port}?timeout=0.2&quirks=any_unit"
    with peer_on_tcp(wrong_transaction(0), 12) as port:
        text = said("read", endpoint.format(port=port), "hr:5")
    quirks = re.findall(r"quirks=([\w,]+)\"", text)
    assert [set(each.split(",")) for each in quirks] == [{"any_unit", "zero_transaction_id"}]


def test_nothing_is_said_twice() -> None:
    with peer_on_tcp(lambda _: b"\xfe\x80\xf8\x00\xff\x1e", 8) as port:
        text = said("read", f"rtu+tcp://127.0.0.1:{port}?timeout=0.2", "hr:5")
    assert text.count("baud rate") + text.count("serial settings") == 1
    assert text.count("bytes") == 1


# Writes.

DOUBT = "it may have been written: read it"


@pytest.mark.parametrize(
    ("answer", "advice", "is_doubtful"),
    [
        (lambda _: b"", "nothing came", True),
        (
            lambda request: mbap(request, request[7:10] + b"\0\0"),
            'use "tcp://127.0.0.1:{port}?timeout=0.2&quirks=odd_confirmation"',
            True,
        ),
        (lambda request: mbap(request, b"\x86\x05"), "the device needs longer to do it", True),
        (lambda request: mbap(request, b"\x86\x0b"), "the gateway got no answer", True),
        (lambda request: mbap(request, b"\x86\x01"), "that writes: --functions 16", False),
        (lambda request: mbap(request, b"\x86\x02"), "or they cannot be written", False),
        (lambda request: mbap(request, b"\x86\x06"), "busy_retries=3", False),
    ],
)
def test_a_write_that_fails(answer: Answer, advice: str, is_doubtful: bool) -> None:
    with peer_on_tcp(answer, 12) as port:
        text = said("write", f"tcp://127.0.0.1:{port}?timeout=0.2", "hr:5=1")
    assert advice.format(port=port) in text
    assert (DOUBT in text) == is_doubtful
    assert "(hr: or ir:?)" not in text


def test_a_write_of_several_registers_may_need_single_ones() -> None:
    with peer_on_tcp(lambda request: mbap(request, b"\x90\x01"), 17) as port:
        text = said("write", f"tcp://127.0.0.1:{port}", "hr:5=1,2")
    assert "that writes: --functions 6" in text


def test_a_write_that_was_never_sent_is_not_doubtful() -> None:
    with refusing_port() as port:
        assert DOUBT not in said("write", f"tcp://127.0.0.1:{port}", "hr:5=1")


@pytest.mark.parametrize(("last", "code"), [(good_register, 0), (lambda _: b"", 1)])
def test_the_exit_code_of_a_watch_is_that_of_the_last_reading(last: Answer, code: int) -> None:
    with tcp_server(answers_to(good_register, last)) as port:
        endpoint = f"tcp://127.0.0.1:{port}?timeout=0.3"
        result = modwire("read", endpoint, "hr:5", "--watch", "1ms", "--times", "2")
    assert result.code == code
    assert ("it may need a pause" in result.err) == bool(code)
