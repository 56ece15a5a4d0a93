"""Several server processes on one store, at one port: python benchmarks/stores.py

    python benchmarks/stores.py                       its own Redis, PostgreSQL and SQLite
    python benchmarks/stores.py redis://host:6379/0   a running store (or several)
    python benchmarks/stores.py --readme              also put the table into benchmarks/README.md

Prints requests per second with 1, 2 and 4 server processes, which listen at the same port
(SO_REUSEPORT). Each of 64 connections has one open request. Its own Redis and PostgreSQL wait for
the disk at each write. Servers, stores and load share the processors of one machine: the numbers
show the cost of a store, not the gain of more machines. From 1 to 2 processes, part of the gain is
that the threads of one process no longer wait for each other's interpreter.
"""

from __future__ import annotations

import argparse
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from time import perf_counter

from rounds import write_table

from modwire import Units
from modwire_stores import redis_unit, sql_unit
from modwire_sync import TcpServer

TESTS = Path(__file__).parents[1] / "tests"
README = Path(__file__).parent / "README.md"
PROCESSES = (1, 2, 4)
CONNECTIONS = 64


def _read(number: int, address: int = 0) -> bytes:
    return struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, address, 10)


def _write(number: int, address: int = 0) -> bytes:
    values = number.to_bytes(2, "big") * 10
    return struct.pack(">HHHBBHHB", 1, 0, 27, 1, 16, address, 10, 20) + values


def _write_apart(number: int) -> bytes:
    return _write(number, number % CONNECTIONS * 10)


def _read_write(number: int) -> bytes:
    values = number.to_bytes(2, "big") * 10
    return struct.pack(">HHHBBHHHHB", 1, 0, 31, 1, 23, 0, 10, 0, 10, 20) + values


# Request number N writes the value N, because SQLite does not write an unchanged value to the
# disk, and that would measure nothing.
REQUESTS = {
    "FC3, 10 registers": _read,
    "FC16, 10 registers of 640": _write_apart,
    "FC16, the same 10 registers": _write,
    "FC23, the same 10 registers": _read_write,
}


def serve(url: str, port: int) -> None:
    """Run one of the server processes, which prints a line when it listens."""
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
    """Run `count` server processes, and yield their port."""
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


def load(port: int, request: Callable[[int], bytes], seconds: float) -> float:
    """Return the requests per second on all connections; raise if the last write is missing."""
    poll = select.epoll()
    numbers = cycle(range(1, 0x10000))
    last: dict[int, int] = {}
    with ExitStack() as stack:
        links: dict[int, socket.socket] = {}

        def send(descriptor: int) -> None:
            number = last[descriptor] = next(numbers)
            links[descriptor].sendall(request(number))

        for _ in range(CONNECTIONS):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            links[link.fileno()] = link
            poll.register(link, select.EPOLLIN)
            send(link.fileno())
        stack.callback(poll.close)
        done = 0
        started = perf_counter()
        end = started + seconds
        while perf_counter() < end:
            for descriptor, _ in poll.poll(30):
                _receive(links[descriptor])
                send(descriptor)
                done += 1
        took = perf_counter() - started
        for link in links.values():
            _receive(link)
        if request is not _read:
            last_one = last[link.fileno()]
            apart = request is _write_apart
            link.sendall(_read(last_one, last_one % CONNECTIONS * 10 if apart else 0))
            values = struct.unpack(">10H", _receive(link)[9:])
            was_written = values[0] in last.values()
            if apart:  # another connection may have written there, and then elsewhere
                was_written = values[0] % CONNECTIONS == last_one % CONNECTIONS
            if len(set(values)) > 1 or not was_written:
                raise RuntimeError(f"the store has {values}, which nobody wrote last")
    return done / took


def _receive(link: socket.socket) -> bytes:
    """Return one answer, which arrives in one piece; raise if it is an exception response."""
    answer = link.recv(4096)
    if len(answer) < 9 or answer[7] & 0x80:
        raise RuntimeError(f"a server answered {answer.hex()}")
    return answer


def measure(name: str, url: str, processes: Sequence[int], seconds: float) -> Iterator[str]:
    """Yield the rows of one store."""
    rates: dict[str, list[float]] = {request: [] for request in REQUESTS}
    for count in processes:
        with servers(url, count) as port:
            for each, request in REQUESTS.items():
                load(port, request, seconds / 4)
                rates[each].append(load(port, request, seconds))
    for each, found in rates.items():
        yield f"| {name}: {each} | {' | '.join(f'{rate:,.0f}/s' for rate in found)} |"


def stores(stack: ExitStack) -> Iterator[tuple[str, str]]:
    """Start the stores that this machine has, and yield their names and URLs."""
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
    parser.add_argument(
        "--processes", type=int, nargs="+", default=PROCESSES, help="how many (default 1 2 4)"
    )
    parser.add_argument("--readme", action="store_true", help="write the table to README.md")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.urls[0], arguments.serve)
        return
    version = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [
        f"Measured on {version}, {platform.system()}: a machine with {os.cpu_count()} processors "
        f"for servers, store and load, {CONNECTIONS} connections.",
        "",
        f"| processes | {' | '.join(map(str, arguments.processes))} |",
        "|---|" + "---:|" * len(arguments.processes),
    ]
    print("\n".join(lines), flush=True)
    with ExitStack() as stack:
        named = [(url.partition(":")[0], url) for url in arguments.urls] or stores(stack)
        for name, url in named:
            for row in measure(name, url, arguments.processes, arguments.seconds):
                lines.append(row)
                print(row, flush=True)
    if arguments.readme:
        write_table(README, "stores.py", "\n".join(lines))


if __name__ == "__main__":
    main()
