"""Servers among hostile or broken peers: caps, time limits, and peers that never read."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import logging
import os
import resource
import select
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import pytest

from modwire import RtuFraming, ServerOptions, Units
from own_sockets import needs_proc
from packages import LOOPBACK, Package, installed
from server_peers import READ, READ_ANSWER, RawClient, memory_unit, rtu, tcp

SLOW_READ, SLOW_ANSWER = tcp("0300000001", unit=2), tcp("03024711", unit=2)
LONG = tcp("0300000064")
LONG_ANSWER = tcp("03c8" + "".join(f"{value:04x}" for value in range(100)))
BUFFER = 8192  # bytes; a small buffer fills quickly if the peer does not read

# On other systems than Linux, the sync package has no epoll.
VARIANTS = [(package, True) for package in installed()] + [
    (package, False) for package in installed() if package.name == "sync"
]


@pytest.fixture(
    params=VARIANTS, ids=lambda each: each[0].name + ("" if each[1] else " without epoll")
)
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Package:
    found, has_epoll = request.param
    if not has_epoll:
        monkeypatch.delattr(select, "epoll", raising=False)
    assert isinstance(found, Package)
    return found


class Departures:
    """The peers whose connections a server has closed; `options` are for that server."""

    def __init__(self) -> None:
        self.peers: list[object] = []
        self.options = ServerOptions(
            on_disconnect=lambda protocol: self.peers.append(protocol.peer)
        )


def test_the_connection_that_was_idle_longest_makes_room(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, max_connections=3) as server:
        clients = [package.raw(server.address) for _ in range(3)]
        for client in (*clients, clients[0]):  # so the second one is idle longest
            client.ask(READ, READ_ANSWER)
        with package.raw(server.address) as newcomer:
            newcomer.ask(READ, READ_ANSWER)
            assert clients[1].is_closed()
            clients[0].ask(READ, READ_ANSWER)
            clients[2].ask(READ, READ_ANSWER)
        for client in clients:
            client.close()


def test_an_idle_connection_is_closed_and_one_whose_unit_is_busy_is_not(package: Package) -> None:
    units, gate = package.gated_units()
    with package.TcpServer(units, LOOPBACK, idle_timeout=0.5) as server:
        with package.raw(server.address) as busy:
            busy.send(SLOW_READ)
            gate.wait_entered()
            with package.raw(server.address) as idle:
                assert idle.is_closed()
            gate.opened.set()
            assert busy.receive(11) == SLOW_ANSWER
            assert busy.is_closed()


def send_for_ever(client: RawClient) -> None:
    while True:
        client.send(LONG * 100)


def test_a_peer_that_never_reads_is_idle_too(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, idle_timeout=0.2) as server:
        with package.raw(server.address, buffer=BUFFER) as client:
            with pytest.raises(ConnectionError):
                send_for_ever(client)


def test_only_allowed_networks_get_in(package: Package, caplog: pytest.LogCaptureFixture) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, allow=["127.0.0.2/32", "::1"]) as server:
        with package.raw(server.address) as stranger:
            assert stranger.is_closed()
        with package.raw(server.address, source="127.0.0.2") as friend:
            friend.ask(READ, READ_ANSWER)
    assert "127.0.0.1" in caplog.text
    assert "not allowed" in caplog.text


def test_a_dual_stack_server_knows_ipv4_networks(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, ("", 0), allow=["127.0.0.0/8"]) as server:
        with package.raw(("127.0.0.1", int(server.address[1]))) as client:
            client.ask(READ, READ_ANSWER)


@pytest.mark.parametrize("allow", [["localhost"], ["10.0.0.1/8"], "10.0.0.0/8"])
def test_a_wrong_network_is_refused_at_once(package: Package, allow: list[str]) -> None:
    with pytest.raises(ValueError, match="10|localhost"):
        package.TcpServer(Units.single(memory_unit()), LOOPBACK, allow=allow)


@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
def test_reuse_port_is_true_or_false(package: Package, kind: str) -> None:
    make = getattr(package, kind)
    with pytest.raises(ValueError, match="reuse_port must be True or False, got 'no'"):
        make(Units.single(memory_unit()), LOOPBACK, reuse_port="no")


@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_a_wrong_port_is_refused_with_what_is_allowed(
    package: Package, kind: str, port: int
) -> None:
    with pytest.raises(ValueError, match=rf"port must be 0\.\.65535, got {port}"):
        getattr(package, kind)(Units.single(memory_unit()), ("127.0.0.1", port))


@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
@pytest.mark.parametrize("address", [502, None, ("127.0.0.1",), ("127.0.0.1", "502"), (502, "x")])
def test_a_wrong_address_is_refused_with_what_is_allowed(
    package: Package, kind: str, address: object
) -> None:
    with pytest.raises(ValueError, match=r"address must be \(host, port\)"):
        getattr(package, kind)(Units.single(memory_unit()), address)


@pytest.mark.parametrize("name", ["max_connections", "workers"])
def test_a_limit_of_zero_is_refused(package: Package, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 1, got 0"):
        package.TcpServer(Units.single(memory_unit()), LOOPBACK, **{name: 0})


def fill(client: RawClient) -> int:
    """Send requests without reading until the buffers are full; return the number of bytes."""
    client.socket.settimeout(0.5)
    requests = LONG * 100
    sent = 0
    with suppress(TimeoutError):
        while True:
            sent += client.socket.send(requests[sent % len(LONG) :])
    client.socket.settimeout(20.0)
    return sent


def test_a_peer_that_never_reads_costs_little_and_stalls_nobody(package: Package) -> None:
    class Small(package.TcpServer):  # type: ignore[misc, name-defined]
        def wrap_socket(self, accepted: socket.socket) -> socket.socket:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            return accepted

    with Small(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address, buffer=BUFFER) as greedy:
            with package.raw(server.address) as other:
                tracemalloc.start()
                try:
                    sent = fill(greedy)
                    _, peak = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                assert peak < 1 << 20, "the answers are kept without a limit"
                for _ in range(10):
                    other.ask(READ, READ_ANSWER)
                # When it finally reads, no response is missing.
                whole, part = divmod(sent, len(LONG))
                assert greedy.receive(whole * len(LONG_ANSWER)) == LONG_ANSWER * whole
                greedy.ask(LONG[part:], LONG_ANSWER)


def test_a_connection_takes_no_more_memory_the_more_it_is_used(package: Package) -> None:
    """Each request restarts the idle timeout, and with RTU the silent interval."""
    server = package.TcpServer(
        Units.single(memory_unit()), LOOPBACK, framing=RtuFraming, idle_timeout=3600
    )
    request, answer = rtu("0300050001"), rtu("03020005")
    with server, package.raw(server.address) as client:

        def ask(times: int) -> int:
            for _ in range(times):
                client.ask(request, answer)
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = ask(300)
            assert ask(1000) - before < 1000 * 32
        finally:
            tracemalloc.stop()


def test_a_peer_that_sends_byte_by_byte_gets_its_answer_and_stalls_nobody(
    package: Package,
) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address) as slow, package.raw(server.address) as other:
            slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in READ:
                slow.send(bytes((byte,)))
                other.ask(READ, READ_ANSWER)
            assert slow.receive(len(READ_ANSWER)) == READ_ANSWER


def test_300_connections_at_once_are_all_served(package: Package) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 700:
        pytest.skip(f"this system allows {soft} open files only")
    gone = Departures()
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, options=gone.options) as server:
        clients = [package.raw(server.address) for _ in range(300)]
        for _ in range(3):
            for number, client in enumerate(clients):
                client.send(tcp("0300050001", number))
            for number, client in enumerate(clients):
                assert client.receive(11) == tcp("03020005", number)
        for client in clients:
            client.close()
        package.wait_until(lambda: len(gone.peers) == 300)


@contextmanager
def no_descriptors_left() -> Iterator[list[int]]:
    """Take all file descriptors that this process may have; the block may close some of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    most = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most + 8, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield taken
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in taken:
            os.close(each)


@needs_proc
def test_without_file_descriptors_the_connection_that_is_idle_longest_makes_room(
    package: Package,
) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        clients = [package.raw(server.address) for _ in range(3)]
        for client in clients:
            client.ask(READ, READ_ANSWER)
        with no_descriptors_left() as taken:
            os.close(taken.pop())  # for the socket of the next one
            with package.raw(server.address) as late:
                late.ask(READ, READ_ANSWER)
        assert clients[0].is_closed()
        clients[-1].ask(READ, READ_ANSWER)
        for client in clients:
            client.close()


@needs_proc
def test_without_file_descriptors_the_server_pauses_and_goes_on(
    package: Package, caplog: pytest.LogCaptureFixture
) -> None:
    def complaints() -> int:
        return caplog.text.count("Too many open files")

    units, gate = package.gated_units()
    with package.TcpServer(units, LOOPBACK) as server, package.raw(server.address) as busy:
        busy.send(SLOW_READ)
        gate.wait_entered()
        with no_descriptors_left() as taken:
            os.close(taken.pop())
            begin = monotonic()
            late = package.raw(server.address)
            late.send(READ)
            package.wait_until(lambda: complaints() >= 2)
            assert complaints() <= 2 + (monotonic() - begin) / 0.05, "it tries without a pause"
        assert late.receive(len(READ_ANSWER)) == READ_ANSWER
        late.close()
        gate.opened.set()
        assert busy.receive(11) == SLOW_ANSWER


def test_a_layer_around_sockets_that_fails_harms_nobody(package: Package) -> None:
    class Picky(package.TcpServer):  # type: ignore[misc, name-defined]
        first = True

        def wrap_socket(self, accepted: socket.socket) -> socket.socket:
            if self.first:
                self.first = False
                raise ConnectionResetError("handshake failed")
            return accepted

    with Picky(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address) as refused:
            assert refused.is_closed()
        with package.raw(server.address) as served:
            served.ask(READ, READ_ANSWER)


def test_a_peer_that_goes_while_its_unit_is_asked_frees_its_place(package: Package) -> None:
    units, gate = package.gated_units()
    gone = Departures()
    with package.TcpServer(units, LOOPBACK, options=gone.options, max_connections=1) as server:
        client = package.raw(server.address)
        client.send(SLOW_READ)
        gate.wait_entered()
        client.cut()
        gate.opened.set()
        package.wait_until(lambda: gone.peers)
        with package.raw(server.address) as later:
            later.ask(READ, READ_ANSWER)


def test_noise_costs_only_the_connection_of_its_sender(
    package: Package, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address) as good:
            for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xff" * 4096):
                with package.raw(server.address) as bad:
                    bad.send(noise)
                    assert bad.is_closed()
                good.ask(READ, READ_ANSWER)
