"""`UdpServer`: each request gets a response, to the peer that sent it."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import socket

import pytest

from modwire import AsciiFraming, RtuFraming, Units
from packages import HOST, LOOPBACK, Package
from server_peers import PATIENCE, READ, READ_ANSWER, memory_unit, rtu, tcp


def test_each_peer_gets_the_answers_to_its_own_requests(package: Package) -> None:
    seen: list[object] = []
    units = Units.single(memory_unit())
    with package.UdpServer(units, LOOPBACK, on_call=lambda who, *_: seen.append(who)) as server:
        with package.datagrams(server) as one, package.datagrams(server) as two:
            one.send(tcp("0300010001", 1))
            two.send(tcp("0300020001", 2))
            assert one.recv(999) == tcp("03020001", 1)
            assert two.recv(999) == tcp("03020002", 2)
            assert set(seen) == {one.getsockname(), two.getsockname()}


def test_several_requests_in_a_datagram_get_an_answer_each(package: Package) -> None:
    with (
        package.UdpServer(Units.single(memory_unit()), LOOPBACK) as server,
        package.datagrams(server) as client,
    ):
        client.send(b"".join(tcp("0300010001", number) for number in range(3)))
        answers = {client.recv(999) for _ in range(3)}
        assert answers == {tcp("03020001", number) for number in range(3)}
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        client.send((READ * 5461)[:65000])  # the longest datagram
        assert client.recv(999) == READ_ANSWER


def test_a_broken_datagram_leaves_nothing_behind(package: Package) -> None:
    with (
        package.UdpServer(Units.single(memory_unit()), LOOPBACK) as server,
        package.datagrams(server) as client,
    ):
        for broken in (READ[:-1], b"\xff" * 300, b"", bytes.fromhex("000100010006010300000001")):
            client.send(broken)
            client.send(READ)
            assert client.recv(999) == READ_ANSWER


def test_rtu_frames_in_datagrams(package: Package) -> None:
    with package.UdpServer(Units.single(memory_unit()), LOOPBACK, framing=RtuFraming) as server:
        with package.datagrams(server) as client:
            client.send(rtu("0300050001"))
            assert client.recv(999) == rtu("03020005")
            client.send(rtu("080000a537"))
            assert client.recv(999) == rtu("080000a537")


def test_ipv6(package: Package) -> None:
    try:
        server = package.UdpServer(Units.single(memory_unit()), ("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, package.datagrams(server) as client:
        client.send(READ)
        assert client.recv(999) == READ_ANSWER


def test_units_that_block_stall_nobody_and_too_many_calls_get_06(package: Package) -> None:
    units, gate = package.gated_units()
    with package.UdpServer(units, LOOPBACK, max_calls=2, workers=1) as server:
        with package.datagrams(server) as slow, package.datagrams(server) as other:
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


def test_hooks_of_calls_that_block_see_their_own_peer(package: Package) -> None:
    seen: list[object] = []
    units, gate = package.gated_units()
    with package.UdpServer(units, LOOPBACK, on_call=lambda who, *_: seen.append(who)) as server:
        with package.datagrams(server) as slow, package.datagrams(server) as other:
            slow.send(tcp("0300000001", unit=2))
            gate.wait_entered()
            other.send(READ)
            other.recv(999)
            gate.opened.set()
            slow.recv(999)
            assert seen == [other.getsockname(), slow.getsockname()]


def test_shutdown_sends_the_answers_of_calls_that_are_out(package: Package) -> None:
    units, gate = package.gated_units()
    server = package.UdpServer(units, LOOPBACK).start()
    with package.datagrams(server) as client:
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        gate.opened.set()
        server.shutdown()
        assert client.recv(999) == tcp("03024711", unit=2)


def test_a_peer_cannot_change_the_delimiter_of_the_others(package: Package) -> None:
    server = package.UdpServer(Units.single(memory_unit()), LOOPBACK, framing=AsciiFraming)
    with server:
        port = server.address[1]
        with package.UdpClient(HOST, port, framing=AsciiFraming, timeout=PATIENCE) as client:
            client.change_ascii_input_delimiter("Z")
        with package.UdpClient(HOST, port, framing=AsciiFraming, timeout=PATIENCE) as other:
            assert other.read_coils(0) == [False]


def test_units_with_a_bug_do_not_end_the_server(package: Package) -> None:
    class Odd(Units):
        def for_tcp(self, unit_id: int) -> object:  # type: ignore[override]
            if unit_id == 9:
                raise ValueError("odd")
            return super().for_tcp(unit_id)

    with package.UdpServer(Odd({1: memory_unit()}), LOOPBACK) as server:
        with package.datagrams(server) as peer:
            peer.send(tcp("0300050001", unit=9))
            peer.send(READ)
            assert peer.recv(99) == READ_ANSWER


def test_only_allowed_networks_are_answered(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.UdpServer(units, LOOPBACK, allow=["127.0.0.2"]) as server:
        with package.datagrams(server, "127.0.0.1") as stranger:
            stranger.send(tcp("060005ffff"))
            with package.datagrams(server, "127.0.0.2") as friend:
                friend.send(READ)
                assert friend.recv(999) == READ_ANSWER, "the stranger's write was not done"
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(999)


def test_a_port_in_use_is_told(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.UdpServer(units, LOOPBACK) as server:
        with pytest.raises(OSError, match=str(server.address.port)):
            package.UdpServer(units, server.address)
    with pytest.raises(ValueError, match="max_calls must be a whole number, at least 1, got 0"):
        package.UdpServer(units, LOOPBACK, max_calls=0)
