"""`CaptureWriter`: the frames of a serial line in a pcap file that Wireshark opens as it is.

Wireshark has no link type of its own for Modbus on serial lines. For RTU frames, it needs to be
told which packets have them, and then cannot tell requests of functions 5, 6, 15 and 16 from
responses. So the link type is that of exported PDUs (252): each packet says that it is Modbus/TCP,
to or from port 502. The unit id and the PDU are those of the line, the transaction id counts the
requests, and the checksum is left out. Damaged bytes are packets of plain data.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from modwire import Frame, TcpFraming
from modwire.messages.decoder import Decoder
from modwire.sniffing import HeardDamage, HeardFrame

LINK = 252  # LINKTYPE_WIRESHARK_UPPER_PDU
PROTOCOL, PORT_TYPE, SOURCE_PORT, DESTINATION_PORT, END = 12, 24, 25, 26, 0  # tags
MODBUS, DATA = b"mbtcp", b"data"  # names of Wireshark's dissectors
SERVER_PORT, CLIENT_PORT = 502, 49152
_TCP = 2
_FILE_HEADER = struct.Struct("<IHHiIII")
_PACKET_HEADER = struct.Struct("<IIII")
_NANOSECONDS = 0xA1B23C4D  # the magic number of files with such timestamps
_BILLION = 1_000_000_000


class CaptureWriter:
    """Writes to `file`; `origin` is added to all times, in seconds since the epoch."""

    def __init__(self, file: BinaryIO, origin: float = 0.0) -> None:
        self._file = file
        self._origin = origin
        self._number = 0
        self._by_unit: dict[int, int] = {}  # transaction id of the last request
        self._framing = TcpFraming(Decoder(), is_server=False)
        file.write(_FILE_HEADER.pack(_NANOSECONDS, 2, 4, 0, 0, 65535, LINK))

    def write(self, frame: HeardFrame | HeardDamage) -> None:
        """Write a frame or damaged bytes, in the order of the line."""
        if isinstance(frame, HeardDamage):
            self._packet(frame.ended, _tag(PROTOCOL, DATA), frame.data)
            return
        if not frame.is_response or frame.unit not in self._by_unit:
            self._number = (self._number + 1) & 0xFFFF
            self._by_unit[frame.unit] = self._number
        ports = (CLIENT_PORT, SERVER_PORT)
        source, destination = ports[::-1] if frame.is_response else ports
        tags = (
            _tag(PROTOCOL, MODBUS)
            + _tag(PORT_TYPE, _TCP.to_bytes(4, "big"))
            + _tag(SOURCE_PORT, source.to_bytes(4, "big"))
            + _tag(DESTINATION_PORT, destination.to_bytes(4, "big"))
        )
        transaction = self._by_unit[frame.unit]
        self._packet(
            frame.ended, tags, self._framing.encode(Frame(frame.unit, transaction, frame.pdu))
        )

    def flush(self) -> None:
        """Write all packets so far to the disk, or into the pipe."""
        self._file.flush()

    def _packet(self, time: float, tags: bytes, content: bytes) -> None:
        data = tags + _tag(END, b"") + content
        seconds, nanoseconds = divmod(round((self._origin + time) * _BILLION), _BILLION)
        # The time of a capture that is read may be any; the format has 32 bits for the seconds.
        header = _PACKET_HEADER.pack(seconds & 0xFFFFFFFF, nanoseconds, len(data), len(data))
        self._file.write(header + data)


def _tag(kind: int, value: bytes) -> bytes:
    size = -(-len(value) // 4) * 4
    return struct.pack(">HH", kind, size) + value.ljust(size, b"\0")
