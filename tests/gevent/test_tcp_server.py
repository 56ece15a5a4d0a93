"""gevent's `TcpServer`: what a client on a socket gets, whoever else is connected."""

# ruff: noqa: SIM117 - a server, and in it those who talk to it

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
import pytest

from modwire import (
    AsciiFraming,
    Decoder,
    ReadHoldingRegistersRequest,
    Response,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
)
from modwire_gevent import TcpServer
from modwire_gevent.servers import addresses
from serve_peers import (
    LOOPBACK,
    READ,
    READ_ANSWER,
    RawClient,
    gated_units,
    memory_unit,
    rtu,
    tcp,
    wait_until,
)

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest


@pytest.mark.parametrize(
    ("request_pdu", "answer"),
    [
        ("0300050001", "03020005"),
        ("0500011234", "8503"),
        ("0f000007b1f7" + "00" * 247, "8f03"),
        ("100001000203000a01", "9003"),
        ("03ffff0002", "8302"),
        ("1700000001000000010263ff", "170263ff"),
    ],
    ids=[
        "read",
        "FC5 with 0x1234",
        "FC15 of 1969 coils",
        "byte count mismatch",
        "FC3 at 65535 of 2",
        "FC23 writes before it reads",
    ],
)
def test_a_request_gets_the_answer_of_the_specification(request_pdu: str, answer: str) -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.ask(tcp(request_pdu), tcp(answer))
            client.ask(READ, READ_ANSWER)


def test_pipelined_requests_are_answered_in_order() -> None:
    requests = [tcp(f"03{address:04x}0001", transaction=address + 7) for address in range(16)]
    answers = [tcp(f"0302{address:04x}", transaction=address + 7) for address in range(16)]
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.ask(b"".join(requests[:3]), b"".join(answers[:3]))
            client.ask(b"".join(requests), b"".join(answers))


def test_order_is_kept_where_a_unit_that_blocks_stands_between_others() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK) as server, RawClient(server.address) as client:
        client.send(READ + tcp("0300000001", 2, unit=2) + tcp("0300060001", 3))
        assert client.receive(len(READ_ANSWER)) == READ_ANSWER
        gate.wait_entered()
        client.send(tcp("0300070001", 4))
        gate.opened.set()
        rest = tcp("03024711", 2, unit=2) + tcp("03020006", 3) + tcp("03020007", 4)
        assert client.receive(len(rest)) == rest


def test_a_unit_that_blocks_stalls_nobody_else() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK, workers=1) as server:
        with RawClient(server.address) as slow, RawClient(server.address) as other:
            slow.send(tcp("0300000001", unit=2))
            gate.wait_entered()
            for _ in range(10):
                other.ask(READ, READ_ANSWER)
            gate.opened.set()
            assert slow.receive(11) == tcp("03024711", unit=2)


def test_more_calls_than_workers_are_all_answered() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK, workers=2) as server:
        clients = [RawClient(server.address) for _ in range(10)]
        for client in clients:
            client.send(tcp("0300000001", unit=2))
        gate.wait_entered()
        gate.opened.set()
        for client in clients:
            assert client.receive(11) == tcp("03024711", unit=2)
            client.close()


def test_a_wrong_protocol_id_ends_that_connection_and_no_other() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as good, RawClient(server.address) as bad:
            good.ask(READ, READ_ANSWER)
            bad.ask(READ, READ_ANSWER)
            bad.send(READ + bytes.fromhex("000200010006010300000001"))
            assert bad.receive(len(READ_ANSWER)) == READ_ANSWER, "what came before is answered"
            assert bad.is_closed()
            good.ask(READ, READ_ANSWER)
            with RawClient(server.address) as later:
                later.ask(READ, READ_ANSWER)


@pytest.mark.parametrize("length", ["0000", "0001", "00ff", "ffff"])
def test_a_wrong_length_ends_the_connection(length: str) -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.send(bytes.fromhex(f"00010000{length}0103"))
            assert client.is_closed()


def test_a_client_that_shuts_down_its_sending_side_gets_its_answers() -> None:
    units, gate = gated_units()
    with TcpServer(units, LOOPBACK) as server, RawClient(server.address) as client:
        client.send(tcp("0300000001", unit=2))
        client.socket.shutdown(socket.SHUT_WR)
        gate.wait_entered()
        gate.opened.set()
        assert client.receive(11) == tcp("03024711", unit=2)
        assert client.is_closed()


def test_a_unit_that_is_not_there_stays_silent() -> None:
    with TcpServer(Units({1: memory_unit(), 3: memory_unit()}), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.ask(tcp("0300050001", unit=9) + READ, READ_ANSWER)


def test_a_unit_with_a_bug_answers_04_and_its_error_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(SequentialBlock):
        def read(self, address: int, count: int) -> list[int]:
            raise ZeroDivisionError("a bug of the user's")

    units = Units.single(Unit(holding_registers=Broken(0, [0] * 10)))
    seen: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: seen.append(error))
    with TcpServer(units, LOOPBACK, options=options) as server:
        with RawClient(server.address) as client:
            client.ask(READ, tcp("8304"))
            client.ask(READ, tcp("8304"))
    assert [type(error) for error in seen] == [ZeroDivisionError] * 2
    assert "a bug of the user's" in caplog.text


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, gevent.Timeout])
def test_what_ends_a_program_ends_no_server_from_a_worker(
    ending: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Quitter(SequentialBlock):
        def read(self, address: int, count: int) -> list[int]:
            raise ending("from a worker")

    quitter = Unit(holding_registers=Quitter(0, [0] * 10), blocking=True)
    with TcpServer(Units({1: memory_unit(), 2: quitter}), LOOPBACK) as server:
        with RawClient(server.address) as client:
            for _ in range(3):
                client.ask(tcp("0300050001", unit=2), tcp("8304", unit=2))
                client.ask(READ, READ_ANSWER)
    assert "from a worker" in caplog.text


def test_an_async_unit_is_refused_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    class Waiting(Unit):
        async def execute(  # type: ignore[override]
            self, request: AnyRequest, *, broadcast: bool = False
        ) -> Response | None:
            return None

    with TcpServer(Units.single(Waiting()), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.ask(READ, tcp("8304"))
    assert "only async servers can await it" in caplog.text


def test_hooks_see_peer_request_and_response_and_their_bugs_harm_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[tuple[object, AnyRequest, Response | None]] = []

    def on_call(peer: object, request: AnyRequest, response: Response | None) -> None:
        seen.append((peer, request, response))
        raise RuntimeError("a bug in the hook")

    with TcpServer(Units.single(memory_unit()), LOOPBACK, on_call=on_call) as server:
        with RawClient(server.address) as client:
            client.ask(READ, READ_ANSWER)
            client.ask(READ, READ_ANSWER)
            peer, request, _ = seen[0]
            assert peer == client.socket.getsockname()
            assert request == ReadHoldingRegistersRequest(5, 1)
    assert len(seen) == 2
    assert "a bug in the hook" in caplog.text


def test_what_is_not_authorized_gets_01_and_a_bug_in_the_hook_gets_04() -> None:
    def authorize(peer: object, role: str | None, unit: int, request: AnyRequest) -> bool:
        if unit == 2:
            raise RuntimeError("a bug in the hook")
        return not request.is_write

    with TcpServer(Units.single(memory_unit()), LOOPBACK, authorize=authorize) as server:
        with RawClient(server.address) as client:
            client.ask(tcp("060005ffff"), tcp("8601"))
            client.ask(tcp("060005ffff", unit=2), tcp("8604", unit=2))
            client.ask(READ, READ_ANSWER)


def test_rtu_and_ascii_frames_come_over_tcp_too() -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK, framing=RtuFraming) as server:
        with RawClient(server.address) as client:
            client.ask(rtu("0300050001"), rtu("03020005"))
            for byte in rtu("0300050001"):
                client.send(bytes((byte,)))
            assert client.receive(7) == rtu("03020005")
            # Without a length of its own, it ends by silence.
            client.ask(rtu("080000a537"), rtu("080000a537"))
    with TcpServer(units, LOOPBACK, framing=AsciiFraming) as server:
        with RawClient(server.address) as client:
            wrap = AsciiFraming(Decoder(), is_server=True).wrap
            client.ask(
                wrap(1, 0, bytes.fromhex("0300050001")), wrap(1, 0, bytes.fromhex("03020005"))
            )


# Addresses.


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
def test_ipv6() -> None:
    seen: list[object] = []
    units = Units.single(memory_unit())
    with TcpServer(units, ("::1", 0), on_call=lambda peer, *_: seen.append(peer)) as server:
        assert server.address[0] == "::1"
        with RawClient(server.address) as client:
            client.ask(READ, READ_ANSWER)
            assert seen == [client.socket.getsockname()[:2]]


@needs_ipv6
def test_an_empty_host_is_every_address_of_both_kinds() -> None:
    seen: list[object] = []
    units = Units.single(memory_unit())
    with TcpServer(units, ("", 0), on_call=lambda peer, *_: seen.append(peer)) as server:
        port = server.address[1]
        for host in ("127.0.0.1", "::1"):
            with RawClient((host, int(port))) as client:
                client.ask(READ, READ_ANSWER)
                assert seen.pop() == client.socket.getsockname()[:2]


@needs_ipv6
def test_one_kind_of_any_address_leaves_the_other_kind_free() -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, ("::", 0)) as six:
        with TcpServer(units, ("0.0.0.0", int(six.address[1]))) as four:
            assert six.address[1] == four.address[1]


def test_a_name_is_every_address_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.77", 0)),  # not of this machine
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(addresses, "getaddrinfo", lambda *_, **__: found)
        server = TcpServer(Units.single(memory_unit()), ("meter.example", 0))
    with server:
        for host in ("127.0.0.1", "127.0.0.2"):
            with RawClient((host, int(server.address[1]))) as client:
                client.ask(READ, READ_ANSWER)


def test_a_port_in_use_is_told_by_name() -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK) as server:
        with pytest.raises(OSError, match=rf"127\.0\.0\.1 port {server.address[1]}") as caught:
            TcpServer(units, (str(server.address[0]), int(server.address[1])))
        assert caught.value.errno == errno.EADDRINUSE


def test_a_server_can_be_started_again_at_once_on_its_port() -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK) as server, RawClient(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()  # its side closes first, and is left in TIME_WAIT
        assert client.is_closed()
        client.close()
        address = (str(server.address[0]), int(server.address[1]))
        with TcpServer(units, address) as again, RawClient(again.address) as later:
            later.ask(READ, READ_ANSWER)


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system cannot share ports")
def test_reuse_port_lets_two_servers_share_a_port() -> None:
    units = Units.single(memory_unit())
    with TcpServer(units, LOOPBACK, reuse_port=True) as one:
        address = (str(one.address[0]), int(one.address[1]))
        with TcpServer(units, address, reuse_port=True) as two:
            assert one.address == two.address


def test_accepted_sockets_send_at_once_and_notice_dead_peers() -> None:
    accepted: list[tuple[int, int]] = []

    class Watching(TcpServer):
        def wrap_socket(self, accepted_socket: socket.socket) -> socket.socket:
            get = accepted_socket.getsockopt
            accepted.append(
                (
                    get(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                    get(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                )
            )
            return accepted_socket

    with Watching(Units.single(memory_unit()), LOOPBACK) as server:
        with RawClient(server.address) as client:
            client.ask(READ, READ_ANSWER)
    assert all(accepted[0])


# Unix sockets.


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    seen: list[object] = []
    units = Units.single(memory_unit())
    with TcpServer(
        units, path, allow=["10.0.0.0/8"], on_call=lambda peer, *_: seen.append(peer)
    ) as server:
        assert server.address == path
        with RawClient(path) as client:
            client.ask(READ, READ_ANSWER)
    assert seen == [path]
    assert not os.path.exists(path), "a server takes its file away"


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with TcpServer(Units.single(memory_unit()), path), RawClient(path) as client:
        client.ask(READ, READ_ANSWER)


def test_a_unix_socket_in_use_and_a_file_that_is_none_are_left_alone(tmp_path: Path) -> None:
    units = Units.single(memory_unit())
    path = str(tmp_path / "modwire.sock")
    with TcpServer(units, path):
        with pytest.raises(OSError, match=r"modwire\.sock"):
            TcpServer(units, path)
        with RawClient(path) as client:
            client.ask(READ, READ_ANSWER)
    file = tmp_path / "notes.txt"
    file.write_text("dear diary")
    with pytest.raises(OSError, match=r"notes\.txt"):
        TcpServer(units, str(file))
    assert file.read_text() == "dear diary"


def test_a_server_leaves_the_file_of_its_successor(tmp_path: Path) -> None:
    units = Units.single(memory_unit())
    path = str(tmp_path / "modwire.sock")
    with TcpServer(units, path):
        os.unlink(path)
        successor = TcpServer(units, path)
    with successor, RawClient(path) as client:
        client.ask(READ, READ_ANSWER)
        assert stat.S_ISSOCK(os.stat(path).st_mode)


def test_connections_that_are_reset_are_forgotten() -> None:
    with TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        client = RawClient(server.address)
        client.ask(READ, READ_ANSWER)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        wait_until(lambda: not server._connections)
        with RawClient(server.address) as later:
            later.ask(READ, READ_ANSWER)
