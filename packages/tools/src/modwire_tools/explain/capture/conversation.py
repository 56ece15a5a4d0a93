"""`Conversation`: the traffic of one client and one server, as requests with their responses.

A capture has one for each TCP connection, and for each pair of UDP addresses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from modwire import (
    FRAMINGS,
    Decoder,
    Frame,
    FrameError,
    Framing,
)

from ..walk import count
from ..words import Judged, judge, problem
from .joining import first_frame
from .streams import Piece, Stream

_DECODER = Decoder()
_SILENCE = 0.05  # seconds of silence that end a serial frame of unknown length
_TOGETHER = 0.05  # seconds; requests closer together than this are no retries
_LISTEN_ONLY = b"\x08\x00\x04"  # the only request without a response
_MOST_OPEN = 256  # requests of one conversation that wait for a response


@dataclass(eq=False)
class Exchange:
    """A request and its response; either may be missing in the capture.

    `time` is the end of the request, or of the response if there is no request, in seconds since
    the epoch. `milliseconds` is the time from there to the response, None if unknown.
    """

    number: int  # in the order of the capture, from 1
    time: float
    client: str
    server: str
    link: str  # "tcp" or "udp"
    unit: int
    transaction: int
    request: bytes | None
    response: bytes | None = None
    milliseconds: float | None = None
    is_broadcast: bool = field(default=False, repr=False)
    is_lost: bool = field(default=False, repr=False)  # the capture lost bytes where its answer was
    is_done: bool = field(default=False, repr=False)

    @property
    def outcome(self) -> str:
        """One of "ok", "exception", "silence", "lost", "malformed" and "no request".

        "lost" is a request whose response was probably in bytes that the capture lost or cut off,
        "no request" a response alone. If the specification allows no response, a request without
        one is "ok".
        """
        if self.request is None:
            return "no request"
        if self.response is None:
            if self._may_be_silent:
                return "ok"
            return "lost" if self.is_lost else "silence"
        if self.response[0] & 0x80:
            return "exception"
        return "malformed" if self.wrong else "ok"

    def may_be_answered_by(self, pdu: bytes) -> bool:
        """Return True if `pdu` is a response to this function, and a response is expected."""
        asked = self.request or b"\0"
        return asked[0] == pdu[0] & 0x7F and not self._may_be_silent

    def problem_with(self, pdu: bytes) -> str:
        """Return the reason why `pdu` cannot be the response; "" if it can."""
        return problem(pdu, is_response=True, request=self.request)

    @cached_property
    def _judged(self) -> Judged:
        return judge(self.request, self.response)

    @property
    def wrong(self) -> list[str]:
        """A sentence for each fault of the two messages."""
        return self._judged.wrong

    @property
    def request_text(self) -> str:
        """The request in words; "" if it is not in the capture."""
        return self._judged.request_text

    @property
    def response_text(self) -> str:
        """The response in words: "1, 2, 3", or the reason why there is none."""
        if self.response is not None:
            return self._judged.response_text
        if self._may_be_silent:
            return "no answer is due"
        return "the capture lost the answer" if self.is_lost else "no answer"

    @property
    def _may_be_silent(self) -> bool:
        """True if no response is expected: to a broadcast, and to function 8, sub-function 4."""
        return self.is_broadcast or (self.request or b"").startswith(_LISTEN_ONLY)


class Incident(NamedTuple):
    """Bytes in a conversation that form no frame, or that are missing."""

    time: float
    sender: str
    receiver: str
    text: str


class _Side:
    """One direction: its bytes in order, and the frames in them."""

    def __init__(self, framing: type[Framing], *, is_request: bool) -> None:
        self.stream = Stream()
        self.is_request = is_request
        # A decoder of requests works like a server.
        self.framing = framing(_DECODER, is_server=is_request, silence=_SILENCE)
        self.last_received = 0.0
        self.is_finished = False
        self.is_unsure = False  # True if the next byte may be within a frame
        self.is_damaged = False  # True if one frame error follows from lost bytes, already reported


class Conversation:
    """One client and one server. `numbers` counts the exchanges of the whole capture.

    Every exchange is added to `found` when it begins, and is completed later. Incidents are added
    to it too.
    """

    def __init__(
        self,
        client: str,
        server: str,
        link: str,
        framing: str,
        numbers: Iterator[int],
        found: deque[Exchange | Incident],
    ) -> None:
        self.client = client
        self.server = server
        self._link = link
        self._numbers = numbers
        self._found = found
        self._by_transaction = framing == "tcp"
        self._needs_silence = FRAMINGS[framing].needs_silence
        self._open: list[Exchange] = []
        self.sides = {
            is_request: _Side(FRAMINGS[framing], is_request=is_request)
            for is_request in (True, False)
        }

    def segment(
        self, from_client: bool, time: float, sequence: int, data: bytes, missing: int
    ) -> None:
        """Process a TCP segment."""
        side = self.sides[from_client]
        if self._needs_silence:
            self._silence(time)
        for piece in side.stream.feed(time, sequence, data, missing):
            self._piece(side, piece)

    def acknowledge(self, from_client: bool, time: float, acknowledged: int) -> None:
        """Process an acknowledgement of bytes of the other direction."""
        side = self.sides[not from_client]
        for piece in side.stream.acknowledge(time, acknowledged):
            self._piece(side, piece)

    def datagram(self, from_client: bool, time: float, data: bytes, missing: int) -> None:
        """Process a UDP datagram."""
        side = self.sides[from_client]
        side.last_received = time
        side.framing.receive_data(data, time)
        self._frames(side, time)
        left = side.framing.buffered
        side.framing.end_datagram()
        self._frames(side, time)
        if missing:
            self._lose_answers(side, None)
            self._report(side, time, _cut_text(missing))
        elif left and not self._needs_silence:
            self._report(side, time, f"{_were(left, 'of a datagram')} no whole frame")

    @property
    def last_received(self) -> float:
        """Time of the last bytes."""
        return max(side.last_received for side in self.sides.values())

    @property
    def is_finished(self) -> bool:
        """True if both sides have closed, and no earlier bytes are missing."""
        return all(side.is_finished and not side.stream.is_waiting for side in self.sides.values())

    def end(self) -> None:
        """End the conversation, because its connection or the capture ended."""
        for side in self.sides.values():
            for piece in side.stream.end(has_fin=side.is_finished):
                self._piece(side, piece)
        self._silence(float("inf"))
        for side in self.sides.values():
            if side.framing.buffered:
                text = f"{_were(side.framing.buffered, 'at the end')} no whole frame"
                side.framing.reset()
                self._report(side, side.last_received, text)
        for exchange in self._open:
            exchange.is_done = True
        self._open.clear()

    def _silence(self, time: float) -> None:
        """End the frames that ended by a silence before `time`, the earlier one first."""
        for side in sorted(self.sides.values(), key=lambda side: side.last_received):
            deadline = side.framing.deadline()
            if deadline is not None and deadline <= time:
                side.framing.handle_timeout(time)
                self._frames(side, side.last_received)

    def _piece(self, side: _Side, piece: Piece) -> None:
        data = piece.data
        if piece.lost:
            side.framing.reset()
            side.is_damaged = True
            self._lose_answers(side, piece.since)
        at = 0
        if data and (piece.lost or piece.begins or side.is_unsure):
            at = first_frame(side.framing, data)
            side.is_unsure = at == len(data) and piece.lost > 0
            if at == len(data) and not piece.lost:
                at = 0  # it is no frame at all, which the framing reports
        rest = f"the next {count(at, 'byte')} end a frame" if at else ""
        if piece.lost:
            text = f"the capture lost {count(piece.lost, 'byte')} here"
            self._report(side, piece.time, f"{text}; {rest}" if rest else text)
        elif at and piece.begins:
            text = f"the capture begins within a frame, {count(at, 'byte')} before the next one"
            self._report(side, piece.time, text)
        side.framing.receive_data(data[at:], piece.time)
        side.last_received = piece.time
        self._frames(side, piece.time)
        if piece.cut:
            side.framing.reset()
            side.is_unsure = side.is_damaged = True
            self._lose_answers(side, None)
            self._report(side, piece.time, _cut_text(piece.cut))

    def _lose_answers(self, side: _Side, since: float | None) -> None:
        """Mark the requests whose responses may be in lost bytes, acknowledged at `since`.

        Without transaction ids one request is open at a time, so they get no response any more:
        it would be taken for theirs.
        """
        if side.is_request:
            return
        lost = [each for each in self._open if since is None or each.time < since]
        for exchange in lost:
            exchange.is_lost = True
            if not self._by_transaction:
                exchange.is_done = True
                self._open.remove(exchange)

    def _frames(self, side: _Side, time: float) -> None:
        while (frame := side.framing.next_frame()) is not None:
            was_damaged, side.is_damaged = side.is_damaged, False
            if isinstance(frame, FrameError):
                if not was_damaged:
                    self._report(side, time, str(frame))
            elif side.is_request:
                self._request(time, frame)
            else:
                self._response(time, frame)
        if side.framing.broken:
            # The next segment probably begins a frame.
            side.framing.reset()

    def _report(self, side: _Side, time: float, text: str) -> None:
        ends = self.client, self.server
        sender, receiver = ends if side.is_request else ends[::-1]
        self._found.append(Incident(time, sender, receiver, text))

    def _exchange(self, time: float, frame: Frame, request: bytes | None) -> Exchange:
        exchange = Exchange(
            next(self._numbers),
            time,
            self.client,
            self.server,
            self._link,
            frame.unit,
            frame.transaction,
            request,
        )
        self._found.append(exchange)
        return exchange

    def _request(self, time: float, frame: Frame) -> None:
        exchange = self._exchange(time, frame, frame.pdu)
        exchange.is_broadcast = not self._by_transaction and frame.unit == 0
        if exchange.is_broadcast or frame.pdu.startswith(_LISTEN_ONLY):
            exchange.is_done = True
            return
        self._open.append(exchange)
        if len(self._open) > _MOST_OPEN:
            self._open.pop(0).is_done = True

    def _response(self, time: float, frame: Frame) -> None:
        """Add a response to its request, or make a new exchange if there is none."""
        found = self._answered(frame)
        if found is None:
            found = self._exchange(time, frame, None)
        else:
            found.milliseconds = (time - found.time) * 1000
        found.response = frame.pdu
        found.is_done = True

    def _answered(self, frame: Frame) -> Exchange | None:
        """Find the request of a response frame, and close it.

        If several requests fit, those sent long before the last one have failed: a client retries
        after its timeout. Requests sent together get their responses in order.
        """
        same = [
            exchange
            for exchange in self._open
            if exchange.transaction == frame.transaction
            and (self._by_transaction or exchange.unit == frame.unit)
        ]
        fitting = [exchange for exchange in same if exchange.may_be_answered_by(frame.pdu)]
        if not fitting and self._by_transaction:
            fitting = same[-1:]
        if not fitting:
            return None
        found = fitting[0]
        if len(fitting) > 1:
            last = fitting[-1].time
            together = [exchange for exchange in fitting if last - exchange.time <= _TOGETHER]
            good = [each for each in together if not each.problem_with(frame.pdu)]
            found = (good or together)[0]
        self._open.remove(found)
        return found


def _cut_text(missing: int) -> str:
    return f"the capture cut off {count(missing, 'byte')} of this packet (by its snap length)"


def _were(number: int, which: str) -> str:
    return f"{count(number, 'byte')} {which} {'was' if number == 1 else 'were'}"
