"""A long stream of frames in chunks of 4 KiB: the cost of a framing if many bytes come at once.

The floor parses the bytes with `struct` (and the fastest CRC of crc.py), checks each header, keeps
an incomplete frame for the next chunk, and returns the same unit, transaction and PDU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from struct import Struct
from typing import NamedTuple

from crc import fastest as floor_crc
from rounds import FLOOR, OURS, Loop, Row, Settings, cpu_sample, time_row

from modwire.errors import FrameError
from modwire.framing import Frame, Framing, RtuFraming, TcpFraming
from modwire.messages.decoder import Decoder
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
)

CHUNK = 4096
_HEADER = Struct(">HHHB")

Found = tuple[int, int, bytes]


class BrokenStreamError(Exception):
    """Raised by the floors for a wrong header."""


class TcpFloor:
    """MBAP framing, written by hand."""

    def __init__(self) -> None:
        self.rest = b""

    def frames(self, data: bytes) -> list[Found]:
        """Return the complete frames in the bytes that were kept and `data`."""
        data = self.rest + data
        size = len(data)
        found = []
        at = 0
        while size - at >= 8:
            transaction, protocol, length, unit = _HEADER.unpack_from(data, at)
            if protocol or not 2 <= length <= 254:
                raise BrokenStreamError
            end = at + 6 + length
            if end > size:
                break
            found.append((unit, transaction, data[at + 7 : end]))
            at = end
        self.rest = data[at:]
        return found


class RtuFloor:
    """RTU framing, written by hand for the answers to reads and writes, and requests to read."""

    def __init__(self, is_server: bool) -> None:
        self.rest = b""
        self.is_server = is_server

    def frames(self, data: bytes) -> list[Found]:
        """Return the complete frames in the bytes that were kept and `data`."""
        data = self.rest + data
        size = len(data)
        found = []
        at = 0
        while size - at >= 5:
            code = data[at + 1]
            if code > 0x80:
                length = 5
            elif not self.is_server and code <= 4:
                length = data[at + 2] + 5
            else:
                length = 8
            end = at + length
            if end > size:
                break
            adu = data[at:end]
            if floor_crc(adu):
                raise BrokenStreamError
            found.append((adu[0], 0, adu[1:-2]))
            at = end
        self.rest = data[at:]
        return found


def _floor_loop(floor: TcpFloor | RtuFloor, chunks: Iterator[bytes]) -> Loop:
    def loop(count: int) -> None:
        for _ in range(count):
            for _frame in floor.frames(next(chunks)):
                pass

    return loop


def _our_loop(framing: Framing, chunks: Iterator[bytes]) -> Loop:
    found = framing.frames  # the protocols use it, too

    def loop(count: int) -> None:
        for _ in range(count):
            framing.receive_data(next(chunks), 0.0)
            while found:
                if isinstance(found.popleft(), FrameError):
                    raise BrokenStreamError

    return loop


class Case(NamedTuple):
    """A stream of one kind of frame; a chunk ends within a frame."""

    name: str
    target: float | None
    framing: type[Framing]
    is_server: bool
    pdu: bytes
    floor: Callable[[], TcpFloor | RtuFloor]


_ANSWER = ReadHoldingRegistersResponse([value * 521 & 0xFFFF for value in range(1, 11)]).encode()
_REQUEST = ReadHoldingRegistersRequest(100, 10).encode()

CASES = (
    Case("responses of 10 registers, TCP", 2.5, TcpFraming, False, _ANSWER, TcpFloor),
    Case("requests, TCP", 2.5, TcpFraming, True, _REQUEST, TcpFloor),
    Case(
        "responses of 10 registers, RTU", 2.0, RtuFraming, False, _ANSWER, lambda: RtuFloor(False)
    ),
    # A server on a bus must also check that a frame is not the answer of another unit.
    Case("requests, RTU", 2.0, RtuFraming, True, _REQUEST, lambda: RtuFloor(True)),
)


def run(settings: Settings) -> list[Row]:
    """Return a row for each stream; the times are those of one chunk."""
    rows = []
    for case in CASES:
        ours = case.framing(Decoder(), is_server=case.is_server)
        adus = [ours.encode(Frame(17, number & 0xFFFF, case.pdu)) for number in range(CHUNK)]
        stream = b"".join(adus)
        # The stream is a whole number of frames and of chunks, so it can be repeated.
        chunks = [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]
        _compare(case, chunks)
        loops = {
            FLOOR: _floor_loop(case.floor(), cycle(chunks)),
            OURS: _our_loop(ours, cycle(chunks)),
        }
        samples = {each: cpu_sample(loop, settings.sample) for each, loop in loops.items()}
        rows.append(
            time_row("stream", f"4 KiB of {case.name}", samples, settings.rounds, case.target)
        )
    return rows


def _compare(case: Case, chunks: list[bytes]) -> None:
    floor, ours = case.floor(), case.framing(Decoder(), is_server=case.is_server)
    for chunk in chunks:
        ours.receive_data(chunk, 0.0)
        for frame in floor.frames(chunk):
            if ours.next_frame() != frame:
                raise RuntimeError(f"{case.name}: modwire and the floor do not agree")
