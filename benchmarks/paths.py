"""Count the Python calls of one request: `python benchmarks/paths.py`.

The table covers the reads and writes of the clients and servers of each package, over TCP and over
RTU on a pseudo-terminal. It has the number of calls of Python functions of modwire ("call" events
of `sys.setprofile`; a resumed coroutine counts again) and of the files they are in. The link is
open and was used before. A client is counted from the call to its result; a server for all work of
its thread for one request, without the waiting of its loop.

    python benchmarks/paths.py --list                     the functions too
    python benchmarks/paths.py --list sync-client-read-tcp
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import threading
import time
import tty
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from queue import SimpleQueue
from types import FrameType
from typing import Any, NamedTuple

from modwire import Decoder, RtuFraming, SequentialBlock, TcpFraming, Unit, Units

PACKAGES = ("sync", "asyncio", "trio", "gevent")
READ, WRITE = bytes.fromhex("03 0000 000A"), bytes.fromhex("06 0000 1234")
ANSWERS = {3: bytes.fromhex("03 14") + bytes(20), 6: WRITE}
_REPEATS = 6
_QUIET = 0.05  # seconds, after which a serial line is silent
# Functions that loops call to wait, or to find their deadline.
_WAITING = {
    *("run_once", "next_due", "_deadline", "deadline", "call_at", "_schedule"),
    *("wait", "_set_timer", "_ring", "_guard", "_serve_line", "_receive", "receive"),
    *("wake", "_serve", "take"),
}


class Call(NamedTuple):
    """A function of modwire that was called."""

    file: str
    function: str


class Row(NamedTuple):
    """The calls that one request takes."""

    name: str
    calls: Sequence[Call]

    @property
    def files(self) -> int:
        """Number of files that the functions are in."""
        return len({call.file for call in self.calls})


class Counter:
    """A profile function that records the calls of modwire's functions while `is_on`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.is_on = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if self.is_on and event == "call":
            path = frame.f_code.co_filename.replace(os.sep, "/")
            _, found, file = path.rpartition("/src/modwire")
            if found:
                self.calls.append(Call(f"modwire{file}", frame.f_code.co_name))

    def period(self) -> list[Call]:
        """Return the calls that every request repeats: the shortest period of the record."""
        calls = self.calls
        for size in range(1, len(calls) // 2 + 1):
            if calls[size : 2 * size] == calls[:size] and len(calls) >= (_REPEATS - 1) * size:
                if calls[size:] == calls[:-size]:
                    return calls[:size]
        raise RuntimeError(f"no period in {calls}")


# Peers without modwire's clients and servers.


class Wire:
    """A raw end of a link: `receive` returns the bytes of one frame, `send` sends some."""

    def __init__(self, receive: Callable[[], bytes], send: Callable[[bytes], object]) -> None:
        self.receive = receive
        self.send = send


def adu(framing: str, pdu: bytes, transaction: int = 1) -> bytes:
    """Return a frame for unit 1."""
    framings = {"tcp": TcpFraming, "rtu": RtuFraming}
    return framings[framing](Decoder(), is_server=True).wrap(1, transaction, pdu)


def answer(wire: Wire, framing: str) -> None:
    """Answer requests with canned bytes until the link is closed."""
    try:
        while request := wire.receive():
            if framing == "tcp":
                transaction = int.from_bytes(request[:2], "big")
                wire.send(adu(framing, ANSWERS[request[7]], transaction))
            else:
                wire.send(adu(framing, ANSWERS[request[1]]))
    except OSError:
        pass  # the client has closed the link


@contextmanager
def device(framing: str) -> Iterator[str]:
    """Run a device that answers, and yield its endpoint."""
    with ExitStack() as stack:
        if framing == "tcp":
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                link, _ = listener.accept()
                with link:
                    answer(Wire(lambda: link.recv(512), link.sendall), framing)

            endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        else:
            wire, path = stack.enter_context(terminal())

            def serve() -> None:
                answer(wire, framing)

            endpoint = f"rtu://{path}?baudrate=115200"
        threading.Thread(target=serve, daemon=True).start()
        yield endpoint


@contextmanager
def terminal() -> Iterator[tuple[Wire, str]]:
    """Open a pseudo-terminal, and yield its raw end and the path of the other end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield (
            Wire(lambda: os.read(ours, 512), lambda data: os.write(ours, data)),
            os.ttyname(theirs),
        )
    finally:
        os.close(theirs)
        os.close(ours)


# Clients.


def client_calls(package: str, endpoint: str, request: bytes) -> list[Call]:
    """Return the calls of a request by the client of a package."""
    counter = Counter()
    connect = import_module(f"modwire_{package}").connect
    if package in ("asyncio", "trio"):
        sleep = import_module(package).sleep

        async def run() -> None:
            async with connect(endpoint) as client:
                for is_on in (False, False, True):
                    await sleep(_QUIET)
                    sys.setprofile(counter)
                    counter.is_on = is_on
                    await ask(client, request)
                    counter.is_on = False

        run_in_loop(package, run)
    else:
        with connect(endpoint) as client:
            for is_on in (False, False, True):
                time.sleep(_QUIET)
                sys.setprofile(counter)
                counter.is_on = is_on
                ask(client, request)
                counter.is_on = False
    sys.setprofile(None)
    return counter.calls


def run_in_loop(package: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `work` in a loop of asyncio or trio."""
    if package == "asyncio":
        asyncio.run(work())
    else:
        import_module(package).run(work)


def ask(client: Any, request: bytes) -> Any:
    """Call the method for `request`; in asyncio and trio its result is awaited."""
    if request is READ:
        return client.read_holding_registers(0, 10)
    return client.write_register(0, 0x1234)


# Servers.


def server_calls(package: str, framing: str, request: bytes) -> list[Call]:
    """Return the calls of a request in the server of a package."""
    units = Units.single(Unit(holding_registers=SequentialBlock(0, [0] * 16)))
    counter = Counter()
    started: SimpleQueue[Any] = SimpleQueue()
    with ExitStack() as stack:
        wire, path = stack.enter_context(terminal()) if framing == "rtu" else (None, "")

        def serve() -> None:
            sys.setprofile(counter)
            if package == "asyncio":
                asyncio.run(serve_asyncio())
            elif package == "trio":
                serve_trio()
            else:
                serve_blocking()

        async def serve_asyncio() -> None:
            from modwire_asyncio import SerialServer, TcpServer

            server = SerialServer(units, path) if path else TcpServer(units, ("127.0.0.1", 0))
            async with server:
                loop = asyncio.get_running_loop()
                stopped = asyncio.Event()
                address = None if path else server.address
                started.put((address, lambda: loop.call_soon_threadsafe(stopped.set)))
                await stopped.wait()

        def serve_trio() -> None:
            import trio

            from modwire_trio import serve_serial, serve_tcp

            async def run() -> None:
                async with trio.open_nursery() as nursery:
                    if path:
                        await nursery.start(serve_serial, units, path)
                        address = None
                    else:
                        address = await nursery.start(serve_tcp, units, 0)
                    token = trio.lowlevel.current_trio_token()
                    cancel = nursery.cancel_scope.cancel
                    started.put((address, lambda: token.run_sync_soon(cancel)))

            trio.run(run)

        def serve_blocking() -> None:
            module = import_module(f"modwire_{package}")
            server = (
                module.SerialServer(units, path)
                if path
                else module.TcpServer(units, ("127.0.0.1", 0))
            )
            threading.setprofile(counter)  # for the thread that it starts
            server.start()
            threading.setprofile(None)  # type: ignore[arg-type]
            started.put((server.address, server.shutdown))
            server.serve_forever()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address, stop = started.get()
        if wire is None:
            link = stack.enter_context(socket.create_connection(address))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = Wire(lambda: link.recv(512), link.sendall)
        frame = adu(framing, request)
        for turn in range(2 + _REPEATS):
            counter.is_on = turn >= 2
            wire.send(frame)
            received = b""
            while len(received) < len(adu(framing, ANSWERS[request[0]])):
                received += wire.receive()
        counter.is_on = False
        stop()
        thread.join()
    return [call for call in counter.period() if call.function not in _WAITING]


def measure(names: Sequence[str] = ()) -> list[Row]:
    """Return a row for each request whose name begins with one of `names`, or for all."""
    rows = []
    for package in PACKAGES:
        try:
            import_module(f"modwire_{package}")
        except ImportError:
            continue
        for framing in ("tcp", "rtu"):
            for what, request in (("read", READ), ("write", WRITE)):
                name = f"{package}-client-{what}-{framing}"
                if not names or name.startswith(tuple(names)):
                    with device(framing) as endpoint:
                        rows.append(Row(name, client_calls(package, endpoint, request)))
                name = f"{package}-server-{what}-{framing}"
                if not names or name.startswith(tuple(names)):
                    rows.append(Row(name, server_calls(package, framing, request)))
    return rows


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description="Count the Python calls of one request.")
    parser.add_argument("names", nargs="*", help="such as sync-client-read-tcp; by default all")
    parser.add_argument("--list", action="store_true", help="print the functions too")
    options = parser.parse_args()
    print("| | calls | files |\n|---|---:|---:|")
    for row in measure(options.names):
        print(f"| {row.name} | {len(row.calls)} | {row.files} |")
        if options.list:
            for call in row.calls:
                print(f"    {call.function:24} {call.file}")


if __name__ == "__main__":
    main()
