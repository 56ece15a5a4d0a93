"""Broken, odd and endless captures: the readable part is shown, and one sentence."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures import (
    ETHERNET,
    SLL,
    START,
    SYN,
    Connection,
    on_link,
    pcap,
    pcapng,
    timed,
)
from conversations import (
    READ,
    VALUES,
    analysed,
    conversation,
    exchanges,
    expected,
    frame,
    told,
)
from modwire_tools.explain.capture import Capture, CaptureError, Exchange, Incident, is_capture


def good_pcap() -> bytes:
    return pcap(timed([on_link(packet) for packet in conversation(Connection())]))


def good_pcapng() -> bytes:
    return pcapng(timed([on_link(packet) for packet in conversation(Connection())]))


@pytest.mark.parametrize("data", [b"", b"abc", b"hello, world", b"\x7fELF" * 10])
def test_no_capture(data: bytes) -> None:
    assert not is_capture(data[:4])
    with pytest.raises(CaptureError, match="^it is no capture: it must be a pcap or a pcapng file"):
        analysed(data)


@pytest.mark.parametrize("whole", [good_pcap(), good_pcapng()], ids=["pcap", "pcapng"])
def test_a_file_that_is_cut_off_gives_what_it_has(whole: bytes) -> None:
    capture = Capture(io.BytesIO(whole[:-5]), "it")
    found: list[Exchange | Incident] = []
    with pytest.raises(CaptureError, match=r"^it is cut off in (packet 9|the block behind pack)"):
        found.extend(capture)
    found = []
    capture = Capture(io.BytesIO(whole[:-5]), "it")
    try:
        for each in capture:
            found.append(each)
    except CaptureError:
        pass
    assert told(found) == [*expected()[:2], (2, "read 1 holding register from 2", "no answer")]  # type: ignore[arg-type]


def test_a_packet_that_claims_too_much() -> None:
    data = good_pcap()[:24] + bytes.fromhex("00000000 00000000 ffffffff ffffffff")
    with pytest.raises(CaptureError, match=r"^it is broken: packet 1 claims to have 4294967295 by"):
        analysed(data)


@given(
    st.sampled_from([good_pcap(), good_pcapng()]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    st.integers(0, 2000),
)
def test_any_damage_is_a_sentence_or_nothing(
    data: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    damaged = bytearray(data)
    for at, byte in changes:
        damaged[at % len(data)] = byte
    for framing in ("tcp", "rtu"):
        try:
            analysed(bytes(damaged[: max(4, end)]), framing=framing)
        except CaptureError as error:
            assert str(error).startswith("it is ")
            assert "\n" not in str(error)


def test_interfaces_with_links_and_clocks_of_their_own() -> None:
    """mergecap writes such files; dpkt's own reader would use the first interface for all."""
    connection = Connection()
    packets = conversation(connection)

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        size = (12 + len(body)).to_bytes(4, "big")
        return kind.to_bytes(4, "big") + size + body + size

    def interface(link: int, resolution: int) -> bytes:
        option = bytes.fromhex("0009 0001") + bytes((resolution, 0, 0, 0)) + b"\0\0\0\0"
        return block(1, link.to_bytes(2, "big") + b"\0\0" + b"\0\0\0\0" + option)

    data = block(0x0A0D0D0A, bytes.fromhex("1a2b3c4d 0001 0000 ffffffffffffffff"))
    data += interface(ETHERNET, 6) + interface(SLL, 9) + block(0x99, b"whatever")
    for index, packet in enumerate(packets):
        number = index % 2
        time = (int(START) * 1000 + index) * (1_000 if number == 0 else 1_000_000)
        linked = on_link(packet, (ETHERNET, SLL)[number])
        header = [number, time >> 32, time & 0xFFFFFFFF, len(linked), len(linked)]
        data += block(6, b"".join([word.to_bytes(4, "big") for word in header]) + linked)
    found = analysed(data)
    assert told(found) == expected()  # type: ignore[arg-type]
    assert [each.milliseconds for each in found] == pytest.approx([1.0] * 3, abs=0.01)  # type: ignore[union-attr]


def test_unknown_links_are_counted() -> None:
    capture = Capture(io.BytesIO(pcap(timed([b"\0" * 40] * 3), 147)), "it")
    assert list(capture) == []
    assert capture.unknown_links == {147: 3}


def test_a_syn_may_carry_nothing_but_its_number() -> None:
    connection = Connection()
    packets = [connection.packet(0, b"", flags=SYN)] * 3 + conversation(connection)
    assert told(exchanges(packets)) == expected()


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory must be bounded, even if a UDP client uses a new port for each request."""
    monkeypatch.setattr("modwire_tools.explain.capture.exchanges._MOST_CONVERSATIONS", 100)
    packets: list[bytes] = []
    for number in range(300):
        connection = Connection(("10.1.0.1", 1024 + number), tcp=False)
        packets.append(connection.send(frame(READ, 1)))
        packets.append(connection.send(frame(VALUES, 1), server=True))
    capture = Capture(io.BytesIO(pcap(timed([on_link(packet) for packet in packets]))), "it")
    kept: list[int] = []
    for exchange in capture:
        assert isinstance(exchange, Exchange)
        assert exchange.outcome == "ok"
        kept.append(len(capture._conversations))
    assert len(kept) == 300
    assert max(kept) == 100
