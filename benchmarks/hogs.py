"""A well-behaved client beside clients that send without pause: its waiting time, and their rate.

    .venv/bin/python benchmarks/hogs.py                          all packages, 0, 8, 64 and 200 hogs
    .venv/bin/python benchmarks/hogs.py --package sync --hogs 64 --seconds 3

The server, the hogs and the client are processes of their own. Each hog keeps its connection full
of reads of 10 registers and reads the answers; the client asks for one register, waits for the
answer and rests for some milliseconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import select
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from modwire import ReadHoldingRegistersRequest, SequentialBlock, Unit, Units
from modwire.framing import TcpFraming
from modwire.messages import Decoder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PACKAGES = ("sync", "trio", "gevent", "asyncio")
HOGS = (0, 8, 64, 200)
REST = 0.003  # seconds between two requests of the client
_BURST = 256  # requests that a hog keeps under way

_framing = TcpFraming(Decoder(), is_server=False)
_HOGS_REQUEST = _framing.wrap(1, 7, ReadHoldingRegistersRequest(0, 10).encode())
_ANSWER_SIZE = 9 + 20
_REQUEST = _framing.wrap(1, 9, ReadHoldingRegistersRequest(0, 1).encode())


class Outcome(NamedTuple):
    """The client's waiting times in milliseconds, and the requests of the hogs in a second.

    `cost` is the server's processor time for a request of a hog, in microseconds.
    """

    median: float
    percentile_99: float
    longest: float
    rate: float
    cost: float


def serve(package: str, told: Connection) -> None:
    """Serve on a free port until killed; tell the port."""
    units = Units.single(Unit(holding_registers=SequentialBlock(0, [1] * 100)))
    if package == "sync":
        from modwire_sync import TcpServer

        server = TcpServer(units, ("127.0.0.1", 0))
        told.send(server.address[1])
        server.serve_forever()
    elif package == "gevent":
        import modwire_gevent

        green = modwire_gevent.TcpServer(units, ("127.0.0.1", 0)).start()
        told.send(green.address[1])
        green.serve_forever()
    elif package == "trio":
        import trio

        from modwire_trio import serve_tcp

        async def run() -> None:
            async with trio.open_nursery() as nursery:
                address = await nursery.start(serve_tcp, units, 0)
                told.send(address[1])

        trio.run(run)
    else:
        raise ValueError(f"there is no server of {package}")


def hog(port: int, count: int, ready: Connection) -> None:
    """Keep `count` connections full until told to stop; then tell the requests in a second."""
    poll = select.epoll()
    links: dict[int, list[object]] = {}
    burst = _HOGS_REQUEST * _BURST
    left: dict[int, bytes] = {}
    for _ in range(count):
        link = socket.create_connection(("127.0.0.1", port))
        link.setblocking(False)
        links[link.fileno()] = [link, 0]
        left[link.fileno()] = burst
        poll.register(link, select.EPOLLIN | select.EPOLLOUT)
    ready.send(None)
    received = 0
    began = time.perf_counter()
    while not ready.poll():
        for number, mask in poll.poll(0.1, 64):
            link = links[number][0]
            assert isinstance(link, socket.socket)
            if mask & select.EPOLLIN:
                answer = link.recv(65536)
                received += len(answer)
                owed = links[number][1]
                assert isinstance(owed, int)
                whole, links[number][1] = divmod(owed + len(answer), _ANSWER_SIZE)
                if not left[number]:
                    poll.modify(number, select.EPOLLIN | select.EPOLLOUT)
                left[number] += _HOGS_REQUEST * whole
            if left[number]:
                with suppress(BlockingIOError):
                    left[number] = left[number][link.send(left[number]) :]
            if not left[number]:
                poll.modify(number, select.EPOLLIN)
    ready.send((received // _ANSWER_SIZE, time.perf_counter() - began))


def processor_time(process: int | None) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(package: str, hogs: int, seconds: float) -> Outcome:
    """Return the outcome of one run."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(package, theirs), daemon=True)
    server.start()
    port = ours.recv()
    said, heard = multiprocessing.Pipe()
    load = multiprocessing.Process(target=hog, args=(port, hogs, heard), daemon=True)
    asked, took, used = 0, 1.0, 0.0
    try:
        if hogs:
            load.start()
            said.recv()
        used = processor_time(server.pid)
        waits: list[float] = []
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                began = time.perf_counter()
                link.sendall(_REQUEST)
                if len(link.recv(64)) != 11:
                    raise AssertionError("a wrong answer")
                waits.append(1e3 * (time.perf_counter() - began))
                time.sleep(REST)
        if hogs:
            said.send(None)
            asked, took = said.recv()
        used = processor_time(server.pid) - used
    finally:
        server.kill()
        if hogs:
            load.kill()
    waits.sort()
    cost = 1e6 * used / asked if asked else 0.0
    return Outcome(median(waits), waits[int(len(waits) * 0.99)], waits[-1], asked / took, cost)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--package", action="append", choices=PACKAGES[:3])
    parser.add_argument("--hogs", action="append", type=int)
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    print(
        "| package | hogs | median ms | 99 % ms | longest ms "
        "| requests of the hogs, 1/s | µs of the server |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for package in asked.package or PACKAGES[:3]:
        for hogs in asked.hogs or HOGS:
            out = measure(package, hogs, asked.seconds)
            cells = f"{out.median:.2f} | {out.percentile_99:.2f} | {out.longest:.1f}"
            print(f"| {package} | {hogs} | {cells} | {out.rate:,.0f} | {out.cost:.2f} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
