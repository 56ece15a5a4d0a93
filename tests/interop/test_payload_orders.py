"""The page on payloads: each of its rows is built by pymodbus and by modwire, to the same bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from modwire.values import (
    RegisterBuilder,
    RegisterReader,
    ValueType,
    bits_of,
    string_of,
    to_registers,
)

from .old_pymodbus import OldPymodbus
from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus.client.mixin import ModbusClientMixin

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "payload-orders.md"
# Values of each kind, with the method of pymodbus 2.x, the format of `struct` that 1.x packs it
# with, and the type here.
VALUES: list[tuple[str, str, Any, Any]] = [
    ("8bit_uint", "B", "uint8", 0x12),
    ("16bit_uint", "H", "uint16", 0x1234),
    ("8bit_int", "b", "int8", -2),
    ("16bit_int", "h", "int16", -300),
    ("string", "5s", string_of(5), "pumpe"),
    ("32bit_uint", "I", "uint32", 0x12345678),
    ("32bit_int", "i", "int32", -70000),
    ("64bit_uint", "Q", "uint64", 0x123456789ABCDEF0),
    ("64bit_int", "q", "int64", -5),
    ("16bit_float", "e", "float16", 1.5),
    ("32bit_float", "f", "float32", 0.125),
    ("64bit_float", "d", "float64", 22.34),
    ("bits", "", bits_of(8), (True, False, True, True, False, False, False, True)),
]


class Row(NamedTuple):
    """A row of the table: a version, its arguments, those of modwire, and the bytes."""

    version: str
    theirs: dict[str, str]
    ours: dict[str, Any]
    data: list[str]  # of 0x1234, 0x12345678, "abcd", and 1 and 2


def _rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if len(cells) == 7 and re.fullmatch(r"\d\.x", cells[0]):
            theirs = dict(re.findall(r'(\w+)=(?:Endian\.|")(\w+)', cells[1]))
            yield Row(cells[0], theirs, dict(re.findall(r'(\w+)="(\w+)"', cells[2])), cells[3:])


ROWS = list(_rows())


def rows(version: str) -> pytest.MarkDecorator:
    found = [each for each in ROWS if each.version == version]
    return pytest.mark.parametrize("row", found, ids=lambda row: "-".join(row.theirs.values()))


def built(row: Row, values: list[tuple[str, str, Any, Any]]) -> RegisterBuilder:
    builder = RegisterBuilder(**row.ours)
    for _, _, kind, value in values:
        builder.add(kind, value)
    return builder


@pytest.fixture(scope="module")
def payloads(old_pymodbus: Path) -> Iterator[OldPymodbus]:
    with OldPymodbus(old_pymodbus, "old_pymodbus_payloads.py") as program:
        yield program


def test_every_endianness_has_a_row() -> None:
    ends = ("Big", "Little")
    assert [(row.version, tuple(row.theirs.values())) for row in ROWS] == [
        *(("1.x", (end,)) for end in ends),
        *(("2.x", (byte, word)) for byte in ends for word in ends),
        *(("3.x", (end.lower(),)) for end in ends),
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join((row.version, *row.theirs.values())))
def test_the_bytes_in_the_table_are_those_of_modwire(row: Row) -> None:
    samples: list[list[tuple[Any, Any]]] = [
        [("uint16", 0x1234)],
        [("uint32", 0x12345678)],
        [(string_of(4), "abcd")],
        [("uint8", 1), ("uint8", 2)],
    ]
    for values, expected in zip(samples, row.data, strict=True):
        builder = RegisterBuilder(**row.ours)
        for kind, value in values:
            builder.add(kind, value)
        assert builder.to_bytes() == bytes.fromhex(expected) or not expected


@rows("1.x")
def test_pymodbus_1_packs_each_value_with_struct(row: Row) -> None:
    end = {"Big": ">", "Little": "<"}[row.theirs["endian"]]
    values = VALUES[:-1]  # its bits are no business of struct
    data = b"".join(
        struct.pack(end + code, value.encode() if isinstance(value, str) else value)
        for _, code, _, value in values
    )
    assert built(row, values).to_bytes() == data + bytes(len(data) % 2)


@rows("2.x")
def test_pymodbus_2_builds_and_reads_the_same(row: Row, payloads: OldPymodbus) -> None:
    there = payloads.ask(row.theirs, [(method, value) for method, _, _, value in VALUES])
    builder = built(row, VALUES)
    assert builder.to_bytes().hex() == there["bytes"]
    assert builder.to_registers() == there["registers"]
    reader = RegisterReader(there["registers"], **row.ours)
    for _, _, kind, value in VALUES:
        assert reader.read(kind) == value
    assert there["values"][:-1] == [value for _, _, _, value in VALUES[:-1]]
    coils = there["coils"]
    turned = [bit for at in range(0, len(coils), 8) for bit in coils[at : at + 8][::-1]]
    assert builder.to_coils() == turned


@pytest.mark.parametrize("word_order", ["Big", "Little"])
def test_pymodbus_2_can_swap_the_registers_once_more(
    word_order: str, payloads: OldPymodbus
) -> None:
    arguments = {"byteorder": "Little", "wordorder": word_order, "repack": True}
    values = [("32bit_uint", 0x12345678), ("string", "abcd"), ("8bit_uint", 1), ("8bit_uint", 2)]
    # A decoder has no such argument, so what it finds is not looked at.
    builder = RegisterBuilder(word_order=word_order.lower())  # type: ignore[arg-type]
    builder.add("uint32", 0x12345678).add(string_of(4), "abcd", byte_order="little")
    builder.add("uint8", 2).add("uint8", 1)
    assert builder.to_registers() == payloads.ask(arguments, values)["registers"]


@rows("3.x")
@pytest.mark.usefixtures("pymodbus")
def test_pymodbus_3_builds_the_same(row: Row) -> None:
    word_order: Any = row.theirs["word_order"]
    types = ModbusClientMixin.DATATYPE
    for name in ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"):
        kind: Any = name
        value = 0x12 if "int" in name else 22.375
        theirs = ModbusClientMixin.convert_to_registers(value, types[name.upper()], word_order)
        assert to_registers(kind, value, **row.ours) == theirs
    text = string_of(4)
    turned = ValueType("turned text", 4, text.pack, text.unpack)
    theirs = ModbusClientMixin.convert_to_registers("pump", types.STRING, word_order)
    assert to_registers(turned, "pump", **row.ours) == theirs
    if word_order == "big":
        assert to_registers(text, "pump", **row.ours) == theirs


def test_the_example_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    code, output = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == output
