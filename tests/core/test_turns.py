"""`Turns` with a link that is scripted; the conformance suite tests it with the real ones."""

from __future__ import annotations

import pytest

from modwire import (
    ClientOptions,
    ConnectionLostError,
    Framing,
    ReadHoldingRegistersRequest,
    RtuFraming,
    TcpFraming,
)
from modwire.client.turns import Turns

REQUEST = ReadHoldingRegistersRequest(0)


class ScriptedLink:
    """A link on which `arrived` comes before the first request, and nothing afterwards."""

    is_datagram = False
    is_connection = True
    is_sending = False

    def __init__(self, *arrived: bytes | OSError) -> None:
        self._arrived = list(arrived)
        self.sent: list[bytes] = []

    def send(self, data: bytes, now: float) -> float:
        self.sent.append(data)
        return 0.0

    def withdraw(self, adu: bytes) -> bool:
        return True

    def receive_now(self) -> bytes | None:
        if not self._arrived:
            return None
        found = self._arrived.pop(0)
        if isinstance(found, OSError):
            raise found
        return found


def turns_of(framing: type[Framing] = TcpFraming) -> Turns[ScriptedLink, object]:
    def never(_: object) -> None:
        return None

    return Turns("peer", framing, ClientOptions(), wake=never, discard=never)


REPLY = bytes.fromhex("0001 0000 0005 01 03 02 0007")


@pytest.mark.parametrize(
    ("framing", "arrived", "reason"),
    [
        (TcpFraming, [b"SSH-2.0-OpenSSH_9.2\r\n"], "no Modbus frame"),
        (TcpFraming, [b""], "closed"),
        (TcpFraming, [ConnectionResetError("reset")], "reset"),
        (TcpFraming, [REPLY, b""], "closed"),
        (RtuFraming, [b"hello", b""], "closed"),
    ],
)
def test_links_that_are_lost_before_each_request_end_the_call(
    framing: type[Framing], arrived: list[bytes | OSError], reason: str
) -> None:
    """A server of another protocol may greet at once; the client must not try without end."""
    turns = turns_of(framing)
    turns.opened(ScriptedLink(*arrived), 1.0)
    assert turns.begin(REQUEST, None, None, 1.0) is None, "once may be an accident"
    turns.opened(ScriptedLink(*arrived), 2.0)
    with pytest.raises(ConnectionLostError, match=reason):
        turns.begin(REQUEST, None, None, 2.0)
    assert turns.pause(2.0) > 0
    # A link that works ends that.
    link = ScriptedLink()
    turns.opened(link, 3.0)
    exchange = turns.begin(REQUEST, None, None, 3.0)
    assert exchange is not None
    assert len(link.sent) == 1


def test_a_link_that_worked_and_was_closed_is_replaced_each_time() -> None:
    turns = turns_of()
    for now in (1.0, 11.0, 21.0, 31.0):
        link = ScriptedLink()
        turns.opened(link, now)
        exchange = turns.begin(REQUEST, None, None, now)
        assert exchange is not None
        transaction = link.sent[0][:2]
        assert turns.step(exchange, now, link, transaction + REPLY[2:]) is None
        assert exchange.result().registers == (7,)
        link._arrived.append(b"")
        assert turns.begin(REQUEST, None, None, now + 9.0) is None
        assert turns.pause(now + 9.0) == 0.0


def test_a_request_that_waits_for_room_is_not_due() -> None:
    """The link wakes its receiver when there is room; until then it need not look."""
    turns = turns_of()
    link = ScriptedLink()
    turns.opened(link, 1.0)
    first = turns.begin(REQUEST, None, None, 1.0)
    assert first is not None
    link.is_sending = True
    second = turns.begin(REQUEST, None, 1.0, 1.5)
    assert second is not None
    turns.waiting[second] = second
    assert turns.step(first, 1.6) == first.deadline
    assert turns.step(first, first.deadline) is None  # it has timed out
    assert turns.step(second, 2.1) == float("inf")
    assert turns.receiver is second
    assert not second.sent
    link.is_sending = False
    assert turns.step(second, 2.2) == 2.2 + 1.0
    assert len(link.sent) == 2
