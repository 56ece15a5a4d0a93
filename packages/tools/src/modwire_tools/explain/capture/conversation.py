"""`Conversation`: what one client and one server said to each other, as requests with answers.

A capture makes one for each TCP connection, and for each pair of UDP addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from modwire import (
    FRAMINGS,
    Decoder,
    Frame,
    FrameError,
    Framing,
    InvalidRequestError,
    decode_request,
)

from ..words import describe_request, describe_response, problem
from .streams import Piece, Stream

_DECODER = Decoder()
_SILENCE = 0.05  # seconds: what a serial frame without a length of its own ends with
_TOGETHER = 0.05  # seconds between requests of which the later ones do not repeat the earlier
_MOST_OPEN = 256  # requests of one conversation that wait for an answer


@dataclass(eq=False)
class Exchange:
    """A request and its answer; either may be missing in the capture.

    `time` is when the request was whole, or the answer where there is no request, in seconds
    since the epoch; `milliseconds` is from there to the answer, None where that is not known.
    """

    number: int  # in order of the capture, from 1
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
    is_done: bool = field(default=False, repr=False)

    @property
    def outcome(self) -> str:
        """ "ok", "exception", "silence", "malformed", or "no request" for an answer alone.

        Silence that the specification wants is "ok".
        """
        if self.request is None:
            return "no request"
        if self.response is None:
            return "ok" if self._may_be_silent else "silence"
        if self.response[0] & 0x80:
            return "exception"
        return "malformed" if self.wrong else "ok"

    def may_be_answered_by(self, pdu: bytes) -> bool:
        """Whether `pdu` is an answer to this function, and one is due."""
        asked = self.request or b"\0"
        return asked[0] == pdu[0] & 0x7F and not self._may_be_silent

    def problem_with(self, pdu: bytes) -> str:
        """Why `pdu` cannot be the answer; "" if it can."""
        return problem(pdu, is_response=True, request=self.request)

    @property
    def wrong(self) -> list[str]:
        """What is wrong with the two messages: a sentence for each fault."""
        found: list[str] = []
        if self.request is not None:
            found.append(problem(self.request, is_response=False))
        if self.response is not None and not (found and found[0] and self.response[0] & 0x80):
            found.append(problem(self.response, is_response=True, request=self.request))
        return [text for text in found if text]

    @property
    def request_text(self) -> str:
        """The request in words; "" if it is not in the capture."""
        return "" if self.request is None else describe_request(self.request)

    @property
    def response_text(self) -> str:
        """The answer in words: "1, 2, 3", or why there is none."""
        if self.response is not None:
            return describe_response(self.response, self.request)
        return "no answer is due" if self._may_be_silent else "no answer"

    @property
    def _may_be_silent(self) -> bool:
        if self.request is None:
            return False
        if self.is_broadcast:
            return True
        try:
            return not decode_request(self.request).expects_response
        except InvalidRequestError:
            return False


class Incident(NamedTuple):
    """Something in a conversation that is no message: bytes that are no frame, or are missing."""

    time: float
    sender: str
    receiver: str
    text: str


class _Side:
    """One direction: its bytes in order, and the frames in them."""

    def __init__(self, framing: type[Framing], *, is_request: bool) -> None:
        self.stream = Stream()
        self.is_request = is_request
        # The side that hears requests is a server.
        self.framing = framing(_DECODER, is_server=is_request, silence=_SILENCE)
        self.heard = 0.0
        self.is_finished = False


class Conversation:
    """See the module. `numbers` counts the exchanges of the whole capture."""

    def __init__(
        self, client: str, server: str, link: str, framing: str, numbers: Iterator[int]
    ) -> None:
        self.client = client
        self.server = server
        self._link = link
        self._numbers = numbers
        self._by_transaction = framing == "tcp"
        self._open: list[Exchange] = []
        self.sides = {
            is_request: _Side(FRAMINGS[framing], is_request=is_request)
            for is_request in (True, False)
        }

    def segment(
        self, from_client: bool, time: float, sequence: int, data: bytes, missing: int
    ) -> Iterator[Exchange | Incident]:
        """Take a TCP segment: each new exchange, and what was found beside them."""
        side = self.sides[from_client]
        yield from self._silence(time)
        for piece in side.stream.feed(time, sequence, data, missing):
            yield from self._piece(side, piece)

    def acknowledge(
        self, from_client: bool, time: float, acknowledged: int
    ) -> Iterator[Exchange | Incident]:
        """Take an acknowledgement, which is about the bytes of the other direction."""
        side = self.sides[not from_client]
        for piece in side.stream.acknowledge(time, acknowledged):
            yield from self._piece(side, piece)

    def datagram(
        self, from_client: bool, time: float, data: bytes, missing: int
    ) -> Iterator[Exchange | Incident]:
        """Take a UDP datagram."""
        side = self.sides[from_client]
        side.heard = time
        side.framing.receive_data(data, time)
        left = side.framing.buffered
        yield from self._frames(side, time)
        side.framing.end_datagram()
        yield from self._frames(side, time)
        if missing:
            yield self._incident(side, time, f"{missing} bytes of a datagram were not captured")
        elif left:
            yield self._incident(side, time, f"{left} bytes of a datagram were no frame")

    def end(self) -> Iterator[Exchange | Incident]:
        """The connection or the capture ends."""
        for side in self.sides.values():
            for piece in side.stream.end():
                yield from self._piece(side, piece)
        yield from self._silence(float("inf"))
        for side in self.sides.values():
            if side.framing.buffered:
                text = f"{side.framing.buffered} bytes at the end were no whole frame"
                side.framing.reset()
                yield self._incident(side, side.heard, text)
        for exchange in self._open:
            exchange.is_done = True
        self._open.clear()

    def _silence(self, time: float) -> Iterator[Exchange | Incident]:
        """Frames that end by silence end before what comes at `time`; earlier ones go first."""
        for side in sorted(self.sides.values(), key=lambda side: side.heard):
            deadline = side.framing.deadline()
            if deadline is not None and deadline <= time:
                side.framing.handle_timeout(time)
                yield from self._frames(side, side.heard)

    def _piece(self, side: _Side, piece: Piece) -> Iterator[Exchange | Incident]:
        if piece.lost:
            side.framing.reset()
            text = f"{piece.lost} bytes before this are not in the capture"
            yield self._incident(side, piece.time, text)
        side.framing.receive_data(piece.data, piece.time)
        side.heard = piece.time
        yield from self._frames(side, piece.time)

    def _frames(self, side: _Side, time: float) -> Iterator[Exchange | Incident]:
        while (frame := side.framing.next_frame()) is not None:
            if isinstance(frame, FrameError):
                yield self._incident(side, time, str(frame))
            elif side.is_request:
                yield self._request(time, frame)
            else:
                exchange = self._response(time, frame)
                if exchange is not None:
                    yield exchange
        if side.framing.broken:
            # The next segment begins a frame, more often than not.
            side.framing.reset()

    def _incident(self, side: _Side, time: float, text: str) -> Incident:
        if side.is_request:
            return Incident(time, self.client, self.server, text)
        return Incident(time, self.server, self.client, text)

    def _exchange(self, time: float, frame: Frame, request: bytes | None) -> Exchange:
        return Exchange(
            next(self._numbers),
            time,
            self.client,
            self.server,
            self._link,
            frame.unit,
            frame.transaction,
            request,
        )

    def _request(self, time: float, frame: Frame) -> Exchange:
        exchange = self._exchange(time, frame, frame.pdu)
        if not self._by_transaction and frame.unit == 0:
            exchange.is_broadcast = exchange.is_done = True
            return exchange
        self._open.append(exchange)
        if len(self._open) > _MOST_OPEN:
            self._open.pop(0).is_done = True
        return exchange

    def _response(self, time: float, frame: Frame) -> Exchange | None:
        """Give an answer to its request; an exchange of its own if there is none."""
        found = self._answered(frame)
        if found is None:
            exchange = self._exchange(time, frame, None)
            exchange.response = frame.pdu
            exchange.is_done = True
            return exchange
        found.response = frame.pdu
        found.milliseconds = (time - found.time) * 1000
        found.is_done = True
        return None

    def _answered(self, frame: Frame) -> Exchange | None:
        """The request that a frame answers, which is open no longer.

        Of several that it may answer, those that were sent long before the last are given up: a
        client asks again when it has waited enough. Those sent together are answered in order.
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
