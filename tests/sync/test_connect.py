"""`connect`: the right client for each endpoint, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modwire.endpoint import Endpoint
from modwire_sync import Client, SerialClient, TcpClient, UdpClient, UnixClient, connect

from .peers import PtyPeer, answer_reads, registers, rtu, serial_line, tcp_server


@pytest.mark.parametrize(
    ("endpoint", "kind", "name"),
    [
        ("tcp://192.0.2.1", TcpClient, "tcp://192.0.2.1:502"),
        ("tcp://[2001:db8::1]:1502", TcpClient, "tcp://[2001:db8::1]:1502"),
        ("rtu+tcp://meter:8899", TcpClient, "rtu+tcp://meter:8899"),
        ("udp://192.0.2.1", UdpClient, "udp://192.0.2.1:502"),
        ("rtu+udp://192.0.2.1", UdpClient, "rtu+udp://192.0.2.1:502"),
        ("unix:///run/modwire.sock", UnixClient, "unix:///run/modwire.sock"),
        ("rtu:///dev/ttyUSB0?baudrate=9600", SerialClient, "rtu:///dev/ttyUSB0"),
        ("ascii:///dev/ttyS0", SerialClient, "ascii:///dev/ttyS0"),
        ("binary:///dev/ttyS0", SerialClient, "binary:///dev/ttyS0"),
    ],
)
def test_each_endpoint_has_its_client(endpoint: str, kind: type[Client], name: str) -> None:
    for client in (connect(endpoint), connect(Endpoint.parse(endpoint))):
        assert type(client) is kind
        assert client.name == name
        assert not client.is_open


@pytest.mark.parametrize("endpoint", ["tcp://192.0.2.1", "unix:///x", "rtu:///dev/ttyS0"])
def test_options_of_the_endpoint_are_those_of_the_client(endpoint: str) -> None:
    options = connect(f"{endpoint}?unit=5&timeout=2.5&retries=3").options
    assert (options.unit, options.response_timeout, options.retries) == (5, 2.5, 3)


def test_tls_is_refused_clearly() -> None:
    with pytest.raises(ValueError, match="TLS is not supported by this version"):
        connect("tls://192.0.2.1")


def test_what_is_no_endpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        connect("http://192.0.2.1")


def test_a_connected_tcp_client() -> None:
    with tcp_server(answer_reads) as port, connect(f"tcp://127.0.0.1:{port}") as client:
        assert client.read_holding_registers(3) == [3]


def test_a_connected_serial_client() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(9, registers(5)))

    with serial_line(script) as path, connect(f"rtu://{path}?unit=9") as client:
        assert client.read_holding_registers(0) == [5]


def test_the_import_takes_nothing_that_is_not_needed() -> None:
    """A program that reads one register has no use for asyncio, and no time for it."""
    heavy = "asyncio ssl serial dataclasses inspect concurrent.futures logging typing_extensions"
    program = f"import sys, modwire_sync; print([m for m in {heavy.split()} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"
