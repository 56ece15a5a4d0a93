"""For tests of gateways: a line with devices that respond when the test lets them."""

from __future__ import annotations

import threading
from typing import Any

from modwire import ClientOptions, Request, WriteSingleRegisterResponse
from packages import LOOPBACK, Package
from server_peers import PATIENCE, RawClient, memory_unit, tcp

OWN = 100
"""The gateway's own unit; its response tells `settle` that a server has read everything."""


class Calls:
    """The calls of a client: their values, and the time and outcome of their end."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._may_end = package.semaphore()
        self.asked: list[tuple[int | None, int]] = []
        self.error: BaseException | None = None
        self.most_open = 0  # calls at the same time
        self._open = 0
        self._lock = threading.Lock()

    def run(self, request: Request[Any], unit: int | None) -> Any:
        value = request.encode()[4]
        with self._lock:
            self._open += 1
            self.most_open = max(self._open, self.most_open)
            self.asked.append((unit, value))
        try:
            assert self._may_end.acquire(timeout=PATIENCE)
        finally:
            with self._lock:
                self._open -= 1
        if self.error is not None:
            raise self.error
        return None if unit == 0 else WriteSingleRegisterResponse(0, value)

    def let(self, count: int) -> None:
        """Let `count` calls end, now or when they are made."""
        for _ in range(count):
            self._may_end.release()

    def wait_asked(self, count: int) -> None:
        """Wait until `count` calls have been made."""
        self._package.wait_until(lambda: len(self.asked) >= count)


def fake_line(package: Package, **options: Any) -> tuple[Any, Calls]:
    """Return a client of the package that sends nothing, and its calls."""
    calls = Calls(package)

    class FakeLine(package.TcpClient):  # type: ignore[misc, name-defined]
        def call(
            self, request: Request[Any], *, unit: int | None = None, timeout: float | None = None
        ) -> Any:
            return calls.run(request, unit)

    return FakeLine("fake", options=ClientOptions(**options)), calls


def fake_gateway(package: Package, **options: Any) -> tuple[Any, Calls]:
    """Return a gateway with all units except `OWN` on a fake line, and the calls there."""
    line, calls = fake_line(package, **options)
    gateway = package.Gateway(line)
    gateway[OWN] = memory_unit()
    return gateway, calls


def write(value: int, unit: int = 1) -> bytes:
    """Return a request that writes `value`; its response is the same."""
    return tcp(f"060000{value:04x}", value, unit=unit)


def settle(package: Package, server: Any) -> None:
    """Return when a server on TCP has processed everything that was sent before."""
    with package.raw(server.address) as peer:
        ask_own(peer)


def ask_own(peer: RawClient) -> None:
    """Read a gateway's own unit several times, so that the server processes other requests."""
    for number in range(4):
        peer.ask(tcp("0300050001", number, unit=OWN), tcp("03020005", number, unit=OWN))


__all__ = [
    "LOOPBACK",
    "OWN",
    "Calls",
    "ask_own",
    "fake_gateway",
    "fake_line",
    "settle",
    "write",
]
