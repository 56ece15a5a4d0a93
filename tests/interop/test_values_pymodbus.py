"""Typed values have the same layout in registers as in pymodbus 3.16."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from modwire.values import array_of, bits_of, from_registers, string_of, to_registers

from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus.client.mixin import ModbusClientMixin

pytestmark = pytest.mark.usefixtures("pymodbus")

SAMPLES: dict[str, list[Any]] = {
    "int16": [0, 1, -1, -32768, 32767],
    "uint16": [0, 1, 0xABCD, 65535],
    "int32": [0, -2, 0x12345678, -(2**31)],
    "uint32": [0, 1, 0x12345678, 0xFEDCBA98],
    "int64": [0, -3, 0x123456789ABCDEF0, -(2**63)],
    "uint64": [0, 1, 0xFEDCBA9876543210],
    "float32": [0.0, -1.5, struct.unpack(">f", b"\x41\xb2\xb8\x52")[0], float("inf")],
    "float64": [0.0, 22.34, -1e300],
}


def swapped(registers: list[int]) -> list[int]:
    """Return the registers with swapped bytes; pymodbus leaves that to its users."""
    return [(word & 0xFF) << 8 | word >> 8 for word in registers]


@pytest.mark.parametrize("byte_order", ["big", "little"])
@pytest.mark.parametrize("word_order", ["big", "little"])
@pytest.mark.parametrize("name", SAMPLES)
def test_numbers_lie_as_in_pymodbus_in_the_four_orders(
    name: Any, word_order: Any, byte_order: Any
) -> None:
    data_type = ModbusClientMixin.DATATYPE[name.upper()]
    for value in SAMPLES[name]:
        registers = to_registers(name, value, word_order=word_order, byte_order=byte_order)
        theirs = swapped(registers) if byte_order == "little" else registers
        assert ModbusClientMixin.convert_from_registers(theirs, data_type, word_order) == value
        assert ModbusClientMixin.convert_to_registers(value, data_type, word_order) == theirs
        back = from_registers(name, registers, word_order=word_order, byte_order=byte_order)
        assert back == value


@pytest.mark.parametrize("word_order", ["big", "little"])
def test_arrays_lie_as_in_pymodbus(word_order: Any) -> None:
    values = [1.5, -2.25, 0.125]
    registers = to_registers(array_of("float32", 3), values, word_order=word_order)
    data_type = ModbusClientMixin.DATATYPE.FLOAT32
    assert ModbusClientMixin.convert_from_registers(registers, data_type, word_order) == values


def test_text_and_bits_lie_as_in_pymodbus() -> None:
    """Its first bit is in the high byte of a register: ours after a swap of the bytes."""
    text = ModbusClientMixin.DATATYPE.STRING
    registers = to_registers(string_of(8), "pumpé")
    assert ModbusClientMixin.convert_from_registers(registers, text) == "pumpé"
    assert ModbusClientMixin.convert_to_registers("pumpé", text) == registers[:3]

    bits = [number % 3 == 0 for number in range(32)]
    registers = to_registers(bits_of(32), bits, byte_order="little")
    data_type = ModbusClientMixin.DATATYPE.BITS
    assert ModbusClientMixin.convert_from_registers(registers, data_type) == bits
    assert ModbusClientMixin.convert_to_registers(bits, data_type) == registers
