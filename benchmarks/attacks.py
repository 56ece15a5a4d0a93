"""The attacks of hostile.py, each in a process of its own: `python attacks.py ATTACK PORT COUNT`.

An attacker prints a line when it begins, attacks until its standard input is closed, and prints
how much it did and the seconds that this took.
"""

from __future__ import annotations

import os
import random
import select
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count as count_up
from typing import NamedTuple

from servers import ANSWER, PIPELINED, REQUEST

_BURST = 256  # requests that a hog keeps under way
_BYTE_EVERY = 0.5  # seconds between two bytes of a slow client
_LONG_READ = bytes.fromhex("000100000006 01 03 0000 007D")  # 12 bytes that ask for 259
_LONG_WRITE = bytes.fromhex("0001000000FE 01 10 0000 007B F6") + bytes(246)
_HALF = len(REQUEST) // 2
_NO_LINGER = struct.pack("ii", 1, 0)  # close() resets the connection
_RANDOM = random.Random(13).randbytes(1 << 16)
# Bytes of which many could begin an RTU frame: the server has to look at each of these.
_PATTERNS = [
    bytes.fromhex(each) * 2048 for each in ("2b0e", "08", "10", "10f0", "0f", "010f", "55")
]
_PATTERNS.append(_RANDOM)

# Does one step each time: the first one opens connections. Yields how much it did.
Steps = Iterator[int]


class Attack(NamedTuple):
    """An attack on the kind of server `link` with `count` connections, and the unit of its rate."""

    title: str
    link: str  # "tcp", "rtu" for RTU over TCP, or "udp"
    steps: Callable[[int, int], Steps]  # arguments: the port and the number of connections
    count: int
    unit: str


def _connect(port: int) -> socket.socket:
    """Return a socket that does not block, and is connected unless the server's queue is full."""
    link = socket.socket()
    # Closed connections keep their ports for a minute, so one address has too few of them.
    link.bind((f"127.0.0.{next(_hosts) % 250 + 2}", 0))
    link.setblocking(False)
    link.connect_ex(("127.0.0.1", port))
    return link


def opened(port: int) -> socket.socket | None:
    """Return a connected socket, or None if the server's queue is full."""
    link = _connect(port)
    try:
        link.getpeername()
    except OSError:
        link.close()
        return None
    return link


_hosts = count_up()


def _send(link: socket.socket, data: bytes) -> int:
    """Send what the socket takes; return how many bytes that is, or -1 if the server has closed."""
    try:
        return link.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return -1


def connects(port: int, _: int) -> Steps:
    """Open connections and close them at once."""
    yield 0
    while True:
        link = opened(port)
        if link is not None:
            link.close()
        yield link is not None


def holds(port: int, count: int) -> Steps:
    """Open connections without pause, and hold the last `count` of them."""
    held: deque[socket.socket] = deque()
    yield 0
    while True:
        link = opened(port)
        if link is not None:
            held.append(link)
        if len(held) > count:
            held.popleft().close()
        yield link is not None


def slow(port: int, count: int) -> Steps:
    """Send a byte of a request each half second on each connection, and never a whole request."""
    links = [(_connect(port), iter(_LONG_WRITE[:-1])) for _ in range(count)]
    yield 0
    due = time.monotonic()
    while True:
        for at, (link, left) in enumerate(links):
            due += _BYTE_EVERY / count
            time.sleep(max(0.0, due - time.monotonic()))
            byte = next(left, None)
            if byte is None or _send(link, bytes((byte,))) < 0:
                link.close()
                links[at] = _connect(port), iter(_LONG_WRITE[:-1])
            yield 1


def never_read(port: int, count: int) -> Steps:
    """Send requests until nothing more is taken, and never read the answers."""
    links = [_connect(port) for _ in range(count)]
    left = [b""] * count
    yield 0
    while True:
        sent = 0
        for at, link in enumerate(links):
            left[at] = left[at] or _LONG_READ * _BURST
            taken = _send(link, left[at])
            left[at] = left[at][max(0, taken) :]
            sent += max(0, taken)
            yield max(0, taken) // len(_LONG_READ)
        if not sent:
            time.sleep(0.01)


def hogs(port: int, count: int) -> Steps:
    """Keep connections full of requests, and read the answers."""
    poll = select.epoll()
    links: dict[int, socket.socket] = {}
    left: dict[int, bytes] = {}  # by descriptor, as `owed`: the bytes of an incomplete answer
    owed: dict[int, int] = {}
    for _ in range(count):
        link = _connect(port)
        links[link.fileno()], left[link.fileno()] = link, REQUEST * _BURST
        owed[link.fileno()] = 0
        poll.register(link, select.EPOLLIN | select.EPOLLOUT)
    yield 0
    while True:
        answered = 0
        for number, mask in poll.poll(0.1, 64):
            link = links[number]
            if mask & select.EPOLLIN:
                whole, owed[number] = divmod(owed[number] + len(link.recv(65536)), len(ANSWER))
                answered += whole
                if not left[number]:
                    poll.modify(number, select.EPOLLIN | select.EPOLLOUT)
                left[number] += REQUEST * whole
            left[number] = left[number][max(0, _send(link, left[number])) :]
            if not left[number]:
                poll.modify(number, select.EPOLLIN)
        yield answered


def garbage(port: int, count: int) -> Steps:
    """Send bytes that are no MBAP header, on a new connection as soon as one is closed."""
    return _throw(port, count, [_RANDOM[at : at + 4096] for at in range(0, 32_000, 777)])


def rtu_garbage(port: int, count: int) -> Steps:
    """Send bytes that could begin RTU frames, on a new connection as soon as one is closed."""
    return _throw(port, count, _PATTERNS)


def _throw(port: int, count: int, pieces: list[bytes]) -> Steps:
    links = [_connect(port) for _ in range(count)]
    turns = count_up()
    thrown = [pieces[next(turns) % len(pieces)] for _ in range(count)]
    yield 0
    while True:
        total = 0
        for at, link in enumerate(links):
            sent = _send(link, thrown[at])
            total += max(0, sent)
            if sent < 0:
                link.close()
                links[at], thrown[at] = _connect(port), pieces[next(turns) % len(pieces)]
        if not total:
            time.sleep(0.0005)
        yield total


def resets(port: int, _: int) -> Steps:
    """Reset connections in the middle of a request, behind whole ones."""
    yield 0
    while True:
        link = opened(port)
        if link is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            _send(link, REQUEST * PIPELINED + REQUEST[:_HALF])
            link.close()
        yield link is not None


def datagrams(port: int, count: int) -> Steps:
    """Send good requests in datagrams, and never read the answers."""
    return _flood(port, count, [REQUEST])


def garbage_datagrams(port: int, count: int) -> Steps:
    """Send datagrams that are no requests, of all sizes."""
    return _flood(port, count, [_RANDOM[at : at + at % 1400] for at in range(0, 32_000, 97)])


def _flood(port: int, count: int, pieces: list[bytes]) -> Steps:
    links = []
    for _ in range(count):
        link = socket.socket(type=socket.SOCK_DGRAM)
        link.connect(("127.0.0.1", port))
        links.append(link)
    yield 0
    while True:
        for link in links:
            for piece in pieces:
                _send(link, piece)
        yield len(links) * len(pieces)


ATTACKS = {
    "connects": Attack("connections opened and closed", "tcp", connects, 1, "connections"),
    "holds": Attack("connections opened and held", "tcp", holds, 3000, "connections"),
    "slow": Attack("a byte each half second", "tcp", slow, 900, "bytes"),
    "readers": Attack("answers never read", "tcp", never_read, 900, "requests"),
    "hogs": Attack("requests without pause", "tcp", hogs, 64, "requests"),
    "garbage": Attack("garbage on TCP", "tcp", garbage, 64, "bytes"),
    "rtu": Attack("garbage on RTU over TCP", "rtu", rtu_garbage, 64, "bytes"),
    "resets": Attack("resets within requests", "tcp", resets, 1, "connections"),
    "datagrams": Attack("flood of good datagrams", "udp", datagrams, 16, "datagrams"),
    "udp-garbage": Attack("flood of garbage datagrams", "udp", garbage_datagrams, 16, "datagrams"),
}


def run_attack(steps: Steps) -> None:
    """Attack until standard input is closed, or until there is no further step."""
    ended = threading.Event()

    def wait_for_end() -> None:
        os.read(0, 1)
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    next(steps)
    print("ready", flush=True)
    began = time.perf_counter()
    done = 0
    for step in steps:
        done += step
        if ended.is_set() and done:  # a busy machine may be late to begin
            break
    print(done, time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        run_attack(ATTACKS[sys.argv[1]].steps(int(sys.argv[2]), int(sys.argv[3])))
