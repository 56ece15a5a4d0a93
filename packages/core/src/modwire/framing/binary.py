"""Binary: `{`, unit, PDU, CRC-16, `}`. No MODBUS document defines it; this is modwire's definition.

The CRC is that of RTU, low byte first, over the plain bytes of unit and PDU. Then every `{` and
`}` between the two delimiters, in the unit, the PDU and the CRC alike, is sent twice; the receiver
makes one byte of each such pair. A frame that contains neither is the same as in jamod and
pymodbus 1.x.

A `}` ends the frame if the bytes before it have a valid CRC. If not, the next byte decides: with
another `}` it is a pair, with any other byte the frame is invalid. A `{` that is not doubled
discards the unfinished frame and begins a new one.
"""

from __future__ import annotations

from ..checksums import crc16
from ..errors import FrameError
from .base import Framing

_END = 0x7D
MAX_BODY = 256  # unit, PDU and CRC, before doubling


class BinaryFraming(Framing):
    """Frames between braces: 6 to 514 bytes."""

    name = "binary"
    max_adu = 2 * MAX_BODY + 2
    _body: bytearray | None = None  # of an unfinished frame, with one byte for each pair
    _held = 0  # the last brace received, if the next byte may complete a pair

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._wrap(bytes((unit,)) + pdu, 0)

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._wrap(bytes((unit,)) + pdu, 0xFFFF)

    def _wrap(self, body: bytes, damage: int) -> bytes:
        body += (crc16(body) ^ damage).to_bytes(2, "little")
        return b"{" + body.replace(b"{", b"{{").replace(b"}", b"}}") + b"}"

    def receive_data(self, data: bytes, now: float) -> None:
        at = 0
        size = len(data)
        while at < size:
            body = self._body
            if body is None:
                at = data.find(b"{", at) + 1
                if not at:
                    return
                self._body = bytearray()
            elif self._held:
                at += self._end_or_pair(body, data[at])
            else:
                stop = _next_brace(data, at, at + MAX_BODY + 1)
                end = min(size, at + MAX_BODY + 1) if stop < 0 else stop
                body += data[at:end]
                at = end
                if len(body) > MAX_BODY:
                    self._refuse(f"is longer than {MAX_BODY} bytes")
                elif stop >= 0:
                    at += 1
                    self._take_brace(body, data[stop])

    def _take_brace(self, body: bytearray, brace: int) -> None:
        """Process a brace: it ends a valid frame, or the next byte decides."""
        if brace == _END and len(body) >= 4 and not crc16(body):
            self.frames.append((body[0], 0, bytes(body[1:-2])))
            self._body = None
        else:
            self._held = brace

    def _end_or_pair(self, body: bytearray, byte: int) -> int:
        """Process the byte after a brace; return 1 if the two are a pair, otherwise 0."""
        brace, self._held = self._held, 0
        if byte == brace:
            body.append(brace)
            if len(body) > MAX_BODY:
                self._refuse(f"is longer than {MAX_BODY} bytes")
            return 1
        if brace == _END:
            self._refuse(f"of {len(body)} bytes has a wrong CRC")
        else:
            self._refuse("was broken off by a new '{'")
            self._body = bytearray()
        return 0

    def _refuse(self, what: str) -> None:
        self.frames.append(FrameError(f"a binary frame {what}"))
        self._body = None

    def end_datagram(self) -> None:
        super().end_datagram()
        self._body = None
        self._held = 0

    def reset(self) -> None:
        super().reset()
        self._body = None
        self._held = 0

    @property
    def buffered(self) -> int:
        return 0 if self._body is None else len(self._body) + 1


def _next_brace(data: bytes, at: int, limit: int) -> int:
    start, end = data.find(b"{", at, limit), data.find(b"}", at, limit)
    return max(start, end) if min(start, end) < 0 else min(start, end)
