"""RTU: unit, PDU, CRC-16 low byte first, ended by 3.5 characters of silence (Serial Line, 2.5.1).

Operating systems deliver bytes late and in chunks, so silence alone cannot separate frames. The
length rule of the function code gives the end of a frame, and the CRC confirms it. Both kinds of
PDU are tried, because a server on a shared bus also receives the responses of other servers.
Silence ends frames of unknown length (function 8, functions that are not registered). It does not
end an incomplete frame of known length: adapters and networks deliver the rest late, and a program
reads it late. The bytes before and after the silence are tried together, and those after it alone,
and the right CRC decides. If no frame begins at a byte, the next byte is tried.

The decision at one position depends only on the bytes that follow it, not on how they were split
into chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checksums import CrcIndex, checked_prefix, crc16
from ..errors import FrameError
from ..messages.base import ENDS_BY_SILENCE, SizedRule
from .base import Framing
from .frame import OverheardFrame

if TYPE_CHECKING:
    from ..messages.decoder import Decoder

MIN_ADU, MAX_ADU = 4, 256
_WAIT, _BAD = 0, -1
_NEVER = float("inf")
# Seconds for which a server keeps an incomplete frame after the silence. TCP sends a lost packet
# again after 0.2 s, and if it is lost again, after another 0.4 s.
_KEPT = 1.0
_INDEXED_FROM = 16  # bytes of noise; below it, an index costs more than it saves
_KEPT_IN_DOUBT = 0.5  # the same for client and server, if it may be a frame without its rest


class RtuFraming(Framing):
    """Frames on a serial line: 4 to 256 bytes."""

    name = "rtu"
    max_adu = MAX_ADU
    needs_silence = True
    _heard = 0.0
    _noise = 0  # bytes discarded since the last frame
    _index: CrcIndex | None = None  # of the buffer, in noise

    def __init__(self, decoder: Decoder, *, is_server: bool, silence: float = 0.05) -> None:
        super().__init__(decoder, is_server=is_server, silence=silence)
        self._gaps: list[int] = []  # places in the buffer at which the line was silent
        # A client waits for its answer in any case; even the rest of a late one is worth having.
        self._kept = _KEPT if is_server else _NEVER
        rules = decoder.response_rules, decoder.request_rules
        self._own_rules, self._other_rules = rules[::-1] if is_server else rules

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return body + crc16(body).to_bytes(2, "little")

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return body + (crc16(body) ^ 0xFFFF).to_bytes(2, "little")

    def receive_data(self, data: bytes, now: float, silent: bool = False) -> None:
        """Extract the frames and keep the rest; if the line was `silent`, discard the rest."""
        if self._buffer:
            if not silent:
                self.handle_timeout(now)
            data = self._buffer + data
        if not silent:
            self._heard = now
        # Fast path: a client nearly always receives the expected response and nothing else.
        unit, code, length = self.expected
        if (
            len(data) == length + 3 > 3
            and data[1] == code
            and data[0] == unit
            and not (self._noise or self._buffer)
            and not crc16(data)
        ):
            self.frames.append((unit, 0, data[1:-2]))
            return
        own, other, at, size = self._own_rules, self._other_rules, 0, len(data)
        while size - at >= MIN_ADU:
            rule = own[data[at + 1]]
            if self._noise:
                length = 0
            elif type(rule) is SizedRule:
                length = rule.size
                count_at = rule.count_at
                if count_at:
                    count = data[at + 1 + count_at] if at + 1 + count_at < size else -1
                    length = length + count if count >= rule.least else 0
            else:
                length = rule(data, at + 1)
            end = at + length + 3
            if length > 0 and end <= size and length <= MAX_ADU - 3:
                body = data[at:end]
                # On a shared bus the bytes may also be a shorter PDU: `_judge` decides.
                shorter = other[data[at + 1]]
                if not crc16(body) and not (
                    (self.is_server or self.expected[2] not in (0, length))
                    and (type(shorter) is not SizedRule or shorter.size < length)
                    and 0 < (short := shorter(data, at + 1)) < length
                    and not crc16(data[at : at + short + 3])
                ):
                    self.frames.append((body[0], 0, body[1:-2]))
                    at = end
                    continue
            found = self._judge(data, at, silent)
            if found == _WAIT:
                break
            if found == _BAD:
                self._noise += 1
                at += 1
            else:
                at = found
        if silent:
            self._report_noise(size - at)
            at = size
        self._buffer = data[at:]
        if self._gaps or self._index is not None:
            self._trim(at)

    def deadline(self) -> float | None:
        if not (self._buffer or self._noise):
            return None
        due = self._heard + self.silence + (self._seconds_kept() if self._is_kept else 0.0)
        return due if due < _NEVER else None

    def handle_timeout(self, now: float) -> None:
        silent_from = self._heard + self.silence
        if not (self._buffer or self._noise) or now < silent_from:
            return
        if self._may_continue() and now < silent_from + self._seconds_kept():
            if not self._is_kept:
                self._gaps.append(len(self._buffer))
        else:
            self.receive_data(b"", now, silent=True)

    @property
    def _is_kept(self) -> bool:
        """True if the line is silent, and an incomplete frame waits for its rest."""
        return bool(self._gaps) and self._gaps[-1] == len(self._buffer)

    def _may_continue(self) -> bool:
        """True if the buffer begins with a frame of known length, of which bytes are missing."""
        data = self._buffer
        if self._noise or not data:
            return False
        if len(data) < MIN_ADU:
            return True
        own, _, ends_by_silence = self._lengths(data, 0)
        if len(data) != own + 2 and not crc16(data):
            return False  # shorter than it says, but it is a frame
        if own == 0:
            return not ends_by_silence
        return len(data) < own + 3 <= MAX_ADU

    def _seconds_kept(self) -> float:
        """Seconds after the silence for which the incomplete frame in the buffer is kept.

        With a right CRC it is in doubt: it lacks one byte, and either it is shorter than it says,
        or its CRC ends with 00, as that of one frame in 256, and is right without that byte too.
        """
        return self._kept if crc16(self._buffer) else _KEPT_IN_DOUBT

    def _lengths(self, data: bytes, at: int) -> tuple[int, int, bool]:
        """Return the lengths of the PDU at `at`, as one for this side and as one for the other.

        The third item is True if the decoder leaves the end of one of them to silence.
        """
        request = self.decoder.request_length(data, at + 1)
        response = self.decoder.response_length(data, at + 1)
        own, other = (request, response) if self.is_server else (response, request)
        if own == ENDS_BY_SILENCE and data[at + 1] == self.expected[1]:
            own = self.expected[2]
        return own, other, ENDS_BY_SILENCE in (request, response)

    def _wait(self, data: bytes, at: int) -> int:
        """Return the place behind `at` where a whole frame begins, or `_WAIT`.

        That is a place after a silence, or the one where the expected answer begins.
        """
        for gap in self._gaps:
            if at < gap <= len(data) - MIN_ADU:
                for length in self._lengths(data, gap)[:2]:
                    end = gap + length + 3
                    if 0 < length <= MAX_ADU - 3 and end <= len(data) and not crc16(data[gap:end]):
                        self._noise += gap - at
                        return gap
        # Noise in front of the answer may look like the beginning of a longer frame.
        unit, code, length = self.expected
        if length:
            head = bytes((unit, code))
            start = data.find(head, at + 1)
            while 0 <= start <= len(data) - length - 3:
                if not crc16(data[start : start + length + 3]):
                    self._noise += start - at
                    return start
                start = data.find(head, start + 1)
        return _WAIT

    def _judge(self, data: bytes, at: int, silent: bool) -> int:
        """Add the frame at `at` and return its end; `_WAIT` if more bytes are needed, or `_BAD`."""
        own, other, ends_by_silence = self._lengths(data, at)
        waiting = False
        # What a client waits for comes first, unless it is not what the request asked for.
        takes_own_first = not self.is_server and (own <= 0 or self.expected[2] in (0, own))
        for length in (own, other) if takes_own_first else sorted((own, other)):
            if length <= 0 or length + 3 > MAX_ADU:
                waiting = waiting or length == 0 or (length == own == ENDS_BY_SILENCE)
                if length == 0 and not (self.is_server or silent):
                    break
                continue
            end = at + length + 3
            if end > len(data):
                waiting = True
                if takes_own_first and length == own and not silent:
                    break
                continue
            if self._is_right(data, at, end):
                self._append(data[at:end], is_overheard=length != own)
                return end
        # The expected answer may be longer than it says, which only the silence after it shows.
        if not (self.is_server or self._noise) and self.expected[:2] == (data[at], data[at + 1]):
            waiting = True
        if waiting and not silent and len(data) - at <= MAX_ADU:
            return self._wait(data, at)
        if silent and len(data) - at <= MAX_ADU and not crc16(data[at:]):
            self._append(data[at:])
            return len(data)
        if ends_by_silence and not self._noise:
            # Several such frames came without a noticeable silence between them. None is treated
            # as a request, because with so many lengths to try a valid CRC may be chance.
            end = checked_prefix(data, at, MIN_ADU, MAX_ADU)
            if end:
                self._append(data[at:end], is_overheard=True)
                return end
            if not silent and len(data) - at <= MAX_ADU:
                return self._wait(data, at)
        return _BAD

    def _is_right(self, data: bytes, at: int, end: int) -> bool:
        """True if the CRC at `end` is right; in noise it takes the same time for any length."""
        if self._noise < _INDEXED_FROM:
            return not crc16(data[at:end])
        if self._index is None:
            self._index = CrcIndex(b"")
        if self._index.size < len(data):
            self._index.extend(data[self._index.size :])
        return self._index.is_valid(at, end)

    def _trim(self, size: int) -> None:
        """Follow the removal of `size` bytes from the front of the buffer."""
        self._gaps = [gap - size for gap in self._gaps if gap > size]
        if self._index is not None:
            if self._noise and self._buffer and self._index.size >= size:
                self._index.discard(size)
            else:
                self._index = None

    def _append(self, body: bytes, *, is_overheard: bool = False) -> None:
        self._report_noise()
        frame = (body[0], 0, body[1:-2])
        self.frames.append(OverheardFrame(*frame) if is_overheard else frame)

    def _report_noise(self, more: int = 0) -> None:
        self._noise += more
        if self._noise:
            came = "1 byte was" if self._noise == 1 else f"{self._noise} bytes were"
            self.frames.append(FrameError(f"{came} no RTU frame"))
            self._noise = 0

    def reset(self) -> None:
        super().reset()
        self._noise = 0
        self._index = None
        self._gaps.clear()
