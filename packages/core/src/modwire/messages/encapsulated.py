"""Function 43, the encapsulated interface: CANopen (43/13) and device identification (43/14).

The second byte of a PDU, its MEI type, selects one of the two (sections 6.19 to 6.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ExceptionCode, IllegalFunctionError, InvalidRequestError, InvalidResponseError
from .base import MAX_PDU, Message, Request, Response, fixed_length, new_message, set_field
from .checks import check_echo, malformed, wrong_length

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device, IdentityPage

__all__ = [
    "CanopenGeneralReferenceRequest",
    "CanopenGeneralReferenceResponse",
    "IdentityObject",
    "ObjectId",
    "ReadDeviceIdCode",
    "ReadDeviceIdentificationRequest",
    "ReadDeviceIdentificationResponse",
]

CANOPEN_GENERAL_REFERENCE = 13
READ_DEVICE_IDENTIFICATION = 14

MAX_MEI_DATA = MAX_PDU - 2
MAX_OBJECTS_LENGTH = MAX_PDU - 7  # bytes for all objects of a response, with 2 for each header
MAX_OBJECT_LENGTH = MAX_OBJECTS_LENGTH - 2

INDIVIDUAL_ACCESS = 0x80  # a bit of the conformity level
CONFORMITY_LEVELS = (0x01, 0x02, 0x03, 0x81, 0x82, 0x83)


class ReadDeviceIdCode(IntEnum):
    """The read device id codes: three categories that are streamed, or one object."""

    BASIC = 1
    REGULAR = 2
    EXTENDED = 3
    SPECIFIC = 4


class ObjectId(IntEnum):
    """The objects that the specification defines; 80 to FF are device specific, others reserved."""

    VENDOR_NAME = 0
    PRODUCT_CODE = 1
    MAJOR_MINOR_REVISION = 2
    VENDOR_URL = 3
    PRODUCT_NAME = 4
    MODEL_NAME = 5
    USER_APPLICATION_NAME = 6


READ_CODES = {code.value: code for code in ReadDeviceIdCode}
LAST_OBJECTS = {  # by category; each has the objects of the one before it too
    ReadDeviceIdCode.BASIC: 0x02,
    ReadDeviceIdCode.REGULAR: 0x7F,
    ReadDeviceIdCode.EXTENDED: 0xFF,
}


class IdentityObject(NamedTuple):
    """An object of the device identification: its id (0..255, see `ObjectId`) and its bytes."""

    id: int
    value: bytes


class CanopenData(Message):
    """The form of function 43/13: 0 to 251 bytes that CiA 309-2 defines."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    function_code = 43
    data: bytes

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_MEI_DATA:
            raise InvalidRequestError(
                f"data must be 0..{MAX_MEI_DATA} bytes, got {len(data)}", self.function_code
            )
        set_field(self, "data", bytes(data))

    def encode(self) -> bytes:
        return bytes((self.function_code, CANOPEN_GENERAL_REFERENCE)) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if not 2 <= len(pdu) <= MAX_PDU:
            raise wrong_length(cls, pdu, "2..253")
        _check_type(cls, pdu, CANOPEN_GENERAL_REFERENCE)
        return cls(pdu[2:])


class CanopenGeneralReferenceResponse(CanopenData, Response):
    """The response to function 43/13: 0 to 251 bytes that CiA 309-2 defines."""

    __slots__ = ()


class CanopenGeneralReferenceRequest(CanopenData, Request[CanopenGeneralReferenceResponse]):
    """Function 43/13: 0 to 251 bytes to a CANopen device, as CiA 309-2 defines them (6.20)."""

    __slots__ = ()
    sub_code = CANOPEN_GENERAL_REFERENCE
    is_write = True  # unknown, so it is not retried
    response_type = CanopenGeneralReferenceResponse

    @property
    def may_be_broadcast(self) -> bool:
        return False

    def execute(self, unit: Device) -> CanopenGeneralReferenceResponse:
        return CanopenGeneralReferenceResponse(unit.canopen_general_reference(self.data))


def _objects_length(buffer: bytes, at: int) -> int:
    """Return the length of a response to 43/14, in which each object has its own length."""
    end = at + 7
    if len(buffer) < end:
        return 0
    for _ in range(buffer[at + 6]):
        if len(buffer) < end + 2:
            return 0
        end += 2 + buffer[end + 1]
        if end - at > MAX_PDU:
            break  # no PDU, however many objects follow
    return end - at


class ReadDeviceIdentificationResponse(Response):
    """The response to function 43/14: some objects of the device identification.

    `objects` are pairs of an id and its bytes, kept as `IdentityObject`; `dict()` makes a mapping
    of them. `conformity_level` is 01 to 03 for a device that only streams, 81 to 83 for one with
    individual access. If `more_follows`, the next request starts at `next_object_id`.
    """

    __slots__ = ("conformity_level", "more_follows", "next_object_id", "objects", "read_code")
    __match_args__ = ("read_code", "conformity_level", "more_follows", "next_object_id", "objects")
    function_code = 43
    length_rule = staticmethod(_objects_length)
    read_code: ReadDeviceIdCode
    conformity_level: int
    more_follows: bool
    next_object_id: int
    objects: tuple[IdentityObject, ...]

    def __init__(
        self,
        read_code: int,
        conformity_level: int,
        more_follows: bool,
        next_object_id: int,
        objects: Iterable[tuple[int, bytes]],
    ) -> None:
        code = _read_code(self.function_code, read_code)
        if conformity_level not in CONFORMITY_LEVELS:
            raise ValueError(
                f"conformity level must be 01..03 or 81..83, got {conformity_level:02X}"
            )
        if not 0 <= next_object_id <= 255 or (next_object_id and not more_follows):
            raise ValueError(
                "next object id must be 0..255, and 0 when nothing follows, "
                f"got {next_object_id} with more_follows={more_follows}"
            )
        checked = tuple([check_object(object_id, value) for object_id, value in objects])
        size = sum([2 + len(value) for _, value in checked])
        if size > MAX_OBJECTS_LENGTH:
            raise ValueError(
                f"objects must be at most {MAX_OBJECTS_LENGTH} bytes with 2 more for each, "
                f"got {size}"
            )
        set_field(self, "read_code", code)
        set_field(self, "conformity_level", conformity_level)
        set_field(self, "more_follows", bool(more_follows))
        set_field(self, "next_object_id", next_object_id)
        set_field(self, "objects", checked)

    @classmethod
    def of_page(cls, read_code: int, page: IdentityPage) -> Self:
        """Return the response to `read_code` with the values of `page`."""
        level, following, objects = page
        return cls(read_code, level, following is not None, following or 0, objects)

    def encode(self) -> bytes:
        header = bytes(
            (
                self.function_code,
                READ_DEVICE_IDENTIFICATION,
                self.read_code,
                self.conformity_level,
                0xFF if self.more_follows else 0x00,
                self.next_object_id,
                len(self.objects),
            )
        )
        return header + b"".join(
            [bytes((object_id, len(value))) + value for object_id, value in self.objects]
        )

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        """Return the response in `pdu`.

        Devices, and the example in the specification, state a wrong number of objects, so that
        number is ignored. Conformity levels and values of "more follows" that the specification
        does not have are accepted too.
        """
        if not 7 <= len(pdu) <= MAX_PDU:
            raise wrong_length(cls, pdu, "7 + 2 for each object and its length, at most 253")
        _check_type(cls, pdu, READ_DEVICE_IDENTIFICATION)
        code = READ_CODES.get(pdu[2])
        if code is None:
            raise InvalidResponseError(f"read device id code must be 1..4, got {pdu[2]}")
        response = new_message(cls)
        set_field(response, "read_code", code)
        set_field(response, "conformity_level", pdu[3])
        set_field(response, "more_follows", pdu[4] != 0)
        set_field(response, "next_object_id", pdu[5])
        set_field(response, "objects", tuple(_parsed_objects(pdu)))
        return response


class ReadDeviceIdentificationRequest(Request[ReadDeviceIdentificationResponse]):
    """Function 43/14: read the objects of a category from `object_id` on, or that object (6.21).

    `read_code` is a `ReadDeviceIdCode`, 1 to 4; `object_id` is 0..255, see `ObjectId`.
    """

    __slots__ = ("object_id", "read_code")
    __match_args__ = ("read_code", "object_id")
    function_code = 43
    sub_code = READ_DEVICE_IDENTIFICATION
    length_rule = staticmethod(fixed_length(4))
    response_type = ReadDeviceIdentificationResponse
    read_code: ReadDeviceIdCode
    object_id: int

    def __init__(self, read_code: int, object_id: int = 0) -> None:
        code = _read_code(self.function_code, read_code)
        if not 0 <= object_id <= 255:
            raise InvalidRequestError(
                f"object id must be 0..255, got {object_id}",
                self.function_code,
                ExceptionCode.ILLEGAL_DATA_ADDRESS,
            )
        set_field(self, "read_code", code)
        set_field(self, "object_id", object_id)

    def encode(self) -> bytes:
        return bytes(
            (self.function_code, READ_DEVICE_IDENTIFICATION, self.read_code, self.object_id)
        )

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 4:
            raise wrong_length(cls, pdu, "4")
        _check_type(cls, pdu, READ_DEVICE_IDENTIFICATION)
        return cls(pdu[2], pdu[3])

    def check_response(self, response: ReadDeviceIdentificationResponse) -> None:
        check_echo("read device id code", response.read_code, self.read_code)
        ids = [object_id for object_id, _ in response.objects]
        if self.read_code is ReadDeviceIdCode.SPECIFIC and ids != [self.object_id]:
            raise InvalidResponseError(
                f"answer has objects {ids}, the request asked for {self.object_id} alone"
            )

    def execute(self, unit: Device) -> ReadDeviceIdentificationResponse:
        identity = unit.identity
        if identity is None:
            raise IllegalFunctionError(self, detail="the unit has no device identification")
        page = identity.page(self.read_code, self.object_id)
        return ReadDeviceIdentificationResponse.of_page(self.read_code, page)


def _check_type(message: type[Message], pdu: bytes, mei_type: int) -> None:
    if pdu[1] != mei_type:
        raise malformed(
            message,
            f"MEI type of {message.__name__} must be {mei_type}, got {pdu[1]}",
            ExceptionCode.ILLEGAL_FUNCTION,
        )


def _read_code(function_code: int, read_code: int) -> ReadDeviceIdCode:
    code = READ_CODES.get(read_code)
    if code is None:
        raise InvalidRequestError(
            f"read device id code must be 1..4, got {read_code}", function_code
        )
    return code


def check_object(object_id: int, value: bytes) -> IdentityObject:
    """Return the object; raises ValueError if its id or its size does not fit a PDU."""
    if not 0 <= object_id <= 255:
        raise ValueError(f"object id must be 0..255, got {object_id}")
    if len(value) > MAX_OBJECT_LENGTH:
        raise ValueError(
            f"object {object_id:02X} must be at most {MAX_OBJECT_LENGTH} bytes, got {len(value)}"
        )
    return IdentityObject(int(object_id), bytes(value))


def _parsed_objects(pdu: bytes) -> Iterator[IdentityObject]:
    at = 7
    while at < len(pdu):
        end = at + 2 + pdu[at + 1] if at + 1 < len(pdu) else at + 2
        if end > len(pdu):
            raise InvalidResponseError(
                f"object {pdu[at]:02X} must have {end - at} bytes, {len(pdu) - at} are left"
            )
        yield IdentityObject(pdu[at], pdu[at + 2 : end])
        at = end
