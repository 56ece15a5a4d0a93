"""Callers that are killed or timed out where they wait: no other call notices."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from gevent_peers import HOST, green_server, in_greenlets, outcome
from modwire_gevent import Client, SerialClient, TcpClient
from modwire_gevent.links import SocketLink
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

pytestmark = pytest.mark.long


def kill(greenlet: gevent.Greenlet[..., object]) -> None:
    greenlet.kill(timeout=PATIENCE)
    assert greenlet.dead


def time_out(greenlet: gevent.Greenlet[..., object]) -> None:
    """As a `gevent.Timeout` of the caller's does it: thrown from the hub, and let through."""
    error = gevent.Timeout()
    greenlet.kill(error, timeout=PATIENCE)
    assert greenlet.value is error


@pytest.mark.parametrize("interrupt", [kill, time_out])
def test_one_who_is_alone(interrupt: Callable[[gevent.Greenlet[..., object]], None]) -> None:
    asked, interrupted = Event(), Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        asked.set()
        assert interrupted.wait(PATIENCE)
        second = peer.request()
        peer.send(mbap(first, registers(111)), mbap(second, registers(222)))

    with green_server(script) as port, TcpClient(HOST, port) as client:
        caller = outcome(lambda: client.read_holding_registers(0, timeout=PATIENCE))
        assert asked.wait(PATIENCE)
        interrupt(caller)
        interrupted.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


def test_the_timeout_of_a_caller_comes_out_as_it_is() -> None:
    """Also if it is of a kind that the link itself might raise."""

    def script(peer: SocketPeer) -> None:
        first, second = peer.request(), peer.request()
        third = peer.request()
        peer.send(mbap(first, registers(1)), mbap(second, registers(2)), mbap(third, registers(3)))

    with green_server(script) as port, TcpClient(HOST, port) as client:
        with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.02) as mine:
            client.read_holding_registers(0, timeout=PATIENCE)
        assert caught.value is mine
        error = ConnectionResetError("mine")
        with pytest.raises(ConnectionResetError) as reset, gevent.Timeout(0.02, error):
            client.read_holding_registers(0, timeout=PATIENCE)
        assert reset.value is error
        assert client.is_open
        assert client.read_holding_registers(0) == [3]


@pytest.mark.parametrize("victim", [0, 1, 2], ids=["the one who receives", "second", "third"])
def test_one_of_three(victim: int) -> None:
    asked, killed = Event(), Event()

    def script(peer: SocketPeer) -> None:
        data = peer.request(36)
        asked.set()
        assert killed.wait(PATIENCE)
        for at in (24, 12, 0):
            request = data[at : at + 12]
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))
        answer_reads(peer)

    with green_server(script) as port, TcpClient(HOST, port, max_in_flight=3) as client:
        callers = [
            gevent.spawn(client.read_holding_registers, address, timeout=PATIENCE)
            for address in range(3)
        ]
        assert asked.wait(PATIENCE)
        kill(callers[victim])
        killed.set()
        for address, caller in enumerate(callers):
            if address != victim:
                assert caller.get(timeout=PATIENCE) == [address]
        assert client.read_holding_registers(7) == [7]


def test_one_who_waits_for_a_free_place_is_never_sent() -> None:
    asked, killed = Event(), Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        asked.set()
        assert killed.wait(PATIENCE)
        peer.send(mbap(first, registers(1)))
        third = peer.request()
        assert third[8:10] == b"\0\3"
        peer.send(mbap(third, registers(3)))

    with green_server(script) as port, TcpClient(HOST, port, timeout=PATIENCE) as client:
        first, second, third = (gevent.spawn(client.read_holding_registers, n) for n in (1, 2, 3))
        assert asked.wait(PATIENCE)
        kill(second)
        killed.set()
        assert (first.get(timeout=PATIENCE), third.get(timeout=PATIENCE)) == ([1], [3])


def test_one_who_frees_a_place_lets_the_next_be_sent_at_once() -> None:
    asked = Event()

    def script(peer: SocketPeer) -> None:
        peer.request()
        asked.set()
        request = peer.request()
        peer.send(mbap(request, registers(2)))

    with green_server(script) as port, TcpClient(HOST, port, timeout=PATIENCE) as client:
        first = gevent.spawn(client.read_holding_registers, 1)
        second = gevent.spawn(client.read_holding_registers, 2)
        assert asked.wait(PATIENCE)
        kill(first)
        assert second.get(timeout=PATIENCE) == [2]


def test_a_killed_caller_has_the_turn_that_was_just_passed_to_him() -> None:
    """Killed between being woken and running."""

    def script(peer: SocketPeer) -> None:
        first = peer.request(36)
        peer.send(mbap(first[:12], registers(1)))
        asked.wait(PATIENCE)
        peer.send(mbap(first[24:], registers(3)))

    asked = Event()
    with green_server(script) as port, TcpClient(HOST, port, max_in_flight=3) as client:
        callers: list[gevent.Greenlet[..., object]] = []

        def first() -> object:
            found = client.read_holding_registers(1, timeout=PATIENCE)
            callers[1].kill(block=False)
            return found

        callers.append(gevent.spawn(first))
        callers += [
            gevent.spawn(client.read_holding_registers, address, timeout=PATIENCE)
            for address in (2, 3)
        ]
        assert callers[0].get(timeout=PATIENCE) == [1]
        callers[1].join(PATIENCE)
        asked.set()
        assert callers[2].get(timeout=PATIENCE) == [3]


def _half_send(client: Client, monkeypatch: pytest.MonkeyPatch, room: int = 5) -> None:
    """Let the link of `client` have room for few bytes only, from the next sending on."""
    link = client._link
    assert isinstance(link, SocketLink)
    sock = link._sock

    def write(data: bytes) -> int:
        nonlocal room
        size = min(room, len(data))
        if not size:
            raise BlockingIOError
        room -= size
        return sock.send(data[:size])

    class Watcher:
        def stop(self) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr(link, "_write", write)
    monkeypatch.setattr(link, "_watch_room", lambda waiter: Watcher())


def test_one_whose_request_is_half_sent_closes_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others' reads are done again on the next one."""

    def first(peer: SocketPeer) -> None:
        answer_one(peer)
        data = peer.request(12 + 5)
        assert data[8:10] == b"\0\1"
        half.set()
        assert peer.receive() == b""

    def answer_one(peer: SocketPeer) -> None:
        request = peer.request()
        peer.send(mbap(request, registers(0)))

    half = Event()
    with (
        green_server(first, answer_reads) as port,
        TcpClient(HOST, port, max_in_flight=3, timeout=PATIENCE) as client,
    ):
        client.read_holding_registers(0)
        other = gevent.spawn(client.read_holding_registers, 1)
        gevent.sleep(0)
        _half_send(client, monkeypatch)
        victim = gevent.spawn(client.write_register, 2, 2)
        assert half.wait(PATIENCE)
        late = gevent.spawn(client.read_holding_registers, 3)
        gevent.sleep(0)
        kill(victim)
        assert other.get(timeout=PATIENCE) == [1]
        assert late.get(timeout=PATIENCE) == [3]


def test_one_who_is_alone_and_whose_request_is_half_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), registers(0)))
        assert len(peer.request(5)) == 5
        half.set()
        assert peer.receive() == b""

    half = Event()
    with green_server(first, answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(0)
        _half_send(client, monkeypatch)
        victim = gevent.spawn(client.write_register, 2, 2)
        assert half.wait(PATIENCE)
        kill(victim)
        assert not client.is_open
        assert client.read_holding_registers(3) == [3]


def test_one_of_whom_nothing_could_be_sent_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), registers(0)))
        request = peer.request()
        assert request[7:10] == b"\3\0\3"
        peer.send(mbap(request, registers(3)))

    with green_server(script) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(0)
        with monkeypatch.context() as patch:
            _half_send(client, patch, room=0)
            victim = gevent.spawn(client.write_register, 2, 2)
            gevent.sleep(0)
            kill(victim)
        assert client.is_open
        assert client.read_holding_registers(3) == [3]


def test_another_than_the_one_who_is_half_sent_leaves_the_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), registers(0)))
        data = peer.request(12 + 5)
        half.set()
        data += peer.request(7)
        answers = [mbap(data[at : at + 12], registers(at)) for at in (0, 12)]
        peer.send(*answers)

    half = Event()
    with green_server(script) as port, TcpClient(HOST, port, max_in_flight=3) as client:
        client.read_holding_registers(0)
        victim = gevent.spawn(client.read_holding_registers, 1)
        gevent.sleep(0)
        with monkeypatch.context() as patch:
            _half_send(client, patch)
            other = gevent.spawn(client.read_holding_registers, 2)
            assert half.wait(PATIENCE)
            kill(victim)
        assert other.get(timeout=PATIENCE) == [12]
        assert client.is_open


def test_on_a_serial_line_the_late_answer_is_not_the_next_ones() -> None:
    """The unit may be sending it: the line is taken until it has come."""
    asked, killed = threading.Event(), threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        asked.set()
        assert killed.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    with serial_line(script) as path, SerialClient(path) as client:
        victim = gevent.spawn(client.read_holding_registers, 0, timeout=PATIENCE)
        gevent.get_hub().threadpool.apply(asked.wait, (PATIENCE,))
        kill(victim)
        killed.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


def shuffled_reads(peer: SocketPeer) -> None:
    """Answer reads in any order, some only after the next have come or a moment has passed."""
    dice = random.Random(2)
    held: list[bytes] = []
    rest = b""
    peer.socket.settimeout(0.002)
    while True:
        try:
            data = peer.receive()
        except TimeoutError:
            keep = 0
        else:
            if not data:
                return
            rest += data
            whole = len(rest) - len(rest) % 12
            held += [rest[at : at + 12] for at in range(0, whole, 12)]
            rest = rest[whole:]
            dice.shuffle(held)
            keep = dice.randrange(3)
        answers = [
            mbap(request, registers(int.from_bytes(request[8:10], "big")))
            for request in held[keep:]
        ]
        del held[keep:]
        peer.send(b"".join(answers))


def test_ten_thousand_kills_among_sixteen_callers() -> None:
    """Every call that ends has its own answer, none waits for ever, and the link is kept."""
    dice = random.Random(1)
    completed = 0
    numbers = itertools.count()
    faults: list[object] = []

    def caller() -> None:
        nonlocal completed
        while True:
            number = next(numbers) & 0xFFFF
            with gevent.Timeout(dice.choice([None, None, 0.001]), False):
                found = client.read_holding_registers(number, timeout=PATIENCE)
                if found != [number]:
                    faults.append((number, found))
                completed += 1

    with tcp_server(shuffled_reads) as port, TcpClient(HOST, port, max_in_flight=16) as client:
        begin = time.monotonic()
        callers = [gevent.spawn(caller) for _ in range(16)]
        for _ in range(10_000):
            gevent.sleep(dice.choice([0, 0, 0, 0.001]))  # at any stage of a call
            victim = dice.randrange(16)
            callers[victim].kill(block=not dice.randrange(5), timeout=PATIENCE)
            callers[victim] = gevent.spawn(caller)
        gevent.killall(callers, timeout=PATIENCE)
        assert all(each.dead for each in callers)
        assert not faults
        assert completed > 1000
        assert in_greenlets(16, client.read_holding_registers) == [[n] for n in range(16)]
        assert time.monotonic() - begin < 15
