"""Greenlets that share one client: nobody gets another's answer, waits for ever, or suffers."""

from __future__ import annotations

import random

import gevent
import pytest
from gevent.event import Event

from gevent_peers import HOST, SHORT, green_server, in_greenlets, outcome
from modwire.errors import ConnectionLostError, ResponseTimeoutError
from modwire_gevent import SerialClient, TcpClient, UdpClient
from modwire_gevent.links import Link
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


def test_sixteen_requests_are_under_way_at_once_and_answered_in_any_order() -> None:
    def script(peer: SocketPeer) -> None:
        data = peer.request(16 * 12)
        requests = [data[at : at + 12] for at in range(0, len(data), 12)]
        random.Random(3).shuffle(requests)
        for request in requests:
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=16) as client:
        assert in_greenlets(16, client.read_holding_registers) == [[n] for n in range(16)]


@pytest.mark.parametrize("max_in_flight", [1, 2, 16])
def test_many_calls_of_many_greenlets_all_get_their_own_answers(max_in_flight: int) -> None:
    def run(index: int) -> bool:
        return all(
            client.read_holding_registers(address) == [address]
            for address in range(index * 100, index * 100 + 60)
        )

    with (
        tcp_server(answer_reads) as port,
        TcpClient(HOST, port, max_in_flight=max_in_flight, timeout=PATIENCE) as client,
    ):
        assert all(in_greenlets(24, run))


def test_none_is_preferred() -> None:
    """With one place for 16 callers, each has had one answer before any has two more."""
    turns: list[int] = []

    def run(index: int) -> None:
        for _ in range(10):
            client.read_holding_registers(index)
            turns.append(index)

    with (
        tcp_server(answer_reads) as port,
        TcpClient(HOST, port, timeout=PATIENCE) as client,
    ):
        in_greenlets(16, run)
    for at in range(0, len(turns), 16):
        assert sorted(turns[at : at + 16]) == list(range(16))


def test_no_more_than_allowed_are_under_way() -> None:
    """Many servers take few requests at a time, and drop the others."""

    def script(peer: SocketPeer) -> None:
        waiting = peer.request(24)
        for left in (3, 2, 1, 0):
            assert len(waiting) <= 24
            request, waiting = waiting[:12], waiting[12:]
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))
            if left > 1:
                waiting += peer.request()

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=2) as client:
        assert in_greenlets(4, client.read_holding_registers) == [[n] for n in range(4)]


def test_one_that_times_out_holds_nobody_up() -> None:
    """Address 0 is never answered; its caller may be the one who receives for all."""

    def script(peer: SocketPeer) -> None:
        while data := peer.receive():
            for at in range(0, len(data), 12):
                request = data[at : at + 12]
                address = int.from_bytes(request[8:10], "big")
                if address:
                    peer.send(mbap(request, registers(address)))

    def run(index: int) -> object:
        if index:
            return [client.read_holding_registers(index) for _ in range(50)]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        return None

    with (
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=16, timeout=PATIENCE) as client,
    ):
        assert in_greenlets(8, run) == [None] + [[[index]] * 50 for index in range(1, 8)]


def test_a_short_timeout_is_kept_while_another_waits_long() -> None:
    both, done = Event(), Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        both.set()
        peer.request()
        assert done.wait(PATIENCE)
        peer.send(mbap(first, registers(7)))

    with green_server(script) as port, TcpClient(HOST, port, max_in_flight=2) as client:
        long = gevent.spawn(client.read_holding_registers, 7, timeout=PATIENCE)
        assert both.wait(PATIENCE)
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(8, timeout=SHORT)
        assert not long.dead
        done.set()
        assert long.get(timeout=PATIENCE) == [7]


def test_all_who_wait_are_told_that_the_connection_is_lost() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request(4 * 12)  # then it is closed

    def run(index: int) -> None:
        with pytest.raises(ConnectionLostError):
            client.write_register(index, 1)

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=4) as client:
        in_greenlets(4, run)


def test_close_ends_the_calls_of_all_greenlets() -> None:
    arrived = Event()

    def script(peer: SocketPeer) -> None:
        peer.request(2 * 12)
        arrived.set()
        assert peer.receive() == b""

    with green_server(script) as port, TcpClient(HOST, port, max_in_flight=2) as client:
        callers = [
            outcome(lambda: client.read_holding_registers(1, timeout=PATIENCE)) for _ in range(4)
        ]
        assert arrived.wait(PATIENCE)
        client.close()
        for caller in callers:
            error = caller.get(timeout=PATIENCE)
            assert isinstance(error, ConnectionLostError)
            assert "the client was closed" in str(error)


def test_greenlets_on_one_serial_line_take_turns() -> None:
    """RTU has no transaction ids: a request goes out when the last one is answered."""

    def script(peer: PtyPeer) -> None:
        for _ in range(32):
            request = peer.request(8)
            assert len(request) == 8
            peer.send(rtu(request[0], registers(int.from_bytes(request[2:4], "big"))))

    def run(index: int) -> object:
        return [client.read_holding_registers(index, unit=index + 1) for _ in range(4)]

    with serial_line(script) as path, SerialClient(path, timeout=PATIENCE) as client:
        assert in_greenlets(8, run) == [[[index]] * 4 for index in range(8)]


def test_greenlets_that_share_a_udp_client_send_a_datagram_each() -> None:
    def script(peer: SocketPeer) -> None:
        for _ in range(40):
            request = peer.receive()
            assert len(request) == 12
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

    with (
        udp_server(script) as port,
        UdpClient(HOST, port, max_in_flight=8, timeout=PATIENCE) as client,
    ):
        found = in_greenlets(
            8, lambda index: [client.read_holding_registers(index) for _ in range(5)]
        )
        assert found == [[[index]] * 5 for index in range(8)]


def test_greenlets_share_the_failure_to_connect() -> None:
    """Sixteen greenlets and a dead server: each waits for one attempt, not for sixteen."""
    attempts: list[int] = []
    go = Event()

    class Slow(TcpClient):
        def _open_link(self) -> Link:
            attempts.append(1)
            assert go.wait(PATIENCE)
            raise OSError("nobody is there")

    client = Slow(HOST, 1)
    callers = [outcome(lambda: client.read_holding_registers(1)) for _ in range(16)]
    gevent.sleep(0)
    go.set()
    assert all("nobody is there" in str(caller.get(timeout=PATIENCE)) for caller in callers)
    assert len(attempts) == 1


def test_a_client_survives_connections_that_break_all_the_time() -> None:
    """Every connection dies after some answers; reads of 8 greenlets get through all the same."""

    def mortal(peer: SocketPeer) -> None:
        for _ in range(20):
            data = peer.receive()
            for at in range(0, len(data), 12):
                request = data[at : at + 12]
                peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

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
        TcpClient(HOST, port, max_in_flight=8, timeout=PATIENCE) as client,
    ):
        assert all(in_greenlets(8, run))
        assert client.read_holding_registers(9) == [9]
        client.close()


def test_a_caller_whose_answers_are_there_at_once_lets_others_run() -> None:
    """On one machine an answer may have come before anybody could wait for it."""
    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(0)
        link = client._link
        assert link is not None
        receive = link.receive

        def receive_at_once() -> bytes | None:
            while (data := receive()) is None:
                pass
            return data

        link.receive = receive_at_once  # type: ignore[method-assign]
        turns: list[int] = []

        def count() -> None:
            while True:
                turns.append(1)
                gevent.sleep(0)

        other = gevent.spawn(count)
        for address in range(100):
            assert client.read_holding_registers(address) == [address]
        other.kill()
    assert len(turns) >= 5
