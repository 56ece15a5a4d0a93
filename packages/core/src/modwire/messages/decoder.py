"""`Decoder`: the class that decodes each function code, and the length rule for RTU.

Every protocol object has its own decoder, so a custom function is registered for one client or
server, and nothing global changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError
from .base import (
    ENDS_BY_SILENCE,
    ExceptionResponse,
    LengthRule,
    RawResponse,
    Request,
    Response,
    ends_by_silence,
    fixed_length,
    no_pdu,
)
from .bit_access import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from .diagnostics import (
    DiagnosticsRequest,
    GetCommEventCounterRequest,
    GetCommEventLogRequest,
    ReadExceptionStatusRequest,
    ReportServerIdRequest,
)
from .encapsulated import CanopenGeneralReferenceRequest, ReadDeviceIdentificationRequest
from .file_access import ReadFileRecordRequest, WriteFileRecordRequest
from .register_access import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from .register_operations import (
    MaskWriteRegisterRequest,
    ReadFifoQueueRequest,
    ReadWriteMultipleRegistersRequest,
)

if TYPE_CHECKING:
    from .base import AnyRequest

REQUESTS: tuple[type[AnyRequest], ...] = (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
    ReadExceptionStatusRequest,
    DiagnosticsRequest,
    GetCommEventCounterRequest,
    GetCommEventLogRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    ReportServerIdRequest,
    ReadFileRecordRequest,
    WriteFileRecordRequest,
    MaskWriteRegisterRequest,
    ReadWriteMultipleRegistersRequest,
    ReadFifoQueueRequest,
    CanopenGeneralReferenceRequest,
    ReadDeviceIdentificationRequest,
)
_STANDARD = frozenset(REQUESTS)
_PACKAGE = __name__.rpartition(".")[0]

RequestClassT = TypeVar("RequestClassT", bound="type[AnyRequest]")


class Decoder:
    """The functions that one client or server knows: those of the specification, and yours.

    `standard_reads` is True while functions 1 to 4 are those of the specification.
    """

    def __init__(self) -> None:
        self.standard_reads = True
        self._by_code: dict[int, type[AnyRequest]] = {}
        self._by_sub_code: dict[tuple[int, int], type[AnyRequest]] = {}
        self._codes_with_sub_codes: set[int] = set()
        # By function code, because RTU needs the rule once per frame.
        unknown: list[LengthRule] = [no_pdu, *[ends_by_silence] * 0x7F]
        self.request_rules: list[LengthRule] = unknown + [no_pdu] * 0x80
        self.response_rules: list[LengthRule] = unknown + [fixed_length(2)] * 0x80
        for request_class in REQUESTS:
            self._add(request_class)

    def register(self, request_class: RequestClassT) -> RequestClassT:
        """Add a custom function, or replace one; can be used as a class decorator.

        Raises TypeError if the class has no response type, or no function code of 1..127.
        """
        for name in ("function_code", "response_type"):
            if not hasattr(request_class, name):
                raise TypeError(f"{request_class.__name__} must set {name} to be registered")
        if not 1 <= request_class.function_code <= 127:
            raise TypeError(
                f"{request_class.__name__}.function_code must be 1..127, "
                f"got {request_class.function_code}"
            )
        if request_class.function_code <= 4 and request_class not in _STANDARD:
            self.standard_reads = False
        self._add(request_class)
        return request_class

    def _add(self, request_class: type[AnyRequest]) -> None:
        code = request_class.function_code
        if request_class.sub_code is None:
            self._by_code[code] = request_class
            self._codes_with_sub_codes.discard(code)
            self.request_rules[code] = _guarded(request_class.length_rule)
            self.response_rules[code] = _guarded(_response_type(request_class).length_rule)
        else:
            self._by_sub_code[code, request_class.sub_code] = request_class
            self._by_code.pop(code, None)
            self._codes_with_sub_codes.add(code)
            self.request_rules[code] = self._request_with_sub_code
            self.response_rules[code] = self._response_with_sub_code

    def decode_request(self, pdu: bytes) -> AnyRequest:
        """Return the request in `pdu`.

        Raises `InvalidRequestError`; its `exception_code` is 01 for an unknown function.
        """
        if not pdu:
            raise InvalidRequestError("a PDU must have a function code, got 0 bytes", 0)
        request_class = self._by_code.get(pdu[0])
        if request_class is None:
            request_class = self._of_sub_code(pdu)
        return request_class.decode(pdu)

    def _of_sub_code(self, pdu: bytes) -> type[AnyRequest]:
        code = pdu[0]
        if code not in self._codes_with_sub_codes:
            raise InvalidRequestError(
                f"function code {code} is not known", code, ExceptionCode.ILLEGAL_FUNCTION
            )
        if len(pdu) < 2:
            raise InvalidRequestError(f"function {code} must have a sub-code, got 1 byte", code)
        try:
            return self._by_sub_code[code, pdu[1]]
        except KeyError:
            raise InvalidRequestError(
                f"function {code} with sub-code {pdu[1]} is not known",
                code,
                ExceptionCode.ILLEGAL_FUNCTION,
            ) from None

    def decode_response(self, pdu: bytes) -> Response:
        """Return the response in `pdu`, as far as it can be decoded without its request.

        An unknown function gives a `RawResponse`. Raises `InvalidResponseError`.
        """
        if not pdu:
            raise InvalidResponseError("a PDU must have a function code, got 0 bytes")
        if pdu[0] & 0x80:
            return ExceptionResponse.decode(pdu)
        request_class = self._find(pdu, 0)
        if request_class is None:
            return RawResponse.decode(pdu)
        return _response_type(request_class).decode(pdu)

    def _find(self, buffer: bytes, at: int) -> type[AnyRequest] | None:
        """The class for the function code at `buffer[at]` and the sub-code after it."""
        request_class = self._by_code.get(buffer[at])
        if request_class is None and len(buffer) > at + 1:
            request_class = self._by_sub_code.get((buffer[at], buffer[at + 1]))
        return request_class

    def request_length(self, buffer: bytes, at: int) -> int:
        """Return the length of the request PDU at `buffer[at]`: see `LengthRule`.

        It is ENDS_BY_SILENCE for an unknown function.
        """
        return self.request_rules[buffer[at]](buffer, at)

    def response_length(self, buffer: bytes, at: int) -> int:
        """Return the length of the response PDU at `buffer[at]`: see `LengthRule`."""
        return self.response_rules[buffer[at]](buffer, at)

    def _request_with_sub_code(self, buffer: bytes, at: int) -> int:
        if len(buffer) == at + 1:
            return 0
        found = self._by_sub_code.get((buffer[at], buffer[at + 1]))
        return ENDS_BY_SILENCE if found is None else _guarded(found.length_rule)(buffer, at)

    def _response_with_sub_code(self, buffer: bytes, at: int) -> int:
        if len(buffer) == at + 1:
            return 0
        found = self._by_sub_code.get((buffer[at], buffer[at + 1]))
        if found is None:
            return ENDS_BY_SILENCE
        return _guarded(_response_type(found).length_rule)(buffer, at)


def _guarded(rule: LengthRule) -> LengthRule:
    """Return a rule that raises nothing; the rules of this package never do."""
    if rule.__module__.startswith(_PACKAGE):
        return rule

    def guarded(buffer: bytes, at: int) -> int:
        try:
            return rule(buffer, at)
        except IndexError:
            return 0  # it needs bytes that have not arrived yet
        except Exception:  # noqa: BLE001 - bytes off the wire must not raise
            return ENDS_BY_SILENCE

    return guarded


def _response_type(request_class: type[AnyRequest]) -> type[Response]:
    return request_class.response_type  # pyright: ignore[reportGeneralTypeIssues]


_default = Decoder()
decode_request = _default.decode_request
decode_response = _default.decode_response

__all__ = ["REQUESTS", "Decoder", "LengthRule", "Request", "decode_request", "decode_response"]
