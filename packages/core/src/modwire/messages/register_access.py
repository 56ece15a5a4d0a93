"""Functions 3, 4, 6 and 16: registers that are read and written (sections 6.3, 6.4, 6.6, 6.12).

Messages keep register values as the big-endian bytes of the wire (`data`) and unpack them when
`registers` or `values` is read, so a server passes them on without unpacking.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .base import Message, Response, fixed_length, new_message, slot_setter
from .checks import LISTS, check_address, check_number, check_span, wrong_length
from .forms import (
    EchoedRequest,
    ReadRegistersRequest,
    ReadRegistersResponse,
    WriteMultipleRequest,
    WriteMultipleResponse,
    pack_words,
    set_address,
    set_count,
    set_data,
    set_write_data,
    unpack_words,
)
from .packing import PACK_REGISTERS, as_registers, pack_registers, unpack_registers

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

__all__ = [
    "ReadHoldingRegistersRequest",
    "ReadHoldingRegistersResponse",
    "ReadInputRegistersRequest",
    "ReadInputRegistersResponse",
    "WriteMultipleRegistersRequest",
    "WriteMultipleRegistersResponse",
    "WriteSingleRegisterRequest",
    "WriteSingleRegisterResponse",
]

MAX_WRITE_REGISTERS = 123


class ReadHoldingRegistersResponse(ReadRegistersResponse):
    """The response to function 3."""

    __slots__ = ()
    function_code = 3


class ReadInputRegistersResponse(ReadRegistersResponse):
    """The response to function 4."""

    __slots__ = ()
    function_code = 4


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


class RegisterValue(Message):
    """The form of function 6: one register and its value."""

    __slots__ = ("address", "value")
    __match_args__ = ("address", "value")
    function_code = 6
    length_rule = staticmethod(fixed_length(5))
    address: int
    value: int

    def __init__(self, address: int, value: int) -> None:
        if (
            type(address) is not int
            or type(value) is not int
            or not (0 <= value <= 0xFFFF and 0 <= address <= 0xFFFF)
        ):
            check_number(self.function_code, "value", value)
            check_address(self.function_code, address)
            address, value = int(address), int(value)
        _set_register_address(self, address)
        _set_register_value(self, value)

    def encode(self) -> bytes:
        return pack_words(self.function_code, self.address, self.value)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_length(cls, pdu, "5")
        _, address, value = unpack_words(pdu)
        message = new_message(cls)
        _set_register_address(message, address)
        _set_register_value(message, value)
        return message


_set_register_address = slot_setter(RegisterValue, "address")
_set_register_value = slot_setter(RegisterValue, "value")


class WriteSingleRegisterResponse(RegisterValue, Response):
    """The response to function 6, which repeats the request."""

    __slots__ = ()


class WriteSingleRegisterRequest(RegisterValue, EchoedRequest[WriteSingleRegisterResponse]):
    """Function 6: write one holding register, `value` 0..65535 (section 6.6)."""

    __slots__ = ()
    response_type = WriteSingleRegisterResponse

    def decode_response(self, pdu: bytes) -> WriteSingleRegisterResponse:
        address, value = self.address, self.value
        if pdu != pack_words(self.function_code, address, value):
            return super().decode_response(pdu)  # raises the error
        response = new_message(self.response_type)
        _set_register_address(response, address)
        _set_register_value(response, value)
        return response

    def execute(self, unit: Device) -> WriteSingleRegisterResponse:
        address, value = self.address, self.value
        unit.holding_registers.write_registers(address, value.to_bytes(2, "big"))
        response = new_message(WriteSingleRegisterResponse)
        _set_register_address(response, address)
        _set_register_value(response, value)
        return response


class WriteMultipleRegistersResponse(WriteMultipleResponse):
    """The response to function 16: the address and the number of the written registers."""

    __slots__ = ()
    function_code = 16
    _most = MAX_WRITE_REGISTERS
    _what = "registers"


class WriteMultipleRegistersRequest(WriteMultipleRequest[WriteMultipleRegistersResponse]):
    """Function 16: write 1 to 123 `values` to the holding registers from `address` on (6.12).

    They are integers 0..65535, or bytes, two for each register, the high one first.
    """

    __slots__ = ()
    function_code = 16
    response_type = WriteMultipleRegistersResponse
    _most = MAX_WRITE_REGISTERS
    _what = "registers"
    _bits = 16

    def __init__(self, address: int, values: Sequence[int] | bytes) -> None:
        if values.__class__ not in LISTS:
            values = as_registers(self.function_code, values)
        count = len(values)
        if type(address) is not int or not (
            1 <= count <= MAX_WRITE_REGISTERS and 0 <= address <= 0x10000 - count
        ):
            check_span(self.function_code, address, count, MAX_WRITE_REGISTERS, "registers")
            address = int(address)
        try:
            data = PACK_REGISTERS[count](*values)
        except struct.error:
            # Raises an error that names the wrong value.
            data = pack_registers(self.function_code, values, MAX_WRITE_REGISTERS)
        set_address(self, address)
        set_count(self, count)
        set_write_data(self, data)

    @property
    def values(self) -> tuple[int, ...]:
        """The values to write, 0..65535 each."""
        return unpack_registers(self.data)

    def execute(self, unit: Device) -> WriteMultipleRegistersResponse:
        address, count = self.address, self.count
        unit.holding_registers.write_registers(address, self.data)
        response = new_message(WriteMultipleRegistersResponse)
        set_address(response, address)
        set_count(response, count)
        return response
