"""`Pairing`: which frame on a line is a request, which a response, and to which request.

Only one request is open on a serial line at a time (Serial Line V1.02, section 2.1). So a frame
that can be its response is that, and another request means that the client has given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ExceptionResponseError, InvalidRequestError
from ..messages.base import ENDS_BY_SILENCE, ends_by_silence
from .heard import HeardDamage, HeardExchange, HeardFrame, HeardOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..messages.base import AnyRequest
    from ..messages.decoder import Decoder
    from .heard import DamageKind, Heard

_LISTEN_ONLY = b"\x08\x00\x04"
_READS = (1, 2, 3, 4)  # functions whose response never repeats the request


class _Asked:
    """A request that was heard, and what is known of it."""

    def __init__(self, frame: HeardFrame, request: AnyRequest | None, attempt: int) -> None:
        self.frame = frame
        self.request = request
        self.attempt = attempt

    def fits(self, pdu: bytes) -> bool:
        """Return True if `pdu` is a response to this request."""
        if pdu[0] & 0x7F != self.frame.pdu[0]:
            return False
        if self.request is None:
            return True
        try:
            self.request.decode_response(pdu)
        except ExceptionResponseError:
            return True
        except Exception:  # noqa: BLE001 - a custom function may raise any; then it does not fit
            return False
        return True


class Pairing:
    """Receives the frames and the damaged bytes of a line in order.

    `tell` gets each result, `on_frame` each frame and each error as soon as it is decided.
    """

    def __init__(
        self,
        decoder: Decoder,
        response_timeout: float,
        tell: Callable[[Heard], object],
        on_frame: Callable[[HeardFrame | HeardDamage], object] | None,
    ) -> None:
        self._decoder = decoder
        self._timeout = response_timeout
        self._tell = tell
        self._on_frame = on_frame
        self._open: _Asked | None = None
        self._failed: dict[int, _Asked] = {}  # by unit: its last request, if it was not answered
        self._units: set[int] = set()

    def awaits(self, unit: int, code: int) -> bool:
        """Return True if the open request is to `unit`, with the function of `code`."""
        asked = self._open
        return asked is not None and asked.frame.unit == unit and asked.frame.pdu[0] == code & 0x7F

    def expected_length(self) -> int:
        """Return the length of the PDU of the awaited normal response; 0 if unknown."""
        if self._open is None or self._open.request is None:
            return 0
        try:
            return self._open.request.expected_length()
        except Exception:  # noqa: BLE001 - a custom function may raise any
            return 0

    def may_be_message(self, pdu: bytes) -> bool:
        """Return True if `pdu` is a request, or a response, or its function is not registered."""
        if self._decoder.request_rules[pdu[0]] is ends_by_silence:
            return True
        for decode in (self._decoder.decode_request, self._decoder.decode_response):
            try:
                decode(pdu)
            except Exception:  # noqa: BLE001 - a custom function may raise any
                continue
            return True
        return False

    def knows(self, unit: int) -> bool:
        """Return True if a frame to or from `unit` was heard before."""
        return unit in self._units

    def deadline(self) -> float | None:
        """Time at which the open request counts as unanswered; None if there is none."""
        return None if self._open is None else self._open.frame.ended + self._timeout

    def handle_timeout(self, now: float) -> None:
        """Give up the open request if it has waited for the response timeout at `now`."""
        # Not by a difference, which rounding may make a little less at the deadline itself.
        if self._open is not None and now >= self._open.frame.ended + self._timeout:
            self.give_up()

    def give_up(self) -> None:
        """Count the open request as unanswered."""
        asked, self._open = self._open, None
        if asked is not None:
            self._failed[asked.frame.unit] = asked
            self._exchange(HeardOutcome.UNANSWERED, asked, None)

    def damaged(
        self, kind: DamageKind, unit: int | None, data: bytes, began: float, ended: float
    ) -> None:
        """Process bytes that are no frame."""
        self.handle_timeout(began)
        error = HeardDamage(kind, unit, data, began, ended)
        if self._on_frame is not None:
            self._on_frame(error)
        self._tell(error)

    def take_adu(self, data: bytes, began: float, ended: float) -> None:
        """Process an RTU frame."""
        self.take(data[0], data[1:-2], data, began, ended)

    def take(self, unit: int, pdu: bytes, data: bytes, began: float, ended: float) -> None:
        """Process a frame in any framing."""
        self.handle_timeout(began)
        self._units.add(unit)
        outcome, asked = self._judge(unit, pdu)
        frame = HeardFrame(unit, pdu, data, began, ended, outcome is not None)
        if self._on_frame is not None:
            self._on_frame(frame)
        if outcome is None:
            self._request(frame)
            return
        if asked is None:
            self._tell(HeardExchange(outcome, unit, None, frame))
            return
        if asked is self._open and outcome is not HeardOutcome.WRONG_UNIT:
            self._open = None
            self._failed.pop(unit, None)
        elif outcome is HeardOutcome.LATE:
            del self._failed[unit]
        if outcome is HeardOutcome.ANSWERED and pdu[0] & 0x80:
            outcome = HeardOutcome.EXCEPTION
        self._exchange(outcome, asked, frame)

    def _exchange(self, outcome: HeardOutcome, asked: _Asked, response: HeardFrame | None) -> None:
        frame = asked.frame
        self._tell(HeardExchange(outcome, frame.unit, frame, response, asked.attempt))

    def _judge(self, unit: int, pdu: bytes) -> tuple[HeardOutcome | None, _Asked | None]:
        """Return the outcome and the request if `pdu` is a response; None for a request."""
        may_ask, may_answer = self._directions(pdu)
        if not may_answer:
            return None, None
        asked, failed = self._open, self._failed.get(unit)
        if asked is not None and self.awaits(unit, pdu[0]):
            if asked.fits(pdu) and not (pdu == asked.frame.pdu and pdu[0] in _READS):
                return HeardOutcome.ANSWERED, asked
            if may_ask:
                return None, None
            if failed is not None and failed.fits(pdu):
                return HeardOutcome.LATE, failed
            return HeardOutcome.INVALID, asked
        # The client would not ask while it waits for another unit: an echo of a failed write is
        # a late answer then, and otherwise the write again.
        if failed is not None and failed.fits(pdu) and (asked is not None or not may_ask):
            if not may_ask or pdu[0] not in _READS:
                return HeardOutcome.LATE, failed
        if may_ask:
            return None, None
        if asked is not None and asked.frame.unit != unit and asked.fits(pdu):
            return HeardOutcome.WRONG_UNIT, asked
        return HeardOutcome.UNASKED, None

    def _directions(self, pdu: bytes) -> tuple[bool, bool]:
        """Return True for each direction, request and response, in which `pdu` is a message."""
        if pdu[0] >= 0x80:
            return False, True
        size = len(pdu)
        request = self._decoder.request_length(pdu, 0)
        response = self._decoder.response_length(pdu, 0)
        may_ask = request in (size, ENDS_BY_SILENCE)
        may_answer = response in (size, ENDS_BY_SILENCE)
        return (may_ask, may_answer) if may_ask or may_answer else (True, True)

    def _request(self, frame: HeardFrame) -> None:
        self.give_up()
        try:
            request = self._decoder.decode_request(frame.pdu)
        except InvalidRequestError:
            request = None
        except Exception:  # noqa: BLE001 - a custom function may raise any
            request = None
        before = self._failed.get(frame.unit)
        is_repeated = before is not None and before.frame.pdu == frame.pdu
        asked = _Asked(frame, request, before.attempt + 1 if before and is_repeated else 1)
        if frame.unit == 0:
            self._exchange(HeardOutcome.BROADCAST, asked, None)
        elif frame.pdu.startswith(_LISTEN_ONLY):
            self._exchange(HeardOutcome.LISTEN_ONLY, asked, None)
        else:
            self._open = asked
