"""gevent's servers with hooks, cooperative units and threads that wait or fail."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import gevent
import pytest
from gevent.event import Event

from gateway_peers import fake_line, write
from gevent_package import GeventPackage
from modwire import Block, Response, RtuFraming, SequentialBlock, ServerOptions, Unit, Units
from modwire_gevent import RemoteUnit, TcpClient, TcpServer, UdpClient, UdpServer
from packages import LOOPBACK
from server_peers import PATIENCE, READ, READ_ANSWER, memory_unit, rtu, tcp
from sync_package import Thread

from .own_greenlets import greenlets_alive

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

PACKAGE = GeventPackage()


class Raising(Block):
    """Registers that raise `error` when they are read."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def read(self, address: int, count: int) -> list[int]:
        raise self.error


# Hooks.


def test_a_hook_that_waits_holds_up_its_own_connection_only() -> None:
    opened, waiting = Event(), Event()

    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        if request.function_code == 6:
            waiting.set()
            opened.wait()

    with TcpServer(Units.single(memory_unit()), LOOPBACK, on_call=on_call) as server:
        with PACKAGE.raw(server.address) as slow, PACKAGE.raw(server.address) as other:
            slow.send(tcp("060005000a"))
            assert waiting.wait(PATIENCE)
            slow.send(tcp("0300050001", 2))  # its bytes arrive while the connection does not wait
            for _ in range(10):
                other.ask(READ, tcp("0302000a"))
            opened.set()
            answers = tcp("060005000a") + tcp("0302000a", 2)
            assert slow.receive(len(answers)) == answers
            slow.ask(READ, tcp("0302000a"))


def test_hooks_are_called_in_the_thread_that_serves_also_for_units_that_block() -> None:
    threads: list[int] = []
    units, gate = PACKAGE.gated_units()
    gate.opened.set()
    with TcpServer(
        units,
        LOOPBACK,
        authorize=lambda *_: bool(threads.append(threading.get_ident())) or True,
        on_call=lambda *_: threads.append(threading.get_ident()),
    ) as server:
        with PACKAGE.raw(server.address) as client:
            client.ask(tcp("0300000001", unit=2), tcp("03024711", unit=2))
    assert threads == [threading.get_ident()] * 2


def test_a_connection_that_waits_in_a_hook_is_busy() -> None:
    opened, waiting = Event(), Event()

    def on_call(*_: object) -> None:
        waiting.set()
        opened.wait()

    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK, on_call=on_call, max_connections=1) as server:
        with PACKAGE.raw(server.address) as client:
            client.send(READ)
            assert waiting.wait(PATIENCE)
            with PACKAGE.raw(server.address) as newcomer:
                assert newcomer.is_closed()
            opened.set()
            assert client.receive(len(READ_ANSWER)) == READ_ANSWER
            with PACKAGE.raw(server.address) as newcomer:
                newcomer.ask(READ, READ_ANSWER)
            assert client.is_closed()


def test_connections_that_came_together_make_room_for_each_other() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK, max_connections=1) as server:
        clients = [PACKAGE.raw(server.address) for _ in range(5)]
        for client in clients[:-1]:
            assert client.is_closed()
        clients[-1].ask(READ, READ_ANSWER)
        for client in clients:
            client.close()


# Errors of units, and greenlets that are killed.


def test_a_timeout_that_a_unit_in_memory_raises_ends_that_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raising = Unit(holding_registers=Raising(gevent.Timeout(1)))
    with TcpServer(Units({1: memory_unit(), 2: raising}), LOOPBACK) as server:
        with PACKAGE.raw(server.address) as bad, PACKAGE.raw(server.address) as good:
            bad.send(tcp("0300050001", unit=2))
            assert bad.is_closed()
            good.ask(READ, READ_ANSWER)
    assert "an error that is no peer's" in caplog.text


def test_a_timeout_that_a_unit_in_a_thread_raises_is_answered_with_04(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raising = Unit(holding_registers=Raising(gevent.Timeout(1)), blocking=True)
    with TcpServer(Units({1: memory_unit(), 2: raising}), LOOPBACK) as server:
        with PACKAGE.raw(server.address) as client:
            for _ in range(3):
                client.ask(tcp("0300050001", unit=2), tcp("8304", unit=2))
                client.ask(READ, READ_ANSWER)
    assert "Timeout" in caplog.text


def test_a_timeout_of_a_unit_that_cooperates_is_answered_with_04(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line, calls = fake_line(PACKAGE)
    calls.error = gevent.Timeout(1)
    calls.let(2)
    with TcpServer(Units.single(RemoteUnit(line, 1)), LOOPBACK) as server:
        with PACKAGE.raw(server.address) as client:
            client.ask(write(1), tcp("8604", 1))
            client.ask(write(2), tcp("8604", 2))
    assert "Timeout" in caplog.text


def test_a_killed_connection_is_closed_and_harms_nobody() -> None:
    gone: list[object] = []
    options = ServerOptions(on_disconnect=lambda protocol: gone.append(protocol.peer))
    with TcpServer(Units.single(memory_unit()), LOOPBACK, options=options) as server:
        before = greenlets_alive()
        with PACKAGE.raw(server.address) as one:
            one.ask(READ, READ_ANSWER)
            gevent.killall(list(greenlets_alive() - before))
            assert one.is_closed()
            assert gone == [one.socket.getsockname()]
            with PACKAGE.raw(server.address) as other:
                other.ask(READ, READ_ANSWER)


@pytest.mark.parametrize("kind", [TcpServer, UdpServer])
def test_a_server_whose_greenlet_was_killed_says_so(
    kind: type[TcpServer] | type[UdpServer], caplog: pytest.LogCaptureFixture
) -> None:
    before = greenlets_alive()
    server = kind(Units.single(memory_unit()), LOOPBACK).start()
    gevent.killall(list(greenlets_alive() - before))
    with pytest.raises(RuntimeError, match="was killed"):
        server.serve_forever()
    assert "was killed" in caplog.text


# Devices behind a server.


def test_a_gateway_asks_its_devices_in_greenlets_many_at_once() -> None:
    """This also holds if it has only one worker."""
    units, gate = PACKAGE.gated_units()
    with TcpServer(units, LOOPBACK) as device:
        address: Any = device.address
        with TcpClient(*address) as quick, TcpClient(*address, timeout=PATIENCE) as slow:
            gateway_units = Units({1: RemoteUnit(quick, 1), 2: RemoteUnit(slow, 2)})
            with TcpServer(gateway_units, LOOPBACK, workers=1) as gateway:
                clients = [PACKAGE.raw(gateway.address) for _ in range(10)]
                clients[0].send(tcp("0300000001", unit=2))
                gate.wait_entered()
                for client in clients[1:]:
                    client.ask(READ, READ_ANSWER)
                gate.opened.set()
                assert clients[0].receive(11) == tcp("03024711", unit=2)
                for client in clients:
                    client.close()


def test_a_gateway_on_udp() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as device:
        address: Any = device.address
        with TcpClient(*address, timeout=PATIENCE) as behind:
            with UdpServer(Units.single(RemoteUnit(behind, 1)), LOOPBACK) as gateway:
                with UdpClient(*gateway.address, timeout=PATIENCE) as client:
                    assert client.read_holding_registers(5, 3) == [5, 6, 7]


def test_a_broadcast_reaches_units_in_memory_in_threads_and_in_greenlets() -> None:
    written: list[int] = []

    def write_slowly(address: int, values: object) -> None:
        written.append(threading.get_ident())

    slow = Unit(
        holding_registers=SequentialBlock(0, range(100), on_write=write_slowly), blocking=True
    )
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as device:
        address: Any = device.address
        with TcpClient(*address, timeout=PATIENCE) as behind:
            units = Units({1: memory_unit(), 2: slow, 3: RemoteUnit(behind, 1)})
            with TcpServer(units, LOOPBACK, framing=RtuFraming) as server:
                with PACKAGE.raw(server.address) as client:
                    client.send(rtu("0600050777", unit=0))
                    for unit in (1, 2, 3):
                        client.ask(rtu("0300050001", unit=unit), rtu("03020777", unit=unit))
    assert written
    assert threading.get_ident() not in written


# Floods.


def test_a_peer_that_floods_leaves_the_others_their_turn() -> None:
    flood = READ * 340
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        address: Any = server.address
        stop = threading.Event()

        def pour() -> None:
            with socket.create_connection(address, PATIENCE) as link:
                while not stop.is_set():
                    link.sendall(flood)
                    size = 0
                    while size < len(READ_ANSWER) * 340:
                        size += len(link.recv(1 << 16))

        flooding = Thread(pour)
        try:
            ticks = PACKAGE.start(lambda: [gevent.sleep(0.001) for _ in range(20)])
            with PACKAGE.raw(server.address) as other:
                for _ in range(50):
                    other.ask(READ, READ_ANSWER)
            ticks.result()
        finally:
            stop.set()
            PACKAGE.wait_until(lambda: flooding.is_over)
        flooding.result()
