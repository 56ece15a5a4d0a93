"""Advice for the errors of devices and links; `ending` prints it after the error."""

from __future__ import annotations

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
from modwire_tools.addresses import SHORT_NAMES
from modwire_tools.pasting import command
from modwire_tools.system_advice import system_advice, tidied

from .diagnosis import Seen, diagnosed, foreign, framing_of, without_bytes
from .rewritten import in_framing, with_longer_timeout, with_options, with_quirks
from .tls_advice import ABOUT_A_ROLE, tls_advice

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
# The tables by the code of the function that reads them.
_TABLES = dict(zip((1, 2, 3, 4), SHORT_NAMES.values(), strict=True))
_NEAR = 100  # addresses before and after one that is missing
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
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, ModbusError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return tidied(_REQUEST.sub("", text)) or type(error).__name__


def next_step(error: Exception, seen: Seen | None = None) -> str:
    """Return advice for the user, or ""."""
    if seen is not None and _is_about_bytes(error):
        found = diagnosed(seen)
        if found:
            return found
        if isinstance(error, ResponseTimeoutError):
            if not seen.received or str(error).endswith("nothing came"):
                return without_bytes(seen)
            longer = with_longer_timeout(seen.endpoint)
            return f"wait longer, as in {longer}, or check the unit (--unit)"
        if isinstance(error, InvalidResponseError) and seen.function in _OTHER_WRITES:
            changed = with_quirks(seen.endpoint, "odd_confirmation")
            return f"the device confirms a write in its own way: use {changed}"
    has_tls = seen is not None and seen.endpoint.transport == "tls"
    if seen is not None and has_tls and isinstance(error, ValueError):  # files of TLS
        found = tls_advice(str(error), seen.endpoint)
        if found:
            return found
    if isinstance(error, ExceptionResponseError):
        found = _about_a_refusal(error, seen)
        if has_tls and isinstance(error, IllegalFunctionError):
            return f"{found or _UNKNOWN_FUNCTION}, {ABOUT_A_ROLE}"
        if found:
            return found
    for kind, step in _STEPS:
        if isinstance(error, kind):
            return step
    if isinstance(error, ConnectionLostError):
        return _about_the_link(error, seen)
    if isinstance(error, OSError) and not isinstance(error, ModbusError):
        return system_advice(brief(error))
    return ""


def _is_about_bytes(error: Exception) -> bool:
    return isinstance(error, ModbusError) and not isinstance(
        error, (ExceptionResponseError, InvalidRequestError)
    )


def _about_a_refusal(error: ExceptionResponseError, seen: Seen | None) -> str:
    """Return advice for exceptions that depends on the request or the endpoint, or ""."""
    code = None if error.request is None else error.request.function_code
    if isinstance(error, ServerDeviceBusyError):
        return f"try again later, or let it be asked again{_as_in(seen, busy_retries=3)}"
    if isinstance(error, AcknowledgeError):
        if code in _OTHER_WRITES:
            return "the device needs longer to do it"
        return f"the device needs longer{_as_in(seen, busy_retries=3, timeout=5.0)}"
    if isinstance(error, (GatewayPathUnavailableError, GatewayTargetFailedError)):
        has_path = isinstance(error, GatewayTargetFailedError)
        found = "got no answer from the unit" if has_path else "has no such unit"
        on = ", and that the device behind it is on" if has_path else ""
        scan = "" if seen is None else f"; {command('scan', seen.endpoint)} finds the units"
        return f"the gateway {found}: check --unit{on}{scan}"
    if code not in _OTHER_WRITES:
        if isinstance(error, IllegalDataAddressError):
            return _about_an_address(error, seen)
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


def _as_in(seen: Seen | None, **options: object) -> str:
    """Return ", as in " and the endpoint with `options`, or "" if it is not known."""
    return "" if seen is None else f", as in {with_options(seen.endpoint, **options)}"


def _about_an_address(error: IllegalDataAddressError, seen: Seen | None) -> str:
    """Return advice for an address that cannot be read, with the scan that finds others."""
    text = (
        "the device does not have all of these addresses: try one lower (manuals often count from "
        "1), another table (hr: or ir:), or fewer at once"
    )
    code, at = getattr(error.request, "function_code", 0), getattr(error.request, "address", None)
    if seen is None or at is None or code not in _TABLES:
        return text
    near = f"{max(0, at - _NEAR)}..{min(0xFFFF, at + _NEAR)}"
    words = ["scan", seen.endpoint, "--table", _TABLES[code], "--addresses", near]
    asked = 1 if seen.endpoint.unit is None else seen.endpoint.unit
    words += ["--unit", seen.unit] if seen.unit not in (0, asked) else []
    return f"{text}; {command(*words)} finds what can be read"


_UNKNOWN_FUNCTION = "the device does not have that table (hr: or ir:?), or that function"
_STEPS: list[tuple[type[Exception], str]] = [
    (
        ResponseTimeoutError,
        "check the unit (--unit), or wait longer (timeout=5 in the endpoint)",
    ),
    (IllegalDataValueError, "try fewer at once, or another value: the device sets the limits"),
    (IllegalFunctionError, _UNKNOWN_FUNCTION),
    (ServerDeviceFailureError, "the device itself failed: its manual or its display may say why"),
    (InvalidRequestError, ""),
]


def _about_the_link(error: ConnectionLostError, seen: Seen | None) -> str:
    if seen is not None and seen.endpoint.transport == "tls":
        found = tls_advice(str(error), seen.endpoint)
        if found or " refused: alert " in str(error) or "server is refused" in str(error):
            return found
    found = system_advice(brief(error))
    if found:
        return found
    text = str(error)
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
