"""Forms that several PDUs share: address and count, a multiple write, a byte count with data.

Code that runs once per request stays in one Python function: valid numbers are checked inline, and
only invalid ones are passed to the check that raises the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..errors import InvalidRequestError, InvalidResponseError
from .base import (
    Message,
    Request,
    Response,
    ResponseT_co,
    counted_length,
    fixed_length,
    new_message,
    slot_setter,
)
from .checks import check_echo, check_lengths, check_span, counted, wrong_answer, wrong_length
from .packing import UNPACK_REGISTERS, pack_registers

if TYPE_CHECKING:
    from typing_extensions import Self

# Bound methods, because calling a method of an imported object takes 50 ns more (CPython 3.11).
pack_words = Struct(">BHH").pack
unpack_words = Struct(">BHH").unpack
MAX_READ_REGISTERS = 125

_WRITE_MULTIPLE = Struct(">BHHB")


class CountedData(Message):
    """The form of a byte count and as many bytes of `data`."""

    __slots__ = ("data",)
    length_rule = staticmethod(counted_length(1))
    data: bytes

    def encode(self) -> bytes:
        return bytes((self.function_code, len(self.data))) + self.data


set_data = slot_setter(CountedData, "data")


class AddressAndCount(Message):
    """The form of `count` coils, inputs or registers from `address` on."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    length_rule = staticmethod(fixed_length(5))
    _most: ClassVar[int]
    _what: ClassVar[str]
    address: int
    count: int

    def __init__(self, address: int, count: int = 1) -> None:
        if (
            type(address) is not int
            or type(count) is not int
            or not (1 <= count <= self._most and 0 <= address <= 0x10000 - count)
        ):
            check_span(self.function_code, address, count, self._most, self._what)
            address, count = int(address), int(count)
        set_address(self, address)
        set_count(self, count)

    def encode(self) -> bytes:
        return pack_words(self.function_code, self.address, self.count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_length(cls, pdu, "5")
        code, address, count = unpack_words(pdu)
        if not 1 <= count <= cls._most or address + count > 0x10000:
            check_span(code, address, count, cls._most, cls._what)
        message = new_message(cls)
        set_address(message, address)
        set_count(message, count)
        return message


set_address = slot_setter(AddressAndCount, "address")
set_count = slot_setter(AddressAndCount, "count")


class ReadRegistersResponse(CountedData, Response):
    """The base of the responses to functions 3, 4 and 23: 1 to 125 registers."""

    __slots__ = ()
    __match_args__ = ("registers",)
    length_rule = staticmethod(counted_length(1, least=2))

    def __init__(self, registers: Sequence[int]) -> None:
        set_data(self, pack_registers(self.function_code, registers, MAX_READ_REGISTERS))

    @classmethod
    def from_data(cls, data: bytes) -> Self:
        """Return the response with big-endian `data` of 2 to 250 bytes, which is not checked."""
        response = new_message(cls)
        set_data(response, data)
        return response

    @property
    def registers(self) -> tuple[int, ...]:
        """The values, 0..65535 each."""
        return UNPACK_REGISTERS[len(self.data) >> 1](self.data)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not 2 <= size <= 2 * MAX_READ_REGISTERS or size & 1 or pdu[1] != size:
            allowed = f"2 + byte count (2..{2 * MAX_READ_REGISTERS}, even)"
            raise wrong_length(cls, pdu, allowed)
        return cls.from_data(pdu[2:])


ReadT_co = TypeVar("ReadT_co", bound=ReadRegistersResponse, covariant=True)


class ReadRegistersRequest(AddressAndCount, Request[ReadT_co]):
    """The base of functions 3 and 4: read `count` (1..125) registers from `address` on."""

    __slots__ = ()
    _most = MAX_READ_REGISTERS
    _what = "registers"

    def expected_length(self) -> int:
        return 2 + (self.count << 1)

    def decode_response(self, pdu: bytes) -> ReadT_co:
        size = self.count << 1
        if len(pdu) != size + 2 or pdu[1] != size or pdu[0] != self.function_code:
            raise wrong_answer(self, pdu, size, counted(self.count, "register"))
        response = new_message(self.response_type)
        set_data(response, pdu[2:])
        return response


class EchoedRequest(Request[ResponseT_co]):
    """The base of writes whose response repeats fields of the request."""

    __slots__ = ()
    is_write = True

    def expected_length(self) -> int:
        return 5

    def check_response(self, response: ResponseT_co) -> None:  # type: ignore[misc]
        for name in response.__match_args__:
            check_echo(name, getattr(response, name), getattr(self, name))


class WriteMultipleResponse(AddressAndCount, Response):
    """The base of the responses to functions 15 and 16: the address and the number written."""

    __slots__ = ()

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        try:
            return super().decode(pdu)
        except InvalidRequestError as error:
            raise InvalidResponseError(f"answer is wrong: {error}") from None


WrittenT_co = TypeVar("WrittenT_co", bound=WriteMultipleResponse, covariant=True)


class WriteMultipleRequest(AddressAndCount, EchoedRequest[WrittenT_co]):
    """The base of functions 15 and 16: address and count, then a byte count and `data`."""

    __slots__ = ("data",)
    __match_args__ = ("address", "values")
    length_rule = staticmethod(counted_length(5))
    _bits: ClassVar[int]  # of each coil or register
    data: bytes

    def encode(self) -> bytes:
        data = self.data
        header = _WRITE_MULTIPLE.pack(self.function_code, self.address, self.count, len(data))
        return header + data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 6
        if size < 0:
            raise wrong_length(cls, pdu, "6 + byte count")
        code, address, count, byte_count = _WRITE_MULTIPLE.unpack_from(pdu)
        due = (count * cls._bits + 7) >> 3
        most = cls._most
        if not (due == size == byte_count and 1 <= count <= most and address + count <= 0x10000):
            check_lengths(code, count, most, cls._what, due, byte_count, size)
            check_span(code, address, count, most, cls._what)
        request = new_message(cls)
        set_address(request, address)
        set_count(request, count)
        set_write_data(request, pdu[6:])
        return request

    def decode_response(self, pdu: bytes) -> WrittenT_co:
        address, count = self.address, self.count
        if pdu != pack_words(self.function_code, address, count):
            return super().decode_response(pdu)  # raises the error
        response = new_message(self.response_type)
        set_address(response, address)
        set_count(response, count)
        return response


set_write_data = slot_setter(WriteMultipleRequest, "data")
