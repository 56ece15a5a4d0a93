"""A line with ten devices and damaged frames, as a sniffer hears it; seeded, so it can be repeated.

`benchmarks/sniffing.py` uses it for a minute of line time, tests for seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from modwire import crc16
from modwire.sniffing import HeardExchange, HeardOutcome

BITS = 11  # of a character: start, eight data bits, parity, stop
TIMEOUT = 0.1  # seconds that the client waits for an answer


def rtu(unit: int, pdu: bytes | str) -> bytes:
    """The frame of a PDU."""
    body = bytes((unit,)) + (bytes.fromhex(pdu) if isinstance(pdu, str) else pdu)
    return body + crc16(body).to_bytes(2, "little")


@dataclass
class NoisyLine:
    """The bytes of a line, each with its time, and the exchanges that were not damaged."""

    baudrate: int = 115200
    damaged: float = 0.01  # share of the frames
    seed: int = 1
    pauses: tuple[float, float] = (0.0005, 0.004)  # seconds before each frame
    now: float = 0.0
    sent: list[tuple[bytes, float]] = field(default_factory=list)  # bytes, time of the first bit
    good: list[tuple[bytes, bytes, float]] = field(default_factory=list)
    frames: int = 0
    damages: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.character_time = BITS / self.baudrate

    def run(self, seconds: float) -> NoisyLine:
        """Let the client poll its devices for some time."""
        while self.now < seconds:
            unit = self.random.randint(1, 10)
            request, response = exchange_of(self.random)
            ask, answer = rtu(unit, request), rtu(unit, response)
            asked = self.send(ask)
            ended = self.now
            # What damages a frame may be nearer to the sniffer than to the device.
            if asked != ask and self.random.random() < 0.5:
                self.now += TIMEOUT
                continue
            answered = self.send(answer)
            if asked == ask and answered == answer:
                self.good.append((ask, answer, ended))
            elif answered != answer and self.random.random() < 0.5:
                self.now += TIMEOUT
        return self

    def send(self, frame: bytes) -> bytes:
        """Send a frame after a pause, and return it as it is on the line."""
        self.now += self.random.uniform(*self.pauses)
        self.frames += 1
        if self.random.random() < self.damaged:
            self.damages += 1
            frame = damage(self.random, frame)
        self.sent.append((frame, self.now))
        self.now += len(frame) * self.character_time
        return frame

    def lumps(self, every: float) -> Iterator[tuple[bytes, float]]:
        """Yield the bytes as an adapter delivers them: all of `every` seconds at once."""
        due, lump = every, b""
        for frame, began in self.sent:
            for index, byte in enumerate(frame, 1):
                time = began + index * self.character_time
                while time > due:
                    if lump:
                        yield lump, due
                    lump = b""
                    due += every
                lump += bytes((byte,))
        if lump:
            yield lump, due

    def pieces(self, most: int) -> Iterator[tuple[bytes, float]]:
        """Yield the bytes in pieces of 1 to `most`, at the time of their last bit."""
        for frame, began in self.sent:
            at = 0
            while at < len(frame):
                size = self.random.randint(1, most)
                piece = frame[at : at + size]
                at += len(piece)
                yield piece, began + at * self.character_time

    def missed(self, heard: list[HeardExchange]) -> Counter[tuple[bytes, bytes]]:
        """Return the undamaged exchanges that were not heard as such."""
        wanted = Counter((ask, answer) for ask, answer, _ in self.good)
        wanted.subtract(
            (each.request.data, each.response.data)
            for each in heard
            if each.outcome in (HeardOutcome.ANSWERED, HeardOutcome.EXCEPTION)
            and each.request is not None
            and each.response is not None
        )
        return +wanted


def exchange_of(random: Random) -> tuple[bytes, bytes]:
    """A request and its response, of a random function."""
    code = random.choice((1, 2, 3, 3, 3, 3, 4, 4, 4, 5, 6, 8, 15, 16, 16, 22, 23))
    address = random.choice((random.randint(0, 99), random.randint(0, 0xFF00)))
    head = bytes((code,)) + address.to_bytes(2, "big")
    count = random.choice((1, 2, 10, random.randint(1, 120)))
    words = random.randbytes(2 * count)
    if code <= 4 and random.random() < 0.02:
        return head + count.to_bytes(2, "big"), bytes((code | 0x80, 2))
    if code <= 2:
        size = (count + 7) // 8
        bits = (int.from_bytes(random.randbytes(size), "big") & (1 << count) - 1).to_bytes(
            size, "little"
        )
        return head + count.to_bytes(2, "big"), bytes((code, size)) + bits
    if code <= 4:
        return head + count.to_bytes(2, "big"), bytes((code, 2 * count)) + words
    if code == 5:
        return (head + random.choice((b"\xff\0", b"\0\0")),) * 2
    if code == 6:
        return (head + words[:2],) * 2
    if code == 8:
        return (b"\x08\0\0" + words[:2],) * 2
    if code == 15:
        size = (count + 7) // 8
        bits = bytes(size)
        echo = head + count.to_bytes(2, "big")
        return echo + bytes((size,)) + bits, echo
    if code == 16:
        echo = head + count.to_bytes(2, "big")
        return echo + bytes((2 * count,)) + words, echo
    if code == 22:
        return (head + random.randbytes(4),) * 2
    written = random.randbytes(2 * min(count, 100))
    request = head + count.to_bytes(2, "big") + random.randbytes(2)
    request += (len(written) // 2).to_bytes(2, "big") + bytes((len(written),)) + written
    return request, bytes((code, 2 * count)) + words


def damage(random: Random, frame: bytes) -> bytes:
    """Change bytes of a frame, drop or insert some, or cut it off."""
    kind = random.randrange(4)
    at = random.randrange(len(frame))
    if kind == 0:
        changed = bytearray(frame)
        for _ in range(random.randint(1, 3)):
            changed[random.randrange(len(frame))] ^= random.randint(1, 255)
        return bytes(changed) if changed != frame else damage(random, frame)
    if kind == 1:
        return frame[:at] + frame[at + random.randint(1, 2) :]
    if kind == 2:
        return frame[:at] + random.randbytes(random.randint(1, 3)) + frame[at:]
    return frame[: max(1, at)]
