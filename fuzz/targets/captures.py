"""Files of `modwire parse` and `modwire sniff`: captures, gzip, and messages as text.

They print the readable part, and end with a sentence. A file is the same compressed by gzip, and
when it is read in pieces.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import tempfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING

from modwire import FRAMINGS, ModbusError
from modwire.sniffing import Sniffer
from modwire_tools.cli.parse_capture import print_capture
from modwire_tools.cli.parse_messages import MessagePrinter
from modwire_tools.explain.capture import CaptureError, inflated, is_capture
from modwire_tools.sniffing import serial_pieces

from .. import vectors
from ..target import Target

if TYPE_CHECKING:
    from typing_extensions import Buffer

_MOST_OUTPUT = 3000  # characters for each byte of a file: a register may be one, and has a line


@cache
def _file() -> int:
    """Return a descriptor of a file for the inputs: the commands ask whether it is a pipe."""
    descriptor, path = tempfile.mkstemp(prefix="modwire-fuzz-")
    os.unlink(path)
    return descriptor


class _Pieces(RawIOBase):
    """A file that gives few bytes at a time, as a pipe does."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return _file()

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._data.read(min(len(view), self._size))
        view[: len(data)] = data
        return len(data)


def _printed(data: bytes, framing: str, size: int, *, as_json: bool = False) -> tuple[str, str]:
    """Return what `modwire parse` prints, and its error."""
    out = io.StringIO()
    error = ""
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        try:
            file = inflated(BufferedReader(_Pieces(data, size), max(size, 4)), "FILE")
            if is_capture(file.peek(4)):
                print_capture(file, "FILE", [502], framing, as_json, as_json)
            else:
                printer = MessagePrinter(None, is_response=None, with_fields=True, as_json=as_json)
                printer.print_lines(file, "FILE")
        except ModbusError as found:
            error = str(found)
    return out.getvalue(), error


def _check_parse(data: bytes) -> None:
    framing = "rtu" if data[-1:] == b"r" else "tcp"
    whole, error = _printed(data, framing, 1 << 16)
    assert len(whole) < 10_000 + _MOST_OUTPUT * len(data), "it prints too much"
    assert _printed(data, framing, 7) == (whole, error), "pieces differ"
    _printed(data, framing, 1 << 16, as_json=True)
    if not data.startswith(b"\x1f\x8b"):
        assert _printed(gzip.compress(data, 1), framing, 1 << 16)[0] == whole


def _check_gzip(data: bytes) -> None:
    """A whole file that gzip has damaged, or a bomb."""
    whole = _printed(data, "tcp", 1 << 16)
    assert _printed(data, "tcp", 5) == whole, "pieces differ"


def _check_serial(data: bytes) -> None:
    """The packets of a serial line, as `modwire sniff FILE` reads them."""
    for framing in (FRAMINGS["rtu"], FRAMINGS["ascii"]):
        sniffer = Sniffer(framing)
        others: Counter[int] = Counter()
        try:
            file = inflated(BufferedReader(_Pieces(data, 1 << 16)), "FILE")
            for time, piece, is_frame in serial_pieces(file, "FILE", framing, others):
                sniffer.receive_data(piece, time)
                if is_frame:
                    sniffer.end_frame()
                for heard in sniffer:
                    assert repr(heard)
        except CaptureError as error:
            assert str(error)
        sniffer.end()


def _ip(protocol: int, data: bytes, *, is_answer: bool) -> bytes:
    ends = (b"\x0a\0\0\1", b"\x0a\0\0\2")
    source, destination = ends[::-1] if is_answer else ends
    size = (20 + len(data)).to_bytes(2, "big")
    head = b"\x45\0" + size + b"\0\1\0\0\x40" + bytes((protocol,)) + b"\0\0"
    return b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + head + source + destination + data


def _pcap(packets: list[bytes], link: int = 1, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for number, packet in enumerate(packets):
        size = len(packet)
        head += struct.pack(f"{order}IIII", 1_700_000_000 + number, 0, size, size) + packet
    return head


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def _pcapng(packets: list[bytes], link: int = 1) -> bytes:
    file = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += _block(1, struct.pack("<HHI", link, 0, 65535) + struct.pack("<HHBxxx", 9, 1, 9))
    for number, packet in enumerate(packets):
        size = len(packet)
        file += _block(6, struct.pack("<IIIII", 0, 0, number << 20, size, size) + packet)
        file += _block(3, struct.pack("<I", size) + packet)
    return file


def _conversations(framing: str) -> list[list[bytes]]:
    """Return requests and responses as packets of TCP and of UDP."""
    wrap = FRAMINGS[framing](vectors.DECODER, is_server=True).wrap
    found: list[list[bytes]] = []
    requests, responses = (vectors.messages(is_response=each) for each in (False, True))
    for at in range(0, min(len(requests), len(responses)) - 4, 4):
        packets: list[bytes] = []
        sent = [100, 0xFFFFFFF0]
        for number in range(at, at + 4):
            for is_answer, (unit, pdu) in enumerate((requests[number], responses[number])):
                data = wrap(unit, number, pdu)
                ports = (502, 50000) if is_answer else (50000, 502)
                numbers = (sent[is_answer], sent[1 - is_answer])
                tcp = struct.pack(">HHIIBBHHH", *ports, *numbers, 0x50, 0x18, 65535, 0, 0)
                udp = struct.pack(">HHHH", *ports, 8 + len(data), 0)
                sent[is_answer] = sent[is_answer] + len(data) & 0xFFFFFFFF
                is_tcp = at % 8 == 0
                body = (tcp if is_tcp else udp) + data
                packets.append(_ip(6 if is_tcp else 17, body, is_answer=bool(is_answer)))
        found.append(packets)
    return found


def _capture_seeds() -> list[bytes]:
    found: list[bytes] = []
    for packets in _conversations("tcp"):
        found += [_pcap(packets), _pcapng(packets)]
    found += [_pcap(packets, 1, ">") + b"r" for packets in _conversations("rtu")[:10]]
    return found


def _text_seeds() -> list[bytes]:
    found = [pdu.hex(" ").encode() for _, pdu in vectors.messages()[:100]]
    for framing in FRAMINGS:
        wrap = FRAMINGS[framing](vectors.DECODER, is_server=True).wrap
        for unit, pdu in vectors.messages()[::9]:
            adu = wrap(unit, 1, pdu)
            found.append(adu.strip() if framing == "ascii" else adu.hex().encode())
        for parts in vectors.malformed(framing, "server"):
            found.append(framing.encode() + b" request " + parts[0].hex().encode() + b" # x")
    return [*found, b"\n".join(found[:20]), b"b'\\x00\\x01m'", b"0x01, 0x3, 0x0 0x6b"]


def _gzip_seeds() -> list[bytes]:
    packets = _conversations("tcp")[0]
    whole = gzip.compress(_pcapng(packets), mtime=0)
    return [whole, whole[:-9], whole + whole, whole + bytes(20), gzip.compress(b"\n" * 9_999)]


def _serial_seeds() -> list[bytes]:
    wrap = FRAMINGS["rtu"](vectors.DECODER, is_server=True).wrap
    adus = [wrap(unit, 0, pdu) for unit, pdu in vectors.messages()[:60]]
    exported = [b"\0\x0c\0\5mbrtu\0\0\0\0" + adu for adu in adus]
    found: list[bytes] = []
    for at in range(0, 60, 6):
        part = slice(at, at + 6)
        found += [_pcap(adus[part], 147), _pcap([bytes(12) + adu for adu in adus[part]], 250)]
        found += [_pcap(exported[part], 252), _pcapng(adus[part], 147)]
    return found


_WORDS = (
    b"\xd4\xc3\xb2\xa1",
    b"\n\r\r\n",
    b"\x4d\x3c\x2b\x1a",
    bytes(4),
    b"\xff" * 4,
    b"\x06\0\0\0",
)
_TEXT_WORDS = (
    b"tcp ",
    b"rtu ",
    b"request ",
    b"#",
    b"\n",
    b":",
    b"\\x",
    b"b'",
    b"0x",
    b"{",
    b"7b",
    b"7d",
)

TARGETS = [
    Target("parse-capture", _check_parse, _capture_seeds, _WORDS),
    Target("parse-text", _check_parse, _text_seeds, _TEXT_WORDS),
    Target("parse-gzip", _check_gzip, _gzip_seeds),
    Target("sniff-capture", _check_serial, _serial_seeds, _WORDS),
]
