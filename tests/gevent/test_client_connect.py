"""`connect` and `RemoteUnit`; and the clients beside gevent's monkey-patching."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gevent_peers import HOST
from modwire.endpoint import Endpoint
from modwire.messages.base import ExceptionResponse
from modwire.messages.decoder import Decoder
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire_gevent import (
    Client,
    RemoteUnit,
    SerialClient,
    TcpClient,
    UdpClient,
    UnixClient,
    connect,
)
from peers import (
    PtyPeer,
    SocketPeer,
    answer_reads,
    free_port,
    mbap,
    registers,
    rtu,
    serial_line,
    tcp_server,
)

READ = ReadHoldingRegistersRequest(3)
WRITE = WriteSingleRegisterRequest(1, 2)


@pytest.mark.parametrize(
    ("endpoint", "kind", "name"),
    [
        ("tcp://192.0.2.1", TcpClient, "tcp://192.0.2.1:502"),
        ("tcp://[2001:db8::1]:1502", TcpClient, "tcp://[2001:db8::1]:1502"),
        ("rtu+tcp://meter:8899", TcpClient, "rtu+tcp://meter:8899"),
        ("udp://192.0.2.1", UdpClient, "udp://192.0.2.1:502"),
        ("unix:///run/modwire.sock", UnixClient, "unix:///run/modwire.sock"),
        ("rtu:///dev/ttyUSB0?baudrate=9600", SerialClient, "rtu:///dev/ttyUSB0"),
        ("ascii:///dev/ttyS0", SerialClient, "ascii:///dev/ttyS0"),
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


def test_what_is_no_endpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="TLS is not supported by this version"):
        connect("tls://192.0.2.1")
    with pytest.raises(ValueError, match="scheme"):
        connect("http://192.0.2.1")


def test_connected_clients() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(9, registers(5)))

    with tcp_server(answer_reads) as port, connect(f"tcp://127.0.0.1:{port}") as client:
        assert client.read_holding_registers(3) == [3]
    with serial_line(script) as path, connect(f"rtu://{path}?unit=9") as client:
        assert client.read_holding_registers(0) == [5]


def test_a_remote_unit_passes_everything_on() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        assert request[6] == 17
        peer.send(mbap(request, request[7:]))
        peer.send(mbap(peer.request(), b"\x83\x02"))
        answer_reads(peer)

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        remote = RemoteUnit(client, 17)
        assert remote.execute(WRITE) == WriteSingleRegisterResponse(1, 2)
        assert remote.execute(READ) == ExceptionResponse(3, 2)
        assert remote.execute(READ) == ReadHoldingRegistersResponse([3])
        assert remote.answer(READ.encode(), Decoder()) == b"\x03\x02\x00\x03"


def test_a_remote_unit_without_a_link_and_without_an_answer() -> None:
    remote = RemoteUnit(TcpClient("127.0.0.1", free_port()), 1)
    assert remote.execute(READ) == ExceptionResponse(3, 10)
    assert remote.execute(WRITE, broadcast=True) is None
    with (
        tcp_server(lambda peer: _ignore(peer, 2)) as port,
        TcpClient(HOST, port) as client,
    ):
        remote = RemoteUnit(client, 17, timeout=0.05)
        assert remote.execute(READ) == ExceptionResponse(3, 11)
        assert remote.execute(WRITE, broadcast=True) is None
        assert remote.execute(READ, broadcast=True) is None  # not even sent


def _ignore(peer: SocketPeer, count: int) -> None:
    peer.request(12 * count)
    assert peer.receive() == b""


def test_a_remote_unit_tells_the_server_how_it_waits() -> None:
    remote = RemoteUnit(TcpClient(HOST), 1)
    assert remote.blocking and remote.cooperative


PATCHED = """
{before}
from modwire_gevent import TcpClient, SerialClient
{after}
import gevent
import gevent.os
import socket

def serve():
    connection, _ = listener.accept()
    while data := connection.recv(1000):
        for at in range(0, len(data), 12):
            head = data[at : at + 12]
            connection.sendall(head[:4] + bytes((0, 5)) + head[6:8] + b"\\2" + head[8:10])
    connection.close()

listener = socket.create_server(("127.0.0.1", 0))
assert type(listener).__module__.startswith("gevent")
server = gevent.spawn(serve)
with TcpClient("localhost", listener.getsockname()[1], max_in_flight=4) as client:
    assert client.read_holding_registers(7) == [7]
    calls = [gevent.spawn(client.read_holding_registers, n) for n in range(8)]
    assert [call.get(timeout=9) for call in calls] == [[n] for n in range(8)]
    with gevent.Timeout(0.01, False):
        client.read_holding_registers(1, unit=9)
    assert client.read_holding_registers(7) == [7]
server.get(timeout=9)
listener.close()

import os, tty
far, near = os.openpty()
tty.setraw(near)
def answer():
    gevent.os.tp_read(far, 8)
    os.write(far, bytes.fromhex("01030200057847"))
with SerialClient(os.ttyname(near)) as client:
    device = gevent.spawn(answer)
    assert client.read_holding_registers(0) == [5]
for _ in range(3):  # a port can be opened again as soon as it was closed
    with SerialClient(os.ttyname(near)):
        pass
print("right")
"""


@pytest.mark.parametrize("patched", ["before", "after"])
def test_monkey_patching_changes_nothing(patched: str, tmp_path: Path) -> None:
    patch = "import gevent.monkey; gevent.monkey.patch_all()"
    lines = {"before": "", "after": "", patched: patch}
    program = tmp_path / "patched.py"
    program.write_text(PATCHED.format(**lines))
    found = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("right\n", "")
