"""`Traffic`: the latest requests and responses, recorded from the first `latest` on.

A call is kept as objects. Its text and hexadecimal digits are made when a user looks at it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modwire import ExceptionResponse, FaultyResponse, Response

from ..explain import describe_request, describe_response
from .view import Message, Outcome, TrafficFilter

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

MOST_KEPT = 10_000


@dataclass
class Record:
    """One call; `described` is made when it is first needed."""

    number: int
    time: float
    milliseconds: float
    device: int
    endpoint: str
    peer: str
    unit: int
    request: AnyRequest
    response: Response | None
    described: Message | None = None

    @property
    def function(self) -> int:
        """The function code of the request."""
        return self.request.function_code

    @property
    def outcome(self) -> Outcome:
        """The outcome: "ok", "exception" or "silence"."""
        response = self.response
        if isinstance(response, FaultyResponse):
            response = None if response.drops else response.response
        if response is None:
            return "silence"
        return "exception" if isinstance(response, ExceptionResponse) else "ok"

    @property
    def message(self) -> Message:
        """The call in words and digits."""
        if self.described is None:
            self.described = _described(self)
        return self.described


@dataclass
class MistakeRecord:
    """A mistake, whose text was known at once."""

    message: Message

    def __post_init__(self) -> None:
        message = self.message
        self.number = message.number
        self.device = message.device
        self.peer = message.peer
        self.unit = message.unit
        self.function = message.function
        self.outcome = message.outcome


class Traffic:
    """Keeps the latest records. Calls `begin` at the first `latest`, and `refresh` at each one."""

    def __init__(self, begin: Callable[[], None], refresh: Callable[[], None]) -> None:
        self.is_recording = False
        self._begin = begin
        self._refresh = refresh
        self._records: deque[Record | MistakeRecord] = deque(maxlen=MOST_KEPT)
        self._count = 0

    def add(
        self,
        time: float,
        milliseconds: float,
        device: int,
        endpoint: str,
        peer: str,
        unit: int,
        request: AnyRequest,
        response: Response | None,
    ) -> None:
        """Record a call."""
        self._count += 1
        self._records.append(
            Record(
                self._count,
                time,
                milliseconds,
                device,
                endpoint,
                peer,
                unit,
                request,
                response,
            )
        )

    def add_mistake(
        self,
        time: float,
        device: int,
        endpoint: str,
        peer: str,
        unit: int | None,
        pdu: bytes,
        data: bytes,
        what: str,
        outcome: str,
    ) -> None:
        """Record a mistake: what came in words, what became of it, and the bytes.

        `unit` and `pdu` are those of a request to a unit that does not exist.
        """
        self._count += 1
        self._records.append(
            MistakeRecord(
                Message(
                    number=self._count,
                    time=time,
                    milliseconds=0.0,
                    device=device,
                    endpoint=endpoint,
                    peer=peer,
                    unit=unit,
                    function=pdu[0] if pdu else None,
                    request=pdu.hex(),
                    response="",
                    request_text=what,
                    response_text=outcome,
                    outcome="mistake",
                    fault="",
                    data=data.hex(),
                )
            )
        )

    def latest(self, after: int, wanted: TrafficFilter | None, most: int) -> list[Message]:
        """Return the latest messages after number `after`, `most` or fewer, oldest first."""
        if most < 1:
            raise ValueError(f"most must be at least 1 message, got {most}")
        if not self.is_recording:
            self.is_recording = True
            self._begin()
        self._refresh()
        found: list[Message] = []
        for record in reversed(self._records):
            if record.number <= after or len(found) == most:
                break
            if wanted is None or _is_wanted(record, wanted):
                found.append(record.message)
        found.reverse()
        return found


def _is_wanted(record: Record | MistakeRecord, wanted: TrafficFilter) -> bool:
    """True if a record passes the filter; the cheap comparisons come first."""
    if wanted.device is not None and record.device != wanted.device:
        return False
    if wanted.unit is not None and record.unit != wanted.unit:
        return False
    if wanted.peer is not None and wanted.peer not in record.peer:
        return False
    if wanted.functions is not None and record.function not in wanted.functions:
        return False
    if wanted.outcome is not None and record.outcome != wanted.outcome:
        return False
    if not wanted.text:
        return True
    message = record.message
    text = wanted.text.lower()
    return text in message.request_text.lower() or text in message.response_text.lower()


def _described(record: Record) -> Message:
    request, response = record.request, record.response
    fault = response.fault if isinstance(response, FaultyResponse) else ""
    inner = response.response if isinstance(response, FaultyResponse) else response
    sent = None if isinstance(response, FaultyResponse) and response.drops else inner
    if sent is None:
        text = f"no answer: {fault} fault" if fault else "no answer"
    else:
        text = describe_response(sent.encode(), request.encode())
    return Message(
        record.number,
        record.time,
        record.milliseconds,
        record.device,
        record.endpoint,
        record.peer,
        record.unit,
        request.function_code,
        request.encode().hex(),
        "" if sent is None else sent.encode().hex(),
        describe_request(request.encode()),
        text,
        record.outcome,
        fault,
    )
