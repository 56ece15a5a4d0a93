"""Servers that answer with 10 holding registers, beside a raw epoll loop with canned answers.

The load comes from plain sockets and is the same for all. It checks the bytes of the first answer,
then only the size. Load and server share one processor. The families trio and gevent have the same
load.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import repeat
from typing import NamedTuple

from import_cost import installed
from rounds import FLOOR, OURS, Loop, Row, Settings, rate_row, wall_sample
from servers import (
    ANSWER,
    CANNED,
    PIPELINED,
    REQUEST,
    WRITE_ONE,
    WRITE_TEN,
    allow_open_files,
    running,
)

SERVERS = {
    FLOOR: ("raw", "socket"),
    OURS: ("modwire", "modwire_sync"),
    "pyModbusTCP": ("pyModbusTCP", "pyModbusTCP"),
    "pymodbus": ("pymodbus", "pymodbus"),
}
# Timeout of an answer: 3 seconds. It is a socket option, because settimeout() would add a system
# call to every recv().
_PATIENCE = struct.pack("ll", 3, 0)
_OTHER_FILES = 100  # open files of a process in addition to its connections


class Case(NamedTuple):
    """One kind of load."""

    name: str
    load: Callable[[int, ExitStack], Loop]
    rate: int  # requests per second, about; it only affects how long a sample takes
    at_once: int
    connections: int
    target: float | None
    pymodbus: float | None = None  # the wanted multiple of its rate


def _connect(port: int, stack: ExitStack) -> socket.socket:
    link = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
    link.sendall(REQUEST)
    if _receive(link) != ANSWER:
        raise RuntimeError("a server did not answer as it should")
    return link


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(4096)
    except BlockingIOError:
        raise TimeoutError("a server did not answer") from None


def _one(port: int, stack: ExitStack, request: bytes = REQUEST) -> Loop:
    """One request, one answer, on one connection."""
    link = _connect(port, stack)
    size = len(CANNED[request[7]][1])

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            link.sendall(request)
            _take(link, size)

    return loop


def _many(port: int, stack: ExitStack, connections: int) -> Loop:
    """A request on each of the connections, then the answers."""
    links = [_connect(port, stack) for _ in range(connections)]

    def loop(count: int) -> None:
        for _ in repeat(None, count // connections):
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
    link.sendall(requests)
    _take(link, size)

    def loop(count: int) -> None:
        for _ in repeat(None, count // PIPELINED):
            link.sendall(requests)
            _take(link, size)

    return loop


def _take(link: socket.socket, size: int) -> None:
    while size > 0:
        data = _receive(link)
        if not data:
            raise ConnectionError("a server closed the connection")
        size -= len(data)
    if size:
        raise RuntimeError("a server sent more than was asked for")


def cases(
    one: float,
    fifty: float,
    thousand: float | None,
    pipelined: float | None,
    pymodbus: float | None,
) -> tuple[Case, ...]:
    """Return the loads, each with the minimum ratio to the floor that is wanted."""
    return (
        Case("1 connection", _one, 15_000, 1, 1, one, pymodbus),
        Case("50 connections", partial(_many, connections=50), 20_000, 50, 50, fifty, pymodbus),
        Case(
            "1,000 connections",
            partial(_many, connections=1000),
            20_000,
            1000,
            1000,
            thousand,
            pymodbus,
        ),
        Case("1 connection, 16 pipelined", _pipelined, 80_000, PIPELINED, 1, pipelined, pymodbus),
        Case("FC6, 1 connection", partial(_one, request=WRITE_ONE), 15_000, 1, 1, None),
        Case("FC16 of 10, 1 connection", partial(_one, request=WRITE_TEN), 15_000, 1, 1, None),
    )


def run(settings: Settings) -> list[Row]:
    """Return a row for each kind of load, with every server that is installed."""
    loads = cases(one=0.75, fifty=0.65, thousand=None, pipelined=0.30, pymodbus=None)
    return compare("server", "FC3 of 10", SERVERS, loads, settings)


def compare(
    family: str,
    title: str,
    servers: dict[str, tuple[str, str]],
    loads: Sequence[Case],
    settings: Settings,
) -> list[Row]:
    """Return a row for each of `loads`; `servers` maps a name to a kind and the module it needs."""
    rows = []
    with ExitStack() as stack:
        possible = []
        for case in loads:  # before the servers are started, because they inherit the limit
            if allow_open_files(len(servers) * case.connections + _OTHER_FILES):
                possible.append(case)
            else:
                print(f"{family}: too few files may be open for {case.name}, so it is left out")
        ports = {}
        for name, (kind, module) in servers.items():
            if installed(module):
                ports[name] = stack.enter_context(running(kind))
            else:
                print(f"{family}: {name} is not installed, so it is left out")
        for case in possible:
            count = case.at_once * max(1, int(settings.sample * 5 * case.rate / case.at_once))
            # Connections are closed before the next case opens its own.
            with ExitStack() as links:
                samples = {}
                for name, port in ports.items():
                    try:
                        samples[name] = wall_sample(case.load(port, links), count)
                    except (TimeoutError, ConnectionError):
                        if name in (FLOOR, OURS):
                            raise
                        print(
                            f"{family}: {name} does not answer all of {case.name}, "
                            "so it is left out"
                        )
                least = None if case.pymodbus is None else ("pymodbus", case.pymodbus)
                rows.append(
                    rate_row(
                        family,
                        _title(title, case.name),
                        samples,
                        settings.rounds,
                        case.target,
                        least,
                    )
                )
    return rows


def _title(title: str, case: str) -> str:
    """Return the name of a row; a case may have another function than the title."""
    server, _, _ = title.rpartition("FC3")
    return f"{server}{case}" if case.startswith("FC") else f"{title}, {case}"
