"""Captures for tests: packets of known bytes, on any link type, written with dpkt."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

import dpkt

START = 1_700_000_000.0  # seconds since the epoch
ETHERNET, SLL, SLL2, NULL, RAW = 1, 113, 276, 0, 101
SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04

Packets = list[tuple[float, bytes]]


def on_link(packet: bytes, link: int = ETHERNET, *, tags: Sequence[int] = ()) -> bytes:
    """An IP packet with the header of a link, and VLAN tags before it."""
    is_v4 = packet[0] >> 4 == 4
    kind = b"\x08\x00" if is_v4 else b"\x86\xdd"
    tagged = b"".join([bytes.fromhex(f"8100{tag:04x}") for tag in tags]) + kind
    return {
        ETHERNET: b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + tagged,
        SLL: bytes.fromhex("000000010006020000000001") + b"\0\0" + tagged,
        SLL2: kind + bytes.fromhex("0000000000020001 0006 0200000000010000"),
        NULL: (2 if is_v4 else 30).to_bytes(4, "little"),
        RAW: b"",
    }[link] + packet


def ip_packet(source: str, destination: str, protocol: int, data: bytes) -> bytes:
    """Return an IPv4 or IPv6 packet, depending on the addresses."""
    src, dst = ip_address(source).packed, ip_address(destination).packed
    if len(src) == 4:
        header = bytes.fromhex("4500") + (20 + len(data)).to_bytes(2, "big")
        return header + bytes.fromhex("0001000040") + bytes((protocol, 0, 0)) + src + dst + data
    header = bytes.fromhex("60000000") + len(data).to_bytes(2, "big")
    return header + bytes((protocol, 64)) + src + dst + data


class Connection:
    """A TCP connection (or UDP, without `tcp`) that makes packets of the data of both sides."""

    def __init__(
        self,
        client: tuple[str, int] = ("10.0.0.1", 50000),
        server: tuple[str, int] = ("10.0.0.2", 502),
        *,
        tcp: bool = True,
        first: Sequence[int] = (0xFFFFFFF0, 1000),
    ) -> None:
        self.ends = (client, server)
        self.tcp = tcp
        self.next = list(first)  # sequence numbers; the first wraps around soon

    def open(self) -> list[bytes]:
        """The handshake."""
        packets = [
            self.packet(0, b"", flags=SYN),
            self.packet(1, b"", flags=SYN | ACK, acknowledged=self.next[0] + 1),
        ]
        self.next = [number + 1 & 0xFFFFFFFF for number in self.next]
        return [*packets, self.packet(0, b"")]

    def send(self, data: bytes, *, server: bool = False, flags: int = ACK | 0x08) -> bytes:
        """The next packet of a side."""
        side = int(server)
        packet = self.packet(side, data, flags=flags)
        self.next[side] = self.next[side] + len(data) & 0xFFFFFFFF
        return packet

    def packet(
        self,
        side: int,
        data: bytes,
        *,
        flags: int = ACK,
        sequence: int | None = None,
        acknowledged: int | None = None,
    ) -> bytes:
        """Return a packet of the client (0) or the server (1) without counting its bytes."""
        (source, port), (destination, to) = self.ends[side], self.ends[1 - side]
        if not self.tcp:
            header = port.to_bytes(2, "big") + to.to_bytes(2, "big")
            udp = header + (8 + len(data)).to_bytes(2, "big") + b"\0\0" + data
            return ip_packet(source, destination, 17, udp)
        number = self.next[side] if sequence is None else sequence
        ack = self.next[1 - side] if acknowledged is None else acknowledged
        numbers = [number & 0xFFFFFFFF, ack & 0xFFFFFFFF if flags & ACK else 0]
        tcp = struct.pack(">HHIIBBHHH", port, to, *numbers, 0x50, flags, 65535, 0, 0)
        return ip_packet(source, destination, 6, tcp + data)


def timed(packets: Iterable[bytes], step: float = 0.001) -> Packets:
    """Packets with their times, `step` seconds apart."""
    return [(START + index * step, packet) for index, packet in enumerate(packets)]


def pcap(packets: Packets, link: int = ETHERNET, *, nanoseconds: bool = False) -> bytes:
    """A pcap file of packets that have the header of `link`."""
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, linktype=link, nano=nanoseconds)
    for time, packet in packets:
        writer.writepkt(packet, time)
    return file.getvalue()


def pcapng(packets: Packets, link: int = ETHERNET) -> bytes:
    """The same as a pcapng file."""
    file = io.BytesIO()
    idb = dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=link, snaplen=262144)
    writer = dpkt.pcapng.Writer(file, idb=idb)
    for time, packet in packets:
        writer.writepkt(packet, time)
    return file.getvalue()
