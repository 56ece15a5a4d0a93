"""Coils and discrete inputs as bits in bytes: the first one in the lowest bit of the first byte.

The order is that of MODBUS Application Protocol V1.1b3, section 6.1; both directions go through
one big integer, so 2000 coils cost no Python loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import unpack

_ASCII_TO_BIT = bytes(byte == 0x31 for byte in range(256))
_BIT_TO_ASCII = b"0" + b"1" * 255


def pack_bits(bits: Iterable[bool]) -> bytes:
    """Bytes of `bits`, the unused high bits of the last byte 0.

    Raises ValueError for anything that is not True, False, 0 or 1.
    """
    try:
        each = bytes(bits)
    except (TypeError, ValueError):
        raise ValueError("bits must be True or False (or 1 or 0)") from None
    if not each:
        return b""
    if max(each) > 1:
        raise ValueError(f"bits must be True or False (or 1 or 0), got {max(each)}")
    value = int(each[::-1].translate(_BIT_TO_ASCII), 2)
    return value.to_bytes((len(each) + 7) >> 3, "little")


def unpack_bits(data: bytes, count: int) -> tuple[bool, ...]:
    """The first `count` bits of `data`, which must hold them: 0 <= count <= 8 * len(data)."""
    if not count:
        return ()
    # One more bit on top keeps the leading zeros; the slice drops it again with "0b".
    digits = bin(int.from_bytes(data, "little") | 1 << (len(data) << 3))[: -count - 1 : -1]
    return unpack(f"{count}?", digits.encode().translate(_ASCII_TO_BIT))
