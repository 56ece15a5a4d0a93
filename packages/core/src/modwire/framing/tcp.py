"""MBAP: transaction id, protocol id 0, length, unit, PDU (Messaging on TCP/IP V1.0b, 3.1.3).

After a wrong protocol id or length the next frame cannot be found, so either is a fatal
`FrameError` and the connection has to be closed.
"""

from __future__ import annotations

from struct import Struct

from ..errors import FrameError
from .base import Framing
from .foreign import looks_like

_HEADER = Struct(">HHHB")
_unpack, _pack = _HEADER.unpack_from, _HEADER.pack
_WRONG_PROTOCOL = 0xFFFF


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
            if protocol or not 2 <= length <= 254 or end > size:
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
        elif not 2 <= length <= 254:
            error = f"MBAP length must be 2..254, got {length}"
        else:
            return
        self.frames.append(FrameError(error, fatal=True))
        self.broken = True
        self._buffer = b""

    def end_datagram(self) -> None:
        super().end_datagram()
        self.broken = False
