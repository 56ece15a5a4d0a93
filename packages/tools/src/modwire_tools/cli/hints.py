"""Advice for the errors of devices and links; `ending` prints it after the error."""

from __future__ import annotations

import errno
import re

from modwire import (
    AcknowledgeError,
    ConnectionLostError,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    InvalidRequestError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
    ServerDeviceFailureError,
)

from .diagnosis import Seen, diagnosed, foreign, framing_of, without_bytes
from .rewritten import in_framing, option, timeout_option, with_quirks

_NUMBER = re.compile(r"\[Errno \d+\] ")
_REQUEST = re.compile(
    r"(?:; the request was)? (?:to )?[A-Z]\w*Request\([^()]*\)"
)  # the user knows the request
# Advice that an error of the core ends with; what the bytes tell replaces it.
_OWN_ADVICE = re.compile(
    r": (this looks like [^:]*|the adapter has an echo, see suppress_echo|"
    r"wrong baud rate, parity or wiring\?)$"
)
# The functions that do what one of these does, by its code: see `modwire write --functions`.
_OTHER_WRITES = {5: "15", 6: "16", 15: "5", 16: "6", 22: "6,16"}
_UNKNOWN_END = (
    ResponseTimeoutError,
    InvalidResponseError,
    ConnectionLostError,
    AcknowledgeError,
    GatewayTargetFailedError,
)


def described(error: Exception, seen: Seen | None = None) -> str:
    """Return the error as one sentence: what happened, and what to do next.

    `seen` has the bytes between the command and the device, if they are known.
    """
    text = brief(error)
    step = next_step(error, seen)
    if not step:
        return text
    return f"{_OWN_ADVICE.sub('', text)}; {step}"


def described_together(errors: dict[str, Exception], seen: Seen | None = None) -> str:
    """Return the errors of several addresses, by name, as one sentence with one advice."""
    text = "; ".join(f"{name}: {brief(error)}" for name, error in errors.items())
    about_bytes = [next_step(each, seen) for each in errors.values() if _is_about_bytes(each)]
    return f"{text}; {about_bytes[-1]}" if about_bytes and about_bytes[-1] else text


def doubt(error: Exception, seen: Seen) -> str:
    """Return a sentence if the last request may have been executed in spite of `error`, or ""."""
    if seen.function not in _OTHER_WRITES or not isinstance(error, _UNKNOWN_END):
        return ""
    came = framing_of(seen.received)
    if foreign(seen) or (came and came != seen.endpoint.framing):
        return ""
    return "it may have been written: read it"


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
    if seen is not None and _is_about_bytes(error):
        found = diagnosed(seen)
        if found:
            return found
        if isinstance(error, ResponseTimeoutError):
            if not seen.received or str(error).endswith("nothing came"):
                return without_bytes(seen)
            return f"wait longer ({timeout_option(seen.endpoint)}), or check the unit (--unit)"
        if isinstance(error, InvalidResponseError) and seen.function in _OTHER_WRITES:
            changed = with_quirks(seen.endpoint, "odd_confirmation")
            return f"the device confirms a write in its own way: use {changed}"
    if isinstance(error, ExceptionResponseError):
        found = _about_a_refusal(error, seen)
        if found:
            return found
    for kind, step in _STEPS:
        if isinstance(error, kind):
            return step
    if isinstance(error, ConnectionLostError):
        return _about_the_link(error, seen)
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        return _STEPS_BY_NUMBER[error.errno]
    return ""


def _is_about_bytes(error: Exception) -> bool:
    return isinstance(error, ModbusError) and not isinstance(
        error, (ExceptionResponseError, InvalidRequestError)
    )


def _about_a_refusal(error: ExceptionResponseError, seen: Seen | None) -> str:
    """Return advice for exceptions 05 and 06, and for those in answer to a write."""

    def text(options: str) -> str:
        return options if seen is None else option(seen.endpoint, options)

    code = None if error.request is None else error.request.function_code
    if isinstance(error, ServerDeviceBusyError):
        return f"try again later, or let it be asked again ({text('busy_retries=3')})"
    if isinstance(error, AcknowledgeError):
        if code in _OTHER_WRITES:
            return "the device needs longer to do it"
        return f"the device needs longer: use {text('busy_retries=3&timeout=5')}"
    if code not in _OTHER_WRITES:
        return ""
    if isinstance(error, IllegalFunctionError):
        return (
            f"the device may know another function that writes: --functions {_OTHER_WRITES[code]}"
        )
    if isinstance(error, IllegalDataAddressError):
        return (
            "the device does not have all of these addresses, or they cannot be written: try one "
            "lower (manuals often count from 1), or fewer at once"
        )
    return ""


_STEPS: list[tuple[type[Exception], str]] = [
    (
        ResponseTimeoutError,
        "check the unit (--unit), or wait longer (?timeout=5)",
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
        return _about_a_close(seen)
    return "check the address, and that the device can be reached"


def _about_a_close(seen: Seen) -> str:
    """Return advice if the server has closed the connection after a request."""
    endpoint = seen.endpoint
    if seen.received and not framing_of(seen.received):
        return (
            "it closed in the middle of an answer: try again, or ask for less at once; it may "
            "restart, or be a gateway that gives up"
        )
    if seen.first:
        return "it answered before: some devices take only one request on each connection"
    other = in_framing(endpoint, "rtu" if endpoint.framing == "tcp" else "tcp")
    return (
        "it closes without an answer: it may have other clients and take only a few, or want "
        f"other frames (try {other}) or TLS"
    )
