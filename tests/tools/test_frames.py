"""Complete frames: headers and checksums, faults of damaged ones, and guesses of the framing."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages_vectors import load
from modwire import FRAMINGS as CLASSES
from modwire import Decoder, Frame, crc16
from modwire_tools.explain.frames import FRAMINGS, explain_frame
from modwire_tools.explain.guessing import best_framings, split_frames

READ = bytes.fromhex("0300100003")


def made(framing: str, pdu: bytes = READ, unit: int = 1) -> bytes:
    return CLASSES[framing](Decoder(), is_server=True).encode(Frame(unit, 7, pdu))


def told(data: bytes, framing: str, is_response: bool = False) -> list[str]:
    fields = explain_frame(data, framing, is_response=is_response).fields
    return [f"{name}: {meaning}" for _, _, name, meaning in fields]


@pytest.mark.parametrize("framing", CLASSES)
def test_good_frames(framing: str) -> None:
    reading = explain_frame(made(framing, unit=17), framing, is_response=False)
    assert reading.wrong == []
    assert (reading.unit, reading.pdu, reading.name) == (17, READ, "ReadHoldingRegistersRequest")
    assert reading.transaction == (7 if framing == "tcp" else None)
    assert reading.words == "read 3 holding registers from 16"
    assert "address: 16, reference 40017" in told(made(framing), framing)


@pytest.mark.parametrize(
    ("framing", "text"),
    [
        ("tcp", "length: 6 bytes follow: unit id and PDU"),
        ("tcp", "protocol id: 0, Modbus"),
        ("rtu", "CRC-16: 0E04, low byte first: right"),
        ("ascii", "LRC: E9: right"),
        ("ascii", "end: CR LF"),
        ("binary", "CRC-16: 0E04, low byte first: right"),
    ],
)
def test_headers_and_checksums(framing: str, text: str) -> None:
    assert text in told(made(framing), framing)


@pytest.mark.parametrize(
    ("framing", "data", "fault"),
    [
        ("tcp", "000112340006010300100003", "MBAP protocol id must be 0, got 4660 (1234)"),
        ("tcp", "000100000009010300100003", "the frame is cut off: its length says 9 bytes, 6 are"),
        ("tcp", "00010000000601030010000300", "1 byte too many behind the frame: its length says"),
        ("tcp", "000100000001010300100003", "MBAP length must be 2..254, got 1"),
        ("tcp", "0001000000ff010300100003", "MBAP length must be 2..254, got 255"),
        ("tcp", "00010000", "the frame ends in its length, behind 4 bytes"),
        ("tcp", "0001000000", "the frame ends in its length, behind 5 bytes"),
        ("tcp", "", "the frame ends in its transaction id, behind 0 bytes"),
        ("rtu", "0103001000030000", "CRC-16 must be 0E04 (on the wire 04 0E), got 0000"),
        ("rtu", "010300100003", "the CRC-16 is missing"),
        ("rtu", "01", "the CRC-16 is missing"),
        ("rtu", "", "the frame ends in its unit id, behind 0 bytes"),
        ("rtu", "00" * 300, "an RTU frame must be 4..256 bytes, got 300"),
        ("ascii", ":010300100003E8\r\n", "LRC must be E9, got E8"),
        ("ascii", ":010300100003\r\n", "the LRC is missing"),
        ("ascii", "010300100003E9\r\n", "an ASCII frame must begin with ':'"),
        ("ascii", ":010300100003E9", "an ASCII frame must end with CR LF"),
        ("ascii", ":010300100003E9\n", "an ASCII frame must end with CR LF"),
        ("ascii", ":0103001000x3E9\r\n", "an ASCII frame must have pairs of hexadecimal digits, "
         "got 'x3E9'"),
        ("ascii", ":010300100003E9F\r\n", "an ASCII frame must have pairs of hexadecimal digits"),
        ("ascii", ":" + "00" * 300, "an ASCII frame must have at most 513 characters, got 601"),
        ("binary", "7b010300100003040e", "a binary frame must end with '}' (7D)"),
        ("binary", "010300100003040e7d", "a binary frame must begin with '{' (7B)"),
        ("binary", "7b0103001000030e047d", "CRC-16 must be 0E04 (on the wire 04 0E), got 040E"),
        ("binary", "7b01037b10000300007d", "7B at byte 3 must be doubled in a binary frame"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_frame(framing: str, data: str, fault: str) -> None:
    raw = data.encode() if framing == "ascii" else bytes.fromhex(data)
    reading = explain_frame(raw, framing, is_response=False)
    assert any(text.startswith(fault) for text in reading.wrong), reading.wrong


def test_the_parts_of_a_missing_checksum() -> None:
    """For a pasted message without its checksum, the output has the right checksum."""
    assert told(bytes.fromhex("010300100003"), "rtu")[-1] == (
        "CRC-16: missing: 0E04 due, on the wire 04 0E"
    )


def test_an_ascii_frame_ends_as_diagnostics_may_have_set() -> None:
    data = made("ascii").replace(b"\n", b"!")
    assert explain_frame(data, "ascii", is_response=False).wrong == []
    assert told(data, "ascii")[-1] == "end: CR and '!', which function 8/3 may have set"


def test_doubled_bytes_are_one_field() -> None:
    """A field has the doubled bytes of the wire, but its meaning is not doubled."""
    reading = explain_frame(made("binary", b"\x06\x7d\x7b\x7b\x7d"), "binary", is_response=False)
    assert reading.wrong == []
    assert [(data, meaning) for _, data, name, meaning in reading.fields if name == "address"] == [
        (b"\x7d\x7d\x7b\x7b", "32123, reference 432124")
    ]


@pytest.mark.parametrize(
    ("framing", "unit", "text"),
    [
        ("tcp", 255, "255, the device itself"),
        ("tcp", 0, "0, the device itself (or a broadcast)"),
        ("tcp", 250, "250, reserved (1 to 247 are units), but in use by some devices"),
        ("rtu", 0, "0, a broadcast"),
        ("rtu", 248, "248, reserved (1 to 247 are units), but in use by some devices"),
    ],
)
def test_units(framing: str, unit: int, text: str) -> None:
    assert f"unit id: {text}" in told(made(framing, unit=unit), framing)


any_bytes = st.one_of(
    st.binary(max_size=300),
    st.text("0123456789abcdefABCDEF:\r\n{}x", max_size=600).map(str.encode),
    st.builds(
        lambda entry, at, byte: _changed(entry, at, byte),
        st.sampled_from(load("spec_messages.json")),
        st.integers(0, 600),
        st.binary(max_size=2),
    ),
)


def _changed(entry: dict[str, str], at: int, new: bytes) -> bytes:
    text = entry["hex"]
    data = text.encode() if entry["framing"] == "ascii" else bytes.fromhex(text)
    at %= len(data)
    return data[:at] + new + data[at + 1 :]


@given(any_bytes, st.sampled_from(FRAMINGS), st.booleans(), st.one_of(st.none(), st.binary()))
def test_any_bytes_are_explained_to_the_last(
    data: bytes, framing: str, is_response: bool, request: bytes | None
) -> None:
    reading = explain_frame(data, framing, is_response=is_response, request=request)
    assert b"".join([field.data for field in reading.fields]) == data
    ends = accumulate([len(field.data) for field in reading.fields], initial=0)
    assert [field.start for field in reading.fields] == list(ends)[:-1]
    assert reading.name
    assert reading.words
    assert all(text.isprintable() for text in reading.wrong)


@given(any_bytes)
def test_any_bytes_have_a_framing_that_fits_best(data: bytes) -> None:
    best, near = best_framings(data)
    assert best
    assert not set(best) & set(near)
    assert b"".join(split_frames(data, None)) == data


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        ("000112340006ff076d", "tcp"),
        ("000100000006010300100003", "tcp"),
        ("0001000000060103001000", "tcp"),
        ("010300100003040e", "rtu"),
        ("010300100003040f", "rtu"),
        ("010300100003", "rtu"),
        ("0300100003", "pdu"),
        ("8302", "pdu"),
        ("0306000100020003", "pdu"),
        ("3a30313033303031303030303345390d0a", "ascii"),
        ("30313033303031303030303345390d0a", "ascii"),
        ("7b010300100003040e7d", "binary"),
    ],
)
def test_the_framing_is_guessed(data: str, framing: str) -> None:
    assert best_framings(bytes.fromhex(data))[0] == [framing]


def test_every_framing_that_fits_is_named() -> None:
    """The bytes may be a write of four coils or a read of a FIFO queue, both of unit 1."""
    data = bytes.fromhex("010f 0000 0004 01 18")
    data += crc16(data).to_bytes(2, "little")
    assert best_framings(data) == (["tcp", "rtu"], {})


@pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii"])
def test_frames_in_a_row(framing: str) -> None:
    frames = [made(framing), made(framing, bytes.fromhex("0306000100020003")), made(framing)]
    assert split_frames(b"".join(frames), None) == frames
    assert split_frames(b"".join(frames), framing) == frames
    assert split_frames(b"".join(frames), "binary") == [b"".join(frames)]
    assert split_frames(b"".join(frames)[:-1], None) == [b"".join(frames)[:-1]]
