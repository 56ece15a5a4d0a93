"""`Framing`, the base of the four framings: bytes to frames and back, and nothing else.

Protocols feed it with `receive_data` and take from `frames`. It takes whole frames off the bytes
at once and keeps the rest, at most one ADU; no bytes make it raise.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from ..errors import FrameError
from ..messages.base import MAX_PDU
from .frame import Frame

if TYPE_CHECKING:
    from ..messages.decoder import Decoder
    from .frame import Raw

NOTHING_EXPECTED: tuple[int, int, int] = (-1, -1, 0)


class Framing:
    """The base of the framings.

    `decoder` knows the lengths of PDUs; `is_server` is True on the side that receives requests.

    - `frames`: what was found and not taken yet: frame errors, overheard frames, and frames as
      plain tuples.
    - `broken`: the stream cannot be followed any further; nothing is found until `reset`.
    - `expected`: unit, function code and PDU length of the response that is awaited, set by a
      client for framings that have no length field; a length of 0 is unknown.
    - `silence`: seconds of silence that end an RTU frame; the other framings ignore it.
    - `has_transactions`: frames carry transaction ids.
    - `is_serial`: unit 0 is a broadcast, and only one request is open at a time.
    - `needs_silence`: the line must be silent before a frame is sent.
    """

    name: ClassVar[str]
    max_adu: ClassVar[int]
    has_transactions: ClassVar[bool] = False
    is_serial: ClassVar[bool] = True
    needs_silence: ClassVar[bool] = False

    def __init__(self, decoder: Decoder, *, is_server: bool, silence: float = 0.05) -> None:
        self.decoder = decoder
        self.is_server = is_server
        self.silence = silence
        self.frames: deque[Raw | FrameError] = deque()
        self.broken = False
        self.expected: tuple[int, int, int] = NOTHING_EXPECTED
        self._buffer = b""

    @staticmethod
    def check_class(framing: type[Framing]) -> None:
        """Raise TypeError unless `framing` is a subclass of `Framing`."""
        if not isinstance(framing, type) or not issubclass(framing, Framing):
            raise TypeError(f"framing must be a class such as RtuFraming, got {framing!r}")

    def encode(self, frame: Frame) -> bytes:
        """Return the ADU of `frame`. Raises ValueError unless its PDU has 1..253 bytes."""
        if not 1 <= len(frame.pdu) <= MAX_PDU:
            raise ValueError(f"a PDU must be 1..{MAX_PDU} bytes, got {len(frame.pdu)}")
        return self.wrap(*frame)

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """Return the ADU of a PDU that was checked already."""
        raise NotImplementedError

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """Return an ADU that receivers must reject: a wrong checksum or protocol id."""
        raise NotImplementedError

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now` (seconds, monotonic)."""
        raise NotImplementedError

    def next_frame(self) -> Frame | FrameError | None:
        """Return the next frame, or the error in its place; None if more bytes are needed."""
        if not self.frames:
            return None
        found = self.frames.popleft()
        if isinstance(found, (Frame, FrameError)):
            return found
        return Frame(*found)

    def deadline(self) -> float | None:
        """Time at which silence ends what is buffered; None if no silence is awaited."""
        return None

    def handle_timeout(self, now: float) -> None:
        """Check the silence again; to be called at `deadline()`."""

    def end_datagram(self) -> None:
        """End of the datagram: discard an incomplete frame."""
        self.handle_timeout(float("inf"))
        self._buffer = b""

    def reset(self) -> None:
        """Forget everything received: the link was opened anew."""
        self.frames.clear()
        self.broken = False
        self._buffer = b""

    @property
    def buffered(self) -> int:
        """Number of bytes of an unfinished frame that are kept; at most two ADUs."""
        return len(self._buffer)
