"""Clients on sockets open and close their links, from and to the right addresses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from modwire import ConnectionLostError
from own_sockets import count_descriptors, needs_proc, socket_to
from packages import HOST, Package
from peers import PATIENCE, answer_reads, refusing_port, tcp_server, tcp_service, unix_server


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_refused_connection_is_a_connection_error(package: Package) -> None:
    with refusing_port() as port, pytest.raises(ConnectionLostError, match="refused"):
        package.TcpClient(HOST, port).read_holding_registers(0)


def test_a_server_that_is_back_is_found_again(package: Package) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        client = package.TcpClient(HOST, listener.getsockname()[1])
        with pytest.raises(ConnectionLostError):
            client.connect()
        listener.listen()
        client.connect()
        assert client.is_open
        listener.accept()[0].close()
    client.close()


def test_a_name_that_does_not_exist_is_a_connection_error(package: Package) -> None:
    with pytest.raises(ConnectionLostError, match=r"tcp://nowhere\.invalid:502: cannot be opened"):
        package.TcpClient("nowhere.invalid").connect()
    with pytest.raises(ConnectionLostError, match="cannot be opened"):
        package.TcpClient("a..b").connect()


def test_connecting_takes_no_longer_than_connect_timeout(package: Package) -> None:
    """A server with a full backlog neither accepts nor refuses connections."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex((HOST, port))
        with pytest.raises(ConnectionLostError, match="timed out"):
            package.TcpClient(HOST, port, connect_timeout=0.05).connect()
        for sock in fill:
            sock.close()


def test_close_and_with_and_a_call_after_it(package: Package) -> None:
    with tcp_server(answer_reads, answer_reads) as port:
        client = package.TcpClient(HOST, port, timeout=PATIENCE)
        assert not client.is_open
        assert repr(client) == f"<TcpClient tcp://127.0.0.1:{port}, closed>"
        with client:
            assert client.is_open
            assert client.read_holding_registers(1) == [1]
        assert not client.is_open
        client.close()
        assert client.read_holding_registers(2) == [2]
        client.close()


@needs_proc
def test_links_leave_no_descriptors(package: Package) -> None:
    with tcp_service(answer_reads) as port:
        client = package.TcpClient(HOST, port, timeout=PATIENCE)

        def read_and_close() -> None:
            assert client.read_holding_registers(1) == [1]
            client.close()

        for _ in range(10):
            read_and_close()
        before = count_descriptors()
        for _ in range(30):
            read_and_close()
        assert count_descriptors() <= before + 1  # the server may be closing its end


def test_a_host_name_has_all_its_addresses_tried(package: Package) -> None:
    """The first address of localhost may be ::1, where no server listens."""
    with (
        tcp_server(answer_reads) as port,
        package.TcpClient("localhost", port, timeout=PATIENCE) as client,
    ):
        assert client.read_holding_registers(8) == [8]


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(package: Package) -> None:
    with (
        tcp_server(answer_reads, host="::1") as port,
        package.TcpClient("::1", port, timeout=PATIENCE) as client,
    ):
        assert client.name == f"tcp://[::1]:{port}"
        assert client.read_holding_registers(8) == [8]


@needs_proc
def test_source_address_and_socket_options(package: Package) -> None:
    with (
        tcp_server(answer_reads) as port,
        package.TcpClient(HOST, port, source_address=("127.0.0.2", 0)),
        socket_to(port) as sock,
    ):
        assert sock.getsockname()[0] == "127.0.0.2"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_unix_socket(package: Package, tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    with unix_server(path, answer_reads), package.UnixClient(path, timeout=PATIENCE) as client:
        assert client.name == f"unix://{path}"
        assert client.read_holding_registers(8) == [8]
    with pytest.raises(ConnectionLostError):
        package.UnixClient(str(tmp_path / "none")).connect()
