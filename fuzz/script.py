"""A little language in which an input says what happens: bytes, whole frames, pauses.

Random bytes hardly ever have a right checksum. So an input is a list of steps, each with a kind
and some bytes, and the kind says whether a frame is made of the bytes. Any input is a script: the
end of one that is cut off is left out.

A step is two bytes, three bits of kind and thirteen bits of length, and so many bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modwire.framing import Framing

RAW, FRAME, DAMAGED, PAUSE, REPEAT = range(5)
PAUSES = (0.0013, 0.011, 0.043, 0.061, 0.31, 0.61, 1.13, 2.03, 11.0)
MOST_STEPS = 60
MOST_BYTES = 6000  # of a stream


class Step(NamedTuple):
    """One step of a script."""

    kind: int
    data: bytes


class Burst(NamedTuple):
    """Bytes that arrive at the same time (seconds)."""

    now: float
    data: bytes


def steps(script: bytes) -> Iterator[Step]:
    """Yield the steps of a script, at most `MOST_STEPS`."""
    at = 0
    for _ in range(MOST_STEPS):
        if len(script) - at < 2:
            return
        size = (script[at] & 0x1F) << 8 | script[at + 1]
        yield Step(script[at] >> 5, script[at + 2 : at + 2 + size])
        at += 2 + size


def written(*given: tuple[int, bytes]) -> bytes:
    """Return the script of steps, as `steps` reads it."""
    return b"".join(
        bytes((kind << 5 | len(data) >> 8, len(data) & 0xFF)) + data for kind, data in given
    )


def byte(data: bytes, at: int) -> int:
    """Return a byte of a step; 0 if the step is too short."""
    return data[at] if at < len(data) else 0


def pause(data: bytes) -> float:
    """Return the seconds of a step of the kind `PAUSE`."""
    return PAUSES[byte(data, 0) % len(PAUSES)]


def adu(framing: Framing, number: int, step: Step) -> bytes:
    """Return the bytes of a step: as they are, as a frame, or as a frame with a wrong checksum."""
    unit, pdu = step.data[:1], step.data[1:]
    if step.kind == RAW or not 1 <= len(pdu) <= 253:
        return step.data
    wrap = framing.wrap if step.kind == FRAME else framing.wrap_damaged
    return wrap(unit[0], number, pdu)


def bursts(framing: Framing, script: Iterable[Step]) -> list[Burst]:
    """Return the stream that a script describes."""
    found: list[Burst] = []
    now, data, last, total = 0.0, b"", b"", 0
    for number, step in enumerate(script):
        if step.kind == PAUSE:
            if data:
                found.append(Burst(now, data))
            now, data = now + pause(step.data), b""
            continue
        if step.kind == REPEAT:
            times = byte(step.data, 0) << 4
            last = last * min(times, (MOST_BYTES - total) // max(len(last), 1))
        elif step.kind in (RAW, FRAME, DAMAGED):
            last = adu(framing, number, step)
        else:
            continue
        last = last[: MOST_BYTES - total]
        total += len(last)
        data += last
    return [*found, Burst(now, data)] if data else found
