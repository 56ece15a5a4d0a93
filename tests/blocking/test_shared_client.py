"""Callers that share a client: each gets its own answer, and none waits for ever."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
import serial

from modwire import ConnectionLostError, ResponseTimeoutError, Units
from packages import HOST, Package
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
    tcp_service,
    udp_server,
)
from server_peers import memory_unit

SHORT = 0.05  # seconds: the timeout of calls that are to time out


def requests_in(data: bytes) -> list[bytes]:
    """Return the read requests in `data`."""
    return [data[at : at + 12] for at in range(0, len(data), 12)]


def address_in(request: bytes) -> int:
    return int.from_bytes(request[8:10], "big")


def answer_to(request: bytes) -> bytes:
    """Return the response to a read of one register; its value is its address."""
    return mbap(request, registers(address_in(request)))


def test_sixteen_requests_are_under_way_at_once_and_answered_in_any_order(
    package: Package,
) -> None:
    def script(peer: SocketPeer) -> None:
        requests = requests_in(peer.request(16 * 12))
        random.Random(3).shuffle(requests)
        peer.send(*map(answer_to, requests))

    with (
        tcp_server(script) as port,
        package.TcpClient(HOST, port, max_in_flight=16, timeout=PATIENCE) as client,
    ):
        found = package.each(16, client.read_holding_registers)
        assert found == [[index] for index in range(16)]


@pytest.mark.parametrize("max_in_flight", [1, 2, 16])
def test_many_calls_of_many_callers_all_get_their_own_answers(
    package: Package, max_in_flight: int
) -> None:
    def run(index: int) -> bool:
        return all(
            client.read_holding_registers(address) == [address]
            for address in range(index * 100, index * 100 + 60)
        )

    with (
        tcp_server(answer_reads) as port,
        package.TcpClient(HOST, port, max_in_flight=max_in_flight, timeout=PATIENCE) as client,
    ):
        assert all(package.each(24, run))


def test_no_more_than_allowed_are_under_way(package: Package) -> None:
    """Many servers accept few requests at the same time, and drop the others."""

    def script(peer: SocketPeer) -> None:
        waiting = peer.request(24)
        for left in (3, 2, 1, 0):
            assert len(waiting) <= 24
            request, waiting = waiting[:12], waiting[12:]
            peer.send(answer_to(request))
            if left > 1:
                waiting += peer.request()

    with (
        tcp_server(script) as port,
        package.TcpClient(HOST, port, max_in_flight=2, timeout=PATIENCE) as client,
    ):
        found = package.each(4, client.read_holding_registers)
        assert found == [[index] for index in range(4)]


def test_one_that_times_out_holds_nobody_up(package: Package) -> None:
    """Address 0 gets no response; its caller may be the one that receives for all callers."""

    def script(peer: SocketPeer) -> None:
        rest = b""
        while data := peer.receive():
            rest += data
            whole = len(rest) - len(rest) % 12
            peer.send(*[answer_to(each) for each in requests_in(rest[:whole]) if address_in(each)])
            rest = rest[whole:]

    def run(index: int) -> object:
        if index:
            return [client.read_holding_registers(index) for _ in range(50)]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        return None

    with (
        tcp_server(script) as port,
        package.TcpClient(HOST, port, max_in_flight=16, timeout=PATIENCE) as client,
    ):
        assert package.each(8, run) == [None] + [[[index]] * 50 for index in range(1, 8)]


def test_a_short_timeout_is_kept_while_another_waits_long(package: Package) -> None:
    first_is_in, done = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        first_is_in.set()
        peer.request()
        assert done.wait(PATIENCE)
        peer.send(mbap(first, registers(7)))

    with (
        tcp_server(script) as port,
        package.TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        long = package.start(lambda: client.read_holding_registers(7, timeout=2 * PATIENCE))
        package.wait(first_is_in)
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(8, timeout=SHORT)
        assert not long.is_over
        done.set()
        assert long.result() == [7]


def test_all_who_wait_are_told_that_the_connection_is_lost(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        peer.request(4 * 12)  # then it is closed

    def run(index: int) -> None:
        with pytest.raises(ConnectionLostError):
            client.write_register(index, 1)

    with (
        tcp_server(script) as port,
        package.TcpClient(HOST, port, max_in_flight=4, timeout=PATIENCE) as client,
    ):
        package.each(4, run)


def test_close_ends_the_calls_of_all(package: Package) -> None:
    arrived = threading.Event()

    def script(peer: SocketPeer) -> None:
        peer.request(2 * 12)
        arrived.set()
        peer.expect_end()

    def run() -> str:
        with pytest.raises(ConnectionLostError) as caught:
            client.read_holding_registers(1, timeout=2 * PATIENCE)
        return str(caught.value)

    with (
        tcp_server(script) as port,
        package.TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        sent = [package.start(run) for _ in range(2)]
        package.wait(arrived)
        client.close()
        for each in sent:
            assert "the client was closed" in each.result()


def test_close_ends_the_calls_that_wait_for_a_link(package: Package) -> None:
    """The link that was being opened is not left open."""
    begun, go = threading.Event(), threading.Event()

    class Slow(package.TcpClient):  # type: ignore[name-defined,misc]
        def _open_link(self) -> Any:
            begun.set()
            package.wait(go)
            return super()._open_link()

    with package.TcpServer(Units({1: memory_unit()}), (HOST, 0)) as server:
        client = Slow(HOST, server.address[1])
        callers = [package.start(lambda: client.read_holding_registers(5)) for _ in range(3)]
        package.wait(begun)
        client.close()
        go.set()
        for caller in callers:
            with pytest.raises(ConnectionLostError, match="the client was closed"):
                caller.result()
        assert not client.is_open
        assert client.read_holding_registers(6) == [6]
        client.close()


def test_callers_on_one_serial_line_take_turns(package: Package) -> None:
    """RTU has no transaction ids: a request is sent after the previous response."""

    def script(peer: PtyPeer) -> None:
        for _ in range(32):
            request = peer.request(8)
            assert len(request) == 8
            peer.send(rtu(request[0], registers(int.from_bytes(request[2:4], "big"))))

    def run(index: int) -> object:
        return [client.read_holding_registers(index, unit=index + 1) for _ in range(4)]

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        assert package.each(8, run) == [[[index]] * 4 for index in range(8)]


def test_callers_that_share_a_udp_client_send_a_datagram_each(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        for _ in range(40):
            request = peer.receive()
            assert len(request) == 12
            peer.send(answer_to(request))

    def run(index: int) -> object:
        return [client.read_holding_registers(index) for _ in range(5)]

    with (
        udp_server(script) as port,
        package.UdpClient(HOST, port, max_in_flight=8, timeout=PATIENCE) as client,
    ):
        assert package.each(8, run) == [[[index]] * 5 for index in range(8)]


def test_callers_share_the_failure_to_open_the_link(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sixteen callers and a dead port, each waits for one attempt, not for sixteen."""
    begun, go = threading.Event(), threading.Event()
    called: list[int] = []
    attempts: list[str] = []

    def serial_for_url(url: str, **settings: object) -> Any:
        attempts.append(url)
        begun.set()
        assert go.wait(PATIENCE)
        raise OSError("nobody is there")

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    client = package.SerialClient("rfc2217://192.0.2.1:2217")

    def run() -> str:
        called.append(1)
        with pytest.raises(ConnectionLostError) as caught:
            client.read_holding_registers(1)
        return str(caught.value)

    callers = [package.start(run) for _ in range(16)]
    package.wait(begun)
    package.wait_until(lambda: len(called) == 16)
    go.set()
    assert all("nobody is there" in caller.result() for caller in callers)
    assert len(attempts) < 16  # callers that came after the failure make their own attempt


def test_an_unexpected_error_while_the_link_opens_comes_out_as_it_is(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serial_for_url(url: str, **settings: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    with pytest.raises(ZeroDivisionError):
        package.SerialClient("/dev/ttyUSB0").read_coils(0)


def test_a_client_survives_connections_that_break_all_the_time(package: Package) -> None:
    """Every connection breaks after some responses; all reads of 8 callers still succeed."""

    def mortal(peer: SocketPeer) -> None:
        for _ in range(20):
            data = peer.receive()
            peer.send(*map(answer_to, requests_in(data[: len(data) - len(data) % 12])))

    def run(index: int) -> int:
        answered = 0
        for _ in range(60):
            try:
                assert client.read_holding_registers(index) == [index]
                answered += 1
            except ConnectionLostError:
                pass
        return answered

    with (
        tcp_service(mortal) as port,
        package.TcpClient(HOST, port, max_in_flight=8, timeout=PATIENCE) as client,
    ):
        assert all(package.each(8, run))
        package.wait_until(lambda: run(9))
