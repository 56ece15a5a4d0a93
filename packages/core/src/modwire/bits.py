"""Coils and discrete inputs as bits in bytes: the first one in the lowest bit of the first byte.

This is the order of MODBUS Application Protocol V1.1b3, section 6.1. Both directions go through
one big integer, so 2000 coils need no Python loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import unpack

_ASCII_TO_BIT = bytes(byte == 0x31 for byte in range(256))
# Any byte other than 0 and 1 becomes a character that int() refuses.
_BIT_TO_ASCII = b"01" + b"x" * 254


def pack_bits(bits: Iterable[bool]) -> bytes:
    """Return `bits` packed eight to a byte, the unused high bits of the last byte 0.

    Raises ValueError unless each is True, False, 0 or 1.
    """
    try:
        digits = bytes(bits)[::-1].translate(_BIT_TO_ASCII)
        return int(digits or b"0", 2).to_bytes((len(digits) + 7) >> 3, "little")
    except (TypeError, ValueError):
        raise ValueError("bits must be True or False (or 1 or 0)") from None


def unpack_bits(data: bytes, count: int) -> tuple[bool, ...]:
    """Return the first `count` bits of `data`: 0 <= count <= 8 * len(data)."""
    if not count:
        return ()
    # An extra bit on top keeps the leading zeros; the slice drops it together with "0b".
    digits = bin(int.from_bytes(data, "little") | 1 << (len(data) << 3))[: -count - 1 : -1]
    return unpack(f"{count}?", digits.encode().translate(_ASCII_TO_BIT))
