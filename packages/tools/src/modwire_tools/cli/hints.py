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
    IllegalDataValueError,
    IllegalFunctionError,
    InvalidRequestError,
    ModbusError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
    ServerDeviceFailureError,
)

from .diagnosis import Seen, diagnosed, without_bytes

_NUMBER = re.compile(r"\[Errno \d+\] ")
_REQUEST = re.compile(
    r"(?:; the request was)? (?:to )?[A-Z]\w*Request\([^()]*\)"
)  # the user knows the request


def described(error: Exception, seen: Seen | None = None) -> str:
    """Return the error as one sentence: what happened, and what to do next.

    `seen` has the bytes between the command and the device, if they are known.
    """
    text = brief(error)
    step = next_step(error, seen)
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


def next_step(error: Exception, seen: Seen | None = None) -> str:
    """Return advice for the user, or ""."""
    is_about_bytes = isinstance(error, ModbusError) and not isinstance(
        error, (ExceptionResponseError, InvalidRequestError)
    )
    if seen is not None and is_about_bytes:
        found = diagnosed(seen)
        if found:
            return found
        if isinstance(error, ResponseTimeoutError) and not seen.received:
            return without_bytes(seen)
    for kind, step in _STEPS:
        if isinstance(error, kind):
            return step
    if isinstance(error, ConnectionLostError):
        return _about_the_link(error, seen)
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        return _STEPS_BY_NUMBER[error.errno]
    return ""


_STEPS: list[tuple[type[Exception], str]] = [
    (
        ResponseTimeoutError,
        "check the unit (--unit) and the line settings, or wait longer (?timeout=5)",
    ),
    (
        IllegalDataAddressError,
        "the device does not have all of these addresses: try one lower (manuals often count from "
        "1), another table (hr: or ir:), or fewer at once; `modwire scan ENDPOINT --table TABLE` "
        "finds what can be read",
    ),
    (IllegalDataValueError, "try fewer at once, or another value: the device sets the limits"),
    (IllegalFunctionError, "the device does not have that table (hr: or ir:?), or that function"),
    (ServerDeviceFailureError, "the device itself failed: its manual or its display may say why"),
    (
        GatewayPathUnavailableError,
        "the gateway has no such unit: check --unit; `modwire scan ENDPOINT` finds the units",
    ),
    (
        GatewayTargetFailedError,
        "the gateway got no answer from the unit: check --unit, and that the device behind it is "
        "on; `modwire scan ENDPOINT` finds the units",
    ),
    (ServerDeviceBusyError, "try again later"),
    (InvalidRequestError, ""),
]
_STEPS_BY_NUMBER = {
    errno.EADDRINUSE: "another program listens there already, take another port",
    errno.EACCES: "ports below 1024 and serial ports need permission",
}


def _about_the_link(error: ConnectionLostError, seen: Seen | None) -> str:
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
    if "the server closed the connection" in text and seen is not None:
        if seen.first:
            return "it answered before: some devices take only one request on each connection"
        return (
            "it closes without an answer: it may have other clients and take only a few, or want "
            "TLS or other frames (rtu+tcp://)"
        )
    return "check the address, and that the device can be reached"
