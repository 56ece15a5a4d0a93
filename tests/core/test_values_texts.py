"""Texts as devices end, pad and damage them; raw values that stand for None."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import pytest

from modwire.values import (
    RegisterBuilder,
    RegisterReader,
    ValueType,
    array_of,
    from_registers,
    optional,
    scaled,
    string_of,
    to_registers,
)

C_TEXT = string_of(8, nul_terminated=True)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (C_TEXT, b"AB\0\xff\xffXYZ", "AB"),
        (C_TEXT, b"ABCDEFGH", "ABCDEFGH"),
        (C_TEXT, bytes(8), ""),
        (string_of(8), b"AB\0X\0\0\0\0", "AB\0X"),
        (string_of(8, nul_terminated=True, padding=" "), b"AB  \0XYZ", "AB"),
        (string_of(8, strip=True), b"  AB \r\n\0", "AB"),
        (string_of(8, strip=True, padding=" "), b"\tAB     ", "AB"),
        (string_of(8, encoding="latin-1", padding="\xff"), b"AB\xff\xff\xff\xff\xff\xff", "AB"),
        (string_of(8, errors="replace"), b"A\xffB\0\0\0\0\0", "A\ufffdB"),
        (string_of(8, errors="ignore"), b"A\xffB\0\0\0\0\0", "AB"),
        (string_of(8, errors="backslashreplace"), b"A\xffB\0\0\0\0\0", r"A\xffB"),
        (string_of(4, errors="replace", nul_terminated=True), b"AB\xc3\0", "AB\ufffd"),
        # The second and third byte are zeros of two characters, and no NUL.
        (string_of(8, encoding="utf-16-be", nul_terminated=True), b"\1\0\0A\0\0\xd8\0", "\u0100A"),
        (string_of(8, encoding="utf-16-be", nul_terminated=True), b"\1\0\0A\1\0\0A", "\u0100A" * 2),
    ],
)
def test_texts_are_read_as_devices_have_them(kind: ValueType[str], data: bytes, text: str) -> None:
    assert kind.unpack(data) == text


def test_texts_are_written_with_their_end_and_padding() -> None:
    assert C_TEXT.pack("AB") == b"AB\0\0\0\0\0\0"
    assert C_TEXT.pack("ABCDEFGH") == b"ABCDEFGH"
    padded = string_of(8, nul_terminated=True, padding=" ")
    assert padded.pack("AB") == b"AB\0     "
    assert padded.unpack(padded.pack("AB")) == "AB"
    assert string_of(4, errors="replace").pack("A\ufffd") == b"A\xef\xbf\xbd"
    with pytest.raises(ValueError, match="ends at its first NUL cannot have one, got 'A.x00B'"):
        C_TEXT.pack("A\0B")
    with pytest.raises(ValueError, match="a string must be ascii, got 'é'"):
        string_of(4, encoding="ascii", errors="replace").pack("é")


@pytest.mark.parametrize("errors", ["lenient", "xmlcharrefreplace", 3])
def test_a_handler_that_cannot_decode_is_refused(errors: str) -> None:
    with pytest.raises(ValueError, match=f'errors must be "strict", "replace", .*got {errors!r}'):
        string_of(8, errors=errors)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: string_of(8, nul_terminated=1), "nul_terminated must be True or False, got 1"),  # type: ignore[arg-type]
        (lambda: string_of(8, strip=" "), "strip must be True or False, got ' '"),  # type: ignore[arg-type]
        (lambda: string_of(8, padding="é", nul_terminated=True), "as many bytes as a NUL in utf-8"),
    ],
)
def test_options_that_do_not_fit_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_raw_values_that_stand_for_none_are_those_of_the_value_in_its_order() -> None:
    kind = optional("int32", (0x80000000, 0x7FFFFFFF))
    assert from_registers(kind, [0, 0x8000], order="CDAB") is None
    assert from_registers(kind, [0xFFFF, 0x7FFF], order="CDAB") is None
    assert from_registers(kind, [0x8000, 0], order="CDAB") == 0x8000
    assert to_registers(kind, None, order="CDAB") == [0, 0x8000]
    assert from_registers(optional("uint8", 0xFF), [0xFF]) is None
    assert from_registers(optional(scaled("int16", 0.1), 0x8000), [5]) == 0.5
    assert from_registers(array_of(optional("int16", 0x8000), 2), [5, 0x8000]) == (5, None)
    assert from_registers(optional(string_of(2), 0), [0]) is None


@pytest.mark.parametrize("registers", [[0x7FC0, 0], [0xFFFF, 0xFFFF], [0x7F80, 1]])
def test_nan_is_every_pattern_that_is_no_number(registers: list[int]) -> None:
    assert from_registers(optional("float32", nan), registers) is None
    assert from_registers(optional(scaled("float32", 0.1), nan), registers) is None
    one = from_registers(optional("float32", 0x7FC00000), registers)
    assert (one is None) == (registers == [0x7FC0, 0])


def test_several_values_in_a_row_may_be_none() -> None:
    kind = optional("uint16", 0xFFFF)
    registers = RegisterBuilder().add(kind, None).add(kind, 3).to_registers()
    assert registers == [0xFFFF, 3]
    reader = RegisterReader(registers)
    assert (reader.read(kind), reader.read(kind)) == (None, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optional("uint8", 0x100), r"none of uint8 must be a raw value 0\.\.0xFF or"),
        (lambda: optional("uint16", 0x8000).pack(0x8000), "cannot be 32768, which stands for None"),
        (lambda: optional("uint61", 1), "type must be one of int8"),  # type: ignore[call-overload]
    ],
)
def test_what_cannot_stand_for_none_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
