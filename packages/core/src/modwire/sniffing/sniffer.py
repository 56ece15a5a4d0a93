"""`Sniffer` listens to a serial line: bytes and times go in, exchanges and errors come out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..arguments import explained
from ..framing.base import Framing
from ..framing.rtu import RtuFraming
from ..hooks import check_hook
from ..messages.decoder import Decoder
from ..options import check_count, check_seconds, check_timeout
from ..serial_settings import SERIAL_TOLERANCE
from .marked_bus import MarkedBus
from .pairing import Pairing
from .rtu_bus import RtuBus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .heard import Heard, HeardDamage, HeardFrame


class Sniffer:
    """Follows all devices on a serial line, in both directions, without I/O.

    - `framing`: `RtuFraming`, `AsciiFraming` or `BinaryFraming`.
    - `silence`: t3.5, seconds between two RTU frames (Serial Line V1.02, section 2.5.1.1).
    - `tolerance`: seconds that are added to it, because adapters deliver the bytes of a frame in
      several pieces. Frames are found without any silence, too.
    - `character_time`: seconds that one byte takes on the line. If several frames arrive at once,
      it gives each one its own time; 0.0 if unknown.
    - `response_timeout`: seconds after which a request counts as unanswered, above 0. The same
      write again counts as its response before, and as a repetition after it.
    - `decoder`: the `Decoder` with the custom functions.
    - `on_frame(frame)`: called with each `HeardFrame` and `HeardDamage`, in the order of the line.
    - `max_waiting`: number of results kept; the oldest is dropped, and counted in `dropped`.

    After each `receive_data` and `handle_timeout`, take the results with `next_heard`, or in a
    loop. Any bytes are allowed, memory is bounded, and nothing is ever sent. Times are in seconds,
    monotonic. Raises ValueError for a number out of range, and TypeError unless `framing` is a
    framing class and `on_frame` a function.
    """

    @explained
    def __init__(
        self,
        framing: type[Framing] = RtuFraming,
        *,
        silence: float = 0.00175,
        tolerance: float = SERIAL_TOLERANCE,
        character_time: float = 0.0,
        response_timeout: float = 1.0,
        decoder: Decoder | None = None,
        on_frame: Callable[[HeardFrame | HeardDamage], object] | None = None,
        max_waiting: int = 10_000,
    ) -> None:
        Framing.check_class(framing)
        if framing.has_transactions:
            raise ValueError(f"framing must be one for serial lines, got {framing.__name__}")
        check_seconds("silence", silence)
        check_seconds("tolerance", tolerance)
        check_seconds("character_time", character_time)
        check_timeout(response_timeout, "response_timeout")
        decoder = Decoder() if decoder is None else decoder
        self.dropped = 0
        self._heard: deque[Heard] = deque()
        self._max_waiting = check_count("max_waiting", max_waiting)
        self._pairing = Pairing(
            decoder, response_timeout, self._add, check_hook("on_frame(frame)", on_frame)
        )
        self._bus = (
            RtuBus(decoder, self._pairing, silence, tolerance, character_time)
            if issubclass(framing, RtuFraming)
            else MarkedBus(framing, decoder, self._pairing, character_time)
        )

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes of which the last one arrived at `now`."""
        self._bus.receive_data(data, now)

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if nothing is open."""
        deadline = self._bus.deadline()
        # The bytes of an undecided frame may be the response.
        return self._pairing.deadline() if deadline is None else deadline

    def handle_timeout(self, now: float) -> None:
        """Process what is due at `now`: the end of a frame, or of the wait for a response."""
        self._bus.handle_timeout(now)
        if not self._bus.buffered:
            self._pairing.handle_timeout(now)

    def end_frame(self) -> None:
        """End the current frame: the bytes so far are whole frames, or damaged."""
        self._bus.end()

    def end(self) -> None:
        """End the line: decide on all bytes, and count an open request as unanswered."""
        self._bus.end()
        self._pairing.give_up()

    def next_heard(self) -> Heard | None:
        """Return the next `HeardExchange` or `HeardDamage`; None until more is received."""
        return self._heard.popleft() if self._heard else None

    def __iter__(self) -> Iterator[Heard]:
        """Yield the results so far."""
        while self._heard:
            yield self._heard.popleft()

    def _add(self, heard: Heard) -> None:
        if len(self._heard) >= self._max_waiting:
            self._heard.popleft()
            self.dropped += 1
        self._heard.append(heard)
