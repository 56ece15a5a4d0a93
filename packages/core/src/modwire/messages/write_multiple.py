"""The responses to functions 15 and 16, which have the same form (sections 6.11 and 6.12)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, ClassVar

from ..errors import InvalidRequestError, InvalidResponseError
from .base import Response, fixed_length, set_field, slot_setter
from .checks import check_span, wrong_response

if TYPE_CHECKING:
    from typing_extensions import Self

_TWO_WORDS = Struct(">BHH")


class WriteMultipleResponse(Response):
    """The base of both: `count` coils or registers were written from `address` on."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    length_rule = staticmethod(fixed_length(5))
    _most: ClassVar[int]
    _what: ClassVar[str]
    address: int
    count: int

    def __init__(self, address: int, count: int) -> None:
        check_span(self.function_code, address, count, self._most, self._what)
        set_field(self, "address", address)
        set_field(self, "count", count)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_response(cls, pdu, "5")
        _, address, count = _TWO_WORDS.unpack(pdu)
        try:
            return cls(address, count)
        except InvalidRequestError as error:
            raise InvalidResponseError(str(error)) from None


set_written_address = slot_setter(WriteMultipleResponse, "address")
set_written_count = slot_setter(WriteMultipleResponse, "count")
