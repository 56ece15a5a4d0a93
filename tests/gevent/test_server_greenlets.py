"""gevent's servers and what waits in them: hooks, units that cooperate, threads, crowds."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import gevent
import pytest

from modwire import Block, Response, RtuFraming, SequentialBlock, Unit, Units
from modwire_gevent import RemoteUnit, TcpClient, TcpServer, UdpClient, UdpServer
from serve_peers import (
    LOOPBACK,
    PATIENCE,
    READ,
    READ_ANSWER,
    RawClient,
    gated_units,
    memory_unit,
    rtu,
    run,
    tcp,
    wait_until,
)

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest


def address_of(server: TcpServer) -> tuple[str, int]:
    assert isinstance(server.address, tuple)
    return server.address


class Raising(Block):
    """Registers whose reading raises `error`."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def read(self, address: int, count: int) -> list[int]:
        raise self.error


# Hooks.


def test_a_hook_that_waits_holds_up_its_own_connection_only() -> None:
    opened = gevent.event.Event()
    waiting = gevent.event.Event()

    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        if request.function_code == 6:
            waiting.set()
            opened.wait()

    with TcpServer(Units.single(memory_unit()), LOOPBACK, on_call=on_call) as server:
        with RawClient(server.address) as slow, RawClient(server.address) as other:
            slow.send(tcp("060005000a"))
            assert waiting.wait(PATIENCE)
            slow.send(tcp("0300050001", 2))  # its bytes arrive where nobody waits for them
            for _ in range(10):
                other.ask(READ, tcp("0302000a"))
            opened.set()
            answers = tcp("060005000a") + tcp("0302000a", 2)
            assert slow.receive(len(answers)) == answers
            slow.ask(READ, tcp("0302000a"))


def test_hooks_are_called_in_the_thread_that_serves_also_for_units_that_block() -> None:
    threads: list[int] = []
    units, gate = gated_units()
    gate.opened.set()
    with TcpServer(
        units,
        LOOPBACK,
        authorize=lambda *_: bool(threads.append(threading.get_ident())) or True,
        on_call=lambda *_: threads.append(threading.get_ident()),
    ) as server:
        with RawClient(server.address) as client:
            client.ask(tcp("0300000001", unit=2), tcp("03024711", unit=2))
    assert threads == [threading.get_ident()] * 2


def test_a_connection_that_waits_in_a_hook_is_busy() -> None:
    opened = gevent.event.Event()
    waiting = gevent.event.Event()

    def on_call(*_: object) -> None:
        waiting.set()
        opened.wait()

    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK, on_call=on_call, max_connections=1) as server:
        with RawClient(server.address) as client:
            client.send(READ)
            assert waiting.wait(PATIENCE)
            with RawClient(server.address) as newcomer:
                assert newcomer.is_closed()
            opened.set()
            assert client.receive(len(READ_ANSWER)) == READ_ANSWER
            with RawClient(server.address) as newcomer:
                newcomer.ask(READ, READ_ANSWER)
            assert client.is_closed()


def test_connections_that_came_together_make_room_for_each_other() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK, max_connections=1) as server:
        clients = [RawClient(server.address) for _ in range(5)]
        for client in clients[:-1]:
            assert client.is_closed()
        clients[-1].ask(READ, READ_ANSWER)
        for client in clients:
            client.close()


# What goes wrong in units.


def test_a_timeout_that_a_unit_in_memory_raises_ends_that_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raising = Unit(holding_registers=Raising(gevent.Timeout(1)))
    with TcpServer(Units({1: memory_unit(), 2: raising}), LOOPBACK) as server:
        with RawClient(server.address) as bad, RawClient(server.address) as good:
            bad.send(tcp("0300050001", unit=2))
            assert bad.is_closed()
            good.ask(READ, READ_ANSWER)
    assert "an error that is no peer's" in caplog.text


def test_a_bug_beside_the_units_ends_that_connection(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Units):
        def for_tcp(self, unit_id: int) -> Unit | None:
            if unit_id == 7:
                raise ZeroDivisionError("a bug of the user's")
            return super().for_tcp(unit_id)

    with TcpServer(Odd({1: memory_unit()}), LOOPBACK) as server:
        with RawClient(server.address) as bad, RawClient(server.address) as good:
            bad.send(tcp("0300050001", unit=7))
            assert bad.is_closed()
            good.ask(READ, READ_ANSWER)
    assert "a bug of the user's" in caplog.text


def test_a_timeout_of_a_unit_that_cooperates_is_answered_with_04(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hasty(Unit):
        cooperative = True

        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            with gevent.Timeout(0.01):
                gevent.sleep(PATIENCE)
            return None

    with TcpServer(Units.single(Hasty(blocking=True)), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.ask(READ, tcp("8304"))
            client.ask(READ, tcp("8304"))
    assert "Timeout" in caplog.text


def test_a_killed_connection_is_closed_and_harms_nobody() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as one:
            one.ask(READ, READ_ANSWER)
            gevent.killall(list(server._greenlets - server._lasting))
            assert one.is_closed()
            assert not server._connections
            with RawClient(server.address) as other:
                other.ask(READ, READ_ANSWER)


# Gateways.


def test_a_gateway_asks_its_devices_in_greenlets_many_at_once() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK) as device:
        host, port = address_of(device)
        with TcpClient(host, port) as quick, TcpClient(host, port, timeout=PATIENCE) as slow:
            gateway_units = Units({1: RemoteUnit(quick, 1), 2: RemoteUnit(slow, 2)})
            with TcpServer(gateway_units, LOOPBACK, workers=1) as gateway:
                clients = [RawClient(gateway.address) for _ in range(10)]
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
        with TcpClient(*address_of(device)) as behind:
            with UdpServer(Units.single(RemoteUnit(behind, 1)), LOOPBACK) as gateway:
                with UdpClient(*gateway.address) as client:
                    assert client.read_holding_registers(5, 3) == [5, 6, 7]


def test_a_broadcast_reaches_units_in_memory_in_threads_and_in_greenlets() -> None:
    device_units = Units.single(memory_unit())
    written: list[int] = []

    def write_slowly(address: int, values: object) -> None:
        written.append(threading.get_ident())

    slow = Unit(
        holding_registers=SequentialBlock(0, range(100), on_write=write_slowly), blocking=True
    )
    with TcpServer(device_units, LOOPBACK) as device:
        with TcpClient(*address_of(device)) as behind:
            units = Units({1: memory_unit(), 2: slow, 3: RemoteUnit(behind, 1)})
            with TcpServer(units, LOOPBACK, framing=RtuFraming) as server:
                with RawClient(server.address) as client:
                    client.send(rtu("0600050777", unit=0))
                    for unit in (1, 2, 3):
                        client.ask(rtu("0300050001", unit=unit), rtu("03020777", unit=unit))
    assert written
    assert threading.get_ident() not in written


# Crowds and floods.


def test_a_peer_that_floods_leaves_the_others_their_turn() -> None:
    flood = READ * 340
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        stop = threading.Event()

        def pour() -> None:
            import socket

            with socket.create_connection(address_of(server), PATIENCE) as link:
                while not stop.is_set():
                    link.sendall(flood)
                    size = 0
                    while size < len(READ_ANSWER) * 340:
                        size += len(link.recv(1 << 16))

        flooding = threading.Thread(target=pour)
        flooding.start()
        try:
            ticks = run(lambda: [gevent.sleep(0.001) for _ in range(20)])
            with RawClient(server.address) as other:
                for _ in range(50):
                    other.ask(READ, READ_ANSWER)
            ticks.get(timeout=PATIENCE)
        finally:
            stop.set()
            wait_until(lambda: not flooding.is_alive())
