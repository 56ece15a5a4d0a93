"""The results of a `Sniffer`: exchanges, damaged bytes, and the frames that exchanges consist of.

Times are in seconds, by the clock of the caller. The values of the two enums are texts for people.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias


class HeardOutcome(Enum):
    """The end of an exchange on the line.

    - ANSWERED: the response fits the request. EXCEPTION: it is an exception response.
    - BROADCAST: a request to unit 0, which nobody answers (Serial Line V1.02, section 2.1).
    - LISTEN_ONLY: function 8, sub-function 4, to which the specification allows no response.
    - UNANSWERED: no response came before the next request, or within the response timeout.
    - LATE: the response came after that; the request was heard as UNANSWERED before.
    - WRONG_UNIT: a response of another unit than the one that was asked. `request` is the open
      request, which may still be answered.
    - INVALID: a response of the right unit and function that does not fit the request.
    - UNASKED: a response without a request, which was perhaps damaged.
    """

    ANSWERED = "answered"
    EXCEPTION = "exception"
    BROADCAST = "broadcast"
    LISTEN_ONLY = "listen only"
    UNANSWERED = "unanswered"
    LATE = "late answer"
    WRONG_UNIT = "answer by another unit"
    INVALID = "invalid answer"
    UNASKED = "answer without request"


class DamageKind(Enum):
    """The fault of bytes that are no frame.

    - CHECKSUM: the size of a frame, but a wrong CRC or LRC.
    - TRUNCATED: the beginning of a frame, of which bytes are missing.
    - NOISE: bytes that resemble no frame.
    """

    CHECKSUM = "wrong checksum"
    TRUNCATED = "truncated frame"
    NOISE = "noise"


class HeardFrame(NamedTuple):
    """A frame with a valid checksum: `data` is the whole ADU.

    `began` and `ended` are the times of its first and its last bit. They are estimated from the
    arrival of the bytes if an adapter delivered several frames at once.
    """

    unit: int
    pdu: bytes
    data: bytes
    began: float
    ended: float
    is_response: bool


class HeardExchange(NamedTuple):
    """A request with its response; one of the two may be missing.

    `unit` is the unit that was asked, or the sender of a response without a request. `attempt` is
    1, or more if the request repeats one that was not answered.
    """

    outcome: HeardOutcome
    unit: int
    request: HeardFrame | None
    response: HeardFrame | None
    attempt: int = 1

    @property
    def response_time(self) -> float | None:
        """Seconds from the end of the request to the end of its response, if both were heard."""
        if self.request is None or self.response is None or self.outcome is HeardOutcome.WRONG_UNIT:
            return None
        return self.response.ended - self.request.ended

    @property
    def began(self) -> float:
        """Time of the first bit of the first frame."""
        first = self.request or self.response
        return first.began if first is not None else 0.0


class HeardDamage(NamedTuple):
    """Bytes that are no frame; `unit` is the probable sender or receiver, None if unknown."""

    kind: DamageKind
    unit: int | None
    data: bytes
    began: float
    ended: float


Heard: TypeAlias = "HeardExchange | HeardDamage"
