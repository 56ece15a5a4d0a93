"""The framings, each as a client hears it (responses) and as a server does (requests).

An input is two bytes of settings and a script of a stream. The frames have to be the same whole,
byte by byte and in pieces, they have to be those of a strict reader, and after silence the next
good frame has to be found.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from modwire.checksums import CrcIndex
from modwire.errors import FrameError
from modwire.framing import (
    AsciiFraming,
    BinaryFraming,
    Frame,
    Framing,
    OverheardFrame,
    RtuFraming,
    TcpFraming,
)
from modwire.framing.tcp import LooseTcpFraming
from modwire.messages import Decoder

from .. import readers, script, vectors
from ..budget import Calls
from ..script import Burst
from ..target import Target

KINDS: dict[str, type[Framing]] = {
    "tcp": TcpFraming,
    "loose-tcp": LooseTcpFraming,
    "rtu": RtuFraming,
    "ascii": AsciiFraming,
    "binary": BinaryFraming,
}
WORDS = (b":", b"\r\n", b"{", b"}", b"{{", b"}}", b"\0\0", b"\x2b\x0e", b"\x01\x03", b"\x08\0\0")
# Unit, function code and length of the answer that a client waits for; a length of 0 is unknown.
_EXPECTED = [(-1, -1, 0), (1, 3, 4), (1, 0x2B, 0), (1, 8, 5), (1, 0x41, 0), (17, 16, 5), (1, 1, 3)]
_REQUEST = bytes.fromhex("0300000002")
_RESPONSE = bytes.fromhex("030412345678")
_DECODER = Decoder()
CrcIndex(b"")  # its tables are made once, which would count as the work for an input
# Calls of functions for a stream and for each of its bytes, which comes alone at worst.
_CALLS, _CALLS_A_BYTE = 2000, 120


class Reading:
    """A framing that reads bursts, and everything that it found."""

    def __init__(
        self, kind: type[Framing], is_server: bool, expected: tuple[int, int, int] = (-1, -1, 0)
    ) -> None:
        self.framing = kind(_DECODER, is_server=is_server)
        if not is_server:
            self.framing.expected = expected
        self.found: list[Frame | FrameError] = []

    @property
    def frames(self) -> list[Frame]:
        """Return the frames without the errors."""
        return [each for each in self.found if isinstance(each, Frame)]

    def read(self, bursts: Sequence[Burst], cuts: random.Random | None, size: int = 0) -> None:
        """Read bursts: in pieces of `size` bytes, cut by `cuts`, or whole."""
        for now, data in bursts:
            self.wait(now)
            edges = [*range(0, len(data), size or len(data) or 1)]
            if cuts is not None:
                edges = sorted({0, *(cuts.randrange(len(data) + 1) for _ in range(4))})
            for start, end in pairwise([*edges, len(data)]):
                self.framing.receive_data(data[start:end], now)
                assert self.framing.buffered <= 2 * self.framing.max_adu, "it keeps too much"
                self._take()

    def wait(self, now: float) -> None:
        """Do what is due until `now`, as adapters do."""
        for _ in range(10):
            due = self.framing.deadline()
            if due is None or due > now:
                return
            self.framing.handle_timeout(due)
            self._take()
        raise AssertionError("the deadlines have no end")

    def _take(self) -> None:
        while (found := self.framing.next_frame()) is not None:
            self.found.append(found)


def _check(name: str, is_server: bool, data: bytes) -> None:
    kind, settings = KINDS[name], data[:2]
    expected = _EXPECTED[script.byte(settings, 0) % len(_EXPECTED)]
    bursts = script.bursts(kind(_DECODER, is_server=is_server), script.steps(data[2:]))
    total = sum(len(burst.data) for burst in bursts)
    whole, single, cut = (Reading(kind, is_server, expected) for _ in range(3))
    with Calls() as calls:
        whole.read(bursts, None)
        single.read(bursts, None, 1)
    assert calls.count <= _CALLS + _CALLS_A_BYTE * total, f"{calls.count} calls for {total} bytes"
    cut.read(bursts, random.Random(script.byte(settings, 1)))
    end = bursts[-1].now + 20.0 if bursts else 0.0
    for each in (whole, single, cut):
        each.wait(end)
        if name == "loose-tcp":  # it counts the bytes that are no frame for each piece
            assert each.frames == whole.frames
        else:
            assert list(map(repr, each.found)) == list(map(repr, whole.found)), "pieces differ"
    _compare(name, is_server, bursts, whole)
    if name not in ("tcp", "loose-tcp"):
        _recover(whole, is_server, end)


def _compare(name: str, is_server: bool, bursts: Sequence[Burst], whole: Reading) -> None:
    """Compare the frames with those of a strict reader."""
    stream = b"".join(burst.data for burst in bursts)
    plain = [(frame.unit, frame.transaction, frame.pdu) for frame in whole.frames]
    if name == "tcp":
        frames, is_broken = readers.tcp(stream, is_server=is_server)
        assert whole.framing.broken == is_broken
        assert plain == frames
    elif name == "ascii":
        assert plain == readers.ascii_frames(bursts)
    elif name == "binary":
        assert plain == readers.binary_frames(stream)
    elif name == "rtu":
        assert readers.are_rtu_frames(stream, plain), "a frame that was not sent"
    else:
        assert readers.are_mbap_frames(stream, plain), "a frame that was not sent"
        assert all(pdu[0] & 0x7F == whole.framing.expected[1] for _, _, pdu in plain)


def _recover(reading: Reading, is_server: bool, now: float) -> None:
    """Check that good frames after silence are found, whatever came before it."""
    reading.wait(now)
    reading.framing.expected = (-1, -1, 0) if is_server else (17, 3, 6)
    frame = Frame(17, 0, _REQUEST if is_server else _RESPONSE)
    adu = reading.framing.encode(frame)
    reading.found.clear()
    reading.read([Burst(now, adu), Burst(now + 20.0, adu)], None)
    reading.wait(now + 40.0)
    good = [each for each in reading.frames if not isinstance(each, OverheardFrame)]
    # A brace at the end of the stream and that of the frame may be a pair, which loses one.
    sure = 1 if reading.framing.name == "binary" else 2
    assert good[-sure:] == [frame] * sure, "a good frame after silence was lost"


def _seeds(name: str, is_server: bool) -> list[bytes]:
    found = vectors.streams(KINDS[name].name, is_server=is_server)
    # Noise that looks like the beginning of long frames.
    for noise in (
        "2b0e",
        "08",
        "10",
        "101010101010f0",
        "010f000000 10f5",
        "17",
        "14f5",
        "3a",
        "7b",
    ):
        found.append(script.written((script.RAW, bytes.fromhex(noise)), (script.REPEAT, b"\xff")))
    return [bytes((index % 7, index & 0xFF)) + each for index, each in enumerate(found)]


TARGETS = [
    Target(
        f"{name}-{'server' if is_server else 'client'}",
        partial(_check, name, is_server),
        partial(_seeds, name, is_server),
        WORDS,
    )
    for name in KINDS
    for is_server in (False, True)
    if not (is_server and name == "loose-tcp")  # only clients have it
]
