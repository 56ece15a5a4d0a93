"""ASCII: `:`, then unit, PDU and LRC as two hexadecimal digits a byte, CR LF (Serial Line, 2.5.2).

Upper case is sent, lower case accepted too. A `:` discards an unfinished frame, and so does a
pause of more than a second between two characters. Characters between frames are ignored.
"""

from __future__ import annotations

from binascii import Error as HexError
from binascii import hexlify, unhexlify
from typing import TYPE_CHECKING

from ..checksums import lrc
from ..errors import FrameError
from ..messages.diagnostics import DiagnosticsRequest, DiagnosticsSubFunction
from .base import Framing

if TYPE_CHECKING:
    from ..messages.base import AnyRequest

MAX_CHARACTERS = 513
PAUSE = 1.0  # seconds between two characters of a frame


class AsciiFraming(Framing):
    """Frames in hexadecimal: 9 to 513 characters.

    `delimiter` is the last character of a frame, LF until diagnostics sub-function 3 sets another.
    `next_delimiter` is accepted too: either of the two may end the answer to that sub-function.
    """

    name = "ascii"
    max_adu = MAX_CHARACTERS
    delimiter = b"\n"
    next_delimiter = b"\n"
    _heard = 0.0

    def use_delimiter(self, code: int) -> None:
        """End frames by the character with this code from now on, and expect no other."""
        self.delimiter = self.next_delimiter = bytes((code,))

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return b":%b%02X\r%b" % (hexlify(body).upper(), lrc(body), self.delimiter)

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return b":%b%02X\r%b" % (hexlify(body).upper(), lrc(body) ^ 0xFF, self.delimiter)

    def receive_data(self, data: bytes, now: float) -> None:
        if self._buffer:
            if now - self._heard > PAUSE:
                self._buffer = b""
                self._refuse("stopped for more than a second")
            data = self._buffer + data
        self._heard = now
        start = data.find(b":")
        while start >= 0:
            limit = start + MAX_CHARACTERS
            end = self._find_end(data, start + 1, limit)
            restart = data.find(b":", start + 1, limit if end < 0 else end)
            if restart >= 0:
                self._refuse("was broken off by a new ':'")
                start = restart
            elif end >= 0:
                self._take(data[start + 1 : end])
                start = data.find(b":", end)
            elif len(data) >= limit:
                self._refuse(f"must end within {MAX_CHARACTERS} characters")
                start = data.find(b":", limit)
            else:
                break
        self._buffer = data[start:] if start >= 0 else b""

    def _find_end(self, data: bytes, at: int, limit: int) -> int:
        end = data.find(b"\r" + self.delimiter, at, limit)
        if self.next_delimiter != self.delimiter:
            other = data.find(b"\r" + self.next_delimiter, at, limit if end < 0 else end)
            return other if other >= 0 else end
        return end

    def _take(self, digits: bytes) -> None:
        try:
            body = unhexlify(digits)
        except HexError:
            self._refuse(f"must have pairs of hexadecimal digits, got {digits[:16]!r}")
            return
        if not 3 <= len(body) <= 255:
            self._refuse(f"must have 3..255 bytes, got {len(body)}")
        elif lrc(body):
            self._refuse(f"has LRC {body[-1]:02X}, {lrc(body[:-1]):02X} was due")
        else:
            self.frames.append((body[0], 0, body[1:-1]))

    def _refuse(self, what: str) -> None:
        self.frames.append(FrameError(f"an ASCII frame {what}"))


def expect_delimiter(framing: Framing, request: DiagnosticsRequest) -> None:
    """Accept the new delimiter too: the answer to function 8, sub-function 3 may end with it."""
    if isinstance(framing, AsciiFraming) and _sets_delimiter(request):
        framing.next_delimiter = bytes((request.data[0] >> 8,))


def follow_delimiter(framing: Framing, request: AnyRequest) -> None:
    """Use the delimiter that function 8, sub-function 3 has set for ASCII frames (6.8)."""
    if not isinstance(framing, AsciiFraming) or not isinstance(request, DiagnosticsRequest):
        return
    if _sets_delimiter(request):
        framing.use_delimiter(request.data[0] >> 8)


def _sets_delimiter(request: DiagnosticsRequest) -> bool:
    return request.sub_function == DiagnosticsSubFunction.CHANGE_ASCII_INPUT_DELIMITER
