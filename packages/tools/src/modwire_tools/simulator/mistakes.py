"""`Mistakes`: records what reaches a simulated device and is no request for it, for the traffic.

That is a unit that does not exist, and bytes that are no frame: HTTP, or RTU frames at a port for
Modbus TCP. The framings in `WATCHED_FRAMINGS` report what they find. A flood is recorded in part.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING

from modwire import AsciiFraming, BinaryFraming, FrameError, Framing, RtuFraming, TcpFraming
from modwire.checksums import crc16

from ..explain import describe_request

if TYPE_CHECKING:
    from modwire import Decoder, Units
    from modwire.framing.frame import Raw

    from .traffic import Traffic

MOST_PER_SECOND = 20
_LONGEST = 300  # bytes shown; an ADU of serial ASCII has at most 513 characters
_MOST_KEPT = 1024  # bytes of an unfinished frame
_UNFINISHED_AFTER = 1.0  # seconds; a frame that comes in pieces takes less
_SHOWN_UNITS = 8

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


class Mistakes:
    """Adds mistakes to `traffic`, at most 20 a second; the next one says how many were left out."""

    def __init__(self, traffic: Traffic, wall_clock: Callable[[], float]) -> None:
        self.traffic = traffic
        self._wall_clock = wall_clock
        self._second = 0
        self._count = 0
        self._left_out = 0

    def add(
        self,
        watch: Watch,
        peer: str,
        what: str,
        outcome: str,
        data: bytes,
        unit: int | None = None,
        pdu: bytes = b"",
    ) -> None:
        """Record a mistake: in words `what` came and what became of it, and the bytes."""
        now = self._wall_clock()
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        if self._count >= MOST_PER_SECOND:
            self._left_out += 1
            return
        self._count += 1
        if self._left_out:
            what += f" ({self._left_out} more mistakes were not recorded)"
            self._left_out = 0
        shown = data[:_LONGEST]
        self.traffic.add_mistake(
            now, watch.device, watch.endpoint(), peer, unit, pdu, shown, what, outcome
        )


class Watch:
    """The watch over one endpoint of a device: its framings call `look`.

    `endpoint()` returns the endpoint as text; `peer` is the peer of framings that know none.
    """

    def __init__(
        self,
        mistakes: Mistakes,
        device: int,
        endpoint: Callable[[], str],
        units: Units,
        *,
        peer: str = "",
    ) -> None:
        self.device = device
        self.endpoint = endpoint
        self.peer = peer
        self.traffic = mistakes.traffic
        self._mistakes = mistakes
        self._units = units

    def begin(self) -> None:
        """Make the framings that this task, and those it starts, create report to this watch."""
        _watch.set(self)

    def look(self, framing: Framing, found: Raw | FrameError, data: bytes, peer: str) -> None:
        """Record what `framing` has found in `data`, unless it is a request to a unit."""
        if isinstance(found, FrameError):
            fate = "the connection is closed" if found.fatal and peer else "no answer"
            why, _, foreign = str(found).partition(": this looks like ")
            what = f"{foreign} in place of Modbus TCP" if foreign else "bytes that are no frame"
            self._add(framing, peer, f"{what}: {why}", fate, data)
            return
        unit, transaction, pdu = found
        if framing.is_serial:
            # On a line with other devices these are their requests and responses.
            if unit and not pdu[0] & 0x80 and self._units.get(unit) is None:
                self._add_unknown(framing, peer, framing.wrap(unit, transaction, pdu), unit, pdu)
        elif pdu[0] & 0x80:
            what = f"a response in place of a request, function code {pdu[0]}"
            self._add(framing, peer, what, "no answer", framing.wrap(unit, transaction, pdu))
        elif self._units.for_tcp(unit) is None:
            self._add_unknown(framing, peer, framing.wrap(unit, transaction, pdu), unit, pdu)

    def look_at_unfinished(self, framing: Framing, peer: str, data: bytes, fate: str) -> None:
        """Record the beginning of a frame whose rest does not come."""
        count = "1 byte" if len(data) == 1 else f"{len(data)} bytes"
        self._add(
            framing, peer, f"an unfinished frame: {count}, and the rest is missing", fate, data
        )

    def _add_unknown(self, framing: Framing, peer: str, data: bytes, unit: int, pdu: bytes) -> None:
        if not framing.is_serial and _is_rtu(data):
            self._add(framing, peer, "", "no answer", data)
            return
        known = sorted(self._units.by_id)
        some = ", ".join(map(str, known[:_SHOWN_UNITS])) + ", ..." * (len(known) > _SHOWN_UNITS)
        fate = f"no answer: there is no unit {unit} here, only {some}"
        self._mistakes.add(self, peer, describe_request(pdu), fate, data, unit, pdu)

    def _add(self, framing: Framing, peer: str, what: str, fate: str, data: bytes) -> None:
        if not framing.is_serial and _is_rtu(data):
            request = describe_request(data[1:-2])
            what = f"an RTU frame in place of Modbus TCP: unit {data[0]}, {request}"
        self._mistakes.add(self, peer, what, fate, data)


def _is_rtu(data: bytes) -> bool:
    """True if bytes are an RTU frame. Some look like MBAP: 01 03 00 00 00 02 C4 0B."""
    return 4 <= len(data) <= RtuFraming.max_adu and not crc16(data)


class Watched(Framing):
    """A framing that reports what it finds to the watch of its task, while somebody looks.

    - `peer`: the peer in the reports, "" if none is known.
    - `unfinished`: the bytes of an unfinished frame.
    """

    def __init__(self, decoder: Decoder, *, is_server: bool, silence: float = 0.05) -> None:
        super().__init__(decoder, is_server=is_server, silence=silence)
        self._watch = _watch.get()
        self.peer = self._watch.peer if self._watch is not None else ""
        self.unfinished = b""
        self._is_told = False

    def receive_data(self, data: bytes, now: float) -> None:
        before = len(self.frames)
        super().receive_data(data, now)
        self._hear(before, data)

    def _hear(self, before: int, data: bytes) -> None:
        """Report the frames behind the first `before` ones, which were found in `data`."""
        watch = self._watch
        if watch is None or not watch.traffic.is_recording:
            return
        data = self.unfinished + data
        for found in islice(self.frames, before, None):
            watch.look(self, found, data, self.peer)
        # Without a frame, the bytes that RTU has given up belong to the next frame error.
        left = self.buffered
        kept = left if len(self.frames) > before else min(len(data), _MOST_KEPT)
        self.unfinished = data[-kept:] if left and kept else b""
        self._is_told = False

    def tell_unfinished(self, fate: str) -> None:
        """Report an unfinished frame, once."""
        if self.unfinished and self._watch is not None and not self._is_told:
            self._is_told = True
            self._watch.look_at_unfinished(self, self.peer, self.unfinished, fate)

    def tell_if_stalled(self, heard: float, now: float) -> None:
        """Report an unfinished frame whose last bytes came more than a second ago."""
        if self.unfinished and now - heard > _UNFINISHED_AFTER:
            self.tell_unfinished("no answer: the rest is awaited")


class _Tcp(Watched, TcpFraming):
    """MBAP frames, watched."""


class _Rtu(Watched, RtuFraming):
    """RTU frames, watched."""

    def receive_data(self, data: bytes, now: float, silent: bool = False) -> None:
        if silent:  # called by `handle_timeout`, which reports
            RtuFraming.receive_data(self, data, now, silent)
            return
        self.handle_timeout(now)
        before = len(self.frames)
        RtuFraming.receive_data(self, data, now)
        self._hear(before, data)

    def handle_timeout(self, now: float) -> None:
        before = len(self.frames)
        super().handle_timeout(now)
        if len(self.frames) > before:
            self._hear(before, b"")


class _Ascii(Watched, AsciiFraming):
    """ASCII frames, watched."""


class _Binary(Watched, BinaryFraming):
    """Binary frames, watched."""


WATCHED_FRAMINGS: dict[str, type[Framing]] = {
    each.name: each for each in (_Tcp, _Rtu, _Ascii, _Binary)
}
