"""Unpacking returns the packed value, in each type and order; layouts are as in `struct`."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.values import (
    RegisterBuilder,
    RegisterReader,
    ValueType,
    array_of,
    bcd_of,
    bits_of,
    from_registers,
    string_of,
    to_registers,
)

ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
orders = st.sampled_from(ORDERS)


def integers(bits: int, signed: bool) -> st.SearchStrategy[int]:
    return (
        st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
        if signed
        else st.integers(0, (1 << bits) - 1)
    )


NUMBERS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    **{
        f"{'' if signed else 'u'}int{bits}": (
            code.lower() if signed else code,
            integers(bits, signed),
        )
        for bits, code in ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))
        for signed in (True, False)
    },
    "float16": ("e", st.floats(width=16)),
    "float32": ("f", st.floats(width=32)),
    "float64": ("d", st.floats(width=64)),
}
number = st.sampled_from(sorted(NUMBERS)).flatmap(
    lambda name: st.tuples(st.just(name), NUMBERS[name][1])
)


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


def by_hand(name: str, value: object, order: str) -> list[int]:
    """The registers, through `struct` and lists."""
    data = struct.pack(f">{NUMBERS[name][0]}", value)
    if len(data) == 1:
        data = b"\0" + data
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    endian = "<H" if order in ("BADC", "DCBA") else ">H"
    return [struct.unpack(endian, word)[0] for word in words]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_laid_out_as_struct_does_and_come_back(name: str, order: Any) -> None:
    kind: Any = name

    @given(NUMBERS[name][1])
    def check(value: Any) -> None:
        registers = to_registers(kind, value, order=order)
        if not same(value, math.nan):  # a nan has many forms
            assert registers == by_hand(name, value, order)
        assert same(value, from_registers(kind, registers, order=order))

    check()


@given(st.text(max_size=20), st.integers(0, 9), orders, st.sampled_from(["utf-8", "utf-16-le"]))
def test_text_comes_back(text: str, room: int, order: Any, encoding: str) -> None:
    text = text.rstrip("\0")
    kind = string_of(len(text.encode(encoding)) + 2 * room or 2, encoding=encoding)
    assert from_registers(kind, to_registers(kind, text, order=order), order=order) == text


@given(st.lists(st.booleans(), min_size=1, max_size=70), orders)
def test_bits_come_back(bits: list[bool], order: Any) -> None:
    kind = bits_of(len(bits))
    assert from_registers(kind, to_registers(kind, bits, order=order), order=order) == tuple(bits)


@given(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 10**n - 1))), orders
)
def test_bcd_comes_back_and_reads_as_its_digits(case: tuple[int, int], order: Any) -> None:
    digits, value = case
    kind = bcd_of(digits)
    assert from_registers(kind, to_registers(kind, value, order=order), order=order) == value
    assert "".join(f"{word:04x}" for word in to_registers(kind, value)).lstrip("0") == str(
        value or ""
    )


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=5))
def test_any_registers_are_bcd_or_a_value_error(registers: list[int]) -> None:
    digits = "".join(f"{word:04x}" for word in registers)
    try:
        value = from_registers(bcd_of(4 * len(registers)), registers)
    except ValueError as error:
        assert not digits.isdecimal()
        assert "0..9" in str(error)
    else:
        assert value == int(digits)


@given(st.lists(number, max_size=12), orders)
def test_a_row_of_any_numbers_comes_back(row: list[tuple[Any, Any]], order: Any) -> None:
    builder = RegisterBuilder(order=order)
    for name, value in row:
        builder.add(name, value)
    readers = [
        RegisterReader(builder.to_registers(), order=order),
        RegisterReader.from_bytes(builder.to_bytes(), order=order),
        RegisterReader.from_coils(builder.to_coils(), order=order),
    ]
    for reader in readers:
        assert all(same(value, reader.read(name)) for name, value in row)
        assert reader.remaining == len(builder) % 2


@given(st.lists(st.integers(0, 0xFFFF), max_size=6), orders, number)
def test_reading_any_registers_gives_a_value_or_says_what_is_left(
    registers: list[int], order: Any, asked: tuple[Any, Any]
) -> None:
    reader = RegisterReader(registers, order=order)
    size = struct.calcsize(f">{NUMBERS[asked[0]][0]}")
    for left in range(2 * len(registers), -1, -size):
        assert reader.remaining == left
        if left < size:
            with pytest.raises(ValueError, match=f"needs {size} bytes, {left} of"):
                reader.read(asked[0])
            return
        reader.read(asked[0])


@given(st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=9), orders)
def test_an_array_is_its_items_on_end(values: list[int], order: Any) -> None:
    kind: ValueType[Any] = array_of("uint32", len(values))
    registers = to_registers(kind, values, order=order)
    assert registers == [r for value in values for r in to_registers("uint32", value, order=order)]
    assert from_registers(kind, registers, order=order) == tuple(values)
