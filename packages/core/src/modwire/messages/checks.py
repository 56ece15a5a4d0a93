"""Checks and errors of the message families; each names the number that is wrong and its range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError, ModbusError
from .base import Message, Response

if TYPE_CHECKING:
    from .base import AnyRequest

ValueT = TypeVar("ValueT")

# The types that `as_sequence` need not look at.
LISTS = (list, tuple)
_NO_LISTS = (str, bytes, bytearray, memoryview, set, frozenset, dict)


def check_span(function_code: int, address: int, count: int, most: int, what: str) -> None:
    """Check a quantity (exception 03), then that address + quantity stays in 65536 (02)."""
    try:
        if not 1 <= count <= most or isinstance(count, bool):
            raise InvalidRequestError(f"count must be 1..{most} {what}, got {count}", function_code)
        # The shift raises for floats, which a comparison would accept.
        if address < 0 or address + count - 1 >> 16 or isinstance(address, bool):
            if 0 <= address <= 0xFFFF and not isinstance(address, bool):
                message = f"address + count must be at most 65536, got {address} + {count}"
            else:
                message = f"address must be 0..65535, got {address}"
            raise InvalidRequestError(message, function_code, ExceptionCode.ILLEGAL_DATA_ADDRESS)
    except TypeError:
        raise InvalidRequestError(
            f"address and count must be integers, got {address!r} and {count!r}", function_code
        ) from None


def check_lengths(
    function_code: int, count: int, most: int, what: str, due: int, byte_count: int, size: int
) -> None:
    """Check the three lengths of a write: its quantity, its byte count, its bytes of data.

    `due` is how many bytes `count` of `what` take; `size` is how many bytes came.
    """
    if not 1 <= count <= most:
        raise InvalidRequestError(f"count must be 1..{most} {what}, got {count}", function_code)
    if not byte_count == due == size:
        raise InvalidRequestError(
            f"byte count must be {due} for {count} {what}, "
            f"got {byte_count} with {size} bytes of data",
            function_code,
        )


def check_number(
    function_code: int,
    name: str,
    value: int,
    bits: int = 16,
    exception_code: int = ExceptionCode.ILLEGAL_DATA_VALUE,
) -> None:
    """Check that `value` is an integer of so many bits; the error calls it `name`."""
    try:
        if value >> bits:
            message = f"{name} must be 0..{(1 << bits) - 1}, got {value}"
            raise InvalidRequestError(message, function_code, exception_code)
    except TypeError:
        raise InvalidRequestError(
            f"{name} must be an integer 0..{(1 << bits) - 1}, got {value!r}", function_code
        ) from None


def check_address(function_code: int, address: int) -> None:
    """Check that `address` is an integer of 16 bits; a server answers another with 02."""
    if isinstance(address, bool):
        raise InvalidRequestError(
            f"address must be 0..65535, got {address}",
            function_code,
            ExceptionCode.ILLEGAL_DATA_ADDRESS,
        )
    check_number(function_code, "address", address, 16, ExceptionCode.ILLEGAL_DATA_ADDRESS)


def as_sequence(function_code: int, values: Iterable[ValueT], what: str) -> Sequence[ValueT]:
    """Return `values` as a sequence; refuse text and bytes, whose items no caller means."""
    kind = type(values).__name__
    if isinstance(values, _NO_LISTS):
        raise InvalidRequestError(f"{what} must be a list of values, got {kind}", function_code)
    try:
        return tuple(values)
    except TypeError:
        raise InvalidRequestError(
            f"{what} must be a list of values, got {values!r}", function_code
        ) from None


def malformed(
    message: type[Message], text: str, exception_code: int = ExceptionCode.ILLEGAL_DATA_VALUE
) -> ModbusError:
    """Return the error for a PDU that cannot be decoded as `message`, a request or a response."""
    if issubclass(message, Response):
        return InvalidResponseError(text)
    return InvalidRequestError(text, message.function_code, exception_code)


def wrong_length(message: type[Message], pdu: bytes, allowed: str) -> ModbusError:
    """Return the error for a PDU of a wrong length or byte count; `allowed` says what is right."""
    unit = "byte" if allowed == "1" else "bytes"
    got = f"{len(pdu)}: {pdu[:16].hex(' ')}"
    return malformed(message, f"{message.__name__} must be {allowed} {unit}, got {got}")


def counted(number: int, noun: str) -> str:
    """Return a number and a noun: "1 bit", "2 bits"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def wrong_answer(request: AnyRequest, pdu: bytes, size: int, values: str) -> ModbusError:
    """Return the error for a response that does not have the `size` bytes of values asked for."""
    if pdu[0] != request.function_code:
        return request.refusal(pdu)
    return InvalidResponseError(
        f"answer must have byte count {size} for {values} and "
        f"{size + 2} bytes in all, got {len(pdu)}: {pdu[:16].hex(' ')}"
    )


def check_echo(name: str, got: object, sent: object) -> None:
    """Raise InvalidResponseError if the response does not repeat a field of the request."""
    if got != sent:
        raise InvalidResponseError(f"answer has {name} {got}, the request had {sent}")
