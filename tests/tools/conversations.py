"""Conversations in packets, and the exchanges in a capture of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from captures import (
    Connection,
    on_link,
    pcap,
    timed,
)
from modwire import FRAMINGS, Decoder, Frame
from modwire_tools.explain.capture import Capture, Exchange, Incident

V6 = (("fd00::1", 50000), ("fd00::2", 502))
READ, VALUES = "0300100003", "0306000100020003"


def frame(pdu: str, transaction: int = 1, unit: int = 1, framing: str = "tcp") -> bytes:
    encode = FRAMINGS[framing](Decoder(), is_server=True).encode
    return encode(Frame(unit, transaction, bytes.fromhex(pdu)))


def analysed(
    data: bytes, *, ports: Sequence[int] = (502,), framing: str = "tcp"
) -> list[Exchange | Incident]:
    return list(Capture(io.BytesIO(data), "it", ports=ports, framing=framing))


def exchanges(packets: Sequence[bytes], step: float = 0.001, **options: object) -> list[Exchange]:
    """Return the exchanges in Ethernet packets; anything else there is an error."""
    found = analysed(pcap(timed([on_link(packet) for packet in packets], step)), **options)  # type: ignore[arg-type]
    assert all(isinstance(each, Exchange) for each in found), found
    return [each for each in found if isinstance(each, Exchange)]


def told(found: Sequence[Exchange]) -> list[tuple[int, str, str]]:
    return [(each.transaction, each.request_text, each.response_text) for each in found]


def read(address: int) -> str:
    return f"03{address:04x}0001"


def value(number: int) -> str:
    return f"0302{number:04x}"


def conversation(connection: Connection, count: int = 3) -> list[bytes]:
    """A handshake, and reads of the registers 0, 1, ..., which hold 100, 101, ..."""
    return [*(connection.open() if connection.tcp else []), *reads(connection, range(count))]


def reads(connection: Connection, numbers: Iterable[int]) -> list[bytes]:
    packets: list[bytes] = []
    for number in numbers:
        packets.append(connection.send(frame(read(number), number)))
        packets.append(connection.send(frame(value(100 + number), number), server=True))
    return packets


def expected(count: int = 3) -> list[tuple[int, str, str]]:
    return [
        (number, f"read 1 holding register from {number}", str(100 + number))
        for number in range(count)
    ]


def capture(write: Any = pcap, port: int = 502) -> bytes:
    """Return a file of three reads: one successful, one refused, one without a response."""
    connection = Connection(server=("10.0.0.2", port))
    packets = connection.open()
    for request, answer in (
        ("000100000006010300100003", "0001000000090103060001000200ff"),
        ("000200000006010300100003", "000200000003018302"),
        ("000300000006010300100003", ""),
    ):
        packets.append(connection.send(bytes.fromhex(request)))
        if answer:
            packets.append(connection.send(bytes.fromhex(answer), server=True))
    data: bytes = write(timed([on_link(packet) for packet in packets]))
    return data
