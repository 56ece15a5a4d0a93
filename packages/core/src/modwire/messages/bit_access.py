"""Functions 1, 2, 5 and 15: coils and discrete inputs (sections 6.1, 6.2, 6.5 and 6.11).

Messages keep the packed bytes of the wire (`data`) and unpack them when `bits` or `values` is
read. What runs once per request stays in one Python function: valid numbers are checked inline,
and only wrong ones go to the check that explains them.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from ..bits import unpack_bits
from ..errors import InvalidRequestError, InvalidResponseError
from .base import (
    Request,
    Response,
    counted_length,
    fixed_length,
    new_message,
    set_field,
    slot_setter,
)
from .checks import (
    check_address,
    check_echo,
    check_lengths,
    check_span,
    wrong_request,
    wrong_response,
)
from .packing import pack_coils
from .write_multiple import WriteMultipleResponse, set_written_address, set_written_count

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

MAX_READ_BITS = 2000
MAX_WRITE_BITS = 1968

ON, OFF = 0xFF00, 0x0000  # the values of function 5
_TWO_WORDS = Struct(">BHH")
_WRITE_MULTIPLE = Struct(">BHHB")


class ReadBitsResponse(Response):
    """The base of the responses to functions 1 and 2: 1 to 2000 bits.

    The wire carries whole bytes, so a response decoded without its request has a multiple of 8
    bits; `request.decode_response` gives as many as the request asked for.
    """

    __slots__ = ("count", "data")
    __match_args__ = ("bits",)
    length_rule = staticmethod(counted_length(1, least=1))
    count: int
    data: bytes

    def __init__(self, bits: Sequence[bool]) -> None:
        data, count = pack_coils(self.function_code, bits, MAX_READ_BITS)
        _set_data(self, data)
        _set_count(self, count)

    @classmethod
    def from_data(cls, data: bytes, count: int) -> Self:
        """Return the response with `count` bits packed in `data`, which are not checked."""
        response = new_message(cls)
        _set_data(response, data)
        _set_count(response, count)
        return response

    @property
    def bits(self) -> tuple[bool, ...]:
        """The states, True for ON."""
        return unpack_bits(self.data, self.count)

    def encode(self) -> bytes:
        return bytes((self.function_code, len(self.data))) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not 1 <= size <= MAX_READ_BITS >> 3 or pdu[1] != size:
            raise wrong_response(cls, pdu, f"2 + byte count (1..{MAX_READ_BITS >> 3})")
        return cls.from_data(pdu[2:], size << 3)


_set_data = slot_setter(ReadBitsResponse, "data")
_set_count = slot_setter(ReadBitsResponse, "count")


class ReadCoilsResponse(ReadBitsResponse):
    """The response to function 1."""

    __slots__ = ()
    function_code = 1


class ReadDiscreteInputsResponse(ReadBitsResponse):
    """The response to function 2."""

    __slots__ = ()
    function_code = 2


ReadT_co = TypeVar("ReadT_co", bound=ReadBitsResponse, covariant=True)


class ReadBitsRequest(Request[ReadT_co]):
    """The base of functions 1 and 2: read `count` (1..2000) bits from `address` on."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    length_rule = staticmethod(fixed_length(5))
    address: int
    count: int

    def __init__(self, address: int, count: int = 1) -> None:
        if (
            type(address) is not int
            or type(count) is not int
            or not (1 <= count <= MAX_READ_BITS and 0 <= address <= 0x10000 - count)
        ):
            check_span(self.function_code, address, count, MAX_READ_BITS, "bits")
            address, count = int(address), int(count)
        _set_read_address(self, address)
        _set_read_count(self, count)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_request(cls, pdu, "5")
        code, address, count = _TWO_WORDS.unpack(pdu)
        if not 1 <= count <= MAX_READ_BITS or address + count > 0x10000:
            check_span(code, address, count, MAX_READ_BITS, "bits")
        request = new_message(cls)
        _set_read_address(request, address)
        _set_read_count(request, count)
        return request

    def expected_length(self) -> int:
        return 2 + ((self.count + 7) >> 3)

    def decode_response(self, pdu: bytes) -> ReadT_co:
        if pdu[0] != self.function_code:
            raise self.refusal(pdu)
        count = self.count
        size = (count + 7) >> 3
        if len(pdu) != size + 2 or pdu[1] != size:
            raise InvalidResponseError(
                f"answer must have byte count {size} for {count} bits and "
                f"{size + 2} bytes in all, got {len(pdu)}: {pdu[:16].hex(' ')}"
            )
        response = new_message(self.response_type)
        _set_data(response, pdu[2:])
        _set_count(response, count)
        return response


_set_read_address = slot_setter(ReadBitsRequest, "address")
_set_read_count = slot_setter(ReadBitsRequest, "count")


class ReadCoilsRequest(ReadBitsRequest[ReadCoilsResponse]):
    """Function 1: read `count` (1..2000) coils from `address` on (section 6.1)."""

    __slots__ = ()
    function_code = 1
    response_type = ReadCoilsResponse

    def execute(self, unit: Device) -> ReadCoilsResponse:
        count = self.count
        response = new_message(ReadCoilsResponse)
        _set_data(response, unit.coils.read_bits(self.address, count))
        _set_count(response, count)
        return response


class ReadDiscreteInputsRequest(ReadBitsRequest[ReadDiscreteInputsResponse]):
    """Function 2: read `count` (1..2000) discrete inputs from `address` on (section 6.2)."""

    __slots__ = ()
    function_code = 2
    response_type = ReadDiscreteInputsResponse

    def execute(self, unit: Device) -> ReadDiscreteInputsResponse:
        count = self.count
        response = new_message(ReadDiscreteInputsResponse)
        _set_data(response, unit.discrete_inputs.read_bits(self.address, count))
        _set_count(response, count)
        return response


class WriteSingleCoilResponse(Response):
    """The response to function 5, which repeats the request."""

    __slots__ = ("address", "value")
    __match_args__ = ("address", "value")
    function_code = 5
    length_rule = staticmethod(fixed_length(5))
    address: int
    value: bool

    def __init__(self, address: int, value: bool) -> None:
        check_address(self.function_code, address)
        set_field(self, "address", address)
        set_field(self, "value", bool(value))

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, ON if self.value else OFF)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_response(cls, pdu, "5")
        _, address, value = _TWO_WORDS.unpack(pdu)
        if value not in (OFF, ON):
            raise InvalidResponseError(f"coil value must be 0000 or FF00, got {value:04X}")
        return cls(address, value == ON)


class WriteSingleCoilRequest(Request[WriteSingleCoilResponse]):
    """Function 5: switch one coil on (True) or off (False) (section 6.5)."""

    __slots__ = ("address", "value")
    __match_args__ = ("address", "value")
    function_code = 5
    is_write = True
    length_rule = staticmethod(fixed_length(5))
    response_type = WriteSingleCoilResponse
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
        return _TWO_WORDS.pack(self.function_code, self.address, ON if self.value else OFF)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_request(cls, pdu, "5")
        code, address, value = _TWO_WORDS.unpack(pdu)
        if value not in (OFF, ON):
            raise InvalidRequestError(f"coil value must be 0000 or FF00, got {value:04X}", code)
        request = new_message(cls)
        _set_coil_address(request, address)
        _set_coil_value(request, value == ON)
        return request

    def expected_length(self) -> int:
        return 5

    def decode_response(self, pdu: bytes) -> WriteSingleCoilResponse:
        address, value = self.address, self.value
        if pdu != _TWO_WORDS.pack(self.function_code, address, ON if value else OFF):
            return super().decode_response(pdu)  # raises what is wrong
        response = new_message(self.response_type)
        _set_echoed_address(response, address)
        _set_echoed_value(response, value)
        return response

    def check_response(self, response: WriteSingleCoilResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("value", response.value, self.value)

    def execute(self, unit: Device) -> WriteSingleCoilResponse:
        address, value = self.address, self.value
        unit.coils.write_bits(address, 1, b"\x01" if value else b"\x00")
        response = new_message(WriteSingleCoilResponse)
        _set_echoed_address(response, address)
        _set_echoed_value(response, value)
        return response


_set_coil_address = slot_setter(WriteSingleCoilRequest, "address")
_set_coil_value = slot_setter(WriteSingleCoilRequest, "value")
_set_echoed_address = slot_setter(WriteSingleCoilResponse, "address")
_set_echoed_value = slot_setter(WriteSingleCoilResponse, "value")


class WriteMultipleCoilsResponse(WriteMultipleResponse):
    """The response to function 15: where and how many coils were written."""

    __slots__ = ()
    function_code = 15
    _most = MAX_WRITE_BITS
    _what = "coils"


class WriteMultipleCoilsRequest(Request[WriteMultipleCoilsResponse]):
    """Function 15: write 1 to 1968 `values` to the coils from `address` on (section 6.11)."""

    __slots__ = ("address", "count", "data")
    __match_args__ = ("address", "values")
    function_code = 15
    is_write = True
    length_rule = staticmethod(counted_length(5))
    response_type = WriteMultipleCoilsResponse
    address: int
    count: int
    data: bytes

    def __init__(self, address: int, values: Sequence[bool]) -> None:
        data, count = pack_coils(self.function_code, values, MAX_WRITE_BITS)
        if type(address) is not int or not 0 <= address <= 0x10000 - count:
            check_span(self.function_code, address, count, MAX_WRITE_BITS, "coils")
            address = int(address)
        _set_write_address(self, address)
        _set_write_count(self, count)
        _set_write_data(self, data)

    @property
    def values(self) -> tuple[bool, ...]:
        """The states to write, True for ON."""
        return unpack_bits(self.data, self.count)

    def encode(self) -> bytes:
        data = self.data
        header = _WRITE_MULTIPLE.pack(self.function_code, self.address, self.count, len(data))
        return header + data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 6
        if size < 0:
            raise wrong_request(cls, pdu, "6 + byte count")
        code, address, count, byte_count = _WRITE_MULTIPLE.unpack_from(pdu)
        due = (count + 7) >> 3
        if not (
            1 <= count <= MAX_WRITE_BITS
            and byte_count == due == size
            and address + count <= 0x10000
        ):
            check_lengths(code, count, MAX_WRITE_BITS, "coils", due, byte_count, size)
            check_span(code, address, count, MAX_WRITE_BITS, "coils")
        request = new_message(cls)
        _set_write_address(request, address)
        _set_write_count(request, count)
        _set_write_data(request, pdu[6:])
        return request

    def expected_length(self) -> int:
        return 5

    def decode_response(self, pdu: bytes) -> WriteMultipleCoilsResponse:
        address, count = self.address, self.count
        if pdu != _TWO_WORDS.pack(self.function_code, address, count):
            return super().decode_response(pdu)  # raises what is wrong
        response = new_message(self.response_type)
        set_written_address(response, address)
        set_written_count(response, count)
        return response

    def check_response(self, response: WriteMultipleCoilsResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("count", response.count, self.count)

    def execute(self, unit: Device) -> WriteMultipleCoilsResponse:
        address, count = self.address, self.count
        unit.coils.write_bits(address, count, self.data)
        response = new_message(WriteMultipleCoilsResponse)
        set_written_address(response, address)
        set_written_count(response, count)
        return response


_set_write_address = slot_setter(WriteMultipleCoilsRequest, "address")
_set_write_count = slot_setter(WriteMultipleCoilsRequest, "count")
_set_write_data = slot_setter(WriteMultipleCoilsRequest, "data")
