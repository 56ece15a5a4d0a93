"""Threads that share one client: nobody gets another's answer, waits for ever, or suffers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from modwire.errors import ConnectionLostError, ResponseTimeoutError
from modwire_sync import SerialClient, TcpClient, UdpClient
from modwire_sync.links import Link

from .peers import (
    PATIENCE,
    PtyPeer,
    SocketPeer,
    answer_reads,
    keyboard_interrupt,
    mbap,
    registers,
    rtu,
    serial_line,
    tcp_server,
    tcp_service,
    udp_server,
    wait_until_receiving,
)

HOST = "127.0.0.1"
SHORT = 0.05


def in_threads(count: int, run: Callable[[int], object]) -> list[object]:
    """What `run` gives for 0, 1, ... `count` - 1, each in a thread of its own."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run, index) for index in range(count)]
        return [future.result(PATIENCE) for future in futures]


def test_sixteen_requests_are_under_way_at_once_and_answered_in_any_order() -> None:
    def script(peer: SocketPeer) -> None:
        data = peer.request(16 * 12)
        requests = [data[at : at + 12] for at in range(0, len(data), 12)]
        random.Random(3).shuffle(requests)
        for request in requests:
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=16) as client:
        found = in_threads(16, lambda index: client.read_holding_registers(index))
        assert found == [[index] for index in range(16)]


@pytest.mark.parametrize("max_in_flight", [1, 2, 16])
def test_many_calls_of_many_threads_all_get_their_own_answers(max_in_flight: int) -> None:
    def run(index: int) -> bool:
        return all(
            client.read_holding_registers(address) == [address]
            for address in range(index * 100, index * 100 + 60)
        )

    with (
        tcp_server(answer_reads) as port,
        TcpClient(HOST, port, max_in_flight=max_in_flight, timeout=PATIENCE) as client,
    ):
        assert all(in_threads(24, run))


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
        found = in_threads(4, lambda index: client.read_holding_registers(index))
        assert found == [[index] for index in range(4)]


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
        assert in_threads(8, run) == [None] + [[[index]] * 50 for index in range(1, 8)]


def test_a_short_timeout_is_kept_while_another_thread_waits_long() -> None:
    both, done = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        both.set()
        peer.request()
        assert done.wait(PATIENCE)
        peer.send(mbap(first, registers(7)))

    with (
        ThreadPoolExecutor(1) as pool,
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        long = pool.submit(client.read_holding_registers, 7, timeout=PATIENCE)
        assert both.wait(PATIENCE)
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(8, timeout=SHORT)
        assert not long.done()
        done.set()
        assert long.result(PATIENCE) == [7]


def test_all_who_wait_are_told_that_the_connection_is_lost() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request(4 * 12)  # then it is closed

    def run(index: int) -> None:
        with pytest.raises(ConnectionLostError):
            client.write_register(index, 1)

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=4) as client:
        in_threads(4, run)


def test_close_ends_the_calls_of_all_threads() -> None:
    arrived = threading.Event()

    def script(peer: SocketPeer) -> None:
        peer.request(3 * 12)
        arrived.set()
        assert peer.receive() == b""

    def run(index: int) -> None:
        with pytest.raises(ConnectionLostError, match="the client was closed"):
            client.read_holding_registers(index, timeout=PATIENCE)

    with (
        ThreadPoolExecutor(3) as pool,
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=3) as client,
    ):
        futures: list[Future[None]] = [pool.submit(run, index) for index in range(3)]
        assert arrived.wait(PATIENCE)
        client.close()
        for future in futures:
            future.result(PATIENCE)


def test_an_interrupted_receiver_hands_over_and_breaks_no_other_call() -> None:
    main = threading.get_ident()
    first_is_in = threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        first_is_in.set()
        second = peer.request()
        wait_until_receiving(main)
        interrupt()
        assert interrupted.wait(PATIENCE)
        peer.send(mbap(first, registers(1)), mbap(second, registers(2)))
        answer_reads(peer)

    def other() -> list[int]:
        assert first_is_in.wait(PATIENCE)
        return client.read_holding_registers(2, timeout=PATIENCE)

    interrupted = threading.Event()
    with (
        keyboard_interrupt() as interrupt,
        ThreadPoolExecutor(1) as pool,
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        future = pool.submit(other)
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(1, timeout=PATIENCE)
        interrupted.set()
        assert future.result(PATIENCE) == [2]
        assert client.read_holding_registers(3) == [3]


def test_an_interrupted_sleeper_breaks_no_other_call() -> None:
    first_is_in = threading.Event()
    main = threading.get_ident()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        first_is_in.set()
        second = peer.request()
        wait_until_receiving(main, "_sleep")
        interrupt()
        assert interrupted.wait(PATIENCE)
        peer.send(mbap(second, registers(2)), mbap(first, registers(1)))
        answer_reads(peer)

    interrupted = threading.Event()
    with (
        keyboard_interrupt() as interrupt,
        ThreadPoolExecutor(1) as pool,
        tcp_server(script) as port,
        TcpClient(HOST, port, max_in_flight=2) as client,
    ):
        future = pool.submit(client.read_holding_registers, 1, timeout=PATIENCE)
        assert first_is_in.wait(PATIENCE)
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(2, timeout=PATIENCE)
        interrupted.set()
        assert future.result(PATIENCE) == [1]
        assert client.read_holding_registers(3) == [3]


def test_threads_on_one_serial_line_take_turns() -> None:
    """RTU has no transaction ids: a request goes out when the last one is answered."""

    def script(peer: PtyPeer) -> None:
        for _ in range(32):
            request = peer.request(8)
            assert len(request) == 8
            peer.send(rtu(request[0], registers(int.from_bytes(request[2:4], "big"))))

    def run(index: int) -> object:
        return [client.read_holding_registers(index, unit=index + 1) for _ in range(4)]

    with serial_line(script) as path, SerialClient(path, timeout=PATIENCE) as client:
        assert in_threads(8, run) == [[[index]] * 4 for index in range(8)]


def test_threads_share_a_udp_client() -> None:
    def script(peer: SocketPeer) -> None:
        for _ in range(40):
            request = peer.request()
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

    with (
        udp_server(script) as port,
        UdpClient(HOST, port, max_in_flight=8, timeout=PATIENCE) as client,
    ):
        found = in_threads(8, lambda index: [client.read_holding_registers(index)] * 5)
        assert found == [[[index]] * 5 for index in range(8)]
        for _ in range(32):
            client.read_holding_registers(1)


def test_threads_share_the_failure_to_connect() -> None:
    """Sixteen threads and a dead server: each waits for one attempt, not for sixteen."""
    begun, go = threading.Event(), threading.Event()
    attempts: list[int] = []

    class Slow(TcpClient):
        def _open_link(self) -> Link:
            attempts.append(1)
            begun.set()
            assert go.wait(PATIENCE)
            raise OSError("nobody is there")

    client = Slow(HOST, 1)

    def run(index: int) -> str:
        with pytest.raises(ConnectionLostError) as caught:  # noqa: PT012
            waiting.release()
            client.read_holding_registers(index)
        return str(caught.value)

    waiting = threading.Semaphore(0)
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(run, index) for index in range(16)]
        assert begun.wait(PATIENCE)
        for _ in range(16):
            assert waiting.acquire(timeout=PATIENCE)
        go.set()
        found = {future.result(PATIENCE) for future in futures}
    assert all("nobody is there" in each for each in found)
    assert len(attempts) <= 3  # the ones that came late try themselves


def test_a_client_survives_connections_that_break_all_the_time() -> None:
    """Every connection dies after some answers; reads of 8 threads get through all the same."""

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
        assert all(in_threads(8, run))
        assert client.read_holding_registers(9) == [9]
