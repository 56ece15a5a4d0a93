"""The events of function 12 as objects: those of section 6.10, and every other byte."""

from __future__ import annotations

import pickle

import pytest

from modwire import (
    CommEvent,
    CommunicationRestartEvent,
    Decoder,
    EnteredListenModeEvent,
    GetCommEventLogRequest,
    GetCommEventLogResponse,
    ReadCoilsRequest,
    RemoteReceiveEvent,
    RemoteSendEvent,
    SequentialBlock,
    Unit,
    Units,
)
from reference_server import answered

# Section 6.10, bit by bit.
EVENTS: list[tuple[int, CommEvent]] = [
    (0x80, RemoteReceiveEvent()),
    (0x82, RemoteReceiveEvent(communication_error=True)),
    (0x90, RemoteReceiveEvent(character_overrun=True)),
    (0xA0, RemoteReceiveEvent(listen_only=True)),
    (0xC0, RemoteReceiveEvent(broadcast=True)),
    (0x40, RemoteSendEvent()),
    (0x41, RemoteSendEvent(read=True)),
    (0x42, RemoteSendEvent(abort=True)),
    (0x44, RemoteSendEvent(busy=True)),
    (0x48, RemoteSendEvent(nak=True)),
    (0x50, RemoteSendEvent(write_timeout=True)),
    (0x60, RemoteSendEvent(listen_only=True)),
    (0x04, EnteredListenModeEvent()),
    (0x00, CommunicationRestartEvent()),
    (0x07, CommEvent(0x07)),
]


@pytest.mark.parametrize(("code", "event"), EVENTS)
def test_each_bit(code: int, event: CommEvent) -> None:
    assert event.code == code
    assert CommEvent.from_code(code) == event
    assert type(CommEvent.from_code(code)) is type(event)
    assert event.flags == tuple(
        name for name in event.__match_args__ if getattr(event, name) is True
    )
    assert pickle.loads(pickle.dumps(event)) == event
    if event.code != 0x07:
        assert eval(repr(event)) == event


def test_every_byte_is_an_event_that_keeps_it() -> None:
    events = [CommEvent.from_code(code) for code in range(256)]
    assert [event.code for event in events] == list(range(256))
    assert len(set(events)) == 256
    kinds = [type(event) for event in events]
    assert kinds[0x80:] == [RemoteReceiveEvent] * 128
    assert kinds[0x40:0x80] == [RemoteSendEvent] * 64
    assert kinds[1:4] + kinds[5:0x40] == [CommEvent] * 62


@pytest.mark.parametrize("code", [-1, 256, True, "0", 4.0])
def test_other_codes_are_refused(code: object) -> None:
    with pytest.raises(ValueError, match=r"^code of an event must be 0\.\.255, got "):
        CommEvent.from_code(code)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^code of an event must be 0\.\.255, got "):
        Unit().add_event(code)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^broadcast must be True or False, got 1$"):
        RemoteReceiveEvent(broadcast=1)  # type: ignore[arg-type]


def test_the_log_of_a_unit_has_them() -> None:
    unit = Unit(coils=SequentialBlock(0, [True]))
    Units({1: unit}).communication_error(overrun=True)
    for request in ("01 0000 0001", "01 0001 0001", "08 0004 0000", "08 0001 0000"):
        answered(unit, bytes.fromhex(request), Decoder())
    response = unit.execute(GetCommEventLogRequest())
    assert isinstance(response, GetCommEventLogResponse)
    assert response.decoded_events == (
        RemoteReceiveEvent(),
        CommunicationRestartEvent(),
        RemoteSendEvent(listen_only=True),
        RemoteReceiveEvent(listen_only=True),
        RemoteSendEvent(listen_only=True),
        EnteredListenModeEvent(),
        RemoteReceiveEvent(),
        RemoteSendEvent(read=True),
        RemoteReceiveEvent(),
        RemoteSendEvent(),
        RemoteReceiveEvent(),
        RemoteReceiveEvent(communication_error=True, character_overrun=True),
    )


def test_its_owner_adds_some_and_clears_it() -> None:
    unit = Unit(coils=SequentialBlock(0, [True]))
    unit.execute(ReadCoilsRequest(0))
    unit.add_event(RemoteSendEvent(write_timeout=True))
    unit.add_event(0x07)
    assert unit.event_log == bytes.fromhex("07 50 40 80")
    unit.execute(ReadCoilsRequest(0))
    unit.clear_event_log()
    assert unit.event_log == b""
    assert unit.server_message_count == 2, "the counters stay"
    for code in range(70):
        unit.add_event(code)
    assert list(unit.event_log) == list(range(69, 5, -1)), "64 events are kept"


def test_a_response_is_made_of_events() -> None:
    events = [RemoteSendEvent(nak=True), CommunicationRestartEvent(), 0x07]
    response = GetCommEventLogResponse(0, 1, 2, events)
    assert response.events == b"\x48\x00\x07"
    assert response.decoded_events == (*events[:2], CommEvent(0x07))
    with pytest.raises(ValueError, match="event 0 must be 0..255, got 256"):
        GetCommEventLogResponse(0, 1, 2, [256])
