"""Clients among greenlets: one link for several callers, and fair turns while calls wait."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
import serial

from gevent_package import GeventPackage, Green
from modwire_gevent import SerialClient, TcpClient, UdpClient
from own_sockets import count_descriptors, needs_proc
from packages import HOST
from peers import (
    PATIENCE,
    PtyPeer,
    SocketPeer,
    answer_reads,
    mbap,
    registers,
    rtu,
    serial_line,
    tcp_server,
)

PACKAGE = GeventPackage()


@contextmanager
def full_listener() -> Iterator[socket.socket]:
    """Yield a listener with a full backlog, which neither accepts nor refuses."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        try:
            yield listener
        finally:
            for sock in waiting:
                sock.close()


# Opening the link.


def test_one_of_those_who_wait_for_the_link_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    serial_for_url = serial.serial_for_url

    def script(peer: PtyPeer) -> None:
        for _ in range(2):
            request = peer.request(8)
            peer.send(rtu(1, registers(request[3])))

    def open_slowly(url: str, **settings: Any) -> Any:
        begun.set()
        assert go.wait(PATIENCE)
        return serial_for_url(path, **settings)

    monkeypatch.setattr(serial, "serial_for_url", open_slowly)
    with serial_line(script) as path:
        client = SerialClient("slow://line", timeout=PATIENCE)
        callers = [
            Green(lambda n=n: client.read_holding_registers(n))  # type: ignore[misc]
            for n in range(3)
        ]
        PACKAGE.wait(begun)
        callers[0].kill()
        go.set()
        assert [caller.result() for caller in callers[1:]] == [[1], [2]]
        client.close()


@needs_proc
def test_all_of_those_who_wait_for_the_link_are_killed() -> None:
    """The attempt ends with them, and leaves nothing behind."""
    with full_listener() as listener:
        client = TcpClient(HOST, listener.getsockname()[1], connect_timeout=PATIENCE)
        gevent.get_hub().threadpool.apply(int)  # opens its descriptors on first use
        before = count_descriptors()
        callers = [Green(lambda: client.read_holding_registers(5)) for _ in range(3)]
        PACKAGE.wait_until(lambda: count_descriptors() > before)
        for caller in callers:
            caller.kill()
        PACKAGE.wait_until(lambda: count_descriptors() == before)
        assert not client.is_open
        listener.accept()[0].close()
        client.connect()
        assert client.is_open
        client.close()


def test_a_timeout_of_the_caller_comes_out_as_it_is_while_the_link_opens() -> None:
    """It does not count as a connection failure, even if it raises the same error."""
    error = TimeoutError("mine")
    with full_listener() as listener:
        client = TcpClient(HOST, listener.getsockname()[1], connect_timeout=PATIENCE)
        with pytest.raises(TimeoutError) as caught, gevent.Timeout(0.02, error):
            client.connect()
    assert caught.value is error


def test_a_url_that_takes_long_to_open_holds_up_only_its_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A port that opens after all callers have gone is closed."""
    begun, go, closed = threading.Event(), threading.Event(), threading.Event()

    class Port:
        def close(self) -> None:
            closed.set()

    def serial_for_url(url: str, **settings: object) -> Port:
        begun.set()
        assert go.wait(PATIENCE)
        return Port()

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    caller = Green(SerialClient("rfc2217://192.0.2.1:2217").connect)
    PACKAGE.wait(begun)
    caller.kill()
    gevent.idle()  # until the attempt has been killed too
    go.set()
    PACKAGE.wait(closed)


def test_a_client_is_for_one_thread() -> None:
    faults: list[str] = []

    def other_thread() -> None:
        for use in (lambda: client.read_holding_registers(1), client.close):
            try:
                use()
            except RuntimeError as error:
                faults.append(str(error))

    with tcp_server(answer_reads) as port, TcpClient(HOST, port, timeout=PATIENCE) as client:
        client.read_holding_registers(1)
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join(PATIENCE)
        assert len(faults) == 2
        assert all("opened in another thread" in fault for fault in faults)
        assert client.read_holding_registers(2) == [2]


# While a call waits.


def test_while_a_call_waits_the_other_greenlets_run() -> None:
    asked, go = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        request = peer.request()
        asked.set()
        assert go.wait(PATIENCE)
        answer = mbap(request, registers(1, 2, 3))
        peer.send(*[answer[at : at + 1] for at in range(len(answer))])

    def other() -> None:
        PACKAGE.wait(asked)
        go.set()

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=PATIENCE) as client:
        greenlet = Green(other)
        assert client.read_holding_registers(0, 3) == [1, 2, 3]
        greenlet.result()


def test_while_a_call_on_a_serial_line_waits_the_other_greenlets_run() -> None:
    asked, go = threading.Event(), threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        asked.set()
        assert go.wait(PATIENCE)
        peer.send(rtu(1, registers(5)))

    def other() -> None:
        PACKAGE.wait(asked)
        go.set()

    with serial_line(script) as path, SerialClient(path, timeout=PATIENCE) as client:
        greenlet = Green(other)
        assert client.read_holding_registers(0) == [5]
        greenlet.result()


class WithoutDescriptor(serial.Serial):
    """A port without a file descriptor, as on Windows and with some URLs of pyserial."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


@pytest.mark.parametrize("kind", [serial.Serial, WithoutDescriptor])
def test_a_call_on_a_serial_line_that_is_timed_out_by_its_caller(
    kind: type[serial.Serial], monkeypatch: pytest.MonkeyPatch
) -> None:
    timed_out = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    monkeypatch.setattr(serial, "serial_for_url", kind)
    with serial_line(script) as path, SerialClient(path, timeout=PATIENCE) as client:
        with gevent.Timeout(0.05, False):
            client.read_holding_registers(0)
            raise AssertionError
        timed_out.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


def test_none_is_preferred() -> None:
    """With one place for 16 callers, no caller gets two more responses than another."""
    turns: list[int] = []

    def run(index: int) -> None:
        for _ in range(10):
            client.read_holding_registers(index)
            turns.append(index)

    with tcp_server(answer_reads) as port, TcpClient(HOST, port, timeout=PATIENCE) as client:
        PACKAGE.each(16, run)
    for at in range(0, len(turns), 16):
        assert sorted(turns[at : at + 16]) == list(range(16))


def test_a_caller_whose_answers_are_there_at_once_lets_others_run() -> None:
    """A socket that is connected to itself returns the echo of a write at once."""
    turns: list[int] = []

    def count() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1]
    with UdpClient(HOST, port, source_address=(HOST, port), timeout=PATIENCE) as client:
        other = gevent.spawn(count)
        for address in range(100):
            client.write_register(address, 7)
        other.kill()
    assert len(turns) >= 5
