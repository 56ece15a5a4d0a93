"""`UdpServer`: an answer for each request, to whoever asked."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modwire import RtuFraming, Units
from modwire_sync.servers import UdpServer
from server_peers import PATIENCE, READ, READ_ANSWER, gated_units, memory_unit, rtu, tcp

LOOPBACK = ("127.0.0.1", 0)


@contextmanager
def peer(server: UdpServer) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in server.address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.settimeout(PATIENCE)
        made.connect(tuple(server.address))
        yield made


def test_each_peer_gets_the_answers_to_its_own_requests() -> None:
    seen: list[object] = []
    units = Units.single(memory_unit())
    with UdpServer(units, LOOPBACK, on_call=lambda who, *_: seen.append(who)) as server:
        with peer(server) as one, peer(server) as two:
            one.send(tcp("0300010001", 1))
            two.send(tcp("0300020001", 2))
            assert one.recv(999) == tcp("03020001", 1)
            assert two.recv(999) == tcp("03020002", 2)
            assert set(seen) == {one.getsockname(), two.getsockname()}


def test_several_requests_in_a_datagram_get_an_answer_each() -> None:
    with UdpServer(Units.single(memory_unit()), LOOPBACK) as server, peer(server) as client:
        count = 5461  # 64 KiB
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        client.send(b"".join(tcp("0300010001", number) for number in range(3)))
        answers = {client.recv(999) for _ in range(3)}
        assert answers == {tcp("03020001", number) for number in range(3)}
        client.send((READ * count)[:65000])
        assert client.recv(999) == READ_ANSWER


def test_a_broken_datagram_leaves_nothing_behind() -> None:
    with UdpServer(Units.single(memory_unit()), LOOPBACK) as server, peer(server) as client:
        for broken in (READ[:-1], b"\xff" * 300, b"", bytes.fromhex("000100010006010300000001")):
            client.send(broken)
            client.send(READ)
            assert client.recv(999) == READ_ANSWER


def test_rtu_frames_in_datagrams() -> None:
    with UdpServer(Units.single(memory_unit()), LOOPBACK, framing=RtuFraming) as server:
        with peer(server) as client:
            client.send(rtu("0300050001"))
            assert client.recv(999) == rtu("03020005")
            client.send(rtu("080000a537"))
            assert client.recv(999) == rtu("080000a537")


def test_ipv6() -> None:
    try:
        server = UdpServer(Units.single(memory_unit()), ("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, peer(server) as client:
        client.send(READ)
        assert client.recv(999) == READ_ANSWER


def test_units_that_block_stall_nobody_and_too_many_calls_get_06() -> None:
    units, gate = gated_units()
    with UdpServer(units, LOOPBACK, max_calls=2, workers=1) as server:
        with peer(server) as slow, peer(server) as other:
            slow.send(tcp("0300000001", 1, unit=2) + tcp("0300000001", 2, unit=2))
            gate.wait_entered()
            other.send(READ)
            assert other.recv(999) == READ_ANSWER
            other.send(tcp("0300000001", 3, unit=2))
            assert other.recv(999) == tcp("8306", 3, unit=2)
            gate.opened.set()
            answers = {slow.recv(999), slow.recv(999)}
            assert answers == {tcp("03024711", number, unit=2) for number in (1, 2)}
    assert units[2].busy_count == 1


def test_hooks_of_calls_that_block_see_their_own_peer() -> None:
    seen: list[object] = []
    units, gate = gated_units()
    with UdpServer(units, LOOPBACK, on_call=lambda who, *_: seen.append(who)) as server:
        with peer(server) as slow, peer(server) as other:
            slow.send(tcp("0300000001", unit=2))
            gate.wait_entered()
            other.send(READ)
            other.recv(999)
            gate.opened.set()
            slow.recv(999)
            assert seen == [other.getsockname(), slow.getsockname()]


def test_shutdown_sends_the_answers_of_calls_that_are_out() -> None:
    units, gate = gated_units()
    server = UdpServer(units, LOOPBACK).start()
    with peer(server) as client:
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        gate.opened.set()
        server.shutdown()
        assert client.recv(999) == tcp("03024711", unit=2)


def test_a_port_in_use_is_told() -> None:
    units = Units.single(memory_unit())
    with UdpServer(units, LOOPBACK) as server:
        with pytest.raises(OSError, match=str(server.address.port)):
            UdpServer(units, server.address)
    with pytest.raises(ValueError, match="max_calls must be a whole number, at least 1, got 0"):
        UdpServer(units, LOOPBACK, max_calls=0)
