"""`TcpServer`: responses to a client, also while other clients are connected."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modwire import (
    AsciiFraming,
    Decoder,
    ReadHoldingRegistersResponse,
    Request,
    Response,
    RtuFraming,
    SequentialBlock,
    ServerDeviceFailureError,
    ServerOptions,
    Unit,
    Units,
)
from packages import LOOPBACK, Package
from server_peers import PATIENCE, READ, READ_ANSWER, memory_unit, rtu, tcp

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
def test_a_request_gets_the_answer_of_the_specification(
    package: Package, request_pdu: str, answer: str
) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address) as client:
            client.ask(tcp(request_pdu), tcp(answer))
            client.ask(READ, READ_ANSWER)


def test_a_wrong_protocol_id_ends_that_connection_and_no_other(package: Package) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address) as good, package.raw(server.address) as bad:
            good.ask(READ, READ_ANSWER)
            bad.ask(READ, READ_ANSWER)
            bad.send(READ + bytes.fromhex("000200010006010300000001"))
            assert bad.receive(len(READ_ANSWER)) == READ_ANSWER, "what came before is answered"
            assert bad.is_closed()
            good.ask(READ, READ_ANSWER)
            with package.raw(server.address) as later:
                later.ask(READ, READ_ANSWER)


@pytest.mark.parametrize("length", ["0000", "0001", "00ff", "ffff"])
def test_a_wrong_length_ends_the_connection(package: Package, length: str) -> None:
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK) as server:
        with package.raw(server.address) as client:
            client.send(bytes.fromhex(f"00010000{length}0103"))
            assert client.is_closed()


def test_a_unit_with_a_bug_answers_04_and_its_error_is_logged(
    package: Package,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(SequentialBlock):
        def read(self, address: int, count: int) -> list[int]:
            raise ZeroDivisionError("a bug of the user's")

    units = Units.single(Unit(holding_registers=Broken(0, [0] * 10)))
    seen: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: seen.append(error))
    with package.TcpServer(units, LOOPBACK, options=options) as server:
        with package.raw(server.address) as client:
            client.ask(READ, tcp("8304"))
            client.ask(READ, tcp("8304"))
    assert [type(error) for error in seen] == [ZeroDivisionError] * 2
    assert "a bug of the user's" in caplog.text


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("kind", ["signature", "raises", "str", "encode"])
def test_a_unit_that_fails_in_execute_answers_04_and_the_server_goes_on(
    package: Package, blocking: bool, kind: str
) -> None:
    class Unsound(ReadHoldingRegistersResponse):
        def encode(self) -> bytes:
            return "abc"  # type: ignore[return-value]

    class Signature(Unit):
        def execute(self, request: Request[Response]) -> None:  # type: ignore[override]
            return None

    class Other(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> object:  # type: ignore[override]
            if kind == "raises":
                raise OSError("the sensor is gone")
            return "hello" if kind == "str" else Unsound([1])

    unit = (Signature if kind == "signature" else Other)(blocking=blocking)
    units = Units({1: unit, 2: memory_unit()})
    with package.TcpServer(units, LOOPBACK) as tcp, package.UdpServer(units, LOOPBACK) as udp:
        for kind_of_client, server in ((package.TcpClient, tcp), (package.UdpClient, udp)):
            with kind_of_client(*server.address, timeout=PATIENCE) as client:
                with pytest.raises(ServerDeviceFailureError):
                    client.read_holding_registers(0)
                assert client.read_holding_registers(7, unit=2) == [7]


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_an_error_that_ends_programs_ends_no_server_if_a_unit_in_a_thread_raises_it(
    package: Package, ending: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Quitter(SequentialBlock):
        def read(self, address: int, count: int) -> list[int]:
            raise ending("from a worker")

    quitter = Unit(holding_registers=Quitter(0, [0] * 10), blocking=True)
    with package.TcpServer(Units({1: memory_unit(), 2: quitter}), LOOPBACK) as server:
        with package.raw(server.address) as client:
            for _ in range(3):
                client.ask(tcp("0300050001", unit=2), tcp("8304", unit=2))
                client.ask(READ, READ_ANSWER)
    assert "from a worker" in caplog.text


def test_an_async_unit_is_refused_with_a_reason(
    package: Package, caplog: pytest.LogCaptureFixture
) -> None:
    class Waiting(Unit):
        async def execute(  # type: ignore[override]
            self, request: AnyRequest, *, broadcast: bool = False
        ) -> Response | None:
            return None

    with package.TcpServer(Units.single(Waiting()), LOOPBACK) as server:
        with package.raw(server.address) as client:
            client.ask(READ, tcp("8304"))
    assert "only async servers can await it" in caplog.text


def test_units_with_a_bug_end_that_connection_only(
    package: Package, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(Units):
        def for_tcp(self, unit_id: int) -> Unit | None:
            if unit_id == 7:
                raise ZeroDivisionError("a bug of the user's")
            return super().for_tcp(unit_id)

    with package.TcpServer(Odd({1: memory_unit()}), LOOPBACK) as server:
        with package.raw(server.address) as bad, package.raw(server.address) as good:
            bad.send(tcp("0300050001", unit=7))
            assert bad.is_closed()
            good.ask(READ, READ_ANSWER)
    assert "a bug of the user's" in caplog.text


def test_rtu_and_ascii_frames_come_over_tcp_too(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, framing=RtuFraming, idle_timeout=PATIENCE) as server:
        with package.raw(server.address) as client:
            client.ask(rtu("0300050001"), rtu("03020005"))
            for byte in rtu("0300050001"):
                client.send(bytes((byte,)))
            assert client.receive(7) == rtu("03020005")
            # The frame has no known length, so the silent interval ends it.
            client.ask(rtu("080000a537"), rtu("080000a537"))
    with package.TcpServer(units, LOOPBACK, framing=AsciiFraming) as server:
        with package.raw(server.address) as client:
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
def test_ipv6(package: Package) -> None:
    seen: list[object] = []
    units = Units.single(memory_unit())
    with package.TcpServer(units, ("::1", 0), on_call=lambda peer, *_: seen.append(peer)) as server:
        assert server.address[0] == "::1"
        with package.raw(server.address) as client:
            client.ask(READ, READ_ANSWER)
            assert seen == [client.socket.getsockname()[:2]]


@needs_ipv6
def test_an_empty_host_is_every_address_of_both_kinds(package: Package) -> None:
    seen: list[object] = []
    units = Units.single(memory_unit())
    with package.TcpServer(units, ("", 0), on_call=lambda peer, *_: seen.append(peer)) as server:
        port = server.address[1]
        for host in ("127.0.0.1", "::1"):
            with package.raw((host, int(port))) as client:
                client.ask(READ, READ_ANSWER)
                assert seen.pop() == client.socket.getsockname()[:2]


@needs_ipv6
def test_one_kind_of_any_address_leaves_the_other_kind_free(package: Package) -> None:
    units = Units.single(memory_unit())
    for _ in range(50):
        with package.TcpServer(units, ("::", 0)) as six, suppress(OSError):
            with package.TcpServer(units, ("0.0.0.0", int(six.address[1]))) as four:
                assert six.address[1] == four.address[1]
                return
    pytest.fail("another process cannot have taken each of these ports")


def test_a_name_is_every_address_that_it_has(package: Package) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.77", 0)),  # not of this machine
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
    ]
    with package.resolver(found):
        server = package.TcpServer(Units.single(memory_unit()), ("meter.example", 0))
    with server:
        for host in ("127.0.0.1", "127.0.0.2"):
            with package.raw((host, int(server.address[1]))) as client:
                client.ask(READ, READ_ANSWER)


def test_a_port_in_use_is_told_by_name(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK) as server:
        with pytest.raises(OSError, match=rf"127\.0\.0\.1 port {server.address[1]}") as caught:
            package.TcpServer(units, (str(server.address[0]), int(server.address[1])))
        assert caught.value.errno == errno.EADDRINUSE


def test_a_server_can_be_started_again_at_once_on_its_port(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK) as server, package.raw(server.address) as client:
        client.ask(READ, READ_ANSWER)
        server.shutdown()  # its side closes first, and stays in TIME_WAIT
        assert client.is_closed()
        client.close()
        address = (str(server.address[0]), int(server.address[1]))
        with package.TcpServer(units, address) as again, package.raw(again.address) as later:
            later.ask(READ, READ_ANSWER)


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system cannot share ports")
def test_reuse_port_lets_two_servers_share_a_port(package: Package) -> None:
    units = Units.single(memory_unit())
    with package.TcpServer(units, LOOPBACK, reuse_port=True) as one:
        address = (str(one.address[0]), int(one.address[1]))
        with package.TcpServer(units, address, reuse_port=True) as two:
            assert one.address == two.address


def test_accepted_sockets_send_at_once_and_notice_dead_peers(package: Package) -> None:
    accepted: list[tuple[int, int]] = []

    class Watching(package.TcpServer):  # type: ignore[misc, name-defined]
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
        with package.raw(server.address) as client:
            client.ask(READ, READ_ANSWER)
    assert all(accepted[0])


# Unix sockets.


def test_unix_socket(package: Package, tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    seen: list[object] = []
    units = Units.single(memory_unit())
    with package.TcpServer(
        units, path, allow=["10.0.0.0/8"], on_call=lambda peer, *_: seen.append(peer)
    ) as server:
        assert server.address == path
        with package.raw(path) as client:
            client.ask(READ, READ_ANSWER)
    assert seen == [path]
    assert not os.path.exists(path), "a server takes its file away"


def test_a_stale_unix_socket_is_replaced(package: Package, tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with package.TcpServer(Units.single(memory_unit()), path), package.raw(path) as client:
        client.ask(READ, READ_ANSWER)


def test_a_unix_socket_in_use_and_a_file_that_is_none_are_left_alone(
    package: Package, tmp_path: Path
) -> None:
    units = Units.single(memory_unit())
    path = str(tmp_path / "modwire.sock")
    with package.TcpServer(units, path):
        with pytest.raises(OSError, match=r"modwire\.sock"):
            package.TcpServer(units, path)
        with package.raw(path) as client:
            client.ask(READ, READ_ANSWER)
    file = tmp_path / "notes.txt"
    file.write_text("dear diary")
    with pytest.raises(OSError, match=r"notes\.txt"):
        package.TcpServer(units, str(file))
    assert file.read_text() == "dear diary"


def test_a_server_leaves_the_file_of_its_successor(package: Package, tmp_path: Path) -> None:
    units = Units.single(memory_unit())
    path = str(tmp_path / "modwire.sock")
    with package.TcpServer(units, path):
        os.unlink(path)
        successor = package.TcpServer(units, path)
    with successor, package.raw(path) as client:
        client.ask(READ, READ_ANSWER)
        assert stat.S_ISSOCK(os.stat(path).st_mode)


def test_connections_that_are_reset_are_forgotten(package: Package) -> None:
    gone: list[object] = []
    options = ServerOptions(on_disconnect=lambda protocol: gone.append(protocol.peer))
    with package.TcpServer(Units.single(memory_unit()), LOOPBACK, options=options) as server:
        client = package.raw(server.address)
        client.ask(READ, READ_ANSWER)
        peer = client.socket.getsockname()
        client.cut()
        package.wait_until(lambda: gone == [peer])
        with package.raw(server.address) as later:
            later.ask(READ, READ_ANSWER)
