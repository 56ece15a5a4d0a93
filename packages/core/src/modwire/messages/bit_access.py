"""Functions 1, 2, 5 and 15: coils and discrete inputs (sections 6.1, 6.2, 6.5 and 6.11).

Messages keep the packed bytes of the wire (`data`) and unpack them when `bits` or `values` is
read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..bits import unpack_bits
from ..errors import InvalidRequestError
from .base import Message, Request, Response, counted_length, fixed_length, new_message, slot_setter
from .checks import check_address, check_span, counted, malformed, wrong_answer, wrong_length
from .forms import (
    AddressAndCount,
    CountedData,
    EchoedRequest,
    WriteMultipleRequest,
    WriteMultipleResponse,
    pack_words,
    set_address,
    set_count,
    set_data,
    set_write_data,
    unpack_words,
)
from .packing import pack_coils

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

__all__ = [
    "ReadCoilsRequest",
    "ReadCoilsResponse",
    "ReadDiscreteInputsRequest",
    "ReadDiscreteInputsResponse",
    "WriteMultipleCoilsRequest",
    "WriteMultipleCoilsResponse",
    "WriteSingleCoilRequest",
    "WriteSingleCoilResponse",
]

MAX_READ_BITS = 2000
MAX_WRITE_BITS = 1968

ON, OFF = 0xFF00, 0x0000  # the values of function 5


class ReadBitsResponse(CountedData, Response):
    """The base of the responses to functions 1 and 2: 1 to 2000 bits.

    The wire carries whole bytes, so a response decoded without its request has a multiple of 8
    bits; `request.decode_response` returns the requested number.
    """

    __slots__ = ("count",)
    __match_args__ = ("bits",)
    length_rule = staticmethod(counted_length(1, least=1))
    count: int

    def __init__(self, bits: Sequence[bool]) -> None:
        data, count = pack_coils(self.function_code, bits, MAX_READ_BITS)
        set_data(self, data)
        _set_bit_count(self, count)

    @classmethod
    def from_data(cls, data: bytes, count: int) -> Self:
        """Return the response with `count` bits packed in `data`, which are not checked."""
        response = new_message(cls)
        set_data(response, data)
        _set_bit_count(response, count)
        return response

    @property
    def bits(self) -> tuple[bool, ...]:
        """States, True for ON."""
        return unpack_bits(self.data, self.count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not 1 <= size <= MAX_READ_BITS >> 3 or pdu[1] != size:
            raise wrong_length(cls, pdu, f"2 + byte count (1..{MAX_READ_BITS >> 3})")
        return cls.from_data(pdu[2:], size << 3)


_set_bit_count = slot_setter(ReadBitsResponse, "count")


class ReadCoilsResponse(ReadBitsResponse):
    """The response to function 1."""

    __slots__ = ()
    function_code = 1


class ReadDiscreteInputsResponse(ReadBitsResponse):
    """The response to function 2."""

    __slots__ = ()
    function_code = 2


ReadT_co = TypeVar("ReadT_co", bound=ReadBitsResponse, covariant=True)


class ReadBitsRequest(AddressAndCount, Request[ReadT_co]):
    """The base of functions 1 and 2: read `count` (1..2000) bits from `address` on."""

    __slots__ = ()
    _most = MAX_READ_BITS
    _what = "bits"

    def expected_length(self) -> int:
        return 2 + ((self.count + 7) >> 3)

    def decode_response(self, pdu: bytes) -> ReadT_co:
        count = self.count
        size = (count + 7) >> 3
        if len(pdu) != size + 2 or pdu[1] != size or pdu[0] != self.function_code:
            raise wrong_answer(self, pdu, size, counted(count, "bit"))
        response = new_message(self.response_type)
        set_data(response, pdu[2:])
        _set_bit_count(response, count)
        return response


class ReadCoilsRequest(ReadBitsRequest[ReadCoilsResponse]):
    """Function 1: read `count` (1..2000) coils from `address` on (section 6.1)."""

    __slots__ = ()
    function_code = 1
    response_type = ReadCoilsResponse

    def execute(self, unit: Device) -> ReadCoilsResponse:
        count = self.count
        response = new_message(ReadCoilsResponse)
        set_data(response, unit.coils.read_bits(self.address, count))
        _set_bit_count(response, count)
        return response


class ReadDiscreteInputsRequest(ReadBitsRequest[ReadDiscreteInputsResponse]):
    """Function 2: read `count` (1..2000) discrete inputs from `address` on (section 6.2)."""

    __slots__ = ()
    function_code = 2
    response_type = ReadDiscreteInputsResponse

    def execute(self, unit: Device) -> ReadDiscreteInputsResponse:
        count = self.count
        response = new_message(ReadDiscreteInputsResponse)
        set_data(response, unit.discrete_inputs.read_bits(self.address, count))
        _set_bit_count(response, count)
        return response


class CoilValue(Message):
    """The form of function 5: one coil, on (True) or off (False)."""

    __slots__ = ("address", "value")
    __match_args__ = ("address", "value")
    function_code = 5
    length_rule = staticmethod(fixed_length(5))
    address: int
    value: bool

    def __init__(self, address: int, value: bool) -> None:
        if type(address) is not int or not 0 <= address <= 0xFFFF or value not in (0, 1):
            code = self.function_code
            if value not in (0, 1):
                raise InvalidRequestError(
                    f"value must be True or False (or 1 or 0), got {value!r}", code
                )
            check_address(code, address)
            address = int(address)
        _set_coil_address(self, address)
        _set_coil_value(self, bool(value))

    def encode(self) -> bytes:
        return pack_words(self.function_code, self.address, ON if self.value else OFF)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_length(cls, pdu, "5")
        _, address, value = unpack_words(pdu)
        if value not in (OFF, ON):
            raise malformed(cls, f"coil value must be 0000 or FF00, got {value:04X}")
        message = new_message(cls)
        _set_coil_address(message, address)
        _set_coil_value(message, value == ON)
        return message


_set_coil_address = slot_setter(CoilValue, "address")
_set_coil_value = slot_setter(CoilValue, "value")


class WriteSingleCoilResponse(CoilValue, Response):
    """The response to function 5, which repeats the request."""

    __slots__ = ()


class WriteSingleCoilRequest(CoilValue, EchoedRequest[WriteSingleCoilResponse]):
    """Function 5: switch one coil on (True) or off (False) (section 6.5)."""

    __slots__ = ()
    response_type = WriteSingleCoilResponse

    def decode_response(self, pdu: bytes) -> WriteSingleCoilResponse:
        address, value = self.address, self.value
        if pdu != pack_words(self.function_code, address, ON if value else OFF):
            return super().decode_response(pdu)  # raises the error
        response = new_message(self.response_type)
        _set_coil_address(response, address)
        _set_coil_value(response, value)
        return response

    def execute(self, unit: Device) -> WriteSingleCoilResponse:
        address, value = self.address, self.value
        unit.coils.write_bits(address, 1, b"\x01" if value else b"\x00")
        response = new_message(WriteSingleCoilResponse)
        _set_coil_address(response, address)
        _set_coil_value(response, value)
        return response


class WriteMultipleCoilsResponse(WriteMultipleResponse):
    """The response to function 15: the address and the number of the written coils."""

    __slots__ = ()
    function_code = 15
    _most = MAX_WRITE_BITS
    _what = "coils"


class WriteMultipleCoilsRequest(WriteMultipleRequest[WriteMultipleCoilsResponse]):
    """Function 15: write 1 to 1968 `values` to the coils from `address` on (section 6.11)."""

    __slots__ = ()
    function_code = 15
    response_type = WriteMultipleCoilsResponse
    _most = MAX_WRITE_BITS
    _what = "coils"
    _bits = 1

    def __init__(self, address: int, values: Sequence[bool]) -> None:
        data, count = pack_coils(self.function_code, values, MAX_WRITE_BITS)
        if type(address) is not int or not 0 <= address <= 0x10000 - count:
            check_span(self.function_code, address, count, MAX_WRITE_BITS, "coils")
            address = int(address)
        set_address(self, address)
        set_count(self, count)
        set_write_data(self, data)

    @property
    def values(self) -> tuple[bool, ...]:
        """States to write, True for ON."""
        return unpack_bits(self.data, self.count)

    def execute(self, unit: Device) -> WriteMultipleCoilsResponse:
        address, count = self.address, self.count
        unit.coils.write_bits(address, count, self.data)
        response = new_message(WriteMultipleCoilsResponse)
        set_address(response, address)
        set_count(response, count)
        return response
