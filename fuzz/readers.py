"""Strict readers of the four framings, written from their definitions and not from modwire's.

They read a byte at a time, slowly and plainly. What modwire makes of a stream has to agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .script import Burst

Found = tuple[int, int, bytes]
"""Unit, transaction id (0 without), PDU."""


def crc(data: bytes | bytearray) -> int:
    """Return the CRC-16 of Serial Line V1.02, section 6.2.2, bit by bit; 0 over a whole frame."""
    register = 0xFFFF
    for each in data:
        register = _shifted(register, each)
    return register


def _shifted(register: int, byte: int) -> int:
    register ^= byte
    for _ in range(8):
        register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return register


def tcp(stream: bytes, *, is_server: bool) -> tuple[list[Found], bool]:
    """Return the MBAP frames, and True if the next one cannot be found behind them."""
    found: list[Found] = []
    at = 0
    while len(stream) - at >= 4:
        if stream[at + 2 : at + 4] != b"\0\0":
            return found, True
        if len(stream) - at < 6:
            break
        length = int.from_bytes(stream[at + 4 : at + 6], "big")
        if not 2 <= length <= 254 and not (is_server and _is_long(stream[at:], length)):
            return found, True
        if len(stream) - at < 6 + length:
            break
        frame = stream[at : at + 6 + length]
        found.append((frame[6], int.from_bytes(frame[:2], "big"), frame[7:]))
        at += 6 + length
    return found, False


def _is_long(data: bytes, length: int) -> bool:
    """True if `data` may be a request with too many values, whose own byte count fits `length`."""
    if not 255 <= length <= 266:
        return False
    if len(data) < 8:
        return True
    # The place of the byte count behind the function code.
    count_at = {15: 5, 16: 5, 20: 1, 21: 1, 23: 9}.get(data[7], 0)
    if not count_at:
        return False
    if len(data) <= 7 + count_at:
        return True
    return length == 1 + count_at + 1 + data[7 + count_at]


def ascii_frames(bursts: Iterable[Burst]) -> list[Found]:
    """Return the ASCII frames; a pause of more than a second discards an unfinished one."""
    found: list[Found] = []
    text: bytearray | None = None
    heard = 0.0
    for now, data in bursts:
        if now - heard > 1.0:
            text = None
        heard = now
        for each in data:
            if each == ord(":"):
                text = bytearray(b":")
            elif text is not None:
                text.append(each)
                if text.endswith(b"\r\n"):
                    found += _in_ascii(bytes(text[1:-2]))
                    text = None
                elif len(text) >= 513:
                    text = None
    return found


def _in_ascii(digits: bytes) -> list[Found]:
    if len(digits) % 2 or any(each not in b"0123456789ABCDEFabcdef" for each in digits):
        return []
    body = bytes.fromhex(digits.decode("ascii"))
    if not 3 <= len(body) <= 255 or sum(body) & 0xFF:
        return []
    return [(body[0], 0, body[1:-1])]


def binary_frames(stream: bytes) -> list[Found]:
    """Return the binary frames, as the docstring of `modwire.framing.binary` defines them."""
    found: list[Found] = []
    body: bytearray | None = None
    held = 0  # a brace whose meaning the next byte decides
    for each in stream:
        if body is not None and held:
            brace, held = held, 0
            if each == brace:
                body.append(brace)
                body = body if len(body) <= 256 else None
                continue
            body = bytearray() if brace == ord("{") else None
        if body is None:
            body = bytearray() if each == ord("{") else None
        elif each == ord("}") and len(body) >= 4 and not crc(body):
            found.append((body[0], 0, bytes(body[1:-2])))
            body = None
        elif each in b"{}":
            held = each
        else:
            body.append(each)
            body = body if len(body) <= 256 else None
    return found


def are_rtu_frames(stream: bytes, frames: Sequence[Found]) -> bool:
    """True if all frames are in the stream, with right CRCs, in order and behind each other."""
    at = 0
    for unit, _, pdu in frames:
        body = bytes((unit,)) + pdu
        adu = body + crc(body).to_bytes(2, "little")
        at = stream.find(adu, at)
        if at < 0:
            return False
        at += len(adu)
    return True


def are_mbap_frames(stream: bytes, frames: Sequence[Found]) -> bool:
    """Do the same for MBAP frames whose length may be wrong."""
    at = 0
    for unit, transaction, pdu in frames:
        start, rest = transaction.to_bytes(2, "big") + b"\0\0", bytes((unit,)) + pdu
        while True:
            at = stream.find(start, at)
            if at < 0:
                return False
            if stream.startswith(rest, at + 6):
                break
            at += 1
        at += 6 + len(rest)
    return True


def anywhere(framing: str, bursts: Sequence[Burst], unit: int, code: int) -> Iterator[Found]:
    """Yield everything that a frame of `unit` with the function `code` could be read from.

    Without start characters that is at every byte: this finds too much rather than too little.
    """
    stream = b"".join(burst.data for burst in bursts)
    if framing == "ascii":
        yield from ascii_frames(bursts)
    elif framing == "binary":
        yield from binary_frames(stream)
    elif framing == "tcp":
        for at in range(len(stream) - 7):
            end = at + 6 + int.from_bytes(stream[at + 4 : at + 6], "big")
            if stream[at + 2 : at + 4] == b"\0\0" and at + 8 <= end <= len(stream):
                yield (
                    stream[at + 6],
                    int.from_bytes(stream[at : at + 2], "big"),
                    stream[at + 7 : end],
                )
    else:
        for at in range(len(stream) - 3):
            if stream[at] == unit and stream[at + 1] & 0x7F == code:
                register = 0xFFFF
                for end, each in enumerate(stream[at : at + 256], at + 1):
                    register = _shifted(register, each)
                    if not register and end - at >= 4:
                        yield unit, 0, stream[at + 1 : end - 2]
