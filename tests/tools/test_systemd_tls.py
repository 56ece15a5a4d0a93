"""Sockets of a service manager at which the command serves over TLS."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from activation import activated, listener
from modwire import SequentialBlock, Unit, Units
from modwire_command import good, modwire
from modwire_sync import TcpServer, connect
from secured import Plant

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name != "posix", reason="only Unix passes sockets by descriptors"),
]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


@pytest.fixture
def passed() -> Iterator[socket.socket]:
    with listener() as found:
        yield found


def tls_at(passed: socket.socket) -> str:
    return f"tls://127.0.0.1:{passed.getsockname()[1]}"


def test_a_server_over_tls_on_a_passed_socket(plant: Plant, passed: socket.socket) -> None:
    """It has certificates, roles, rights and SIGHUP as on a port of its own."""
    place = tls_at(passed)
    operator, viewer = plant.pki.client("operator"), plant.pki.client("viewer")
    with (
        activated([passed], "serve", place, *plant.options) as server,
        connect(plant.at(place, operator)) as early,
    ):
        server.read_until(f"serves {place}: ")
        early.write_register(0, 7)
        assert good("read", plant.at(place, viewer), "hr:0") == "hr:0\t7\n"
        assert "exception 01" in modwire("write", plant.at(place, viewer), "hr:0=9").err
        assert "certificate_required" in modwire("read", plant.at(place), "hr:0").err
        with pytest.raises(ConnectionError), connect(place.replace("tls:", "tcp:")) as plain:
            plain.read_holding_registers(0)
        plant.pki.revoke(viewer)
        server.child.send_signal(signal.SIGHUP)
        server.read_until("were reloaded")
        assert "certificate_revoked" in modwire("read", plant.at(place, viewer), "hr:0").err
        assert early.read_holding_registers(0) == [7]
        server.child.terminate()
        assert server.wait() == 0
    assert '"outcome": "denied"' in plant.audit.read_text()


def test_a_socket_is_not_for_tls_and_for_plain_clients(plant: Plant, passed: socket.socket) -> None:
    """By chance, a client without a certificate would be let in."""
    place = tls_at(passed)
    for endpoints in (
        (place, place.replace("tls:", "tcp:")),
        (place.replace("tls:", "tcp:"), place),
    ):
        with activated([passed], "serve", *endpoints, *plant.files) as server:
            assert server.wait() == 1
            said = (
                f"modwire: {endpoints[1]}: another endpoint is there already, with other security\n"
            )
            assert server.text == said


def test_a_handshake_that_stalls_on_a_passed_socket_makes_room(
    plant: Plant, passed: socket.socket
) -> None:
    place, operator = tls_at(passed), plant.pki.client("operator")
    with activated([passed], "serve", place, *plant.files, "--max-connections", "2") as server:
        server.read_until("serves")
        with (
            socket.create_connection(passed.getsockname()) as first,
            socket.create_connection(passed.getsockname()),
        ):
            first.settimeout(60)
            assert good("read", plant.at(place, operator), "hr:0") == "hr:0\t0\n"
            assert first.recv(1) == b""


def test_a_gateway_and_a_simulator_over_tls_on_passed_sockets(
    plant: Plant, passed: socket.socket
) -> None:
    place, operator = tls_at(passed), plant.pki.client("operator")
    device = Unit(holding_registers=SequentialBlock(0, [5]))
    with TcpServer(Units({1: device}), ("127.0.0.1", 0)) as behind:
        line = f"tcp://127.0.0.1:{behind.address[1]}?timeout=60"
        with activated([passed], "gateway", place, line, *plant.files) as server:
            server.read_until("gateway at")
            assert good("read", plant.at(place, operator), "hr:0") == "hr:0\t5\n"
    port = place.partition("//")[2]
    with activated([passed], "simulate", "--tls", port, *plant.files) as server:
        server.read_until("Ctrl")
        assert good("read", plant.at(place, operator), "ir:0").startswith("ir:0\t")
