"""Several server processes on one store, at one port: python benchmarks/stores.py

    python benchmarks/stores.py                       Redis, PostgreSQL and SQLite of its own
    python benchmarks/stores.py redis://host:6379/0   a store that is there (or several)

Prints requests a second with 1, 2 and 4 server processes, each of which listens at the same port
(SO_REUSEPORT). 64 connections have one request each on the way. Redis and PostgreSQL of its own
wait for the disk at each write. Servers, stores and load share the processors of one machine: it
shows what a store costs; what more machines bring, only they can show.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from modwire import Units
from modwire_stores import redis_unit, sql_unit
from modwire_sync import TcpServer

TESTS = Path(__file__).parents[1] / "tests"
PROCESSES = (1, 2, 4)
CONNECTIONS = 64
REQUESTS = {
    "FC3, 10 registers": struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 10),
    "FC16, 10 registers": struct.pack(">HHHBBHHB20s", 1, 0, 27, 1, 16, 0, 10, 20, b"\1\2" * 10),
    "FC23, 10 and 10": struct.pack(
        ">HHHBBHHHHB20s", 1, 0, 31, 1, 23, 0, 10, 0, 10, 20, b"\1\2" * 10
    ),
}


def serve(url: str, port: int) -> None:
    """One of the server processes; prints a line when it listens."""
    is_redis = url.startswith(("redis", "unix"))
    # Processes that write to one SQLite file wait for each other.
    unit = redis_unit(url, "bench") if is_redis else sql_unit(url, "bench", timeout=30.0)
    with unit:
        server = TcpServer(Units.single(unit), ("127.0.0.1", port), reuse_port=True, workers=4)
        server.start()
        print("ready", flush=True)
        sys.stdin.read()
        server.shutdown()


@contextmanager
def servers(url: str, count: int) -> Iterator[int]:
    """So many server processes; gives their port."""
    with socket.socket() as holder:
        # Bound but not listening: it keeps the port and gets no connection.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        command = [sys.executable, __file__, "--serve", str(port), url]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(count)
        ]
        try:
            for process in processes:
                assert process.stdout is not None
                if process.stdout.readline() != b"ready\n":
                    raise RuntimeError("a server has not started")
            yield port
        finally:
            for process in processes:
                process.communicate()


def load(port: int, request: bytes, seconds: float) -> float:
    """Requests a second on all connections together."""
    poll = select.epoll()
    with ExitStack() as stack:
        links: dict[int, socket.socket] = {}
        for _ in range(CONNECTIONS):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.sendall(request)
            links[link.fileno()] = link
            poll.register(link, select.EPOLLIN)
        stack.callback(poll.close)
        done = 0
        started = perf_counter()
        end = started + seconds
        while perf_counter() < end:
            for number, _ in poll.poll(30):
                answer = links[number].recv(4096)
                if len(answer) < 9 or answer[7] & 0x80:
                    raise RuntimeError(f"a server answered {answer.hex()}")
                links[number].sendall(request)
                done += 1
        return done / (perf_counter() - started)


def measure(name: str, url: str, seconds: float) -> None:
    """Print the rows of one store."""
    rates: dict[str, list[float]] = {request: [] for request in REQUESTS}
    for count in PROCESSES:
        with servers(url, count) as port:
            for each, request in REQUESTS.items():
                load(port, request, seconds / 4)
                rates[each].append(load(port, request, seconds))
    for each, found in rates.items():
        print(f"| {name}: {each} | {' | '.join(f'{rate:,.0f}/s' for rate in found)} |", flush=True)


def stores(stack: ExitStack) -> Iterator[tuple[str, str]]:
    """Those that this machine can start, by name."""
    sys.path += [str(TESTS / "stores"), str(TESTS / "helpers")]
    from store_servers import POSTGRES, REDIS, PostgresServer, RedisServer

    for name, is_there, kind in (
        ("Redis", REDIS, RedisServer),
        ("PostgreSQL", POSTGRES, PostgresServer),
    ):
        if not is_there:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        server = kind()
        stack.callback(server.close)
        server.start()
        yield name, server.url
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    yield "SQLite", f"sqlite:///{folder}/registers.db"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("urls", nargs="*", help="stores that are there")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each number (default 4)")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.urls[0], arguments.serve)
        return
    print(f"{os.cpu_count()} processors, {CONNECTIONS} connections\n")
    print(f"| processes | {' | '.join(map(str, PROCESSES))} |")
    print("|---|" + "---:|" * len(PROCESSES))
    with ExitStack() as stack:
        named = [(url.partition(":")[0], url) for url in arguments.urls] or stores(stack)
        for name, url in named:
            measure(name, url, arguments.seconds)


if __name__ == "__main__":
    main()
