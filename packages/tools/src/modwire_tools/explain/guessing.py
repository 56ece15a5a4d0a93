"""`best_framings` guesses the framing of some bytes; `split_frames` separates several frames.

Every framing is tried, as a request and as a response. Each fault of a reading has a cost, and the
guess is the framing with the lowest cost.
"""

from __future__ import annotations

from modwire import Decoder, crc16

from .frames import FRAMINGS, Reading, readings

_HEX = frozenset(b"0123456789abcdefABCDEF")
_ASCII = _HEX | frozenset(b":\r\n")
_DECODER = Decoder()


def best_framings(data: bytes) -> tuple[list[str], dict[str, Reading]]:
    """Return the framings that fit best, and the better reading in each other close framing.

    Several framings fit best if `data` has no fault in any of them; otherwise only the closest.
    """
    if data[:1] == b":" and all(byte in _ASCII for byte in data):
        return ["ascii"], {}
    costs: dict[str, int] = {}
    better: dict[str, Reading] = {}
    for framing in FRAMINGS:
        if framing == "ascii" and data[:1] != b":" and not _is_ascii_body(data):
            continue
        if framing == "binary" and data[:1] != b"{":
            continue
        asked, answer = readings(data, framing)
        costs[framing], better[framing] = _cost(asked), asked
        if (cost := _cost(answer)) < costs[framing]:
            costs[framing], better[framing] = cost, answer
    least = min(costs.values())
    best = [framing for framing, cost in costs.items() if cost == least]
    best = best if least == 0 else best[:1]
    near = {
        framing: better[framing]
        for framing, cost in costs.items()
        if framing not in best and least and cost <= least + 3
    }
    return best, near


def _is_ascii_body(data: bytes) -> bool:
    """Return True if these are the characters of an ASCII frame without its colon."""
    body = data.rstrip(b"\r\n")
    return len(body) >= 6 and all(byte in _HEX for byte in body)


def split_frames(data: bytes, framing: str | None) -> list[bytes]:
    """Return the frames in `data` if it has several good ones in a row, else only `data`.

    `framing` is one of `FRAMINGS`, or None if unknown.
    """
    for name, find in (("tcp", _tcp_end), ("rtu", _rtu_end), ("ascii", _ascii_end)):
        if framing not in (name, None):
            continue
        frames: list[bytes] = []
        at = 0
        while at < len(data) and (end := find(data, at)):
            frames.append(data[at:end])
            at = end
        if at == len(data) and len(frames) > 1:
            return frames
    return [data]


def _tcp_end(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at + 4 : at + 6], "big")
    good = data[at + 2 : at + 4] == b"\0\0" and 2 <= length <= 254 and at + 6 + length <= len(data)
    return at + 6 + length if good else 0


def _rtu_end(data: bytes, at: int) -> int:
    if len(data) - at < 4:
        return 0
    for rule in (_DECODER.request_length, _DECODER.response_length):
        length = rule(data, at + 1)
        end = at + length + 3
        if length > 0 and end <= len(data) and not crc16(data[at:end]):
            return end
    return 0


def _ascii_end(data: bytes, at: int) -> int:
    return data.find(b"\r\n", at) + 2 if data[at : at + 1] == b":" and b"\r\n" in data[at:] else 0


_UNLIKELY = {"pdu": 3}  # because no byte identifies a PDU without a frame
_FAULT = 2
_WRONG_CHECKSUM = 4


def _cost(reading: Reading) -> int:
    """Return the cost of the faults of a reading; 0 for a good one."""
    cost = _UNLIKELY.get(reading.framing, 0)
    if reading.faults:
        faults = "\n".join(reading.faults)
        cost += _FAULT * len(reading.faults)
        cost += "protocol" in faults
        if "CRC" in faults or "LRC" in faults:
            cost += _WRONG_CHECKSUM - _FAULT
    if reading.problem:
        cost += 1 if reading.framing == "tcp" else 2
    if reading.name.startswith("Raw"):
        cost += 2
    if len(reading.pdu) < 1:
        cost += 6
    if reading.framing == "rtu" and reading.faults and (reading.unit or 0) > 247:
        cost += 1
    return cost
