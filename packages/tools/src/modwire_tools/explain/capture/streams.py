"""`Stream`: one direction of a TCP connection, reassembled from the segments of a capture.

Segments may be repeated, out of order, split or overlapping, and some are not in the capture.
"""

from __future__ import annotations

from typing import NamedTuple

_PATIENCE = 0.05  # timeout for missing but acknowledged bytes, in seconds of the capture
_MOST_HELD = 64  # segments after missing bytes
_HALF = 1 << 31
_MASK = (1 << 32) - 1


class Piece(NamedTuple):
    """Bytes in order, with the arrival time of the last one.

    `lost` bytes before them are not in the capture.
    """

    time: float
    data: bytes
    lost: int


class _Held(NamedTuple):
    sequence: int
    time: float
    data: bytes
    missing: int


class Stream:
    """The bytes of one direction: `feed` it with segments, `acknowledge` for the other side."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: list[_Held] = []
        self._lost = 0

    @property
    def is_waiting(self) -> bool:
        """True if bytes are missing before captured ones."""
        return bool(self._held)

    def start(self, sequence: int) -> bool:
        """Process a SYN; return False if it begins another connection."""
        first = (sequence + 1) & _MASK
        if self._next is None:
            self._next = first
            return True
        return first == self._next

    def feed(self, time: float, sequence: int, data: bytes, missing: int) -> list[Piece]:
        """Process a segment, its last `missing` bytes not captured; return the pieces in order."""
        if sequence == self._next and not (self._held or missing or self._lost):
            self._next = (sequence + len(data)) & _MASK
            return [Piece(time, data, 0)] if data else []
        if self._next is None:
            self._next = sequence
        pieces: list[Piece] = []
        if _distance(sequence, self._next) > 0:
            self._held.append(_Held(sequence, time, data, missing))
            origin = self._next
            self._held.sort(key=lambda held: _distance(held.sequence, origin))
            if len(self._held) > _MOST_HELD:
                self._skip(pieces)
            return pieces
        self._take(pieces, time, sequence, data, missing)
        self._release(pieces, time)
        return pieces

    def acknowledge(self, time: float, acknowledged: int) -> list[Piece]:
        """Process an acknowledgement: missing bytes before it will not come any more."""
        pieces: list[Piece] = []
        if self._held:
            first = self._held[0]
            if _distance(acknowledged, first.sequence) > 0 and time - first.time > _PATIENCE:
                self._skip(pieces)
        return pieces

    def end(self) -> list[Piece]:
        """End the stream; return the pieces that were held after missing bytes."""
        pieces: list[Piece] = []
        while self._held:
            self._skip(pieces)
        return pieces

    def _take(
        self, pieces: list[Piece], time: float, sequence: int, data: bytes, missing: int
    ) -> None:
        """Add the new bytes of a segment to `pieces`."""
        known = -_distance(sequence, self._next or 0)
        new = data[known:] if known > 0 else data
        if known > len(data):
            missing -= known - len(data)
        if new:
            pieces.append(Piece(time, new, self._lost))
            self._lost = 0
        missing = max(0, missing)
        self._lost += missing
        self._next = ((self._next or 0) + len(new) + missing) & _MASK

    def _release(self, pieces: list[Piece], time: float) -> None:
        """Add the held segments that are now in order; they could not be used before `time`."""
        while self._held and _distance(self._held[0].sequence, self._next or 0) <= 0:
            held = self._held.pop(0)
            self._take(pieces, max(time, held.time), held.sequence, held.data, held.missing)

    def _skip(self, pieces: list[Piece]) -> None:
        """Skip the first missing bytes."""
        first = self._held[0]
        self._lost += _distance(first.sequence, self._next or 0)
        self._next = first.sequence
        self._release(pieces, first.time)


def _distance(sequence: int, origin: int) -> int:
    """Return the distance of a sequence number from `origin`; negative if it is before it."""
    distance = (sequence - origin) & _MASK
    return distance - (1 << 32) if distance >= _HALF else distance
