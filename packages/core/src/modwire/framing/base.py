"""`Framing`, the base of the four framings, converts bytes to frames and back.

Protocols pass bytes to `receive_data` and take frames from `frames`. It extracts complete frames
at once and keeps the rest, at most one ADU. It raises no error, whatever the bytes are.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from ..errors import FrameError
from ..messages.base import MAX_PDU
from .frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..messages.decoder import Decoder
    from .frame import Raw

NOTHING_EXPECTED: tuple[int, int, int] = (-1, -1, 0)


class Framing:
    """Base of the framings.

    `decoder` has the lengths of PDUs; `is_server` is True on the side that receives requests.

    - `frames`: received and not yet taken: frame errors, overheard frames, and frames as plain
      tuples.
    - `broken`: True if the next frame cannot be found; no frame is received until `reset`.
    - `expected`: unit, function code and PDU length of the expected response, set by a client for
      framings without a length field; length 0 means unknown.
    - `silence`: seconds of silence that end an RTU frame; the other framings ignore it.
    - `has_transactions`: True if frames carry transaction ids.
    - `is_serial`: True if unit 0 is a broadcast, and only one request is open at a time.
    - `needs_silence`: True if the line must be silent before a frame is sent.
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
        """Return the ADU of a PDU whose length was checked before."""
        raise NotImplementedError

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """Return an ADU that receivers must reject: a wrong checksum or protocol id."""
        raise NotImplementedError

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes that arrived at `now` (seconds, monotonic)."""
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
        """Time at which silence ends an unfinished frame; None if no silence is awaited."""
        return None

    def handle_timeout(self, now: float) -> None:
        """End an unfinished frame if the silence was long enough; call it at `deadline()`."""

    def end_datagram(self) -> None:
        """Discard an incomplete frame at the end of a datagram."""
        self.handle_timeout(float("inf"))
        self._buffer = b""

    def reset(self) -> None:
        """Discard everything received, because the link was reopened."""
        self.frames.clear()
        self.broken = False
        self._buffer = b""

    def is_torn(self, transactions: Iterable[int]) -> bool:
        """True if the kept bytes begin a frame of none of the `transactions`.

        Without its rest the frames after it could not be found. Serial frames always can.
        """
        return False

    @property
    def buffered(self) -> int:
        """Number of bytes kept for an unfinished frame; at most two ADUs."""
        return len(self._buffer)
