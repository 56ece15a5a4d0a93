"""The tested side of torn lines: each package's clients ask, or its servers answer, on all at once.

A side can be held up: something in its process blocks it for 30 ms every 20 ms, as a slow callback
does in an event loop, or a C extension that keeps Python's lock beside threads.
"""

from __future__ import annotations

import asyncio
import ctypes
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from itertools import repeat, takewhile
from typing import Any

import gevent
import trio
import uvloop

import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import RtuFraming, SequentialBlock, Unit, Units

HELD, BETWEEN = 0.03, 0.02  # seconds
HOST = "127.0.0.1"
GIVES_UP = 3  # failures on one line
PATIENCE = 15.0  # seconds for one answer; only a failing call takes all of them
LONGEST = 900.0  # seconds for a whole run; only one that hangs takes all of them


class Line:
    """The near end of a line: a terminal at `path`, or a TCP connection if that is empty."""

    def __init__(self, path: str, baudrate: int, count: int, registers: int) -> None:
        self.path = path
        self.port = 0
        self.baudrate = baudrate
        self.count = count
        self.registers = registers
        self.right = 0
        self.failed: list[str] = []

    @property
    def endpoint(self) -> str:
        if self.path:
            return f"rtu://{self.path}?baudrate={self.baudrate}&parity=N&timeout={PATIENCE}"
        return f"rtu+tcp://{HOST}:{self.port}?timeout={PATIENCE}"

    def turns(self) -> Iterator[int]:
        """The numbers of the exchanges; they end early after some failures."""
        return takewhile(lambda _: len(self.failed) < GIVES_UP, range(self.count))

    def check(self, turn: int, got: Sequence[int] | Exception) -> None:
        """Count an answer; the registers of the device have their addresses as values."""
        if got == [*range(turn, turn + self.registers)]:
            self.right += 1
        else:
            self.failed.append(f"exchange {turn}: {got!r}")


def units() -> Units:
    return Units({1: Unit(holding_registers=SequentialBlock(0, range(200)))})


Far = Callable[[], "subprocess.Popen[bytes]"]


class Side:
    """One package."""

    name: str

    def ask(self, lines: Sequence[Line], is_held: bool) -> None:
        """Read from the devices on all lines, and count the answers in the lines."""
        raise NotImplementedError

    def serve(self, lines: Sequence[Line], is_held: bool, far: Far) -> bytes:
        """Serve at all lines until the clients, which `far` starts, end; return what they print."""
        raise NotImplementedError


class BlockingSide(Side):
    """A package with blocking calls."""

    module: Any

    def each(self, run: Callable[[Line], None], lines: Sequence[Line]) -> None:
        """Run a function for all lines concurrently."""
        raise NotImplementedError

    def hold(self, is_held: bool) -> Any:
        """A context in which this process is held up now and then."""
        raise NotImplementedError

    def output(self, process: subprocess.Popen[bytes]) -> bytes:
        """Wait for the end of a process, while servers go on."""
        raise NotImplementedError

    def ask(self, lines: Sequence[Line], is_held: bool) -> None:
        with self.hold(is_held):
            self.each(self._ask_one, lines)

    def _ask_one(self, line: Line) -> None:
        with self.module.connect(line.endpoint) as client:
            for turn in line.turns():
                try:
                    line.check(turn, client.read_holding_registers(turn, line.registers))
                except Exception as error:  # noqa: BLE001 - counted
                    line.check(turn, error)

    def serve(self, lines: Sequence[Line], is_held: bool, far: Far) -> bytes:
        with ExitStack() as stack:
            for line in lines:
                if line.path:
                    stack.enter_context(
                        self.module.SerialServer(
                            units(), line.path, baudrate=line.baudrate, parity="N"
                        )
                    )
                else:
                    server = self.module.TcpServer(units(), (HOST, 0), framing=RtuFraming)
                    line.port = stack.enter_context(server).address[1]
            stack.enter_context(self.hold(is_held))
            return self.output(far())


class SyncSide(BlockingSide):
    name = "sync"
    module = modwire_sync

    def each(self, run: Callable[[Line], None], lines: Sequence[Line]) -> None:
        with ThreadPoolExecutor(len(lines)) as pool:
            list(pool.map(run, lines))

    @contextmanager
    def hold(self, is_held: bool) -> Iterator[None]:
        over = threading.Event()
        # A function of PyDLL keeps Python's lock, so no other thread runs.
        usleep = ctypes.PyDLL(None).usleep

        def hog() -> None:
            while is_held and not over.wait(BETWEEN):
                usleep(int(HELD * 1e6))

        thread = threading.Thread(target=hog, daemon=True)
        thread.start()
        yield
        over.set()
        thread.join()

    def output(self, process: subprocess.Popen[bytes]) -> bytes:
        return process.communicate(timeout=LONGEST)[0]


class GeventSide(BlockingSide):
    name = "gevent"
    module = modwire_gevent

    def each(self, run: Callable[[Line], None], lines: Sequence[Line]) -> None:
        gevent.joinall([gevent.spawn(run, line) for line in lines], raise_error=True)

    @contextmanager
    def hold(self, is_held: bool) -> Iterator[None]:
        def hog() -> None:
            for _ in repeat(None) if is_held else ():
                gevent.sleep(BETWEEN)
                time.sleep(HELD)

        greenlet = gevent.spawn(hog)
        yield
        greenlet.kill()

    def output(self, process: subprocess.Popen[bytes]) -> bytes:
        pool = gevent.get_hub().threadpool
        found: bytes = pool.apply(partial(process.communicate, timeout=LONGEST))[0]
        return found


class TrioSide(Side):
    name = "trio"

    def ask(self, lines: Sequence[Line], is_held: bool) -> None:
        async def run() -> None:
            async with trio.open_nursery() as outer:
                if is_held:
                    outer.start_soon(self._hog)
                async with trio.open_nursery() as nursery:
                    for line in lines:
                        nursery.start_soon(self._ask_one, line)
                outer.cancel_scope.cancel()

        trio.run(run)

    async def _ask_one(self, line: Line) -> None:
        async with modwire_trio.connect(line.endpoint) as client:
            for turn in line.turns():
                try:
                    line.check(turn, await client.read_holding_registers(turn, line.registers))
                except Exception as error:  # noqa: BLE001 - counted
                    line.check(turn, error)

    async def _hog(self) -> None:
        hold = time.sleep
        while True:
            await trio.sleep(BETWEEN)
            hold(HELD)

    def serve(self, lines: Sequence[Line], is_held: bool, far: Far) -> bytes:
        async def run() -> bytes:
            async with trio.open_nursery() as nursery:
                for line in lines:
                    if line.path:
                        settings = {"baudrate": line.baudrate, "parity": "N"}
                        serve = partial(modwire_trio.serve_serial, **settings)
                        await nursery.start(serve, units(), line.path)
                    else:
                        tcp = partial(modwire_trio.serve_tcp, framing=RtuFraming)
                        line.port = (await nursery.start(tcp, units(), 0)).port
                if is_held:
                    nursery.start_soon(self._hog)
                wait = partial(far().communicate, timeout=LONGEST)
                found = (await trio.to_thread.run_sync(wait))[0]
                nursery.cancel_scope.cancel()
            return found

        return trio.run(run)


class AsyncioSide(Side):
    name = "asyncio"
    new_loop = staticmethod(asyncio.new_event_loop)

    def _run(self, main: Coroutine[Any, Any, Any]) -> Any:
        loop = self.new_loop()
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    @asynccontextmanager
    async def _hold(self, is_held: bool) -> AsyncIterator[None]:
        hold = time.sleep

        async def hog() -> None:
            while is_held:
                await asyncio.sleep(BETWEEN)
                hold(HELD)

        task = asyncio.create_task(hog())
        yield
        task.cancel()

    def ask(self, lines: Sequence[Line], is_held: bool) -> None:
        async def run() -> None:
            async with self._hold(is_held):
                await asyncio.gather(*map(self._ask_one, lines))

        self._run(run())

    async def _ask_one(self, line: Line) -> None:
        async with modwire_asyncio.connect(line.endpoint) as client:
            for turn in line.turns():
                try:
                    line.check(turn, await client.read_holding_registers(turn, line.registers))
                except Exception as error:  # noqa: BLE001 - counted
                    line.check(turn, error)

    def serve(self, lines: Sequence[Line], is_held: bool, far: Far) -> bytes:
        async def run() -> bytes:
            async with AsyncExitStack() as stack:
                for line in lines:
                    server: modwire_asyncio.SerialServer | modwire_asyncio.TcpServer
                    if line.path:
                        server = modwire_asyncio.SerialServer(
                            units(), line.path, baudrate=line.baudrate, parity="N"
                        )
                        await stack.enter_async_context(server)
                    else:
                        server = modwire_asyncio.TcpServer(units(), (HOST, 0), framing=RtuFraming)
                        await stack.enter_async_context(server)
                        line.port = server.address[1]  # type: ignore[assignment]
                await stack.enter_async_context(self._hold(is_held))
                wait = partial(far().communicate, timeout=LONGEST)
                return (await asyncio.to_thread(wait))[0]

        found: bytes = self._run(run())
        return found


class UvloopSide(AsyncioSide):
    name = "uvloop"
    new_loop = staticmethod(uvloop.new_event_loop)


SIDES: list[Side] = [SyncSide(), TrioSide(), GeventSide(), AsyncioSide(), UvloopSide()]
