"""The base of all messages: small, immutable, equal by value, encoded to and decoded from a PDU.

A request decodes its own response: `decode_response` checks function code, length, count and echo.
On a server, its `execute` does the work. The functions of the specification are in the modules
beside this one; a custom function is one subclass of `Request` and one of `Response`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from ..errors import (
    ExceptionCode,
    ExceptionResponseError,
    InvalidRequestError,
    InvalidResponseError,
)
from ..immutable import Immutable
from ..immutable import set_field as set_field

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from typing_extensions import Self

    from .device import Device

__all__ = [
    "ExceptionResponse",
    "LengthRule",
    "Message",
    "RawRequest",
    "RawResponse",
    "Request",
    "Response",
    "counted_length",
    "ends_by_silence",
    "fixed_length",
]

MAX_PDU = 253  # bytes, section 4.1

new_message = object.__new__


def slot_setter(message: type[Message], name: str) -> Callable[[Message, object], None]:
    """Return a `set_field` for one slot, which takes half the time."""
    setter: Callable[[Message, object], None] = message.__dict__[name].__set__
    return setter


ENDS_BY_SILENCE = -1
NO_PDU = 0x10000


class LengthRule(Protocol):
    """A function that returns the length of the PDU whose function code is at `buffer[at]`.

    It returns 0 while more bytes are needed, ENDS_BY_SILENCE if the PDU does not contain its
    length, and NO_PDU if the bytes cannot be a PDU. Only RTU frames have no length or end mark.
    """

    def __call__(self, buffer: bytes, at: int, /) -> int: ...


class SizedRule:
    """The rule of a PDU of `size` bytes plus the value of its byte count, if it has one.

    The byte count is `count_at` bytes after the function code; 0 means that there is none. A value
    below `least` is invalid. RTU reads the three numbers, which saves a call for each frame.
    """

    __slots__ = ("count_at", "least", "size")

    def __init__(self, size: int, count_at: int = 0, least: int = 0) -> None:
        self.size = size
        self.count_at = count_at
        self.least = least

    def __call__(self, buffer: bytes, at: int, /) -> int:
        if not self.count_at:
            return self.size
        if len(buffer) <= at + self.count_at:
            return 0
        count = buffer[at + self.count_at]
        return self.size + count if count >= self.least else NO_PDU


def fixed_length(size: int) -> LengthRule:
    """Return the rule of a PDU that always has `size` bytes."""
    return SizedRule(size)


def counted_length(count_at: int, count_size: int = 1, least: int = 0) -> LengthRule:
    """Return the rule of a PDU with a byte count, followed by that number of bytes.

    The byte count has `count_size` bytes and is `count_at` bytes after the function code. A value
    below `least` is invalid.
    """
    data_at = count_at + count_size
    if count_size == 1:
        return SizedRule(data_at, count_at, least)

    def rule(buffer: bytes, at: int) -> int:
        if len(buffer) < at + data_at:
            return 0
        count = int.from_bytes(buffer[at + count_at : at + data_at], "big")
        return data_at + count if count >= least else NO_PDU

    return rule


def ends_by_silence(buffer: bytes, at: int) -> int:
    """Return ENDS_BY_SILENCE: the rule of a PDU that does not contain its length."""
    return ENDS_BY_SILENCE


def no_pdu(buffer: bytes, at: int) -> int:
    """Return NO_PDU: the rule of a byte that is not a function code in this direction."""
    return NO_PDU


class Message(Immutable):
    """A PDU: function code and data."""

    __slots__ = ()
    function_code: int  # a class attribute, except of the raw messages
    length_rule: ClassVar[LengthRule] = staticmethod(ends_by_silence)

    def encode(self) -> bytes:
        """Return the whole PDU, function code first; at most 253 bytes."""
        raise NotImplementedError(f"{type(self).__name__} must define encode()")

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        """Return the message in a whole PDU, function code included.

        Raises `InvalidRequestError` (for a request) or `InvalidResponseError` (for a response).
        """
        raise NotImplementedError(f"{cls.__name__} must define decode()")


class Response(Message):
    """The base of every response."""

    __slots__ = ()


ResponseT = TypeVar("ResponseT", bound=Response)
ResponseT_co = TypeVar("ResponseT_co", bound=Response, covariant=True)


class Request(Message, Generic[ResponseT_co]):
    """The base of every request.

    A subclass sets `function_code`, `response_type` and, for RTU, `length_rule` (the response
    class has its own). It sets `sub_code` if several requests share the function code and differ
    in the next byte, and `is_write` if the request changes the server: such a request may be
    broadcast, and is not retried unless the caller allows it.
    """

    __slots__ = ()
    sub_code: ClassVar[int | None] = None
    is_write: ClassVar[bool] = False
    expects_response: ClassVar[bool] = True
    response_type: type[ResponseT_co]

    def execute(self, unit: Device) -> ResponseT_co | None:
        """Execute the request on `unit`, a `Unit` or another `Device`.

        Returns the response, or None if the specification defines none. Raises
        `ExceptionResponseError`, which the unit turns into an exception response.
        """
        raise NotImplementedError(f"{type(self).__name__} must define execute()")

    def decode_response(self, pdu: bytes) -> ResponseT_co:
        """Return the response to this request in `pdu`.

        Raises an `ExceptionResponseError` for an exception response, and `InvalidResponseError`
        if the function code, the length, the count or the echo is wrong.
        """
        if pdu[0] != self.function_code:
            raise self.refusal(pdu)
        response = self.response_type.decode(pdu)
        self.check_response(response)
        return response

    @property
    def may_be_broadcast(self) -> bool:
        """True if the request is useful without a response: it writes, and does not read."""
        return self.is_write

    def expected_length(self) -> int:
        """Return the length of the PDU of the normal response in bytes; 0 if unknown."""
        return 0

    def check_response(self, response: ResponseT_co) -> None:  # type: ignore[misc]
        """Raise `InvalidResponseError` if a well-formed response does not fit this request."""

    def refusal(self, pdu: bytes) -> ExceptionResponseError | InvalidResponseError:
        """Return the error for a PDU whose function code is not that of the request."""
        code = pdu[0]
        if code != self.function_code | 0x80:
            return InvalidResponseError(
                f"answer has function code {code}, the request had {self.function_code}"
            )
        if len(pdu) != 2:
            return InvalidResponseError(
                f"exception response must be 2 bytes, got {len(pdu)}: {pdu.hex(' ')}"
            )
        return ExceptionResponseError.for_code(self, pdu[1])


if TYPE_CHECKING:
    AnyRequest: TypeAlias = Request[Response]


class ExceptionResponse(Response):
    """An exception response: function code + 0x80 and an exception code (section 7).

    `function_code` is that of the refused request, without the high bit. `cause` is the error
    that led to it, for logs; comparisons ignore it.
    """

    __slots__ = ("cause", "exception_code", "function_code")
    __match_args__ = ("function_code", "exception_code")
    length_rule = staticmethod(fixed_length(2))
    function_code: int
    exception_code: int
    cause: BaseException | None

    def __init__(
        self, function_code: int, exception_code: int, cause: BaseException | None = None
    ) -> None:
        if not 0 <= function_code <= 127:
            raise ValueError(f"function code must be 0..127, got {function_code}")
        if not 0 <= exception_code <= 255:
            raise ValueError(f"exception code must be 0..255, got {exception_code}")
        set_field(self, "function_code", function_code)
        set_field(self, "exception_code", exception_code)
        set_field(self, "cause", cause)

    def encode(self) -> bytes:
        return bytes((self.function_code | 0x80, self.exception_code))

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 2 or pdu[0] < 0x80:
            raise InvalidResponseError(
                f"exception response must be 2 bytes with a function code from 80 on, "
                f"got {pdu.hex(' ')}"
            )
        return cls(pdu[0] & 0x7F, pdu[1])


class RawResponse(Response):
    """An undecoded PDU: the response to a `RawRequest`, or to a function that is not registered."""

    __slots__ = ("data", "function_code")
    __match_args__ = ("function_code", "data")
    function_code: int
    data: bytes

    def __init__(self, function_code: int, data: bytes = b"") -> None:
        set_field(self, "function_code", function_code)
        set_field(self, "data", bytes(data))

    def encode(self) -> bytes:
        return bytes((self.function_code,)) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if not pdu:
            raise InvalidResponseError("a PDU must have a function code, got 0 bytes")
        return cls(pdu[0], pdu[1:])


class RawRequest(Request[RawResponse]):
    """Any function code with any data, valid or not, for test benches.

    `function_code` is 0..255, `data` at most 252 bytes. It accepts every response except an
    exception response to this function code.
    """

    __slots__ = ("data", "function_code")
    __match_args__ = ("function_code", "data")
    is_write = True  # unknown, so it is not retried, and may be broadcast
    response_type = RawResponse
    function_code: int
    data: bytes

    def __init__(self, function_code: int, data: bytes = b"") -> None:
        if not 0 <= function_code <= 255:
            raise ValueError(f"function code must be 0..255, got {function_code}")
        if len(data) > MAX_PDU - 1:
            raise ValueError(f"data must be at most {MAX_PDU - 1} bytes, got {len(data)}")
        set_field(self, "function_code", function_code)
        set_field(self, "data", bytes(data))

    def encode(self) -> bytes:
        return bytes((self.function_code,)) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if not pdu:
            raise InvalidRequestError("a PDU must have a function code, got 0 bytes", 0)
        return cls(pdu[0], pdu[1:])

    def execute(self, unit: Device) -> RawResponse | None:
        raise ExceptionResponseError.for_code(self, ExceptionCode.ILLEGAL_FUNCTION)
