"""`Sniffer` with each serial framing: a line with all its devices, in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from modwire import FRAMINGS, Decoder
from modwire.sniffing import HeardDamage, HeardFrame, Sniffer

from .. import readers, script, vectors
from ..budget import Calls
from ..script import Burst, byte
from ..target import Target
from .framings import WORDS

_CALLS, _CALLS_A_BYTE = 3000, 250


class _Line:
    """A sniffer, and all that it said."""

    def __init__(self, name: str, settings: int) -> None:
        self.found: list[str] = []
        self.frames: list[HeardFrame] = []
        self.sniffer = Sniffer(
            FRAMINGS[name],
            character_time=0.001 if settings & 1 else 0.0,
            response_timeout=0.5 if settings & 2 else 1.0,
            on_frame=self._frame,
            max_waiting=5 if settings & 4 else 10_000,
        )

    def _frame(self, frame: HeardFrame | HeardDamage) -> None:
        if isinstance(frame, HeardFrame):
            self.frames.append(frame)
        self.found.append(repr(frame))

    def hear(self, bursts: Sequence[Burst], size: int = 0) -> None:
        """Hear bursts, whole or in pieces of `size` bytes."""
        for now, data in bursts:
            self._wait(now)
            for start in range(0, len(data), size or len(data)):
                piece = data[start : start + size] if size else data
                self.sniffer.receive_data(piece, now)
                self._take()
        self._wait(bursts[-1].now + 30.0 if bursts else 0.0)
        self.sniffer.end()
        self._take()

    def _wait(self, now: float) -> None:
        for _ in range(50):
            due = self.sniffer.deadline()
            if due is None or due > now:
                return
            self.sniffer.handle_timeout(due)
            self._take()
        raise AssertionError("the deadlines have no end")

    def _take(self) -> None:
        self.found += [repr(each) for each in self.sniffer]


def _check(name: str, data: bytes) -> None:
    settings = byte(data, 0)
    framing = FRAMINGS[name](Decoder(), is_server=True)
    bursts = script.bursts(framing, script.steps(data[1:]))
    total = sum(len(burst.data) for burst in bursts)
    whole, single = _Line(name, settings), _Line(name, settings)
    with Calls() as calls:
        whole.hear(bursts)
        single.hear(bursts, 1)
    assert calls.count <= _CALLS + _CALLS_A_BYTE * total, f"{calls.count} calls for {total} bytes"
    frames = [(each.unit, 0, each.pdu) for each in whole.frames]
    if not settings & 1:  # with a time for each byte, those of one piece began earlier
        assert [(each.unit, 0, each.pdu) for each in single.frames] == frames, "pieces differ"
    stream = b"".join(burst.data for burst in bursts)
    if name == "rtu":
        assert readers.are_rtu_frames(stream, frames), "a frame that was not sent"
    elif name == "binary":
        assert frames == [each for part in _parts(bursts) for each in readers.binary_frames(part)]


def _parts(bursts: Sequence[Burst]) -> list[bytes]:
    """Return the stream, cut at the pauses that end an unfinished frame."""
    parts = [b""]
    heard = 0.0
    for now, data in bursts:
        if now - heard > 1.0:
            parts.append(b"")
        parts[-1] += data
        heard = now
    return parts


def _seeds(name: str) -> list[bytes]:
    found = vectors.streams(name, is_server=True) + vectors.streams(name, is_server=False)
    return [bytes((index & 7,)) + each for index, each in enumerate(found)]


TARGETS = [
    Target(f"sniffer-{name}", partial(_check, name), partial(_seeds, name), WORDS)
    for name in ("rtu", "ascii", "binary")
]
