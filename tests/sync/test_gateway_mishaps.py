"""`Gateway` where hooks, logs and threads fail: the line goes on, and everybody is answered."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_peers import LOOPBACK, FakeLine, write
from modwire import ServerOptions, Units, WriteSingleRegisterRequest
from modwire.errors import ResponseTimeoutError
from modwire_sync import Gateway, TcpServer, UdpServer
from server_peers import PATIENCE, RawClient, memory_unit, tcp, wait_until


@pytest.fixture
def fake() -> Iterator[FakeLine]:
    made = FakeLine()
    yield made
    for _ in range(99):
        made.may_end.release()


class Wild(BaseException):
    """What no hook should raise."""


@pytest.mark.parametrize("kind", [ValueError, SystemExit, Wild, KeyboardInterrupt])
def test_whatever_hooks_raise_every_call_ends(fake: FakeLine, kind: type[BaseException]) -> None:
    """Even if the hook for errors fails itself: nobody may wait for ever, nor the line stop."""

    def fail(*arguments: object) -> None:
        raise kind("hook")

    options = ServerOptions(on_call=fail, on_error=fail)
    gateway = Gateway(fake, [1])
    with (
        TcpServer(gateway, LOOPBACK, options=options) as server,
        TcpServer(gateway, LOOPBACK) as other,
        RawClient(server.address) as peer,
        RawClient(other.address) as second,
    ):
        peer.send(write(1))
        fake.wait_asked(1)
        fake.may_end.release()
        wait_until(lambda: not server._loop.workers.outstanding)
        fake.may_end.release()
        second.ask(write(2), write(2))


def test_a_failing_authorize_ends_no_server(fake: FakeLine) -> None:
    """Whose hook for errors fails too."""

    def fail(*arguments: object) -> Any:
        raise ValueError("hook")

    options = ServerOptions(authorize=fail, on_error=fail)
    gateway = Gateway(fake, [1])
    with TcpServer(gateway, LOOPBACK, options=options) as server:
        for _ in range(2):
            with RawClient(server.address) as peer:
                peer.send(write(1))
                peer.socket.shutdown(socket.SHUT_WR)
                peer.socket.recv(99)
        assert not server._loop.workers.outstanding
    assert fake.asked == []


def test_a_hook_may_ask_the_gateway_itself(fake: FakeLine) -> None:
    """The line is free by then, and must have somebody who asks."""
    gateway = Gateway(fake, [1, 2])
    answers: list[object] = []

    def on_call(*call: object) -> None:
        answers.append(gateway[2].execute_for("hook", WriteSingleRegisterRequest(0, 7)))

    with TcpServer(gateway, LOOPBACK, on_call=on_call) as server, RawClient(server.address) as peer:
        for number in (1, 2):
            for _ in range(2):
                fake.may_end.release()
            peer.ask(write(number), write(number))
    assert len(answers) == 2
    assert fake.asked == [(1, 1), (2, 7), (1, 2), (2, 7)]


def test_a_slow_hook_holds_up_no_line(fake: FakeLine) -> None:
    gateway = Gateway(fake)
    is_over = threading.Event()

    def on_call(*call: object) -> None:
        assert is_over.wait(PATIENCE)

    with (
        TcpServer(gateway, LOOPBACK, on_call=on_call) as server,
        TcpServer(gateway, LOOPBACK) as other,
        RawClient(server.address) as first,
        RawClient(other.address) as second,
    ):
        first.send(write(1))
        fake.wait_asked(1)
        second.send(write(2))
        wait_until(lambda: other._loop.workers.outstanding == 1)
        for _ in range(2):
            fake.may_end.release()
        try:
            assert second.receive(12) == write(2)
        finally:
            is_over.set()
        assert first.receive(12) == write(1)


def test_a_hook_may_shut_the_server_down(fake: FakeLine) -> None:
    """It only asks for that: the call that it belongs to is still answered."""
    gateway = Gateway(fake)
    seconds: list[float] = []

    def on_call(*call: object) -> None:
        from time import monotonic

        start = monotonic()
        server.shutdown(PATIENCE)
        seconds.append(monotonic() - start)

    server = TcpServer(gateway, LOOPBACK, on_call=on_call).start()
    with RawClient(server.address) as peer:
        fake.may_end.release()
        peer.ask(write(1), write(1))
        assert peer.is_closed()
    server.shutdown()
    assert seconds[0] < 5


def test_where_no_thread_can_be_started_the_line_goes_on_later(
    fake: FakeLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(fake)
    with TcpServer(gateway, LOOPBACK) as server, RawClient(server.address) as peer:
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            peer.ask(write(1), tcp("8604", 1))
        assert threading.Thread.start is start
        fake.may_end.release()
        peer.ask(write(2), write(2))
    assert fake.asked == [(1, 2)]


def test_a_log_that_fails_stops_no_line(fake: FakeLine) -> None:
    gateway = Gateway(fake, [1, 2])
    logger = logging.getLogger("modwire.server")

    class Broken(logging.Handler):
        def handle(self, record: Any) -> bool:
            raise ValueError("the disk is full")

    handler = Broken(logging.WARNING)
    logger.addHandler(handler)
    try:
        with (
            TcpServer(gateway, LOOPBACK) as server,
            RawClient(server.address) as first,
            RawClient(server.address) as second,
        ):
            first.send(write(1))
            fake.wait_asked(1)
            second.send(write(2, unit=2))
            wait_until(lambda: server._loop.workers.outstanding == 2)
            fake.error = ResponseTimeoutError("no answer")
            fake.may_end.release()
            assert first.receive(9) == tcp("860b", 1)
            fake.error = None
            fake.may_end.release()
            assert second.receive(12) == write(2, unit=2)
    finally:
        logger.removeHandler(handler)


class OddUnits(Units):
    """Somebody's own, with a fault."""

    def for_tcp(self, unit_id: int) -> Any:
        if unit_id == 9:
            raise ValueError("odd")
        return super().for_tcp(unit_id)


def test_units_with_a_fault_end_no_udp_server() -> None:
    units = OddUnits({1: memory_unit()})
    with (
        UdpServer(units, LOOPBACK) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.settimeout(PATIENCE)
        peer.connect(server.address)
        peer.send(tcp("0300050001", unit=9))
        peer.send(tcp("0300050001", unit=1))
        assert peer.recv(99) == tcp("03020005", unit=1)
