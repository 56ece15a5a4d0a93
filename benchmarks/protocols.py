"""The floors on asyncio and uvloop: the shortest protocols, for clients and for a server."""

from __future__ import annotations

import asyncio
from typing import Any

from servers import ANSWER, Tell, canned


class OneCaller(asyncio.Protocol):
    """Whatever arrives is the answer that the caller waits for."""

    answered: asyncio.Future[bytes]

    def data_received(self, data: bytes) -> None:
        self.answered.set_result(data)


class Callers(asyncio.Protocol):
    """Assigns the answers to callers by transaction id."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._data = b""

    def data_received(self, data: bytes) -> None:
        size = len(ANSWER)
        data = self._data + data
        while len(data) >= size:
            self.waiting.pop(data[:2]).set_result(data[:size])
            data = data[size:]
        self._data = data


class CannedAnswers(asyncio.Protocol):
    """A server's connection that answers with canned bytes, without any checks."""

    def connection_made(self, transport: Any) -> None:
        self._write = transport.write

    def data_received(self, data: bytes) -> None:
        self._write(canned(data))


class Buffered(asyncio.BufferedProtocol):
    """Receives for another protocol, into a buffer of its own.

    For any other kind of protocol, asyncio's loop allocates 256 KiB each time that it receives.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self.connection_made = protocol.connection_made  # type: ignore[method-assign]
        self._received = protocol.data_received
        self._buffer = memoryview(bytearray(4096))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received(self._buffer[:nbytes].tobytes())


async def serve(tell: Tell, *, is_buffered: bool) -> None:
    """Serve with canned answers, on whichever loop this runs."""

    def connection() -> asyncio.BaseProtocol:
        return Buffered(CannedAnswers()) if is_buffered else CannedAnswers()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0, backlog=256)
    tell(server.sockets[0].getsockname()[1])
    await server.serve_forever()
