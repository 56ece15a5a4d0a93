"""Registers as bytes: what a builder or `struct` has packed is written without a detour."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from modwire import (
    FileRecordData,
    InvalidRequestError,
    ReadHoldingRegistersResponse,
    ReadWriteMultipleRegistersRequest,
    WriteFileRecordRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
)
from modwire.values import RegisterBuilder

DATA = struct.pack(">fH", 22.34, 7)
WORDS = struct.unpack(">3H", DATA)
KINDS = pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])


@KINDS
def test_bytes_are_the_registers_in_them(kind: Any) -> None:
    data = kind(DATA)
    assert WriteMultipleRegistersRequest(5, data) == WriteMultipleRegistersRequest(5, WORDS)
    assert ReadWriteMultipleRegistersRequest(0, 2, 5, data) == ReadWriteMultipleRegistersRequest(
        0, 2, 5, WORDS
    )
    assert WriteFileRecordRequest([(4, 1, data)]) == WriteFileRecordRequest(
        [FileRecordData(4, 1, WORDS)]
    )
    assert ReadHoldingRegistersResponse(data).registers == WORDS


def test_a_builder_gives_them() -> None:
    builder = RegisterBuilder().add("float32", 22.34).add("uint16", 7)
    request = WriteMultipleRegistersRequest(0, builder.to_bytes())
    assert request == WriteMultipleRegistersRequest(0, builder.to_registers())
    assert request.encode().endswith(DATA)


@KINDS
@pytest.mark.parametrize("size", [1, 3, 245])
def test_half_a_register_is_refused(kind: Any, size: int) -> None:
    text = f"registers as bytes must have two bytes each, got {size}"
    for make in (
        lambda data: WriteMultipleRegistersRequest(0, data),
        lambda data: ReadWriteMultipleRegistersRequest(0, 1, 0, data),
        lambda data: WriteFileRecordRequest([(1, 0, data)]),
    ):
        with pytest.raises(InvalidRequestError, match=f"^{text}$"):
            make(kind(bytes(size)))


def test_the_limits_are_those_of_numbers() -> None:
    with pytest.raises(InvalidRequestError, match="count must be 1..123 registers, got 0"):
        WriteMultipleRegistersRequest(0, b"")
    with pytest.raises(InvalidRequestError, match="count must be 1..123 registers, got 124"):
        WriteMultipleRegistersRequest(0, bytes(248))
    with pytest.raises(InvalidRequestError, match="at most 65536, got 65535 \\+ 2"):
        WriteMultipleRegistersRequest(65535, bytes(4))


def test_coils_and_texts_are_no_bytes() -> None:
    with pytest.raises(InvalidRequestError, match="values must be a list of values, got bytes"):
        WriteMultipleCoilsRequest(0, b"\1\0")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="values must be a list of values, got str"):
        WriteMultipleRegistersRequest(0, "12")  # type: ignore[arg-type]
