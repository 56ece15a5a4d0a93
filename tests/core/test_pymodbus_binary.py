"""Binary frames in the form of pymodbus: its own are read, and ours are what it can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from message_strategies import exchanges
from modwire import (
    BinaryFraming,
    Frame,
    FrameError,
    PymodbusBinaryFraming,
    ReadHoldingRegistersRequest,
    crc16,
)
from modwire.messages import Decoder

VECTORS = Path(__file__).parent.parent / "vectors" / "pymodbus1_messages.json"
CORPUS: list[dict[str, Any]] = [
    entry for entry in json.loads(VECTORS.read_text()) if entry["framing"] == "binary"
]
READ = ReadHoldingRegistersRequest(18, 8).encode()


def fresh(is_server: bool = True) -> PymodbusBinaryFraming:
    return PymodbusBinaryFraming(Decoder(), is_server=is_server)


def received(data: bytes, is_server: bool = True) -> list[Frame | FrameError]:
    framing = fresh(is_server)
    framing.receive_data(data, 0.0)
    found: list[Frame | FrameError] = []
    while (frame := framing.next_frame()) is not None:
        found.append(frame)
    return found


def sent_by_pymodbus(unit: int, pdu: bytes) -> bytes:
    """Return a frame as pymodbus builds it: pairs of braces in the data, and the CRC over them."""
    data = pdu[1:].replace(b"{", b"{{").replace(b"}", b"}}")
    body = bytes((unit, pdu[0])) + data
    return b"{" + body + crc16(body).to_bytes(2, "little") + b"}"


def read_by_pymodbus(data: bytes) -> tuple[int, bytes] | None:
    """Return unit and PDU that pymodbus finds in a frame, None if it drops it."""
    end = data.find(b"}")
    body = data[1:end]
    return None if crc16(body) else (body[0], body[1:-2])


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["id"])
def test_the_frames_of_pymodbus_are_read(entry: dict[str, Any]) -> None:
    frame = Frame(entry["unit"], 0, bytes.fromhex(entry["pdu"]))
    data = bytes.fromhex(entry["hex"])
    assert sent_by_pymodbus(frame.unit, frame.pdu) == data
    assert received(data, entry["direction"] == "request") == [frame]


@given(exchanges())
def test_every_message_of_pymodbus_is_read(exchange: Any) -> None:
    for message, is_server in zip(exchange, (True, False), strict=True):
        pdu = message.encode()
        for unit in (1, 0x7B, 0x7D):
            assert received(sent_by_pymodbus(unit, pdu), is_server) == [Frame(unit, 0, pdu)]


@given(exchanges())
def test_pymodbus_reads_every_frame_of_ours_without_7d(exchange: Any) -> None:
    for message in exchange:
        for unit in (1, 0x7B):
            pdu = message.encode()
            data = fresh().wrap(unit, 0, pdu)
            expected = None if b"}" in data[:-1] else (unit, pdu)
            assert read_by_pymodbus(data) == expected


@pytest.mark.parametrize(("address", "count"), [(0x7B7B, 1), (0x7D7D, 0x7B), (0x7B7D, 0x7D)])
@pytest.mark.parametrize("unit", [0x7B, 0x7D, 1])
def test_two_ends_of_ours_understand_each_other(unit: int, address: int, count: int) -> None:
    pdu = ReadHoldingRegistersRequest(address, count).encode()
    data = fresh().wrap(unit, 0, pdu)
    assert received(data) == [Frame(unit, 0, pdu)]
    assert received(sent_by_pymodbus(unit, pdu)) == [Frame(unit, 0, pdu)]


def test_a_frame_without_braces_is_the_same_in_both_forms() -> None:
    assert fresh().wrap(1, 0, READ) == BinaryFraming(Decoder(), is_server=True).wrap(1, 0, READ)


@pytest.mark.parametrize(
    "damage",
    [
        b"{\x01\x03\x00",  # cut off
        b"{\x01\x03\x00\x12\x00\x08\xe4\x08}",  # with a wrong CRC
        b"{\x01\x03\x00\x12{\x00\x08\xe4\x08}{{",
        b"{" * 100,
        b"{" + b"}" * 100,
    ],
)
def test_one_bad_frame_costs_one_frame(damage: bytes) -> None:
    good = fresh().wrap(1, 0, READ)
    found = received(damage + good + good)
    assert [each for each in found if isinstance(each, Frame)] == [Frame(1, 0, READ)] * 2
    assert isinstance(found[0], FrameError)
    assert received(b"noise" + good) == [Frame(1, 0, READ)]


def test_an_unfinished_frame_ends_after_a_second() -> None:
    framing, good = fresh(), fresh().wrap(1, 0, READ)
    assert framing.deadline() is None
    framing.receive_data(good[:5], 10.0)
    assert framing.deadline() == 11.0
    framing.handle_timeout(10.9)
    framing.receive_data(good[5:], 10.9)
    assert framing.next_frame() == Frame(1, 0, READ)
    assert framing.deadline() is None
    framing.receive_data(good[:5], 20.0)
    framing.handle_timeout(21.0)
    assert str(framing.next_frame()) == ("a binary frame stopped for a second, or has a wrong CRC")
    framing.receive_data(good[5:], 21.5)
    assert framing.next_frame() is None
    assert framing.buffered == 0


def test_a_damaged_frame_is_received_by_nobody() -> None:
    data = fresh().wrap_damaged(1, 0, READ)
    assert received(data) == []
    assert read_by_pymodbus(data) is None


def test_a_long_body_is_no_frame() -> None:
    """Its CRC may be right by chance: without pairs of braces a PDU has at most 253 bytes."""
    framing = fresh()
    framing.receive_data(framing.wrap(1, 0, bytes(300)), 0.0)
    assert str(framing.next_frame()) == "a binary frame must have a PDU of 1..253 bytes, got 300"
    framing.receive_data(b"{" + bytes(600), 0.0)
    assert str(framing.next_frame()) == "a binary frame is longer than 508 bytes"


@pytest.mark.parametrize("discard", ["end_datagram", "reset"])
def test_nothing_is_kept(discard: str) -> None:
    framing, good = fresh(), fresh().wrap(1, 0, READ)
    framing.receive_data(good[:5], 0.0)
    getattr(framing, discard)()
    framing.frames.clear()
    framing.receive_data(good, 0.0)
    assert framing.next_frame() == Frame(1, 0, READ)
    assert framing.next_frame() is None
