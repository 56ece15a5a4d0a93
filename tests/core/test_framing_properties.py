"""Any bytes give the same frames in all splits, in bounded memory."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from modwire.errors import FrameError
from modwire.framing import FRAMINGS, Frame, Framing, PymodbusBinaryFraming
from modwire.messages import Decoder

PYMODBUS = "binary of pymodbus"
EVERY: dict[str, type[Framing]] = {**FRAMINGS, PYMODBUS: PymodbusBinaryFraming}
DECODER = Decoder()
pdus = st.binary(min_size=1, max_size=253)
frames = st.builds(Frame, st.integers(0, 255), st.just(0), pdus)


@st.composite
def streams(draw: st.DrawFn, name: str) -> bytes:
    """Frames, noise, frames with a fault, and bytes with a special meaning in the framing."""
    framing = EVERY[name](DECODER, is_server=True)
    special = st.binary(max_size=6) | st.sampled_from(
        [
            b":",
            b"\r\n",
            b"{",
            b"}",
            b"{{",
            b"}}",
            b"\x00\x00",
            b"\x01\x03",
            b"\x01\x10",
            b"\x00" * 9,
        ]
    )
    standard = st.sampled_from(
        [
            bytes.fromhex(text)
            for text in (
                "0300000001", "0302abcd", "100001000204000a0102", "1000010002", "8302",
                "0602000003", "0500acff00", "2b0e0100", "07", "076d", "080000a537", "4101",
            )
        ]
    )  # fmt: skip
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.integers(0, 3))
        if kind == 0:
            parts.append(draw(special))
            continue
        pdu = draw(standard if kind < 3 else pdus)
        adu = framing.wrap(draw(st.integers(0, 255)), draw(st.integers(0, 3)), pdu)
        if draw(st.integers(0, 4)) == 0:
            at = draw(st.integers(0, len(adu) - 1))
            adu = adu[:at] + draw(st.binary(max_size=2)) + adu[at + 1 :]
        parts.append(adu)
    return b"".join(parts)


def feed(framing: Framing, pieces: list[bytes]) -> list[Frame]:
    found: list[Frame] = []
    for piece in pieces:
        framing.receive_data(piece, 0.0)
        assert framing.buffered <= 2 * framing.max_adu
        assert framing.buffered <= framing.max_adu, "more than one unfinished frame is kept"
        while (frame := framing.next_frame()) is not None:
            if not isinstance(frame, FrameError):
                found.append(frame)
    framing.handle_timeout(10.0)
    while (frame := framing.next_frame()) is not None:
        if not isinstance(frame, FrameError):
            found.append(frame)
    return found


def check_cuts(name: str, is_server: bool, stream: bytes, cuts: list[int]) -> None:
    def fresh() -> Framing:
        return EVERY[name](DECODER, is_server=is_server)

    whole = feed(fresh(), [stream])
    assert feed(fresh(), [stream[i : i + 1] for i in range(len(stream))]) == whole
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert feed(fresh(), pieces) == whole


cut_lists = st.lists(st.integers(0, 2000), max_size=8)


@given(streams("tcp"), cut_lists, st.booleans())
def test_tcp_gives_the_same_frames_however_it_is_cut(
    stream: bytes, cuts: list[int], is_server: bool
) -> None:
    check_cuts("tcp", is_server, stream, cuts)


@given(streams("rtu"), cut_lists, st.booleans())
# A request of 43/14, or the beginning of a response whose length is not known yet.
@example(bytes.fromhex("00 2b 0e 01 00 4d b7") + bytes(10), [], False)
def test_rtu_gives_the_same_frames_however_it_is_cut(
    stream: bytes, cuts: list[int], is_server: bool
) -> None:
    check_cuts("rtu", is_server, stream, cuts)


@given(streams("ascii"), cut_lists, st.booleans())
def test_ascii_gives_the_same_frames_however_it_is_cut(
    stream: bytes, cuts: list[int], is_server: bool
) -> None:
    check_cuts("ascii", is_server, stream, cuts)


@given(streams("binary"), cut_lists, st.booleans())
def test_binary_gives_the_same_frames_however_it_is_cut(
    stream: bytes, cuts: list[int], is_server: bool
) -> None:
    check_cuts("binary", is_server, stream, cuts)


@given(streams(PYMODBUS), cut_lists, st.booleans())
def test_binary_of_pymodbus_gives_the_same_frames_however_it_is_cut(
    stream: bytes, cuts: list[int], is_server: bool
) -> None:
    check_cuts(PYMODBUS, is_server, stream, cuts)


@given(st.sampled_from(sorted(EVERY)), st.binary(max_size=1500), cut_lists, st.booleans())
def test_any_bytes_give_frames_or_errors_and_nothing_else(
    name: str, data: bytes, cuts: list[int], is_server: bool
) -> None:
    check_cuts(name, is_server, data, cuts)


@given(st.sampled_from(sorted(EVERY)), frames, st.integers(0, 0xFFFF))
def test_what_is_encoded_is_decoded(name: str, frame: Frame, transaction: int) -> None:
    # Pairs of braces are single ones that pymodbus has sent, unless the length tells otherwise.
    assume(name != PYMODBUS or not {b"{{", b"}}"} & set(map(bytes, pairwise(frame.pdu))))
    framing = EVERY[name](DECODER, is_server=True)
    if framing.has_transactions:
        frame = frame._replace(transaction=transaction)
    adu = framing.encode(frame)
    assert len(adu) <= framing.max_adu
    if name == "rtu":
        # Only silence must end it: a PDU of unknown length may contain a shorter one with a right
        # CRC, so the decoder here knows no function.
        framing = FRAMINGS[name](SilentDecoder(), is_server=True)
    assert feed(framing, [adu]) == [frame]


class SilentDecoder(Decoder):
    """Knows no function, so that only silence ends a frame."""

    def request_length(self, buffer: bytes, at: int) -> int:
        return -1

    def response_length(self, buffer: bytes, at: int) -> int:
        return -1
