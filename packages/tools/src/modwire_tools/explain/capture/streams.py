"""`Stream`: one direction of a TCP connection, reassembled from the segments of a capture.

Segments may be repeated, out of order, split or overlapping, and some are not in the capture. An
acknowledgement of the peer tells a segment that the capture has lost from one that is yet to come.
"""

from __future__ import annotations

from typing import NamedTuple

_PATIENCE = 3.0  # seconds of the capture until missing bytes count as lost without being acked
_MOST_HELD = 64  # segments after missing bytes
_MOST_LOST = 1 << 24  # bytes; a larger step in the sequence numbers is another connection
_HALF = 1 << 31
_MASK = (1 << 32) - 1


class Piece(NamedTuple):
    """Bytes in order, with the arrival time of the last one.

    The capture has lost `lost` bytes before them, and has cut off `cut` bytes after them. `since`
    is the time when the peer acknowledged the lost bytes, None if it did not. `begins` is True for
    the first bytes of a stream whose begin is not in the capture.
    """

    time: float
    data: bytes
    lost: int = 0
    cut: int = 0
    since: float | None = None
    begins: bool = False


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
        self._begins = True
        self._acknowledged: int | None = None
        self._since: float | None = None  # when bytes were acknowledged that are not captured

    @property
    def is_waiting(self) -> bool:
        """True if bytes are missing before captured ones."""
        return bool(self._held)

    def start(self, sequence: int) -> bool:
        """Process a SYN; return False if it begins another connection."""
        first = (sequence + 1) & _MASK
        if self._next is None or (self._begins and first != self._next):
            self._next = first
            self._begins = False
            return True
        self._begins = False
        return first == self._next

    def feed(self, time: float, sequence: int, data: bytes, missing: int) -> list[Piece]:
        """Process a segment, its last `missing` bytes not captured; return the pieces in order."""
        if sequence == self._next and not (self._held or missing or self._lost or self._begins):
            self._next = (sequence + len(data)) & _MASK
            return [Piece(time, data)] if data else []
        pieces: list[Piece] = []
        if self._next is None or abs(_distance(sequence, self._next)) > _MOST_LOST:
            pieces += self.end()
            self._next = sequence
            self._acknowledged = self._since = None
            self._begins = True
        if _distance(sequence, self._next) > 0:
            self._held.append(_Held(sequence, time, data, missing))
            origin = self._next
            self._held.sort(key=lambda held: _distance(held.sequence, origin))
            self._skip_lost(pieces, time)
            if len(self._held) > _MOST_HELD:
                self._skip(pieces)
            return pieces
        self._take(pieces, time, sequence, data, missing)
        self._release(pieces, time)
        return pieces

    def acknowledge(self, time: float, acknowledged: int) -> list[Piece]:
        """Process an acknowledgement: missing bytes before it will not come any more."""
        if self._next is None:
            self._next = acknowledged
        ahead = _distance(acknowledged, self._next)
        if not 0 < ahead <= _MOST_LOST:
            return []
        if self._acknowledged is None or _distance(acknowledged, self._acknowledged) > 0:
            self._acknowledged = acknowledged
        if self._since is None:
            self._since = time
        pieces: list[Piece] = []
        self._skip_lost(pieces, time)
        return pieces

    def end(self, *, has_fin: bool = False) -> list[Piece]:
        """End the stream; return the pieces that were held after missing bytes.

        A last piece without data is for acknowledged bytes that never came. `has_fin` is True if
        the stream was closed: a FIN is acknowledged as if it were a byte.
        """
        pieces: list[Piece] = []
        while self._held:
            self._skip(pieces)
        if self._acknowledged is not None and self._next is not None:
            lost = _distance(self._acknowledged, self._next) - has_fin
            if lost > 0 and self._since is not None:
                pieces.append(Piece(self._since, b"", lost=lost, since=self._since))
            self._acknowledged = None
        return pieces

    def _take(
        self, pieces: list[Piece], time: float, sequence: int, data: bytes, missing: int
    ) -> None:
        """Add the new bytes of a segment to `pieces`."""
        known = -_distance(sequence, self._next or 0)
        new = data[known:] if known > 0 else data
        if known > len(data):
            missing -= known - len(data)
        missing = max(0, missing)
        self._next = ((self._next or 0) + len(new) + missing) & _MASK
        if new or missing:
            pieces.append(Piece(time, new, self._lost, missing, self._since, self._begins))
            self._lost = 0
            self._begins = False
        if self._acknowledged is None or _distance(self._acknowledged, self._next) <= 0:
            self._since = None

    def _release(self, pieces: list[Piece], time: float) -> None:
        """Add the held segments that are now in order; they could not be used before `time`."""
        while self._held and _distance(self._held[0].sequence, self._next or 0) <= 0:
            held = self._held.pop(0)
            self._take(pieces, max(time, held.time), held.sequence, held.data, held.missing)

    def _skip_lost(self, pieces: list[Piece], time: float) -> None:
        """Skip missing bytes that the peer has acknowledged, or that do not come in time."""
        while self._held:
            first = self._held[0]
            acknowledged = self._acknowledged
            is_acknowledged = (
                acknowledged is not None and _distance(acknowledged, first.sequence) >= 0
            )
            if not is_acknowledged and time - first.time <= _PATIENCE:
                return
            self._skip(pieces)

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
