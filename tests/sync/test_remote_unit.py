"""`RemoteUnit`: what a gateway answers for the device behind it."""

from __future__ import annotations

from typing import TypeVar

import pytest

from modwire.calls import BlockingCalls
from modwire.errors import (
    ConnectionLostError,
    FrameError,
    IllegalDataAddressError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
)
from modwire.messages.base import ExceptionResponse, Request, Response
from modwire.messages.decoder import Decoder
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire_sync import RemoteUnit, TcpClient

from .peers import SocketPeer, answer_reads, free_port, mbap, tcp_server

ResponseT = TypeVar("ResponseT", bound=Response)


class FakeClient(BlockingCalls):
    """Raises `error`, and notes what was asked of whom."""

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


READ = ReadHoldingRegistersRequest(3)
WRITE = WriteSingleRegisterRequest(1, 2)


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
def test_errors_become_the_exceptions_of_a_gateway(error: ModbusError, code: int) -> None:
    client = FakeClient(error)
    response = RemoteUnit(client, 17, timeout=0.5).execute(READ)
    assert response == ExceptionResponse(3, code)
    assert isinstance(response, ExceptionResponse)
    assert response.cause is error
    assert client.asked == [(17, 0.5)]


def test_a_broadcast_goes_to_the_device_if_it_writes_and_is_never_answered() -> None:
    client = FakeClient(ResponseTimeoutError())
    remote = RemoteUnit(client, 17)
    assert remote.execute(READ, broadcast=True) is None
    assert remote.execute(WRITE, broadcast=True) is None
    assert client.asked == [(17, None)]


def test_it_tells_the_server_that_it_waits() -> None:
    assert RemoteUnit(FakeClient(ConnectionLostError()), 1).blocking


def test_through_a_real_client() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        assert request[6] == 17
        peer.send(mbap(request, request[7:]))
        peer.send(mbap(peer.request(), b"\x83\x02"))
        answer_reads(peer)

    with tcp_server(script) as port, TcpClient("127.0.0.1", port) as client:
        remote = RemoteUnit(client, 17)
        assert remote.execute(WRITE) == WriteSingleRegisterResponse(1, 2)
        assert remote.execute(READ) == ExceptionResponse(3, 2)
        assert remote.execute(READ) == ReadHoldingRegistersResponse([3])
        assert remote.answer(READ.encode(), Decoder()) == b"\x03\x02\x00\x03"


def test_without_a_link_the_path_is_unavailable() -> None:
    remote = RemoteUnit(TcpClient("127.0.0.1", free_port()), 1)
    assert remote.execute(READ) == ExceptionResponse(3, 10)
