"""The two checksums of MODBUS over Serial Line V1.02: CRC-16 (6.2.2) and LRC (6.2.1).

Short messages use a table of 16-bit words. Long ones are folded as one big integer: the generator
is (x+1)(x^15+x+1), and modulo the second factor x^(15*2^k) equals x^(2^k)+1, so two shifts move
the upper part of a polynomial down by 14*2^k bits. The factor x+1 is the parity of all bits.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
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
        return _fold(data) if size <= _LONGEST else continued_crc16(data)
    crc: int = 0xFFFF
    table = _WORD_TABLE
    word: int
    for word in _WORDS[size >> 1].unpack_from(data):
        crc = table[crc ^ word]
    return crc >> 8 ^ _TABLE[crc & 0xFF ^ data[-1]] if size & 1 else crc


def continued_crc16(data: bytes | bytearray, crc: int = 0xFFFF) -> int:
    """Return the CRC-16 of `data` behind bytes whose CRC-16 is `crc`."""
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


_PERIOD = 0x7FFF  # x^32767 is 1 modulo x^15+x+1
_ONES = b"\xff\xff"  # the start value of the CRC, added to the first two bytes


@lru_cache(maxsize=1)
def _powers() -> tuple[list[int], list[int], list[int], int]:
    """Return the tables of `CrcIndex`, which take 10 ms and 0.5 MB: only noise needs them.

    They are the powers of x modulo x^15+x+1, twice; the logarithm of each byte there; its parity,
    in bit 15; and the logarithm of the start value.
    """
    powers: list[int] = []
    value = 0x4000  # x^0; the low bit is that of x^14, because the low bit is sent first
    for _ in range(_PERIOD):
        powers.append(value)
        value = value >> 1 ^ (0x6000 if value & 1 else 0)
    logs = {value: exponent for exponent, value in enumerate(powers)}
    of_bytes = [0, *(logs[byte << 7] for byte in range(1, 256))]
    parities = [(byte.bit_count() & 1) << 15 for byte in range(256)]
    first, second = of_bytes[_ONES[0]], of_bytes[_ONES[1]]
    start = logs[powers[first] ^ powers[(second - 8) % _PERIOD]]
    return powers * 2, of_bytes, parities, start


class CrcIndex:
    """The checksums of all parts of a buffer, so that each can be checked in the same short time.

    A receiver that looks for a frame in noise tries many lengths at each byte. Let S(i) be the sum
    of the bytes before i, each times the power of x that belongs to its place. The CRC over the
    bytes from `at` to `end` is 0 if S(end) is S(at) plus the start value at the place of `at`.
    """

    __slots__ = ("_exponent", "_sums")

    def __init__(self, data: bytes) -> None:
        self._exponent = _PERIOD - 1  # of the next byte; it falls by 8 a byte
        self._sums = [0]
        self.extend(data)

    @property
    def size(self) -> int:
        """Number of bytes in it."""
        return len(self._sums) - 1

    def extend(self, data: bytes) -> None:
        """Add bytes behind those of the buffer."""
        powers, logs, parities, _ = _powers()
        exponent, sums = self._exponent, self._sums
        total = sums[-1]
        append = sums.append
        for byte in data:
            if byte:
                total ^= powers[logs[byte] + exponent] ^ parities[byte]
            append(total)
            exponent -= 8
            if exponent < 0:
                exponent += _PERIOD
        self._exponent = exponent

    def discard(self, size: int) -> None:
        """Remove `size` bytes from the front of the buffer."""
        del self._sums[:size]

    def is_valid(self, at: int, end: int) -> bool:
        """True if the CRC over the bytes from `at` to `end`, which includes it, is right."""
        powers, _, _, start = _powers()
        sums = self._sums
        place = (self._exponent + 8 * (len(sums) - 1 - at)) % _PERIOD
        return sums[at] ^ sums[end] == powers[start + place]


def lrc(data: bytes | bytearray) -> int:
    """Return the LRC of `data`: the two's complement of the 8-bit sum of its bytes."""
    return -sum(data) & 0xFF
