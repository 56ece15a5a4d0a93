"""Ctrl+C: a server ends running calls and sends their answers; a second one ends it at once.

Every server is a program of its own, which gets a real SIGINT while a client's write is executed.
"""

# ruff: noqa: SIM117 - a server, and in it the client that talks to it

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pty_pair import PtyPair
from server_peers import PATIENCE, RawClient, rtu, tcp, wait_until

PROGRAM = Path(__file__).with_name("interrupted_server.py")
WRITE = "0600000007"
SAMPLES = 20  # of `wait_until`: longer than a wait for the interpreter's lock

WAYS = {
    "sync": ["forever", "started", "with", "idle"],
    "gevent": ["forever", "started", "with", "idle"],
    "trio": ["forever", "nursery"],
    "asyncio": ["forever", "with", "idle", "loop", "uvloop"],
}
UNITS = {
    "sync": ["thread", "memory"],
    "gevent": ["thread", "memory", "loop"],
    "trio": ["thread", "memory", "loop"],
    "asyncio": ["thread", "memory", "loop"],
}
CASES = [
    (package, way, unit)
    for package, ways in WAYS.items()
    for way in ways
    for unit in UNITS[package]
    if unit != "loop" or way not in ("started", "with", "idle")  # alike, but for the unit
    # The program waits in gevent's own sleep, so gevent raises KeyboardInterrupt in the unit.
    if (package, way, unit) != ("gevent", "idle", "memory")
]


class Server:
    """A running program, and its output."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = self.line()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def interrupt(self) -> None:
        """Send Ctrl+C when the program waits, and return when it has taken it and waits again."""
        before = self._wait("")
        self.process.send_signal(signal.SIGINT)
        self._wait(before)

    def _wait(self, before: str) -> str:
        """Return the number of the main thread's sleep, if that lasts and is not `before`."""
        seen: list[str] = []

        def lasts() -> bool:
            seen.append(self._sleep())
            return len(seen) > SAMPLES and {*seen[-SAMPLES:]} == {seen[-1]} - {before, ""}

        wait_until(lasts)
        return seen[-1]

    def _sleep(self) -> str:
        """Return how often the main thread has gone to sleep; "" while it runs."""
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text()
        except FileNotFoundError:
            return "over"  # it has ended, and `poll` has asked for it
        found = re.search(r"State:\s+(\w)[^$]*\nvoluntary_ctxt_switches:\s+(\d+)", text)
        if found is None or found[1] == "Z":
            return "over"
        return found[2] if found[1] == "S" else ""

    def end_write(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def refuses(self) -> bool:
        """True if it accepts no more connections."""
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", int(self.address))) != 0

    def end(self) -> tuple[list[str], int, str]:
        self.process.wait(PATIENCE)  # before `communicate` closes its input, which ends a write
        out, err = self.process.communicate(timeout=PATIENCE)
        return out.split(), self.process.returncode, err


@contextmanager
def served(*arguments: str, grace: float = 5.0) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", PROGRAM, *arguments, str(grace)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()


INTERRUPTED = (["interrupted"], 0, "")


@pytest.mark.parametrize(("package", "way", "unit"), CASES)
def test_a_running_call_ends_and_is_answered(package: str, way: str, unit: str) -> None:
    if (package, way) == ("asyncio", "idle") and sys.version_info < (3, 11):
        pytest.skip("there, asyncio.run itself cancels all tasks at the first Ctrl+C")
    with served(package, way, "tcp", unit) as server:
        with RawClient(("127.0.0.1", int(server.address))) as client:
            client.send(tcp(WRITE))
            assert server.line() == "begun"
            server.interrupt()
            if unit != "memory":  # which blocks all, the listener too
                wait_until(server.refuses)
            server.end_write()
            assert client.receive(12) == tcp(WRITE)
            assert client.is_closed()
        out, code, err = server.end()
        if (package, way) == ("gevent", "idle"):
            err = ""  # gevent itself prints a KeyboardInterrupt that is raised in its hub
        assert (out, code, err) == INTERRUPTED


@pytest.mark.parametrize("package", WAYS)
def test_a_datagram_is_answered(package: str) -> None:
    with served(package, "forever", "udp", "thread") as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", int(server.address)))
            client.send(tcp(WRITE))
            assert server.line() == "begun"
            server.interrupt()
            server.end_write()
            assert client.recv(100) == tcp(WRITE)
        assert server.end() == INTERRUPTED


@pytest.mark.parametrize("package", WAYS)
def test_a_request_on_a_serial_line_is_answered(package: str) -> None:
    line = PtyPair()
    try:
        # When "forever" prints its address, the port may not be open yet.
        way = "started" if package in ("sync", "gevent") else "forever"
        with served(package, way, line.left, "thread") as server:
            with open(line.right, "r+b", buffering=0) as client:
                client.write(rtu(WRITE))
                assert server.line() == "begun"
                server.interrupt()
                server.end_write()
                answer = b""
                while len(answer) < 8:
                    answer += client.read(8)
                assert answer == rtu(WRITE)
            assert server.end() == INTERRUPTED
    finally:
        line.close()


@pytest.mark.parametrize(
    ("package", "way", "unit"),
    [
        (package, way, unit)
        for package, way, unit in CASES
        if (unit == "thread" or way == "forever")
        # trio raises KeyboardInterrupt only in the task that its program waits for.
        and (package, unit) != ("trio", "memory")
    ],
)
def test_a_second_interrupt_ends_the_server_at_once(package: str, way: str, unit: str) -> None:
    with served(package, way, "tcp", unit, grace=3600.0) as server:
        with RawClient(("127.0.0.1", int(server.address))) as client:
            client.send(tcp(WRITE))
            assert server.line() == "begun"
            server.interrupt()
            if unit != "memory":
                wait_until(server.refuses)
            server.interrupt()
            out, code, _ = server.end()
            assert (out, code) == (["interrupted"], 0)
