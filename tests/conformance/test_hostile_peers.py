"""A server stays useful for the others while some of its peers treat it badly."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from modwire import (
    ExceptionResponse,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
)
from modwire.messages import Decoder
from modwire.server.options import Served
from server_peers import wait_until

from .hostile_peers import (
    BOUND,
    PACKAGES,
    a_unit,
    adapter,
    ask,
    connected,
    is_closed,
    own_clients,
    read,
    reset,
    serving,
)

every_package = pytest.mark.parametrize("package", PACKAGES)
HOGS = 16
EACH = 4000  # requests that a hog sends at once


@every_package
def test_a_client_waits_for_few_of_the_requests_of_hogs(package: str) -> None:
    """While hogs are served, a client asks: only a few of their requests come before its own."""
    seen: list[Any] = []
    good: list[socket.socket] = []
    sent_after: list[int] = []

    def on_call(peer: Any, request: Any, response: Any) -> None:
        seen.append(peer)
        if len(seen) == HOGS * EACH // 2:
            good[0].sendall(read())
            sent_after.append(len(seen))

    with ExitStack() as stack:
        address = stack.enter_context(serving(package, a_unit, on_call=on_call))
        good.append(stack.enter_context(connected(address)))
        own = good[0].getsockname()
        hogs = [stack.enter_context(connected(address)) for _ in range(HOGS)]
        for hog in hogs:
            threading.Thread(target=_flood, args=(hog,), daemon=True).start()
        assert len(good[0].recv(64)) == 11
        assert seen.index(own) - sent_after[0] < 1500, "hogs were served first"


def _flood(hog: socket.socket) -> None:
    try:
        hog.sendall(read() * EACH)
        while hog.recv(65536):
            pass
    except OSError:
        pass  # the test is over


@every_package
def test_all_requests_of_a_hog_are_answered(package: str) -> None:
    with serving(package, a_unit) as address, connected(address) as hog, connected(address) as good:
        sender = threading.Thread(target=hog.sendall, args=(read() * 20_000,), daemon=True)
        sender.start()
        received = 0
        while received < 20_000 * 11:
            data = hog.recv(65536)
            assert data
            received += len(data)
        sender.join(BOUND)
        assert len(ask(hog)) == len(ask(good)) == 11, "both are served afterwards"


@every_package
def test_a_client_waits_for_few_of_the_connections_of_a_flood(package: str) -> None:
    """While the first of 60 new connections is accepted, the others arrive, and a client asks."""
    seen: list[str] = []
    accepted, flooded = threading.Event(), threading.Event()

    def on_connect(protocol: Served) -> None:
        seen.append("connection")
        if len(seen) == 3:  # the client's own, its request, and the first one of the flood
            accepted.set()
            assert flooded.wait(BOUND)

    def on_call(peer: Any, request: Any, response: Any) -> None:
        seen.append("request")

    options = ServerOptions(on_connect=on_connect, on_call=on_call)
    with ExitStack() as stack:
        stack.callback(flooded.set)
        address = stack.enter_context(serving(package, a_unit, options=options))
        good = stack.enter_context(connected(address))
        ask(good)
        stack.enter_context(connected(address))
        assert accepted.wait(BOUND)
        for _ in range(60):
            stack.enter_context(connected(address))
        good.sendall(read())
        flooded.set()
        assert len(good.recv(64)) == 11
        assert seen[3:].index("request") < 30, "the flood was accepted first"


@every_package
def test_a_connection_that_sends_nothing_but_garbage_is_closed(package: str) -> None:
    with serving(package, a_unit, framing=RtuFraming) as address, connected(address) as link:
        try:
            for _ in range(64):
                link.sendall(b"\x10\xf0" * 512)
        except ConnectionError:
            return
        assert is_closed(link)


@every_package
def test_garbage_between_frames_closes_no_connection(package: str) -> None:
    framing = RtuFraming(Decoder(), is_server=False)
    request = framing.wrap(1, 0, bytes.fromhex("0300000001"))
    with serving(package, a_unit, framing=RtuFraming) as address, connected(address) as link:
        for _ in range(6):
            link.sendall(b"\x55" * 1000)
            assert ask(link, request, 7)[:2] == b"\x01\x03"


@every_package
def test_single_bytes_do_not_keep_a_connection_open(package: str) -> None:
    """A whole request is counted, not bytes: who sends one byte after the other is idle."""
    with serving(package, a_unit, idle_timeout=0.5) as address, connected(address) as link:
        header = b"\0\1\0\0\0\xfa\1\x10" + bytes(200)
        link.settimeout(0.05)
        for byte in header:
            try:
                link.sendall(bytes((byte,)))
                if not link.recv(1):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("the connection stayed open")


@every_package
def test_who_sends_single_bytes_is_evicted_before_those_who_ask(package: str) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(serving(package, a_unit, max_connections=3))
        slow, good, other = (stack.enter_context(connected(address)) for _ in range(3))
        ask(good)
        slow.sendall(b"\0")
        ask(other)  # behind that byte
        newcomer = stack.enter_context(connected(address))
        assert len(ask(newcomer)) == 11
        assert is_closed(slow)
        assert len(ask(good)) == 11


class Gates:
    """Units that wait at a gate: unit 2 hangs, unit 3 is another one, unit 1 is in memory."""

    def __init__(self) -> None:
        self.entered = 0
        self.opened = threading.Event()

    def units(self) -> Units:
        return Units(
            {
                1: Unit(holding_registers=SequentialBlock(0, [7])),
                2: Unit(holding_registers=_Gate(self), blocking=True),
                3: Unit(holding_registers=SequentialBlock(0, [7]), blocking=True),
            }
        )


class _Gate(SequentialBlock):
    def __init__(self, gates: Gates) -> None:
        super().__init__(0, [7])
        self._gates = gates

    def read(self, address: int, count: int) -> Sequence[int]:
        self._gates.entered += 1
        assert self._gates.opened.wait(BOUND)
        return super().read(address, count)


@pytest.fixture
def gates() -> Iterator[Gates]:
    made = Gates()
    yield made
    made.opened.set()


@every_package
def test_a_unit_that_hangs_starves_no_other_one(package: str, gates: Gates) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(serving(package, gates.units, workers=2))
        for _ in range(4):
            hung = stack.enter_context(connected(address))
            hung.sendall(read(unit=2))
        wait_until(lambda: gates.entered == 2)
        good = stack.enter_context(connected(address))
        assert len(ask(good, read(unit=3))) == 11
        gates.opened.set()


LEAVINGS = ["close", "reset", "close behind unread bytes"]


def _leave(gone: socket.socket, how: str, unread: bytes) -> None:
    if how == "close behind unread bytes":
        gone.sendall(unread * 10)
    if how == "reset":
        reset(gone)
    else:
        gone.close()


@every_package
@pytest.mark.parametrize("leave", LEAVINGS)
def test_calls_of_peers_that_have_gone_do_not_begin(package: str, leave: str, gates: Gates) -> None:
    refused: list[Any] = []

    def on_call(peer: Any, request: Any, response: Any) -> None:
        if isinstance(response, ExceptionResponse):
            refused.append(peer)

    with ExitStack() as stack:
        address = stack.enter_context(serving(package, gates.units, workers=1, on_call=on_call))
        first = stack.enter_context(connected(address))
        first.sendall(read(unit=2))
        wait_until(lambda: gates.entered == 1)
        probe = stack.enter_context(connected(address))
        for _ in range(30):
            gone = socket.create_connection(address, timeout=BOUND)
            gone.sendall(read(unit=2))
            ask(probe)  # the server has read it
            _leave(gone, leave, read(unit=2))
        wait_until(lambda: len(set(refused)) == 30)
        gates.opened.set()
        assert len(ask(probe, read(unit=2))) == 11
        assert gates.entered == 2, "only the calls of those who are here"


@every_package
@pytest.mark.parametrize("leave", LEAVINGS)
def test_a_gateway_passes_on_nothing_of_clients_that_have_gone(package: str, leave: str) -> None:
    asked: list[bytes] = []
    opened = threading.Event()
    device = socket.create_server(("127.0.0.1", 0))

    def serve_device() -> None:
        link, _ = device.accept()
        with link:
            while request := link.recv(12):
                asked.append(request)
                assert opened.wait(BOUND)
                link.sendall(request[:5] + b"\5" + request[6:8] + b"\2\0\7")

    threading.Thread(target=serve_device, daemon=True).start()

    def gateway() -> Units:
        module = adapter(package)
        client = module.TcpClient(*device.getsockname(), timeout=BOUND)
        own_clients.append(client)
        units: Units = module.Gateway(client, [2], patience=BOUND)
        units[1] = Unit(holding_registers=SequentialBlock(0, [7]))
        return units

    refused: list[Any] = []

    def on_call(peer: Any, request: Any, response: Any) -> None:
        if isinstance(response, ExceptionResponse):
            refused.append(peer)

    with device, ExitStack() as stack:
        address = stack.enter_context(serving(package, gateway, on_call=on_call))
        first = stack.enter_context(connected(address))
        first.sendall(read(unit=2))
        wait_until(lambda: len(asked) == 1)
        probe = stack.enter_context(connected(address))
        for _ in range(30):
            gone = socket.create_connection(address, timeout=BOUND)
            gone.sendall(read(unit=2) * 3)
            ask(probe)  # the server has read it
            _leave(gone, leave, read(unit=2))
        wait_until(lambda: len(set(refused)) == 30)
        opened.set()
        assert len(ask(probe, read(unit=2))) == 11
        assert len(asked) == 2, "only the requests of those who are here"
