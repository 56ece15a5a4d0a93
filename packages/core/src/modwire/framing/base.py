"""What the four framings share: `Frame`, the base class `Framing`, and how bytes become frames.

A framing is fed with `receive_data` and asked with `next_frame`. It takes whole frames off the
bytes at once and keeps the rest, at most one ADU; it never raises on what it is fed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..errors import FrameError
from ..messages.base import MAX_PDU

if TYPE_CHECKING:
    from ..messages.decoder import Decoder


class Frame(NamedTuple):
    """One ADU without its envelope: the unit id, the transaction id (0 but on TCP), the PDU."""

    unit: int
    transaction: int
    pdu: bytes


# Frame(...) without the function that NamedTuple puts in front: framings make one per message.
new_frame: Callable[[type[Frame], tuple[int, int, bytes]], Frame] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class OverheardFrame(Frame):
    """A frame on a shared serial line that cannot be meant for this side.

    It has the shape of a response only where a server listens, or of a request only where a
    client does.
    """

    __slots__ = ()


class Framing:
    """The base of the framings; `decoder` knows the lengths of PDUs, `is_server` which side hears.

    - `frames` holds what was found and not asked for yet.
    - `broken` says that the stream cannot be followed any further: nothing is found until `reset`.
    - `silence` is how many seconds of quiet end an RTU frame; the other framings do without.
    - `has_transactions` tells whether frames carry transaction ids.
    - `is_serial` tells whether unit 0 is a broadcast, and requests wait for each other.
    - `needs_silence` tells whether the line must be quiet before a frame.
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
        self.frames: deque[Frame | FrameError] = deque()
        self.broken = False
        self._buffer = b""
        self._expected = (0, 0)

    @staticmethod
    def check_class(framing: type[Framing]) -> None:
        """Raise TypeError for what is no framing class, such as its name."""
        if not isinstance(framing, type) or not issubclass(framing, Framing):
            raise TypeError(f"framing must be a class such as RtuFraming, got {framing!r}")

    def encode(self, frame: Frame) -> bytes:
        """The ADU of `frame`. Raises ValueError for a PDU that is not 1 to 253 bytes long."""
        if not 1 <= len(frame.pdu) <= MAX_PDU:
            raise ValueError(f"a PDU must be 1..{MAX_PDU} bytes, got {len(frame.pdu)}")
        return self.wrap(*frame)

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """`encode` without the check and the `Frame`: the hot paths of client and server."""
        raise NotImplementedError

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """The same with what a receiver must reject: a wrong checksum or protocol id."""
        raise NotImplementedError

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now` (seconds, monotonic)."""
        raise NotImplementedError

    def expect(self, function_code: int, length: int) -> None:
        """Tell the length of the response PDU that is awaited, where its class has no rule."""
        self._expected = (function_code, length)

    def sole_pdu(self, data: bytes, unit: int, transaction: int) -> bytes | None:
        """The PDU in `data`, if that is one whole frame of this unit and transaction.

        None, and nothing done, in every other case: `receive_data` knows them all.
        """
        return None

    def sole_frame(self, data: bytes) -> tuple[int, int, bytes] | None:
        """The fields of the `Frame` in `data`, if that is one whole frame and nothing else.

        None, and nothing done, in every other case, as for `sole_pdu`.
        """
        return None

    def answer_run(
        self, data: bytes, find: Callable[[int], Callable[[bytes], bytes | None] | None]
    ) -> tuple[bytes, int, int]:
        """Answer the whole frames that `data` begins with, as long as there is an answer.

        `find` gives what answers the PDUs for a unit, or None; the answer may be None too. The
        result is the bytes to send, how many frames they answer, and how many bytes these are:
        the rest of `data` is for `receive_data`.
        """
        return b"", 0, 0

    def next_frame(self) -> Frame | FrameError | None:
        """The next frame, or the error in its place; None when more bytes are needed."""
        return self.frames.popleft() if self.frames else None

    def deadline(self) -> float | None:
        """When silence will end what is in the buffer; None where no silence is waited for."""
        return None

    def handle_timeout(self, now: float) -> None:
        """Look at the silence again; to be called at `deadline()`."""

    def end_datagram(self) -> None:
        """What was fed is one datagram: drop what is no whole frame at its end."""
        self.handle_timeout(float("inf"))
        self._buffer = b""

    def reset(self) -> None:
        """Forget everything received: the link was opened anew."""
        self.frames.clear()
        self.broken = False
        self._buffer = b""

    @property
    def buffered(self) -> int:
        """How many bytes of an unfinished frame are kept; never more than two ADUs."""
        return len(self._buffer)
