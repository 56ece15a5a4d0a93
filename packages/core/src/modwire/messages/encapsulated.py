"""Function 43/14, device identification (section 6.21), and `Identity`, which a unit answers from.

The other encapsulated interface, 43/13, is in `canopen`, and importable from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from ..errors import (
    ExceptionCode,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    InvalidRequestError,
    InvalidResponseError,
)
from .base import MAX_PDU, Request, Response, fixed_length, set_field
from .canopen import (
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    check_request_type,
    check_response_type,
)
from .checks import check_echo, wrong_request, wrong_response

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..units.unit import Unit

__all__ = [
    "CanopenGeneralReferenceRequest",
    "CanopenGeneralReferenceResponse",
    "Identity",
    "IdentityObject",
    "ObjectId",
    "ReadDeviceIdCode",
    "ReadDeviceIdentificationRequest",
    "ReadDeviceIdentificationResponse",
]

READ_DEVICE_IDENTIFICATION = 14

MAX_OBJECTS_LENGTH = MAX_PDU - 7  # bytes for all objects of an answer, 2 of them for each header
MAX_OBJECT_LENGTH = MAX_OBJECTS_LENGTH - 2

_INDIVIDUAL_ACCESS = 0x80
_CONFORMITY_LEVELS = (0x01, 0x02, 0x03, 0x81, 0x82, 0x83)


class ReadDeviceIdCode(IntEnum):
    """The read device id codes: three categories to stream, or one specific object."""

    BASIC = 1
    REGULAR = 2
    EXTENDED = 3
    SPECIFIC = 4


class ObjectId(IntEnum):
    """The objects that have a meaning; 80 to FF are the device's own, the others reserved."""

    VENDOR_NAME = 0
    PRODUCT_CODE = 1
    MAJOR_MINOR_REVISION = 2
    VENDOR_URL = 3
    PRODUCT_NAME = 4
    MODEL_NAME = 5
    USER_APPLICATION_NAME = 6


_CODES = {code.value: code for code in ReadDeviceIdCode}
_LAST_OBJECTS = {
    ReadDeviceIdCode.BASIC: 0x02,
    ReadDeviceIdCode.REGULAR: 0x7F,
    ReadDeviceIdCode.EXTENDED: 0xFF,
}


class IdentityObject(NamedTuple):
    """An object of the device identification: its id (0..255, see `ObjectId`) and its bytes."""

    id: int
    value: bytes


def _objects_length(buffer: bytes, at: int) -> int:
    """The length rule of an answer to 43/14: the objects tell, one after the other."""
    end = at + 7
    if len(buffer) < end:
        return 0
    for _ in range(buffer[at + 6]):
        if len(buffer) < end + 2:
            return 0
        end += 2 + buffer[end + 1]
    return end - at


class ReadDeviceIdentificationResponse(Response):
    """The answer to function 43/14: some objects of the device identification.

    `objects` are pairs of an id and its bytes, kept as `IdentityObject`; `dict()` makes a mapping
    of them. `conformity_level` is 01 to 03 for a device that only streams, 81 to 83 for one with
    individual access. If `more_follows`, ask again from `next_object_id` on.
    """

    __slots__ = ("conformity_level", "more_follows", "next_object_id", "objects", "read_code")
    __match_args__ = (
        "read_code",
        "conformity_level",
        "more_follows",
        "next_object_id",
        "objects",
    )
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
        if conformity_level not in _CONFORMITY_LEVELS:
            raise ValueError(
                f"conformity level must be 01..03 or 81..83, got {conformity_level:02X}"
            )
        if not 0 <= next_object_id <= 255 or (next_object_id and not more_follows):
            raise ValueError(
                "next object id must be 0..255, and 0 when nothing follows, "
                f"got {next_object_id} with more_follows={more_follows}"
            )
        checked = tuple([_checked_object(object_id, value) for object_id, value in objects])
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
        """The response in `pdu`.

        Devices, and the printed example, get the number of objects wrong: those that are there
        count. So do conformity levels and a "more follows" that the specification does not have.
        """
        if not 7 <= len(pdu) <= MAX_PDU:
            raise wrong_response(cls, pdu, "7 + 2 for each object and its length, at most 253")
        check_response_type(cls, pdu, READ_DEVICE_IDENTIFICATION)
        code = _CODES.get(pdu[2])
        if code is None:
            raise InvalidResponseError(f"read device id code must be 1..4, got {pdu[2]}")
        response = cls.__new__(cls)
        set_field(response, "read_code", code)
        set_field(response, "conformity_level", pdu[3])
        set_field(response, "more_follows", pdu[4] != 0)
        set_field(response, "next_object_id", pdu[5])
        set_field(response, "objects", tuple(_parsed_objects(pdu)))
        return response

    def __reduce__(self) -> tuple[Callable[[bytes], Self], tuple[bytes]]:  # type: ignore[override]
        # The constructor is stricter than the wire.
        return type(self).decode, (self.encode(),)


class ReadDeviceIdentificationRequest(Request[ReadDeviceIdentificationResponse]):
    """Function 43/14: read a category of objects from `object_id` on, or just that one (6.21).

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
            raise wrong_request(cls, pdu, "4")
        check_request_type(cls, pdu, READ_DEVICE_IDENTIFICATION)
        return cls(pdu[2], pdu[3])

    def check_response(self, response: ReadDeviceIdentificationResponse) -> None:
        check_echo("read device id code", response.read_code, self.read_code)
        ids = [object_id for object_id, _ in response.objects]
        if self.read_code is ReadDeviceIdCode.SPECIFIC and ids != [self.object_id]:
            raise InvalidResponseError(
                f"answer has objects {ids}, the request asked for {self.object_id} alone"
            )

    def execute(self, unit: Unit) -> ReadDeviceIdentificationResponse:
        identity = unit.identity
        if identity is None:
            raise IllegalFunctionError(self, detail="the unit has no device identification")
        return identity.read(self.read_code, self.object_id)


class Identity(Mapping[int, bytes]):
    """What a device is: objects by id, each at most 244 bytes (section 6.21).

    `objects` must have 0, 1 and 2 (vendor name, product code, revision); 3 to 6 are named by
    `ObjectId`, 80 to FF are yours. Text becomes UTF-8. Objects from 3 on make the conformity level
    regular, from 80 on extended. `individual_access=False` is for a device that only streams.
    Raises ValueError for what the protocol cannot carry.
    """

    __slots__ = ("_objects", "individual_access")

    def __init__(
        self, objects: Mapping[int, bytes | str], *, individual_access: bool = True
    ) -> None:
        missing = [f"{name.value} ({name.name.lower()})" for name in _MANDATORY - objects.keys()]
        if missing:
            raise ValueError(f"identity must have objects 0, 1 and 2, lacks {', '.join(missing)}")
        self._objects = dict(
            _checked_object(object_id, value.encode() if isinstance(value, str) else value)
            for object_id, value in sorted(objects.items())
        )
        self.individual_access = individual_access

    @property
    def level(self) -> ReadDeviceIdCode:
        """The highest category that the objects make up: basic, regular or extended."""
        highest = max(self._objects)
        if highest > _LAST_OBJECTS[ReadDeviceIdCode.REGULAR]:
            return ReadDeviceIdCode.EXTENDED
        if highest > _LAST_OBJECTS[ReadDeviceIdCode.BASIC]:
            return ReadDeviceIdCode.REGULAR
        return ReadDeviceIdCode.BASIC

    @property
    def conformity_level(self) -> int:
        """01 to 03 by `level`, 81 to 83 with individual access."""
        return self.level | _INDIVIDUAL_ACCESS if self.individual_access else int(self.level)

    def read(self, read_code: int, object_id: int = 0) -> ReadDeviceIdentificationResponse:
        """The answer to function 43/14: as many whole objects as fit it.

        A stream starts again at object 0 when its category has no object `object_id`, and a code
        above the level is answered at the level. Raises `IllegalDataAddressError` for a single
        object that there is not, `IllegalDataValueError` for a read code that is not served.
        """
        code = _CODES.get(read_code)
        if code is None:
            raise IllegalDataValueError(detail=f"read device id code must be 1..4, got {read_code}")
        if code is ReadDeviceIdCode.SPECIFIC:
            return self._read_one(object_id)
        last = _LAST_OBJECTS[min(code, self.level)]
        category = [each for each in self._objects if each <= last]
        start = category.index(object_id) if object_id in category else 0
        room = MAX_OBJECTS_LENGTH
        sent: list[IdentityObject] = []
        for each in category[start:]:
            value = self._objects[each]
            room -= 2 + len(value)
            if room < 0:
                return ReadDeviceIdentificationResponse(
                    code, self.conformity_level, True, each, sent
                )
            sent.append(IdentityObject(each, value))
        return ReadDeviceIdentificationResponse(code, self.conformity_level, False, 0, sent)

    def _read_one(self, object_id: int) -> ReadDeviceIdentificationResponse:
        if not self.individual_access:
            raise IllegalDataValueError(
                detail="read device id code must be 1..3, objects stream only"
            )
        value = self._objects.get(object_id)
        if value is None:
            raise IllegalDataAddressError(detail=f"there is no object {object_id:02X}")
        return ReadDeviceIdentificationResponse(
            ReadDeviceIdCode.SPECIFIC, self.conformity_level, False, 0, [(object_id, value)]
        )

    def __getitem__(self, object_id: int) -> bytes:
        return self._objects[object_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __repr__(self) -> str:
        return f"Identity({self._objects!r}, individual_access={self.individual_access!r})"


_MANDATORY = frozenset((ObjectId.VENDOR_NAME, ObjectId.PRODUCT_CODE, ObjectId.MAJOR_MINOR_REVISION))


def _read_code(function_code: int, read_code: int) -> ReadDeviceIdCode:
    code = _CODES.get(read_code)
    if code is None:
        raise InvalidRequestError(
            f"read device id code must be 1..4, got {read_code}", function_code
        )
    return code


def _checked_object(object_id: int, value: bytes) -> IdentityObject:
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
