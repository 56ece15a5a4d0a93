"""Clients and servers on both sides of a fork."""

from __future__ import annotations

import os

import pytest

import forked
from packages import Package

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

START = """
import os, socket, sys, threading, time
from importlib import import_module
from cutting import device
from forked import Child
import modwire
from modwire import ConnectionLostError, SequentialBlock, Unit, Units

name = sys.argv[1]
package = import_module(f"modwire_{name}")
fork = os.fork
if name == "gevent" and "raw" not in sys.argv:
    import gevent.os
    import gevent.socket
    fork = gevent.os.fork_gevent

def read_all(client, first):
    for value in range(first, first + 100):
        assert client.read_holding_registers(value) == [value], value
"""


def run(package: Package, script: str, *arguments: str) -> None:
    forked.run(START + script, package.name, *arguments)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("how", ["raw", "gevent"])
def test_a_client_is_right_on_both_sides(package: Package, kind: str, how: str) -> None:
    if how == "gevent" and package.name != "gevent":
        pytest.skip("a fork of gevent")
    run(
        package,
        """
with device(sys.argv[2]) as (_, endpoint):
    client = package.connect(endpoint + "?timeout=5")
    read_all(client, 0)
    children = [
        Child(lambda first=first: read_all(client, first), fork) for first in (1000, 2000, 3000)
    ]
    assert client.is_open
    read_all(client, 4000)
    for child in children:
        child.join()
    read_all(client, 5000)
""",
        kind,
        how,
    )


def test_the_end_of_a_forked_process_leaves_the_link_open(package: Package) -> None:
    run(
        package,
        """
accepted = []
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = package.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    client.connect()
    link = listener.accept()[0]
    def use():
        assert not client.is_open
        client.close()
    Child(use, fork).join()
    link.settimeout(0.1)
    try:
        assert link.recv(10), "the connection was closed"
    except TimeoutError:
        pass
    client.close()
    link.settimeout(20)
    assert link.recv(10) == b""
""",
    )


def test_a_serial_port_is_that_of_the_process_that_opened_it(package: Package) -> None:
    run(
        package,
        """
with device("rtu") as (_, endpoint):
    client = package.connect(endpoint + "&timeout=5")
    read_all(client, 0)
    def use():
        for _ in range(2):
            try:
                client.read_holding_registers(7)
                raise AssertionError("two processes share the port")
            except ConnectionLostError as error:
                assert "lock" in str(error), error
    child = Child(use, fork)
    read_all(client, 1000)
    child.join()
    read_all(client, 2000)
    client.close()
    Child(lambda: read_all(client, 3000), fork).join()
""",
    )


def test_locks_that_another_thread_holds_do_not_matter(package: Package) -> None:
    if package.name == "gevent":
        pytest.skip("a client of gevent is for one thread")
    run(
        package,
        """
with device() as (_, endpoint):
    client = package.connect(endpoint + "?timeout=5&max_in_flight=4")
    read_all(client, 0)  # a fork while a module is being imported would end badly
    over = threading.Event()
    def use(first):
        while not over.is_set():
            read_all(client, first)
    threads = [threading.Thread(target=use, args=(first,)) for first in (1000, 2000)]
    for each in threads:
        each.start()
    for _ in range(20):
        Child(lambda: read_all(client, 3000), fork).join()
    over.set()
    for each in threads:
        each.join(20)
        assert not each.is_alive()
""",
    )


def test_a_server_is_that_of_the_process_that_serves(package: Package) -> None:
    """The other one leaves at once, keeps no connection, and no port from being used again."""
    run(
        package,
        """
units = Units.single(Unit(holding_registers=SequentialBlock(0, range(100))))
path = f"/tmp/modwire-fork-{os.getpid()}"
ready, told = os.pipe()
up, is_up = os.pipe()
sockets = gevent.socket if name == "gevent" else socket
with package.TcpServer(units, path) as server, package.TcpServer(units, ("127.0.0.1", 0)) as other:
    client = package.UnixClient(path)
    assert client.read_holding_registers(5) == [5]
    def use():
        began = time.monotonic()
        server.shutdown()
        other.shutdown()
        assert time.monotonic() - began < 20.0  # it waits for nobody
        os.write(is_up, b"x")
        os.read(ready, 1)
    child = Child(use, fork)
    os.read(up, 1)
    assert client.read_holding_registers(6) == [6]
    assert os.path.exists(path)
    client.close()
    plain = sockets.create_connection(other.address)
    plain.settimeout(20)
    plain.sendall(bytes.fromhex("000100000006010300050001"))
    assert plain.recv(100)[-1] == 5
    host_port = other.address
    other.shutdown()
    assert plain.recv(1) == b""
    try:
        sockets.create_connection(host_port, 5)
        raise AssertionError("the forked process listens")
    except ConnectionRefusedError:
        pass
    os.write(told, b"x")
    child.join()
    assert client.read_holding_registers(7) == [7]
    client.close()
assert not os.path.exists(path)
""",
    )


def test_a_server_may_be_started_after_the_fork(package: Package) -> None:
    run(
        package,
        """
units = Units.single(Unit(holding_registers=SequentialBlock(0, range(100))))
server = package.TcpServer(units, ("127.0.0.1", 0))
over, end = os.pipe()
def serve():
    os.close(end)
    with server:
        if name == "gevent":
            gevent.os.tp_read(over, 1)
        else:
            os.read(over, 1)
children = [Child(serve, fork) for _ in range(2)]
from modwire_sync import TcpClient
values = []
for value in range(20):
    with TcpClient(*server.address, timeout=10) as client:
        values += client.read_holding_registers(value)
assert values == list(range(20))
os.close(end)
for child in children:
    child.join()
""",
    )


def test_a_gateway_answers_on_both_sides(package: Package) -> None:
    """The threads that send its requests are only in the process that started them."""
    run(
        package,
        """
def read_some(server):
    with package.TcpClient(*server.address, timeout=10) as client:
        read_all(client, 0)
with device() as (_, endpoint):
    gateway = package.Gateway(package.connect(endpoint))
    with package.TcpServer(gateway, ("127.0.0.1", 0)) as server:
        read_some(server)
        def use():
            with package.TcpServer(gateway, ("127.0.0.1", 0)) as own:
                read_some(own)
        child = Child(use, fork)
        read_some(server)
        child.join()
""",
    )
