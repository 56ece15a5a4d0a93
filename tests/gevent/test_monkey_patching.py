"""Programs that patch the standard library, before or after they import the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 50  # seconds; only a failing test waits for all of it

CLIENTS = """
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
with TcpClient("localhost", listener.getsockname()[1], max_in_flight=4, timeout=30) as client:
    assert client.read_holding_registers(7) == [7]
    calls = [gevent.spawn(client.read_holding_registers, n) for n in range(8)]
    assert [call.get(timeout=30) for call in calls] == [[n] for n in range(8)]
    with gevent.Timeout(0.01, False):
        client.read_holding_registers(1, unit=9)
    assert client.read_holding_registers(7) == [7]
server.get(timeout=30)
listener.close()

import os, tty
far, near = os.openpty()
tty.setraw(near)
def answer():
    gevent.os.tp_read(far, 8)
    os.write(far, bytes.fromhex("01030200057847"))
with SerialClient(os.ttyname(near), timeout=30) as client:
    device = gevent.spawn(answer)
    assert client.read_holding_registers(0) == [5]
for _ in range(3):  # a port can be opened again as soon as it was closed
    with SerialClient(os.ttyname(near)):
        pass
print("right")
"""


@pytest.mark.parametrize("patched", ["before", "after"])
def test_clients(patched: str, tmp_path: Path) -> None:
    patch = "import gevent.monkey; gevent.monkey.patch_all()"
    lines = {"before": "", "after": "", patched: patch}
    program = tmp_path / "patched.py"
    program.write_text(CLIENTS.format(**lines))
    found = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("right\n", "")


SERVERS = """
from gevent import monkey; monkey.patch_all()
import logging, socket, sys, time
import gevent
from modwire import RtuFraming, SequentialBlock, Unit, Units
from modwire_gevent import RemoteUnit, TcpClient, TcpServer, UdpClient, UdpServer, UnixClient

logging.basicConfig(level=logging.DEBUG, filename="/dev/null")

class Slow(SequentialBlock):
    def read(self, address, count):
        time.sleep(0.05)
        return super().read(address, count)

def memory(block=SequentialBlock, **more):
    return Unit(holding_registers=block(0, range(100)), **more)

with TcpServer(Units.single(memory()), ("localhost", 0)) as device:
    with TcpClient("127.0.0.1", device.address.port, timeout=30) as behind:
        units = Units({1: memory(), 2: memory(Slow, blocking=True), 3: RemoteUnit(behind, 1)})
        path = sys.argv[1]
        with (
            TcpServer(units, ("127.0.0.1", 0)) as tcp,
            TcpServer(units, path, framing=RtuFraming) as unix,
            UdpServer(units, ("127.0.0.1", 0)) as udp,
        ):
            with (
                TcpClient("127.0.0.1", tcp.address.port, timeout=30) as one,
                UnixClient(path, framing=RtuFraming, timeout=30) as two,
                UdpClient("127.0.0.1", udp.address.port, timeout=30) as three,
            ):
                def ask(client, unit):
                    return client.read_holding_registers(5, 2, unit=unit)

                asking = [
                    gevent.spawn(ask, client, unit)
                    for client in (one, two, three)
                    for unit in (1, 2, 3)
                ]
                gevent.joinall(asking, timeout=30)
                assert [each.value for each in asking] == [[5, 6]] * 9, asking
            with socket.create_connection(tuple(tcp.address)) as plain:
                plain.sendall(bytes.fromhex("000100000006010300050001"))
                assert plain.recv(99) == bytes.fromhex("00010000000501030200 05")
print("all served")
"""


def test_servers(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SERVERS, str(tmp_path / "socket")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.stdout.strip(), ran.stderr) == ("all served", "")


def test_importing_the_package_loads_only_what_it_needs() -> None:
    program = (
        "import sys, gevent, gevent.monkey, gevent.socket; before = set(sys.modules);"
        "import modwire_gevent;"
        "print([name for name in ('asyncio', 'ssl', 'serial', 'trio', 'ipaddress')"
        " if name in set(sys.modules) - before])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"
