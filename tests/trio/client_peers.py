"""Scripted streams and host names for the tests of trio clients."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio
import trio.testing

from modwire_trio import Client

PATIENCE = 10.0  # timeout in seconds for the other side


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` with a clock that jumps to the next deadline when all tasks wait."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


class Far:
    """The peer's end of a stream; `request` returns what the client sent, `send` answers."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = b""

    async def request(self, size: int = 12) -> bytes:
        """Return the next `size` bytes: a request of functions 1 to 6 has 12 on TCP, 8 on RTU."""
        with trio.fail_after(PATIENCE):
            while len(self.buffer) < size:
                data = await self.stream.receive_some()
                assert data, f"the client closed the link after {self.buffer.hex(' ')!r}"
                self.buffer += bytes(data)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    async def ended(self) -> bool:
        """Return True if the client closes the link before it sends more bytes."""
        with trio.fail_after(PATIENCE):
            return not self.buffer and await self.stream.receive_some() == b""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self.stream.send_all(piece)


def pair(**arguments: object) -> tuple[Client, Far]:
    """A client on a memory stream, and the peer's end of it."""
    near, far = trio.testing.memory_stream_pair()
    return Client(near, **arguments), Far(far)  # type: ignore[arg-type]


def reply(request: bytes, *registers: int) -> bytes:
    """Return the response to a request of function 3 or 4; by default a register has its address.

    If each caller reads its own address, it can check that the response is its own.
    """
    values = registers or (int.from_bytes(request[8:10], "big"),)
    body = b"".join(value.to_bytes(2, "big") for value in values)
    length = 3 + len(body)
    return (
        request[:4] + length.to_bytes(2, "big") + request[6:8] + len(body).to_bytes(1, "big") + body
    )


async def accept(listener: socket.socket) -> Far:
    """The next connection to a listener that does not block."""
    with trio.fail_after(PATIENCE):
        await trio.lowlevel.wait_readable(listener)
    link, _ = listener.accept()
    link.setblocking(False)
    return Far(trio.SocketStream(trio.socket.from_stdlib_socket(link)))


def listening() -> socket.socket:
    """A listener on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


@contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a TCP port of 127.0.0.1 that refuses connections: reserved, without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class Names(trio.abc.HostnameResolver):
    """Resolves every name to 127.0.0.1, and calls `look_up` with the number of the look-up."""

    def __init__(self, look_up: Callable[[int], Awaitable[None]]) -> None:
        self._look_up = look_up
        self.attempts = 0
        trio.socket.set_custom_hostname_resolver(self)

    async def getaddrinfo(  # type: ignore[override]
        self, host: object, port: int, *details: object, **options: object
    ) -> list[tuple[object, ...]]:
        self.attempts += 1
        await self._look_up(self.attempts)
        address = ("127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    async def getnameinfo(self, *_: object) -> tuple[str, str]:  # type: ignore[override]
        raise AssertionError("no client needs the name of an address")
