"""Functions 3, 4, 6, 16, 22, 23 and 24: registers (sections 6.3, 6.4, 6.6, 6.12, 6.16 to 6.18).

Messages keep register values as the big-endian bytes of the wire (`data`) and unpack them when
`registers` or `values` is asked for: a server passes them on without looking.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from ..errors import IllegalDataValueError, InvalidRequestError, InvalidResponseError
from .base import (
    Message,
    Request,
    Response,
    counted_length,
    fixed_length,
    set_field,
)
from .checks import (
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

    from ..unit import Unit

MAX_READ_REGISTERS = 125
MAX_WRITE_REGISTERS = 123
MAX_READ_WRITE_REGISTERS = 121  # what function 23 may write
MAX_FIFO_COUNT = 31

_ONE_WORD = Struct(">BH")
_TWO_WORDS = Struct(">BHH")
_THREE_WORDS = Struct(">BHHH")
_WRITE_MULTIPLE = Struct(">BHHB")
_READ_WRITE = Struct(">BHHHHB")
_REGISTERS = tuple(Struct(f">{count}H") for count in range(MAX_READ_REGISTERS + 1))


def pack_registers(function_code: int, values: Sequence[int], most: int, least: int = 1) -> bytes:
    """`values` as big-endian bytes; raises InvalidRequestError for a wrong number or value."""
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
    length_rule = staticmethod(counted_length(1))
    data: bytes

    def __init__(self, registers: Sequence[int]) -> None:
        set_field(self, "data", pack_registers(self.function_code, registers, MAX_READ_REGISTERS))

    @classmethod
    def from_data(cls, data: bytes) -> Self:
        """The response with `data`, 2 to 250 bytes, big-endian; the caller vouches for it."""
        response = cls.__new__(cls)
        set_field(response, "data", data)
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


class ReadHoldingRegistersResponse(ReadRegistersResponse):
    """The answer to function 3."""

    __slots__ = ()
    function_code = 3


class ReadInputRegistersResponse(ReadRegistersResponse):
    """The answer to function 4."""

    __slots__ = ()
    function_code = 4


class ReadWriteMultipleRegistersResponse(ReadRegistersResponse):
    """The answer to function 23: what was read after the write."""

    __slots__ = ()
    function_code = 23


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
        set_field(self, "address", address)
        set_field(self, "count", count)

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
        response = self.response_type.__new__(self.response_type)
        set_field(response, "data", pdu[2:])
        return response

    def check_response(self, response: ReadRegistersResponse) -> None:
        check_count(response, self.count)


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

    def execute(self, unit: Unit) -> ReadHoldingRegistersResponse:
        return ReadHoldingRegistersResponse.from_data(
            unit.holding_registers.read_registers(self.address, self.count)
        )


class ReadInputRegistersRequest(ReadRegistersRequest[ReadInputRegistersResponse]):
    """Function 4: read `count` (1..125) input registers from `address` on (section 6.4)."""

    __slots__ = ()
    function_code = 4
    response_type = ReadInputRegistersResponse

    def execute(self, unit: Unit) -> ReadInputRegistersResponse:
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

    def execute(self, unit: Unit) -> WriteSingleRegisterResponse:
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
        data = pack_registers(self.function_code, values, MAX_WRITE_REGISTERS)
        check_span(self.function_code, address, len(values), MAX_WRITE_REGISTERS, "registers")
        set_field(self, "address", address)
        set_field(self, "data", data)

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

    def check_response(self, response: WriteMultipleRegistersResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("count", response.count, len(self.data) >> 1)

    def execute(self, unit: Unit) -> WriteMultipleRegistersResponse:
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


class MaskWriteRegisterResponse(Response):
    """The answer to function 22: the request's echo."""

    __slots__ = ("address", "and_mask", "or_mask")
    __match_args__ = ("address", "and_mask", "or_mask")
    function_code = 22
    length_rule = staticmethod(fixed_length(7))
    address: int
    and_mask: int
    or_mask: int

    def __init__(self, address: int, and_mask: int = 0xFFFF, or_mask: int = 0) -> None:
        check_address(self.function_code, address)
        check_word(self.function_code, "AND mask", and_mask)
        check_word(self.function_code, "OR mask", or_mask)
        set_field(self, "address", address)
        set_field(self, "and_mask", and_mask)
        set_field(self, "or_mask", or_mask)

    def encode(self) -> bytes:
        return _THREE_WORDS.pack(self.function_code, self.address, self.and_mask, self.or_mask)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 7:
            raise wrong_response(cls, pdu, "7")
        _, address, and_mask, or_mask = _THREE_WORDS.unpack(pdu)
        return cls(address, and_mask, or_mask)


class MaskWriteRegisterRequest(Request[MaskWriteRegisterResponse]):
    """Function 22: a holding register becomes (current AND and) OR (or AND NOT and) (6.16)."""

    __slots__ = ("address", "and_mask", "or_mask")
    __match_args__ = ("address", "and_mask", "or_mask")
    function_code = 22
    is_write = True
    length_rule = staticmethod(fixed_length(7))
    response_type = MaskWriteRegisterResponse
    address: int
    and_mask: int
    or_mask: int

    def __init__(self, address: int, and_mask: int = 0xFFFF, or_mask: int = 0) -> None:
        check_address(self.function_code, address)
        check_word(self.function_code, "AND mask", and_mask)
        check_word(self.function_code, "OR mask", or_mask)
        set_field(self, "address", address)
        set_field(self, "and_mask", and_mask)
        set_field(self, "or_mask", or_mask)

    def encode(self) -> bytes:
        return _THREE_WORDS.pack(self.function_code, self.address, self.and_mask, self.or_mask)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 7:
            raise wrong_request(cls, pdu, "7")
        _, address, and_mask, or_mask = _THREE_WORDS.unpack(pdu)
        return cls(address, and_mask, or_mask)

    def check_response(self, response: MaskWriteRegisterResponse) -> None:
        check_echo("address", response.address, self.address)
        check_echo("AND mask", response.and_mask, self.and_mask)
        check_echo("OR mask", response.or_mask, self.or_mask)

    def execute(self, unit: Unit) -> MaskWriteRegisterResponse:
        unit.holding_registers.mask_write(self.address, self.and_mask, self.or_mask)
        return MaskWriteRegisterResponse(self.address, self.and_mask, self.or_mask)


class ReadWriteMultipleRegistersRequest(Request[ReadWriteMultipleRegistersResponse]):
    """Function 23: write 1 to 121 `values`, then read `read_count` (1..125) registers (6.17)."""

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
        self, read_address: int, read_count: int, write_address: int, values: Sequence[int]
    ) -> None:
        code = self.function_code
        data = pack_registers(code, values, MAX_READ_WRITE_REGISTERS)
        check_span(code, read_address, read_count, MAX_READ_REGISTERS, "registers to read")
        check_span(code, write_address, len(values), MAX_READ_WRITE_REGISTERS, "registers")
        set_field(self, "read_address", read_address)
        set_field(self, "read_count", read_count)
        set_field(self, "write_address", write_address)
        set_field(self, "data", data)

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
            raise wrong_request(cls, pdu, "10 + byte count")
        code, read_address, read_count, write_address, count, byte_count = _READ_WRITE.unpack_from(
            pdu
        )
        check_byte_count(cls, count, MAX_READ_WRITE_REGISTERS, byte_count, size)
        check_span(code, read_address, read_count, MAX_READ_REGISTERS, "registers to read")
        check_span(code, write_address, count, MAX_READ_WRITE_REGISTERS, "registers")
        request = cls.__new__(cls)
        set_field(request, "read_address", read_address)
        set_field(request, "read_count", read_count)
        set_field(request, "write_address", write_address)
        set_field(request, "data", pdu[10:])
        return request

    def check_response(self, response: ReadWriteMultipleRegistersResponse) -> None:
        check_count(response, self.read_count)

    def execute(self, unit: Unit) -> ReadWriteMultipleRegistersResponse:
        return ReadWriteMultipleRegistersResponse.from_data(
            unit.holding_registers.write_read_registers(
                self.write_address, self.data, self.read_address, self.read_count
            )
        )


class ReadFifoQueueResponse(Response):
    """The answer to function 24: 0 to 31 registers of a FIFO queue."""

    __slots__ = ("data",)
    __match_args__ = ("registers",)
    function_code = 24
    length_rule = staticmethod(counted_length(1, 2))
    data: bytes

    def __init__(self, registers: Sequence[int]) -> None:
        set_field(
            self, "data", pack_registers(self.function_code, registers, MAX_FIFO_COUNT, least=0)
        )

    @property
    def registers(self) -> tuple[int, ...]:
        """The queue, oldest value first, without taking anything out."""
        return unpack_registers(self.data)

    def encode(self) -> bytes:
        size = len(self.data)
        return _TWO_WORDS.pack(self.function_code, size + 2, size >> 1) + self.data

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 5
        if size < 0:
            raise wrong_response(cls, pdu, "5 + 2 for each register")
        _, byte_count, count = _TWO_WORDS.unpack_from(pdu)
        if count > MAX_FIFO_COUNT or byte_count != size + 2 or count << 1 != size:
            raise InvalidResponseError(
                f"FIFO byte count must be 2 + 2 for each of 0..{MAX_FIFO_COUNT} registers, got "
                f"byte count {byte_count} and FIFO count {count} with {size} bytes of values"
            )
        response = cls.__new__(cls)
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
            raise wrong_request(cls, pdu, "3")
        return cls(_ONE_WORD.unpack(pdu)[1])

    def execute(self, unit: Unit) -> ReadFifoQueueResponse:
        registers = unit.read_fifo_queue(self.address)
        if len(registers) > MAX_FIFO_COUNT:
            raise IllegalDataValueError(
                self, detail=f"the queue holds {len(registers)} registers, at most 31 can be read"
            )
        return ReadFifoQueueResponse(registers)
