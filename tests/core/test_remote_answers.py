"""The answer of a gateway for a device that refused, or did not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modwire import (
    AsyncCalls,
    BlockingCalls,
    ConnectionLostError,
    ExceptionResponse,
    FrameError,
    IllegalDataAddressError,
    InvalidRequestError,
    InvalidResponseError,
    ModbusError,
    RawRequest,
    ReadHoldingRegistersRequest,
    ResponseTimeoutError,
    WriteSingleRegisterRequest,
)
from modwire.gateway.remote import AsyncRemoteUnit, BlockingRemoteUnit, failed_answer


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IllegalDataAddressError(), 0x02),
        (ConnectionLostError("reset"), 0x0A),
        (ResponseTimeoutError("no answer"), 0x0B),
        (InvalidResponseError("not that"), 0x0B),
        (InvalidRequestError("not this", 3), 0x0B),
        (FrameError("no frame"), 0x0B),
    ],
)
def test_a_failure_becomes_the_exception_of_a_gateway(error: ModbusError, code: int) -> None:
    answer = failed_answer(ReadHoldingRegistersRequest(3), error, broadcast=False)
    assert answer is not None
    assert answer.encode() == bytes([0x83, code])
    assert answer.cause is error


def test_a_broadcast_that_failed_is_not_answered() -> None:
    error = ResponseTimeoutError("no answer")
    assert failed_answer(WriteSingleRegisterRequest(1, 2), error, broadcast=True) is None


def test_a_function_code_above_127_still_gets_an_exception_that_can_be_sent() -> None:
    answer = failed_answer(RawRequest(0xC1), ConnectionLostError("reset"), broadcast=False)
    assert answer == ExceptionResponse(0x41, 0x0A)


class Caller(BlockingCalls):
    """A client that is never asked."""


class AsyncCaller(AsyncCalls):
    """The same for an event loop."""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: BlockingRemoteUnit("x", 1), "client must be a client.*got 'x'"),
        (lambda: AsyncRemoteUnit(None, 1), "client must be a client.*got None"),
        (lambda: BlockingRemoteUnit(AsyncCaller(), 1), "client must be a blocking client"),
        (lambda: BlockingRemoteUnit(Caller(), 300), r"unit must be 0\.\.255, got 300"),
        (lambda: AsyncRemoteUnit(AsyncCaller(), "1"), r"unit must be 0\.\.255, got '1'"),
        (lambda: BlockingRemoteUnit(Caller(), timeout=0), "timeout must be greater than 0"),
    ],
)
def test_a_remote_unit_knows_at_once_that_it_cannot_ask(
    make: Callable[[], object], sentence: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()
