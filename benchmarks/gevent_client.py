"""Clients on gevent, without monkey-patching, beside the shortest client for the same bytes.

Each sample opens a connection; only the calls are timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import repeat
from time import perf_counter

import gevent
from gevent import socket
from gevent.event import Event
from rounds import FLOOR, OURS, Sample
from servers import ADDRESS, ANSWER, COUNT, REQUEST, REQUESTS, check_values

# Makes `count` calls on its own connection; returns the seconds that one call took.
Timed = Callable[[int, int], float]


def _connect(port: int) -> socket.socket:
    """Return a connection that was used once, like those of the other clients."""
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(REQUEST)
    if link.recv(4096) != ANSWER:
        raise RuntimeError("the server did not answer as it should")
    return link


def _raw(port: int, count: int) -> float:
    """One caller: sendall, recv."""
    with _connect(port) as link:
        send, receive = link.sendall, link.recv
        started = perf_counter()
        for _ in repeat(None, count):
            send(REQUEST)
            if len(receive(4096)) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")
        return (perf_counter() - started) / count


def _raw_timeout(port: int, count: int) -> float:
    """The same with a timeout for each call, like any client."""
    with _connect(port) as link:
        link.settimeout(3.0)
        send, receive = link.sendall, link.recv
        started = perf_counter()
        for _ in repeat(None, count):
            send(REQUEST)
            if len(receive(4096)) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")
        return (perf_counter() - started) / count


def _raw_shared(port: int, count: int) -> float:
    """A greenlet for each of `REQUESTS`, and one that assigns the answers by transaction id.

    So few bytes always fit into the socket's buffer; thus no sendall() waits during another one.
    """
    size = len(ANSWER)
    waiting: dict[bytes, Event] = {}
    with _connect(port) as link:

        def read() -> None:
            data = b""
            while more := link.recv(4096):
                data += more
                while len(data) >= size:
                    waiting.pop(data[:2]).set()
                    data = data[size:]

        def call(request: bytes) -> None:
            transaction = request[:2]
            for _ in repeat(None, count // len(REQUESTS)):
                answered = waiting[transaction] = Event()
                link.sendall(request)
                answered.wait()

        reading = gevent.spawn(read)
        started = perf_counter()
        gevent.joinall([gevent.spawn(call, request) for request in REQUESTS], raise_error=True)
        took = perf_counter() - started
        reading.kill()
        return took / count


def _modwire(port: int, count: int) -> float:
    from modwire_gevent import TcpClient

    with TcpClient("127.0.0.1", port) as client:
        check_values(client.read_holding_registers(ADDRESS, COUNT))
        started = perf_counter()
        for _ in repeat(None, count):
            client.read_holding_registers(ADDRESS, COUNT)
        return (perf_counter() - started) / count


def _modwire_shared(port: int, count: int) -> float:
    from modwire_gevent import TcpClient

    callers = len(REQUESTS)
    with TcpClient("127.0.0.1", port, max_in_flight=callers) as client:
        check_values(client.read_holding_registers(ADDRESS, COUNT))

        def call() -> None:
            for _ in repeat(None, count // callers):
                client.read_holding_registers(ADDRESS, COUNT)

        started = perf_counter()
        gevent.joinall([gevent.spawn(call) for _ in range(callers)], raise_error=True)
        return (perf_counter() - started) / count


ONE: dict[str, Timed] = {FLOOR: _raw, OURS: _modwire, "raw with timeout": _raw_timeout}
SHARED: dict[str, Timed] = {FLOOR: _raw_shared, OURS: _modwire_shared}


def samples(port: int, callers: int, count: int) -> dict[str, Sample]:
    """Return the clients for one caller, or for as many as there are `REQUESTS`."""
    clients = ONE if callers == 1 else SHARED
    return {name: partial(timed, port, count) for name, timed in clients.items()}
