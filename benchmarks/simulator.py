"""Many simulated devices in one process, each polled once a second on its own connection.

    python benchmarks/simulator.py                        2,000 devices for 60 seconds
    python benchmarks/simulator.py --devices 50 --seconds 5

A poll is one request for the first 14 input registers of the energy meter, eleven changing points.
It is missed if its answer has not arrived after a second, when the next poll is due. The exit code
is 1 if any poll was missed, or if any answer was wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PERIOD = 1.0  # seconds between two polls of a device
WARM_UP = 2  # rounds that are not counted
ADDRESS, COUNT = 0, 14
REQUEST = bytes((0, 0, 0, 6, 1, 4)) + ADDRESS.to_bytes(2, "big") + COUNT.to_bytes(2, "big")
ANSWER_SIZE = 9 + 2 * COUNT
PORT = 5020
FIRST_ADDRESS = "127.0.1.1"


class Result(NamedTuple):
    """The result of a run."""

    devices: int
    polls: int
    missed: int
    wrong: int
    latencies: list[float]  # seconds
    start: float  # seconds until all devices listened
    memory: float  # MB, resident
    cpu: float  # seconds of processor time per second


class Poller:
    """A connection to one device, with one poll on it at a time."""

    def __init__(self, host: str) -> None:
        self.socket = socket.create_connection((host, PORT), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.number = 0
        self.sent = 0.0
        self.is_waiting = False
        self.received = b""

    def poll(self, now: float) -> None:
        """Send a request."""
        self.number = (self.number + 1) & 0xFFFF
        self.received = b""
        self.is_waiting = True
        self.sent = now
        self.socket.send(self.number.to_bytes(2, "big") + REQUEST)

    def receive(self) -> bool | None:
        """Receive bytes; True if the answer is right, False if wrong, None if incomplete."""
        self.received += self.socket.recv(4096)
        if len(self.received) < ANSWER_SIZE:
            return None
        self.is_waiting = False
        expected = self.number.to_bytes(2, "big") + bytes((0, 0, 0, 3 + 2 * COUNT, 1, 4, 2 * COUNT))
        return self.received[:9] == expected and len(self.received) == ANSWER_SIZE


def addresses(count: int) -> list[str]:
    """Return the addresses of the devices, as `--consecutive addresses` assigns them."""
    first = int.from_bytes(socket.inet_aton(FIRST_ADDRESS), "big")
    return [socket.inet_ntoa((first + each).to_bytes(4, "big")) for each in range(count)]


def processor_time(pid: int) -> float:
    """Return the processor time of the process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the resident memory of the process, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def run(devices: int, seconds: int) -> Result:
    """Simulate the devices, and poll them for so many `seconds`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    begun = time.monotonic()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "modwire_tools", "simulate", "--seed", "1"),
            *("--devices", str(devices), "--tcp", f"{FIRST_ADDRESS}:{PORT}"),
            *("--consecutive", "addresses"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if line.startswith("modwire: "):
                raise RuntimeError(line)
            if line.startswith("Ctrl+C"):
                break
        start = time.monotonic() - begun
        return _poll(server.pid, [Poller(host) for host in addresses(devices)], seconds, start)
    finally:
        server.terminate()
        server.wait(30)


def _poll(pid: int, pollers: list[Poller], seconds: int, start: float) -> Result:
    ready = select.epoll()
    by_number = {each.socket.fileno(): each for each in pollers}
    for number in by_number:
        ready.register(number, select.EPOLLIN)
    latencies: list[float] = []
    missed = wrong = polls = 0
    gap = PERIOD / len(pollers)
    cpu_from, counted_from = 0.0, 0.0
    begun = time.monotonic()
    total = (seconds + WARM_UP) * len(pollers)
    at = 0
    while True:
        now = time.monotonic()
        while at < total and now >= begun + at * gap:
            poller = pollers[at % len(pollers)]
            if at == WARM_UP * len(pollers):
                cpu_from, counted_from = processor_time(pid), now
                latencies.clear()
                missed = wrong = polls = 0
            polls += 1
            at += 1
            if poller.is_waiting:
                missed += 1
            else:
                poller.poll(now)
        if at == total and now >= begun + total * gap + PERIOD:
            break
        for number, _ in ready.poll(min(gap, 0.01)):
            poller = by_number[number]
            right = poller.receive()
            if right is not None:
                latencies.append(time.monotonic() - poller.sent)
                wrong += not right
    missed += sum(poller.is_waiting for poller in pollers)
    took = time.monotonic() - counted_from
    cpu = (processor_time(pid) - cpu_from) / took
    return Result(len(pollers), polls, missed, wrong, latencies, start, resident(pid), cpu)


def row(result: Result) -> str:
    """Return a line of the table in README.md."""
    late = statistics.quantiles(result.latencies, n=1000, method="inclusive")
    return (
        f"| {result.devices:,} | {result.polls:,} | {result.missed} | {result.wrong} "
        f"| {late[499] * 1e3:.2f} | {late[989] * 1e3:.1f} | {max(result.latencies) * 1e3:.0f} "
        f"| {result.start:.1f} | {result.memory:.0f} | {result.cpu * 100:.0f} % |"
    )


HEAD = """\
| devices | polls | missed | wrong | median ms | 99 % ms | longest ms | start s | MB | processor |
|---|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Poll many simulated devices.")
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    result = run(options.devices, options.seconds)
    print(HEAD)
    print(row(result))
    sys.exit(result.missed > 0 or result.wrong > 0)


if __name__ == "__main__":
    main()
