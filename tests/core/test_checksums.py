"""The checksums and the bit packing, compared with the simplest way to compute them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire import crc16, lrc, pack_bits, unpack_bits
from modwire.checksums import checked_prefix


def crc_by_bits(data: bytes) -> int:
    """CRC-16 as MODBUS over Serial Line V1.02, section 6.2.2 describes it, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


@pytest.mark.parametrize("size", [*range(300), 1000, 5000])
def test_the_crc_is_right_at_every_length(size: int) -> None:
    for seed in (1, 3, 251):
        data = bytes((index * seed + (index * index >> 3)) & 0xFF for index in range(size))
        crc = crc_by_bits(data)
        assert crc16(data) == crc16(bytearray(data)) == crc
        assert crc16(data + crc.to_bytes(2, "little")) == 0


@given(st.binary(max_size=600))
def test_the_crc_is_right_for_any_bytes(data: bytes) -> None:
    assert crc16(data) == crc_by_bits(data)


@given(st.binary(min_size=2, max_size=40), st.binary(max_size=40), st.binary(max_size=5))
def test_a_prefix_that_ends_with_its_crc_is_found(body: bytes, rest: bytes, front: bytes) -> None:
    frame = body + crc_by_bits(body).to_bytes(2, "little")
    end = checked_prefix(front + frame + rest, len(front), 4, 256)
    assert 4 <= end - len(front) <= len(frame)
    assert crc_by_bits((front + frame + rest)[len(front) : end]) == 0
    assert checked_prefix(frame, 0, len(frame) + 1, 256) == 0


@given(st.binary(max_size=300))
def test_the_lrc_makes_the_sum_of_all_bytes_zero(data: bytes) -> None:
    assert (sum(data) + lrc(data)) & 0xFF == 0


@given(st.lists(st.booleans(), max_size=2000))
def test_bits_are_packed_with_the_first_one_lowest(bits: list[bool]) -> None:
    data = pack_bits(bits)
    assert len(data) == (len(bits) + 7) // 8
    assert [bool(data[i // 8] >> i % 8 & 1) for i in range(len(bits))] == bits
    assert unpack_bits(data, len(bits)) == tuple(bits)
    assert all(type(bit) is bool for bit in unpack_bits(data, len(bits)))


@pytest.mark.parametrize("bits", [[2], [True, -1], [256], [0.5], ["on"], [None]])
def test_what_is_no_bit_is_refused(bits: list[object]) -> None:
    with pytest.raises(ValueError, match=r"bits must be True or False \(or 1 or 0\)"):
        pack_bits(bits)  # type: ignore[arg-type]
