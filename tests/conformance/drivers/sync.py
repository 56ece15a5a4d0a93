"""The sync package: each call in a thread of its own, and real time."""

# ruff: noqa: ASYNC251 - what is `async` here blocks, as the package does

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from modwire import Framing, Units
from modwire_sync import (
    RemoteUnit,
    SerialClient,
    SerialServer,
    TcpClient,
    TcpServer,
    UdpClient,
    UdpServer,
    UnixClient,
)
from modwire_sync.sniffing import SerialSniffer

from .base import PATIENCE, Driver, Serving, Task
from .far_ends import Listener

_LOOK = 0.001  # seconds between two looks at a thread
_LOOKS = 3  # looks in a row at the same place; a thread that waits for the GIL also sleeps


class ThreadTask(Task):
    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.value = self._function()
        except BaseException as error:  # noqa: BLE001 - the script looks at it
            self.error = error

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    async def wait(self) -> None:
        self._thread.join(PATIENCE)

    def where(self) -> object:
        """Return the thread's place in its program, or None while it runs."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        if frame is None:
            return None
        stat = Path(f"/proc/self/task/{self._thread.native_id}/stat")
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has just ended, or this is no Linux
            state = "S"
        return (id(frame), frame.f_lasti) if state == "S" else None


class SyncDriver(Driver):
    name = adapter = "sync"
    lacks = frozenset({"cancel"})  # a waiting thread cannot be cancelled

    def __init__(self) -> None:
        self._tasks: list[ThreadTask] = []

    def run(self, play: Callable[[], Awaitable[None]]) -> None:
        self._tasks = []
        coroutine = play().__await__()
        try:
            next(coroutine)
        except StopIteration:
            return
        raise AssertionError("nothing here can suspend a script")

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def settle(self) -> None:
        """Return when each thread sleeps at the same place for several looks."""
        end = time.monotonic() + PATIENCE
        before: list[object] = []
        alike = 0
        while alike < _LOOKS:
            self._tasks = [each for each in self._tasks if not each.is_done]
            now = [each.where() for each in self._tasks]
            alike = alike + 1 if None not in now and now == before else 0
            if not now:
                break
            assert time.monotonic() < end, "a thread neither waits nor ends"
            before = now
            time.sleep(_LOOK)

    async def readable(self, descriptor: int, seconds: float) -> bool:
        return bool(select.select([descriptor], [], [], seconds)[0])

    def start(self, function: Callable[[], Any]) -> Task:
        task = ThreadTask(function)
        self._tasks.append(task)
        return task

    async def finish(self, function: Callable[[], Any]) -> Any:
        return function()

    def client(
        self, link: str, listener: Listener, framing: type[Framing], arguments: Mapping[str, Any]
    ) -> Any:
        address = listener.address
        if link == "serial":
            return SerialClient(address, framing=framing, **arguments)
        if link == "unix":
            return UnixClient(address, framing=framing, **arguments)
        kind = UdpClient if link == "udp" else TcpClient
        return kind(*address, framing=framing, **arguments)

    def remote_unit(self, client: Any, unit: int) -> Any:
        return RemoteUnit(client, unit)

    def sniffer(self, address: str, arguments: Mapping[str, Any]) -> Any:
        return SerialSniffer(address, **arguments)

    async def serve(
        self, link: str, units: Units, address: Any, grace: float, arguments: Mapping[str, Any]
    ) -> Serving:
        server: TcpServer | UdpServer | SerialServer
        if link == "serial":
            server = SerialServer(units, address, **arguments)
        elif link == "udp":
            server = UdpServer(units, ("127.0.0.1", 0), **arguments)
        else:
            server = TcpServer(units, address or ("127.0.0.1", 0), **arguments)
        server.start()
        return Serving(server.address, lambda: server.shutdown(grace), server.serve_forever)
