"""Captures give the same fields as in tshark, for all functions that it supports.

tshark is Debian's 4.0. Its own faults are listed here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from captures import (
    ETHERNET,
    NULL,
    RAW,
    SLL,
    SLL2,
    Connection,
    on_link,
    pcap,
    pcapng,
    timed,
)
from messages_vectors import load, unique_pdus
from modwire import (
    FRAMINGS,
    ClientOptions,
    Decoder,
    ExceptionResponseError,
    Frame,
    RawRequest,
    ReadCoilsRequest,
    ReadHoldingRegistersRequest,
    Units,
)
from modwire_sync import TcpClient, TcpServer
from modwire_tools.explain.capture import Capture, Exchange
from modwire_tools.explain.frames import Reading, explain_frame
from modwire_trio import TcpClient as TrioTcpClient
from recording import Recording
from reference_server import reference_unit
from tshark_fields import Dissected, differences, dissect

if TYPE_CHECKING:
    from ..conftest import RequirePeer

ENTRIES: list[dict[str, Any]] = [
    entry
    for entry in load("spec_messages.json")
    # tshark counts bits behind address 65535 from 0 again, past the quantity.
    if entry["spec_conformant"] and entry["case"] not in ("fc01-last",)
]
CLOCK = 2e-6  # seconds: captures have microseconds
_NEVER_ANSWERED = ("08000400", "08000100", "080001ff")  # or not with the same response each time


@pytest.fixture(autouse=True)
def tshark(require_peer: RequirePeer) -> None:
    require_peer("tshark", shutil.which("tshark") is not None, "apt-get install tshark")


def readings(path: Path, framing: str, port: int) -> Iterator[tuple[float, float | None, Reading]]:
    """Yield every frame that we find: its time, the seconds since its request, its meaning."""
    wrap = FRAMINGS[framing](Decoder(), is_server=True)
    with path.open("rb") as file:
        for exchange in Capture(file, path.name, ports=[port], framing=framing):
            assert isinstance(exchange, Exchange), exchange
            for pdu, is_response in ((exchange.request, False), (exchange.response, True)):
                if pdu is None:
                    continue
                data = wrap.encode(Frame(exchange.unit, exchange.transaction, pdu))
                asked = exchange.request if is_response else None
                took = (exchange.milliseconds or 0) / 1000 if is_response and asked else None
                reading = explain_frame(data, framing, is_response=is_response, request=asked)
                yield exchange.time + (took or 0), took, reading


def compare(
    path: Path, framing: str = "tcp", port: int = 502, link: str = "tcp"
) -> tuple[int, int]:
    """Compare every frame of a capture, one per packet; return our count and tshark's."""
    ours = sorted(readings(path, framing, port), key=itemgetter(0))
    pairs: list[tuple[Reading, Dissected]] = []
    at = 0
    for dissected in dissect(path, port, framing, link):
        while ours[at][0] < dissected.time - CLOCK:
            at += 1
        time, took, reading = ours[at]
        at += 1
        assert time == pytest.approx(dissected.time, abs=CLOCK)
        pairs.append((reading, dissected))
        if dissected.seconds is not None:
            assert took == pytest.approx(dissected.seconds, abs=CLOCK)
    assert differences(pairs) == []
    return len(ours), len(pairs)


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
@pytest.mark.parametrize("write", [pcap, pcapng])
def test_every_message_of_the_corpus(tmp_path: Path, framing: str, write: Any) -> None:
    entries = [entry for entry in ENTRIES if entry["framing"] == framing]
    connection = Connection()
    packets = connection.open()
    for entry in entries:
        is_response = entry["direction"] == "response"
        packets.append(connection.send(bytes.fromhex(entry["hex"]), server=is_response))
    path = tmp_path / "corpus"
    # A silence separates serial frames.
    path.write_bytes(write(timed([on_link(packet) for packet in packets], 0.1)))
    ours, theirs = compare(path, framing)
    assert ours == len(entries)
    # It does not recognize RTU frames of more than about 300 bits.
    assert theirs == ours if framing == "tcp" else theirs > 0.9 * ours


@pytest.mark.parametrize(
    ("link", "version", "tcp"),
    [(SLL, 4, True), (SLL2, 6, True), (NULL, 6, True), (RAW, 4, True), (ETHERNET, 6, False)],
)
def test_links_and_addresses(tmp_path: Path, link: int, version: int, tcp: bool) -> None:
    """tshark decodes the packets that the other tests make of bytes."""
    hosts = ("10.0.0.1", "10.0.0.2") if version == 4 else ("fd00::1", "fd00::2")
    connection = Connection((hosts[0], 40000), (hosts[1], 502), tcp=tcp)
    packets = connection.open() if tcp else []
    entries = [entry for entry in ENTRIES if entry["framing"] == "tcp"][:20]
    for entry in entries:
        is_response = entry["direction"] == "response"
        packets.append(connection.send(bytes.fromhex(entry["hex"]), server=is_response))
    path = tmp_path / "link"
    path.write_bytes(pcap(timed([on_link(packet, link) for packet in packets]), link))
    assert compare(path, link="tcp" if tcp else "udp") == (20, 20)


def test_what_our_clients_and_servers_say(tmp_path: Path) -> None:
    """The capture has each function, exceptions, and 16 concurrent requests."""
    pdus = [
        bytes.fromhex(entry["pdu"])
        for entry in unique_pdus(ENTRIES)
        if entry["direction"] == "request" and not entry["pdu"].startswith(_NEVER_ANSWERED)
    ]
    units = Units({1: reference_unit()})
    with TcpServer(units, ("127.0.0.1", 0)) as server:
        host, port = server.address
        with Recording((host, port)) as recording:
            with TcpClient("127.0.0.1", recording.port, timeout=20.0) as client:
                for pdu in pdus:
                    with suppress(ExceptionResponseError):  # it is in the capture as well
                        client.call(RawRequest(pdu[0], pdu[1:]))
            trio.run(_many_at_once, recording.port)
    path = tmp_path / "recorded.pcap"
    path.write_bytes(pcap(recording.packets))
    assert len([1 for _ in readings(path, "tcp", port)]) == 2 * (len(pdus) + 32)
    # tshark shows split and coalesced frames only under the last packet, so this comparison has
    # one packet for each frame.
    alone = tmp_path / "alone.pcap"
    alone.write_bytes(pcap(recording.packets[: 3 + 2 * len(pdus)]))
    assert compare(alone, port=port) == (2 * len(pdus), 2 * len(pdus))


async def _many_at_once(port: int) -> None:
    options = ClientOptions(max_in_flight=16, response_timeout=20.0)
    client = TrioTcpClient("127.0.0.1", port, options=options)
    async with client, trio.open_nursery() as nursery:
        for index in range(16):
            nursery.start_soon(client.call, ReadCoilsRequest(index, 19))
            nursery.start_soon(client.call, ReadHoldingRegistersRequest(index, 125))
