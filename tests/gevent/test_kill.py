"""Callers that are killed or timed out while they wait: other calls are not affected."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable

import gevent
import pytest

from gevent_package import GeventPackage, Green
from modwire_gevent import SerialClient, TcpClient
from own_sockets import SMALL, fill, needs_proc, queued, room
from packages import HOST
from peers import (
    PATIENCE,
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

pytestmark = pytest.mark.long

PACKAGE = GeventPackage()
LONG = 2 * PATIENCE  # seconds: the timeout of calls that end for another reason


def kill(caller: Green) -> None:
    caller.kill()


def time_out(caller: Green) -> None:
    """Raise a `gevent.Timeout` in the caller, which must get it unchanged."""
    error = gevent.Timeout()
    caller.kill(error)
    assert caller.error is error


@pytest.mark.parametrize("interrupt", [kill, time_out])
def test_a_caller_that_is_alone(interrupt: Callable[[Green], None]) -> None:
    asked, interrupted = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        asked.set()
        assert interrupted.wait(PATIENCE)
        second = peer.request()
        peer.send(mbap(first, registers(111)), mbap(second, registers(222)))

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=LONG) as client:
        caller = Green(lambda: client.read_holding_registers(0))
        PACKAGE.wait(asked)
        interrupt(caller)
        interrupted.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


def test_the_timeout_of_a_caller_comes_out_as_it_is() -> None:
    """This also holds for an error class that the link itself might raise."""

    def script(peer: SocketPeer) -> None:
        requests = [peer.request() for _ in range(3)]
        peer.send(*[mbap(request, registers(at)) for at, request in enumerate(requests)])

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=LONG) as client:
        with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.02) as mine:
            client.read_holding_registers(0)
        assert caught.value is mine
        error = ConnectionResetError("mine")
        with pytest.raises(ConnectionResetError) as reset, gevent.Timeout(0.02, error):
            client.read_holding_registers(0)
        assert reset.value is error
        assert client.is_open
        assert client.read_holding_registers(0) == [2]


@pytest.mark.parametrize("victim", [0, 1, 2], ids=["the one who receives", "second", "third"])
def test_one_of_three(victim: int) -> None:
    asked, killed = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        data = peer.request(36)
        asked.set()
        assert killed.wait(PATIENCE)
        for at in (24, 12, 0):
            request = data[at : at + 12]
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))
        answer_reads(peer)

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=3, timeout=LONG) as client:
        callers = [
            Green(lambda address=address: client.read_holding_registers(address))  # type: ignore[misc]
            for address in range(3)
        ]
        PACKAGE.wait(asked)
        callers[victim].kill()
        killed.set()
        for address, caller in enumerate(callers):
            if address != victim:
                assert caller.result() == [address]
        assert client.read_holding_registers(7) == [7]


def test_the_request_of_one_who_waits_for_a_free_place_is_never_sent() -> None:
    asked, killed = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        asked.set()
        assert killed.wait(PATIENCE)
        peer.send(mbap(first, registers(1)))
        third = peer.request()
        assert third[8:10] == b"\0\3"
        peer.send(mbap(third, registers(3)))

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=LONG) as client:
        first, second, third = (
            Green(lambda n=n: client.read_holding_registers(n))  # type: ignore[misc]
            for n in (1, 2, 3)
        )
        PACKAGE.wait(asked)
        second.kill()
        killed.set()
        assert (first.result(), third.result()) == ([1], [3])


def test_one_who_frees_a_place_lets_the_next_be_sent_at_once() -> None:
    asked = threading.Event()

    def script(peer: SocketPeer) -> None:
        peer.request()
        asked.set()
        request = peer.request()
        peer.send(mbap(request, registers(2)))

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=LONG) as client:
        first = Green(lambda: client.read_holding_registers(1))
        second = Green(lambda: client.read_holding_registers(2))
        PACKAGE.wait(asked)
        first.kill()
        assert second.result() == [2]


def test_one_who_is_killed_when_the_turn_to_receive_was_just_passed_to_it() -> None:
    """The kill comes after it was woken and before it runs."""
    killed = threading.Event()

    def script(peer: SocketPeer) -> None:
        requests = peer.request(36)
        peer.send(mbap(requests[:12], registers(1)))
        assert killed.wait(PATIENCE)
        peer.send(mbap(requests[24:], registers(3)))

    with tcp_server(script) as port, TcpClient(HOST, port, max_in_flight=3, timeout=LONG) as client:

        def first() -> object:
            found = client.read_holding_registers(1)
            second.greenlet.kill(block=False)
            return found

        receiver = Green(first)
        second = Green(lambda: client.read_holding_registers(2))
        third = Green(lambda: client.read_holding_registers(3))
        assert receiver.result() == [1]
        second.greenlet.join(PATIENCE)
        killed.set()
        assert third.result() == [3]


# Requests of which a part is sent. The far end reads nothing, so the connection can be filled.


class Filled:
    """A connection that is full of zeros, except for `left` bytes.

    It has received one response before, and `unread` bytes were sent since.
    """

    def __init__(self, port: int, left: int, unread: int = 0) -> None:
        self.zeros = room(1, unread) - left
        assert fill(port, self.zeros) == self.zeros
        self._port = port
        self._left = left
        self._queued = queued(port)

    def wait_until_tried(self) -> None:
        """Let the greenlets send as much as they can: the remaining bytes."""
        gevent.idle()
        if queued(self._port) != self._queued + self._left:
            pytest.skip("the system has kept another number of bytes than in the same case before")


@needs_proc
def test_one_whose_request_is_half_sent_closes_the_link() -> None:
    """The reads of other callers are retried on the next link."""
    killed = threading.Event()

    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        assert killed.wait(PATIENCE)
        assert peer.request(12 + filled.zeros + 5)[8:10] == b"\0\1"
        peer.expect_end()

    with (
        tcp_server(first, answer_reads, buffer=SMALL) as port,
        TcpClient(HOST, port, max_in_flight=3, timeout=LONG) as client,
    ):
        client.read_holding_registers(0)
        other = Green(lambda: client.read_holding_registers(1))
        gevent.idle()
        filled = Filled(port, 5, unread=12)
        victim = Green(lambda: client.write_register(2, 2))
        filled.wait_until_tried()
        late = Green(lambda: client.read_holding_registers(3))
        gevent.idle()
        victim.kill()
        killed.set()
        assert other.result() == [1]
        assert late.result() == [3]


@needs_proc
def test_one_who_is_alone_and_whose_request_is_half_sent() -> None:
    killed = threading.Event()

    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        assert killed.wait(PATIENCE)
        peer.request(filled.zeros + 5)
        peer.expect_end()

    with (
        tcp_server(first, answer_reads, buffer=SMALL) as port,
        TcpClient(HOST, port, timeout=LONG) as client,
    ):
        client.read_holding_registers(0)
        filled = Filled(port, 5)
        victim = Green(lambda: client.write_register(2, 2))
        filled.wait_until_tried()
        victim.kill()
        killed.set()
        assert not client.is_open
        assert client.read_holding_registers(3) == [3]


@needs_proc
def test_a_request_of_which_nothing_could_be_sent_is_never_sent() -> None:
    killed = threading.Event()

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        assert killed.wait(PATIENCE)
        request = peer.request(filled.zeros + 12)[filled.zeros :]
        assert request[7:10] == b"\3\0\3"
        peer.send(mbap(request, registers(3)))

    with (
        tcp_server(script, buffer=SMALL) as port,
        TcpClient(HOST, port, timeout=LONG) as client,
    ):
        client.read_holding_registers(0)
        filled = Filled(port, 0)
        victim = Green(lambda: client.write_register(2, 2))
        filled.wait_until_tried()
        victim.kill()
        killed.set()
        assert client.is_open
        assert client.read_holding_registers(3) == [3]


@needs_proc
def test_another_than_the_one_whose_request_is_half_sent_leaves_the_link() -> None:
    killed = threading.Event()

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        assert killed.wait(PATIENCE)
        data = peer.request(12 + filled.zeros + 12)
        peer.send(*[mbap(request, registers(request[9])) for request in (data[:12], data[-12:])])

    with (
        tcp_server(script, buffer=SMALL) as port,
        TcpClient(HOST, port, max_in_flight=3, timeout=LONG) as client,
    ):
        client.read_holding_registers(0)
        victim = Green(lambda: client.read_holding_registers(1))
        gevent.idle()
        filled = Filled(port, 5, unread=12)
        other = Green(lambda: client.read_holding_registers(2))
        filled.wait_until_tried()
        victim.kill()
        killed.set()
        assert other.result() == [2]
        assert client.is_open


# Serial lines.


def test_on_a_serial_line_the_late_answer_is_not_the_next_ones() -> None:
    """The unit may be sending it: the line is busy until it has arrived."""
    asked, killed = threading.Event(), threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        asked.set()
        assert killed.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    with serial_line(script) as path, SerialClient(path, timeout=LONG) as client:
        victim = Green(lambda: client.read_holding_registers(0))
        PACKAGE.wait(asked)
        victim.kill()
        killed.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


# Many.


def shuffled_reads(peer: SocketPeer) -> None:
    """Answer reads in any order, some only after later requests or a short time."""
    dice = random.Random(2)
    held: list[bytes] = []
    rest = b""
    while True:
        peer.socket.settimeout(0.002)
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
        peer.socket.settimeout(PATIENCE)
        peer.send(b"".join(answers))


def test_thousands_of_kills_among_sixteen_callers() -> None:
    """Each completed call has its own response, none waits for ever, and the link stays."""
    dice = random.Random(1)
    completed = kills = 0
    numbers = itertools.count()
    faults: list[object] = []

    def caller() -> None:
        nonlocal completed
        while True:
            number = next(numbers) & 0xFFFF
            with gevent.Timeout(dice.choice([None, None, 0.001]), False):
                found = client.read_holding_registers(number)
                if found != [number]:
                    faults.append((number, found))
                completed += 1

    with (
        tcp_server(shuffled_reads) as port,
        TcpClient(HOST, port, max_in_flight=16, timeout=LONG) as client,
    ):
        callers = [gevent.spawn(caller) for _ in range(16)]
        while kills < 3000 or completed < 300:
            gevent.sleep(dice.choice([0, 0, 0, 0.001]))  # at any stage of a call
            victim = dice.randrange(16)
            callers[victim].kill(block=not dice.randrange(5), timeout=PATIENCE)
            callers[victim] = gevent.spawn(caller)
            kills += 1
        gevent.killall(callers, timeout=PATIENCE)
        assert all(each.dead for each in callers)
        assert not faults
        found = PACKAGE.each(16, client.read_holding_registers)
        assert found == [[number] for number in range(16)]
