"""Peers of the trio servers in these tests, units that are awaited, and clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from modwire import Response, Unit, Units
from modwire.messages.register_access import ReadHoldingRegistersResponse
from modwire_trio import AsyncUnit
from server_peers import PATIENCE, memory_unit, tcp

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

SLOW_READ = tcp("0300000001", unit=2)
SLOW_ANSWER = tcp("03024711", unit=2)


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` with a clock that jumps to the next deadline when all tasks wait."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def play_by_hand(main: Callable[[trio.testing.MockClock], Awaitable[None]]) -> None:
    """Run `main` with a clock that stands still until `main` moves it with `jump`.

    Sockets work normally meanwhile, so that a stall of this machine cannot exceed a timeout.
    """
    clock = trio.testing.MockClock()
    trio.run(main, clock, clock=clock)


async def settled() -> None:
    """Wait until every task waits and no socket of this process has received anything.

    The extra time is for the system: a busy machine may deliver sent bytes late.
    """
    await trio.testing.wait_all_tasks_blocked(0.05)


def without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the servers wait for their sockets as on Windows and macOS."""
    monkeypatch.setattr("modwire_trio.servers.tcp.AVAILABLE", False)


class Waiting(AsyncUnit):
    """A unit that responds 4711h when `opened` is set; `entered` is set by a request."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = trio.Event()
        self.entered = trio.Event()
        self.asked = 0
        self.cancelled = 0

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        self.asked += 1
        self.entered.set()
        try:
            await self.opened.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        return ReadHoldingRegistersResponse([0x4711])


def waiting_units() -> tuple[Units, Waiting]:
    """Unit 1 in memory, and unit 2 that is awaited."""
    unit = Waiting()
    return Units({1: memory_unit(), 2: unit}), unit


def single() -> Units:
    """Return units in which every unit id is one unit in memory."""
    return Units.single(memory_unit())


class End:
    """The peer's end of a stream, with a timeout on every wait."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream

    async def send(self, data: bytes) -> None:
        with trio.fail_after(PATIENCE):
            await self.stream.send_all(data)

    async def receive(self, size: int) -> bytes:
        """Return exactly `size` bytes, or fewer if the stream ends."""
        data = bytearray()
        with trio.fail_after(PATIENCE):
            while len(data) < size:
                piece = await self.stream.receive_some(size - len(data))
                if not piece:
                    break
                data += piece
        return bytes(data)

    async def ask(self, request: bytes, answer: bytes) -> None:
        """Send `request` and expect `answer`."""
        await self.send(request)
        received = await self.receive(len(answer))
        assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"

    async def is_closed(self) -> bool:
        """Wait for the next byte; return True if the server closes the connection instead."""
        with trio.fail_after(PATIENCE):
            try:
                return await self.stream.receive_some(1) == b""
            except trio.BrokenResourceError:
                return True

    async def aclose(self) -> None:
        await self.stream.aclose()


@asynccontextmanager
async def dialled(address: tuple[str, int] | str, source: str | None = None) -> AsyncIterator[End]:
    """A connection to a server, from the address `source`."""
    stream: trio.SocketStream
    if isinstance(address, str):
        stream = await trio.open_unix_socket(address)
    else:
        stream = await trio.open_tcp_stream(*address, local_address=source)
    async with stream:
        yield End(stream)


class Greedy:
    """A peer that sends requests without reading; it has sent `sent` bytes."""

    def __init__(self, end: End, frame: bytes) -> None:
        assert isinstance(end.stream, trio.SocketStream)
        self._socket = end.stream.socket
        self._frames = frame * 100
        self._size = len(frame)
        self._scope = trio.CancelScope()
        self.sent = 0

    async def run(self) -> None:
        """Send until `stop`, or until the server closes the connection."""
        with self._scope, suppress(ConnectionError):
            while True:
                # `send` may send a part of a frame: continue after it.
                self.sent += await self._socket.send(self._frames[self.sent % self._size :])

    def stop(self) -> None:
        self._scope.cancel()


class Served:
    """A server that runs; `stop` cancels it and waits for its end."""

    def __init__(self) -> None:
        self.address: Any = None
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.error: BaseException | None = None

    async def run(
        self, serve: Callable[..., Awaitable[None]], *, task_status: trio.TaskStatus[Any]
    ) -> None:
        try:
            with self.scope:
                await serve(task_status=task_status)
        except BaseException as error:
            if isinstance(error, trio.Cancelled):
                raise
            self.error = error
        finally:
            self.ended.set()

    async def stop(self) -> None:
        self.scope.cancel()
        await self.over()

    async def over(self) -> None:
        """Wait for its end; raise its error."""
        with trio.fail_after(PATIENCE):
            await self.ended.wait()
        if self.error is not None:
            raise self.error


@asynccontextmanager
async def served(
    serve: Callable[..., Awaitable[None]], *args: object, **kwargs: object
) -> AsyncIterator[Served]:
    """Run a server during the block; `address` is the value for `task_status.started`."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        server = Served()
        server.address = await nursery.start(server.run, partial(serve, *args, **kwargs))
        try:
            yield server
        except BaseException as error:  # noqa: BLE001 - raised below, without a group around it
            failure = error
            failure.__cause__ = failure.__cause__ or server.error
        if failure is None and not server.ended.is_set():
            await server.stop()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def in_thread(function: Callable[[], Any]) -> Any:
    """Return the result of a blocking function, run in a thread for at most `PATIENCE` seconds."""
    with trio.fail_after(PATIENCE):
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition without an event is true."""
    with trio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110 - there is no event
            await trio.sleep(0.001)


class OddUnits(Units):
    """A user-defined `Units`; its look-up of unit 13 fails."""

    def get(self, unit_id: int) -> Unit | None:
        if unit_id == 13:
            raise RuntimeError("no luck")
        return super().get(unit_id)

    def for_tcp(self, unit_id: int) -> Unit | None:
        return self.get(unit_id)
