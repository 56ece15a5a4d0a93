"""The four packages for the tests here: servers in the background, and blocking clients.

A server of trio, gevent or asyncio runs on a loop in its own thread. Clients of gevent run on the
hub of the calling thread, clients of trio and asyncio on a loop in a thread, and the caller waits
for the result.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, ClassVar, NamedTuple

import gevent
import pytest
import trio
import uvloop

import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import (
    FRAMINGS,
    ClientOptions,
    Framing,
    PymodbusBinaryFraming,
    ServerOptions,
    Unit,
    Units,
)

# A pseudo-terminal supports only 8 bits without parity.
_LINE: dict[str, Any] = {"baudrate": 115200, "bytesize": 8, "parity": "N"}
_OPTIONS = ServerOptions(listen_only=True)
_FRAMINGS: dict[str, type[Framing]] = {**FRAMINGS, "pymodbus-binary": PymodbusBinaryFraming}
_PATIENCE = 20.0  # timeout in seconds for the start and the end of a loop


class Link(NamedTuple):
    """The parts of a link such as "udp", "unix", "ascii" or "rtu+tcp"."""

    framing: type[Framing]
    transport: str  # tcp, udp, unix or serial

    @classmethod
    def named(cls, name: str) -> Link:
        if name in ("rtu", "ascii", "pymodbus-binary"):
            return cls(_FRAMINGS[name], "serial")
        framing, _, transport = name.rpartition("+")
        return cls(_FRAMINGS[framing or "tcp"], transport)


class Remote(NamedTuple):
    """A device behind a client; both are of the same package as the server with this unit."""

    client: Any
    unit: Unit


class Gate(NamedTuple):
    """A gateway to a line, and the client on that line."""

    client: Any
    units: Any


class Adapter:
    """One package. Ports are numbers of TCP and UDP, or paths of devices and Unix sockets."""

    package: ClassVar[Any]

    @property
    def name(self) -> str:
        return str(self.package.__name__).removeprefix("modwire_")

    def serving(
        self, units: Units, link: str, path: str = "", *, remotes: tuple[Remote | Gate, ...] = ()
    ) -> AbstractContextManager[int | str]:
        """Yield a server and its port; the clients of `remotes` are closed after it."""
        raise NotImplementedError

    def client(
        self, link: str, port: int | str, options: ClientOptions
    ) -> AbstractContextManager[Any]:
        """An open client."""
        raise NotImplementedError

    def at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        """Make calls of one client concurrently, each in its own thread or task."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(lambda call: call(), calls, timeout=_PATIENCE))

    def remote(self, link: str, port: int | str, unit: int, options: ClientOptions) -> Remote:
        """Return a unit that forwards requests to unit `unit` of the server at `port`."""
        client = self._make_client(link, port, options)
        return Remote(client, self.package.RemoteUnit(client, unit))

    def gateway(
        self, link: str, port: int | str, units: Any, options: ClientOptions, **arguments: Any
    ) -> Gate:
        """Return a gateway to the devices on a link."""
        client = self._make_client(link, port, options)
        return Gate(client, self.package.Gateway(client, units, **arguments))

    def _make_client(self, link: str, port: int | str, options: ClientOptions) -> Any:
        framing, transport = Link.named(link)
        arguments: dict[str, Any] = {"framing": framing, "options": options}
        if transport == "serial":
            return self.package.SerialClient(port, **arguments, **_LINE)
        if transport == "unix":
            return self.package.UnixClient(port, **arguments)
        kind = self.package.TcpClient if transport == "tcp" else self.package.UdpClient
        return kind("127.0.0.1", port, **arguments)

    def _make_server(self, units: Units, link: str, path: str) -> Any:
        framing, transport = Link.named(link)
        if transport == "serial":
            return self.package.SerialServer(units, path, framing=framing, **_LINE)
        kind = self.package.UdpServer if transport == "udp" else self.package.TcpServer
        return kind(units, path or ("127.0.0.1", 0), framing=framing, options=_OPTIONS)

    def __repr__(self) -> str:
        return self.name


class Sync(Adapter):
    package = modwire_sync

    @contextmanager
    def serving(
        self, units: Units, link: str, path: str = "", *, remotes: tuple[Remote | Gate, ...] = ()
    ) -> Iterator[int | str]:
        try:
            with self._make_server(units, link, path) as server:
                yield _port_of(server.address)
        finally:
            for remote in remotes:
                remote.client.close()

    @contextmanager
    def client(self, link: str, port: int | str, options: ClientOptions) -> Iterator[Any]:
        with self._make_client(link, port, options) as client:
            yield client


class Gevent(Adapter):
    package = modwire_gevent

    @contextmanager
    def serving(
        self, units: Units, link: str, path: str = "", *, remotes: tuple[Remote | Gate, ...] = ()
    ) -> Iterator[int | str]:
        servers: list[Any] = []
        has_started = threading.Event()

        def serve() -> None:
            try:
                server = self._make_server(units, link, path)
                server.start()
                servers.append(server)
                has_started.set()
                server.serve_forever()
                for remote in remotes:
                    remote.client.close()
            finally:
                has_started.set()
                gevent.get_hub().destroy(destroy_loop=True)

        thread = threading.Thread(target=serve, name="gevent server", daemon=True)
        thread.start()
        assert has_started.wait(_PATIENCE), "the server does not start"
        assert servers, "the server cannot start"
        try:
            yield _port_of(servers[0].address)
        finally:
            servers[0].shutdown()
            thread.join(_PATIENCE)
            assert not thread.is_alive(), "the server does not end"

    @contextmanager
    def client(self, link: str, port: int | str, options: ClientOptions) -> Iterator[Any]:
        with self._make_client(link, port, options) as client:
            yield client

    def at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        greenlets = [gevent.spawn(call) for call in calls]
        gevent.joinall(greenlets, timeout=_PATIENCE)
        return [greenlet.get(block=False) for greenlet in greenlets]


class Trio(Adapter):
    package = modwire_trio

    @contextmanager
    def serving(
        self, units: Units, link: str, path: str = "", *, remotes: tuple[Remote | Gate, ...] = ()
    ) -> Iterator[int | str]:
        framing, transport = Link.named(link)
        serve: Callable[..., Awaitable[None]]
        if transport == "serial":
            serve = partial(modwire_trio.serve_serial, units, path, framing=framing, **_LINE)
        elif transport == "unix":
            serve = partial(modwire_trio.serve_unix, units, path, framing=framing, options=_OPTIONS)
        else:
            kind = modwire_trio.serve_tcp if transport == "tcp" else modwire_trio.serve_udp
            serve = partial(kind, units, 0, framing=framing, options=_OPTIONS)
        with _TrioLoop() as loop:
            with loop.serving(serve) as address:
                yield _port_of(address)
            for remote in remotes:
                loop.run(remote.client.aclose)

    @contextmanager
    def client(self, link: str, port: int | str, options: ClientOptions) -> Iterator[Any]:
        with _TrioLoop() as loop:
            client = self._make_client(link, port, options)
            loop.run(client.connect)
            try:
                yield _Waiting(client, loop)
            finally:
                loop.run(client.aclose)


class _TrioLoop:
    """A loop of trio that runs in a thread during the block."""

    def __enter__(self) -> _TrioLoop:
        self._has_started = threading.Event()
        self._thread = threading.Thread(
            target=trio.run, args=(self._main,), name="trio loop", daemon=True
        )
        self._thread.start()
        assert self._has_started.wait(_PATIENCE), "the loop does not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.run_sync(self._end.set)
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the loop does not end"

    async def _main(self) -> None:
        self._end = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            self._has_started.set()
            await self._end.wait()

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Run `function` on the loop; return its result, or raise its error."""
        return trio.from_thread.run(function, trio_token=self._token)

    def run_sync(self, function: Callable[[], Any]) -> Any:
        return trio.from_thread.run_sync(function, trio_token=self._token)

    @contextmanager
    def serving(self, serve: Callable[..., Awaitable[None]]) -> Iterator[Any]:
        """Run a function with a `task_status`; yield the value that it passes to `started`."""
        scope = trio.CancelScope()
        is_over = threading.Event()

        async def cancellable(*, task_status: trio.TaskStatus[Any]) -> None:
            try:
                with scope:
                    await serve(task_status=task_status)
            finally:
                is_over.set()

        address = self.run(partial(self._nursery.start, cancellable))
        try:
            yield address
        finally:
            self.run_sync(scope.cancel)
            assert is_over.wait(_PATIENCE), "the server does not end"


class Asyncio(Adapter):
    package = modwire_asyncio
    new_loop = staticmethod(asyncio.new_event_loop)

    @contextmanager
    def serving(
        self, units: Units, link: str, path: str = "", *, remotes: tuple[Remote | Gate, ...] = ()
    ) -> Iterator[int | str]:
        with _AsyncioLoop(self.new_loop()) as loop:
            server = self._make_server(units, link, path)
            loop.run(server.start)
            try:
                yield _port_of(server.address)
            finally:
                loop.run(server.shutdown)
                for remote in remotes:
                    loop.run(remote.client.aclose)

    @contextmanager
    def client(self, link: str, port: int | str, options: ClientOptions) -> Iterator[Any]:
        with _AsyncioLoop(self.new_loop()) as loop:
            client = self._make_client(link, port, options)
            loop.run(client.connect)
            try:
                yield _Waiting(client, loop)
            finally:
                loop.run(client.aclose)


class Uvloop(Asyncio):
    new_loop = staticmethod(uvloop.new_event_loop)

    @property
    def name(self) -> str:
        return "uvloop"


class _AsyncioLoop:
    """A loop of asyncio that runs in a thread during the block."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.Thread(target=loop.run_forever, name="asyncio loop", daemon=True)

    def __enter__(self) -> _AsyncioLoop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the loop does not end"
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def run(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run `function` on the loop; return its result, or raise its error."""
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result()


class _Waiting:
    """A client on a loop of trio or asyncio; its methods block until they have a result."""

    def __init__(self, client: Any, loop: _TrioLoop | _AsyncioLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._loop.run(partial(method, *args, **kwargs))


def _port_of(address: str | tuple[str, int]) -> int | str:
    return address if isinstance(address, str) else address[1]


SYNC = Sync()
GEVENT = Gevent()
TRIO = Trio()
ASYNCIO = Asyncio()
UVLOOP = Uvloop()
ADAPTERS: list[Adapter] = [SYNC, TRIO, GEVENT, ASYNCIO, UVLOOP]

# For tests that do not depend on the package: the results would be the same for all.
once = pytest.mark.parametrize("adapter", [SYNC], indirect=True, ids=repr)
