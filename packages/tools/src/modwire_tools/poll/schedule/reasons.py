"""`reason_of`: an error of a device as the short reason of a bad value."""

from __future__ import annotations

from modwire import (
    ConnectionLostError,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    ModbusError,
    ResponseTimeoutError,
)


def reason_of(error: Exception) -> str:
    """Return a few words that stay the same while the same thing fails again."""
    if isinstance(error, ExceptionResponseError):
        return str(ExceptionResponseError.for_code(None, error.code))
    if isinstance(error, ResponseTimeoutError):
        return "no answer"
    if isinstance(error, ConnectionLostError):
        cause = error.__cause__
        text = (cause.strerror or str(cause)) if isinstance(cause, OSError) else ""
        return f"no connection: {text}" if text else "the connection was lost"
    if isinstance(error, ModbusError):
        return "a wrong answer"
    return str(error) or type(error).__name__


def is_absence(error: Exception) -> bool:
    """True if the device is not there, rather than one of its values."""
    absent = (
        ResponseTimeoutError,
        ConnectionLostError,
        GatewayPathUnavailableError,
        GatewayTargetFailedError,
    )
    return isinstance(error, absent)
