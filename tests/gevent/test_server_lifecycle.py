"""How gevent's servers are started and shut down, from wherever that is asked, and what is left."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
import pytest
from gevent.event import Event

from modwire import Response, Unit, Units
from modwire_gevent import TcpServer, UdpServer
from serve_peers import (
    LOOPBACK,
    PATIENCE,
    READ,
    READ_ANSWER,
    RawClient,
    gated_units,
    memory_unit,
    run,
    tcp,
    wait_until,
)

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc")


class Cooperative(Unit):
    """A unit that waits as greenlets do, until `opened`."""

    cooperative = True

    def __init__(self) -> None:
        super().__init__(blocking=True)
        self.entered = Event()
        self.opened = Event()
        self.killed = Event()

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        self.entered.set()
        try:
            self.opened.wait()
        except gevent.GreenletExit:
            self.killed.set()
            raise
        return memory_unit().execute(request)


def test_start_serves_and_returns() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    assert server.start() is server
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        with pytest.raises(RuntimeError, match="serves already"):
            server.start()
        server.stop()
        assert client.is_closed()
    server.stop(timeout=1)
    with pytest.raises(RuntimeError, match="make a new one"):
        server.start()


def test_serve_forever_in_a_with_block_waits_for_shutdown() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        waiting = run(server.serve_forever)
        with RawClient(server.address) as client:
            client.ask(READ, READ_ANSWER)
        assert not waiting.dead
        server.shutdown()
        assert waiting.get(timeout=PATIENCE) is None


def test_serve_forever_starts_the_server_and_returns_after_shutdown() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = run(server.serve_forever)
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()
        assert client.is_closed()
    assert serving.get(timeout=PATIENCE) is None
    server.serve_forever()  # is over at once


def test_a_server_is_closed_when_serve_forever_is_interrupted() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        server.serve_forever()
    with pytest.raises(ConnectionRefusedError):
        RawClient(server.address)
    other = TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = run(other.serve_forever)
    with RawClient(other.address) as client:
        client.ask(READ, READ_ANSWER)
        serving.kill()
        assert client.is_closed()


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
    serving = run(server.serve_forever)
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        assert client.is_closed()
    assert serving.get(timeout=PATIENCE) is None


def test_shutdown_from_a_unit_in_a_thread_does_not_hang() -> None:
    class Last(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            server.shutdown(2 * PATIENCE)
            return memory_unit().execute(request)

    server = TcpServer(Units.single(Last(blocking=True)), LOOPBACK).start()
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        assert client.is_closed()
    server.serve_forever()


def test_a_server_in_a_thread_is_shut_down_from_another() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    with RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()
        assert client.is_closed()
    serving.join(PATIENCE)
    assert not serving.is_alive()


def test_shutdown_from_a_thread_waits_there_until_all_is_closed() -> None:
    units, gate = gated_units()
    server = TcpServer(units, LOOPBACK).start()
    order: list[str] = []

    def shut_down() -> None:
        server.shutdown(PATIENCE)
        order.append("shut down")

    with RawClient(server.address) as client:
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        stopping = threading.Thread(target=shut_down)
        stopping.start()
        wait_until(lambda: server._stopper is not None)
        order.append("opened")
        gate.opened.set()
        assert client.receive(11) == tcp("03024711", unit=2)
        wait_until(lambda: not stopping.is_alive())
    assert order == ["opened", "shut down"]


def test_units_are_refused_at_once_that_are_none() -> None:
    with pytest.raises(TypeError, match=r"Units\.single\(unit\), got Unit"):
        TcpServer(memory_unit(), LOOPBACK)  # type: ignore[arg-type]
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    with pytest.raises(ValueError, match="grace must be at least 0 seconds, got -1"):
        server.shutdown(-1)
    server.shutdown()


def test_shutdown_lets_calls_end_and_sends_their_answers() -> None:
    units, gate = gated_units()
    server = TcpServer(units, LOOPBACK).start()
    with RawClient(server.address) as busy, RawClient(server.address) as idle:
        idle.ask(READ, READ_ANSWER)
        busy.send(tcp("0300000001", unit=2) + tcp("0300000001", 2, unit=2))
        gate.wait_entered()
        stopping = run(lambda: server.shutdown(PATIENCE))
        assert idle.is_closed(), "who has nothing to wait for is let go at once"
        with pytest.raises(ConnectionRefusedError):
            RawClient(server.address)
        assert not stopping.dead
        gate.opened.set()
        assert busy.receive(11) == tcp("03024711", unit=2)
        assert busy.is_closed(), "no new call is begun"
        assert stopping.get(timeout=PATIENCE) is None


def test_shutdown_waits_for_a_unit_no_longer_than_the_grace() -> None:
    units, gate = gated_units()
    server = TcpServer(units, LOOPBACK).start()
    with RawClient(server.address) as client:
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        server.shutdown(grace=0.05)
        assert client.is_closed()
    gate.opened.set()


def test_a_second_shutdown_cuts_the_grace_short_and_kills_who_cooperates() -> None:
    unit = Cooperative()
    server = TcpServer(Units.single(unit), LOOPBACK).start()
    with RawClient(server.address) as client:
        client.send(READ)
        assert unit.entered.wait(PATIENCE)
        patient = run(lambda: server.shutdown(1e9))
        gevent.sleep(0)
        assert not patient.dead
        server.shutdown(grace=0)
        assert unit.killed.is_set()
        assert client.is_closed()
        assert patient.get(timeout=PATIENCE) is None


@pytest.mark.parametrize("kind", [TcpServer, UdpServer])
def test_a_server_whose_greenlet_was_killed_says_so(
    kind: type[TcpServer] | type[UdpServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = kind(Units.single(memory_unit()), LOOPBACK).start()
    gevent.killall(list(server._greenlets))
    with pytest.raises(RuntimeError, match="was killed"):
        server.serve_forever()
    assert "was killed" in caplog.text


@needs_proc
def test_nothing_is_left_open() -> None:
    def round_of_life() -> None:
        units, gate = gated_units()
        gate.opened.set()
        with TcpServer(units, LOOPBACK, idle_timeout=PATIENCE) as server:
            clients = [RawClient(server.address) for _ in range(20)]
            for client in clients:
                client.ask(tcp("0300000001", unit=2), tcp("03024711", unit=2))
            for client in clients[:10]:
                client.close()
        for client in clients[10:]:
            assert client.is_closed()
            client.close()
        assert not server._connections
        assert not server._greenlets

    round_of_life()
    before = count_descriptors(), threading.active_count()
    for _ in range(5):
        round_of_life()
    assert (count_descriptors(), threading.active_count()) == before


def test_bytes_are_logged_when_the_wire_log_is_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="modwire.wire"):
        with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
            with RawClient(server.address) as client:
                client.ask(READ, READ_ANSWER)
    told = [record.getMessage() for record in caplog.records if record.name == "modwire.wire"]
    assert any(READ.hex(" ") in message for message in told)
    assert any(READ_ANSWER.hex(" ") in message for message in told)


# In processes of their own.

SERVE = """
import signal, sys
{patch}
from modwire import SequentialBlock, Unit, Units
from modwire_gevent import TcpServer

def units():
    return Units.single(Unit(holding_registers=SequentialBlock(0, range(100))))

server = TcpServer(units(), ("127.0.0.1", 0))
signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
print(server.address[1], flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    print("interrupted")
print("over")
"""
PATCH = "from gevent import monkey; monkey.patch_all()"


@pytest.mark.parametrize("patch", ["", PATCH], ids=["plain", "patched"])
@pytest.mark.parametrize(
    ("sent", "told"), [("SIGTERM", ["over"]), ("SIGINT", ["interrupted", "over"])]
)
def test_signals_end_serve_forever(patch: str, sent: str, told: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE.format(patch=patch)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with RawClient(("127.0.0.1", port)) as client:
            client.ask(READ, READ_ANSWER)
            process.send_signal(getattr(signal, sent))
            assert client.is_closed()
        out, err = process.communicate(timeout=PATIENCE)
    assert (out.split(), process.returncode) == (told, 0)
    if sent == "SIGTERM":  # where a KeyboardInterrupt struck, gevent itself tells
        assert err == ""


PATCHED = """
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
    with TcpClient("127.0.0.1", device.address.port) as behind:
        units = Units({1: memory(), 2: memory(Slow, blocking=True), 3: RemoteUnit(behind, 1)})
        path = sys.argv[1]
        with (
            TcpServer(units, ("127.0.0.1", 0)) as tcp,
            TcpServer(units, path, framing=RtuFraming) as unix,
            UdpServer(units, ("127.0.0.1", 0)) as udp,
        ):
            with (
                TcpClient("127.0.0.1", tcp.address.port) as one,
                UnixClient(path, framing=RtuFraming) as two,
                UdpClient("127.0.0.1", udp.address.port) as three,
            ):
                def ask(client, unit):
                    return client.read_holding_registers(5, 2, unit=unit)

                asking = [
                    gevent.spawn(ask, client, unit)
                    for client in (one, two, three)
                    for unit in (1, 2, 3)
                ]
                gevent.joinall(asking, timeout=10)
                assert [each.value for each in asking] == [[5, 6]] * 9, asking
            with socket.create_connection(tuple(tcp.address)) as plain:
                plain.sendall(bytes.fromhex("000100000006010300050001"))
                assert plain.recv(99) == bytes.fromhex("00010000000501030200 05")
print("all served")
"""


def test_all_is_well_where_the_standard_library_is_patched(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PATCHED, str(tmp_path / "socket")],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (ran.stdout.strip(), ran.stderr) == ("all served", "")


def test_importing_the_servers_loads_nothing_that_is_not_used() -> None:
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
