"""Every frame of the corpus is read and written in its framing, alone and in a stream."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modwire.errors import FrameError
from modwire.framing import FRAMINGS, Frame, Framing, OverheardFrame
from modwire.messages import Decoder

VECTORS = Path(__file__).parent.parent / "vectors"
CORPUS = [
    entry
    for name in ("spec_messages.json", "pymodbus1_messages.json")
    for entry in json.loads((VECTORS / name).read_text())
    # Binary frames in the form of pymodbus 1.x, with a CRC over doubled bytes, are not ours.
    if not entry.get("hex_jamod")
]


def framing_of(name: str, direction: str) -> Framing:
    return FRAMINGS[name](Decoder(), is_server=direction == "request")


def wire(entry: dict) -> bytes:
    if entry["framing"] == "ascii":
        return entry["hex"].encode()
    return bytes.fromhex(entry["hex"])


def frame_in(entry: dict) -> Frame:
    return Frame(entry["unit"], entry.get("transaction") or 0, bytes.fromhex(entry["pdu"]))


def drain(framing: Framing) -> list[Frame | FrameError]:
    found = []
    while (frame := framing.next_frame()) is not None:
        found.append(frame)
    return found


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["id"])
def test_a_frame_of_the_corpus_is_read_and_written(entry: dict) -> None:
    framing = framing_of(entry["framing"], entry["direction"])
    frame = frame_in(entry)
    if entry["framing"] != "tcp":
        frame = frame._replace(transaction=0)
    assert framing.encode(frame) == wire(entry)
    framing.receive_data(wire(entry), 0.0)
    framing.handle_timeout(1.0)
    assert drain(framing) == [frame]
    assert framing.buffered == 0


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_stream_of_frames_may_be_cut_anywhere(name: str, direction: str, size: int) -> None:
    entries = [e for e in CORPUS if e["framing"] == name and e["direction"] == direction]
    if name == "rtu":  # the end of an unknown length needs a silence
        entries = [e for e in entries if e["fc"] not in (8, 43) and e["spec_conformant"]]
    stream = b"".join(map(wire, entries))
    framing = framing_of(name, direction)
    found = []
    for at in range(0, len(stream), size):
        framing.receive_data(stream[at : at + size], 0.0)
        found += drain(framing)
    framing.handle_timeout(1.0)
    found += drain(framing)
    assert [frame.pdu.hex() for frame in found] == [entry["pdu"] for entry in entries]


@pytest.mark.parametrize("size", [0, 254])
@pytest.mark.parametrize("name", FRAMINGS)
def test_a_pdu_that_no_frame_can_hold_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=f"a PDU must be 1..253 bytes, got {size}"):
        framing_of(name, "request").encode(Frame(1, 0, bytes(size)))


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("0001 0001 0006", "protocol id must be 0, got 1"),
        ("0001 0000 0000", "length must be 2..254, got 0"),
        ("0001 0000 0001", "length must be 2..254, got 1"),
        ("0001 0000 012c", "length must be 2..254, got 300"),
    ],
)
def test_a_wrong_mbap_header_ends_the_stream_at_once(header: str, complaint: str) -> None:
    framing = framing_of("tcp", "request")
    good = bytes.fromhex("000100000006010300000001")
    framing.receive_data(good + bytes.fromhex(header), 0.0)
    frame, error = drain(framing)
    assert frame == Frame(1, 1, bytes.fromhex("0300000001"))
    assert isinstance(error, FrameError) and error.fatal and complaint in str(error)
    framing.receive_data(good, 0.0)
    assert drain(framing) == [] and framing.buffered == 0
    framing.reset()
    framing.receive_data(good, 0.0)
    assert drain(framing) == [frame]


def test_an_ascii_pause_of_more_than_a_second_drops_what_came_before() -> None:
    framing = framing_of("ascii", "request")
    framing.receive_data(b":0103000", 0.0)
    framing.receive_data(b"00001FB\r\n", 1.0)
    assert [type(found) for found in drain(framing)] == [Frame]
    framing.receive_data(b":0103000", 2.0)
    framing.receive_data(b"00001FB\r\n", 3.1)
    (error,) = drain(framing)
    assert "more than a second" in str(error)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b":010300000001FC\r\n", "has LRC FC, FB was due"),
        (b":0103000000GGFB\r\n", "pairs of hexadecimal digits"),
        (b":01 300000001FB\r\n", "pairs of hexadecimal digits"),
        (b":010\r\n", "pairs of hexadecimal digits"),
        (b":01FF\r\n", "must have 3..255 bytes, got 2"),
        (b":0103:", "broken off by a new ':'"),
        (b":" + b"0" * 600, "must end within 513 characters"),
    ],
)
def test_a_bad_ascii_frame_costs_itself_only(text: bytes, complaint: str) -> None:
    framing = framing_of("ascii", "request")
    framing.receive_data(text, 0.0)
    (error,) = drain(framing)
    assert isinstance(error, FrameError) and not error.fatal and complaint in str(error)
    framing.receive_data(b":010300000001fb\r\n", 0.0)
    assert drain(framing)[-1] == Frame(1, 0, bytes.fromhex("0300000001"))


def test_ascii_frames_end_with_the_delimiter_that_was_set() -> None:
    framing = framing_of("ascii", "request")
    framing.delimiter = b"$"  # type: ignore[attr-defined]
    frame = Frame(1, 0, bytes.fromhex("0300000001"))
    assert framing.encode(frame) == b":010300000001FB\r$"
    framing.receive_data(framing.encode(frame), 0.0)
    assert drain(framing) == [frame]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"{\x01\x03{\x01", "broken off by a new '{'"),
        (b"{\x01\x03\x00\x00\x00\x01\x84\x0b}x", "of 8 bytes has a wrong CRC"),
        (b"{" + b"x" * 300, "longer than 256 bytes"),
        (b"{" + b"{" * 700, "longer than 256 bytes"),
    ],
)
def test_a_bad_binary_frame_costs_itself_only(data: bytes, complaint: str) -> None:
    framing = framing_of("binary", "request")
    good = Frame(1, 0, bytes.fromhex("0300000001"))
    stream = data + framing.encode(good)
    framing.receive_data(stream, 0.0)
    error, *rest = drain(framing)
    assert isinstance(error, FrameError) and complaint in str(error)
    framing.receive_data(framing.encode(good), 0.0)
    assert (rest + drain(framing))[-1] == good


def test_braces_in_every_place_of_a_binary_frame_are_doubled_and_undone() -> None:
    framing = framing_of("binary", "request")
    for unit in (0x7B, 0x7D, 1):
        for value in range(0x7B00, 0x7E00):
            frame = Frame(unit, 0, b"\x06\x7b\x7d" + value.to_bytes(2, "big"))
            data = framing.encode(frame)
            inside = data[1:-1].replace(b"{{", b"").replace(b"}}", b"")
            assert b"{" not in inside and b"}" not in inside
            framing.receive_data(data, 0.0)
            assert drain(framing) == [frame], data.hex(" ")


def test_a_server_on_rtu_tells_a_response_from_a_request() -> None:
    framing = framing_of("rtu", "request")
    framing.receive_data(bytes.fromhex("09030400010002a3f2"), 0.0)
    (frame,) = drain(framing)
    assert type(frame) is OverheardFrame


def test_rtu_silence_ends_a_function_that_has_no_length() -> None:
    framing = framing_of("rtu", "request")
    adu = framing.encode(Frame(1, 0, b"\x41abcdef"))
    framing.receive_data(adu, 5.0)
    assert drain(framing) == []
    assert framing.deadline() == pytest.approx(5.05)
    framing.handle_timeout(5.049)
    assert drain(framing) == []
    framing.handle_timeout(5.051)
    assert drain(framing) == [Frame(1, 0, b"\x41abcdef")]
    assert framing.deadline() is None


def test_a_rtu_client_that_knows_the_length_does_not_wait_for_silence() -> None:
    framing = framing_of("rtu", "response")
    adu = framing.encode(Frame(1, 0, bytes.fromhex("08000012345678")))
    framing.expected = (1, 8, 7)
    framing.receive_data(adu, 0.0)
    assert drain(framing) == [Frame(1, 0, bytes.fromhex("08000012345678"))]
