"""What a gateway answers for a device behind it: the decisions of every adapter's `RemoteUnit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConnectionLostError, ExceptionCode, ExceptionResponseError
from ..messages.base import ExceptionResponse

if TYPE_CHECKING:
    from ..errors import ModbusError
    from ..messages.base import AnyRequest


def failed_answer(
    request: AnyRequest, error: ModbusError, *, broadcast: bool
) -> ExceptionResponse | None:
    """The answer to `request`, which the device behind a gateway answered with `error`.

    Its own exception where it sent one; 0A, gateway path unavailable, where there is no link to
    it; else 0B, gateway target failed (section 7). None for a broadcast, which nobody answers.
    """
    if broadcast:
        return None
    code: int
    if isinstance(error, ExceptionResponseError):
        code = error.code
    elif isinstance(error, ConnectionLostError):
        code = ExceptionCode.GATEWAY_PATH_UNAVAILABLE
    else:
        code = ExceptionCode.GATEWAY_TARGET_FAILED
    return ExceptionResponse(request.function_code & 0x7F, code, error)
