"""`TcpClient` and `UnixClient` on gevent's hub: links, their loss, their time, their options."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from gevent_peers import HOST, SHORT, background, green_server, outcome
from modwire.client.options import ClientOptions
from modwire.errors import (
    ConnectionLostError,
    FrameError,
    IllegalDataAddressError,
    InvalidResponseError,
    ResponseTimeoutError,
)
from modwire.framing import AsciiFraming, RtuFraming
from modwire.messages.base import RawRequest
from modwire_gevent import TcpClient, UnixClient
from modwire_gevent.links import SocketLink
from peers import (
    PATIENCE,
    SocketPeer,
    answer_one_read,
    answer_reads,
    mbap,
    registers,
    rtu,
    tcp_server,
    unix_server,
)


def test_reads_and_writes() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        assert request.hex() == "000100000006070300020003"
        peer.send(mbap(request, registers(10, 20, 30)))
        request = peer.request()
        assert request.hex() == "0002000000060106000900ff"
        peer.send(mbap(request, request[7:]))
        assert peer.receive() == b""

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(2, 3, unit=7) == [10, 20, 30]
        client.write_register(9, 255)


def test_errors_of_the_device_leave_the_connection() -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), b"\x83\x02"))
        peer.send(mbap(peer.request(), registers(1)))
        answer_reads(peer)

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(0)
        with pytest.raises(InvalidResponseError):
            client.read_holding_registers(0, 2)
        assert client.read_holding_registers(5) == [5]


def test_while_a_call_waits_the_other_greenlets_run() -> None:
    asked, go = Event(), Event()

    def script(peer: SocketPeer) -> None:
        request = peer.request()
        asked.set()
        assert go.wait(PATIENCE)
        answer = mbap(request, registers(1, 2, 3))
        for at in range(len(answer)):
            peer.send(answer[at : at + 1])
            gevent.sleep(0)

    with (
        green_server(script) as port,
        TcpClient(HOST, port) as client,
        background(lambda: asked.wait(PATIENCE) and go.set()),
    ):
        assert client.read_holding_registers(0, 3) == [1, 2, 3]


def test_a_stream_that_is_no_modbus_ends_the_connection_only() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        peer.send(bytes.fromhex("0001 0001 0005 0103020001"))
        assert peer.receive() == b""

    with tcp_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(FrameError):
            client.read_holding_registers(0)
        assert client.read_holding_registers(6) == [6]


def test_silence_is_a_timeout_and_the_late_answer_is_nobodys() -> None:
    timed_out = threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        assert timed_out.wait(PATIENCE)
        peer.send(mbap(first, registers(111)))
        second = peer.request()
        peer.send(mbap(first, registers(111)), mbap(second, registers(222)))

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ResponseTimeoutError, match="unit 1 did not answer"):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert client.read_holding_registers(0) == [222]


@pytest.mark.parametrize("before", [None, 0.01, 30.0], ids=["first", "shorter", "longer"])
def test_a_timeout_does_not_come_early_or_much_too_late(before: float | None) -> None:
    """Whatever the time of the call before it was."""

    def script(peer: SocketPeer) -> None:
        if before is not None:
            answer_one_read(peer)
        assert peer.receive()
        assert peer.receive() == b""

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        if before is not None:
            client.read_holding_registers(0, timeout=max(before, 1.0))
        begin = time.monotonic()
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=0.2)
        assert 0.2 <= time.monotonic() - begin < 2.0


def test_reads_are_tried_again_writes_are_not() -> None:
    def script(peer: SocketPeer) -> None:
        first, again = peer.request(), peer.request()
        assert first[7:] == again[7:]
        peer.send(mbap(again, registers(4)))
        assert peer.request()[7] == 6
        assert peer.receive() == b""

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=SHORT, retries=1) as client:
        assert client.read_holding_registers(0) == [4]
        with pytest.raises(ResponseTimeoutError):
            client.write_register(0, 1)


def test_half_an_answer_and_then_the_end() -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), registers(1, 2))[:-3])

    with tcp_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ConnectionLostError, match="closed the connection"):
            client.read_holding_registers(0, 2)
        assert not client.is_open
        assert client.read_holding_registers(7) == [7]


def test_a_reset_is_a_lost_connection() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        peer.reset()

    with tcp_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ConnectionLostError, match=f"tcp://127.0.0.1:{port}: the link was lost"):
            client.read_holding_registers(0)
        assert client.read_holding_registers(7) == [7]


def test_a_connection_closed_while_idle_is_opened_anew_even_for_a_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = threading.Event()

    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.socket.close()
        closed.set()

    def second(peer: SocketPeer) -> None:
        request = peer.request()
        assert request[7] == 6
        peer.send(mbap(request, request[7:]))

    monkeypatch.setattr("modwire.backoff._IDLE", -1.0)  # any pause is long enough
    with tcp_server(first, second) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(0)
        assert closed.wait(PATIENCE)
        client.write_register(1, 2)


def test_who_met_a_connection_just_closed_is_sent_again_once_if_he_only_reads() -> None:
    def mortal(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()  # closed without an answer

    with tcp_server(mortal, mortal, answer_reads) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(1) == [1]
        assert client.read_holding_registers(2) == [2]
        with pytest.raises(ConnectionLostError):
            client.write_register(0, 1)
        assert client.read_holding_registers(3) == [3]


def test_a_server_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        assert peer.receive() == b""

    def no_room(data: bytes) -> int:
        raise BlockingIOError

    with tcp_server(first, answer_reads) as port, TcpClient(HOST, port, timeout=SHORT) as client:
        client.read_holding_registers(0)
        link = client._link
        assert isinstance(link, SocketLink)
        monkeypatch.setattr(link, "_write", no_room)
        with pytest.raises((ResponseTimeoutError, ConnectionLostError)):
            client.read_holding_registers(0)
        assert client.read_holding_registers(3) == [3]
        assert client._link is not link


def test_wrong_arguments_are_told_before_anything_is_opened() -> None:
    for arguments in ({"port": 0}, {"unit": 256}, {"timeout": 0}, {"max_in_flight": 17}):
        with pytest.raises(ValueError, match="must be"):
            TcpClient(HOST, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="beside options"):
        TcpClient(HOST, unit=5, options=ClientOptions())
    with pytest.raises(ValueError, match="must be"):
        TcpClient(HOST, 1).read_coils(0, timeout=-1)


def test_a_wrong_call_leaves_the_client_as_it_was() -> None:
    class Broken(RawRequest):
        def encode(self) -> bytes:
            raise ZeroDivisionError

    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(3)
        with pytest.raises(ValueError, match=r"unit must be 0..255"):
            client.read_holding_registers(0, unit=300)
        with pytest.raises(ZeroDivisionError):
            client.call(Broken(99))
        assert client.read_holding_registers(3) == [3]


def test_close_ends_the_call_of_one_who_is_alone() -> None:
    asked = Event()

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()
        asked.set()
        assert peer.receive() == b""

    with green_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(0)
        caller = outcome(lambda: client.read_holding_registers(1, timeout=PATIENCE))
        assert asked.wait(PATIENCE)
        client.close()
        # The next call has a link of its own before the first has run again.
        assert client.read_holding_registers(2) == [2]
        assert "the client was closed" in str(caller.get(timeout=PATIENCE))


def test_rtu_and_ascii_over_tcp() -> None:
    def rtu_script(peer: SocketPeer) -> None:
        assert peer.request(8) == rtu(1, b"\x03\x00\x00\x00\x01")
        answer = rtu(1, registers(5))
        peer.send(b"\xff\xff", answer[:3], answer[3:])

    def ascii_script(peer: SocketPeer) -> None:
        assert peer.request(17) == b":010300000001FB\r\n"
        peer.send(b":0103020005F5\r\n")

    with tcp_server(rtu_script) as port, TcpClient(HOST, port, framing=RtuFraming) as client:
        assert client.name == f"rtu+tcp://127.0.0.1:{port}"
        assert client.read_holding_registers(0) == [5]
    with tcp_server(ascii_script) as port, TcpClient(HOST, port, framing=AsciiFraming) as client:
        assert client.read_holding_registers(0) == [5]


def test_without_transaction_ids_a_late_answer_is_not_the_next_ones() -> None:
    """It lies in the socket when the next call starts, long after the unit's time was over."""
    timed_out, sent = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        sent.set()
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    options = ClientOptions(silence=0.0, tolerance=0.05, late_reply_window=0.0)
    with (
        tcp_server(script) as port,
        TcpClient(HOST, port, framing=RtuFraming, options=options) as client,
    ):
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert sent.wait(PATIENCE)
        assert client.read_holding_registers(0) == [222]


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    with unix_server(path, answer_reads), UnixClient(path) as client:
        assert client.name == f"unix://{path}"
        assert client.read_holding_registers(8) == [8]
    with pytest.raises(ConnectionLostError):
        UnixClient(str(tmp_path / "none")).connect()


def test_bytes_are_logged_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(1)
        assert not caplog.messages
        with caplog.at_level("DEBUG", "modwire"):
            client.read_holding_registers(2)
        assert caplog.messages == [
            f"tcp://127.0.0.1:{port}: sent 00 02 00 00 00 06 01 03 00 02 00 01",
            f"tcp://127.0.0.1:{port}: received 00 02 00 00 00 05 01 03 02 00 02",
        ]


def test_an_error_keeps_nothing_alive() -> None:
    class Local:
        pass

    def script(peer: SocketPeer) -> None:
        for _ in range(2):
            peer.send(mbap(peer.request(), b"\x83\x02"))

    def fail() -> weakref.ref[Local]:
        local = Local()
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(99)
        return weakref.ref(local)

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        gc.collect()
        gc.disable()
        try:
            assert fail()() is None
            assert fail()() is None
        finally:
            gc.enable()
