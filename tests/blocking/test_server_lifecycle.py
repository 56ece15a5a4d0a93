"""Servers start, shut down, and leave no resources behind."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import threading

import pytest

from modwire import SequentialBlock, Unit, Units
from own_sockets import count_descriptors, needs_proc
from packages import LOOPBACK, Package
from server_peers import PATIENCE, READ, READ_ANSWER, memory_unit, tcp

SLOW_READ, SLOW_ANSWER = tcp("0300000001", unit=2), tcp("03024711", unit=2)


def test_start_serves_and_returns(package: Package) -> None:
    server = package.TcpServer(Units.single(memory_unit()), LOOPBACK)
    assert server.start() is server
    with package.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        with pytest.raises(RuntimeError, match="serves already"):
            server.start()
        server.shutdown()
        assert client.is_closed()
    server.shutdown()
    with pytest.raises(RuntimeError, match="make a new one"):
        server.start()


def test_serve_forever_in_a_with_block_waits_for_shutdown(package: Package) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        waiting = package.start(server.serve_forever)
        with package.raw(server.address) as client:
            client.ask(READ, READ_ANSWER)
        assert not waiting.is_over
        server.shutdown()
        assert waiting.result() is None


def test_serve_forever_starts_the_server_and_returns_after_shutdown(package: Package) -> None:
    server = package.TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = package.start(server.serve_forever)
    with package.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()
        assert client.is_closed()
    assert serving.result() is None


def test_a_server_that_never_served_lets_go_of_its_port(package: Package) -> None:
    units = Units.single(memory_unit())
    server = package.TcpServer(units, LOOPBACK)
    server.shutdown()
    server.shutdown()
    with pytest.raises(RuntimeError, match="make a new one"):
        server.start()
    with package.TcpServer(units, tuple(server.address)):
        pass


def test_a_server_that_was_shut_down_cannot_be_entered_again(package: Package) -> None:
    server = package.TcpServer(Units.single(memory_unit()), LOOPBACK)
    with server:
        pass
    with pytest.raises(RuntimeError, match="make a new one"), server:
        pass


@pytest.mark.parametrize("blocking", [False, True])
def test_shutdown_from_a_hook_does_not_hang(package: Package, blocking: bool) -> None:
    """The hook only starts the shutdown: its own call still gets a response."""
    unit = Unit(holding_registers=SequentialBlock(0, range(100)), blocking=blocking)
    server = package.TcpServer(
        Units.single(unit), LOOPBACK, on_call=lambda *_: server.shutdown(3600)
    )
    serving = package.start(server.serve_forever)
    with package.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        assert client.is_closed()
    assert serving.result() is None


def test_shutdown_lets_calls_end_and_sends_their_answers(package: Package) -> None:
    units, gate = package.gated_units()
    server = package.TcpServer(units, LOOPBACK).start()
    with package.raw(server.address) as busy, package.raw(server.address) as idle:
        idle.ask(READ, READ_ANSWER)
        busy.send(SLOW_READ + tcp("0300000001", 2, unit=2))
        gate.wait_entered()
        stopping = package.start(lambda: server.shutdown(PATIENCE))
        assert idle.is_closed(), "a connection that waits for nothing is closed at once"
        with pytest.raises(ConnectionRefusedError):
            package.raw(server.address)
        assert not stopping.is_over
        gate.opened.set()
        assert busy.receive(11) == SLOW_ANSWER
        assert busy.is_closed(), "no new call is begun"
        assert stopping.result() is None


def test_shutdown_waits_for_a_unit_no_longer_than_the_grace(package: Package) -> None:
    units, gate = package.gated_units()
    server = package.TcpServer(units, LOOPBACK).start()
    with package.raw(server.address) as client:
        client.send(SLOW_READ)
        gate.wait_entered()
        server.shutdown(grace=0.05)
        assert client.is_closed()
    gate.opened.set()


@needs_proc
def test_nothing_is_left_open(package: Package) -> None:
    def round_of_life() -> None:
        units, gate = package.gated_units()
        gate.opened.set()
        with package.TcpServer(units, LOOPBACK, idle_timeout=3600) as server:
            clients = [package.raw(server.address) for _ in range(20)]
            for client in clients:
                client.ask(SLOW_READ, SLOW_ANSWER)
            for client in clients[:10]:
                client.close()
        for client in clients[10:]:
            assert client.is_closed()
            client.close()

    round_of_life()
    descriptors, threads = count_descriptors(), threading.active_count()
    for _ in range(5):
        round_of_life()
    package.wait_until(lambda: count_descriptors() <= descriptors)
    package.wait_until(lambda: threading.active_count() <= threads)


@pytest.mark.parametrize("idle_timeout", [30 * 86400.0, 1e300, float("inf")])
def test_a_server_may_let_connections_idle_for_ages(package: Package, idle_timeout: float) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, idle_timeout=idle_timeout) as server:
        with package.raw(server.address) as client:
            for _ in range(2):
                client.ask(READ, READ_ANSWER)


@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
def test_wrong_arguments_are_told_at_once(package: Package, kind: str) -> None:
    make = getattr(package, kind)
    units = Units.single(memory_unit())
    with pytest.raises(TypeError, match="framing must be a class such as RtuFraming, got 'rtu'"):
        make(units, LOOPBACK, framing="rtu")
    with pytest.raises(TypeError, match="units must map unit ids to units"):
        Units([memory_unit()])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Units\.single\(unit\), got Unit"):
        make(memory_unit(), LOOPBACK)
    server = make(units, LOOPBACK)
    with pytest.raises(ValueError, match="grace must be at least 0 seconds, got -1"):
        server.shutdown(-1)
    server.shutdown()
