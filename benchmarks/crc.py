"""CRC-16 in pure Python in many ways; the RTU floors use the fastest for each length."""

from __future__ import annotations

from array import array
from functools import reduce
from operator import getitem, xor
from struct import Struct

from rounds import FLOOR, OURS, Loop, Row, Settings, cpu_sample, time_row

from modwire.checksums import crc16

SIZES = (6, 25, 64, 253)


def _shifted(word: int, bits: int) -> int:
    for _ in range(bits):
        word = word >> 1 ^ 0xA001 if word & 1 else word >> 1
    return word


_BYTES = tuple(_shifted(byte, 8) for byte in range(256))
_WORDS = array("H", (_shifted(word, 16) for word in range(0x10000)))
_WORD_OBJECTS = tuple(_WORDS)  # 2.5 MB: a lookup makes no new integer
# A 16-bit step in two lookups: its first byte, shifted by both bytes, and its second byte.
_FIRST_OF_TWO = tuple(_shifted(byte, 16) for byte in range(256))
_PAIRS = tuple(Struct(f"<{count}H") for count in range(129))
# _BEHIND[n][i]: the table of byte i of n, which includes the shift by all bytes behind it.
_LONGEST_SLICED = 64
_AT_DISTANCE = [_BYTES]
for _ in range(_LONGEST_SLICED - 1):
    _AT_DISTANCE.append(tuple(crc >> 8 ^ _BYTES[crc & 0xFF] for crc in _AT_DISTANCE[-1]))
_BEHIND = tuple(tuple(_AT_DISTANCE[size - 1 :: -1]) for size in range(_LONGEST_SLICED + 1))


def byte_table(data: bytes) -> int:
    """The usual way: a table of 256 entries, a step for each byte."""
    crc = 0xFFFF
    table = _BYTES
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


_ALL_ONES = tuple(byte_table(bytes(size)) for size in range(_LONGEST_SLICED + 1))


def word_array(data: bytes) -> int:
    """A table of 65536 entries in an array('H') of 128 KB, a step for two bytes."""
    crc = 0xFFFF
    table = _WORDS
    size = len(data)
    for word in _PAIRS[size >> 1].unpack_from(data):
        crc = table[crc ^ word]
    return crc >> 8 ^ _BYTES[(crc ^ data[-1]) & 0xFF] if size & 1 else crc


def word_tuple(data: bytes) -> int:
    """The same with a tuple: 2.5 MB."""
    crc = 0xFFFF
    table = _WORD_OBJECTS
    size = len(data)
    for word in _PAIRS[size >> 1].unpack_from(data):
        crc = table[crc ^ word]
    return crc >> 8 ^ _BYTES[(crc ^ data[-1]) & 0xFF] if size & 1 else crc


def two_tables(data: bytes) -> int:
    """Two tables of 256 entries, a step for two bytes."""
    crc = 0xFFFF
    first, second = _FIRST_OF_TWO, _BYTES
    size = len(data)
    for word in _PAIRS[size >> 1].unpack_from(data):
        crc ^= word
        crc = first[crc & 0xFF] ^ second[crc >> 8]
    return crc >> 8 ^ second[(crc ^ data[-1]) & 0xFF] if size & 1 else crc


def sliced(data: bytes) -> int:
    """A table for every position: no shift, no mask, one xor for each byte."""
    size = len(data)
    crc = _ALL_ONES[size]
    for table, byte in zip(_BEHIND[size], data):  # noqa: B905
        crc ^= table[byte]
    return crc


def reduced(data: bytes) -> int:
    """The same without a Python loop."""
    size = len(data)
    return reduce(xor, map(getitem, _BEHIND[size], data), _ALL_ONES[size])


def fastest(data: bytes) -> int:
    """The CRC of the floors: words from a tuple up to 96 bytes, then one big integer."""
    return word_tuple(data) if len(data) <= 96 else crc16(data)


def _loop(function: object, data: bytes) -> Loop:
    assert callable(function)

    def loop(count: int) -> None:
        for _ in range(count):
            function(data)

    return loop


def run(settings: Settings) -> list[Row]:
    """Return a row for each size; the floor is `fastest`."""
    rows = []
    for size in SIZES:
        data = bytes(value * 37 & 0xFF for value in range(size))
        candidates = {FLOOR: fastest, OURS: crc16, "byte table": byte_table}
        candidates |= {"two tables": two_tables, "array('H')": word_array}
        candidates |= {"word tuple": word_tuple}
        if size <= _LONGEST_SLICED:
            candidates |= {"table per place": sliced, "the same, reduced": reduced}
        if len({function(data) for function in candidates.values()}) != 1:
            raise RuntimeError(f"the CRCs of {size} bytes differ")
        samples = {
            name: cpu_sample(_loop(function, data), settings.sample)
            for name, function in candidates.items()
        }
        rows.append(time_row("crc", f"CRC-16 of {size} bytes", samples, settings.rounds))
    return rows
