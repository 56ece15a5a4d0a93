"""Servers among hostile or broken peers: caps, time limits, and peers that never read."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import errno
import logging
import resource
import time

import pytest
from gevent import select, socket

from modwire import RtuFraming, ServerOptions, Units
from modwire_gevent import TcpServer, UdpServer
from modwire_gevent.servers.addresses import PlainSocket
from serve_peers import (
    LOOPBACK,
    PATIENCE,
    READ,
    READ_ANSWER,
    RawClient,
    gated_units,
    memory_unit,
    rtu,
    tcp,
    wait_until,
)

LONG = tcp("0300000064")
LONG_ANSWER = tcp("03c8" + "".join(f"{value:04x}" for value in range(100)))


def test_the_connection_that_was_idle_longest_makes_room() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK, max_connections=3) as server:
        clients = [RawClient(server.address) for _ in range(3)]
        for client in clients:
            client.ask(READ, READ_ANSWER)
        clients[0].ask(READ, READ_ANSWER)  # so the second one is idle longest
        with RawClient(server.address) as newcomer:
            newcomer.ask(READ, READ_ANSWER)
            assert clients[1].is_closed()
            clients[0].ask(READ, READ_ANSWER)
            clients[2].ask(READ, READ_ANSWER)
        for client in clients:
            client.close()


def test_connections_that_wait_for_their_unit_are_not_closed_for_others() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK, max_connections=1) as server:
        with RawClient(server.address) as client:
            client.send(tcp("0300000001", unit=2))
            gate.wait_entered()
            with RawClient(server.address) as newcomer:
                assert newcomer.is_closed()
            gate.opened.set()
            assert client.receive(11) == tcp("03024711", unit=2)


@pytest.mark.parametrize("by_options", [False, True])
def test_idle_connections_are_closed_in_time_and_busy_ones_are_not(by_options: bool) -> None:
    idle = 0.3
    units, gate = gated_units()
    with (
        TcpServer(
            units,
            LOOPBACK,
            idle_timeout=None if by_options else idle,
            options=ServerOptions(idle_timeout=idle) if by_options else None,
        ) as server,
        RawClient(server.address) as silent,
        RawClient(server.address) as talking,
        RawClient(server.address) as waiting,
    ):
        start = time.monotonic()
        waiting.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        silent.socket.settimeout(0.01)
        while True:
            talking.ask(READ, READ_ANSWER)
            try:
                assert silent.socket.recv(1) == b""
                break
            except TimeoutError:
                assert time.monotonic() < start + PATIENCE
        assert time.monotonic() - start >= idle * 0.9
        talking.ask(READ, READ_ANSWER)
        gate.opened.set()
        assert waiting.receive(11) == tcp("03024711", unit=2), "it was not idle"
        assert waiting.is_closed()


def test_a_peer_that_never_reads_is_idle_too() -> None:
    units = Units.single(memory_unit())
    with (
        TcpServer(units, LOOPBACK, idle_timeout=0.2) as server,
        RawClient(server.address) as client,
    ):
        with pytest.raises(ConnectionError):
            fill_for_ever(client)


def test_silence_ends_frames_without_disturbing_the_idle_timeout() -> None:
    server = TcpServer(
        Units.single(memory_unit()), LOOPBACK, framing=RtuFraming, idle_timeout=PATIENCE
    )
    with server, RawClient(server.address) as client:
        for _ in range(2):
            client.ask(rtu("080000a537"), rtu("080000a537"))


def test_only_allowed_networks_get_in(caplog: pytest.LogCaptureFixture) -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK, allow=["127.0.0.2/32", "::1"]) as server:
        with RawClient(server.address) as stranger:
            assert stranger.is_closed()
        with RawClient(server.address, source="127.0.0.2") as friend:
            friend.ask(READ, READ_ANSWER)
    assert "127.0.0.1" in caplog.text
    assert "not allowed" in caplog.text


def test_a_dual_stack_server_knows_ipv4_networks() -> None:
    with TcpServer(Units.single(memory_unit()), ("", 0), allow=["127.0.0.0/8"]) as server:
        with RawClient(("127.0.0.1", int(server.address[1]))) as client:
            client.ask(READ, READ_ANSWER)


@pytest.mark.parametrize("allow", [["localhost"], ["10.0.0.1/8"], "10.0.0.0/8"])
def test_what_is_no_network_is_refused_at_once(allow: list[str]) -> None:
    with pytest.raises(ValueError, match="10|localhost"):
        TcpServer(Units.single(memory_unit()), LOOPBACK, allow=allow)


@pytest.mark.parametrize("kind", [TcpServer, UdpServer])
@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_what_is_no_port_is_refused_with_what_is_allowed(
    kind: type[TcpServer] | type[UdpServer], port: int
) -> None:
    with pytest.raises(ValueError, match=rf"port must be 0\.\.65535, got {port}"):
        kind(Units.single(memory_unit()), ("127.0.0.1", port))


@pytest.mark.parametrize("kind", [TcpServer, UdpServer])
@pytest.mark.parametrize("address", [502, None, ("127.0.0.1",), ("127.0.0.1", "502"), (502, "x")])
def test_what_is_no_address_is_refused_with_what_is_allowed(
    kind: type[TcpServer] | type[UdpServer], address: object
) -> None:
    with pytest.raises(ValueError, match=r"address must be \(host, port\)"):
        kind(Units.single(memory_unit()), address)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("max_connections", 0), ("workers", 0)])
def test_limits_that_let_nobody_in_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 1, got 0"):
        TcpServer(Units.single(memory_unit()), LOOPBACK, **{name: value})


def fill(client: RawClient) -> int:
    """Send requests and read nothing until nothing more can be sent; how many bytes went."""
    request = LONG * 100
    client.socket.setblocking(False)
    sent = 0
    while True:
        _, ready, _ = select.select([], [client.socket], [], 0.5)
        if not ready:
            client.socket.settimeout(PATIENCE)
            return sent
        sent += client.socket.send(request)


def fill_for_ever(client: RawClient) -> None:
    for _ in range(20):
        fill(client)


def test_a_peer_that_never_reads_costs_little_and_stalls_nobody() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as greedy, RawClient(server.address) as other:
            sent = fill(greedy)
            assert any(each._is_sending for each in server._connections._all)
            for _ in range(10):
                other.ask(READ, READ_ANSWER)
            # It loses nothing when it reads at last.
            whole, part = divmod(sent, len(LONG))
            received = greedy.receive(whole * len(LONG_ANSWER))
            assert received == LONG_ANSWER * whole
            greedy.ask(LONG[part:], LONG_ANSWER)


def test_a_peer_that_sends_byte_by_byte_gets_its_answer_and_stalls_nobody() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as slow, RawClient(server.address) as other:
            slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in READ:
                slow.send(bytes((byte,)))
                other.ask(READ, READ_ANSWER)
            assert slow.receive(len(READ_ANSWER)) == READ_ANSWER


def test_300_connections_at_once_are_all_served() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 700:
        pytest.skip(f"this system allows {soft} open files only")
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        clients = [RawClient(server.address) for _ in range(300)]
        for _ in range(3):
            for number, client in enumerate(clients):
                client.send(tcp("0300050001", number))
            for number, client in enumerate(clients):
                assert client.receive(11) == tcp("03020005", number)
        for client in clients:
            client.close()
        wait_until(lambda: not server._connections)


def test_without_file_descriptors_the_server_pauses_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = 3
    attempts: list[float] = []
    accept = PlainSocket.accept

    def fails(listener: socket.socket) -> tuple[socket.socket, object]:
        if len(attempts) < failures:
            attempts.append(time.monotonic())
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        clients = [RawClient(server.address) for _ in range(failures + 1)]
        for client in clients:
            client.ask(READ, READ_ANSWER)
        monkeypatch.setattr(PlainSocket, "accept", fails)
        with RawClient(server.address) as late:
            late.send(READ)
            clients[-1].ask(READ, READ_ANSWER)
            assert late.receive(len(READ_ANSWER)) == READ_ANSWER
            clients[-1].ask(READ, READ_ANSWER)
        for client in clients[:2]:
            assert client.is_closed(), "the one that is idle longest makes room"
        clients[2].ask(READ, READ_ANSWER)
        for client in clients:
            client.close()
    assert len(attempts) == failures
    assert attempts[1] - attempts[0] < 0.2, "it paused although it had made room"
    assert attempts[2] - attempts[1] >= 0.2, "it tried without a pause"
    assert caplog.text.count("Too many open files") == 1


def test_a_layer_around_sockets_that_fails_harms_nobody() -> None:
    class Picky(TcpServer):
        first = True

        def wrap_socket(self, accepted: socket.socket) -> socket.socket:
            if self.first:
                self.first = False
                raise ConnectionResetError("handshake failed")
            return accepted

    with Picky(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as refused:
            assert refused.is_closed()
        with RawClient(server.address) as served:
            served.ask(READ, READ_ANSWER)


def test_a_peer_that_goes_while_its_unit_is_asked_frees_its_place() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK) as server:
        client = RawClient(server.address)
        client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        gate.opened.set()
        wait_until(lambda: not server._connections)
        with RawClient(server.address) as later:
            later.ask(READ, READ_ANSWER)


def test_noise_is_nobodys_trouble_but_its_senders(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as good:
            for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xff" * 4096):
                with RawClient(server.address) as bad:
                    bad.send(noise)
                    assert bad.is_closed()
                good.ask(READ, READ_ANSWER)


def test_udp_has_the_same_networks() -> None:
    with UdpServer(Units.single(memory_unit()), LOOPBACK, allow=["127.0.0.2"]) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.sendto(tcp("060005ffff"), server.address)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
                friend.settimeout(PATIENCE)
                friend.bind(("127.0.0.2", 0))
                friend.sendto(READ, server.address)
                assert friend.recv(999) == READ_ANSWER, "the stranger's write was not done"
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(999)
