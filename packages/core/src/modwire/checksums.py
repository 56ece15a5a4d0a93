"""The two checksums of MODBUS over Serial Line V1.02: CRC-16 (6.2.2) and LRC (6.2.1).

Short messages use a table of 16-bit words. Long ones are folded as one big integer: the generator
is (x+1)(x^15+x+1), and modulo the second factor x^(15*2^k) equals x^(2^k)+1, so two shifts move
the upper part of a polynomial down by 14*2^k bits. The factor x+1 is the parity of all bits.
"""

from __future__ import annotations

from array import array
from struct import Struct


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_TABLE = tuple(map(_table_entry, range(256)))


def _word_table() -> array[int]:
    """Return the CRC of every 16-bit word, 128 KB; each row is the first one xor a constant."""
    low = [_TABLE[entry & 0xFF] ^ entry >> 8 for entry in _TABLE]
    row = int.from_bytes(b"".join(entry.to_bytes(2, "little") for entry in low), "little")
    every = int.from_bytes(b"\1\0" * 256, "little")
    table = array("H", b"".join((row ^ every * entry).to_bytes(512, "little") for entry in _TABLE))
    if table[1] != low[1]:  # a big-endian machine
        table.byteswap()
    return table


_WORD_TABLE = _word_table()
_TABLE_UP_TO = 64  # bytes; above it the fold is faster, as benchmarks/crc.py measures
_WORDS = tuple(Struct(f"<{count}H") for count in range(_TABLE_UP_TO // 2 + 1))
# CRC-16 takes the low bit of a byte first, but the big integer takes the high bit first.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LONGEST = 260  # maximum number of bytes for `_fold`; an ADU has at most 256
_LOW15, _LOW30, _LOW60, _LOW120, _LOW240, _LOW480, _LOW960, _LOW1920 = (
    (1 << (15 << k)) - 1 for k in range(8)
)


def crc16(data: bytes | bytearray) -> int:
    """Return the CRC-16 of `data` (start 0xFFFF, no final xor); its low byte is sent first."""
    size = len(data)
    if size > _TABLE_UP_TO:
        return _fold(data) if size <= _LONGEST else _by_bytes(data)
    crc: int = 0xFFFF
    table = _WORD_TABLE
    word: int
    for word in _WORDS[size >> 1].unpack_from(data):
        crc = table[crc ^ word]
    return crc >> 8 ^ _TABLE[crc & 0xFF ^ data[-1]] if size & 1 else crc


def _by_bytes(data: bytes | bytearray) -> int:
    crc = 0xFFFF
    table = _TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


def checked_prefix(data: bytes | bytearray, at: int, least: int, most: int) -> int:
    """Return the end of the shortest run of bytes from `at` on with a valid CRC; 0 if none has one.

    The run has `least` to `most` bytes including its CRC; the CRC over all of them is 0.
    """
    crc = 0xFFFF
    table = _TABLE
    for end, byte in enumerate(data[at : at + most], at + 1):
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
        if not crc and end - at >= least:
            return end
    return 0


def _fold(data: bytes | bytearray) -> int:
    """Return the CRC-16 by folding. The number after each fold is the number of bits left."""
    size = len(data)
    p = int.from_bytes(data.translate(_REVERSED), "big")
    p = (p ^ 0xFFFF << (size << 3) - 16) << 16
    odd = p.bit_count() & 1
    if size > 238:
        p = p & _LOW1920 ^ (high := p >> 1920) ^ high << 128  # 1920
    if size > 118:
        p = p & _LOW960 ^ (high := p >> 960) ^ high << 64  # 1024
    if size > 58:
        p = p & _LOW480 ^ (high := p >> 480) ^ high << 32  # 576
    p = p & _LOW240 ^ (high := p >> 240) ^ high << 16  # 352
    p = p & _LOW240 ^ (high := p >> 240) ^ high << 16  # 240
    p = p & _LOW120 ^ (high := p >> 120) ^ high << 8  # 128
    p = p & _LOW60 ^ (high := p >> 60) ^ high << 4  # 72
    p = p & _LOW60 ^ (high := p >> 60) ^ high << 4  # 60
    p = p & _LOW30 ^ (high := p >> 30) ^ high << 2  # 32
    p = p & _LOW30 ^ (high := p >> 30) ^ high << 2  # 30
    p = p & _LOW15 ^ (high := p >> 15) ^ high << 1  # 16
    p = p & _LOW15 ^ (high := p >> 15) ^ high << 1  # 15
    if p.bit_count() & 1 != odd:
        p ^= 0x8003  # x^15+x+1 is 0 modulo itself, but it changes the parity
    return _REVERSED[p >> 8] | _REVERSED[p & 0xFF] << 8


def lrc(data: bytes | bytearray) -> int:
    """Return the LRC of `data`: the two's complement of the 8-bit sum of its bytes."""
    return -sum(data) & 0xFF
