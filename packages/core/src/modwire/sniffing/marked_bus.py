"""`MarkedBus`: the ASCII or Binary frames of all devices on a line, with their times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import FrameError, InvalidRequestError
from ..framing.ascii import PAUSE, AsciiFraming, expect_delimiter
from ..messages.diagnostics import DiagnosticsRequest
from .heard import DamageKind

if TYPE_CHECKING:
    from ..framing import Framing
    from ..messages.decoder import Decoder
    from .pairing import Pairing

# Pieces of which each ends at most one frame.
_ASCII_PIECES = re.compile(rb":|[^:\n]*\n|[^:\n]+")
_BINARY_PIECES = re.compile(rb"[{}]|[^{}]+")


class MarkedBus:
    """Finds frames with start and end characters, and gives them to `pairing`.

    `character_time` is the time of one byte on the line, in seconds.
    """

    def __init__(
        self,
        framing: type[Framing],
        decoder: Decoder,
        pairing: Pairing,
        character_time: float,
    ) -> None:
        self._framing = framing(decoder, is_server=True)
        is_ascii = isinstance(self._framing, AsciiFraming)
        self._start, self._stop = (b":", b"\n") if is_ascii else (b"{", b"}")
        self._pieces = _ASCII_PIECES if is_ascii else _BINARY_PIECES
        self._decoder = decoder
        self._pairing = pairing
        self._character_time = character_time
        self._raw = b""  # bytes since the last frame or error
        self._heard = float("-inf")

    @property
    def buffered(self) -> int:
        """Number of bytes that are not decided yet."""
        return len(self._raw)

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes of which the last one arrived at `now`."""
        rest = len(data)
        if self._raw and now - rest * self._character_time > self._heard + PAUSE:
            self.end()
        for piece in self._pieces.findall(data):
            rest -= len(piece)
            self._take(piece, now - rest * self._character_time)

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if nothing is buffered."""
        return self._heard + PAUSE if self._raw else None

    def handle_timeout(self, now: float) -> None:
        """Give up an unfinished frame after a second of silence (Serial Line V1.02, 2.5.2.1)."""
        if self._raw and now >= self._heard + PAUSE:
            self.end()

    def end(self) -> None:
        """Decide on all bytes, because nothing follows them."""
        self._framing.reset()
        raw, self._raw = self._raw, b""
        self._report(raw, self._heard)

    def _take(self, piece: bytes, now: float) -> None:
        framing = self._framing
        if piece == self._start and not framing.buffered:
            before, self._raw = self._raw, b""
            self._report(before, self._heard)
        framing.receive_data(piece, now)
        self._raw += piece
        self._heard = now
        while (found := framing.next_frame()) is not None:
            if isinstance(found, FrameError):
                # The start character that breaks off a frame belongs to the next one.
                size = len(self._raw) - framing.buffered
                raw, self._raw = self._raw[:size], self._raw[size:]
                self._report(raw, now)
                continue
            adu = framing.wrap(*found)
            before, self._raw = self._raw[: max(0, len(self._raw) - len(adu))], b""
            began = now - len(adu) * self._character_time
            self._report(before, began)
            self._pairing.take(found.unit, found.pdu, adu, began, now)
            self._follow(found.pdu)
        if len(self._raw) > framing.max_adu:
            raw, self._raw = self._raw, b""
            self._report(raw, now)

    def _follow(self, pdu: bytes) -> None:
        """Accept the end character of ASCII frames that function 8, sub-function 3 sets, too."""
        try:
            request = self._decoder.decode_request(pdu)
        except InvalidRequestError:
            return
        except Exception:  # noqa: BLE001 - a custom function may raise any
            return
        if isinstance(request, DiagnosticsRequest):
            expect_delimiter(self._framing, request)

    def _report(self, raw: bytes, ended: float) -> None:
        """Report damaged bytes; line ends alone are none."""
        if not raw.strip(b"\r\n"):
            return
        unit = self._unit(raw)
        kind = DamageKind.NOISE
        if raw.startswith(self._start):
            kind = DamageKind.CHECKSUM if self._stop in raw[1:] else DamageKind.TRUNCATED
        began = ended - len(raw) * self._character_time
        self._pairing.damaged(kind, unit, raw, began, ended)

    def _unit(self, raw: bytes) -> int | None:
        """Return the unit id in a damaged frame; None unless it was heard before."""
        if not raw.startswith(self._start):
            return None
        try:
            unit = int(raw[1:3], 16) if self._start == b":" else raw[1]
        except (ValueError, IndexError):
            return None
        return unit if self._pairing.knows(unit) else None
