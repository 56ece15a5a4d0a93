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
    """One call; `message` is made when it is first needed."""

    number: int
    time: float
    milliseconds: float
    device: int
    endpoint: str
    peer: str
    unit: int
    request: AnyRequest
    response: Response | None
    message: Message | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome: "ok", "exception" or "silence"."""
        response = self.response
        if isinstance(response, FaultyResponse):
            response = None if response.drops else response.response
        if response is None:
            return "silence"
        return "exception" if isinstance(response, ExceptionResponse) else "ok"


class Traffic:
    """Keeps the latest records, and calls `begin` at the first `latest`."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self.is_recording = False
        self._begin = begin
        self._records: deque[Record] = deque(maxlen=MOST_KEPT)
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

    def latest(self, after: int, wanted: TrafficFilter | None, most: int) -> list[Message]:
        """Return the latest messages after number `after`, `most` or fewer, oldest first."""
        if most < 1:
            raise ValueError(f"most must be at least 1 message, got {most}")
        if not self.is_recording:
            self.is_recording = True
            self._begin()
        found: list[Message] = []
        for record in reversed(self._records):
            if record.number <= after or len(found) == most:
                break
            if wanted is None or _is_wanted(record, wanted):
                found.append(_message(record))
        found.reverse()
        return found


def _is_wanted(record: Record, wanted: TrafficFilter) -> bool:
    """True if a record passes the filter; the cheap comparisons come first."""
    if wanted.device is not None and record.device != wanted.device:
        return False
    if wanted.unit is not None and record.unit != wanted.unit:
        return False
    if wanted.peer is not None and wanted.peer not in record.peer:
        return False
    if wanted.functions is not None and record.request.function_code not in wanted.functions:
        return False
    if wanted.outcome is not None and record.outcome != wanted.outcome:
        return False
    if not wanted.text:
        return True
    message = _message(record)
    text = wanted.text.lower()
    return text in message.request_text.lower() or text in message.response_text.lower()


def _message(record: Record) -> Message:
    if record.message is None:
        request, response = record.request, record.response
        fault = response.fault if isinstance(response, FaultyResponse) else ""
        inner = response.response if isinstance(response, FaultyResponse) else response
        sent = None if isinstance(response, FaultyResponse) and response.drops else inner
        if sent is None:
            text = f"no answer: {fault} fault" if fault else "no answer"
        else:
            text = describe_response(sent.encode(), request.encode())
        record.message = Message(
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
    return record.message
