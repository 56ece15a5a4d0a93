"""`read_packets`: the packets of a pcap or pcapng file; dpkt decodes the headers and blocks.

Unlike the readers of dpkt, it supports several interfaces in one file, each with its link type and
its clock. It can read a pipe, and its errors give the position of the fault in the file.
"""

# dpkt has no type hints, so its objects are converted here and not used elsewhere.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import dpkt  # type: ignore[import-untyped]
from dpkt import pcap, pcapng

from modwire import ModbusError

_LARGEST = 1 << 24  # bytes of a block; a packet has at most 256 KB
_PCAP_MAGICS = {
    magic.to_bytes(4, order)
    for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
    for order in ("big", "little")
}
_PCAPNG_MAGIC = b"\n\r\r\n"
_NANOSECONDS = (0xA1B23C4D, 0x4D3CB2A1)
_TSRESOL, _TSOFFSET = 9, 14


class CaptureError(ModbusError):
    """Raised when a capture cannot be read completely; the text says why."""


class Packet(NamedTuple):
    """A captured packet: seconds since the epoch, its link type, its bytes."""

    time: float
    link: int
    data: bytes


def is_capture(start: bytes) -> bool:
    """Return True if a file that begins with these four bytes is a capture."""
    return start[:4] in _PCAP_MAGICS or start[:4] == _PCAPNG_MAGIC


def read_packets(file: BinaryIO, name: str) -> Iterator[Packet]:
    """Yield the packets of `file`; `name` is its name in errors.

    Raises CaptureError after the readable packets.
    """
    start = file.read(4)
    if start == _PCAPNG_MAGIC:
        yield from _Pcapng(file, name).packets()
    elif start in _PCAP_MAGICS:
        yield from _read_pcap(file, name, start)
    else:
        raise CaptureError(f"{name} is no capture: it must be a pcap or a pcapng file")


def _read(file: BinaryIO, size: int, name: str, what: str) -> bytes:
    """Read `size` bytes. Raises CaptureError if the file has fewer, or `size` is too large."""
    if size > _LARGEST:
        raise CaptureError(f"{name} is broken: {what} claims to have {size} bytes")
    data = file.read(size)
    if len(data) < size:
        raise CaptureError(f"{name} is cut off in {what}")
    return data


def _read_pcap(file: BinaryIO, name: str, start: bytes) -> Iterator[Packet]:
    header = start + _read(file, pcap.FileHdr.__hdr_len__ - 4, name, "its header")
    magic = int.from_bytes(start, "big")
    file_header = pcap.FileHdr(header)
    if start[0] != 0xA1:
        file_header = pcap.LEFileHdr(header)
    packet_header = pcap.MAGIC_TO_PKT_HDR[magic]
    # Use only the format of dpkt: its object for each packet would double the time.
    header_struct = struct.Struct(packet_header.__hdr_fmt__)
    divisor = 1e9 if magic in _NANOSECONDS else 1e6
    link = int(file_header.linktype) & 0xFFFF
    size = header_struct.size
    number = 0
    while header := file.read(size):
        number += 1
        if len(header) < size:
            raise CaptureError(f"{name} is cut off in packet {number}")
        seconds, fraction, captured = header_struct.unpack(header)[:3]
        data = _read(file, captured, name, f"packet {number}")
        yield Packet(seconds + fraction / divisor, link, data)


class _Interface(NamedTuple):
    link: int
    divisor: float
    offset: int
    snap_length: int


class _Pcapng:
    """A pcapng file: sections, each with its byte order and its interfaces."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._little = True
        self._interfaces: list[_Interface] = []
        self._number = 0

    def packets(self) -> Iterator[Packet]:
        kind = _PCAPNG_MAGIC
        while kind:
            if len(kind) < 4:
                raise CaptureError(f"{self._name} is cut off behind packet {self._number}")
            if kind == _PCAPNG_MAGIC:
                self._start_section()
            else:
                packet = self._take_block(kind)
                if packet is not None:
                    yield packet
            kind = self._file.read(4)

    def _read(self, size: int) -> bytes:
        what = f"the block behind packet {self._number}"
        return _read(self._file, size, self._name, what)

    def _start_section(self) -> None:
        length_and_order = self._read(8)
        self._little = length_and_order[4:] == b"\x4d\x3c\x2b\x1a"
        if not self._little and length_and_order[4:] != b"\x1a\x2b\x3c\x4d":
            raise CaptureError(f"{self._name} is broken: its section has no byte order")
        self._rest(length_and_order[:4], 12)
        self._interfaces = []

    def _rest(self, length: bytes, taken: int) -> bytes:
        size = int.from_bytes(length, "little" if self._little else "big")
        if size < taken or size & 3:
            raise CaptureError(
                f"{self._name} is broken: a block behind packet {self._number} claims to have "
                f"{size} bytes"
            )
        return self._read(size - taken)

    def _take_block(self, kind: bytes) -> Packet | None:
        length = self._read(4)
        block = kind + length + self._rest(length, 8)
        number = int.from_bytes(kind, "little" if self._little else "big")
        try:
            match number:
                case pcapng.PCAPNG_BT_IDB:
                    self._interfaces.append(self._interface(block))
                case pcapng.PCAPNG_BT_EPB:
                    return self._enhanced(block)
                case pcapng.PCAPNG_BT_PB:
                    return self._obsolete(block)
                case pcapng.PCAPNG_BT_SPB:
                    return self._simple(block)
                case _:
                    pass
        except (dpkt.Error, struct.error, IndexError, ValueError) as error:
            raise CaptureError(
                f"{self._name} is broken: a block behind packet {self._number} cannot be read"
            ) from error
        return None

    def _interface(self, block: bytes) -> _Interface:
        read = (
            pcapng.InterfaceDescriptionBlockLE if self._little else pcapng.InterfaceDescriptionBlock
        )(block)
        divisor, offset = 1e6, 0
        for option in read.opts:
            data = bytes(option.data)
            if int(option.code) == _TSRESOL and data:
                divisor = float((2 if data[0] & 0x80 else 10) ** (data[0] & 0x7F))
            elif int(option.code) == _TSOFFSET and len(data) == 8:
                offset = int.from_bytes(data, "little" if self._little else "big", signed=True)
        return _Interface(int(read.linktype), divisor, offset, int(read.snaplen))

    def _enhanced(self, block: bytes) -> Packet:
        read = (pcapng.EnhancedPacketBlockLE if self._little else pcapng.EnhancedPacketBlock)(block)
        return self._packet(int(read.iface_id), int(read.ts_high), int(read.ts_low), read.pkt_data)

    def _obsolete(self, block: bytes) -> Packet:
        read = (pcapng.PacketBlockLE if self._little else pcapng.PacketBlock)(block)
        return self._packet(int(read.iface_id), int(read.ts_high), int(read.ts_low), read.pkt_data)

    def _packet(self, interface: int, high: int, low: int, data: bytes) -> Packet:
        self._number += 1
        found = self._interfaces[interface]
        return Packet(found.offset + (high << 32 | low) / found.divisor, found.link, bytes(data))

    def _simple(self, block: bytes) -> Packet:
        """Return a packet without a time, of the first interface; dpkt has no class for it."""
        self._number += 1
        found = self._interfaces[0]
        size = int.from_bytes(block[8:12], "little" if self._little else "big")
        size = min(size, found.snap_length or size, len(block) - 16)
        return Packet(0.0, found.link, block[12 : 12 + size])
