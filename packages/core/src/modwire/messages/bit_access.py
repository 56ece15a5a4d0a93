"""Functions 1, 2, 5 and 15: coils and discrete inputs (sections 6.1, 6.2, 6.5 and 6.11).

Messages keep the packed bytes of the wire (`data`) and unpack them when `bits` or `values` is
asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from ..bits import pack_bits, unpack_bits
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
    LISTS,
    as_sequence,
    check_address,
    check_echo,
    check_span,
    decoded_response,
    wrong_request,
    wrong_response,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

MAX_READ_BITS = 2000
MAX_WRITE_BITS = 1968

_ON = 0xFF00
_TWO_WORDS = Struct(">BHH")
_WRITE_MULTIPLE = Struct(">BHHB")


def _packed(function_code: int, bits: Sequence[bool], most: int) -> bytes:
    if bits.__class__ not in LISTS:
        bits = as_sequence(function_code, bits, "bits")
    if not 1 <= len(bits) <= most:
        raise InvalidRequestError(f"count must be 1..{most} bits, got {len(bits)}", function_code)
    try:
        return pack_bits(bits)
    except ValueError as error:
        raise InvalidRequestError(str(error), function_code) from None


class ReadBitsResponse(Response):
    """What the answers to functions 1 and 2 share: 1 to 2000 bits.

    The wire carries whole bytes, so a response decoded without its request has a multiple of 8
    bits; `request.decode_response` gives as many as were asked for.
    """

    __slots__ = ("count", "data")
    __match_args__ = ("bits",)
    length_rule = staticmethod(counted_length(1, least=1))
    count: int
    data: bytes

    def __init__(self, bits: Sequence[bool]) -> None:
        set_field(self, "data", _packed(self.function_code, bits, MAX_READ_BITS))
        set_field(self, "count", len(bits))

    @classmethod
    def from_data(cls, data: bytes, count: int) -> Self:
        """The response with `count` bits packed in `data`; the caller vouches for both."""
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
        if not 1 <= size <= 250 or pdu[1] != size:
            raise wrong_response(cls, pdu, "2 + byte count (1..250)")
        return cls.from_data(pdu[2:], size << 3)


_set_data = slot_setter(ReadBitsResponse, "data")
_set_count = slot_setter(ReadBitsResponse, "count")


class ReadCoilsResponse(ReadBitsResponse):
    """The answer to function 1."""

    __slots__ = ()
    function_code = 1


class ReadDiscreteInputsResponse(ReadBitsResponse):
    """The answer to function 2."""

    __slots__ = ()
    function_code = 2


ReadT_co = TypeVar("ReadT_co", bound=ReadBitsResponse, covariant=True)


class ReadBitsRequest(Request[ReadT_co]):
    """What the requests of functions 1 and 2 share: `count` (1..2000) bits from `address` on."""

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
        _, address, count = _TWO_WORDS.unpack(pdu)
        return cls(address, count)

    def decode_response(self, pdu: bytes) -> ReadT_co:
        if pdu[0] != self.function_code:
            raise self.refusal(pdu)
        size = (self.count + 7) >> 3
        if len(pdu) != size + 2 or pdu[1] != size:
            raise InvalidResponseError(
                f"answer must have byte count {size} for {self.count} bits and "
                f"{size + 2} bytes in all, got {len(pdu)}: {pdu[:16].hex(' ')}"
            )
        return self.response_type.from_data(pdu[2:], self.count)


_set_read_address = slot_setter(ReadBitsRequest, "address")
_set_read_count = slot_setter(ReadBitsRequest, "count")


class ReadCoilsRequest(ReadBitsRequest[ReadCoilsResponse]):
    """Function 1: read `count` (1..2000) coils from `address` on (section 6.1)."""

    __slots__ = ()
    function_code = 1
    response_type = ReadCoilsResponse

    def execute(self, unit: Device) -> ReadCoilsResponse:
        return ReadCoilsResponse.from_data(
            unit.coils.read_bits(self.address, self.count), self.count
        )


class ReadDiscreteInputsRequest(ReadBitsRequest[ReadDiscreteInputsResponse]):
    """Function 2: read `count` (1..2000) discrete inputs from `address` on (section 6.2)."""

    __slots__ = ()
    function_code = 2
    response_type = ReadDiscreteInputsResponse

    def execute(self, unit: Device) -> ReadDiscreteInputsResponse:
        return ReadDiscreteInputsResponse.from_data(
            unit.discrete_inputs.read_bits(self.address, self.count), self.count
        )


class WriteSingleCoilResponse(Response):
    """The answer to function 5: the request's echo."""

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
        return _TWO_WORDS.pack(self.function_code, self.address, _ON if self.value else 0)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_response(cls, pdu, "5")
        _, address, value = _TWO_WORDS.unpack(pdu)
        if value not in (0, _ON):
            raise InvalidResponseError(f"coil value must be 0000 or FF00, got {value:04X}")
        return cls(address, value == _ON)


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
        if value not in (0, 1):
            raise InvalidRequestError(
                f"value must be True or False (or 1 or 0), got {value!r}", self.function_code
            )
        check_address(self.function_code, address)
        set_field(self, "address", address)
        set_field(self, "value", bool(value))

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, _ON if self.value else 0)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_request(cls, pdu, "5")
        code, address, value = _TWO_WORDS.unpack(pdu)
        if value not in (0, _ON):
            raise InvalidRequestError(f"coil value must be 0000 or FF00, got {value:04X}", code)
        return cls(address, value == _ON)

    def check_response(self, response: WriteSingleCoilResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("value", response.value, self.value)

    def execute(self, unit: Device) -> WriteSingleCoilResponse:
        unit.coils.write_bits(self.address, 1, b"\x01" if self.value else b"\x00")
        return WriteSingleCoilResponse(self.address, self.value)


class WriteMultipleCoilsResponse(Response):
    """The answer to function 15: where and how many coils were written."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    function_code = 15
    length_rule = staticmethod(fixed_length(5))
    address: int
    count: int

    def __init__(self, address: int, count: int) -> None:
        check_span(self.function_code, address, count, MAX_WRITE_BITS, "coils")
        set_field(self, "address", address)
        set_field(self, "count", count)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_response(cls, pdu, "5")
        _, address, count = _TWO_WORDS.unpack(pdu)
        return decoded_response(cls, address, count)


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
        data = _packed(self.function_code, values, MAX_WRITE_BITS)
        check_span(self.function_code, address, len(values), MAX_WRITE_BITS, "coils")
        set_field(self, "address", address)
        set_field(self, "count", len(values))
        set_field(self, "data", data)

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
        if not 1 <= count <= MAX_WRITE_BITS:
            raise InvalidRequestError(f"count must be 1..{MAX_WRITE_BITS} coils, got {count}", code)
        due = (count + 7) >> 3
        if not byte_count == due == size:
            raise InvalidRequestError(
                f"byte count must be {due} for {count} coils, "
                f"got {byte_count} with {size} bytes of data",
                code,
            )
        check_span(code, address, count, MAX_WRITE_BITS, "coils")
        request = cls.__new__(cls)
        set_field(request, "address", address)
        set_field(request, "count", count)
        set_field(request, "data", pdu[6:])
        return request

    def decode_response(self, pdu: bytes) -> WriteMultipleCoilsResponse:
        address, count = self.address, self.count
        if pdu != _TWO_WORDS.pack(15, address, count):
            return super().decode_response(pdu)  # which tells what is wrong
        response = new_message(WriteMultipleCoilsResponse)
        _set_written_address(response, address)
        _set_written_count(response, count)
        return response

    def check_response(self, response: WriteMultipleCoilsResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("count", response.count, self.count)

    def execute(self, unit: Device) -> WriteMultipleCoilsResponse:
        unit.coils.write_bits(self.address, self.count, self.data)
        return WriteMultipleCoilsResponse(self.address, self.count)


_set_written_address = slot_setter(WriteMultipleCoilsResponse, "address")
_set_written_count = slot_setter(WriteMultipleCoilsResponse, "count")
