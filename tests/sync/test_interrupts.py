"""KeyboardInterrupt while a call waits: the client and its other calls still work."""

from __future__ import annotations

import threading

import pytest

from modwire_sync import SerialClient, TcpClient
from own_sockets import SMALL, fill
from packages import HOST
from peers import (
    PATIENCE,
    Background,
    PtyPeer,
    SocketPeer,
    answer_one_read,
    answer_reads,
    mbap,
    registers,
    rtu,
    serial_line,
    tcp_server,
)
from sync_package import Thread

from .interrupts import keyboard_interrupt, needs_proc

pytestmark = needs_proc
LONG = 2 * PATIENCE


def test_the_answer_to_an_interrupted_call_is_nobodys() -> None:
    def script(peer: SocketPeer) -> None:
        first = peer.request()
        interrupt()
        second = peer.request()
        peer.send(mbap(first, registers(111)), mbap(second, registers(222)))

    with (
        keyboard_interrupt() as interrupt,
        tcp_server(script) as port,
        TcpClient(HOST, port) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(0, timeout=LONG)
        assert client.is_open
        assert client.read_holding_registers(0, timeout=LONG) == [222]


def test_on_a_serial_line_the_answer_to_an_interrupted_call_is_nobodys() -> None:
    """The unit may still be sending it."""
    interrupted = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        interrupt()
        assert interrupted.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    with (
        keyboard_interrupt() as interrupt,
        serial_line(script) as path,
        SerialClient(path) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(0, timeout=LONG)
        interrupted.set()
        assert client.is_open
        assert client.read_holding_registers(0, timeout=LONG) == [222]


def test_an_interrupt_while_sending_closes_the_link() -> None:
    """A part of the request may have been sent."""

    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        assert interrupted.wait(PATIENCE)
        while piece := peer.receive():
            assert not any(piece), "a part of the request was sent after all"

    interrupted = threading.Event()
    with (
        keyboard_interrupt() as interrupt,
        tcp_server(first, answer_reads, buffer=SMALL) as port,
        TcpClient(HOST, port, timeout=LONG) as client,
    ):
        client.read_holding_registers(0)
        fill(port)
        with Background(interrupt), pytest.raises(KeyboardInterrupt):
            client.write_register(0, 1)
        assert not client.is_open
        interrupted.set()
        assert client.read_holding_registers(4) == [4]


def test_an_interrupted_receiver_hands_over_and_breaks_no_other_call() -> None:
    first_is_in, interrupted = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        first_is_in.set()
        second = peer.request()
        interrupt()
        assert interrupted.wait(PATIENCE)
        peer.send(mbap(first, registers(1)), mbap(second, registers(2)))
        answer_reads(peer)

    def second() -> list[int]:
        assert first_is_in.wait(PATIENCE)
        return client.read_holding_registers(2, timeout=LONG)

    with (
        keyboard_interrupt() as interrupt,
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        other = Thread(second)
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(1, timeout=LONG)
        interrupted.set()
        assert other.result() == [2]
        assert client.read_holding_registers(3, timeout=LONG) == [3]


def test_an_interrupted_call_that_another_receives_for_breaks_no_other_call() -> None:
    first_is_in, interrupted = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        first_is_in.set()
        second = peer.request()
        interrupt()
        assert interrupted.wait(PATIENCE)
        peer.send(mbap(second, registers(2)), mbap(first, registers(1)))
        answer_reads(peer)

    with (
        keyboard_interrupt() as interrupt,
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        other = Thread(lambda: client.read_holding_registers(1, timeout=LONG))
        assert first_is_in.wait(PATIENCE)
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(2, timeout=LONG)
        interrupted.set()
        assert other.result() == [1]
        assert client.read_holding_registers(3, timeout=LONG) == [3]
