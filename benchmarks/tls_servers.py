"""The servers of tls.py: `python tls_servers.py KIND FOLDER`, with certificates from the folder.

A server prints its port and serves until its standard input is closed. "echo" and the like answer
with canned bytes behind an `ssl.SSLObject`, and check nothing: the least for a server over TLS.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import servers
from servers import Tell, canned

if TYPE_CHECKING:
    from modwire.tls import Credentials

_CHUNK = 0x4000


def context(folder: Path) -> ssl.SSLContext:
    """Return the context of all servers here."""
    return _credentials(folder).context


def _credentials(folder: Path) -> Credentials:
    from modwire.tls import Credentials

    return Credentials(folder / "plc.pem", folder / "plc.key", folder / "ca.pem")


class Echo:
    """A connection that answers with canned bytes: records in, records out."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = False

    def answer(self, data: bytes) -> bytes:
        """Return what is to be sent after `data` has arrived."""
        tls = self._tls
        self._incoming.write(data)
        try:
            if not self._is_open:
                tls.do_handshake()
                self._is_open = True
            while self._incoming.pending or tls.pending():
                tls.write(canned(tls.read(_CHUNK)))
        except ssl.SSLWantReadError:
            pass  # the rest of a record has yet to come
        return self._outgoing.read()


def serve_echo(tell: Tell, folder: Path) -> None:
    """Serve in the loop of modwire_sync: a handler for each connection."""
    from logging import getLogger

    from modwire.server.workers import WorkerQueue
    from modwire_sync.servers.loop import Loop

    settings = context(folder)
    logger = getLogger(__name__)
    loop = Loop(WorkerQueue(1, 0), logger, logger)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept(mask: int, now: float) -> None:
        link, _ = listener.accept()
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        echo = Echo(settings)

        def answer(mask: int, now: float) -> None:
            data = link.recv(_CHUNK)
            if not data:
                loop.unwatch(link.fileno())
                link.close()
            elif found := echo.answer(data):
                link.send(found)

        loop.watch(link.fileno(), answer)

    loop.watch(listener.fileno(), accept)
    tell(listener.getsockname()[1])
    while True:
        loop.run_once(None)


def serve_echo_trio(tell: Tell, folder: Path) -> None:
    """Serve on trio: a task for each connection."""
    import trio

    settings = context(folder)

    async def answer(stream: trio.SocketStream) -> None:
        echo = Echo(settings)
        async for data in stream:
            if found := echo.answer(bytes(data)):
                await stream.send_all(found)

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
            tell(listeners[0].socket.getsockname()[1])

    trio.run(serve)


def serve_echo_gevent(tell: Tell, folder: Path) -> None:
    """Serve on gevent: a greenlet for each connection."""
    from gevent.server import StreamServer

    settings = context(folder)

    def answer(link: Any, peer: object) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        echo = Echo(settings)
        while data := link.recv(_CHUNK):
            if found := echo.answer(data):
                link.sendall(found)

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    tell(server.server_port)
    server.serve_forever()


async def _serve_echo_asyncio(tell: Tell, folder: Path) -> None:
    import asyncio

    settings = context(folder)

    class Connection(asyncio.BufferedProtocol):
        def connection_made(self, transport: Any) -> None:
            self._write = transport.write
            self._echo = Echo(settings)
            self._buffer = memoryview(bytearray(_CHUNK))

        def get_buffer(self, sizehint: int) -> memoryview:
            return self._buffer

        def buffer_updated(self, nbytes: int) -> None:
            if found := self._echo.answer(self._buffer[:nbytes].tobytes()):
                self._write(found)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=256)
    tell(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve_echo_asyncio(tell: Tell, folder: Path) -> None:
    """Serve on asyncio: a protocol for each connection."""
    import asyncio

    asyncio.run(_serve_echo_asyncio(tell, folder))


def serve_echo_uvloop(tell: Tell, folder: Path) -> None:
    """Serve as `serve_echo_asyncio` does, on uvloop."""
    import uvloop

    uvloop.run(_serve_echo_asyncio(tell, folder))


def serve_modwire(tell: Tell, folder: Path) -> None:
    """Serve with modwire_sync."""
    from modwire_sync import TlsServer

    server = TlsServer(servers.units(), ("127.0.0.1", 0), credentials=_credentials(folder))
    tell(server.address[1])
    server.serve_forever()


def serve_modwire_trio(tell: Tell, folder: Path) -> None:
    """Serve with modwire_trio."""
    import trio

    from modwire_trio import serve_tls

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            start = partial(serve_tls, servers.units(), 0, credentials=_credentials(folder))
            tell((await nursery.start(start))[1])

    trio.run(serve)


def serve_modwire_gevent(tell: Tell, folder: Path) -> None:
    """Serve with modwire_gevent."""
    from modwire_gevent import TlsServer

    server = TlsServer(servers.units(), ("127.0.0.1", 0), credentials=_credentials(folder))
    server.start()
    tell(server.address[1])
    server.serve_forever()


async def _serve_modwire_asyncio(tell: Tell, folder: Path) -> None:
    from modwire_asyncio import TlsServer

    address = ("127.0.0.1", 0)
    async with TlsServer(servers.units(), address, credentials=_credentials(folder)) as server:
        tell(server.address[1])
        await server.serve_forever()


def serve_modwire_asyncio(tell: Tell, folder: Path) -> None:
    """Serve with modwire_asyncio."""
    import asyncio

    asyncio.run(_serve_modwire_asyncio(tell, folder))


def serve_modwire_uvloop(tell: Tell, folder: Path) -> None:
    """Serve with modwire_asyncio on uvloop."""
    import uvloop

    uvloop.run(_serve_modwire_asyncio(tell, folder))


KINDS: dict[str, Callable[[Tell, Path], None]] = {
    "echo-sync": serve_echo,
    "echo-trio": serve_echo_trio,
    "echo-gevent": serve_echo_gevent,
    "echo-asyncio": serve_echo_asyncio,
    "echo-uvloop": serve_echo_uvloop,
    "sync": serve_modwire,
    "trio": serve_modwire_trio,
    "gevent": serve_modwire_gevent,
    "asyncio": serve_modwire_asyncio,
    "uvloop": serve_modwire_uvloop,
}
PACKAGES = ("sync", "trio", "gevent", "asyncio", "uvloop")

if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    servers.serve(partial(KINDS[kind], folder=Path(folder)))
