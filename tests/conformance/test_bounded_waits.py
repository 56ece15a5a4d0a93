"""No wait of a client lasts longer than its timeouts: for a name, a connection, or room to send."""

from __future__ import annotations

import asyncio
import io
import socket
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest
import serial
import trio

import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import ConnectionLostError, ModbusError
from modwire.client.link import share
from modwire_sync import ports
from modwire_sync.serial_link import SerialLink
from peers import (
    PATIENCE,
    Background,
    PtyPeer,
    SocketPeer,
    answer_reads,
    registers,
    rtu,
    serial_line,
)

PACKAGES = [modwire_sync, modwire_trio, modwire_gevent, modwire_asyncio]
EACH = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
NAME = "meter.invalid"

Step = int | Callable[[], object]


def play(package: Any, make: Callable[[], Any], *steps: Step) -> list[list[int] | ModbusError]:
    """Read the register at each address among the steps, and call the other ones."""
    if package is modwire_trio:
        return trio.run(_play_async, make, steps)
    if package is modwire_asyncio:
        return asyncio.run(_play_async(make, steps))
    client, found = make(), list[Any]()
    for step in steps:
        if callable(step):
            step()
            continue
        try:
            found.append(client.read_holding_registers(step))
        except ModbusError as error:
            found.append(error)
    client.close()
    return found


async def _play_async(make: Callable[[], Any], steps: tuple[Step, ...]) -> list[Any]:
    client, found = make(), list[Any]()
    for step in steps:
        if callable(step):
            step()
            continue
        try:
            found.append(await client.read_holding_registers(step))
        except ModbusError as error:
            found.append(error)
    await client.aclose()
    return found


@pytest.fixture
def stuck_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The name servers never answer for `NAME`; the event ends the look-ups after the test."""
    release = threading.Event()
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        if host not in (NAME, NAME.encode()):
            return look_up(host, *arguments, **named)
        flags = named.get("flags", arguments[4] if len(arguments) > 4 else 0)
        if not flags & socket.AI_NUMERICHOST:
            release.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    hub = gevent.get_hub()

    def in_pool(self: object, *arguments: Any, **named: Any) -> Any:
        return hub.threadpool.apply(getaddrinfo, arguments, named)

    monkeypatch.setattr(type(hub.resolver), "getaddrinfo", in_pool)
    for package in PACKAGES:
        monkeypatch.setattr(package.clients, "LOOKUP_TIMEOUT", 0.2)
    yield release
    release.set()


@EACH
@pytest.mark.parametrize("kind", ["TcpClient", "UdpClient"])
def test_a_name_that_is_not_resolved(package: Any, kind: str, stuck_names: threading.Event) -> None:
    more = {"connect_timeout": 0.2} if kind == "TcpClient" else {}
    found = play(package, lambda: getattr(package, kind)(NAME, **more), 5)
    assert not stuck_names.is_set()
    assert isinstance(found[0], ConnectionLostError), found


def test_the_addresses_of_a_name_share_the_time() -> None:
    """Otherwise a name with four addresses would take four times the timeout."""

    def shares(*taken: float) -> list[float]:
        """Return the times of the attempts, of which each has taken so long."""
        now, found = 100.0, []
        for number, used in enumerate(taken):
            found.append(share(103.0, now, len(taken) - number))
            now += used
        return found

    assert shares(1.0, 1.0, 1.0) == [1.0, 1.0, 1.0]
    assert shares(0.0, 0.0, 0.0) == [1.0, 1.5, 3.0]
    assert share(103.0, 104.0, 1) > 0, "0 would mean not to wait at all, or for ever"


class FullQueue:
    """A Unix socket that has no room for more connections, until `free` is called."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.settimeout(PATIENCE)
        self._listener.bind(path)
        self._listener.listen(0)
        self._fillers = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for filler in self._fillers:
            filler.setblocking(False)
        self._waiting = [filler.connect_ex(path) for filler in self._fillers].count(0)
        assert self._waiting < len(self._fillers)
        self._is_free = threading.Event()

    def free(self) -> None:
        for _ in range(self._waiting):
            self._listener.accept()[0].close()
        self._is_free.set()

    def serve(self) -> None:
        """Serve one connection, when there is room."""
        assert self._is_free.wait(PATIENCE), "the client did not wait for room"
        accepted = self._listener.accept()[0]
        with accepted:
            answer_reads(SocketPeer(accepted))

    def close(self) -> None:
        for each in (self._listener, *self._fillers):
            each.close()


@EACH
def test_a_unix_socket_whose_queue_is_full_for_a_moment(
    package: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "busy")
    with closing(FullQueue(path)) as queue:
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                queue.free()

        async def async_pause(seconds: float) -> None:
            if seconds:
                pause(seconds)

        if package in (modwire_trio, modwire_asyncio):
            monkeypatch.setattr(trio if package is modwire_trio else asyncio, "sleep", async_pause)
        elif package is modwire_sync:  # the kernel waits: nothing shows when it does
            threading.Timer(0.1, queue.free).start()
        else:
            monkeypatch.setattr(package.clients, "sleep", pause)
        with Background(queue.serve):
            found = play(package, lambda: package.UnixClient(path, timeout=PATIENCE), 5)
        assert found == [[5]]
        assert len(pauses) == 3 or package is modwire_sync


@EACH
def test_a_unix_socket_whose_queue_stays_full(package: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "busy")
    with closing(FullQueue(path)):
        found = play(package, lambda: package.UnixClient(path, connect_timeout=0.1), 5)
    assert isinstance(found[0], ConnectionLostError)
    assert "timed out" in str(found[0])


@EACH
def test_a_serial_port_that_takes_no_bytes(package: Any) -> None:
    """Flow control has stopped its output. Later calls use the port again."""

    def answer(peer: PtyPeer) -> None:
        assert peer.request(8)[3] == 6  # the request that was stuck does not come later
        peer.send(rtu(1, registers(6)))

    with serial_line(answer) as path, open(path, "rb", buffering=0) as near:
        termios.tcflow(near, termios.TCOOFF)
        begun = monotonic()
        ended: list[float] = []

        def go_on() -> None:
            ended.append(monotonic())
            termios.tcflow(near, termios.TCOON)

        def make() -> Any:
            return package.SerialClient(path, timeout=0.3, late_reply_window=0.0)

        found = play(package, make, 5, go_on, 6)
    assert isinstance(found[0], ConnectionLostError)
    assert "could not send within 0.3 s" in str(found[0])
    assert ended[0] - begun < 4.0, "it waited longer than its timeout"
    assert found[1] == [6]


class StuckPort(serial.Serial):
    """A port of Linux: with unsent bytes, it takes 30 s to close."""

    unsent = b"a request"

    @property
    def out_waiting(self) -> int:
        return len(self.unsent)

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def reset_output_buffer(self) -> None:
        self.unsent = b""

    def close(self) -> None:
        assert not self.unsent, "it hangs"


def test_closing_a_port_does_not_wait_for_unsent_bytes() -> None:
    ports.close_aside(StuckPort())
    SerialLink(StuckPort(), 0.001, 1.0).close()
