"""`Gateway` when greenlets are killed: the line and the servers continue."""

from __future__ import annotations

import gevent
import pytest

from gateway_peers import fake_gateway, fake_line, settle, write
from gevent_package import GeventPackage
from modwire_gevent import Gateway, SerialServer, TcpServer
from packages import LOOPBACK
from server_peers import rtu, tcp

from .own_greenlets import greenlets_alive

PACKAGE = GeventPackage()


@pytest.mark.parametrize("error", [gevent.GreenletExit, gevent.Timeout])
def test_a_connection_that_is_killed_takes_the_turn_of_nobody(
    error: type[BaseException],
) -> None:
    """The kill comes while its request waits, or while the device executes it.

    A timeout ends only the request, and its response is exception 04.
    """
    gateway, calls = fake_gateway(PACKAGE)
    with TcpServer(gateway, LOOPBACK) as server:
        settle(PACKAGE, server)
        peers = []
        greenlets = []
        for number in range(3):
            before = greenlets_alive()
            peer = PACKAGE.raw(server.address)
            peer.send(write(number))
            calls.wait_asked(1)
            settle(PACKAGE, server)
            greenlets.append(greenlets_alive() - before)
            peers.append(peer)
        for number in (1, 0):
            gevent.killall(list(greenlets[number]), error, block=False)
            if error is gevent.Timeout:
                assert peers[number].receive(9) == tcp("8604", number)
            else:
                assert peers[number].is_closed()
        calls.wait_asked(2)
        calls.let(1)
        assert peers[2].receive(12) == write(2)
        for peer in peers:
            peer.close()
    assert calls.asked == [(1, 0), (1, 2)]


def test_a_call_that_is_killed_leaves_the_serial_line_to_the_next() -> None:
    """It gets no response; the unit must not stay busy."""
    line, calls = fake_line(PACKAGE)
    kills = [True, False]
    killed = []

    def on_call(*call: object) -> None:
        if kills.pop(0):
            killed.append(1)
            raise gevent.GreenletExit

    with PACKAGE.line() as port:
        gateway = Gateway(line, [1])
        with SerialServer(gateway, port.port, baudrate=115200, parity="N", on_call=on_call):
            port.send(rtu("0600000007", unit=1))
            calls.wait_asked(1)
            calls.let(2)
            PACKAGE.wait_until(lambda: killed)
            gevent.idle()
            port.send(rtu("0600000009", unit=1))
            assert port.receive(8) == rtu("0600000009", unit=1)
