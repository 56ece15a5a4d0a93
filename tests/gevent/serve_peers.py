"""What the tests of the gevent servers share: the peers of `server_peers`, waiting as greenlets."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import gevent
from gevent import select, socket

import server_peers
from modwire import Unit, Units
from server_peers import PATIENCE, READ, READ_ANSWER, memory_unit, rtu, tcp

__all__ = [
    "LOOPBACK",
    "PATIENCE",
    "READ",
    "READ_ANSWER",
    "Gate",
    "Line",
    "RawClient",
    "gated_units",
    "line",
    "memory_unit",
    "rtu",
    "run",
    "tcp",
    "wait_until",
]

LOOPBACK = ("127.0.0.1", 0)


class Gate(server_peers.Gate):
    """A unit waits at it in a thread, the test in a greenlet."""

    def wait_entered(self) -> None:
        wait_until(lambda: self.entered.acquire(blocking=False))


def gated_units() -> tuple[Units, Gate]:
    """Unit 1 in memory, and unit 2 that blocks at a gate."""
    gate = Gate()
    return Units({1: memory_unit(), 2: Unit(holding_registers=gate, blocking=True)}), gate


class RawClient(server_peers.RawClient):
    """A socket of gevent's that talks to a server, with a bound on every wait."""

    def __init__(self, address: tuple[str, int] | str, source: str = "") -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(address)
        else:
            where = (source, 0) if source else None
            self.socket = socket.create_connection(address, PATIENCE, where)


class Line(server_peers.Line):
    """The far end of a serial line, which greenlets wait for."""

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            ready, _, _ = select.select([self.far], [], [], PATIENCE)
            assert ready, f"only {data.hex(' ')!r} came"
            data += os.read(self.far, size - len(data))
        return data


@contextlib.contextmanager
def line() -> Iterator[Line]:
    made = Line()
    try:
        yield made
    finally:
        made.close()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something is so that no event tells."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to be so"
        gevent.sleep(0.001)


def run(function: Callable[[], object]) -> gevent.Greenlet[..., object]:
    """A greenlet whose value is what `function` gives, or raises: gevent would print it."""

    def catch() -> object:
        try:
            return function()
        except BaseException as error:  # noqa: BLE001 - for the test to look at
            return error

    greenlet: gevent.Greenlet[..., object] = gevent.Greenlet(catch)
    greenlet.start()
    return greenlet
