"""Sockets that are not plain ones, and the modules that an import of the package loads."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest

from modwire import ResponseTimeoutError, RtuFraming
from modwire_sync import TcpClient, clients
from packages import HOST
from peers import PATIENCE, SocketPeer, registers, rtu, tcp_server


class Layered(socket.socket):
    """A socket with another layer around it, as in TLS and eventlet."""


@pytest.mark.parametrize("kind", [socket.socket, Layered])
def test_timeouts_of_plain_and_of_layered_sockets_are_alike(
    kind: type[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For plain sockets the kernel may do the timeout. RTU must discard bytes before a call."""

    def script(peer: SocketPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(1)))
        peer.request(8)
        peer.request(8)
        peer.send(rtu(3, registers(3)))

    connect = clients._connect

    def create(*arguments: Any) -> socket.socket:
        made = connect(*arguments)
        return kind(made.family, made.type, made.proto, fileno=made.detach())

    monkeypatch.setattr(clients, "_connect", create)
    with (
        tcp_server(script) as port,
        TcpClient(HOST, port, framing=RtuFraming, timeout=PATIENCE) as client,
    ):
        assert client.read_holding_registers(1) == [1]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(2, unit=2, timeout=0.05)
        assert client.read_holding_registers(3, unit=3) == [3]


def test_importing_the_package_loads_only_what_it_needs() -> None:
    """A program that reads one register must not spend time to import asyncio."""
    heavy = (
        "asyncio ssl serial dataclasses inspect concurrent.futures ipaddress logging "
        "typing_extensions"
    )
    program = f"import sys, modwire_sync; print([m for m in {heavy.split()} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"
