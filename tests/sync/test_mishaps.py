"""Mistakes of users and malice of peers that once cost more than they should have."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from modwire import (
    AsciiFraming,
    ConnectionLostError,
    IllegalDataAddressError,
    InvalidRequestError,
    ReadHoldingRegistersResponse,
    Request,
    Response,
    SequentialBlock,
    ServerDeviceFailureError,
    Unit,
    Units,
)
from modwire_sync import SerialServer, TcpClient, TcpServer, UdpClient, UdpServer


def plain_unit() -> Unit:
    return Unit(
        coils=SequentialBlock(0, [False] * 10), holding_registers=SequentialBlock(0, [0] * 10)
    )


@pytest.fixture
def server() -> Iterator[TcpServer]:
    with TcpServer(Units({1: plain_unit(), 2: plain_unit()}), ("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def client(server: TcpServer) -> Iterator[TcpClient]:
    host, port = server.address
    with TcpClient(host, int(port), timeout=20) as client:
        yield client


def test_close_ends_a_read_that_waits_and_opens_nothing(client: TcpClient) -> None:
    client.read_coils(0)
    outcome: list[BaseException] = []
    is_sent = threading.Event()
    link = client._link
    assert link is not None
    send = link.send

    def send_and_tell(data: bytes) -> float:
        busy = send(data)
        is_sent.set()
        return busy

    link.send = send_and_tell  # type: ignore[method-assign]

    def read() -> None:
        try:
            client.read_coils(0, unit=9)
        except ConnectionLostError as error:
            outcome.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert is_sent.wait(5)
    client.close()
    thread.join(5)
    assert not thread.is_alive() and "was closed" in str(outcome[0])
    assert not client.is_open


@pytest.mark.parametrize(
    "argument",
    [{"unit": 1.0}, {"unit": "1"}, {"unit": -1}, {"timeout": 10**400}, {"timeout": "1"}],
)
def test_a_wrong_argument_costs_that_call_only(
    client: TcpClient, argument: dict[str, object]
) -> None:
    client.read_coils(0)
    with pytest.raises(ValueError, match="must be"):
        client.read_coils(0, **argument)  # type: ignore[arg-type]
    assert client.read_coils(0, timeout=1.0) == [False]


@pytest.mark.parametrize("argument", [{"unit": 300}, {"timeout": 0}])
def test_a_wrong_argument_is_told_before_a_link_is_opened(argument: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TcpClient("127.0.0.1", 1).read_coils(0, **argument)  # type: ignore[arg-type]


def test_an_error_keeps_nothing_alive(client: TcpClient) -> None:
    class Local:
        pass

    def fail() -> weakref.ref[Local]:
        local = Local()
        with pytest.raises(IllegalDataAddressError):
            client.read_coils(99)
        return weakref.ref(local)

    gc.collect()
    gc.disable()
    try:
        assert fail()() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("kind", ["signature", "raises", "str", "encode"])
def test_a_unit_that_fails_in_execute_answers_04_and_the_server_goes_on(
    blocking: bool, kind: str
) -> None:
    class Unsound(ReadHoldingRegistersResponse):
        def encode(self) -> bytes:
            return "abc"  # type: ignore[return-value]

    class Signature(Unit):
        def execute(self, request: Request[Response]) -> None:  # type: ignore[override]
            return None

    class Other(Unit):
        def execute(self, request: Request[Response], *, broadcast: bool = False) -> object:  # type: ignore[override]
            if kind == "raises":
                raise OSError("the sensor is gone")
            return "hello" if kind == "str" else Unsound([1])

    unit = (Signature if kind == "signature" else Other)(blocking=blocking)
    units = Units({1: unit, 2: plain_unit()})
    with TcpServer(units, ("127.0.0.1", 0)) as tcp, UdpServer(units, ("127.0.0.1", 0)) as udp:
        for kind_of_client, server in ((TcpClient, tcp), (UdpClient, udp)):
            host, port = server.address
            with kind_of_client(host, int(port), timeout=5) as client:
                with pytest.raises(ServerDeviceFailureError):
                    client.read_holding_registers(0)
                assert client.read_holding_registers(0, unit=2) == [0]


@pytest.mark.parametrize("values", [b"\x40\x60", {9, 3}, {5: 6}, "12", 5])
def test_what_is_no_list_of_registers_is_not_written(client: TcpClient, values: object) -> None:
    with pytest.raises(InvalidRequestError, match="must be a list of values, got"):
        client.write_registers(0, values)  # type: ignore[arg-type]
    assert client.read_holding_registers(0, 4) == [0, 0, 0, 0]
    client.write_registers(0, range(3))
    assert client.read_holding_registers(0, 3) == [0, 1, 2]


def test_a_server_that_was_shut_down_cannot_be_entered_again() -> None:
    server = TcpServer(Units({1: plain_unit()}), ("127.0.0.1", 0))
    with server:
        pass
    with pytest.raises(RuntimeError, match="make a new one"), server:
        pass


@pytest.mark.parametrize("idle_timeout", [30 * 86400.0, 1e300, float("inf")])
def test_a_server_may_let_connections_idle_for_ages(idle_timeout: float) -> None:
    with TcpServer(Units({1: plain_unit()}), ("127.0.0.1", 0), idle_timeout=idle_timeout) as server:
        host, port = server.address
        with TcpClient(host, int(port)) as client:
            assert client.read_coils(0) == [False]
            assert client.read_coils(0) == [False]


def test_one_udp_peer_cannot_change_the_delimiter_of_the_others() -> None:
    with UdpServer(Units({1: plain_unit()}), ("127.0.0.1", 0), framing=AsciiFraming) as server:
        host, port = server.address
        with UdpClient(host, int(port), framing=AsciiFraming) as client:
            client.change_ascii_input_delimiter("Z")
        with UdpClient(host, int(port), framing=AsciiFraming) as other:
            assert other.read_coils(0) == [False]


def test_a_host_name_that_is_none_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionLostError, match="cannot be opened"):
        TcpClient("a..b").read_coils(0)


@pytest.mark.parametrize("make", [TcpServer, UdpServer])
def test_a_framing_is_a_class(make: type) -> None:
    with pytest.raises(TypeError, match="framing must be a class such as RtuFraming, got 'rtu'"):
        make(Units({1: plain_unit()}), ("127.0.0.1", 0), framing="rtu")
    with pytest.raises(TypeError, match="units must map unit ids to units"):
        Units([plain_unit()])  # type: ignore[arg-type]
    assert SerialServer  # opened lazily, so nothing is told before it serves
