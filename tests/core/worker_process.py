"""Functions of the worker process of `test_pickling`, and user-defined errors."""

from __future__ import annotations

import modwire
from modwire import (
    ConnectionLostError,
    ExceptionResponseError,
    InvalidRequestError,
    Message,
    ModbusError,
    ReadHoldingRegistersRequest,
)

SENT = ReadHoldingRegistersRequest(107, 3)


class MeterError(InvalidRequestError):
    def __init__(self, meter: int, *, phase: str) -> None:
        super().__init__(f"meter {meter} has no phase {phase}", 65, 4)
        self.meter = meter
        self.phase = phase


class MeterLostError(ConnectionLostError):
    def __init__(self, meter: int) -> None:
        super().__init__(111, f"meter {meter} is gone")
        self.meter = meter


class MeterBusyError(ExceptionResponseError):
    default_code = 6

    def __init__(self) -> None:
        super().__init__(SENT, detail="reads its phases")


def fail(error: ModbusError) -> None:
    raise error


def answer(request: Message, response: bytes) -> tuple[Message, Message]:
    assert isinstance(request, modwire.Request)
    return request, request.decode_response(response)
