"""Functions 3, 4, 6 and 16: registers that are read and written (sections 6.3, 6.4, 6.6, 6.12).

Messages keep register values as the big-endian bytes of the wire (`data`) and unpack them when
`registers` or `values` is read: a server passes them on without looking. What runs once per
request stays in one Python function, as in `bit_access`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from ..errors import InvalidResponseError
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
    check_lengths,
    check_span,
    check_word,
    wrong_request,
    wrong_response,
)
from .packing import PACK_REGISTERS, UNPACK_REGISTERS, pack_registers, unpack_registers
from .write_multiple import WriteMultipleResponse, set_written_address, set_written_count

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

MAX_READ_REGISTERS = 125
MAX_WRITE_REGISTERS = 123

_TWO_WORDS = Struct(">BHH")
_WRITE_MULTIPLE = Struct(">BHHB")


class ReadRegistersResponse(Response):
    """The base of the responses to functions 3, 4 and 23: 1 to 125 registers."""

    __slots__ = ("data",)
    __match_args__ = ("registers",)
    length_rule = staticmethod(counted_length(1, least=2))
    data: bytes

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

    def encode(self) -> bytes:
        return bytes((self.function_code, len(self.data))) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not 2 <= size <= 2 * MAX_READ_REGISTERS or size & 1 or pdu[1] != size:
            allowed = f"2 + byte count (2..{2 * MAX_READ_REGISTERS}, even)"
            raise wrong_response(cls, pdu, allowed)
        return cls.from_data(pdu[2:])


set_data = slot_setter(ReadRegistersResponse, "data")


class ReadHoldingRegistersResponse(ReadRegistersResponse):
    """The response to function 3."""

    __slots__ = ()
    function_code = 3


class ReadInputRegistersResponse(ReadRegistersResponse):
    """The response to function 4."""

    __slots__ = ()
    function_code = 4


ReadT_co = TypeVar("ReadT_co", bound=ReadRegistersResponse, covariant=True)


class ReadRegistersRequest(Request[ReadT_co]):
    """The base of functions 3 and 4: read `count` (1..125) registers from `address` on."""

    __slots__ = ("address", "count")
    __match_args__ = ("address", "count")
    length_rule = staticmethod(fixed_length(5))
    address: int
    count: int

    def __init__(self, address: int, count: int = 1) -> None:
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
        code, address, count = _TWO_WORDS.unpack(pdu)
        if not 1 <= count <= MAX_READ_REGISTERS or address + count > 0x10000:
            check_span(code, address, count, MAX_READ_REGISTERS, "registers")
        request = new_message(cls)
        _set_address(request, address)
        _set_count(request, count)
        return request

    def expected_length(self) -> int:
        return 2 + (self.count << 1)

    def decode_response(self, pdu: bytes) -> ReadT_co:
        size = self.count << 1
        if len(pdu) != size + 2 or pdu[1] != size or pdu[0] != self.function_code:
            return super().decode_response(pdu)  # raises what is wrong
        response = new_message(self.response_type)
        set_data(response, pdu[2:])
        return response

    def check_response(self, response: ReadRegistersResponse) -> None:
        check_count(response, self.count)


_set_address = slot_setter(ReadRegistersRequest, "address")
_set_count = slot_setter(ReadRegistersRequest, "count")


def check_count(response: ReadRegistersResponse, count: int) -> None:
    """Raise InvalidResponseError unless the response has the `count` registers asked for."""
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
        response = new_message(ReadHoldingRegistersResponse)
        set_data(response, unit.holding_registers.read_registers(self.address, self.count))
        return response


class ReadInputRegistersRequest(ReadRegistersRequest[ReadInputRegistersResponse]):
    """Function 4: read `count` (1..125) input registers from `address` on (section 6.4)."""

    __slots__ = ()
    function_code = 4
    response_type = ReadInputRegistersResponse

    def execute(self, unit: Device) -> ReadInputRegistersResponse:
        response = new_message(ReadInputRegistersResponse)
        set_data(response, unit.input_registers.read_registers(self.address, self.count))
        return response


class WriteSingleRegisterResponse(Response):
    """The response to function 6, which repeats the request."""

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
        if (
            type(address) is not int
            or type(value) is not int
            or not (0 <= value <= 0xFFFF and 0 <= address <= 0xFFFF)
        ):
            check_word(self.function_code, "value", value)
            check_address(self.function_code, address)
            address, value = int(address), int(value)
        _set_register_address(self, address)
        _set_register_value(self, value)

    def encode(self) -> bytes:
        return _TWO_WORDS.pack(self.function_code, self.address, self.value)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_request(cls, pdu, "5")
        _, address, value = _TWO_WORDS.unpack(pdu)
        request = new_message(cls)
        _set_register_address(request, address)
        _set_register_value(request, value)
        return request

    def expected_length(self) -> int:
        return 5

    def decode_response(self, pdu: bytes) -> WriteSingleRegisterResponse:
        address, value = self.address, self.value
        if pdu != _TWO_WORDS.pack(self.function_code, address, value):
            return super().decode_response(pdu)  # raises what is wrong
        response = new_message(self.response_type)
        _set_echoed_address(response, address)
        _set_echoed_value(response, value)
        return response

    def check_response(self, response: WriteSingleRegisterResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("value", response.value, self.value)

    def execute(self, unit: Device) -> WriteSingleRegisterResponse:
        address, value = self.address, self.value
        unit.holding_registers.write_registers(address, value.to_bytes(2, "big"))
        response = new_message(WriteSingleRegisterResponse)
        _set_echoed_address(response, address)
        _set_echoed_value(response, value)
        return response


_set_register_address = slot_setter(WriteSingleRegisterRequest, "address")
_set_register_value = slot_setter(WriteSingleRegisterRequest, "value")
_set_echoed_address = slot_setter(WriteSingleRegisterResponse, "address")
_set_echoed_value = slot_setter(WriteSingleRegisterResponse, "value")


class WriteMultipleRegistersResponse(WriteMultipleResponse):
    """The response to function 16: where and how many registers were written."""

    __slots__ = ()
    function_code = 16
    _most = MAX_WRITE_REGISTERS
    _what = "registers"


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
            values = as_sequence(self.function_code, values, "registers")
        count = len(values)
        if type(address) is not int or not (
            1 <= count <= MAX_WRITE_REGISTERS and 0 <= address <= 0x10000 - count
        ):
            check_span(self.function_code, address, count, MAX_WRITE_REGISTERS, "registers")
            address = int(address)
        try:
            data = PACK_REGISTERS[count](*values)
        except struct.error:
            # Raises an error that says which value is wrong.
            data = pack_registers(self.function_code, values, MAX_WRITE_REGISTERS)
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
        code, address, count, byte_count = _WRITE_MULTIPLE.unpack_from(pdu)
        due = count << 1
        if not (
            1 <= count <= MAX_WRITE_REGISTERS
            and byte_count == due == size
            and address + count <= 0x10000
        ):
            check_lengths(code, count, MAX_WRITE_REGISTERS, "registers", due, byte_count, size)
            check_span(code, address, count, MAX_WRITE_REGISTERS, "registers")
        request = new_message(cls)
        _set_write_address(request, address)
        _set_write_data(request, pdu[6:])
        return request

    def expected_length(self) -> int:
        return 5

    def decode_response(self, pdu: bytes) -> WriteMultipleRegistersResponse:
        address, count = self.address, len(self.data) >> 1
        if pdu != _TWO_WORDS.pack(self.function_code, address, count):
            return super().decode_response(pdu)  # raises what is wrong
        response = new_message(self.response_type)
        set_written_address(response, address)
        set_written_count(response, count)
        return response

    def check_response(self, response: WriteMultipleRegistersResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("count", response.count, len(self.data) >> 1)

    def execute(self, unit: Device) -> WriteMultipleRegistersResponse:
        address, data = self.address, self.data
        unit.holding_registers.write_registers(address, data)
        response = new_message(WriteMultipleRegistersResponse)
        set_written_address(response, address)
        set_written_count(response, len(data) >> 1)
        return response


_set_write_address = slot_setter(WriteMultipleRegistersRequest, "address")
_set_write_data = slot_setter(WriteMultipleRegistersRequest, "data")
