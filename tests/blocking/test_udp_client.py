"""`UdpClient`: datagrams that are lost, duplicated, late, or from another peer."""

# ruff: noqa: SIM117 - a peer, and in it the client that talks to it

from __future__ import annotations

import socket
import threading

import pytest

from modwire import (
    ConnectionLostError,
    InvalidResponseError,
    ResponseTimeoutError,
    RtuFraming,
)
from packages import HOST, Package
from peers import (
    PATIENCE,
    SocketPeer,
    answer_one_read,
    mbap,
    refusing_port,
    registers,
    rtu,
    udp_server,
)

SHORT = 0.05  # seconds: the timeout of calls that are to time out


def test_a_late_or_doubled_datagram_is_nobodys(package: Package) -> None:
    timed_out = threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        assert timed_out.wait(PATIENCE)
        peer.send(mbap(first, registers(111)), mbap(first, registers(111)))
        second = peer.request()
        peer.send(mbap(second, registers(222)), mbap(second, registers(222)))
        third = peer.request()
        peer.send(mbap(third, registers(333)))

    with udp_server(script) as port, package.UdpClient(HOST, port, timeout=PATIENCE) as client:
        assert client.name == f"udp://127.0.0.1:{port}"
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert client.read_holding_registers(0) == [222]
        assert client.read_holding_registers(0) == [333]


def test_junk_and_empty_datagrams_cost_nothing(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        answer = mbap(request, registers(9))
        peer.send(b"", b"\xff" * 20, answer[:-1], b"\0" * 600, answer)

    with udp_server(script) as port, package.UdpClient(HOST, port, timeout=PATIENCE) as client:
        assert client.read_holding_registers(0) == [9]


def test_a_wrong_answer_is_refused(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), registers(1, 2)))

    with udp_server(script) as port, package.UdpClient(HOST, port, timeout=PATIENCE) as client:
        with pytest.raises(InvalidResponseError):
            client.read_holding_registers(0)


def test_an_answer_from_a_stranger_is_ignored(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(mbap(request, registers(666)), peer.address)  # type: ignore[arg-type]
        peer.send(mbap(request, registers(1)))

    with udp_server(script) as port, package.UdpClient(HOST, port, timeout=PATIENCE) as client:
        assert client.read_holding_registers(0) == [1]


def test_a_port_where_nobody_listens_is_told_at_once(package: Package) -> None:
    with refusing_port(socket.SOCK_DGRAM) as port, package.UdpClient(HOST, port) as client:
        with pytest.raises(ConnectionLostError, match="refuse"):
            client.read_holding_registers(0, timeout=PATIENCE)


def test_rtu_over_udp(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))

    with udp_server(script) as port:
        with package.UdpClient(HOST, port, framing=RtuFraming, timeout=PATIENCE) as client:
            assert client.read_holding_registers(0) == [5]


def test_ipv6(package: Package) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no ::1 here, so IPv6 was not tried: {error}")
    with udp_server(answer_one_read, host="::1") as port, package.UdpClient("::1", port) as client:
        assert client.read_holding_registers(8, timeout=PATIENCE) == [8]


def test_source_address(package: Package) -> None:
    seen: list[object] = []

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        seen.append(peer.address)

    with (
        udp_server(script) as port,
        package.UdpClient(HOST, port, source_address=("127.0.0.2", 0)) as client,
    ):
        client.read_holding_registers(0, timeout=PATIENCE)
    assert seen[0][0] == "127.0.0.2"  # type: ignore[index]
