"""`TcpClient` and `UnixClient` with correct and with faulty servers."""

# ruff: noqa: SIM117 - a peer, and in it the client that talks to it

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from time import monotonic

import pytest

from modwire import (
    AsciiFraming,
    ClientOptions,
    ConnectionLostError,
    FrameError,
    IllegalDataAddressError,
    InvalidRequestError,
    InvalidResponseError,
    RawRequest,
    ResponseTimeoutError,
    RtuFraming,
)
from own_sockets import SMALL, fill, needs_proc
from packages import HOST, Package
from peers import (
    PATIENCE,
    SocketPeer,
    answer_one_read,
    answer_reads,
    mbap,
    registers,
    rtu,
    tcp_server,
    tcp_service,
)

SHORT = 0.05  # seconds: the timeout of calls that are to time out


def test_reads_and_writes(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        assert request.hex() == "000100000006070300020003"
        peer.send(mbap(request, registers(10, 20, 30)))
        request = peer.request()
        assert request.hex() == "0002000000060106000900ff"
        peer.send(mbap(request, request[7:]))
        peer.expect_end()

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        assert client.read_holding_registers(2, 3, unit=7) == [10, 20, 30]
        client.write_register(9, 255)


def test_an_error_of_the_device_leaves_the_connection(package: Package) -> None:
    unfit = [
        registers(1, function_code=4),
        registers(1),  # too few
        registers(1, 2, 3),  # too many
        b"\x83\x02\x00",  # a long exception
        b"\x03",  # no byte count
    ]

    def script(peer: SocketPeer) -> None:
        for pdu in (b"\x83\x02", *unfit):
            peer.send(mbap(peer.request(), pdu))
        answer_reads(peer)

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(0, 2)
        for _ in unfit:
            with pytest.raises(InvalidResponseError):
                client.read_holding_registers(0, 2)
        assert client.read_holding_registers(5) == [5]


@pytest.mark.parametrize("head", ["0001 0001 0005", "0001 0000 0000", "0001 0000 ffff"])
def test_a_stream_that_is_not_modbus_ends_the_connection_only(package: Package, head: str) -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        peer.send(bytes.fromhex(head) + b"\x01\x03\x02\x00\x01")
        peer.expect_end()

    with (
        tcp_server(script, answer_reads) as port,
        package.TcpClient(HOST, port, timeout=PATIENCE) as client,
    ):
        with pytest.raises(FrameError):
            client.read_holding_registers(0)
        assert client.read_holding_registers(6) == [6]


@pytest.mark.parametrize("before", [None, 0.01, 30.0], ids=["first", "shorter", "longer"])
def test_a_timeout_does_not_come_early(package: Package, before: float | None) -> None:
    """The timeout of the previous call must not matter."""

    def script(peer: SocketPeer) -> None:
        if before == 30.0:
            answer_one_read(peer)
        elif before is not None:
            peer.request()
        peer.request()
        peer.expect_end()

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        if before == 30.0:
            client.read_holding_registers(0, timeout=before)
        elif before is not None:
            with pytest.raises(ResponseTimeoutError):
                client.read_holding_registers(0, timeout=before)
        begin = monotonic()
        with pytest.raises(ResponseTimeoutError, match="unit 1 did not answer"):
            client.read_holding_registers(0, timeout=0.2)
        assert monotonic() - begin >= 0.2


def test_junk_that_keeps_coming_does_not_keep_the_call_alive(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        stale = mbap(peer.request(), registers(1), transaction=0x7777)
        with contextlib.suppress(ConnectionError):  # the client is closed in the end
            while True:
                peer.send(stale)

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)


def test_a_reset_is_a_lost_connection(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        peer.reset()

    with (
        tcp_server(script, answer_reads) as port,
        package.TcpClient(HOST, port, timeout=PATIENCE) as client,
    ):
        with pytest.raises(
            ConnectionLostError, match=f"tcp://127.0.0.1:{port}, unit 1: the link was lost"
        ):
            client.read_holding_registers(0)
        assert not client.is_open
        assert client.read_holding_registers(7) == [7]


@needs_proc
def test_a_server_that_takes_nothing_is_given_up(package: Package) -> None:
    given_up = threading.Event()

    def script(peer: SocketPeer) -> None:
        if given_up.is_set():
            answer_reads(peer)
            return
        answer_one_read(peer)
        assert given_up.wait(PATIENCE)
        while piece := peer.receive():
            assert not any(piece), "a part of a request was sent"

    with (
        tcp_service(script, buffer=SMALL) as port,
        package.TcpClient(HOST, port, timeout=SHORT) as client,
    ):
        client.read_holding_registers(0, timeout=PATIENCE)
        fill(port)
        with pytest.raises((ResponseTimeoutError, ConnectionLostError)):
            client.read_holding_registers(0)
        client.close()
        given_up.set()
        assert client.read_holding_registers(3, timeout=PATIENCE) == [3]


def test_close_ends_a_call_that_waits(package: Package) -> None:
    asked = threading.Event()

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()
        asked.set()
        peer.expect_end()

    with (
        tcp_server(script, answer_reads) as port,
        package.TcpClient(HOST, port, timeout=PATIENCE) as client,
    ):
        client.read_holding_registers(0)
        caller = package.start(lambda: client.read_holding_registers(1, timeout=PATIENCE))
        package.wait(asked)
        client.close()
        # The next call may open a new link before the first call runs again.
        assert client.read_holding_registers(2) == [2]
        with pytest.raises(ConnectionLostError, match="the client was closed"):
            caller.result()


def test_a_call_that_close_has_ended_opens_no_link(package: Package) -> None:
    asked = threading.Event()

    def script(peer: SocketPeer) -> None:
        peer.request()
        asked.set()
        peer.expect_end()

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        caller = package.start(lambda: client.read_holding_registers(1, timeout=PATIENCE))
        package.wait(asked)
        client.close()
        with pytest.raises(ConnectionLostError, match="the client was closed"):
            caller.result()
        assert not client.is_open


# Other framings.


def test_rtu_and_ascii_over_tcp(package: Package) -> None:
    def rtu_script(peer: SocketPeer) -> None:
        assert peer.request(8) == rtu(1, b"\x03\x00\x00\x00\x01")
        answer = rtu(1, registers(5))
        peer.send(b"\xff\xff", answer[:3], answer[3:])

    def ascii_script(peer: SocketPeer) -> None:
        assert peer.request(17) == b":010300000001FB\r\n"
        peer.send(b":0103020005F5\r\n")

    with tcp_server(rtu_script) as port:
        with package.TcpClient(HOST, port, framing=RtuFraming) as client:
            assert client.name == f"rtu+tcp://127.0.0.1:{port}"
            assert client.read_holding_registers(0, timeout=PATIENCE) == [5]
    with tcp_server(ascii_script) as port:
        with package.TcpClient(HOST, port, framing=AsciiFraming) as client:
            assert client.read_holding_registers(0, timeout=PATIENCE) == [5]


def test_without_transaction_ids_a_late_answer_is_not_the_next_ones(package: Package) -> None:
    """It is in the socket when the next call starts, long after the timeout."""
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
        package.TcpClient(HOST, port, framing=RtuFraming, options=options) as client,
    ):
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        package.wait(sent)
        assert client.read_holding_registers(0, timeout=PATIENCE) == [222]


# Mistakes of callers.


def test_wrong_arguments_are_told_before_anything_is_opened(package: Package) -> None:
    for arguments in ({"port": 0}, {"unit": 256}, {"timeout": 0}, {"max_in_flight": 17}):
        with pytest.raises(ValueError, match="must be"):
            package.TcpClient(HOST, **arguments)
    with pytest.raises(ValueError, match="beside options"):
        package.TcpClient(HOST, unit=5, options=ClientOptions())
    for wrong in ({"unit": 300}, {"timeout": 0}, {"timeout": -1}):
        with pytest.raises(ValueError, match="must be"):
            package.TcpClient(HOST, 1).read_coils(0, **wrong)


@pytest.mark.parametrize(
    "argument",
    [
        {"unit": 300},
        {"unit": 1.0},
        {"unit": "1"},
        {"unit": -1},
        {"timeout": -1},
        {"timeout": 10**400},
        {"timeout": "1"},
    ],
)
def test_a_wrong_argument_costs_that_call_only(
    package: Package, argument: dict[str, object]
) -> None:
    with (
        tcp_server(answer_reads) as port,
        package.TcpClient(HOST, port, timeout=PATIENCE) as client,
    ):
        assert client.read_holding_registers(3) == [3]
        with pytest.raises(ValueError, match="must be"):
            client.read_holding_registers(0, **argument)
        assert client.read_holding_registers(3) == [3]


def test_a_custom_request_that_fails_harms_no_other(package: Package) -> None:
    class Broken(RawRequest):
        def encode(self) -> bytes:
            raise ZeroDivisionError

    with (
        tcp_server(answer_reads) as port,
        package.TcpClient(HOST, port, timeout=PATIENCE) as client,
    ):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                client.call(Broken(99))
            assert client.read_holding_registers(4) == [4]


@pytest.mark.parametrize("values", [{9, 3}, {5: 6}, "12", 5])
def test_only_a_sequence_of_registers_is_written(package: Package, values: object) -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request(19)
        assert request[7:] == bytes.fromhex("100000000306000000010002")
        peer.send(mbap(request, request[7:12]))
        peer.expect_end()

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        with pytest.raises(InvalidRequestError, match="must be a list of values, got"):
            client.write_registers(0, values)
        client.write_registers(0, range(3))


def test_an_error_keeps_nothing_alive(package: Package) -> None:
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

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        gc.collect()
        gc.disable()
        try:
            assert fail()() is None
            assert fail()() is None
        finally:
            gc.enable()
