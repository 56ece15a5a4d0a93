"""Typed values: results as in a meter's manual, and clear errors."""

from __future__ import annotations

import math
import struct
from enum import Enum, IntFlag
from typing import Any

import pytest

from modwire.maps import bit_field
from modwire.values import (
    ABCD,
    BADC,
    CDAB,
    DCBA,
    MODICON,
    UINT16,
    Order,
    RegisterBuilder,
    RegisterReader,
    ValueType,
    array_of,
    bcd_of,
    bits_of,
    enum_of,
    from_registers,
    scaled,
    string_of,
    to_registers,
)


class Mode(Enum):
    OFF = 0
    AUTO = 7
    FAULT = 99


class Alarm(IntFlag):
    HOT = 1
    WET = 2


# 0x41424344 as a number in four orders, as manuals draw them.
@pytest.mark.parametrize(
    ("order", "registers"),
    [
        ("ABCD", [0x4142, 0x4344]),
        ("CDAB", [0x4344, 0x4142]),
        ("BADC", [0x4241, 0x4443]),
        ("DCBA", [0x4443, 0x4241]),
        ("MODICON", [0x4344, 0x4142]),
    ],
)
def test_the_four_orders_put_the_bytes_where_their_names_say(
    order: str, registers: list[int]
) -> None:
    assert to_registers("uint32", 0x41424344, order=order) == registers
    assert from_registers("uint32", registers, order=order) == 0x41424344


def test_byte_order_and_word_order_are_apart_and_go_before_the_order() -> None:
    assert to_registers("uint32", 0x41424344, word_order="little") == [0x4344, 0x4142]
    assert to_registers("uint32", 0x41424344, byte_order="little") == [0x4241, 0x4443]
    assert to_registers("uint32", 0x41424344, order=DCBA, byte_order="big") == [0x4344, 0x4142]
    assert MODICON == CDAB == Order(word_order="little")
    assert Order("big", "big") == ABCD
    assert Order("little", "big") == BADC


def test_eight_bytes_are_turned_round_word_by_word() -> None:
    value = 0x0102030405060708
    assert to_registers("uint64", value) == [0x0102, 0x0304, 0x0506, 0x0708]
    assert to_registers("uint64", value, order="CDAB") == [0x0708, 0x0506, 0x0304, 0x0102]
    assert to_registers("uint64", value, order="DCBA") == [0x0807, 0x0605, 0x0403, 0x0201]


def test_a_float_of_the_manual() -> None:
    assert to_registers("float32", 22.34, word_order="little") == [0xB852, 0x41B2]
    assert from_registers("float32", [0xB852, 0x41B2], word_order="little") == pytest.approx(22.34)
    assert math.isnan(from_registers("float32", [0x7FC0, 0]))
    assert from_registers("float16", [0x7C00]) == math.inf


def test_a_single_byte_is_the_low_half_of_its_register() -> None:
    assert to_registers("uint8", 5) == [0x0005]
    assert to_registers("int8", -1) == [0x00FF]
    assert to_registers("uint8", 5, byte_order="little") == [0x0500]
    assert from_registers("int8", [0x12FF]) == -1
    assert to_registers(bcd_of(2), 42) == [0x0042]
    assert to_registers(bits_of(3), [True, False, True]) == [0x0005]


def test_text_reads_on_in_any_word_order_and_is_padded() -> None:
    assert to_registers(string_of(6), "pump", word_order="little") == [0x7075, 0x6D70, 0]
    assert to_registers(string_of(5), "pumpe") == [0x7075, 0x6D70, 0x6500]
    assert from_registers(string_of(5), [0x7075, 0x6D70, 0x6500]) == "pumpe"
    assert to_registers(string_of(4), "pump", byte_order="little") == [0x7570, 0x706D]
    assert to_registers(string_of(4, padding=" "), "a") == [0x6120, 0x2020]
    assert from_registers(string_of(4, padding=" "), [0x6120, 0x2020]) == "a"
    assert from_registers(string_of(4), [0, 0]) == ""
    assert to_registers(string_of(4, encoding="latin-1"), "°C") == [0xB043, 0]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_padding_takes_as_many_bytes_as_its_encoding_has(encoding: str) -> None:
    kind = string_of(12, encoding=encoding)
    assert from_registers(kind, to_registers(kind, "Aé")) == "Aé"


def test_bits_count_from_the_lowest_of_the_first_register() -> None:
    bits = [False] * 20
    bits[0] = bits[3] = bits[16] = True
    assert to_registers(bits_of(20), bits) == [0b1001, 0b1]
    assert from_registers(bits_of(20), [0b1001, 0xFFF1], word_order="little") == tuple(bits)


def test_bcd_has_any_number_of_digits() -> None:
    assert to_registers(bcd_of(4), 1234) == [0x1234]
    assert to_registers(bcd_of(5), 12345) == [0x0001, 0x2345]
    assert to_registers(bcd_of(8), 12345678, word_order="little") == [0x5678, 0x1234]
    assert from_registers(bcd_of(13), [0x1, 0x2345, 0x6789, 0x0123]) == 1234567890123
    assert from_registers(bcd_of(4), [0]) == 0


@pytest.mark.parametrize("register", [0x123A, 0xA123, 0x1F23])
def test_bcd_refuses_what_is_no_digit(register: int) -> None:
    with pytest.raises(ValueError, match=r"BCD must have half-bytes 0\.\.9, got "):
        from_registers(bcd_of(4), [register])


def test_bcd_refuses_digits_that_there_should_not_be() -> None:
    with pytest.raises(ValueError, match=r"BCD of 3 digits must be 0\.\.999, got 10 00"):
        from_registers(bcd_of(3), [0x1000])
    with pytest.raises(ValueError, match=r"BCD of 3 digits must be 0\.\.999, got 1000"):
        to_registers(bcd_of(3), 1000)


class Sixteen:
    """An integer like those of numpy: not an `int`, but with `__index__`."""

    def __index__(self) -> int:
        return 16


def test_integers_of_other_libraries_are_taken() -> None:
    value: Any = Sixteen()
    assert to_registers("uint16", value) == [16]
    assert to_registers(bcd_of(4), value) == [0x16]
    assert bit_field(0, 8, holding=0).encode(value) == (16,)


def test_a_scaled_integer_gives_the_decimal_that_was_meant() -> None:
    assert from_registers(scaled("int16", 0.1), [3]) == 0.3
    assert from_registers(scaled("int16", 0.1), [0xFFFD]) == -0.3
    assert to_registers(scaled("int16", 0.1), 230.04) == [2300]
    assert from_registers(scaled("uint16", 2.5, offset=-40), [4]) == -30
    assert to_registers(scaled("uint16", 2.5, offset=-40), -30) == [4]
    assert to_registers(array_of(scaled("uint16", 0.01), 2), [0.29, 1]) == [29, 100]


def test_a_scaled_float_is_not_rounded() -> None:
    registers = to_registers(scaled("float64", 0.5), 1.3)
    assert from_registers("float64", registers) == 2.6
    assert from_registers(scaled("float64", 0.5), registers) == 1.3


def test_enums_and_flags_come_back_as_members() -> None:
    assert from_registers(enum_of(Mode), [7]) is Mode.AUTO
    assert to_registers(enum_of(Mode, "uint32"), Mode.AUTO) == [0, 7]
    assert from_registers(enum_of(Alarm), [3]) == Alarm.HOT | Alarm.WET
    assert from_registers(enum_of(Mode, unknown=Mode.FAULT), [8]) is Mode.FAULT
    with pytest.raises(ValueError, match="Mode must be one of 0, 7, 99, got 8"):
        from_registers(enum_of(Mode), [8])
    with pytest.raises(ValueError, match="Mode must be one of its members, got 7"):
        to_registers(enum_of(Mode), 7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"int8 must be an integer -128\.\.127, got 300"):
        enum_of(Enum("Wide", {"A": 300}), "int8")


def test_arrays_keep_their_items_in_order() -> None:
    assert to_registers(array_of("uint32", 2), [1, 2], word_order="little") == [1, 0, 2, 0]
    assert to_registers(array_of("uint8", 3), [1, 2, 3]) == [0x0102, 0x0300]
    assert from_registers(array_of("uint8", 3), [0x0102, 0x0300]) == (1, 2, 3)
    assert from_registers(array_of(string_of(2), 2), [0x6100, 0x6263]) == ("a", "bc")


def pack_time(value: tuple[int, int]) -> bytes:
    return bytes(value)


def unpack_time(data: bytes) -> tuple[int, int]:
    if data[0] > 23:
        raise ValueError(f"hour must be 0..23, got {data[0]}")
    return data[0], data[1]


TIME = ValueType("time", 2, pack_time, unpack_time, number_size=0)


def test_a_type_of_ones_own_is_two_functions() -> None:
    assert to_registers(TIME, (12, 30)) == [0x0C1E]
    assert RegisterBuilder().add(TIME, (1, 2)).add("uint16", 3).to_registers() == [0x0102, 3]
    assert RegisterReader([0x0102, 0x0304]).read(array_of(TIME, 2)) == ((1, 2), (3, 4))
    with pytest.raises(ValueError, match=r"hour must be 0\.\.23, got 255"):
        from_registers(TIME, [0xFFFF])
    stamp = ValueType("stamp", 2, bytes, lambda data: {1: "a"}[data[0]])
    with pytest.raises(ValueError, match="stamp cannot be 02 00: 2"):
        from_registers(stamp, [0x0200])
    with pytest.raises(ValueError, match="time must pack into 2 bytes, got 3"):
        to_registers(TIME, (1, 2, 3))  # type: ignore[arg-type]


def test_values_in_a_row_share_registers() -> None:
    builder = RegisterBuilder(word_order="little")
    builder.add("uint8", 1).add("int8", -1).add("float32", 22.34).add(string_of(3), "abc")
    builder.skip_bytes(1).add("uint32", 1, word_order="big").skip_registers(1).add("uint8", 7)
    registers = [0x01FF, 0xB852, 0x41B2, 0x6162, 0x6300, 0, 1, 0, 0x0700]

    assert builder.to_registers() == registers
    assert len(builder) == 17

    reader = RegisterReader(registers, order="CDAB")
    assert reader.read("uint8") == 1
    assert reader.read("int8") == -1
    assert reader.read("float32") == pytest.approx(22.34)
    assert reader.read(string_of(3)) == "abc"
    assert reader.skip_bytes(1).read("uint32", word_order="big") == 1
    assert reader.skip_registers(1).remaining == 2
    assert reader.read("uint8") == 7
    assert reader.reset().read("uint8") == 1
    assert builder.reset().to_registers() == []


def test_registers_go_as_bytes_and_coils_as_they_are_on_the_wire() -> None:
    builder = RegisterBuilder().add("uint16", 0x0180)
    assert builder.to_bytes() == b"\x01\x80"
    assert builder.to_coils() == [True] + [False] * 14 + [True]
    assert RegisterReader.from_bytes(b"\x01\x80").read("uint16") == 0x0180
    assert RegisterReader.from_coils(builder.to_coils()).read("uint16") == 0x0180
    # The first coil is the lowest bit of the number.
    assert RegisterReader.from_coils([True] + [False] * 31, order="DCBA").read("uint32") == 1
    assert RegisterReader.from_coils([True, True]).remaining == 2
    assert RegisterBuilder(byte_order="little").add("uint8", 1).to_bytes() == b"\0\1"
    with pytest.raises(ValueError, match="registers must have an even number of bytes, got 3"):
        RegisterReader.from_bytes(b"abc")


def test_reading_past_the_end_says_how_much_was_asked_and_is_left() -> None:
    reader = RegisterReader([1, 2, 3])
    reader.read("uint16")
    with pytest.raises(ValueError, match="float64 needs 8 bytes, 4 of 6 are left"):
        reader.read("float64")
    with pytest.raises(ValueError, match="skipping needs 6 bytes, 4 of 6 are left"):
        reader.skip_registers(3)
    assert reader.read("uint32") == 0x00020003


def test_what_cannot_be_read_can_be_read_as_something_else() -> None:
    reader = RegisterReader([0x00FF])
    with pytest.raises(ValueError, match="half-bytes"):
        reader.read(bcd_of(4))
    assert reader.read("uint16") == 0xFF


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("uint16", 65536, r"uint16 must be an integer 0\.\.65535, got 65536"),
        ("int8", -129, r"int8 must be an integer -128\.\.127, got -129"),
        ("uint16", 1.0, r"uint16 must be an integer 0\.\.65535, got 1\.0"),
        ("float16", 65520, r"float16 must be a number -65504\.\.65504, inf or nan, got 65520"),
        ("float32", 1e39, r"float32 must be a number -3\.4028235e\+38\.\.3\.4028235e\+38"),
        ("float64", 10**400, r"float64 must be "),
        ("float32", "1", r"float32 must be a number .*, got '1'"),
        ("float33", 1, r"type must be one of int8, uint8, .*float64, or a ValueType such as"),
        (3, 1, r"type must be one of int8"),
        (string_of(4), "pumpe", r"must have at most 4 bytes in utf-8, got 5: 'pumpe'"),
        (string_of(4), b"a", r"a string must be a str, got b'a'"),
        (string_of(4, encoding="ascii"), "é", "a string must be ascii, got 'é'"),
        (bcd_of(4), -1, r"BCD of 4 digits must be 0\.\.9999, got -1"),
        (bcd_of(4), 1.5, r"BCD of 4 digits must be 0\.\.9999, got 1\.5"),
        (bits_of(3), 5, "3 bits cannot be 5: object of type 'int'"),
        (scaled("int16", 0.1), "1", "scaled int16 cannot be '1': unsupported operand"),
        (
            ValueType("words", 4, lambda v: struct.pack(">2H", *v), bytes),
            (1, 70000),
            "words cannot",
        ),
        (bits_of(3), [True], "bits must be 3, got 1"),
        (bits_of(1), [2], "bits must be True or False"),
        (array_of("uint16", 2), [1], "array of 2 uint16 must have 2 values, got 1"),
        (scaled("uint16", 0.1), 7000, r"7000 scaled by 0\.1: uint16 must be an integer 0"),
        (scaled("uint16", 0.1), math.nan, "scaled uint16 must be a finite number, got nan"),
        (ValueType("day", 2, lambda v: v.day, bytes), 3, "day cannot be 3: 'int' object has no"),
        (ValueType("day", 2, lambda v: [0, v], bytes), 3, "day must pack into bytes, got list"),
    ],
)
def test_a_value_that_does_not_fit_is_told_what_would(
    kind: ValueType[object], value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        to_registers(kind, value)


def test_wrong_registers_are_refused() -> None:
    with pytest.raises(ValueError, match="float32 must have 2 registers, got 1"):
        from_registers("float32", [1])
    with pytest.raises(ValueError, match="65536"):
        from_registers("uint16", [65536])
    with pytest.raises(ValueError, match=r"a string must be utf-8, got b'\\xff\\xff'"):
        from_registers(string_of(2), [0xFFFF])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: to_registers("uint16", 1, order="ACBD"), "order must be an Order or one of ABCD"),
        (
            lambda: RegisterBuilder(word_order="<"),
            'word_order must be "big" or "little", got \'<\'',
        ),
        (lambda: RegisterReader([], byte_order="up"), 'byte_order must be "big" or "little"'),
        (lambda: string_of(0), r"length must be 1\.\.131072 bytes, got 0"),
        (lambda: string_of(5, encoding="utf-16-be"), "a multiple of 2 bytes, got 5"),
        (lambda: string_of(4, encoding="klingon"), "encoding must be one that Python knows"),
        (lambda: string_of(4, padding="ab"), "padding must be one character, got 'ab'"),
        (lambda: string_of(4, encoding="ascii", padding="é"), "padding must be a character of"),
        (lambda: bcd_of(0), r"digits must be 1\.\.4096, got 0"),
        (lambda: bcd_of(2.5), r"digits must be 1\.\.4096, got 2\.5"),  # type: ignore[arg-type]
        (lambda: ValueType("x", 3, bytes, len, number_size=-1), "must divide its 3 bytes, or be 0"),
        (lambda: bits_of(0), "count must be 1"),
        (lambda: array_of("uint16", 0), r"count must be 1\.\.65536, got 0"),
        (lambda: scaled("uint16", 0), "scale must be a finite number other than 0"),
        (lambda: scaled("uint16", 1, math.inf), "offset must be a finite number"),
        (lambda: ValueType("x", 0, bytes, len), r"size of x must be 1\.\.131072 bytes, got 0"),
        (lambda: ValueType("x", 3, bytes, len), "an even number of bytes, x has 3"),
        (lambda: ValueType("x", 4, bytes, len, number_size=3), "must divide its 4 bytes"),
        (lambda: RegisterBuilder().skip_bytes(-1), "count must be at least 0 bytes, got -1"),
        (lambda: RegisterBuilder().skip_registers(-1), "at least 0 registers, got -1"),
        (lambda: RegisterReader([1]).skip_registers(-1), "at least 0 registers, got -1"),
        (lambda: RegisterReader([1]).skip_bytes(0.5), "at least 0 bytes, got 0.5"),  # type: ignore[arg-type]
        (lambda: RegisterReader([], order=[]), r"order must be an Order .*, got \[\]"),  # type: ignore[arg-type]
        (lambda: string_of(4, padding=b" "), "padding must be one character, got b' '"),  # type: ignore[arg-type]
        (lambda: string_of(4, encoding=8), "encoding must be one that Python knows, got 8"),  # type: ignore[arg-type]
        (lambda: string_of(4, encoding="a\0b"), "encoding must be one that Python knows"),
        (lambda: string_of(6, encoding="utf-7"), "cannot be the padding in utf-7: its bytes vary"),
        (lambda: string_of(6, encoding="punycode"), "cannot be the padding in punycode"),
        (lambda: scaled("uint16", 1e-320), "scale must be a finite number other than 0, got 1e"),
        (lambda: scaled("uint16", 10**400), "scale must be a finite number other than 0, got 1"),
        (lambda: scaled("uint16", 1, 10**400), "offset must be a finite number, got 1"),
        (
            lambda: enum_of(Mode, unknown=5),  # type: ignore[type-var]
            "unknown must be None or a member of Mode, got 5",
        ),
        (lambda: RegisterReader(5), "registers must be a sequence of integers, got 5"),  # type: ignore[arg-type]
        (lambda: from_registers("int16", None), "registers must be a sequence .*, got None"),  # type: ignore[call-overload]
        (lambda: RegisterReader.from_bytes("ab"), "registers as bytes must be bytes, got 'ab'"),  # type: ignore[arg-type]
        (lambda: RegisterReader.from_coils(5), "coils must be a sequence of True and .* got 5"),  # type: ignore[arg-type]
        (
            lambda: RegisterBuilder().add("int8", 1).skip_registers(65536),
            "there must be at most 131072 bytes, a whole table, got 1 and 131072 to skip",
        ),
        (lambda: enum_of(int), "members must be an Enum class, got <class 'int'>"),  # type: ignore[type-var]
        (lambda: scaled("uint16", "1"), "scale must be a finite number other than 0, got '1'"),  # type: ignore[arg-type]
        (lambda: UINT16.unpack(b"\1"), "uint16 must have 2 bytes, got 1"),
    ],
)
def test_a_wrong_argument_is_told_what_is_allowed(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def test_layouts_agree_with_struct() -> None:
    for name, code in [
        ("int16", "h"),
        ("uint16", "H"),
        ("int32", "i"),
        ("uint32", "I"),
        ("int64", "q"),
        ("uint64", "Q"),
        ("float16", "e"),
        ("float32", "f"),
        ("float64", "d"),
    ]:
        data = struct.pack(f">{code}", 77)
        assert RegisterBuilder().add(name, 77).to_bytes() == data  # type: ignore[call-overload]
        # Fully reversed bytes are the memory layout of a little-endian computer.
        little = struct.pack(f"<{code}", 77)
        assert RegisterBuilder(order="DCBA").add(name, 77).to_bytes() == little  # type: ignore[call-overload]
