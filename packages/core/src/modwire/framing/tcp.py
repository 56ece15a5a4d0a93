"""MBAP: transaction id, protocol id 0, length, unit, PDU (Messaging on TCP/IP V1.0b, 3.1.3).

After a wrong protocol id or length the next frame cannot be found, so either is a fatal
`FrameError` and the connection has to be closed. `LooseTcpFraming` is for devices that get the
length wrong.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ..errors import FrameError
from ..messages.base import ENDS_BY_SILENCE, MAX_PDU
from .base import Framing
from .foreign import looks_like

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER = Struct(">HHHB")
_unpack, _pack = _HEADER.unpack_from, _HEADER.pack
_WRONG_PROTOCOL = 0xFFFF
_MOST_IN_LENGTH = MAX_PDU + 1  # the unit id counts
# A request with too many values: a byte count of 255 behind the 10 other bytes of function 23.
_MOST_IN_REQUEST = 1 + 10 + 255


class TcpFraming(Framing):
    """Frames on TCP (and in UDP datagrams): 8 to 260 bytes with a transaction id."""

    name = "tcp"
    max_adu = 260
    has_transactions = True
    is_serial = False

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return _pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return _pack(transaction, _WRONG_PROTOCOL, len(pdu) + 1, unit) + pdu

    def receive_data(self, data: bytes, now: float) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        elif self.broken:
            return
        at = 0
        size = len(data)
        append = self.frames.append
        while size - at >= 8:
            transaction, protocol, length, unit = _unpack(data, at)
            end = at + 6 + length
            if protocol or not 2 <= length <= _MOST_IN_LENGTH or end > size:
                if protocol or end > size or not self._is_long_request(data[at:]):
                    break
            append((unit, transaction, data[at + 7 : end]))
            if end == size:
                return
            at = end
        if at < size:
            self._buffer = data[at:]
            if size - at >= 4:
                self._check_header()

    def _check_header(self) -> None:
        """Report a wrong header even before the frame is complete."""
        protocol = int.from_bytes(self._buffer[2:4], "big")
        length = int.from_bytes(self._buffer[4:6], "big") if len(self._buffer) >= 6 else 2
        if protocol:
            error = f"MBAP protocol id must be 0, got {protocol}"
            what = looks_like(self._buffer, is_server=self.is_server)
            if what:
                error += f": this looks like {what}"
        elif not 2 <= length <= _MOST_IN_LENGTH and not self._is_long_request(self._buffer):
            error = f"MBAP length must be 2..{_MOST_IN_LENGTH}, got {length}"
        else:
            return
        self.frames.append(FrameError(error, fatal=True))
        self.broken = True
        self._buffer = b""

    def _is_long_request(self, data: bytes) -> bool:
        """True if `data` is, or may become, a request with too many values and the right length.

        A server follows it in the stream and refuses it, as with any other wrong quantity.
        """
        length = int.from_bytes(data[4:6], "big")
        if not self.is_server or not _MOST_IN_LENGTH < length <= _MOST_IN_REQUEST:
            return False
        return len(data) < 8 or self.decoder.request_length(data, 7) in (0, length - 1)

    def is_torn(self, transactions: Iterable[int]) -> bool:
        head = self._buffer[:2]
        return bool(head) and not any(
            each.to_bytes(2, "big").startswith(head) for each in transactions
        )

    def end_datagram(self) -> None:
        super().end_datagram()
        self.broken = False


class LooseTcpFraming(TcpFraming):
    """Frames on TCP whose length in the header is wrong, for a client.

    The answer is looked for by its protocol id and by the function code that is expected, and its
    end is that of its PDU. The length counts only if the PDU does not contain its own.
    """

    def receive_data(self, data: bytes, now: float) -> None:
        data = self._buffer + data
        at = 0
        while len(data) - at >= 8:
            transaction, protocol, length, unit = _unpack(data, at)
            size = 0
            if not protocol and data[at + 7] & 0x7F == self.expected[1]:
                size = self.decoder.response_length(data, at + 7)
                if size == ENDS_BY_SILENCE and 2 <= length <= _MOST_IN_LENGTH:
                    size = length - 1
                if size == 0:
                    break  # more bytes are needed
            if not 0 < size <= MAX_PDU:
                at += 1
                continue
            end = at + 7 + size
            if end > len(data):
                break
            self.frames.append((unit, transaction, data[at + 7 : end]))
            at = end
        if at and not self.frames:
            came = "1 byte was" if at == 1 else f"{at} bytes were"
            self.frames.append(FrameError(f"{came} no MBAP frame"))
        self._buffer = data[at:]
