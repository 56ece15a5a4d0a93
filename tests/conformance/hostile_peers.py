"""Servers of every package in a thread, and peers on plain sockets that treat them badly."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from modwire import SequentialBlock, TcpFraming, Unit, Units
from modwire.messages import Decoder

PACKAGES = ("sync", "trio", "gevent", "asyncio", "uvloop")
CLASSES = {"tcp": "TcpServer", "udp": "UdpServer", "tls": "TlsServer"}
own_clients: list[Any] = []
BOUND = 20.0  # seconds for an event that comes at once

_framing = TcpFraming(Decoder(), is_server=False)
READ_PDU = bytes.fromhex("0300000001")


def read(transaction: int = 1, unit: int = 1) -> bytes:
    return _framing.wrap(unit, transaction, READ_PDU)


def write(value: int, transaction: int = 1, unit: int = 1) -> bytes:
    return _framing.wrap(unit, transaction, struct.pack(">BHH", 6, 0, value))


def a_unit(**arguments: Any) -> Units:
    return Units.single(Unit(holding_registers=SequentialBlock(0, [7] * 10), **arguments))


@contextmanager
def serving(
    package: str, units: Callable[[], Units], kind: str = "tcp", **arguments: Any
) -> Iterator[tuple[str, int]]:
    """Serve in a thread, and give the address; `units` is called there.

    Clients that `units` adds to `own_clients` are closed there at the end.
    """
    started = threading.Event()
    told: list[Any] = []
    thread = threading.Thread(
        target=RUN[package], args=(kind, units, arguments, told, started), daemon=True
    )
    thread.start()
    assert started.wait(BOUND)
    try:
        yield told[0]
    finally:
        told[1]()
        thread.join(BOUND)
        assert not thread.is_alive()


def _run_sync(kind: str, units: Any, arguments: Any, told: list[Any], started: Any) -> None:
    import modwire_sync

    server: Any = getattr(modwire_sync, CLASSES[kind])
    server = server(units(), ("127.0.0.1", 0), **arguments)
    told += [server.address, lambda: server.shutdown(0.1)]
    started.set()
    server.serve_forever()
    while own_clients:
        own_clients.pop().close()


def _run_gevent(kind: str, units: Any, arguments: Any, told: list[Any], started: Any) -> None:
    import gevent

    import modwire_gevent

    server: Any = getattr(modwire_gevent, CLASSES[kind])
    server = server(units(), ("127.0.0.1", 0), **arguments).start()
    hub = gevent.get_hub()
    stop = gevent.event.Event()
    told += [server.address, lambda: hub.loop.run_callback_threadsafe(stop.set)]
    started.set()
    stop.wait()
    server.shutdown(0.1)
    while own_clients:
        own_clients.pop().close()
    hub.destroy(destroy_loop=True)


def _run_trio(kind: str, units: Any, arguments: Any, told: list[Any], started: Any) -> None:
    import trio

    import modwire_trio

    serve: Any = getattr(modwire_trio, f"serve_{kind}")

    async def start(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        await serve(units(), 0, grace=0.1, task_status=task_status, **arguments)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            address = await nursery.start(start)
            token = trio.lowlevel.current_trio_token()
            told.extend([address, lambda: token.run_sync_soon(nursery.cancel_scope.cancel)])
            started.set()
        with trio.CancelScope(shield=True):
            while own_clients:
                await own_clients.pop().aclose()

    trio.run(main)


def _run_asyncio(
    kind: str,
    units: Any,
    arguments: Any,
    told: list[Any],
    started: Any,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> None:
    import modwire_asyncio

    server: Any = getattr(modwire_asyncio, CLASSES[kind])

    async def main() -> None:
        async with server(units(), ("127.0.0.1", 0), **arguments) as serving:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()
            told.extend([serving.address, lambda: loop.call_soon_threadsafe(stop.set)])
            started.set()
            await stop.wait()
            await serving.shutdown(0.1)
        while own_clients:
            await own_clients.pop().aclose()

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()


def _run_uvloop(*arguments: Any) -> None:
    import uvloop

    _run_asyncio(*arguments, uvloop.new_event_loop)


RUN = {
    "sync": _run_sync,
    "trio": _run_trio,
    "gevent": _run_gevent,
    "asyncio": _run_asyncio,
    "uvloop": _run_uvloop,
}


def adapter(package: str) -> Any:
    """Return the module of a package, which may be named with its loop."""
    return import_module("modwire_asyncio" if package == "uvloop" else f"modwire_{package}")


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=BOUND) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield link


def ask(link: socket.socket, request: bytes = b"", size: int = 11) -> bytes:
    """Send a request and return so many bytes of the answer."""
    link.sendall(request or read())
    answer = b""
    while len(answer) < size:
        more = link.recv(size - len(answer))
        if not more:
            raise AssertionError(f"the server closed the connection after {answer!r}")
        answer += more
    return answer


def is_closed(link: socket.socket) -> bool:
    """Wait until the server closes the connection."""
    link.settimeout(BOUND)
    try:
        while link.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def reset(link: socket.socket) -> None:
    """Close with a reset."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()
