"""Frames for scripts: PDUs in hexadecimal text, framed as ADUs."""

from __future__ import annotations

from modwire import Decoder, Framing, TcpFraming
from modwire.checksums import crc16


def plain(data: bytes | str) -> bytes:
    """Bytes, which may be written as hexadecimal text."""
    return bytes.fromhex(data) if isinstance(data, str) else data


def tcp(pdu: str, transaction: int = 1, unit: int = 1) -> bytes:
    """An MBAP frame."""
    data = plain(pdu)
    head = (transaction, 0, len(data) + 1)
    return b"".join(each.to_bytes(2, "big") for each in head) + bytes((unit,)) + data


def rtu(pdu: str, unit: int = 1) -> bytes:
    """An RTU frame."""
    body = bytes((unit,)) + plain(pdu)
    return body + crc16(body).to_bytes(2, "little")


def framed(framing: type[Framing], pdu: str, transaction: int = 1, unit: int = 1) -> bytes:
    """A frame of any framing."""
    transaction = transaction if framing is TcpFraming else 0
    return framing(Decoder(), is_server=True).wrap(unit, transaction, plain(pdu))
