"""Functions 22, 23 and 24: mask write, write and read, FIFO queue (sections 6.16 to 6.18)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING

from ..errors import IllegalDataValueError, InvalidResponseError
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
    check_address,
    check_lengths,
    check_number,
    check_span,
    counted,
    wrong_answer,
    wrong_length,
)
from .forms import (
    MAX_READ_REGISTERS,
    EchoedRequest,
    ReadRegistersResponse,
    pack_words,
    set_data,
    unpack_words,
)
from .packing import pack_registers, unpack_registers

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

__all__ = [
    "MaskWriteRegisterRequest",
    "MaskWriteRegisterResponse",
    "ReadFifoQueueRequest",
    "ReadFifoQueueResponse",
    "ReadWriteMultipleRegistersRequest",
    "ReadWriteMultipleRegistersResponse",
]

MAX_READ_WRITE_REGISTERS = 121  # written by function 23
MAX_FIFO_COUNT = 31

_ONE_WORD = Struct(">BH")
_THREE_WORDS = Struct(">BHHH")
_READ_WRITE = Struct(">BHHHHB")


class Masks(Message):
    """The form of function 22: the address of a register and two masks."""

    __slots__ = ("address", "and_mask", "or_mask")
    __match_args__ = ("address", "and_mask", "or_mask")
    function_code = 22
    length_rule = staticmethod(fixed_length(7))
    address: int
    and_mask: int
    or_mask: int

    def __init__(self, address: int, and_mask: int = 0xFFFF, or_mask: int = 0) -> None:
        check_address(self.function_code, address)
        check_number(self.function_code, "AND mask", and_mask)
        check_number(self.function_code, "OR mask", or_mask)
        _set_address(self, address)
        _set_and_mask(self, and_mask)
        _set_or_mask(self, or_mask)

    def encode(self) -> bytes:
        return _THREE_WORDS.pack(self.function_code, self.address, self.and_mask, self.or_mask)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 7:
            raise wrong_length(cls, pdu, "7")
        _, address, and_mask, or_mask = _THREE_WORDS.unpack(pdu)
        message = new_message(cls)
        _set_address(message, address)
        _set_and_mask(message, and_mask)
        _set_or_mask(message, or_mask)
        return message


_set_address = slot_setter(Masks, "address")
_set_and_mask = slot_setter(Masks, "and_mask")
_set_or_mask = slot_setter(Masks, "or_mask")


class MaskWriteRegisterResponse(Masks, Response):
    """The response to function 22, which repeats the request."""

    __slots__ = ()


class MaskWriteRegisterRequest(Masks, EchoedRequest[MaskWriteRegisterResponse]):
    """Function 22: set a holding register to (current AND and) OR (or AND NOT and) (6.16)."""

    __slots__ = ()
    response_type = MaskWriteRegisterResponse

    def expected_length(self) -> int:
        return 7

    def decode_response(self, pdu: bytes) -> MaskWriteRegisterResponse:
        address, and_mask, or_mask = self.address, self.and_mask, self.or_mask
        if pdu != _THREE_WORDS.pack(self.function_code, address, and_mask, or_mask):
            return super().decode_response(pdu)  # raises the error
        response = new_message(self.response_type)
        _set_address(response, address)
        _set_and_mask(response, and_mask)
        _set_or_mask(response, or_mask)
        return response

    def execute(self, unit: Device) -> MaskWriteRegisterResponse:
        address, and_mask, or_mask = self.address, self.and_mask, self.or_mask
        unit.holding_registers.mask_write(address, and_mask, or_mask)
        response = new_message(MaskWriteRegisterResponse)
        _set_address(response, address)
        _set_and_mask(response, and_mask)
        _set_or_mask(response, or_mask)
        return response


class ReadWriteMultipleRegistersResponse(ReadRegistersResponse):
    """The response to function 23: the registers that were read after the write."""

    __slots__ = ()
    function_code = 23


class ReadWriteMultipleRegistersRequest(Request[ReadWriteMultipleRegistersResponse]):
    """Function 23: write 1 to 121 `values`, then read `read_count` (1..125) registers (6.17).

    The values are those of `WriteMultipleRegistersRequest`.
    """

    __slots__ = ("data", "read_address", "read_count", "write_address")
    __match_args__ = ("read_address", "read_count", "write_address", "values")
    function_code = 23
    is_write = True
    length_rule = staticmethod(counted_length(9))
    response_type = ReadWriteMultipleRegistersResponse
    read_address: int
    read_count: int
    write_address: int
    data: bytes

    def __init__(
        self, read_address: int, read_count: int, write_address: int, values: Sequence[int] | bytes
    ) -> None:
        code = self.function_code
        data = pack_registers(code, values, MAX_READ_WRITE_REGISTERS)
        check_span(code, read_address, read_count, MAX_READ_REGISTERS, "registers to read")
        check_span(code, write_address, len(data) >> 1, MAX_READ_WRITE_REGISTERS, "registers")
        _set_read_address(self, read_address)
        _set_read_count(self, read_count)
        _set_write_address(self, write_address)
        _set_write_data(self, data)

    @property
    def may_be_broadcast(self) -> bool:
        return False

    @property
    def values(self) -> tuple[int, ...]:
        """The values to write, 0..65535 each."""
        return unpack_registers(self.data)

    def encode(self) -> bytes:
        size = len(self.data)
        header = _READ_WRITE.pack(
            self.function_code,
            self.read_address,
            self.read_count,
            self.write_address,
            size >> 1,
            size,
        )
        return header + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 10
        if size < 0:
            raise wrong_length(cls, pdu, "10 + byte count")
        code, read_address, read_count, write_address, count, byte_count = _READ_WRITE.unpack_from(
            pdu
        )
        due = count << 1
        if not (
            1 <= count <= MAX_READ_WRITE_REGISTERS
            and byte_count == due == size
            and 1 <= read_count <= MAX_READ_REGISTERS
            and read_address + read_count <= 0x10000
            and write_address + count <= 0x10000
        ):
            check_lengths(code, count, MAX_READ_WRITE_REGISTERS, "registers", due, byte_count, size)
            check_span(code, read_address, read_count, MAX_READ_REGISTERS, "registers to read")
            check_span(code, write_address, count, MAX_READ_WRITE_REGISTERS, "registers")
        request = new_message(cls)
        _set_read_address(request, read_address)
        _set_read_count(request, read_count)
        _set_write_address(request, write_address)
        _set_write_data(request, pdu[10:])
        return request

    def expected_length(self) -> int:
        return 2 + (self.read_count << 1)

    def decode_response(self, pdu: bytes) -> ReadWriteMultipleRegistersResponse:
        size = self.read_count << 1
        if len(pdu) != size + 2 or pdu[1] != size or pdu[0] != self.function_code:
            raise wrong_answer(self, pdu, size, counted(self.read_count, "register"))
        response = new_message(self.response_type)
        set_data(response, pdu[2:])
        return response

    def execute(self, unit: Device) -> ReadWriteMultipleRegistersResponse:
        data = unit.holding_registers.write_read_registers(
            self.write_address, self.data, self.read_address, self.read_count
        )
        response = new_message(ReadWriteMultipleRegistersResponse)
        set_data(response, data)
        return response


_set_read_address = slot_setter(ReadWriteMultipleRegistersRequest, "read_address")
_set_read_count = slot_setter(ReadWriteMultipleRegistersRequest, "read_count")
_set_write_address = slot_setter(ReadWriteMultipleRegistersRequest, "write_address")
_set_write_data = slot_setter(ReadWriteMultipleRegistersRequest, "data")


class ReadFifoQueueResponse(Response):
    """The response to function 24: 0 to 31 registers of a FIFO queue."""

    __slots__ = ("data",)
    __match_args__ = ("registers",)
    function_code = 24
    length_rule = staticmethod(counted_length(1, 2))
    data: bytes

    def __init__(self, registers: Sequence[int]) -> None:
        data = pack_registers(self.function_code, registers, MAX_FIFO_COUNT, least=0)
        set_field(self, "data", data)

    @property
    def registers(self) -> tuple[int, ...]:
        """The values in the queue, 0..65535 each, the oldest first."""
        return unpack_registers(self.data)

    def encode(self) -> bytes:
        size = len(self.data)
        return pack_words(self.function_code, size + 2, size >> 1) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 5
        if size < 0:
            raise wrong_length(cls, pdu, "5 + 2 for each register")
        _, byte_count, count = unpack_words(pdu[:5])
        if count > MAX_FIFO_COUNT or byte_count != size + 2 or count << 1 != size:
            raise InvalidResponseError(
                f"FIFO byte count must be 2 + 2 for each of 0..{MAX_FIFO_COUNT} registers, got "
                f"byte count {byte_count} and FIFO count {count} with {size} bytes of values"
            )
        response = new_message(cls)
        set_field(response, "data", pdu[5:])
        return response


class ReadFifoQueueRequest(Request[ReadFifoQueueResponse]):
    """Function 24: read the FIFO queue whose pointer is at `address` (section 6.18)."""

    __slots__ = ("address",)
    __match_args__ = ("address",)
    function_code = 24
    length_rule = staticmethod(fixed_length(3))
    response_type = ReadFifoQueueResponse
    address: int

    def __init__(self, address: int) -> None:
        check_address(self.function_code, address)
        set_field(self, "address", address)

    def encode(self) -> bytes:
        return _ONE_WORD.pack(self.function_code, self.address)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 3:
            raise wrong_length(cls, pdu, "3")
        return cls(_ONE_WORD.unpack(pdu)[1])

    def execute(self, unit: Device) -> ReadFifoQueueResponse:
        registers = unit.read_fifo_queue(self.address)
        if len(registers) > MAX_FIFO_COUNT:
            raise IllegalDataValueError(
                self,
                detail=f"the queue holds {len(registers)} registers, "
                f"at most {MAX_FIFO_COUNT} can be read",
            )
        return ReadFifoQueueResponse(registers)
