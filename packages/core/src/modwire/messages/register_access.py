"""Functions 3, 4, 6 and 16: registers that are read and written (sections 6.3, 6.4, 6.6, 6.12).

Messages keep register values as the big-endian bytes of the wire (`data`) and unpack them when
`registers` or `values` is asked for: a server passes them on without looking.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from ..errors import InvalidRequestError, InvalidResponseError
from .base import (
    Message,
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
    check_word,
    decoded_response,
    wrong_request,
    wrong_response,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

MAX_READ_REGISTERS = 125
MAX_WRITE_REGISTERS = 123

_TWO_WORDS = Struct(">BHH")
_WRITE_MULTIPLE = Struct(">BHHB")
_REGISTERS = tuple(Struct(f">{count}H") for count in range(MAX_READ_REGISTERS + 1))
_PACK = tuple(registers.pack for registers in _REGISTERS)


def pack_registers(function_code: int, values: Sequence[int], most: int, least: int = 1) -> bytes:
    """`values` as big-endian bytes; raises InvalidRequestError for a wrong number or value."""
    if values.__class__ not in LISTS:
        values = as_sequence(function_code, values, "registers")
    if not least <= len(values) <= most:
        raise InvalidRequestError(
            f"count must be {least}..{most} registers, got {len(values)}", function_code
        )
    try:
        return _REGISTERS[len(values)].pack(*values)
    except struct.error:
        pass
    for index, value in enumerate(values):
        check_word(function_code, f"value {index}", value)
    raise InvalidRequestError(f"values must be integers 0..65535, got {values!r}", function_code)


def unpack_registers(data: bytes) -> tuple[int, ...]:
    """The registers in big-endian `data` of at most 250 bytes."""
    return _REGISTERS[len(data) >> 1].unpack(data)


class ReadRegistersResponse(Response):
    """What the answers to functions 3, 4 and 23 share: 1 to 125 registers."""

    __slots__ = ("data",)
    __match_args__ = ("registers",)
    length_rule = staticmethod(counted_length(1, least=2))
    data: bytes

    def __init__(self, registers: Sequence[int]) -> None:
        set_field(self, "data", pack_registers(self.function_code, registers, MAX_READ_REGISTERS))

    @classmethod
    def from_data(cls, data: bytes) -> Self:
        """The response with `data`, 2 to 250 bytes, big-endian; the caller vouches for it."""
        response = new_message(cls)
        _set_data(response, data)
        return response

    @property
    def registers(self) -> tuple[int, ...]:
        """The values, 0..65535 each."""
        return _REGISTERS[len(self.data) >> 1].unpack(self.data)

    def encode(self) -> bytes:
        return bytes((self.function_code, len(self.data))) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not 2 <= size <= 250 or size & 1 or pdu[1] != size:
            raise wrong_response(cls, pdu, "2 + byte count (2..250, even)")
        return cls.from_data(pdu[2:])


_set_data = slot_setter(ReadRegistersResponse, "data")


class ReadHoldingRegistersResponse(ReadRegistersResponse):
    """The answer to function 3."""

    __slots__ = ()
    function_code = 3


class ReadInputRegistersResponse(ReadRegistersResponse):
    """The answer to function 4."""

    __slots__ = ()
    function_code = 4


ReadT_co = TypeVar("ReadT_co", bound=ReadRegistersResponse, covariant=True)


class ReadRegistersRequest(Request[ReadT_co]):
    """What functions 3 and 4 share: read `count` (1..125) registers from `address` on."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    length_rule = staticmethod(fixed_length(5))
    address: int
    count: int

    def __init__(self, address: int, count: int = 1) -> None:
        # Once per call of a client: what is right passes without the check that tells what is not.
        if (
            type(address) is not int
            or type(count) is not int
            or not (1 <= count <= MAX_READ_REGISTERS and 0 <= address <= 0x10000 - count)
        ):
            check_span(self.function_code, address, count, MAX_READ_REGISTERS, "registers")
            address, count = int(address), int(count)
        _set_address(self, address)
        _set_count(self, count)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_request(cls, pdu, "5")
        _, address, count = _TWO_WORDS.unpack(pdu)
        return cls(address, count)

    def decode_response(self, pdu: bytes) -> ReadT_co:
        size = self.count << 1
        if len(pdu) != size + 2 or pdu[1] != size or pdu[0] != self.function_code:
            return super().decode_response(pdu)  # which tells what is wrong
        response = new_message(self.response_type)
        _set_data(response, pdu[2:])
        return response

    def check_response(self, response: ReadRegistersResponse) -> None:
        check_count(response, self.count)


_set_address = slot_setter(ReadRegistersRequest, "address")
_set_count = slot_setter(ReadRegistersRequest, "count")


def check_count(response: ReadRegistersResponse, count: int) -> None:
    """Raise if the answer does not have the `count` registers that were asked for."""
    if len(response.data) != count << 1:
        raise InvalidResponseError(
            f"answer has {len(response.data) >> 1} registers, the request asked for {count}"
        )


class ReadHoldingRegistersRequest(ReadRegistersRequest[ReadHoldingRegistersResponse]):
    """Function 3: read `count` (1..125) holding registers from `address` on (section 6.3)."""

    __slots__ = ()
    function_code = 3
    response_type = ReadHoldingRegistersResponse

    def execute(self, unit: Device) -> ReadHoldingRegistersResponse:
        return ReadHoldingRegistersResponse.from_data(
            unit.holding_registers.read_registers(self.address, self.count)
        )


class ReadInputRegistersRequest(ReadRegistersRequest[ReadInputRegistersResponse]):
    """Function 4: read `count` (1..125) input registers from `address` on (section 6.4)."""

    __slots__ = ()
    function_code = 4
    response_type = ReadInputRegistersResponse

    def execute(self, unit: Device) -> ReadInputRegistersResponse:
        return ReadInputRegistersResponse.from_data(
            unit.input_registers.read_registers(self.address, self.count)
        )


class WriteSingleRegisterResponse(Response):
    """The answer to function 6: the request's echo."""

    __slots__ = ("address", "value")
    __match_args__ = ("address", "value")
    function_code = 6
    length_rule = staticmethod(fixed_length(5))
    address: int
    value: int

    def __init__(self, address: int, value: int) -> None:
        check_address(self.function_code, address)
        check_word(self.function_code, "value", value)
        set_field(self, "address", address)
        set_field(self, "value", value)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.value)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_response(cls, pdu, "5")
        _, address, value = _TWO_WORDS.unpack(pdu)
        return cls(address, value)


class WriteSingleRegisterRequest(Request[WriteSingleRegisterResponse]):
    """Function 6: write one holding register, `value` 0..65535 (section 6.6)."""

    __slots__ = ("address", "value")
    __match_args__ = ("address", "value")
    function_code = 6
    is_write = True
    length_rule = staticmethod(fixed_length(5))
    response_type = WriteSingleRegisterResponse
    address: int
    value: int

    def __init__(self, address: int, value: int) -> None:
        check_word(self.function_code, "value", value)
        check_address(self.function_code, address)
        set_field(self, "address", address)
        set_field(self, "value", value)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.value)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_request(cls, pdu, "5")
        _, address, value = _TWO_WORDS.unpack(pdu)
        return cls(address, value)

    def check_response(self, response: WriteSingleRegisterResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("value", response.value, self.value)

    def execute(self, unit: Device) -> WriteSingleRegisterResponse:
        unit.holding_registers.write_registers(self.address, self.value.to_bytes(2, "big"))
        return WriteSingleRegisterResponse(self.address, self.value)


class WriteMultipleRegistersResponse(Response):
    """The answer to function 16: where and how many registers were written."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    function_code = 16
    length_rule = staticmethod(fixed_length(5))
    address: int
    count: int

    def __init__(self, address: int, count: int) -> None:
        check_span(self.function_code, address, count, MAX_WRITE_REGISTERS, "registers")
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


class WriteMultipleRegistersRequest(Request[WriteMultipleRegistersResponse]):
    """Function 16: write 1 to 123 `values` to the holding registers from `address` on (6.12)."""

    __slots__ = ("address", "data")
    __match_args__ = ("address", "values")
    function_code = 16
    is_write = True
    length_rule = staticmethod(counted_length(5))
    response_type = WriteMultipleRegistersResponse
    address: int
    data: bytes

    def __init__(self, address: int, values: Sequence[int]) -> None:
        if values.__class__ not in LISTS:
            values = as_sequence(16, values, "registers")
        count = len(values)
        if type(address) is not int or not (
            1 <= count <= MAX_WRITE_REGISTERS and 0 <= address <= 0x10000 - count
        ):
            check_span(16, address, count, MAX_WRITE_REGISTERS, "registers")
        try:
            data = _PACK[count](*values)
        except struct.error:
            data = pack_registers(16, values, MAX_WRITE_REGISTERS)  # tells which one is wrong
        _set_write_address(self, address)
        _set_write_data(self, data)

    @property
    def values(self) -> tuple[int, ...]:
        """The values to write, 0..65535 each."""
        return unpack_registers(self.data)

    def encode(self) -> bytes:
        data = self.data
        size = len(data)
        return _WRITE_MULTIPLE.pack(self.function_code, self.address, size >> 1, size) + data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 6
        if size < 0:
            raise wrong_request(cls, pdu, "6 + byte count")
        _, address, count, byte_count = _WRITE_MULTIPLE.unpack_from(pdu)
        check_byte_count(cls, count, MAX_WRITE_REGISTERS, byte_count, size)
        check_span(cls.function_code, address, count, MAX_WRITE_REGISTERS, "registers")
        request = cls.__new__(cls)
        set_field(request, "address", address)
        set_field(request, "data", pdu[6:])
        return request

    def decode_response(self, pdu: bytes) -> WriteMultipleRegistersResponse:
        address, count = self.address, len(self.data) >> 1
        if pdu != _TWO_WORDS.pack(16, address, count):
            return super().decode_response(pdu)  # which tells what is wrong
        response = new_message(WriteMultipleRegistersResponse)
        _set_written_address(response, address)
        _set_written_count(response, count)
        return response

    def check_response(self, response: WriteMultipleRegistersResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("count", response.count, len(self.data) >> 1)

    def execute(self, unit: Device) -> WriteMultipleRegistersResponse:
        unit.holding_registers.write_registers(self.address, self.data)
        return WriteMultipleRegistersResponse(self.address, len(self.data) >> 1)


def check_byte_count(
    message: type[Message], count: int, most: int, byte_count: int, size: int
) -> None:
    """Check the three lengths of a write: the count, its byte count, and the bytes that came."""
    code = message.function_code
    if not 1 <= count <= most:
        raise InvalidRequestError(f"count must be 1..{most} registers, got {count}", code)
    if not byte_count == count << 1 == size:
        raise InvalidRequestError(
            f"byte count must be {count << 1} for {count} registers, "
            f"got {byte_count} with {size} bytes of data",
            code,
        )


_set_write_address = slot_setter(WriteMultipleRegistersRequest, "address")
_set_write_data = slot_setter(WriteMultipleRegistersRequest, "data")
_set_written_address = slot_setter(WriteMultipleRegistersResponse, "address")
_set_written_count = slot_setter(WriteMultipleRegistersResponse, "count")
