"""`connect` makes the right client for each endpoint; `RemoteUnit` passes requests on."""

from __future__ import annotations

from typing import TypeVar

import pytest

from modwire import (
    BlockingCalls,
    ConnectionLostError,
    Endpoint,
    ExceptionResponse,
    FrameError,
    IllegalDataAddressError,
    InvalidResponseError,
    ModbusError,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    Request,
    Response,
    ResponseTimeoutError,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from packages import HOST, Package
from peers import (
    PATIENCE,
    PtyPeer,
    SocketPeer,
    answer_reads,
    mbap,
    refusing_port,
    registers,
    rtu,
    serial_line,
    tcp_server,
)

ResponseT = TypeVar("ResponseT", bound=Response)
READ = ReadHoldingRegistersRequest(3)
WRITE = WriteSingleRegisterRequest(1, 2)


@pytest.mark.parametrize(
    ("endpoint", "kind", "name"),
    [
        ("tcp://192.0.2.1", "TcpClient", "tcp://192.0.2.1:502"),
        ("tcp://[2001:db8::1]:1502", "TcpClient", "tcp://[2001:db8::1]:1502"),
        ("rtu+tcp://meter:8899", "TcpClient", "rtu+tcp://meter:8899"),
        ("udp://192.0.2.1", "UdpClient", "udp://192.0.2.1:502"),
        ("rtu+udp://192.0.2.1", "UdpClient", "rtu+udp://192.0.2.1:502"),
        ("unix:///run/modwire.sock", "UnixClient", "unix:///run/modwire.sock"),
        ("rtu:///dev/ttyUSB0?baudrate=9600", "SerialClient", "rtu:///dev/ttyUSB0"),
        ("ascii:///dev/ttyS0", "SerialClient", "ascii:///dev/ttyS0"),
        ("binary:///dev/ttyS0", "SerialClient", "binary:///dev/ttyS0"),
    ],
)
def test_each_endpoint_has_its_client(
    package: Package, endpoint: str, kind: str, name: str
) -> None:
    for client in (package.connect(endpoint), package.connect(Endpoint.parse(endpoint))):
        assert type(client) is getattr(package, kind)
        assert client.name == name
        assert not client.is_open


@pytest.mark.parametrize("endpoint", ["tcp://192.0.2.1", "unix:///x", "rtu:///dev/ttyS0"])
def test_the_client_has_the_options_of_the_endpoint(package: Package, endpoint: str) -> None:
    options = package.connect(f"{endpoint}?unit=5&timeout=2.5&retries=3").options
    assert (options.unit, options.response_timeout, options.retries) == (5, 2.5, 3)


def test_a_wrong_endpoint_is_refused(package: Package) -> None:
    with pytest.raises(ValueError, match="scheme"):
        package.connect("http://192.0.2.1")
    with pytest.raises(ValueError, match="a server cannot be verified without ca, the file of"):
        package.connect("tls://192.0.2.1")


def test_connected_clients(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(9, registers(5)))

    with (
        tcp_server(answer_reads) as port,
        package.connect(f"tcp://{HOST}:{port}?timeout=20") as client,
    ):
        assert client.read_holding_registers(3) == [3]
    with serial_line(script) as path, package.connect(f"rtu://{path}?unit=9&timeout=20") as client:
        assert client.read_holding_registers(0) == [5]


# A remote unit.


class FailingClient(BlockingCalls):
    """Raises `error`; `asked` records the unit and the timeout of each call."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.asked: list[tuple[int | None, float | None]] = []

    def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        self.asked.append((unit, timeout))
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IllegalDataAddressError(), 2),
        (ResponseTimeoutError(), 11),
        (InvalidResponseError(), 11),
        (FrameError(""), 11),
        (ConnectionLostError(), 10),
    ],
)
def test_errors_become_the_exceptions_of_a_gateway(
    package: Package, error: ModbusError, code: int
) -> None:
    client = FailingClient(error)
    response = package.RemoteUnit(client, 17, timeout=0.5).execute(READ)
    assert response == ExceptionResponse(3, code)
    assert response.cause is error
    assert client.asked == [(17, 0.5)]


def test_a_broadcast_is_sent_if_it_writes_and_never_answered(package: Package) -> None:
    client = FailingClient(ResponseTimeoutError())
    remote = package.RemoteUnit(client, 17)
    assert remote.execute(READ, broadcast=True) is None
    assert remote.execute(WRITE, broadcast=True) is None
    assert client.asked == [(17, None)]


def test_a_remote_unit_passes_everything_on(package: Package) -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        assert request[6] == 17
        peer.send(mbap(request, request[7:]))
        peer.send(mbap(peer.request(), b"\x83\x02"))
        answer_reads(peer)

    with tcp_server(script) as port, package.TcpClient(HOST, port, timeout=PATIENCE) as client:
        remote = package.RemoteUnit(client, 17)
        assert remote.execute(WRITE) == WriteSingleRegisterResponse(1, 2)
        assert remote.execute(READ) == ExceptionResponse(3, 2)
        assert remote.execute(READ) == ReadHoldingRegistersResponse([3])


def test_without_a_link_or_an_answer_a_remote_unit_answers_0a_or_0b(package: Package) -> None:
    def silent(peer: SocketPeer) -> None:
        assert peer.request(24)[19] == 6, "a read that is broadcast is not sent"
        peer.expect_end()

    with refusing_port() as port:
        remote = package.RemoteUnit(package.TcpClient(HOST, port), 1)
        assert remote.execute(READ) == ExceptionResponse(3, 10)
        assert remote.execute(WRITE, broadcast=True) is None
    with tcp_server(silent) as port, package.TcpClient(HOST, port) as client:
        remote = package.RemoteUnit(client, 17, timeout=0.05)
        assert remote.execute(READ) == ExceptionResponse(3, 11)
        assert remote.execute(READ, broadcast=True) is None
        assert remote.execute(WRITE, broadcast=True) is None
