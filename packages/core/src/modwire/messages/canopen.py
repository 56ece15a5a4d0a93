"""Function 43/13, the CANopen general reference, and the MEI type of function 43 (6.19, 6.20)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError
from .base import MAX_PDU, Message, Request, Response, set_field
from .checks import wrong_request, wrong_response

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

CANOPEN_GENERAL_REFERENCE = 13
MAX_MEI_DATA = MAX_PDU - 2


class CanopenGeneralReferenceResponse(Response):
    """The response to function 43/13: 0 to 251 bytes that CiA 309-2 defines."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    function_code = 43
    data: bytes

    def __init__(self, data: bytes) -> None:
        set_field(self, "data", _mei_data(self.function_code, data))

    def encode(self) -> bytes:
        return bytes((self.function_code, CANOPEN_GENERAL_REFERENCE)) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if not 2 <= len(pdu) <= MAX_PDU:
            raise wrong_response(cls, pdu, "2..253")
        check_response_type(cls, pdu, CANOPEN_GENERAL_REFERENCE)
        return cls(pdu[2:])


class CanopenGeneralReferenceRequest(Request[CanopenGeneralReferenceResponse]):
    """Function 43/13: 0 to 251 bytes to a CANopen device, as CiA 309-2 defines them (6.20)."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    function_code = 43
    sub_code = CANOPEN_GENERAL_REFERENCE
    is_write = True  # unknown, so it is not retried
    response_type = CanopenGeneralReferenceResponse
    data: bytes

    def __init__(self, data: bytes) -> None:
        set_field(self, "data", _mei_data(self.function_code, data))

    @property
    def may_be_broadcast(self) -> bool:
        return False

    def encode(self) -> bytes:
        return bytes((self.function_code, CANOPEN_GENERAL_REFERENCE)) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if not 2 <= len(pdu) <= MAX_PDU:
            raise wrong_request(cls, pdu, "2..253")
        check_request_type(cls, pdu, CANOPEN_GENERAL_REFERENCE)
        return cls(pdu[2:])

    def execute(self, unit: Device) -> CanopenGeneralReferenceResponse:
        return CanopenGeneralReferenceResponse(unit.canopen_general_reference(self.data))


def _mei_data(function_code: int, data: bytes) -> bytes:
    if len(data) > MAX_MEI_DATA:
        raise InvalidRequestError(
            f"data must be 0..{MAX_MEI_DATA} bytes, got {len(data)}", function_code
        )
    return bytes(data)


def check_request_type(message: type[Message], pdu: bytes, mei_type: int) -> None:
    """Raise InvalidRequestError (01) if the second byte of a request is another MEI type."""
    if pdu[1] != mei_type:
        raise InvalidRequestError(
            f"MEI type of {message.__name__} must be {mei_type}, got {pdu[1]}",
            message.function_code,
            ExceptionCode.ILLEGAL_FUNCTION,
        )


def check_response_type(message: type[Message], pdu: bytes, mei_type: int) -> None:
    """Raise InvalidResponseError if the second byte of a response is another MEI type."""
    if pdu[1] != mei_type:
        raise InvalidResponseError(
            f"MEI type of {message.__name__} must be {mei_type}, got {pdu[1]}"
        )
