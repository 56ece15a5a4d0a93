"""How servers are started and shut down, what they log, and what importing them loads."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from modwire import Units
from modwire_sync.servers import TcpServer
from server_peers import (
    PATIENCE,
    READ,
    READ_ANSWER,
    RawClient,
    gated_units,
    memory_unit,
    tcp,
)

LOOPBACK = ("127.0.0.1", 0)


def test_serve_forever_in_a_with_block_waits_for_shutdown() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        waiting = threading.Thread(target=server.serve_forever)
        waiting.start()
        with RawClient(server.address) as client:
            client.ask(READ, READ_ANSWER)
        assert waiting.is_alive()
        server.shutdown()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()


def test_serve_forever_without_with_serves_in_the_callers_thread() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()
        assert client.is_closed()
    serving.join(PATIENCE)
    assert not serving.is_alive()


def test_a_server_that_never_served_lets_go_of_its_port() -> None:
    units = Units.single(memory_unit())
    server = TcpServer(units, LOOPBACK)
    server.shutdown()
    server.shutdown()
    with pytest.raises(RuntimeError, match="make a new one"):
        server.start()
    with TcpServer(units, (str(server.address[0]), int(server.address[1]))):
        pass


@pytest.mark.parametrize("blocking", [False, True])
def test_shutdown_from_a_hook_does_not_hang(blocking: bool) -> None:
    unit = memory_unit()
    unit.blocking = blocking
    server = TcpServer(
        Units.single(unit), LOOPBACK, on_call=lambda *_: server.shutdown(2 * PATIENCE)
    )
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        assert client.is_closed()
    serving.join(PATIENCE)
    assert not serving.is_alive()


def test_a_unit_without_units_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"Units\.single\(unit\), got Unit"):
        TcpServer(memory_unit(), LOOPBACK)  # type: ignore[arg-type]


def test_shutdown_lets_calls_end_and_sends_their_answers() -> None:
    units, gate = gated_units()
    server = TcpServer(units, LOOPBACK).start()
    with RawClient(server.address) as busy, RawClient(server.address) as idle:
        idle.ask(READ, READ_ANSWER)
        busy.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        stopping = threading.Thread(target=server.shutdown, args=(PATIENCE,))
        stopping.start()
        assert idle.is_closed(), "who has nothing to wait for is let go at once"
        with pytest.raises(ConnectionRefusedError):
            RawClient(server.address)
        assert stopping.is_alive()
        gate.opened.set()
        assert busy.receive(11) == tcp("03024711", unit=2)
        assert busy.is_closed()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()


def test_shutdown_waits_for_a_unit_no_longer_than_the_grace() -> None:
    units, gate = gated_units()
    server = TcpServer(units, LOOPBACK).start()
    with RawClient(server.address) as client:
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        server.shutdown(grace=0.05)
        assert client.is_closed()
    gate.opened.set()


def test_bytes_are_logged_when_the_wire_log_is_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="modwire.wire"):
        with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
            with RawClient(server.address) as client:
                client.ask(READ, READ_ANSWER)
    told = [record.getMessage() for record in caplog.records if record.name == "modwire.wire"]
    assert any(READ.hex(" ") in message for message in told)
    assert any(READ_ANSWER.hex(" ") in message for message in told)


def test_importing_the_servers_loads_nothing_that_is_not_used() -> None:
    program = (
        "import sys, modwire_sync.servers;"
        "print([name for name in ('asyncio', 'ssl', 'serial', 'concurrent.futures', 'ipaddress',"
        " 'dataclasses', 'inspect', 'logging') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "[]"
