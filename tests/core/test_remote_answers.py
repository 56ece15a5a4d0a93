"""The answer of a gateway for a device that refused, or did not answer."""

from __future__ import annotations

import pytest

from modwire import (
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
from modwire.gateway.remote import failed_answer


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
