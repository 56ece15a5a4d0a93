"""`find_segment`: the TCP or UDP payload of a captured packet, for many link types.

A capture may cut packets off: a segment has the captured bytes, and the number of missing ones.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

_TCP, _UDP = 6, 17
_IPV4, _IPV6 = 0x0800, 0x86DD
_TAGS = (0x8100, 0x88A8, 0x9100)  # VLAN, and stacked ones
_IPV6_EXTENSIONS = (0, 43, 60, 135, 139, 140)
_IPV6_FRAGMENT, _IPV6_AUTHENTICATION = 44, 51
_BSD_IPV6 = (10, 24, 28, 30)

SYN, FIN, RST, ACK = 0x02, 0x01, 0x04, 0x10

_PORTS = Struct(">HH")
_TCP_HEADER = Struct(">HHIIBB")
_WORD = Struct(">H")


class Segment(NamedTuple):
    """A TCP segment or a UDP datagram; `missing` bytes of its payload were not captured.

    Addresses are 4 or 16 bytes. `sequence`, `acknowledged` and `flags` are 0 for UDP.
    """

    is_tcp: bool
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    payload: bytes
    missing: int
    sequence: int
    acknowledged: int
    flags: int


def find_segment(link: int, data: bytes) -> Segment | None:
    """Return the segment in a packet of a link type (its LINKTYPE number), or None."""
    found = _find_ip(link, data)
    if found is None:
        return None
    kind, at = found
    try:
        if kind == _IPV4:
            return _ipv4(data, at)
        if kind == _IPV6:
            return _ipv6(data, at)
    except IndexError:
        pass
    return None


KNOWN_LINKS = frozenset((0, 1, 12, 14, 101, 108, 113, 228, 229, 276))


def _find_ip(link: int, data: bytes) -> tuple[int, int] | None:
    """Return the EtherType of the payload of a link, and the offset of the payload."""
    if link == 1:
        return _behind_tags(data, 12)
    if link == 113:
        return _behind_tags(data, 14)
    if link == 276:
        kind = int.from_bytes(data[:2], "big")
        if kind in _TAGS and len(data) >= 24:
            return _word(data, 22), 24
        return kind, 20
    if link in (12, 14, 101, 228, 229):
        return _by_version(data, 0)
    if link in (0, 108):
        family = data[:4]
        number = int.from_bytes(family, "big" if not family[0:1].strip(b"\0") else "little")
        if number == 2 or number in _BSD_IPV6:
            return _IPV4 if number == 2 else _IPV6, 4
    return None


def _by_version(data: bytes, at: int) -> tuple[int, int] | None:
    version = data[at] >> 4 if len(data) > at else 0
    return {4: (_IPV4, at), 6: (_IPV6, at)}.get(version)


def _behind_tags(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the EtherType at `at`, or after VLAN tags, and the offset of the payload."""
    while len(data) >= at + 2:
        kind = _word(data, at)
        if kind not in _TAGS:
            return kind, at + 2
        at += 4
    return None


def _word(data: bytes, at: int) -> int:
    found: int = _WORD.unpack_from(data, at)[0]
    return found


def _ipv4(data: bytes, at: int) -> Segment | None:
    if len(data) < at + 20 or data[at] >> 4 != 4 or _word(data, at + 6) & 0x3FFF:
        return None  # a fragment: Modbus messages are too short to need them
    header = (data[at] & 0x0F) * 4
    # Captures have length 0 for large segments that the network card splits later.
    end = at + (_word(data, at + 2) or len(data) - at)
    return _transport(
        data, data[at + 9], at + header, end, data[at + 12 : at + 16], data[at + 16 : at + 20]
    )


def _ipv6(data: bytes, at: int) -> Segment | None:
    if len(data) < at + 40 or data[at] >> 4 != 6:
        return None
    payload = _word(data, at + 4)
    end = at + 40 + payload if payload else len(data)
    protocol, behind = data[at + 6], at + 40
    while protocol in _IPV6_EXTENSIONS or protocol in (_IPV6_FRAGMENT, _IPV6_AUTHENTICATION):
        if protocol == _IPV6_FRAGMENT:
            if len(data) < behind + 4 or _word(data, behind + 2) & 0xFFF9:
                return None
            size = 8
        elif protocol == _IPV6_AUTHENTICATION:
            size = (data[behind + 1] + 2) * 4
        else:
            size = (data[behind + 1] + 1) * 8
        protocol, behind = data[behind], behind + size
    return _transport(data, protocol, behind, end, data[at + 8 : at + 24], data[at + 24 : at + 40])


def _transport(
    data: bytes, protocol: int, at: int, end: int, source: bytes, destination: bytes
) -> Segment | None:
    if protocol == _TCP and len(data) >= at + 14:
        source_port, port, sequence, acknowledged, offset, flags = _TCP_HEADER.unpack_from(data, at)
        start = at + (offset >> 4) * 4
        payload = data[start:end]
        missing = max(0, end - max(start, len(data)))
        return Segment(
            True, source, source_port, destination, port, payload, missing,
            sequence, acknowledged, flags,
        )  # fmt: skip
    if protocol == _UDP and len(data) >= at + 8:
        source_port, port = _PORTS.unpack_from(data, at)
        end = min(end, at + (_word(data, at + 4) or end - at))
        payload = data[at + 8 : end]
        missing = max(0, end - max(at + 8, len(data)))
        return Segment(False, source, source_port, destination, port, payload, missing, 0, 0, 0)
    return None
