"""`RtuBus`: the RTU frames of all devices on a line, in both directions, with their times.

A server needs only the requests to itself and may discard the rest, so `RtuFraming` prefers to be
early. A sniffer has time, and must lose nothing. It differs in three points:

- Bytes that are a frame as a request and as a response have another length in each. If a request
  is open, the length of its response comes first, otherwise that of a request.
- After damage, a valid CRC may be chance: 16 bits at each of many positions. Such a frame has to
  fit its surroundings (silence, the next frame, a known unit) better than all that overlap it.
- Damaged bytes are kept, to tell a wrong checksum from a truncated frame.

A decision depends only on the bytes and the silences, not on the pieces in which they arrived.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..checksums import checked_prefix, crc16
from ..framing.rtu import MAX_ADU, MIN_ADU
from ..messages.base import ENDS_BY_SILENCE, ends_by_silence
from .heard import DamageKind

if TYPE_CHECKING:
    from ..messages.decoder import Decoder
    from .pairing import Pairing

_WAIT, _BAD = 0, -1
_KEPT = 0.5  # seconds for which an incomplete frame is kept after the silence
_MAX_LENGTH = MAX_ADU - 3  # of a PDU
_MOST_TIMES = 2048  # arrivals kept; more than bytes are buffered while the line works


class RtuBus:
    """Finds frames and gives them to `pairing`, which says what response is due.

    All in seconds: `silence` separates frames, but only with `tolerance` it cannot be the delay of
    an adapter; `character_time` is the time of one byte on the line.
    """

    def __init__(
        self,
        decoder: Decoder,
        pairing: Pairing,
        silence: float,
        tolerance: float,
        character_time: float,
    ) -> None:
        self._decoder = decoder
        self._pairing = pairing
        self._pause = silence
        self._silence = silence + tolerance
        self._character_time = character_time
        self._data = b""
        self._judged = 0  # bytes at the beginning of the buffer at which no frame begins
        self._is_noisy = False  # the next byte follows damaged ones
        # Positions are counted from the first byte ever received; the buffer begins at `_base`.
        self._base = 0
        self._gaps: list[int] = []  # positions before which the line was silent
        self._pauses: list[int] = []  # those before which it was perhaps silent
        self._times: deque[tuple[int, float]] = deque()  # position behind a piece, its arrival
        self._last_byte, self._frame_end = b"", 0  # of the frame before
        self._heard = float("-inf")
        self._is_silent = self._is_ended = False

    @property
    def buffered(self) -> int:
        """Number of bytes that are not decided yet."""
        return len(self._data)

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes of which the last one arrived at `now`."""
        began = now - len(data) * self._character_time
        self.handle_timeout(began)
        if not data:
            return
        if began - self._heard >= self._pause:
            self._pauses.append(self._base + len(self._data))
        self._is_silent = self._is_ended = False
        self._heard = now
        self._data += data
        self._times.append((self._base + len(self._data), now))
        if len(self._times) > _MOST_TIMES:
            self._times.popleft()
        self._scan()

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if nothing is buffered."""
        if not self._data:
            return None
        return self._heard + self._silence + (_KEPT if self._is_silent else 0.0)

    def handle_timeout(self, now: float) -> None:
        """Process the silence until `now`."""
        silent_from = self._heard + self._silence
        if now < silent_from:
            return
        if not self._is_silent:
            self._is_silent = True
            self._mark_gap()
            self._scan()
        if self._data and now >= silent_from + _KEPT:
            self.end()

    def end(self) -> None:
        """Decide on all bytes, because nothing follows them."""
        self._is_silent = self._is_ended = True
        self._mark_gap()
        self._scan()

    def _mark_gap(self) -> None:
        gap = self._base + len(self._data)
        if gap not in self._gaps:
            self._gaps.append(gap)

    def _scan(self) -> None:
        """Take the frames out of the buffer, and report the bytes between them."""
        data, base = self._data, self._base
        start, at, size = 0, self._judged, len(data)
        while at < size:
            if start < at and (base + at in self._gaps or at - start >= MAX_ADU):
                self._report(start, at)
                start = at
            if self._is_noisy and base + at in self._gaps:
                self._is_noisy = False
            end = self._judge(at)
            if end == _WAIT:
                break
            borrowed = b""
            if end == _BAD and not self._is_noisy and base + at == self._frame_end:
                borrowed = self._last_byte
                end = self._end_with(borrowed, at)
            if end == _BAD:
                self._is_noisy = True
                at += 1
                continue
            if start < at:
                self._report(start, at)
            self._is_noisy = False
            self._pairing.take_adu(borrowed + data[at:end], *self._span(at, end))
            self._last_byte, self._frame_end = data[end - 1 : end], base + end
            start = at = end
        if start < at == size and (self._is_silent or self._is_ended):
            self._report(start, at)
            start = at
        self._judged = at - start
        self._data = data[start:]
        self._base = base = base + start
        self._gaps = [gap for gap in self._gaps if gap >= base]
        self._pauses = [pause for pause in self._pauses if pause >= base]
        while len(self._times) > 1 and self._times[1][0] <= base:
            self._times.popleft()

    def _judge(self, at: int) -> int:
        """Return the end of the frame at `at`; `_WAIT` if more bytes are needed, or `_BAD`."""
        data, limit, is_closed = self._data, len(self._data), self._is_ended
        if self._is_noisy:
            gap = self._gap_after(at)
            if gap:  # a frame that begins in noise does not continue after a silence
                limit, is_closed = gap, True
        if limit - at < MIN_ADU:
            return _BAD if is_closed else _WAIT
        is_waiting = is_open_ended = False
        alternative = 0
        for length in self._lengths(at):
            if length == ENDS_BY_SILENCE:
                is_open_ended = self._may_be_open_ended(at)
            elif length <= _MAX_LENGTH:
                end = at + length + 3
                if length == 0 or end > limit:
                    is_waiting = is_waiting or not is_closed
                elif not crc16(data[at:end]):
                    if self._is_noisy:
                        return self._weigh(at, end)
                    if not is_waiting or self._is_pause(end) or self._precedes(at, end):
                        return end
                    alternative = end
        end = 0 if self._is_noisy else self._end_by_silence(at)
        if is_open_ended and not end:
            end = self._open_end(at, limit)
        if end:
            return self._weigh(at, end) if self._is_noisy else end
        # With two ADUs, the frame behind one of unknown length is whole, however it arrives.
        if is_waiting or (is_open_ended and not is_closed and limit - at <= 2 * MAX_ADU):
            if not self._is_broken_off(at):
                return _WAIT
        return alternative or _BAD

    def _lengths(self, at: int) -> tuple[int, int]:
        """Return the lengths of the PDU in the frame at `at`, the more probable direction first."""
        data, decoder = self._data, self._decoder
        request = decoder.request_length(data, at + 1)
        response = decoder.response_length(data, at + 1)
        if self._pairing.awaits(data[at], data[at + 1]):
            if response == ENDS_BY_SILENCE:
                return self._pairing.expected_length() or response, request
            return response, request
        return request, response

    def _may_be_open_ended(self, at: int) -> bool:
        """Return True if a frame at `at` may be one of unknown length.

        Any bytes may be one of an unknown function, so after damage it must be of a known one.
        """
        code = self._data[at + 1]
        return not self._is_noisy or self._decoder.request_rules[code] is not ends_by_silence

    def _gap_after(self, at: int) -> int:
        """Return the first place behind `at` before which the line was silent; 0 for none."""
        at += self._base
        return next((gap - self._base for gap in self._gaps if gap > at), 0)

    def _is_gap(self, at: int) -> bool:
        return self._base + at in self._gaps

    def _is_pause(self, at: int) -> bool:
        """Return True if the line was silent before `at`, perhaps only for 3.5 characters."""
        return self._base + at in self._pauses or self._base + at in self._gaps

    def _end_by_silence(self, at: int) -> int:
        """Return the place of a silence up to which the bytes have a valid CRC; 0 for none."""
        for gap in self._gaps:
            end = gap - self._base
            if MIN_ADU <= end - at <= MAX_ADU and not crc16(self._data[at:end]):
                return end
        return 0

    def _open_end(self, at: int, limit: int) -> int:
        """Return the end of a frame of unknown length; 0 if there is none before `limit`.

        Behind it, there has to be a pause or another frame.
        """
        data, least, found = self._data, MIN_ADU, 0
        while end := checked_prefix(data, at, least, min(MAX_ADU, limit - at)):
            least = end - at + 1
            if not self._pairing.may_be_message(data[at + 1 : end - 2]):
                continue
            if self._is_pause(end) or self._precedes(at, end):
                return end
            # A byte 00 behind a valid CRC leaves it valid, so the frame may end one later.
            if found in (0, end - 1) and len(data) - end >= MIN_ADU:
                if ENDS_BY_SILENCE in self._lengths(end):
                    if checked_prefix(data, end, MIN_ADU, MAX_ADU):
                        found = end
        return found

    def _precedes(self, at: int, end: int) -> bool:
        """Return True if a frame from `at` to `end` has a frame behind it.

        That may be one of unknown length, if unit and function are the same, as in an echo.
        """
        data = self._data
        if self._whole(end):
            return True
        return data.startswith(data[at : at + 2], end) and (
            checked_prefix(data, end, MIN_ADU, MAX_ADU) > 0
        )

    def _whole(self, at: int) -> int:
        """Return the end of a whole frame of known length at `at`; 0 if there is none."""
        data = self._data
        if len(data) - at >= MIN_ADU:
            for length in self._lengths(at):
                end = at + length + 3
                if 0 < length <= _MAX_LENGTH and end <= len(data) and not crc16(data[at:end]):
                    return end
        return 0

    def _end_with(self, borrowed: bytes, at: int) -> int:
        """Return the end of a frame that begins with the last byte of the one before, or `_BAD`.

        That one had lost its last byte then, and one of 256 gets the right one from the next.
        """
        data = borrowed + self._data[at : at + MAX_ADU]
        for rule in (self._decoder.request_length, self._decoder.response_length):
            length = rule(data, 1) if len(data) >= MIN_ADU else 0
            if 0 < length <= min(_MAX_LENGTH, len(data) - 3) and not crc16(data[: length + 3]):
                return at + length + 2
        return _BAD

    def _is_broken_off(self, at: int) -> bool:
        """Return True if a whole frame begins after a silence behind `at`."""
        return any(
            gap - self._base > at and self._whole(gap - self._base) > 0 for gap in self._gaps
        )

    def _weigh(self, at: int, end: int) -> int:
        """Compare the frame at `at`, found after damage, with all that overlap it."""
        size = len(self._data)
        if size < end + MAX_ADU and not (self._is_ended or self._gap_after(end - 1)):
            return _WAIT
        score = self._score(at, end)
        if not score:
            return _BAD
        for rival in range(at + 1, end):
            if size - rival < MIN_ADU:
                break
            rival_end = self._whole(rival)
            if rival_end and self._score(rival, rival_end) > score:
                return _BAD
        return end

    def _score(self, at: int, end: int) -> int:
        """Return the number of signs that a valid CRC is no chance."""
        unit, code = self._data[at], self._data[at + 1]
        return (
            self._is_gap(at)
            + self._is_gap(end)
            + self._is_pause(at)
            + self._is_pause(end)
            + 2 * self._pairing.awaits(unit, code)
            + 3 * self._precedes(at, end)
            + self._pairing.knows(unit)
        )

    def _span(self, at: int, end: int) -> tuple[float, float]:
        """Return the times of the first and the last bit of the bytes from `at` to `end`."""
        began = self._time_behind(at) - self._character_time
        return began, self._time_behind(end - 1)

    def _time_behind(self, at: int) -> float:
        """Return the time at which the byte at `at` had arrived."""
        position = self._base + at
        before = float("-inf")
        for piece_end, arrived in self._times:
            if position < piece_end:
                # Bytes of one piece came one after the other, but later than the piece before.
                behind = (piece_end - 1 - position) * self._character_time
                return max(arrived - behind, min(before, arrived))
            before = arrived
        return self._heard

    def _report(self, start: int, end: int) -> None:
        """Report damaged bytes."""
        junk = self._data[start:end]
        unit = junk[0] if self._pairing.knows(junk[0]) else None
        kind = self._kind(junk, unit is not None)
        self._pairing.damaged(kind, unit, junk, *self._span(start, end))

    def _kind(self, junk: bytes, is_known: bool) -> DamageKind:
        if len(junk) < 2:
            return DamageKind.NOISE
        decoder = self._decoder
        lengths = [decoder.request_length(junk, 1), decoder.response_length(junk, 1)]
        if self._pairing.awaits(junk[0], junk[1]):
            lengths.reverse()
        sizes = [length + 3 for length in lengths if 0 < length <= _MAX_LENGTH]
        if len(junk) in sizes:
            return DamageKind.CHECKSUM
        if is_known and len(junk) < (sizes[0] if sizes else MIN_ADU):
            return DamageKind.TRUNCATED
        return DamageKind.CHECKSUM if sizes and len(junk) >= MIN_ADU else DamageKind.NOISE
