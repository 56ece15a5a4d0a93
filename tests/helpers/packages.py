"""The packages with blocking calls, sync and gevent, if they are installed.

A test that is the same for both uses the fixture `package`: the public names of one package, and
methods to do two things concurrently. Sync uses threads, gevent uses greenlets of one hub, so a
test must also wait with the methods of its package. The scripted peers of `peers` are threads for
both, and so are the events of their scripts.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

import server_peers
from modwire import Unit, Units
from server_peers import PATIENCE, Line, RawClient, memory_unit

HOST = "127.0.0.1"
LOOPBACK = (HOST, 0)


class Task(Protocol):
    """A function that runs concurrently with the test."""

    @property
    def is_over(self) -> bool: ...

    def result(self) -> Any:
        """Wait for the end of the function; return its result, or raise its error."""


class Package:
    """One package: its public names, and methods to wait and to run functions concurrently."""

    name: str
    sockets: ModuleType
    """The socket module of the package."""

    def __init__(self) -> None:
        self.module = module = import_module(f"modwire_{self.name}")
        self.Client: type[Any] = module.Client
        self.TcpClient: type[Any] = module.TcpClient
        self.UdpClient: type[Any] = module.UdpClient
        self.UnixClient: type[Any] = module.UnixClient
        self.SerialClient: type[Any] = module.SerialClient
        self.TcpServer: type[Any] = module.TcpServer
        self.UdpServer: type[Any] = module.UdpServer
        self.SerialServer: type[Any] = module.SerialServer
        self.RemoteUnit: type[Any] = module.RemoteUnit
        self.Gateway: type[Any] = module.Gateway
        self.connect: Callable[..., Any] = module.connect

    def start(self, run: Callable[[], object]) -> Task:
        """Run a function concurrently with the test."""
        raise NotImplementedError

    def each(self, count: int, run: Callable[[int], object]) -> list[Any]:
        """Run `run(0)`, `run(1)`, ... `run(count - 1)` concurrently; return their results."""
        tasks = [self.start(lambda index=index: run(index)) for index in range(count)]  # type: ignore[misc]
        return [task.result() for task in tasks]

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait for a state that no event announces."""
        raise NotImplementedError

    def wait(self, event: threading.Event) -> None:
        """Wait for an event that a thread sets."""
        raise NotImplementedError

    def semaphore(self) -> Any:
        """Return a semaphore at zero, at which calls of the package's clients can wait."""
        raise NotImplementedError

    def line(self) -> AbstractContextManager[Line]:
        """A serial line for a server; the test is at its far end."""
        raise NotImplementedError

    def resolver(self, found: list[Any]) -> AbstractContextManager[None]:
        """Let each host name resolve to the addresses `found`."""
        raise NotImplementedError

    def raw(self, address: tuple[str, int] | str, source: str = "", buffer: int = 0) -> RawClient:
        """A connection to a server."""
        return RawClient(address, source, sockets=self.sockets, buffer=buffer)

    @contextmanager
    def datagrams(self, server: Any, source: str = "") -> Iterator[socket.socket]:
        """A UDP socket that is connected to a server."""
        family = socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET
        with self.sockets.socket(family, socket.SOCK_DGRAM) as made:
            made.settimeout(PATIENCE)
            if source:
                made.bind((source, 0))
            made.connect(tuple(server.address))
            yield made

    def gated_units(self) -> tuple[Units, Gate]:
        """Return unit 1 in memory, and unit 2, which blocks at a gate, and that gate."""
        gate = Gate(self)
        return Units({1: memory_unit(), 2: Unit(holding_registers=gate, blocking=True)}), gate


class Gate(server_peers.Gate):
    """A gate at which a unit waits in a thread; the test waits by the package's own method."""

    def __init__(self, package: Package) -> None:
        super().__init__()
        self._package = package

    def wait_entered(self) -> None:
        self._package.wait_until(lambda: self.entered.acquire(blocking=False))


def installed() -> list[Package]:
    """The packages that are installed."""
    made: list[Package] = []
    if find_spec("modwire_sync") is not None:
        from sync_package import SyncPackage

        made.append(SyncPackage())
    if find_spec("modwire_gevent") is not None:
        from gevent_package import GeventPackage

        made.append(GeventPackage())
    return made
