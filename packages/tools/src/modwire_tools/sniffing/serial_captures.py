"""`serial_pieces`: the bytes of a serial line in a capture, packet by packet.

Link types: 147 (USER0, a raw frame in each packet), 250 (RTAC serial, a header of 12 bytes), and
252 (exported PDUs), which `CaptureWriter` writes.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from modwire import Decoder, Framing
from modwire_tools.explain.capture.packets import read_packets

from .capture_writer import DATA, END, LINK, MODBUS, PROTOCOL

_USER0, _RTAC = 147, 250
SERIAL_LINKS = frozenset((_USER0, _RTAC, LINK))
"""The link types of serial captures."""

_RTAC_HEADER = 12
_RTU = b"mbrtu"
_MBAP = 7  # bytes before the PDU
_WORDS = struct.Struct(">HH")


class Piece(NamedTuple):
    """Bytes of a line, with the time of the packet in seconds since the epoch.

    `is_frame` is True if they end a frame.
    """

    time: float
    data: bytes
    is_frame: bool


def serial_pieces(
    file: BinaryIO, name: str, framing: type[Framing], others: Counter[int]
) -> Iterator[Piece]:
    """Yield the bytes in the packets of a capture; count the `others` by their link type.

    Frames in exported PDUs of Modbus/TCP get the checksum of `framing`. Raises CaptureError if the
    file is broken, after it has yielded the readable part.
    """
    wrap = framing(Decoder(), is_server=False).wrap
    for packet in read_packets(file, name):
        data: bytes | None = None
        if packet.link == _USER0:
            data = packet.data
        elif packet.link == _RTAC:
            data = packet.data[_RTAC_HEADER:]
        elif packet.link == LINK:
            protocol, content = _exported(packet.data)
            if protocol in (_RTU, DATA):
                data = content
            elif protocol == MODBUS and len(content) > _MBAP:
                data = wrap(content[_MBAP - 1], 0, content[_MBAP:])
        if data is None:
            others[packet.link] += 1
        elif data:
            yield Piece(packet.time, data, packet.link != _RTAC)


def _exported(data: bytes) -> tuple[bytes, bytes]:
    """Return the name of the dissector of an exported PDU, and the PDU."""
    at, protocol = 0, b""
    while len(data) >= at + _WORDS.size:
        kind, size = _WORDS.unpack_from(data, at)
        at += _WORDS.size
        if kind == END:
            return protocol, data[at:]
        if kind == PROTOCOL:
            protocol = data[at : at + size].rstrip(b"\0")
        at += size
    return b"", b""
