"""Loops, scripted peers and devices for the tests of asyncio clients."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from own_sockets import count_descriptors

PATIENCE = 20.0  # timeout in seconds for an event that comes at once

NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: dict[str, NewLoop] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
each_loop = pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)


def play(
    main: Callable[[], Coroutine[Any, Any, None]], new_loop: NewLoop, seconds: float = PATIENCE
) -> None:
    """Run `main`; fail if it leaves a task, or an error that nobody has seen."""
    loop = new_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, fault: faults.append(fault))

    async def run() -> None:
        await asyncio.wait_for(main(), seconds)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    try:
        loop.run_until_complete(run())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        gc.collect()
    assert not faults, faults


def descriptors_of(new_loop: NewLoop) -> int:
    """Return the number of open files; the first loop of uvloop opens some that stay."""
    new_loop().close()
    return count_descriptors()


async def settle() -> None:
    """Let the loop see new bytes, and run the tasks that wait for them."""
    await asyncio.sleep(0.001)
    for _ in range(8):
        await asyncio.sleep(0)


async def soon(is_true: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not is_true():
        assert asyncio.get_running_loop().time() < end, "it did not happen"
        await asyncio.sleep(0.001)


def reply(request: bytes, *registers: int) -> bytes:
    """Return the response to a request of function 3 or 4; by default a register has its address.

    If each caller reads its own address, it can check that the response is its own.
    """
    values = registers or (int.from_bytes(request[8:10], "big"),)
    body = b"".join(value.to_bytes(2, "big") for value in values)
    head = request[:4] + (3 + len(body)).to_bytes(2, "big") + request[6:8]
    return head + len(body).to_bytes(1, "big") + body


class Far:
    """The peer's end of a connection; `request` returns what the client sent, `send` answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self, size: int = 12) -> bytes:
        """Return the next `size` bytes: a request of functions 1 to 6 has 12 on TCP."""
        return await asyncio.wait_for(self.reader.readexactly(size), PATIENCE)

    async def ended(self) -> bool:
        """Return True if the client closes the link before it sends more bytes."""
        try:
            return await asyncio.wait_for(self.reader.read(1), PATIENCE) == b""
        except ConnectionError:
            return True

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def aclose(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await asyncio.wait_for(self.writer.wait_closed(), PATIENCE)


class Listener:
    """A listener on a free port of 127.0.0.1; `accept` returns the next connection."""

    port = 0

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[Far] = asyncio.Queue()
        self.ends: list[Far] = []

    async def accept(self) -> Far:
        return await asyncio.wait_for(self._accepted.get(), PATIENCE)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ends.append(Far(reader, writer))
        self._accepted.put_nowait(self.ends[-1])

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for each in self.ends:
            await each.aclose()
        await self._server.wait_closed()


class Device:
    """Answers each request with its address, late and in any order, in any pieces."""

    def __init__(self, dice: random.Random, *, may_sleep: bool) -> None:
        self._dice = dice
        self._may_sleep = may_sleep

    async def serve(self, far: Far) -> None:
        dice, buffer = self._dice, b""
        try:
            while data := await far.reader.read(4096):
                buffer += data
                answers = []
                while len(buffer) >= 12 and (not answers or dice.random() < 0.9):
                    answers.append(reply(buffer[:12]))
                    buffer = buffer[12:]
                while answers:
                    dice.shuffle(answers)
                    if self._may_sleep and dice.random() < 0.3:
                        await asyncio.sleep(dice.random() * 0.01)
                    data = b"".join(answers)
                    cut = dice.randrange(len(data))
                    far.writer.write(data[:cut])
                    await asyncio.sleep(0)
                    far.writer.write(data[cut:])
                    answers = [reply(buffer[at : at + 12]) for at in range(0, len(buffer) - 11, 12)]
                    buffer = buffer[12 * len(answers) :]
        except ConnectionError:
            pass  # the client has closed the link
