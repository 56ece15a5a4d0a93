"""The servers of the benchmarks, each in a process of its own: `python servers.py KIND`.

A server prints its port and serves until its standard input is closed.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from modwire import Framing, Units

UNIT, ADDRESS, COUNT = 1, 0, 10
REQUEST = bytes.fromhex("000100000006 01 03 0000 000A")
VALUES = [value * 521 & 0xFFFF for value in range(1, COUNT + 1)]
ANSWER = bytes.fromhex("000100000017 01 03 14") + b"".join(v.to_bytes(2, "big") for v in VALUES)

WRITE_ONE = bytes.fromhex("000100000006 01 06 0000") + VALUES[0].to_bytes(2, "big")
WRITE_TEN = bytes.fromhex("00010000001B 01 10 0000 000A 14") + ANSWER[9:]
# By function code: the length of a request, and the answer to it.
CANNED = {
    3: (len(REQUEST), ANSWER),
    6: (len(WRITE_ONE), WRITE_ONE),
    16: (len(WRITE_TEN), bytes.fromhex("000100000006 01 10 0000 000A")),
}

# The requests of 16 callers, whose answers are matched by the transaction id.
PIPELINED = 16
REQUESTS = [number.to_bytes(2, "big") + REQUEST[2:] for number in range(PIPELINED)]

# A server calls this with its port as soon as it listens.
Tell = Callable[[int], None]


def check_values(values: object) -> None:
    """Raise RuntimeError unless `values` are those of the servers here."""
    if values != VALUES:
        raise RuntimeError(f"the client read {values}, not {VALUES}")


def canned(data: bytes) -> bytes:
    """Return the answers to all requests in `data`, which have one function code."""
    size, answer = CANNED[data[7]]
    return answer * (len(data) // size)


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listener.setblocking(False)
    return listener


def serve_raw(tell: Tell, copy_transaction: bool) -> None:
    """Answer each request with canned bytes in an epoll loop: the minimum for a server.

    With `copy_transaction`, the first two bytes are those of the request, as a client expects.
    The loads never send more requests at once than one recv() takes.
    """
    listener = _listen()
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    links: dict[int, socket.socket] = {}
    tell(listener.getsockname()[1])
    size = len(REQUEST)
    while True:
        for number, _ in poll.poll():
            link = links.get(number)
            if link is None:
                link, _ = listener.accept()
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                links[link.fileno()] = link
                poll.register(link, select.EPOLLIN)
                continue
            data = link.recv(4096)
            if not data:
                poll.unregister(link)
                del links[number]
                link.close()
            elif not copy_transaction:
                link.send(canned(data))
            elif len(data) == size:
                link.send(data[:2] + ANSWER[2:])
            else:
                starts = range(0, len(data), size)
                link.send(b"".join([data[at : at + 2] + ANSWER[2:] for at in starts]))


def serve_raw_trio(tell: Tell) -> None:
    """Serve with the minimum on trio: a task for each connection; it does not check requests."""
    import trio

    async def answer(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(canned(data))

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
            tell(listeners[0].socket.getsockname()[1])

    trio.run(serve)


def serve_raw_gevent(tell: Tell) -> None:
    """Serve with the minimum on gevent: a greenlet for each connection, without any checks."""
    from gevent import socket as gevent_socket
    from gevent.server import StreamServer

    def answer(link: gevent_socket.socket, peer: object) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := link.recv(4096):
            link.sendall(canned(data))

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    tell(server.server_port)
    server.serve_forever()


def serve_raw_asyncio(tell: Tell, *, is_buffered: bool = False) -> None:
    """Serve with the minimum on asyncio: a protocol for each connection, without any checks."""
    import asyncio

    import protocols

    asyncio.run(protocols.serve(tell, is_buffered=is_buffered))


def serve_raw_uvloop(tell: Tell, *, is_buffered: bool = False) -> None:
    """Serve as `serve_raw_asyncio` does, on uvloop."""
    import protocols
    import uvloop

    uvloop.run(protocols.serve(tell, is_buffered=is_buffered))


def units() -> Units:
    """Return a unit whose first ten holding registers are read; attacks ask for 125."""
    from modwire import SequentialBlock, Unit, Units

    return Units.single(Unit(holding_registers=SequentialBlock(ADDRESS, VALUES + [0] * 115)))


def _framing(link: str) -> type[Framing]:
    from modwire import RtuFraming, TcpFraming

    return RtuFraming if link == "rtu" else TcpFraming


def serve_modwire(tell: Tell, link: str = "tcp") -> None:
    """Serve with modwire_sync on a `link`: "tcp", "rtu" for RTU over TCP, or "udp"."""
    from modwire_sync import TcpServer, UdpServer

    kind = UdpServer if link == "udp" else TcpServer
    server = kind(units(), ("127.0.0.1", 0), framing=_framing(link))
    tell(server.address[1])
    server.serve_forever()


def serve_modwire_trio(tell: Tell, link: str = "tcp") -> None:
    """Serve with modwire_trio, as `serve_modwire` does."""
    import trio

    from modwire_trio import serve_tcp, serve_udp

    kind = serve_udp if link == "udp" else serve_tcp

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            address = await nursery.start(partial(kind, units(), 0, framing=_framing(link)))
            tell(address[1])

    trio.run(serve)


def serve_modwire_gevent(tell: Tell, link: str = "tcp") -> None:
    """Serve with modwire_gevent, as `serve_modwire` does."""
    from modwire_gevent import TcpServer, UdpServer

    kind = UdpServer if link == "udp" else TcpServer
    server = kind(units(), ("127.0.0.1", 0), framing=_framing(link))
    server.start()
    tell(server.address[1])
    server.serve_forever()


def serve_modwire_asyncio(tell: Tell, link: str = "tcp") -> None:
    """Serve with modwire_asyncio, as `serve_modwire` does."""
    import asyncio

    asyncio.run(_serve_modwire_asyncio(tell, link))


def serve_modwire_uvloop(tell: Tell, link: str = "tcp") -> None:
    """Serve with modwire_asyncio on uvloop, as `serve_modwire` does."""
    import uvloop

    uvloop.run(_serve_modwire_asyncio(tell, link))


async def _serve_modwire_asyncio(tell: Tell, link: str) -> None:
    from modwire_asyncio import TcpServer, UdpServer

    kind = UdpServer if link == "udp" else TcpServer
    async with kind(units(), ("127.0.0.1", 0), framing=_framing(link)) as server:
        tell(server.address[1])
        await server.serve_forever()


def serve_pymodbustcp(tell: Tell) -> None:
    """Serve with pyModbusTCP: a thread for each connection."""
    from pyModbusTCP.server import DataBank, ModbusServer

    bank = DataBank(h_regs_size=COUNT)
    bank.set_holding_registers(ADDRESS, VALUES)
    port = _free_port()
    server = ModbusServer("127.0.0.1", port, no_block=True, data_bank=bank)
    server.start()
    tell(port)
    threading.Event().wait()


def serve_pymodbus(tell: Tell) -> None:
    """Serve with pymodbus, on asyncio."""
    import asyncio

    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    async def serve() -> None:
        port = _free_port()
        device = SimDevice(
            UNIT, simdata=[SimData(ADDRESS, values=VALUES, datatype=DataType.UINT16)]
        )
        server = ModbusTcpServer(device, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        tell(port)
        await asyncio.Event().wait()

    asyncio.run(serve())


def _free_port() -> int:
    """Return a free port, for servers that do not report the port that they got."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


KINDS: dict[str, Callable[[Tell], None]] = {
    "raw": lambda tell: serve_raw(tell, False),
    "canned": lambda tell: serve_raw(tell, True),
    "raw-trio": serve_raw_trio,
    "raw-gevent": serve_raw_gevent,
    "raw-asyncio": serve_raw_asyncio,
    "raw-asyncio-buffered": partial(serve_raw_asyncio, is_buffered=True),
    "raw-uvloop": serve_raw_uvloop,
    "raw-uvloop-buffered": partial(serve_raw_uvloop, is_buffered=True),
    "modwire": serve_modwire,
    "modwire-trio": serve_modwire_trio,
    "modwire-gevent": serve_modwire_gevent,
    "modwire-asyncio": serve_modwire_asyncio,
    "modwire-uvloop": serve_modwire_uvloop,
    "pyModbusTCP": serve_pymodbustcp,
    "pymodbus": serve_pymodbus,
}
MODWIRE = {  # by package
    "sync": "modwire",
    "trio": "modwire-trio",
    "gevent": "modwire-gevent",
    "asyncio": "modwire-asyncio",
}
for _kind in MODWIRE.values():
    for _link in ("rtu", "udp"):
        KINDS[f"{_kind}-{_link}"] = partial(KINDS[_kind], link=_link)


def allow_open_files(count: int) -> bool:
    """Let this process and its children open `count` files; False if that is not allowed."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= count:
        return True
    if hard != unlimited and hard < count:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return True


@contextmanager
def started(
    *command: str, processors: set[int] | None = None, log: IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a program of this folder until the block ends; yield it and the first line it prints.

    It runs on `processors`, or on those of this process if they are None. `log` gets its standard
    error.
    """
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
    )
    assert process.stdout is not None
    try:
        if processors:
            os.sched_setaffinity(process.pid, processors)
        line = process.stdout.readline().decode()
        if not line:
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield process, line
    finally:
        process.kill()
        process.communicate()


@contextmanager
def running(kind: str, processors: set[int] | None = None) -> Iterator[int]:
    """Run a server of this kind, as `started` does, and yield its port."""
    with started(__file__, kind, processors=processors) as (_, port):
        yield int(port)


def _end_with_parent() -> None:
    """End this process when its parent ends, for whatever reason."""
    os.read(0, 1)  # not sys.stdin: its buffer has a lock that an exit would wait for
    os._exit(0)


def serve(function: Callable[[Tell], None]) -> None:
    """Serve with a function of `KINDS` until standard input is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(port: int) -> None:
        print(port, flush=True)

    function(tell)


if __name__ == "__main__":
    serve(KINDS[sys.argv[1]])
