"""What stands at the far end of the trio clients in these tests: streams that a script plays."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import trio
import trio.testing

from modwire_trio import Client

PATIENCE = 10.0  # seconds until a test that waits for the other side fails


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` with a clock that jumps to the next deadline when all tasks wait."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


class Far:
    """The far end of a stream; `request` gives what the client sent, `send` answers."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = b""

    async def request(self, size: int = 12) -> bytes:
        """The next `size` bytes: one request of function 1 to 6 is 12 on TCP, 8 on RTU."""
        with trio.fail_after(PATIENCE):
            while len(self._buffer) < size:
                data = await self.stream.receive_some()
                assert data, f"the client closed the link after {self._buffer.hex(' ')!r}"
                self._buffer += bytes(data)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    async def ended(self) -> bool:
        """Whether the client closes the link before it sends anything more."""
        with trio.fail_after(PATIENCE):
            return not self._buffer and await self.stream.receive_some() == b""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self.stream.send_all(piece)


def pair(**arguments: object) -> tuple[Client, Far]:
    """A client on a memory stream, and its far end."""
    near, far = trio.testing.memory_stream_pair()
    return Client(near, **arguments), Far(far)  # type: ignore[arg-type]


def reply(request: bytes, *registers: int) -> bytes:
    """The answer to a request of function 3 or 4, with its transaction id; by default its address.

    So a caller that asks for an address of its own sees whether the answer is its own.
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
