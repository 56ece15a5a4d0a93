"""The advice after an error comes from the bytes that came: the words are about this device."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from modwire import ConnectionLostError, Endpoint
from modwire.checksums import lrc
from modwire_command import modwire
from modwire_tools.cli.diagnosis import Seen
from modwire_tools.cli.hints import described
from peers import Peer, mbap, registers, rtu, serial_line, tcp_server

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
Answer = Callable[[bytes], bytes]


def wrong_transaction(number: int) -> Answer:
    return lambda request: mbap(request, registers(5), transaction=number)


def ascii_frame(unit: int, pdu: bytes) -> bytes:
    body = bytes([unit]) + pdu
    return b":" + (body + bytes([lrc(body)])).hex().upper().encode() + b"\r\n"


TCP_ANSWERS: list[tuple[Answer, str]] = [
    (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", "this looks like an HTTP server: Modbus is at"),
    (lambda _: b"SSH-2.0-OpenSSH_9.6\r\n", "this looks like an SSH server: Modbus is at another"),
    (lambda _: bytes.fromhex("15030100020246"), "the port needs TLS, which this version does not"),
    (lambda _: b"\xff\xfd\x18\xff\xfd\x20", "this looks like a Telnet server: Modbus is at"),
    (
        lambda _: rtu(1, registers(5)),
        "the device sends RTU frames: use rtu+tcp://127.0.0.1:{port}",
    ),
    (
        lambda _: ascii_frame(1, registers(5)),
        "the device sends ASCII frames: use ascii+tcp://127.0.0.1:{port}",
    ),
    (
        wrong_transaction(0),
        "with the wrong transaction id 0: add ?quirks=zero_transaction_id",
    ),
    (
        wrong_transaction(77),
        "the device answers with the wrong transaction id 77: add ?quirks=any_transaction_id",
    ),
    (
        lambda request: mbap(request, registers(5)).replace(b"\x01\x03", b"\x09\x03"),
        "unit 9 answered; ask it with --unit 9, or add ?quirks=any_unit",
    ),
    (lambda _: b"", "RTU frames over a network are rtu+tcp://127.0.0.1:{port}; or wait longer"),
    (lambda request: mbap(request, b"\x83\x01"), "the device does not have that table"),
    (lambda request: mbap(request, b"\x83\x02"), "try one lower (manuals often count from 1)"),
    (lambda request: mbap(request, b"\x83\x03"), "try fewer at once"),
    (lambda request: mbap(request, b"\x83\x04"), "the device itself failed"),
    (lambda request: mbap(request, b"\x83\x0a"), "the gateway has no such unit: check --unit"),
    (lambda request: mbap(request, b"\x83\x0b"), "the gateway got no answer from the unit: check"),
]
SERIAL_ANSWERS: list[tuple[Answer, str]] = [
    (lambda request: request, "the line echoes what is sent: add ?suppress_echo=true"),
    (lambda _: ascii_frame(1, registers(5)), "the device sends ASCII frames: use ascii://{path}"),
    (
        lambda _: rtu(6, registers(5)),
        "unit 6 answered; ask it with --unit 6, or add ?quirks=any_unit",
    ),
    (
        lambda _: b"\xfe\x80\xf8\x00\xff\x1e\x78",
        "check baud rate, parity, stop bits and the wiring",
    ),
    (lambda _: b"", "baud rate and parity, and the wiring (are A and B swapped?)"),
]
RTU_TCP_ANSWERS: list[tuple[Answer, str]] = [
    (
        lambda _: bytes.fromhex("00010000000501030200 05"),
        "the device sends Modbus/TCP frames: use tcp://127.0.0.1:{port}",
    ),
    (lambda _: b"\xfe\x80\xf8\x00\xff", "check the serial settings of the gateway"),
    (lambda _: b"", "a Modbus/TCP device is tcp://127.0.0.1:{port}; or wait longer"),
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
    assert "MBAP protocol id must be 0, got 21584: this looks like an HTTP server" in text
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
