"""Servers that answer 10 holding registers, against a raw epoll loop with canned answers.

The load comes from plain sockets, the same for all, which look at the size of the answers only;
that they are right is looked at once. Load and server share one processor.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from itertools import repeat

from import_cost import installed
from rounds import FLOOR, OURS, Loop, Row, Settings, rate_row, wall_sample
from servers import ANSWER, REQUEST, running

SERVERS = {
    FLOOR: ("raw", "socket"),
    OURS: ("modwire", "modwire_sync"),
    "pyModbusTCP": ("pyModbusTCP", "pyModbusTCP"),
    "pymodbus": ("pymodbus", "pymodbus"),
}
CONNECTIONS, PIPELINED = 50, 16


def _connect(port: int, stack: ExitStack) -> socket.socket:
    link = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(REQUEST)
    if link.recv(4096) != ANSWER:
        raise RuntimeError("a server did not answer as it should")
    return link


def _one(port: int, stack: ExitStack) -> Loop:
    """One request, one answer, on one connection."""
    link = _connect(port, stack)

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            link.sendall(REQUEST)
            _take(link, len(ANSWER))

    return loop


def _many(port: int, stack: ExitStack) -> Loop:
    """A request on each of 50 connections, then the answers."""
    links = [_connect(port, stack) for _ in range(CONNECTIONS)]

    def loop(count: int) -> None:
        for _ in repeat(None, count // CONNECTIONS):
            for link in links:
                link.sendall(REQUEST)
            for link in links:
                _take(link, len(ANSWER))

    return loop


def _pipelined(port: int, stack: ExitStack) -> Loop:
    """16 requests in one segment on one connection, then the answers."""
    link = _connect(port, stack)
    requests = REQUEST * PIPELINED
    size = len(ANSWER) * PIPELINED
    link.settimeout(3.0)
    link.sendall(requests)
    _take(link, size)
    link.settimeout(None)

    def loop(count: int) -> None:
        for _ in repeat(None, count // PIPELINED):
            link.sendall(requests)
            _take(link, size)

    return loop


def _take(link: socket.socket, size: int) -> None:
    while size > 0:
        data = link.recv(4096)
        if not data:
            raise RuntimeError("a server closed the connection")
        size -= len(data)
    if size:
        raise RuntimeError("a server sent more than was asked for")


CASES: tuple[tuple[str, float, Callable[[int, ExitStack], Loop], int, int], ...] = (
    # name, target, load, requests a second (about), requests at once
    ("1 connection", 0.75, _one, 15_000, 1),
    ("50 connections", 0.65, _many, 20_000, CONNECTIONS),
    ("1 connection, 16 pipelined", 0.30, _pipelined, 80_000, PIPELINED),
)


def run(settings: Settings) -> list[Row]:
    """A row for each kind of load, every server that is installed."""
    rows = []
    with ExitStack() as stack:
        ports = {}
        for name, (kind, module) in SERVERS.items():
            if installed(module):
                ports[name] = stack.enter_context(running(kind))
            else:
                print(f"server: {name} is not installed, so it is left out")
        for name, target, load, rate, at_once in CASES:
            count = at_once * max(1, int(settings.sample * 5 * rate / at_once))
            # Connections are closed before the next case opens its own.
            with ExitStack() as links:
                samples = {}
                for each, port in ports.items():
                    try:
                        samples[each] = wall_sample(load(port, links), count)
                    except TimeoutError:
                        print(f"server: {each} does not answer all of {name}, so it is left out")
                rows.append(
                    rate_row("server", f"FC3 of 10, {name}", samples, settings.rounds, target)
                )
    return rows
