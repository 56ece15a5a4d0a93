"""Typed values in registers: a float in two of them, a text in ten, BCD digits.

`to_registers` and `from_registers` convert single values, `RegisterBuilder` and `RegisterReader`
several in sequence; a custom type is one `ValueType`. Register maps are in `maps`.
"""

from .building import RegisterBuilder, RegisterReader, from_registers, to_registers
from .orders import ABCD, BADC, CDAB, DCBA, MODICON, Order
from .types import (
    FLOAT16,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    ValueType,
    array_of,
    bcd_of,
    bits_of,
    enum_of,
    scaled,
    string_of,
)

__all__ = [
    "ABCD",
    "BADC",
    "CDAB",
    "DCBA",
    "FLOAT16",
    "FLOAT32",
    "FLOAT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "MODICON",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "Order",
    "RegisterBuilder",
    "RegisterReader",
    "ValueType",
    "array_of",
    "bcd_of",
    "bits_of",
    "enum_of",
    "from_registers",
    "scaled",
    "string_of",
    "to_registers",
]
