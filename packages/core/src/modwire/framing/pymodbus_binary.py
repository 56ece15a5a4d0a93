"""Binary frames as pymodbus 1.x and 2.x build and read them; `BinaryFraming` is our own form.

A frame is `{`, unit, PDU, CRC-16 low byte first, `}`. pymodbus sends a brace twice if it is in the
PDU behind the function code, and the CRC is over the bytes as sent. But when it receives, it takes
the first `}` for the end, and both bytes of a pair for data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..checksums import continued_crc16, crc16
from ..errors import FrameError
from ..messages.base import MAX_PDU
from .base import Framing

if TYPE_CHECKING:
    from ..messages.decoder import Decoder

PAUSE = 1.0  # seconds between two bytes of a frame, as in ASCII
MIN_BODY = 4  # bytes: unit, function code and CRC
MAX_BODY = 2 + 2 * (MAX_PDU - 1) + 2  # with every byte of the data sent twice
_END = 0x7D
_BRACES = re.compile(rb"[{}]")
_PAIRS = re.compile(rb"\{\{|\}\}")
_MOST_STARTS = 4


class PymodbusBinaryFraming(Framing):
    """Frames between braces for peers with pymodbus 1.x or 2.x: 6 to 510 bytes.

    What pymodbus sends is received, whatever its bytes are. Braces are sent once, so that `{` (7B)
    in the data arrives there, as in a read of 123 registers. A frame with `}` (7D) cannot be
    carried: pymodbus drops one that has it in the unit id (125), in the data (such as a count, an
    address or a value of 125) or in the CRC (one frame in 128). Such a call ends by a timeout, each
    time. pymodbus itself receives neither those, nor what another pymodbus sends with `{` in it.

    Between two ends with modwire use `BinaryFraming`, which carries everything. Here pairs of
    braces become one brace each, if only silence tells the length of their PDU, as for functions
    that are not known.
    """

    name = "binary"
    max_adu = MAX_BODY + 2

    def __init__(self, decoder: Decoder, *, is_server: bool, silence: float = 0.05) -> None:
        super().__init__(decoder, is_server=is_server, silence=silence)
        self._heard = 0.0
        # Places in the buffer behind a `{` where a body may begin, each with the CRC from there to
        # the end of the buffer: the first one, and after damage the latest. A CRC of 0 before a `}`
        # shows which was right.
        self._starts: list[tuple[int, int]] = []

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return b"{%b%b}" % (body, crc16(body).to_bytes(2, "little"))

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return b"{%b%b}" % (body, (crc16(body) ^ 0xFFFF).to_bytes(2, "little"))

    def receive_data(self, data: bytes, now: float) -> None:
        self.handle_timeout(now)
        self._heard = now
        at = 0
        for found in _BRACES.finditer(data):
            self._add(data[at : found.start()])
            at = found.end()
            if data[found.start()] != _END:
                self._add(b"{")
                self._begin()
            elif not self._end():
                self._add(b"}")
        self._add(data[at:])

    def _add(self, data: bytes) -> None:
        """Add bytes to the bodies that have begun; those that become too long are dropped."""
        if not self._starts:
            return
        self._buffer += data
        self._starts = [(start, continued_crc16(data, crc)) for start, crc in self._starts]
        while self._starts and len(self._buffer) - self._starts[0][0] > MAX_BODY:
            self._refuse(f"is longer than {MAX_BODY} bytes")
            del self._starts[0]
            self._trim()

    def _begin(self) -> None:
        if len(self._starts) == _MOST_STARTS:
            del self._starts[1]
        self._starts.append((len(self._buffer), 0xFFFF))

    def _end(self) -> bool:
        """Take the frame that ends here; return False if none does."""
        for number, (start, crc) in enumerate(self._starts):
            body = self._buffer[start:]
            if not crc and len(body) >= MIN_BODY:
                if number:
                    self._refuse("was broken off by a new '{'")
                pdu = self._single(body[1:-2])
                if len(pdu) <= MAX_PDU:
                    self.frames.append((body[0], 0, pdu))
                else:
                    self._refuse(f"must have a PDU of 1..{MAX_PDU} bytes, got {len(pdu)}")
                self._clear()
                return True
        return False

    def _single(self, pdu: bytes) -> bytes:
        """Return a PDU with one brace for each pair, unless it is right as it is."""
        data = _PAIRS.sub(lambda pair: pair[0][:1], pdu[1:])
        if len(_BRACES.findall(pdu, 1)) != 2 * len(_BRACES.findall(data)):
            return pdu  # not all braces are in pairs, so they are sent once
        short = pdu[:1] + data
        return pdu if self._fits(pdu) and not self._fits(short) else short

    def _fits(self, pdu: bytes) -> bool:
        """True if the PDU has the length that its function has."""
        rule = self.decoder.request_length if self.is_server else self.decoder.response_length
        return rule(pdu, 0) == len(pdu)

    def _trim(self) -> None:
        """Remove the bytes in front of the first start."""
        first = self._starts[0][0] if self._starts else len(self._buffer)
        self._buffer = self._buffer[first:]
        self._starts = [(start - first, crc) for start, crc in self._starts]

    def _clear(self) -> None:
        self._buffer = b""
        self._starts.clear()

    def _refuse(self, what: str) -> None:
        self.frames.append(FrameError(f"a binary frame {what}"))

    def deadline(self) -> float | None:
        return self._heard + PAUSE if self._starts else None

    def handle_timeout(self, now: float) -> None:
        if self._starts and now >= self._heard + PAUSE:
            self._refuse("stopped for a second, or has a wrong CRC")
            self._clear()

    def end_datagram(self) -> None:
        super().end_datagram()
        self._clear()

    def reset(self) -> None:
        super().reset()
        self._clear()
