"""`UdpClient`: datagrams get lost, come twice, late, and from strangers."""

from __future__ import annotations

import socket
import threading

import pytest

from gevent_peers import HOST, SHORT
from modwire.errors import ConnectionLostError, ResponseTimeoutError
from modwire.framing import RtuFraming
from modwire_gevent import UdpClient
from peers import (
    PATIENCE,
    SocketPeer,
    answer_one_read,
    free_port,
    mbap,
    registers,
    rtu,
    udp_server,
)


def test_a_lost_datagram_is_sent_again() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        answer_one_read(peer)

    with udp_server(script) as port, UdpClient(HOST, port, timeout=SHORT, retries=1) as client:
        assert client.name == f"udp://127.0.0.1:{port}"
        assert client.read_holding_registers(1) == [1]


def test_a_late_or_doubled_datagram_is_nobodys() -> None:
    timed_out = threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        assert timed_out.wait(PATIENCE)
        peer.send(mbap(first, registers(111)), mbap(first, registers(111)))
        second = peer.request()
        peer.send(mbap(second, registers(222)), mbap(second, registers(222)))
        third = peer.request()
        peer.send(mbap(third, registers(333)))

    with udp_server(script) as port, UdpClient(HOST, port) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert client.read_holding_registers(0) == [222]
        assert client.read_holding_registers(0) == [333]


def test_junk_and_empty_datagrams_cost_nothing() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        answer = mbap(request, registers(9))
        peer.send(b"", b"\xff" * 20, answer[:-1], b"\0" * 600, answer)

    with udp_server(script) as port, UdpClient(HOST, port) as client:
        assert client.read_holding_registers(0) == [9]


def test_a_stranger_is_not_heard() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(mbap(request, registers(666)), peer.address)  # type: ignore[arg-type]
        peer.send(mbap(request, registers(1)))

    with udp_server(script) as port, UdpClient(HOST, port) as client:
        assert client.read_holding_registers(0) == [1]


def test_nobody_there_is_told_at_once_where_the_network_tells() -> None:
    with UdpClient(HOST, free_port()) as client, pytest.raises(ConnectionLostError, match="refuse"):
        client.read_holding_registers(0, timeout=PATIENCE)


def test_rtu_over_udp() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))

    with udp_server(script) as port, UdpClient(HOST, port, framing=RtuFraming) as client:
        assert client.read_holding_registers(0) == [5]


def test_ipv6_and_source_address() -> None:
    seen: list[object] = []

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        seen.append(peer.address)

    with (
        udp_server(script) as port,
        UdpClient(HOST, port, source_address=("127.0.0.2", 0)) as client,
    ):
        client.read_holding_registers(0)
    assert seen[0][0] == "127.0.0.2"  # type: ignore[index]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no ::1 here, so IPv6 was not tried: {error}")
    with udp_server(answer_one_read, host="::1") as port, UdpClient("::1", port) as client:
        assert client.read_holding_registers(8) == [8]
