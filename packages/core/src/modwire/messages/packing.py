"""Conversion of a caller's values to the bytes of a PDU and back; errors name the wrong value."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import Struct

from ..bits import pack_bits
from ..errors import InvalidRequestError
from .base import MAX_PDU
from .checks import LISTS, as_sequence, check_number

_REGISTERS = tuple(Struct(f">{count}H") for count in range(MAX_PDU >> 1))
# By count, so that messages pack and unpack without a call of a Python function.
PACK_REGISTERS = tuple(registers.pack for registers in _REGISTERS)
UNPACK_REGISTERS = tuple(registers.unpack for registers in _REGISTERS)


def as_registers(function_code: int, values: Sequence[int] | bytes) -> Sequence[int]:
    """Return the values of registers, which may come as big-endian bytes, two for each.

    Raises InvalidRequestError for an odd number of bytes, and for other things than a list.
    """
    if not isinstance(values, (bytes, bytearray, memoryview)):
        return as_sequence(function_code, values, "values")
    data = bytes(values)
    if len(data) % 2:
        raise InvalidRequestError(
            f"registers as bytes must have two bytes each, got {len(data)}", function_code
        )
    return struct.unpack(f">{len(data) >> 1}H", data)


def pack_registers(
    function_code: int, values: Sequence[int] | bytes, most: int, least: int = 1
) -> bytes:
    """Return `values` as big-endian bytes; see `as_registers`.

    Raises InvalidRequestError unless there are `least` to `most` of them, 0..65535 each.
    """
    if values.__class__ not in LISTS:
        values = as_registers(function_code, values)
    if not least <= len(values) <= most:
        raise InvalidRequestError(
            f"count must be {least}..{most} registers, got {len(values)}", function_code
        )
    try:
        return PACK_REGISTERS[len(values)](*values)
    except struct.error:
        pass
    for index, value in enumerate(values):
        check_number(function_code, f"value {index}", value)
    raise InvalidRequestError(f"values must be integers 0..65535, got {values!r}", function_code)


def unpack_registers(data: bytes) -> tuple[int, ...]:
    """Return the registers in big-endian `data` of at most 250 bytes."""
    return UNPACK_REGISTERS[len(data) >> 1](data)


def pack_coils(function_code: int, bits: Sequence[bool], most: int) -> tuple[bytes, int]:
    """Return `bits` packed eight to a byte, and their number.

    Raises InvalidRequestError unless there are 1 to `most` of them, True or False each.
    """
    if bits.__class__ not in LISTS:
        bits = as_sequence(function_code, bits, "values")
    count = len(bits)
    if not 1 <= count <= most:
        raise InvalidRequestError(f"count must be 1..{most} bits, got {count}", function_code)
    try:
        return pack_bits(bits), count
    except ValueError as error:
        raise InvalidRequestError(str(error), function_code) from None
