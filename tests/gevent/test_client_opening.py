"""How a link is opened, shared by those who wait for it, and closed."""

from __future__ import annotations

import os
import socket
import threading

import gevent
import pytest
from gevent.event import Event

from gevent_peers import HOST, SHORT, green_server
from modwire.errors import ConnectionLostError
from modwire_gevent import TcpClient
from modwire_gevent.links import Link, SocketLink
from peers import PATIENCE, answer_reads, free_port, tcp_server


def test_nobody_listens_and_the_next_tries_keep_their_distance() -> None:
    client = TcpClient(HOST, free_port())
    for _ in range(2):  # the second try comes at once
        with pytest.raises(ConnectionLostError, match="refused"):
            client.read_holding_registers(0)
    with pytest.raises(ConnectionLostError, match=r"refused; the next try is in 0\.[01] s"):
        client.read_holding_registers(0, timeout=0.01)
    with pytest.raises(ConnectionLostError, match=r"refused$"):  # waits and tries
        client.read_holding_registers(0, timeout=1.0)


def test_a_name_that_does_not_exist_is_a_connection_error() -> None:
    with pytest.raises(ConnectionLostError, match=r"tcp://nowhere\.invalid:502: cannot be opened"):
        TcpClient("nowhere.invalid").connect()
    with pytest.raises(ConnectionLostError, match="cannot be opened"):
        TcpClient("a..b").connect()


def test_a_dead_server_is_not_waited_for_longer_than_said() -> None:
    """A peer whose backlog is full neither accepts nor refuses."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex((HOST, port))
        with pytest.raises(ConnectionLostError, match="timed out"):
            TcpClient(HOST, port, connect_timeout=SHORT).connect()
        for sock in fill:
            sock.close()


def test_close_and_with_and_a_call_after_it() -> None:
    with tcp_server(answer_reads, answer_reads) as port:
        client = TcpClient(HOST, port)
        assert not client.is_open
        assert repr(client) == f"<TcpClient tcp://127.0.0.1:{port}, closed>"
        with client:
            assert client.is_open
            assert client.read_holding_registers(1) == [1]
        assert not client.is_open
        client.close()
        assert client.read_holding_registers(2) == [2]
        client.close()


def test_a_link_that_does_not_open_ends_with_its_own_error() -> None:
    class Unsound(TcpClient):
        def _open_link(self) -> SocketLink:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Unsound(HOST).read_coils(0)


def test_a_client_is_for_one_thread() -> None:
    faults: list[object] = []

    def other_thread() -> None:
        for use in (lambda: client.read_holding_registers(1), client.close):
            try:
                use()
            except RuntimeError as error:
                faults.append(str(error))

    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(1)
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join(PATIENCE)
        assert len(faults) == 2
        assert all("opened in another thread" in str(fault) for fault in faults)
        assert client.read_holding_registers(2) == [2]


def test_ipv6_and_names_with_several_addresses() -> None:
    with tcp_server(answer_reads) as port, TcpClient("localhost", port) as client:
        assert client.read_holding_registers(8) == [8]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no ::1 here, so IPv6 was not tried: {error}")
    with tcp_server(answer_reads, host="::1") as port, TcpClient("::1", port) as client:
        assert client.name == f"tcp://[::1]:{port}"
        assert client.read_holding_registers(8) == [8]


def test_source_address_and_socket_options() -> None:
    with (
        tcp_server(answer_reads) as port,
        TcpClient(HOST, port, source_address=("127.0.0.2", 0)) as client,
    ):
        link = client._link
        assert isinstance(link, SocketLink)
        sock = link._sock
        assert sock.getsockname()[0] == "127.0.0.2"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts in /proc")
def test_links_leave_no_descriptors() -> None:
    with tcp_server(*[answer_reads] * 60) as port:
        client = TcpClient(HOST, port)
        counts: list[int] = []
        for _ in range(60):
            assert client.read_holding_registers(1) == [1]
            client.close()
            counts.append(len(os.listdir("/proc/self/fd")))
        assert max(counts[10:]) <= max(counts[:10]) + 1  # the server may be closing its end


def test_one_of_those_who_wait_is_killed() -> None:
    begun, go = Event(), Event()

    class Slow(TcpClient):
        def _open_link(self) -> Link:
            begun.set()
            assert go.wait(PATIENCE)
            return super()._open_link()

    with green_server(answer_reads) as port:
        client = Slow(HOST, port)
        callers = [gevent.spawn(client.read_holding_registers, n) for n in range(3)]
        assert begun.wait(PATIENCE)
        callers[0].kill(timeout=PATIENCE)
        go.set()
        assert [caller.get(timeout=PATIENCE) for caller in callers[1:]] == [[1], [2]]
        client.close()


def test_all_of_those_who_wait_are_killed() -> None:
    """The attempt ends with them, and leaves nothing behind."""
    begun, ended, go = Event(), Event(), Event()

    class Slow(TcpClient):
        def _open_link(self) -> Link:
            begun.set()
            try:
                assert go.wait(PATIENCE)
            finally:
                ended.set()
            return super()._open_link()

    with green_server(answer_reads) as port:
        client = Slow(HOST, port)
        callers = [gevent.spawn(client.read_holding_registers, n) for n in range(3)]
        assert begun.wait(PATIENCE)
        gevent.killall(callers)
        assert ended.wait(PATIENCE) and not client.is_open
        go.set()
        assert client.read_holding_registers(5) == [5]
        client.close()


def test_a_timeout_of_the_callers_comes_out_as_it_is() -> None:
    """It is not taken for a failure to connect, whatever it raises."""

    class Slow(TcpClient):
        def _open_link(self) -> Link:
            Event().wait(PATIENCE)
            raise AssertionError("nobody waits any more")

    error = TimeoutError("mine")
    with pytest.raises(TimeoutError) as caught, gevent.Timeout(0.02, error):
        Slow(HOST, free_port()).connect()
    assert caught.value is error
