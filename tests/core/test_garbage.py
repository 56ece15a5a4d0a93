"""Bytes that are no frames cost a receiver little, and give the same results in all pieces."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from modwire.checksums import CrcIndex, crc16
from modwire.errors import FrameError
from modwire.framing import Framing, RtuFraming, rtu
from modwire.messages import Decoder

DECODER = Decoder()
# Beginnings of messages whose byte counts lead to long frames with wrong checksums.
GARBAGE = ["2b 0e", "08", "10", "10 10 10 10 10 f0", "0f", "01 0f 00 00 00 10 f5", "17", "14 f5"]


@pytest.mark.parametrize("pattern", GARBAGE)
@pytest.mark.parametrize("is_server", [True, False])
@pytest.mark.parametrize("piece", [7, 4096])
def test_garbage_is_not_summed_again_at_every_byte(
    pattern: str, is_server: bool, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed = 0

    def counted(data: bytes) -> int:
        nonlocal summed
        summed += len(data)
        return crc16(data)

    monkeypatch.setattr(rtu, "crc16", counted)
    garbage = (bytes.fromhex(pattern) * 10_000)[:20_000]
    framing = RtuFraming(DECODER, is_server=is_server)
    for at in range(0, len(garbage), piece):
        framing.receive_data(garbage[at : at + piece], 0.0)
    assert summed < 2 * len(garbage)


def test_a_frame_is_found_behind_a_megabyte_of_garbage() -> None:
    framing = RtuFraming(DECODER, is_server=True)
    for _ in range(250):
        framing.receive_data(b"\x2b\x0e" * 2048, 0.0)
    framing.receive_data(framing.wrap(1, 0, bytes.fromhex("0300000001")) + bytes(256), 0.0)
    found = [each for each in framing.frames if not isinstance(each, FrameError)]
    assert (1, 0, bytes.fromhex("0300000001")) in found


def test_the_index_checks_each_part_as_the_checksum_does() -> None:
    draw = random.Random(13)
    for _ in range(50):
        body = draw.randbytes(draw.randrange(300))
        adu = draw.randbytes(draw.randrange(2, 254))
        adu += crc16(adu).to_bytes(2, "little")
        data = body + adu + draw.randbytes(100)
        index = CrcIndex(data[:100])
        index.extend(data[100:])
        cut = draw.randrange(len(body) + 1)
        index.discard(cut)
        at = len(body) - cut
        assert index.is_valid(at, at + len(adu))
        for _ in range(300):
            start = draw.randrange(len(data) - cut - 4)
            end = draw.randrange(start + 4, min(start + 257, len(data) - cut + 1))
            part = data[cut + start : cut + end]
            assert index.is_valid(start, end) == (not crc16(part))


PDUS = [
    *("0300000001", "0302abcd", "100001000204000a0102", "1000010002", "8302", "0602000003"),
    *("0500acff00", "2b0e0100", "07", "076d", "080000a537", "4101", "0300000003"),
    *("2b0e01010000020001610101", "0306000100020003", "2b0d0102", "110401ff0203"),
    *("14070600010000000a", "18000600020001ffff", "180001", "0b", "0b0000ffff", "0c"),
]
EXPECTED = [(-1, -1, 0), (1, 3, 4), (1, 0x2B, 0), (1, 8, 5), (1, 0x41, 0), (1, 16, 5), (1, 0x41, 2)]


def results(
    stream: bytes, edges: list[int], is_server: bool, expected: tuple[int, int, int]
) -> str:
    framing: Framing = RtuFraming(DECODER, is_server=is_server)
    framing.expected = expected
    found: list[str] = []
    for start, end in pairwise(edges):
        framing.receive_data(stream[start:end], 0.0)
    framing.handle_timeout(100.0)
    framing.handle_timeout(200.0)
    found += map(repr, framing.frames)
    return "\n".join(found)


def a_stream(draw: random.Random) -> bytes:
    parts: list[bytes] = []
    for _ in range(draw.randrange(1, 7)):
        if draw.random() < 0.4:
            parts.append(draw.choice([draw.randbytes(3), bytes(9), b"\x2b\x0e" * 8, b"\x01\x10"]))
            continue
        body = bytes((draw.choice((1, 1, 2, 183)),)) + bytes.fromhex(draw.choice(PDUS))
        if draw.random() < 0.2:
            body = b"\x02\x41" + draw.randbytes(draw.randrange(1, 30))
        adu = body + crc16(body).to_bytes(2, "little")
        if draw.random() < 0.2:
            at = draw.randrange(len(adu))
            adu = adu[:at] + draw.randbytes(draw.randrange(3)) + adu[at + 1 :]
        parts.append(adu)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        # Requests that others answer with one byte more: their CRC is right with a 00 behind it.
        ("02 0c 00 d5 b7 18 00 01 66 57" + " 00" * 9, (1, 8, 5)),
        ("02 2b 0e 01 00 34 77" + " 00" * 9 + " 01 03", (1, 0x41, 2)),
        ("01 07 41 e2" + " 00" * 9, (1, 8, 5)),
        # An overheard frame of a function whose length is known only for the unit asked.
        ("02 41 0e 83 5c 59 f8 9d 37 9f e9 25 c0 5e 68 e1", (1, 0x41, 2)),
    ],
)
def test_overheard_frames_are_the_same_whole_and_byte_by_byte(
    stream: str, expected: tuple[int, int, int]
) -> None:
    data = bytes.fromhex(stream)
    whole = results(data, [0, len(data)], False, expected)
    assert results(data, list(range(len(data) + 1)), False, expected) == whole


def test_random_streams_give_the_same_results_in_all_pieces() -> None:
    draw = random.Random(16)
    for _ in range(3000):
        stream = a_stream(draw)
        is_server = draw.random() < 0.3
        expected = EXPECTED[0] if is_server else draw.choice(EXPECTED)
        size = len(stream)
        whole = results(stream, [0, size], is_server, expected)
        cuts = sorted({0, size, *(draw.randrange(size + 1) for _ in range(4))})
        assert results(stream, list(range(size + 1)), is_server, expected) == whole, stream.hex()
        assert results(stream, cuts, is_server, expected) == whole, stream.hex()
