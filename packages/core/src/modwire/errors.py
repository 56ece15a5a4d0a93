"""The error tree: everything modwire raises on purpose is a `ModbusError`.

Client calls raise these. Blocks and units raise `ExceptionResponseError` or a subclass to answer
a request with its exception code (MODBUS Application Protocol V1.1b3, section 7).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "AcknowledgeError",
    "ConnectionLostError",
    "ExceptionCode",
    "ExceptionResponseError",
    "FrameError",
    "GatewayPathUnavailableError",
    "GatewayTargetFailedError",
    "IllegalDataAddressError",
    "IllegalDataValueError",
    "IllegalFunctionError",
    "InvalidRequestError",
    "InvalidResponseError",
    "MemoryParityError",
    "ModbusError",
    "NegativeAcknowledgeError",
    "ResponseTimeoutError",
    "ServerDeviceBusyError",
    "ServerDeviceFailureError",
]


class ExceptionCode(IntEnum):
    """The exception codes of section 7, and 7 from older documents, which devices still send."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3
    SERVER_DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    SERVER_DEVICE_BUSY = 6
    NEGATIVE_ACKNOWLEDGE = 7
    MEMORY_PARITY_ERROR = 8
    GATEWAY_PATH_UNAVAILABLE = 10
    GATEWAY_TARGET_FAILED = 11


class RefusedRequest(Protocol):
    """The part of a request that an exception response needs; every request has it."""

    @property
    def function_code(self) -> int: ...


class ModbusError(Exception):
    """Base of every error that modwire raises on purpose.

    An error of a client's call has `request`, `unit`, to which it was sent, and `peer`, the name of
    the client's endpoint; otherwise they are None and "".

    Each can be pickled and copied with all its attributes, whatever its constructor takes, and so
    can your subclasses: an error that a worker process cannot return breaks its whole pool.
    """

    peer: str = ""
    unit: int | None = None
    request: RefusedRequest | None = None
    _names_request = False  # True if the text names the unit and the request already

    def __str__(self) -> str:
        text = self._text()
        place = [self.peer] if self.peer else []
        if self.unit is not None and not self._names_request:
            place.append(f"unit {self.unit}")
        return f"{', '.join(place)}: {text}" if place else text

    def _text(self) -> str:
        text = super().__str__()
        return text if self.request is None else f"{text}; the request was {self.request!r}"

    def about(self, peer: str, unit: int, request: RefusedRequest) -> Self:
        """Return a copy of this error that names `peer`, `unit` and `request`."""
        copied = _rebuild(type(self), self.args)
        vars(copied).update(vars(self), peer=peer, unit=unit, request=request)
        copied.__cause__ = self.__cause__
        return copied

    def __reduce__(self) -> tuple[object, ...]:
        reduced = super().__reduce__()
        assert isinstance(reduced, tuple)
        _, arguments, *state = reduced
        return _rebuild, (type(self), arguments), *state


def _rebuild(error_class: type[ErrorT], arguments: tuple[object, ...]) -> ErrorT:
    """Make an error without its constructor, which may need more than `arguments`."""
    error = error_class.__new__(error_class, *arguments)
    if isinstance(error, OSError):
        # An OSError with an overridden constructor sets errno and the message only in __init__.
        OSError.__init__(error, *arguments)
    return error


ErrorT = TypeVar("ErrorT", bound=ModbusError)


class FrameError(ModbusError):
    """Raised for bytes that are not a valid frame: a wrong checksum, an impossible length, noise.

    Framings return it in the sequence of frames. `fatal` is True if the end of the frame is
    unknown (TCP only), so that the connection has to be closed.
    """

    def __init__(self, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


class InvalidRequestError(ModbusError, ValueError):
    """Raised for a request that breaks the specification.

    `function_code` and `exception_code` are those of the exception response to it.
    """

    def __init__(
        self,
        message: str,
        function_code: int,
        exception_code: int = ExceptionCode.ILLEGAL_DATA_VALUE,
    ) -> None:
        super().__init__(message)
        self.function_code = function_code
        self.exception_code = exception_code


class InvalidResponseError(ModbusError):
    """Raised for a response that does not fit its request: function code, length, count or echo."""


class ResponseTimeoutError(ModbusError, TimeoutError):
    """Raised when no response came within the timeout, in any of the attempts.

    The text says what came instead.
    """

    _names_request = True

    def _text(self) -> str:
        return OSError.__str__(self)


class ConnectionLostError(ModbusError, ConnectionError):
    """Raised when the link could not be opened, or was lost while a response was due."""


class ExceptionResponseError(ModbusError):
    """Raised when the server answered with an exception response, and by units to send one.

    `code` is the exception code on the wire. `request` is the request that it answers, None if a
    block or a unit raised the error. `detail` is a text for the log of the server.
    """

    default_code: ClassVar[int] = ExceptionCode.SERVER_DEVICE_FAILURE

    def __init__(
        self, request: RefusedRequest | None = None, code: int | None = None, detail: str = ""
    ) -> None:
        self.request = request
        self.code = self.default_code if code is None else code
        self.detail = detail
        super().__init__(request, code, detail)

    def _text(self) -> str:
        try:
            name = ExceptionCode(self.code).name.lower().replace("_", " ")
        except ValueError:
            name = "unknown exception code"
        text = f"exception {self.code:02X} ({name})"
        if self.request is not None:
            text += f" in answer to {self.request!r}"
        return f"{text}: {self.detail}" if self.detail else text

    @classmethod
    def for_code(cls, request: RefusedRequest | None, code: int) -> ExceptionResponseError:
        """Return the error of the subclass for `code`; this class for an unknown code."""
        return _BY_CODE.get(code, cls)(request, code)


class IllegalFunctionError(ExceptionResponseError):
    """Exception code 01: the server does not support the function, or not for this client."""

    default_code = ExceptionCode.ILLEGAL_FUNCTION


class IllegalDataAddressError(ExceptionResponseError):
    """Exception code 02: an address, or address + quantity, that the server does not have."""

    default_code = ExceptionCode.ILLEGAL_DATA_ADDRESS


class IllegalDataValueError(ExceptionResponseError):
    """Exception code 03: a fault in the structure of the request, such as its length."""

    default_code = ExceptionCode.ILLEGAL_DATA_VALUE


class ServerDeviceFailureError(ExceptionResponseError):
    """Exception code 04: the server failed while it executed the request."""

    default_code = ExceptionCode.SERVER_DEVICE_FAILURE


class AcknowledgeError(ExceptionResponseError):
    """Exception code 05: the request is accepted but takes long; poll later for completion."""

    default_code = ExceptionCode.ACKNOWLEDGE


class ServerDeviceBusyError(ExceptionResponseError):
    """Exception code 06: the server is busy with a long command; send the request again later."""

    default_code = ExceptionCode.SERVER_DEVICE_BUSY


class NegativeAcknowledgeError(ExceptionResponseError):
    """Exception code 07: the program function cannot be performed (older documents)."""

    default_code = ExceptionCode.NEGATIVE_ACKNOWLEDGE


class MemoryParityError(ExceptionResponseError):
    """Exception code 08: the extended file area failed its parity check."""

    default_code = ExceptionCode.MEMORY_PARITY_ERROR


class GatewayPathUnavailableError(ExceptionResponseError):
    """Exception code 0A: the gateway has no path to the unit."""

    default_code = ExceptionCode.GATEWAY_PATH_UNAVAILABLE


class GatewayTargetFailedError(ExceptionResponseError):
    """Exception code 0B: the unit behind the gateway did not answer."""

    default_code = ExceptionCode.GATEWAY_TARGET_FAILED


_BY_CODE: dict[int, type[ExceptionResponseError]] = {
    subclass.default_code: subclass for subclass in ExceptionResponseError.__subclasses__()
}
