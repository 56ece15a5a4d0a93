"""Hooks and gateways with serving threads: every call ends, also after an error."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gateway_peers import fake_gateway, settle, write
from modwire import Response, ResponseTimeoutError, SequentialBlock, ServerOptions, Unit, Units
from modwire_sync import TcpServer
from packages import LOOPBACK
from server_peers import PATIENCE, READ, READ_ANSWER, RawClient, memory_unit, tcp
from sync_package import SyncPackage

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

PACKAGE = SyncPackage()


class Wild(BaseException):
    """An error that no hook should raise."""


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_a_hook_that_raises_what_ends_programs_ends_no_server(
    ending: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """This is for the hooks of calls to units that block."""

    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        if response is not None and response.encode() == bytes.fromhex("03020000"):
            raise ending("from a hook")

    blocking = Unit(holding_registers=SequentialBlock(0, [0] * 10), blocking=True)
    units = Units({1: memory_unit(), 2: blocking})
    with (
        TcpServer(units, LOOPBACK, on_call=on_call) as server,
        RawClient(server.address) as client,
    ):
        for _ in range(3):
            client.ask(tcp("0300050001", unit=2), tcp("8304", unit=2))
            client.ask(READ, READ_ANSWER)
    assert "from a hook" in caplog.text


@pytest.mark.parametrize("kind", [ValueError, SystemExit, Wild, KeyboardInterrupt])
def test_whatever_hooks_of_a_gateway_raise_every_call_ends(kind: type[BaseException]) -> None:
    """Even if the hook for errors fails, no call may wait for ever, and the line must continue."""

    def fail(*arguments: object) -> None:
        raise kind("hook")

    gateway, calls = fake_gateway(PACKAGE)
    options = ServerOptions(on_call=fail, on_error=fail)
    with (
        TcpServer(gateway, LOOPBACK, options=options) as server,
        TcpServer(gateway, LOOPBACK) as other,
        RawClient(server.address) as first,
        RawClient(other.address) as second,
    ):
        first.send(write(1))
        calls.wait_asked(1)
        calls.let(2)
        second.ask(write(2), write(2))
    # That the server shuts down shows that it waits for no call.


def test_hooks_of_a_gateway_see_every_call_and_can_end_nothing() -> None:
    seen: list[tuple[object, bytes]] = []

    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        assert response is not None
        seen.append((peer, response.encode()))
        raise SystemExit

    gateway, calls = fake_gateway(PACKAGE)
    with (
        TcpServer(gateway, LOOPBACK, on_call=on_call) as server,
        RawClient(server.address) as peer,
    ):
        for number in (1, 2):
            calls.let(1)
            peer.ask(write(number), tcp("8604", number))
        name = peer.socket.getsockname()
    assert seen == [(name, write(number)[7:]) for number in (1, 2)]


def test_a_slow_hook_holds_up_no_line() -> None:
    is_over = threading.Event()

    def on_call(*call: object) -> None:
        assert is_over.wait(PATIENCE)

    gateway, calls = fake_gateway(PACKAGE)
    with (
        TcpServer(gateway, LOOPBACK, on_call=on_call) as server,
        TcpServer(gateway, LOOPBACK) as other,
        RawClient(server.address) as first,
        RawClient(other.address) as second,
    ):
        first.send(write(1))
        calls.wait_asked(1)
        second.send(write(2))
        settle(PACKAGE, other)
        calls.let(2)
        try:
            assert second.receive(12) == write(2)
        finally:
            is_over.set()
        assert first.receive(12) == write(1)


def test_where_no_thread_can_be_started_the_line_goes_on_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    gateway, calls = fake_gateway(PACKAGE)
    with TcpServer(gateway, LOOPBACK) as server, RawClient(server.address) as peer:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            peer.ask(write(1), tcp("8604", 1))
        calls.let(1)
        peer.ask(write(2), write(2))
    assert calls.asked == [(1, 2)]


def test_a_log_that_fails_stops_no_line() -> None:
    gateway, calls = fake_gateway(PACKAGE)

    class Broken(logging.Handler):
        def handle(self, record: Any) -> bool:
            raise ValueError("the disk is full")

    handler = Broken(logging.WARNING)
    logger = logging.getLogger("modwire.server")
    logger.addHandler(handler)
    try:
        with (
            TcpServer(gateway, LOOPBACK) as server,
            RawClient(server.address) as first,
            RawClient(server.address) as second,
        ):
            first.send(write(1))
            calls.wait_asked(1)
            second.send(write(2, unit=2))
            settle(PACKAGE, server)
            calls.error = ResponseTimeoutError("no answer")
            calls.let(1)
            assert first.receive(9) == tcp("860b", 1)
            calls.error = None
            calls.let(1)
            assert second.receive(12) == write(2, unit=2)
    finally:
        logger.removeHandler(handler)


def test_the_pool_of_a_server_has_no_more_threads_than_workers() -> None:
    threads: set[Any] = set()

    class Noting(SequentialBlock):
        def read(self, address: int, count: int) -> list[int]:
            threads.add(threading.get_ident())
            return [5] * count

    unit = Unit(holding_registers=Noting(0, [0] * 10), blocking=True)
    with TcpServer(Units.single(unit), LOOPBACK, workers=2) as server:
        clients = [RawClient(server.address) for _ in range(10)]
        for client in clients:
            client.send(READ)
        for client in clients:
            assert client.receive(len(READ_ANSWER)) == READ_ANSWER
            client.close()
    assert len(threads) <= 2
    assert threading.get_ident() not in threads
