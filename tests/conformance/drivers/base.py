"""The interface of a driver. With one driver file, an adapter runs all scenarios.

The scenarios and the interpreter are written once, as coroutines. A driver runs them on its own
backend. On a blocking one, `run` drives the coroutine to its end, and nothing suspends it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from modwire import Framing, Units
from modwire.calls import AsyncCalls, BlockingCalls

from .far_ends import DatagramListener, End, Listener, PtyListener, SocketListener, dial

PATIENCE = 20.0  # timeout in seconds: a test fails if an expected event does not happen

# Everything that a scenario may need; each driver lists the capabilities that it lacks.
CAPABILITIES = {
    "cancel": "a call can be cancelled",
    "reopen": "a client opens its link itself, so it can open it anew",
    "tcp": "clients and servers have a TCP address",
    "udp": "clients and servers on UDP",
    "unix": "clients and servers on Unix sockets",
    "serial": "clients and servers on serial ports",
    "threads": "units that block run in threads (which no virtual clock waits for)",
}


class Task:
    """A function that runs concurrently with the script."""

    value: Any = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        raise NotImplementedError

    async def wait(self) -> None:
        """Wait until it is done, for `PATIENCE` seconds at most."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Cancel it; needs "cancel"."""
        raise NotImplementedError


class Serving:
    """A server that runs.

    `stop` and `wait` are functions for `start`. `stop` stops the server. `wait` waits until it
    ends by itself, and raises its error.
    """

    def __init__(self, address: Any, stop: Callable[[], Any], wait: Callable[[], Any]) -> None:
        self.address = address
        self.stop = stop
        self.wait = wait


class Driver:
    """One backend: runs functions concurrently, and makes clients and servers."""

    name: ClassVar[str]
    adapter: ClassVar[str]
    """The package under test; several drivers of one package share its scenarios."""
    lacks: ClassVar[frozenset[str]] = frozenset()
    leaves_time: ClassVar[bool] = False
    """True if another driver of the same adapter runs the scenarios in which time passes."""

    def plays(self, needs: frozenset[str], passes_time: bool) -> bool:
        """True if this driver plays a scenario with these needs."""
        return not needs & self.lacks and not (self.leaves_time and passes_time and not needs)

    # Running.

    def run(self, play: Callable[[], Awaitable[None]]) -> None:
        """Run a script to its end; its errors are raised unchanged."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        raise NotImplementedError

    def now(self) -> float:
        """The time in seconds, by the clock of `sleep`."""
        return time.monotonic()

    async def settle(self) -> None:
        """Return when each started function waits for something, or is done."""
        raise NotImplementedError

    async def readable(self, descriptor: int, seconds: float) -> bool:
        """Return True if a descriptor becomes readable within `seconds`."""
        raise NotImplementedError

    def start(self, function: Callable[[], Any]) -> Task:
        """Run a function, for example from `call`, `close` or `Serving.stop`, concurrently."""
        raise NotImplementedError

    async def finish(self, function: Callable[[], Any]) -> Any:
        """Run `function` to its end, and return its result."""
        task = self.start(function)
        await task.wait()
        if task.error is not None:
            raise task.error
        return task.value

    # Clients. These methods return functions for `start`.

    def listen(self, link: str, directory: str) -> Listener:
        """The place where scripted peers wait for a client; `directory` is for files."""
        if link == "udp":
            return DatagramListener(self)
        if link == "serial":
            return PtyListener(self)
        return SocketListener(self, f"{directory}/peer" if link == "unix" else None)

    def client(
        self, link: str, listener: Listener, framing: type[Framing], arguments: Mapping[str, Any]
    ) -> Any:
        """A client for the peer at `listener`."""
        raise NotImplementedError

    def call(
        self, client: Any, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Callable[[], Any]:
        return lambda: getattr(client, method)(*args, **kwargs)

    def connect(self, client: Any) -> Callable[[], Any]:
        return client.connect  # type: ignore[no-any-return]

    def close(self, client: Any) -> Callable[[], Any]:
        return client.close  # type: ignore[no-any-return]

    def remote_unit(self, client: Any, unit: int) -> Any:
        """A device behind `client`, as a unit."""
        raise NotImplementedError

    # Sniffers. Their methods are functions for `start`.

    def sniffer(self, address: str, arguments: Mapping[str, Any]) -> Any:
        """A sniffer on the serial port at `address`."""
        raise NotImplementedError

    # Servers.

    async def serve(
        self, link: str, units: Units, address: Any, grace: float, arguments: Mapping[str, Any]
    ) -> Serving:
        """Start a server at `address`: None for TCP and UDP, else a path.

        `arguments` have the names that the sync package gives them.
        """
        raise NotImplementedError

    async def dial(self, link: str, address: Any) -> End:
        """A raw connection to a server."""
        return dial(self, link, address)


def calls_of(kind: type[BlockingCalls] | type[AsyncCalls]) -> list[str]:
    """The names of the calls that every client has."""
    return [name for name in dir(kind) if re.match(r"[a-z]", name)]
