"""Byte orders of single values, and orders that leave texts and single bytes alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.maps import RegisterMap, string, uint16, uint32
from modwire.values import (
    DCBA,
    LITTLE,
    Order,
    RegisterBuilder,
    RegisterReader,
    ValueType,
    array_of,
    bits_of,
    from_registers,
    string_of,
    to_registers,
)

ENDS = ("big", "little")
NUMBERS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_little_is_that_of_struct(name: Any) -> None:
    """Whatever stands before and behind it: a byte and a text stay as they are."""
    number = 3.5 if "float" in name else 0x1A
    builder = RegisterBuilder(order="LITTLE")
    builder.add("uint8", 0x12).add(name, number).add(string_of(3), "abc").add(bits_of(8), [1] * 8)
    data = b"\x12" + struct.pack("<" + NUMBERS[name], number) + b"abc\xff"
    assert builder.to_bytes() == data + bytes(len(data) % 2)
    reader = RegisterReader.from_bytes(builder.to_bytes(), order=LITTLE)
    assert reader.read("uint8") == 0x12
    assert reader.read(name) == number
    assert reader.read(string_of(3)) == "abc"
    assert reader.read(bits_of(8)) == (True,) * 8


def test_single_values_in_it() -> None:
    assert to_registers("uint32", 0x41424344, order="LITTLE") == [0x4443, 0x4241]
    assert to_registers(string_of(4), "pump", order="LITTLE") == [0x7075, 0x6D70]
    assert to_registers(string_of(4), "pump", order="DCBA") == [0x7570, 0x706D]
    assert to_registers("uint8", 5, order="LITTLE") == [5]
    assert to_registers(array_of("uint8", 2), [1, 2], order="LITTLE") == [0x0102]
    assert to_registers(array_of("uint16", 2), [1, 2], order="LITTLE") == [0x0100, 0x0200]
    for kind, value in ((string_of(4), "pump"), (array_of("uint8", 2), (1, 2))):
        registers = to_registers(kind, value, order="LITTLE")
        assert from_registers(kind, registers, order="LITTLE") == value


def test_numbers_only_is_beside_the_other_arguments() -> None:
    assert Order("little", "little", numbers_only=True) == LITTLE != DCBA
    text = string_of(2)
    assert to_registers(text, "ab", order=DCBA, numbers_only=True) == [0x6162]
    assert to_registers(text, "ab", order=LITTLE, numbers_only=False) == [0x6261]
    assert to_registers("uint32", 0x41424344, order=LITTLE, word_order="big") == [0x4241, 0x4443]
    with pytest.raises(ValueError, match="numbers_only must be True or False, got 1"):
        to_registers("uint16", 1, numbers_only=1)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="DCBA, MODICON, LITTLE, got 'ACBD'"):
        to_registers("uint16", 1, order="ACBD")  # type: ignore[call-overload]


def test_a_map_can_have_it() -> None:
    class Device(RegisterMap, order="LITTLE"):
        """A device that was written for pymodbus 1.x."""

        power = uint32(holding=0)
        name = string(4, holding=2)
        state = uint16(holding=4, byte_order="big")
        other = string(2, holding=5, numbers_only=False)

    device = Device()
    device.power, device.name, device.state, device.other = 0x41424344, "pump", 0x0102, "ab"
    block = device.build_unit().holding_registers
    assert block.read_registers(0, 6) == b"DCBA" + b"pump" + b"\1\2" + b"ba"
    assert Device.load(device.build_unit()) == device


def test_a_value_has_its_own_byte_order() -> None:
    builder = RegisterBuilder()
    builder.add("uint16", 0x0102).add("uint16", 0x0304, byte_order="little")
    builder.add("uint32", 0x41424344, byte_order="little", word_order="little")
    builder.add(string_of(4), "pump", byte_order="little").add("uint8", 7, byte_order="little")
    assert builder.to_bytes() == bytes.fromhex("0102 0403 44434241") + b"uppm\x07\0"
    reader = RegisterReader(builder.to_registers())
    assert reader.read("uint16") == 0x0102
    assert reader.read("uint16", byte_order="little") == 0x0304
    assert reader.read("uint32", byte_order="little", word_order="little") == 0x41424344
    assert reader.read(string_of(4), byte_order="little") == "pump"
    assert reader.read("uint8", byte_order="little") == 7


def test_the_other_way_round() -> None:
    builder = RegisterBuilder(byte_order="little")
    builder.add("uint16", 0x0102).add("uint16", 0x0304, byte_order="big").add(string_of(2), "ab")
    assert builder.to_bytes() == bytes.fromhex("0201 0304") + b"ba"
    reader = RegisterReader(builder.to_registers(), byte_order="little")
    assert reader.read("uint16") == 0x0102
    assert reader.read("uint16", byte_order="big") == 0x0304
    assert reader.read(string_of(2)) == "ab"


@pytest.mark.parametrize(
    ("before", "kind", "value", "order", "own"),
    [
        # Half a register, while all registers are swapped.
        (b"\1", "uint16", 5, "DCBA", "big"),
        (b"", "uint8", 5, "DCBA", "big"),
        # Pairs of an odd number of bytes.
        (b"", string_of(3), "abc", "ABCD", "little"),
        (b"\1", string_of(3), "abc", "LITTLE", "little"),
    ],
)
def test_half_registers_have_no_byte_order(
    before: bytes, kind: Any, value: Any, order: Any, own: Any
) -> None:
    builder = RegisterBuilder(order=order)
    for byte in before:
        builder.add("uint8", byte)
    built = builder.to_bytes()
    with pytest.raises(ValueError, match="a byte_order of its own must have whole registers"):
        builder.add(kind, value, byte_order=own)
    assert builder.to_bytes() == built
    reader = RegisterReader([0] * 4, order=order).skip_bytes(len(before))
    with pytest.raises(ValueError, match="a byte_order of its own must have whole registers"):
        reader.read(kind, byte_order=own)
    assert reader.remaining == 8 - len(before)
    with pytest.raises(ValueError, match='byte_order must be "big" or "little", got \'LITTLE\''):
        builder.add(kind, value, byte_order="LITTLE")  # type: ignore[arg-type]


KINDS: Sequence[tuple[ValueType[Any], Any]] = [
    (array_of("uint16", 1), (0x0102,)),
    (array_of("uint32", 1), (0x01020304,)),
    (array_of("float64", 1), (-1.5,)),
    (string_of(4), "pump"),
    (array_of("uint8", 2), (1, 2)),
    (bits_of(16), (True, False) * 8),
]
OWN = st.sampled_from((None, *ENDS))


@given(
    st.sampled_from(("ABCD", "CDAB", "BADC", "DCBA", "LITTLE")),
    st.lists(st.tuples(st.sampled_from(KINDS), OWN, OWN), max_size=6),
)
def test_a_reader_reads_what_a_builder_built(
    order: Any, values: list[tuple[tuple[ValueType[Any], Any], Any, Any]]
) -> None:
    builder = RegisterBuilder(order=order)
    for (kind, value), byte_order, word_order in values:
        builder.add(kind, value, byte_order=byte_order, word_order=word_order)
    reader = RegisterReader(builder.to_registers(), order=order)
    for (kind, value), byte_order, word_order in values:
        assert reader.read(kind, byte_order=byte_order, word_order=word_order) == value
    at = 0  # and each value, of whole registers, is the same alone
    registers = builder.to_registers()
    for (kind, value), byte_order, word_order in values:
        end = at + kind.register_count
        own: dict[str, Any] = {"order": order, "word_order": word_order}
        if byte_order is not None:
            own |= {"byte_order": byte_order, "numbers_only": False}
        assert from_registers(kind, registers[at:end], **own) == value
        at = end
