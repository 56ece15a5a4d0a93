"""`Decoder`: the class that decodes each function code, and the length rule for RTU.

Every protocol object has its own decoder, so a custom function is registered for one client or
server, and nothing global changes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError
from . import (
    bit_access,
    device_status,
    diagnostics,
    encapsulated,
    file_access,
    register_access,
    register_operations,
)
from .base import (
    ENDS_BY_SILENCE,
    ExceptionResponse,
    LengthRule,
    RawResponse,
    Response,
    ends_by_silence,
    fixed_length,
    no_pdu,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from .base import AnyRequest

    RequestDecoder: TypeAlias = Callable[[bytes], AnyRequest]

__all__ = ["REQUESTS", "Decoder", "decode_request", "decode_response"]

REQUESTS: tuple[type[AnyRequest], ...] = (
    bit_access.ReadCoilsRequest,
    bit_access.ReadDiscreteInputsRequest,
    register_access.ReadHoldingRegistersRequest,
    register_access.ReadInputRegistersRequest,
    bit_access.WriteSingleCoilRequest,
    register_access.WriteSingleRegisterRequest,
    device_status.ReadExceptionStatusRequest,
    diagnostics.DiagnosticsRequest,
    device_status.GetCommEventCounterRequest,
    device_status.GetCommEventLogRequest,
    bit_access.WriteMultipleCoilsRequest,
    register_access.WriteMultipleRegistersRequest,
    device_status.ReportServerIdRequest,
    file_access.ReadFileRecordRequest,
    file_access.WriteFileRecordRequest,
    register_operations.MaskWriteRegisterRequest,
    register_operations.ReadWriteMultipleRegistersRequest,
    register_operations.ReadFifoQueueRequest,
    encapsulated.CanopenGeneralReferenceRequest,
    encapsulated.ReadDeviceIdentificationRequest,
)
_STANDARD = frozenset(REQUESTS)
_PACKAGE = __name__.rpartition(".")[0]

RequestClassT = TypeVar("RequestClassT", bound="type[AnyRequest]")


class Decoder:
    """The functions that one client or server knows: those of the specification, and yours.

    `standard_reads` is True while functions 1 to 4 are those of the specification, `is_standard`
    while all are, and there are no others.
    """

    def __init__(self) -> None:
        self.standard_reads = True
        self.is_standard = True
        self._by_code: dict[int, type[AnyRequest]] = {}
        self._by_sub_code: dict[int, dict[int, type[AnyRequest]]] = {}
        # By function code, because these are needed once per frame.
        self.request_decoders: list[RequestDecoder] = [_refuse_unknown] * 0x100
        unknown: list[LengthRule] = [no_pdu, *[ends_by_silence] * 0x7F]
        self.request_rules: list[LengthRule] = unknown + [no_pdu] * 0x80
        self.response_rules: list[LengthRule] = unknown + [fixed_length(2)] * 0x80
        for request_class in REQUESTS:
            self._add(request_class)

    def __repr__(self) -> str:
        classes = [*self._by_code.values()]
        classes += [each for them in self._by_sub_code.values() for each in them.values()]
        own = sorted(each.__name__ for each in classes if each not in _STANDARD)
        return f"<{type(self).__name__} with {', '.join(own)}>" if own else "Decoder()"

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
        self.is_standard = False
        self._add(request_class)
        return request_class

    def _add(self, request_class: type[AnyRequest]) -> None:
        code, sub_code = request_class.function_code, request_class.sub_code
        if sub_code is None:
            self._by_code[code] = request_class
            self.request_decoders[code] = request_class.decode
            self.request_rules[code] = _guarded(request_class.length_rule)
            self.response_rules[code] = _guarded(_response_type(request_class).length_rule)
            return
        self._by_code.pop(code, None)
        classes = self._by_sub_code.setdefault(code, {})
        classes[sub_code] = request_class
        self.request_decoders[code] = partial(_decode_by_sub_code, classes)
        self.request_rules[code] = _rule_by_sub_code(
            {sub: _guarded(each.length_rule) for sub, each in classes.items()}
        )
        self.response_rules[code] = _rule_by_sub_code(
            {sub: _guarded(_response_type(each).length_rule) for sub, each in classes.items()}
        )

    def decode_request(self, pdu: bytes) -> AnyRequest:
        """Return the request in `pdu`.

        Raises `InvalidRequestError`; its `exception_code` is 01 for an unknown function.
        """
        if not pdu:
            raise InvalidRequestError("a PDU must have a function code, got 0 bytes", 0)
        return self.request_decoders[pdu[0]](pdu)

    def decode_response(self, pdu: bytes) -> Response:
        """Return the response in `pdu`, as far as it can be decoded without its request.

        An unknown function gives a `RawResponse`. Raises `InvalidResponseError`.
        """
        if not pdu:
            raise InvalidResponseError("a PDU must have a function code, got 0 bytes")
        if pdu[0] & 0x80:
            return ExceptionResponse.decode(pdu)
        request_class = self._by_code.get(pdu[0])
        if request_class is None and len(pdu) > 1:
            request_class = self._by_sub_code.get(pdu[0], {}).get(pdu[1])
        if request_class is None:
            return RawResponse.decode(pdu)
        return _response_type(request_class).decode(pdu)

    def request_length(self, buffer: bytes, at: int) -> int:
        """Return the length of the request PDU at `buffer[at]`: see `LengthRule`.

        It is ENDS_BY_SILENCE for an unknown function.
        """
        return self.request_rules[buffer[at]](buffer, at)

    def response_length(self, buffer: bytes, at: int) -> int:
        """Return the length of the response PDU at `buffer[at]`: see `LengthRule`."""
        return self.response_rules[buffer[at]](buffer, at)


def _refuse_unknown(pdu: bytes) -> AnyRequest:
    name = f"function code {pdu[0]}"
    raise InvalidRequestError(f"{name} is not known", pdu[0], ExceptionCode.ILLEGAL_FUNCTION)


def _decode_by_sub_code(classes: dict[int, type[AnyRequest]], pdu: bytes) -> AnyRequest:
    code = pdu[0]
    if len(pdu) < 2:
        raise InvalidRequestError(f"function {code} must have a sub-code, got 1 byte", code)
    if pdu[1] not in classes:
        name = f"function {code} with sub-code {pdu[1]}"
        raise InvalidRequestError(f"{name} is not known", code, ExceptionCode.ILLEGAL_FUNCTION)
    return classes[pdu[1]].decode(pdu)


def _rule_by_sub_code(rules: dict[int, LengthRule]) -> LengthRule:
    def rule(buffer: bytes, at: int) -> int:
        if len(buffer) == at + 1:
            return 0
        return rules.get(buffer[at + 1], ends_by_silence)(buffer, at)

    return rule


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
