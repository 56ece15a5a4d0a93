"""Advice for the errors of devices and links; `ending` prints it after the error."""

from __future__ import annotations

import errno
import re

from modwire import (
    ConnectionLostError,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    IllegalDataAddressError,
    IllegalFunctionError,
    InvalidRequestError,
    ModbusError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)

_NUMBER = re.compile(r"\[Errno \d+\] ")
_REQUEST = re.compile(r" (?:to )?[A-Z]\w*Request\([^()]*\)")  # the user knows the request


def described(error: Exception) -> str:
    """Return the error as one sentence: what happened, and what to do next."""
    text = brief(error)
    step = next_step(error)
    return f"{text}; {step}" if step else text


def brief(error: Exception) -> str:
    """Return one line that says what happened, without the request."""
    if isinstance(error, ExceptionResponseError):
        return str(ExceptionResponseError.for_code(None, error.code))
    if isinstance(error, OSError) and not isinstance(error, ModbusError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    text = _REQUEST.sub("", _NUMBER.sub("", " ".join(str(error).split())))
    return text or type(error).__name__


def next_step(error: Exception) -> str:
    """Return advice for the user, or ""."""
    for kind, step in _STEPS:
        if isinstance(error, kind):
            return step
    if isinstance(error, ConnectionLostError):
        return _about_the_link(error)
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        return _STEPS_BY_NUMBER[error.errno]
    return ""


_STEPS: list[tuple[type[Exception], str]] = [
    (
        ResponseTimeoutError,
        "check the unit (--unit) and the line settings, or wait longer (?timeout=5)",
    ),
    (IllegalDataAddressError, "`modwire scan ENDPOINT --table TABLE` finds what can be read"),
    (IllegalFunctionError, "the device does not have that table, or that function"),
    (GatewayPathUnavailableError, "`modwire scan ENDPOINT` finds the units that are there"),
    (GatewayTargetFailedError, "`modwire scan ENDPOINT` finds the units that are there"),
    (ServerDeviceBusyError, "try again later"),
    (InvalidRequestError, ""),
]
_STEPS_BY_NUMBER = {
    errno.EADDRINUSE: "another program listens there already, take another port",
    errno.EACCES: "ports below 1024 and serial ports need permission",
}


def _about_the_link(error: ConnectionLostError) -> str:
    cause: BaseException | None = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    text = str(error)
    if number == errno.ECONNREFUSED or "refused" in text:
        return "is the device on, and the port right?"
    if number == errno.EACCES or "Permission denied" in text:
        return "you need permission, on Linux often by being in the group dialout"
    if number == errno.ENOENT or "No such file" in text:
        return "is the adapter plugged in, and its name right?"
    if "locked" in text or "busy" in text:
        return "another program has the port open"
    return "check the address, and that the device can be reached"
