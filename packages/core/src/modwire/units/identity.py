"""`Identity`: the identification of a device, which function 43/14 reads (section 6.21)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..arguments import explained
from ..errors import IllegalDataAddressError, IllegalDataValueError
from ..messages.device import IdentityPage
from ..messages.encapsulated import (
    INDIVIDUAL_ACCESS,
    LAST_OBJECTS,
    MAX_OBJECTS_LENGTH,
    READ_CODES,
    IdentityObject,
    ObjectId,
    ReadDeviceIdCode,
    ReadDeviceIdentificationResponse,
    check_object,
)

_MANDATORY = frozenset((ObjectId.VENDOR_NAME, ObjectId.PRODUCT_CODE, ObjectId.MAJOR_MINOR_REVISION))


class Identity(Mapping[int, bytes]):
    """The objects of a device identification by id, each at most 244 bytes (section 6.21).

    `objects` must have 0, 1 and 2 (vendor name, product code, revision); `ObjectId` names 3 to 6,
    and 80 to FF are device-specific. Text is encoded as UTF-8. The conformity level is regular with
    objects from 3 on, extended from 80 on. `individual_access=False` means stream access only.

    Raises ValueError if an object is missing, or an id or a value does not fit the protocol.
    """

    __slots__ = ("_objects", "individual_access")

    @explained
    def __init__(
        self, objects: Mapping[int, bytes | str], *, individual_access: bool = True
    ) -> None:
        missing = [f"{name.value} ({name.name.lower()})" for name in _MANDATORY - objects.keys()]
        if missing:
            raise ValueError(f"identity must have objects 0, 1 and 2, lacks {', '.join(missing)}")
        self._objects = dict(
            check_object(object_id, value.encode() if isinstance(value, str) else value)
            for object_id, value in sorted(objects.items())
        )
        self.individual_access = individual_access

    @property
    def level(self) -> ReadDeviceIdCode:
        """Highest category that has objects: basic, regular or extended."""
        highest = max(self._objects)
        if highest > LAST_OBJECTS[ReadDeviceIdCode.REGULAR]:
            return ReadDeviceIdCode.EXTENDED
        if highest > LAST_OBJECTS[ReadDeviceIdCode.BASIC]:
            return ReadDeviceIdCode.REGULAR
        return ReadDeviceIdCode.BASIC

    @property
    def conformity_level(self) -> int:
        """Conformity level: 01 to 03 by `level`, 81 to 83 with individual access."""
        return self.level | INDIVIDUAL_ACCESS if self.individual_access else int(self.level)

    def read(self, read_code: int, object_id: int = 0) -> ReadDeviceIdentificationResponse:
        """Return the answer to function 43/14: as many whole objects as fit one PDU.

        `read_code` is a `ReadDeviceIdCode`, 1..4. A stream starts at object 0 if its category has
        no object `object_id`, and a code above the level is answered like the level.

        Raises `IllegalDataAddressError` for a single object that does not exist, and
        `IllegalDataValueError` for a read code that the device does not support.
        """
        page = self.page(read_code, object_id)
        return ReadDeviceIdentificationResponse.of_page(read_code, page)

    def page(self, read_code: int, object_id: int = 0) -> IdentityPage:
        """Return the content of the answer of `read`, as plain values. Raises like `read`."""
        code = READ_CODES.get(read_code)
        if code is None:
            raise IllegalDataValueError(detail=f"read device id code must be 1..4, got {read_code}")
        if code is ReadDeviceIdCode.SPECIFIC:
            return self._one_object(object_id)
        last = LAST_OBJECTS[min(code, self.level)]
        category = [each for each in self._objects if each <= last]
        start = category.index(object_id) if object_id in category else 0
        room = MAX_OBJECTS_LENGTH
        sent: list[IdentityObject] = []
        for each in category[start:]:
            value = self._objects[each]
            room -= 2 + len(value)
            if room < 0:
                return IdentityPage(self.conformity_level, each, sent)
            sent.append(IdentityObject(each, value))
        return IdentityPage(self.conformity_level, None, sent)

    def _one_object(self, object_id: int) -> IdentityPage:
        if not self.individual_access:
            raise IllegalDataValueError(
                detail="read device id code must be 1..3, objects stream only"
            )
        value = self._objects.get(object_id)
        if value is None:
            raise IllegalDataAddressError(detail=f"there is no object {object_id:02X}")
        return IdentityPage(self.conformity_level, None, [IdentityObject(object_id, value)])

    def __getitem__(self, object_id: int) -> bytes:
        return self._objects[object_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __repr__(self) -> str:
        return f"Identity({self._objects!r}, individual_access={self.individual_access!r})"
