"""gevent's servers start, and shut down from any greenlet, thread or signal handler."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import gevent
import pytest

from gateway_peers import fake_line, write
from gevent_package import GeventPackage, Green
from modwire import Response, Unit, Units
from modwire_gevent import RemoteUnit, TcpServer
from packages import LOOPBACK
from server_peers import PATIENCE, READ, READ_ANSWER, RawClient, memory_unit, tcp
from sync_package import Thread

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

PACKAGE = GeventPackage()


def test_stop_is_shutdown_as_in_other_servers_of_gevent() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK).start()
    with PACKAGE.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.stop()
        assert client.is_closed()
    server.stop(timeout=1)


def test_a_server_is_closed_when_serve_forever_is_interrupted() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        server.serve_forever()
    with pytest.raises(ConnectionRefusedError):
        PACKAGE.raw(server.address)
    other = TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = Green(other.serve_forever)
    with PACKAGE.raw(other.address) as client:
        client.ask(READ, READ_ANSWER)
        serving.kill()
        assert client.is_closed()


def test_shutdown_from_a_unit_in_a_thread_does_not_hang() -> None:
    class Last(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            server.shutdown(3600)
            return memory_unit().execute(request)

    server = TcpServer(Units.single(Last(blocking=True)), LOOPBACK).start()
    with PACKAGE.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        assert client.is_closed()
    PACKAGE.wait_until(lambda: not server.is_serving)


def test_a_server_in_a_thread_is_shut_down_from_another() -> None:
    server = TcpServer(Units.single(memory_unit()), LOOPBACK)
    serving = Thread(server.serve_forever)
    with PACKAGE.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()
        assert client.is_closed()
    serving.result()


def test_shutdown_from_a_thread_waits_there_until_all_is_closed() -> None:
    units, gate = PACKAGE.gated_units()
    server = TcpServer(units, LOOPBACK).start()
    with PACKAGE.raw(server.address) as client, PACKAGE.raw(server.address) as idle:
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        stopping = Thread(lambda: server.shutdown(PATIENCE))
        assert idle.is_closed()
        assert not stopping.is_over
        gate.opened.set()
        assert client.receive(11) == tcp("03024711", unit=2)
        PACKAGE.wait_until(lambda: stopping.is_over)
        stopping.result()


def test_a_second_shutdown_cuts_the_grace_short_and_kills_units_that_cooperate() -> None:
    killed: list[BaseException] = []
    line, calls = fake_line(PACKAGE)

    class Noting(RemoteUnit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            try:
                return super().execute(request, broadcast=broadcast)
            except gevent.GreenletExit as error:
                killed.append(error)
                raise

    server = TcpServer(Units.single(Noting(line, 1)), LOOPBACK).start()
    with PACKAGE.raw(server.address) as client, PACKAGE.raw(server.address) as idle:
        client.send(write(1))
        calls.wait_asked(1)
        patient = Green(lambda: server.shutdown(1e9))
        assert idle.is_closed()
        assert not patient.is_over
        server.shutdown(grace=0)
        assert killed
        assert client.is_closed()
        assert patient.result() is None


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
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
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
    if sent == "SIGTERM":  # for KeyboardInterrupt, gevent prints a traceback itself
        assert err == ""
