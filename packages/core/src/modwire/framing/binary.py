"""Binary: `{`, unit, PDU, CRC-16, `}`. No MODBUS document defines it; this is modwire's definition.

The CRC is that of RTU, low byte first, over the plain bytes of unit and PDU. Then every `{` and
`}` between the two delimiters, in the unit, the PDU and the CRC alike, is sent twice, and each
such pair is one byte again on receipt. A frame without those two bytes is the same as that of
jamod and pymodbus 1.x.

A `}` ends the frame if the bytes before it have a right CRC. If they have not, one more byte
tells: another `}` makes the pair, anything else makes the frame a bad one. A `{` that is not
doubled drops what was being collected and begins a new frame.
"""

from __future__ import annotations

from ..checksums import crc16
from ..errors import FrameError
from .base import Frame, Framing

_START, _END = b"{", b"}"
MAX_BODY = 256  # unit, PDU and CRC, before doubling


class BinaryFraming(Framing):
    """Frames between braces: 6 to 514 bytes."""

    name = "binary"
    max_adu = 2 * MAX_BODY + 2

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        body += crc16(body).to_bytes(2, "little")
        return _START + body.replace(b"{", b"{{").replace(b"}", b"}}") + _END

    def receive_data(self, data: bytes, now: float) -> None:
        data = self._buffer + data
        start = data.find(_START)
        while start >= 0:
            end = self._frame_end(data, start + 1)
            if end < 0:
                break
            start = data.find(_START, end)
        self._buffer = data[start:] if start >= 0 else b""

    def _frame_end(self, data: bytes, at: int) -> int:
        """Where to go on behind the frame, good or bad, whose body begins at `at`; -1 to wait."""
        body = b""
        while len(body) <= MAX_BODY:
            stop = _next_brace(data, at, at + MAX_BODY + 1)
            if stop < 0:
                body += data[at : at + MAX_BODY + 1]
                at += MAX_BODY + 1
                if len(body) <= MAX_BODY:
                    return -1
                break
            body += data[at:stop]
            at = stop + 1
            is_end = data[stop] == 0x7D
            if is_end and 4 <= len(body) <= MAX_BODY and not crc16(body):
                self.frames.append(Frame(body[0], 0, body[1:-2]))
                return at
            if at == len(data):
                return -1
            if data[at] != data[stop]:
                if not is_end:
                    self._refuse("was broken off by a new '{'")
                    return stop
                self._refuse(f"of {len(body)} bytes has a wrong CRC")
                return at
            body += data[stop:at]
            at += 1
        self._refuse(f"is longer than {MAX_BODY} bytes")
        return at

    def _refuse(self, what: str) -> None:
        self.frames.append(FrameError(f"a binary frame {what}"))


def _next_brace(data: bytes, at: int, limit: int) -> int:
    start, end = data.find(b"{", at, limit), data.find(b"}", at, limit)
    return max(start, end) if min(start, end) < 0 else min(start, end)
