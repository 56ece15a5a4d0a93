"""Functions 7, 11, 12 and 17: the state of a device (sections 6.7, 6.9, 6.10 and 6.13)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError, InvalidResponseError
from .base import (
    Request,
    Response,
    ResponseT_co,
    counted_length,
    fixed_length,
    new_message,
    set_field,
)
from .checks import check_number, wrong_length
from .comm_events import CommEvent
from .forms import CountedData, pack_words, set_data, unpack_words

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

__all__ = [
    "GetCommEventCounterRequest",
    "GetCommEventCounterResponse",
    "GetCommEventLogRequest",
    "GetCommEventLogResponse",
    "ReadExceptionStatusRequest",
    "ReadExceptionStatusResponse",
    "ReportServerIdRequest",
    "ReportServerIdResponse",
]

MAX_EVENTS = 64
COUNTERS_SIZE = 6  # bytes before the events in the response to function 12
MAX_LOG_SIZE = COUNTERS_SIZE + MAX_EVENTS
MAX_SERVER_ID_DATA = 251  # bytes: id, run indicator and additional data

_EVENT_LOG = Struct(">BBHHH")


class BareRequest(Request[ResponseT_co]):
    """The base of the requests of functions 7, 11, 12 and 17: a function code and no data."""

    __slots__ = ()
    length_rule = staticmethod(fixed_length(1))

    def encode(self) -> bytes:
        return bytes((self.function_code,))

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 1:
            raise wrong_length(cls, pdu, "1")
        return cls()


class ReadExceptionStatusResponse(Response):
    """The response to function 7: eight device specific outputs, the first one in bit 0."""

    __slots__ = ("status",)
    __match_args__ = ("status",)
    function_code = 7
    length_rule = staticmethod(fixed_length(2))
    status: int

    def __init__(self, status: int) -> None:
        check_number(self.function_code, "status", status, 8)
        set_field(self, "status", status)

    def encode(self) -> bytes:
        return bytes((self.function_code, self.status))

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 2:
            raise wrong_length(cls, pdu, "2")
        return cls(pdu[1])


class ReadExceptionStatusRequest(BareRequest[ReadExceptionStatusResponse]):
    """Function 7: read the eight exception status outputs (section 6.7)."""

    __slots__ = ()
    function_code = 7
    response_type = ReadExceptionStatusResponse

    def expected_length(self) -> int:
        return 2

    def execute(self, unit: Device) -> ReadExceptionStatusResponse:
        return ReadExceptionStatusResponse(unit.exception_status)


class GetCommEventCounterResponse(Response):
    """The response to function 11: the status word and the number of completed messages.

    `status` is FFFF while the server still processes a program command, else 0000.
    """

    __slots__ = ("event_count", "status")
    __match_args__ = ("status", "event_count")
    function_code = 11
    length_rule = staticmethod(fixed_length(5))
    status: int
    event_count: int

    def __init__(self, status: int, event_count: int) -> None:
        check_number(self.function_code, "status", status)
        check_number(self.function_code, "event count", event_count)
        set_field(self, "status", status)
        set_field(self, "event_count", event_count)

    def encode(self) -> bytes:
        return pack_words(self.function_code, self.status, self.event_count)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) != 5:
            raise wrong_length(cls, pdu, "5")
        _, status, event_count = unpack_words(pdu)
        return cls(status, event_count)


class GetCommEventCounterRequest(BareRequest[GetCommEventCounterResponse]):
    """Function 11: read the status word and the event counter (section 6.9)."""

    __slots__ = ()
    function_code = 11
    response_type = GetCommEventCounterResponse

    def expected_length(self) -> int:
        return 5

    def execute(self, unit: Device) -> GetCommEventCounterResponse:
        return GetCommEventCounterResponse(unit.comm_status, unit.event_counter)


class GetCommEventLogResponse(Response):
    """The response to function 12: status, event and message count, and 0 to 64 events.

    `events` has one byte for each event, the newest first; the constructor also takes `CommEvent`.
    """

    __slots__ = ("event_count", "events", "message_count", "status")
    __match_args__ = ("status", "event_count", "message_count", "events")
    function_code = 12
    length_rule = staticmethod(counted_length(1))
    status: int
    event_count: int
    message_count: int
    events: bytes

    def __init__(
        self,
        status: int,
        event_count: int,
        message_count: int,
        events: bytes | Sequence[int | CommEvent] = b"",
    ) -> None:
        code = self.function_code
        check_number(code, "status", status)
        check_number(code, "event count", event_count)
        check_number(code, "message count", message_count)
        if len(events) > MAX_EVENTS:
            raise InvalidRequestError(
                f"count must be 0..{MAX_EVENTS} events, got {len(events)}", code
            )
        codes = [each.code if isinstance(each, CommEvent) else each for each in events]
        for index, event in enumerate(codes):
            check_number(code, f"event {index}", event, 8)
        set_field(self, "status", status)
        set_field(self, "event_count", event_count)
        set_field(self, "message_count", message_count)
        set_field(self, "events", bytes(codes))

    @property
    def decoded_events(self) -> tuple[CommEvent, ...]:
        """The events as objects, such as a `RemoteReceiveEvent`, the newest first."""
        return tuple(map(CommEvent.from_code, self.events))

    def encode(self) -> bytes:
        size = COUNTERS_SIZE + len(self.events)
        counts = self.status, self.event_count, self.message_count
        return _EVENT_LOG.pack(self.function_code, size, *counts) + self.events

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not COUNTERS_SIZE <= size <= MAX_LOG_SIZE or pdu[1] != size:
            raise wrong_length(cls, pdu, f"2 + byte count ({COUNTERS_SIZE}..{MAX_LOG_SIZE})")
        _, _, status, event_count, message_count = _EVENT_LOG.unpack_from(pdu)
        return cls(status, event_count, message_count, pdu[8:])


class GetCommEventLogRequest(BareRequest[GetCommEventLogResponse]):
    """Function 12: read the counters of functions 11 and 8/11, and the event log (section 6.10)."""

    __slots__ = ()
    function_code = 12
    response_type = GetCommEventLogResponse

    def execute(self, unit: Device) -> GetCommEventLogResponse:
        return GetCommEventLogResponse(
            unit.comm_status, unit.event_counter, unit.message_count, unit.event_log
        )


class ReportServerIdResponse(CountedData, Response):
    """The response to function 17: an id, a run indicator, and additional data.

    The length of the id differs from device to device and is not on the wire. `id_length` gives
    it; without it, the id has at least one byte and ends before the next 00 or FF, which is the
    run indicator. All three together are `data`, 1 to 251 bytes, and comparisons use only that.
    `run_indicator` is None if the data ends with the id.
    """

    __slots__ = ("id_length",)
    __match_args__ = ("server_id", "run_indicator", "additional_data")
    function_code = 17
    id_length: int

    def __init__(
        self, server_id: bytes, run_indicator: bool | None = True, additional_data: bytes = b""
    ) -> None:
        indicator = b"\xff" if run_indicator else b"\x00"
        if run_indicator is None:
            if additional_data:
                raise ValueError("additional data needs a run indicator before it")
            indicator = b""
        data = bytes(server_id) + indicator + bytes(additional_data)
        if not 1 <= len(data) <= MAX_SERVER_ID_DATA:
            raise ValueError(
                f"server id, run indicator and additional data must be 1..{MAX_SERVER_ID_DATA} "
                f"bytes, got {len(data)}"
            )
        set_data(self, data)
        set_field(self, "id_length", len(server_id))

    @classmethod
    def from_data(cls, data: bytes, id_length: int | None = None) -> Self:
        """Return the response with `data` of 1 to 251 bytes; the first `id_length` are the id."""
        if id_length is None:
            ends = [end for end in (data.find(b"\x00", 1), data.find(b"\xff", 1)) if end > 0]
            id_length = min(ends, default=len(data))
        elif len(data) < id_length:
            raise InvalidResponseError(
                f"server id must be {id_length} bytes, got {len(data)}: {data[:16].hex(' ')}"
            )
        response = new_message(cls)
        set_data(response, data)
        set_field(response, "id_length", id_length)
        return response

    @property
    def server_id(self) -> bytes:
        """The id, device specific."""
        return self.data[: self.id_length]

    @property
    def run_indicator(self) -> bool | None:
        """True for ON (FF, or any other byte but 00), False for OFF (00), None if missing."""
        if len(self.data) == self.id_length:
            return None
        return self.data[self.id_length] != 0

    @property
    def additional_data(self) -> bytes:
        """The bytes after the run indicator, device specific."""
        return self.data[self.id_length + 1 :]

    @classmethod
    def decode(cls, pdu: bytes, id_length: int | None = None) -> Self:
        size = len(pdu) - 2
        if not 1 <= size <= MAX_SERVER_ID_DATA or pdu[1] != size:
            raise wrong_length(cls, pdu, f"2 + byte count (1..{MAX_SERVER_ID_DATA})")
        return cls.from_data(pdu[2:], id_length)

    def _compared(self) -> tuple[object, ...]:
        return (self.data,)


class ReportServerIdRequest(BareRequest[ReportServerIdResponse]):
    """Function 17: read the id of the server and its run indicator (section 6.13).

    `id_length`, 0 to 251 bytes, is the length of the id in the response; without it, see
    `ReportServerIdResponse`. It is not sent, and comparisons ignore it.
    """

    __slots__ = ("id_length",)
    __match_args__ = ("id_length",)
    function_code = 17
    response_type = ReportServerIdResponse
    id_length: int | None

    def __init__(self, id_length: int | None = None) -> None:
        if id_length is not None and not 0 <= id_length <= MAX_SERVER_ID_DATA:
            raise ValueError(
                f"id length must be 0..{MAX_SERVER_ID_DATA} bytes or None, got {id_length}"
            )
        set_field(self, "id_length", id_length)

    def decode_response(self, pdu: bytes) -> ReportServerIdResponse:
        if pdu[0] != self.function_code:
            raise self.refusal(pdu)
        return ReportServerIdResponse.decode(pdu, self.id_length)

    def execute(self, unit: Device) -> ReportServerIdResponse:
        return ReportServerIdResponse(unit.server_id, unit.run_indicator, unit.additional_id_data)

    def _compared(self) -> tuple[object, ...]:
        return ()
