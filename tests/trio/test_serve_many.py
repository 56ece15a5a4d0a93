"""`serve_tcp` with 1,000 connections at once: every answer is right, and nothing is left behind."""

from __future__ import annotations

import os
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from modwire_trio import serve_tcp
from serving_peers import served, single, until

CONNECTIONS = 1000
REQUESTS = 100  # on each
_BOUND = 50.0  # seconds


@contextmanager
def open_files(count: int) -> Iterator[None]:
    """Let this process have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this system allows {hard} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def load(address: tuple[str, int]) -> int:
    """Ask 100 times on each of 1,000 connections; how many answers were right."""
    right = 0
    end = time.monotonic() + _BOUND
    links: dict[int, socket.socket] = {}
    asked = dict.fromkeys(range(CONNECTIONS), 0)
    numbers: dict[int, int] = {}
    poll = select.epoll()
    try:
        for number in range(CONNECTIONS):
            link = socket.create_connection(address)
            link.setblocking(False)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            links[link.fileno()] = link
            numbers[link.fileno()] = number
        for fd, link in links.items():
            poll.register(fd, select.EPOLLIN)
            link.send(_request(numbers[fd], 0))
        pending = CONNECTIONS
        while pending:
            assert time.monotonic() < end, f"{pending} connections still wait for an answer"
            for fd, _ in poll.poll(1.0):
                number = numbers[fd]
                data = links[fd].recv(4096)
                assert data == _answer(number, asked[number]), f"connection {number}: {data.hex()}"
                right += 1
                asked[number] += 1
                if asked[number] < REQUESTS:
                    links[fd].send(_request(number, asked[number]))
                else:
                    pending -= 1
    finally:
        poll.close()
        for link in links.values():
            link.close()
    return right


def _place(number: int, turn: int) -> tuple[bytes, int, int]:
    """The transaction, the address and the count of one request: others than its neighbours'."""
    transaction = (number * 131 + turn) & 0xFFFF
    return transaction.to_bytes(2, "big"), (number + turn) % 90, 1 + (number * 7 + turn) % 10


def _request(number: int, turn: int) -> bytes:
    transaction, address, count = _place(number, turn)
    return transaction + bytes((0, 0, 0, 6, 1, 3, 0, address, 0, count))


def _answer(number: int, turn: int) -> bytes:
    transaction, address, count = _place(number, turn)
    values = b"".join(bytes((0, address + index)) for index in range(count))
    return transaction + bytes((0, 0, 0, 3 + 2 * count, 1, 3, 2 * count)) + values


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="the load needs epoll")
def test_1000_connections_with_100_requests_each_are_all_answered() -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0) as server:
            before = _open_files()
            threads = threading.active_count()
            right = await trio.to_thread.run_sync(load, server.address)
            assert right == CONNECTIONS * REQUESTS
            await until(lambda: _open_files() <= before)
            assert threading.active_count() <= threads + 1

    with open_files(2 * CONNECTIONS + 200):
        trio.run(main)


def _open_files() -> int:
    directory = Path("/proc/self/fd")
    return len(os.listdir(directory)) if directory.is_dir() else 0
