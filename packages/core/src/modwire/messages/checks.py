"""The checks and errors that the message families share; each names the number and the range."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError

if TYPE_CHECKING:
    from .base import Message

MessageT = TypeVar("MessageT")
ValueT = TypeVar("ValueT")

# What most callers pass is taken without a look.
LISTS = (list, tuple)
_NO_LISTS = (str, bytes, bytearray, memoryview, set, frozenset, dict)


def check_span(function_code: int, address: int, count: int, most: int, what: str) -> None:
    """Check a quantity (exception 03), then that address + quantity stays in 65536 (02)."""
    try:
        if not 1 <= count <= most:
            raise InvalidRequestError(f"count must be 1..{most} {what}, got {count}", function_code)
        # The shift refuses floats, which a comparison would let through.
        if address < 0 or address + count - 1 >> 16:
            raise _outside(function_code, address, count)
    except TypeError:
        raise InvalidRequestError(
            f"address and count must be integers, got {address!r} and {count!r}", function_code
        ) from None


def _outside(function_code: int, address: int, count: int) -> InvalidRequestError:
    if 0 <= address <= 0xFFFF:
        message = f"address + count must be at most 65536, got {address} + {count}"
    else:
        message = f"address must be 0..65535, got {address}"
    return InvalidRequestError(message, function_code, ExceptionCode.ILLEGAL_DATA_ADDRESS)


def check_word(function_code: int, name: str, value: int) -> None:
    """Check that `value` fits 16 bits; `name` is what it is called in the error."""
    try:
        if value >> 16:
            raise InvalidRequestError(f"{name} must be 0..65535, got {value}", function_code)
    except TypeError:
        raise InvalidRequestError(
            f"{name} must be an integer 0..65535, got {value!r}", function_code
        ) from None


def as_sequence(function_code: int, values: Iterable[ValueT], what: str) -> Sequence[ValueT]:
    """`values` as a sequence; refuses text and bytes, whose items are not what was meant."""
    kind = type(values).__name__
    if isinstance(values, _NO_LISTS):
        raise InvalidRequestError(
            f"{what} must be a list of values, got {kind} "
            f"(struct.unpack makes values of packed bytes)",
            function_code,
        )
    try:
        return tuple(values)
    except TypeError:
        raise InvalidRequestError(
            f"{what} must be a list of values, got {values!r}", function_code
        ) from None


def check_address(function_code: int, address: int) -> None:
    """Check that `address` is an integer of 16 bits; the server's answer would be 02."""
    try:
        if address >> 16:
            raise _outside(function_code, address, 1)
    except TypeError:
        raise InvalidRequestError(
            f"address must be an integer 0..65535, got {address!r}", function_code
        ) from None


def wrong_request(message: type[Message], pdu: bytes, allowed: str) -> InvalidRequestError:
    """The error for a request PDU of a length that its function does not have."""
    return InvalidRequestError(_wrong_length(message, pdu, allowed), message.function_code)


def wrong_response(message: type[Message], pdu: bytes, allowed: str) -> InvalidResponseError:
    """The error for a response PDU of a length or byte count that its function does not have."""
    return InvalidResponseError(_wrong_length(message, pdu, allowed))


def check_echo(name: str, got: object, sent: object) -> None:
    """Raise if the response does not repeat what the request said."""
    if got != sent:
        raise InvalidResponseError(f"answer has {name} {got}, the request had {sent}")


def decoded_response(message: Callable[[int, int], MessageT], address: int, count: int) -> MessageT:
    """The response with an address and a count off the wire; they may break the limits there."""
    try:
        return message(address, count)
    except InvalidRequestError as error:
        raise InvalidResponseError(str(error)) from None


def _wrong_length(message: type[Message], pdu: bytes, allowed: str) -> str:
    unit = "byte" if allowed == "1" else "bytes"
    return f"{message.__name__} must be {allowed} {unit}, got {len(pdu)}: {pdu[:16].hex(' ')}"
