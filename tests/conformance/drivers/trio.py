"""The trio package, twice: on sockets in real time, and on memory streams in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import trio
import trio.testing

from modwire import Framing, Units
from modwire_trio import (
    Client,
    RemoteUnit,
    SerialClient,
    TcpClient,
    UdpClient,
    UnixClient,
    serve_serial,
    serve_stream,
    serve_tcp,
    serve_udp,
    serve_unix,
)
from modwire_trio.sniffing import SerialSniffer

from .base import PATIENCE, Driver, Serving, Task
from .far_ends import End, Listener


class TrioTask(Task):
    def __init__(self, nursery: trio.Nursery, function: Callable[[], Awaitable[Any]]) -> None:
        self._scope = trio.CancelScope()
        self._over = trio.Event()
        nursery.start_soon(self._run, function)

    async def _run(self, function: Callable[[], Awaitable[Any]]) -> None:
        try:
            with self._scope:
                self.value = await function()
        except Exception as error:  # noqa: BLE001 - the script looks at it
            self.error = error
        finally:
            self._over.set()

    @property
    def is_done(self) -> bool:
        return self._over.is_set()

    async def wait(self) -> None:
        with trio.move_on_after(PATIENCE):
            await self._over.wait()

    def cancel(self) -> None:
        self._scope.cancel()


class TrioDriver(Driver):
    name = adapter = "trio"
    leaves_time = True
    nursery: trio.Nursery

    def clock(self) -> trio.abc.Clock | None:
        return None

    def run(self, play: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            failure: Exception | None = None
            async with trio.open_nursery() as nursery:
                self.nursery = nursery
                try:
                    await play()
                except Exception as error:  # noqa: BLE001 - raised outside, without a group
                    failure = error
                nursery.cancel_scope.cancel()
            if failure is not None:
                raise failure

        trio.run(main, clock=self.clock())

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def now(self) -> float:
        return trio.current_time()

    async def settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked(0.001)

    async def readable(self, descriptor: int, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            await trio.lowlevel.wait_readable(descriptor)
            return True
        return False

    def start(self, function: Callable[[], Any]) -> Task:
        return TrioTask(self.nursery, function)

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

    def close(self, client: Any) -> Callable[[], Any]:
        return client.aclose  # type: ignore[no-any-return]

    def remote_unit(self, client: Any, unit: int) -> Any:
        return RemoteUnit(client, unit)

    def sniffer(self, address: str, arguments: Mapping[str, Any]) -> Any:
        return SerialSniffer(address, **arguments)

    async def serve(
        self, link: str, units: Units, address: Any, grace: float, arguments: Mapping[str, Any]
    ) -> Serving:
        if link == "serial":
            serve = partial(serve_serial, units, address)
        elif link == "unix":
            serve = partial(serve_unix, units, address)
        else:
            serve = partial(serve_udp if link == "udp" else serve_tcp, units, 0)
        scope = trio.CancelScope()
        over = trio.Event()
        failure: list[BaseException] = []

        async def run(*, task_status: trio.TaskStatus[Any]) -> None:
            try:
                with scope:
                    await serve(**arguments, grace=grace, task_status=task_status)
            except Exception as error:  # noqa: BLE001 - raised where the server is stopped
                failure.append(error)
            finally:
                over.set()

        async def wait() -> None:
            await over.wait()
            if failure:
                raise failure[0]

        async def stop() -> None:
            scope.cancel()
            await wait()

        return Serving(await self.nursery.start(run), stop, wait)


class MemoryEnd(End):
    """The far end of a pair of memory streams."""

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        self._stream = stream

    async def receive(self, size: int) -> bytes:
        data = b""
        with trio.move_on_after(PATIENCE):
            while len(data) < size:
                piece = await self._stream.receive_some(size - len(data))
                if not piece:
                    break
                data += piece
        return data

    async def receive_for(self, seconds: float) -> bytes:
        with trio.move_on_after(seconds):
            return bytes(await self._stream.receive_some(4096))
        return b""

    async def send(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def ends(self) -> bool:
        with trio.move_on_after(PATIENCE):
            try:
                return bytes(await self._stream.receive_some(4096)) == b""
            except trio.BrokenResourceError:
                return True
        return False

    def end_sending(self) -> None:
        self._stream.send_stream.close()

    def close(self) -> None:
        self._stream.send_stream.close()
        self._stream.receive_stream.close()


class MemoryListener(Listener):
    """One pair of memory streams; `address` is the client's."""

    def __init__(self) -> None:
        self.address, self._far = trio.testing.memory_stream_pair()

    async def accept(self) -> End:
        return MemoryEnd(self._far)

    def close(self) -> None:
        with suppress(trio.ClosedResourceError):
            MemoryEnd(self._far).close()


class TrioMemoryDriver(TrioDriver):
    name = "trio in memory"
    lacks = frozenset({"reopen", "tcp", "udp", "unix", "serial", "threads"})
    leaves_time = False

    def clock(self) -> trio.abc.Clock | None:
        return trio.testing.MockClock(autojump_threshold=0)

    async def settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked()

    def listen(self, link: str, directory: str) -> Listener:
        return MemoryListener()

    def client(
        self, link: str, listener: Listener, framing: type[Framing], arguments: Mapping[str, Any]
    ) -> Any:
        return Client(listener.address, framing=framing, **arguments)

    async def serve(
        self, link: str, units: Units, address: Any, grace: float, arguments: Mapping[str, Any]
    ) -> Serving:
        served: list[Task] = []

        def dial() -> End:
            near, far = trio.testing.memory_stream_pair()
            served.append(self.start(partial(serve_stream, units, near, **arguments)))
            return MemoryEnd(far)

        async def stop() -> None:
            for task in served:
                task.cancel()
                await task.wait()
                if task.error is not None:
                    raise task.error

        return Serving(dial, stop, trio.sleep_forever)

    async def dial(self, link: str, address: Any) -> End:
        end: End = address()
        return end
