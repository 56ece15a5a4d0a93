"""The pauses that devices need: after opening, between requests, for one unit, and while busy."""

from __future__ import annotations

import pytest

from client_line import ANSWER, READ, rtu, tcp
from modwire import (
    AcknowledgeError,
    ClientOptions,
    ClientProtocol,
    ConnectionLostError,
    RtuFraming,
    ServerDeviceBusyError,
    TcpFraming,
    WriteSingleRegisterRequest,
)
from modwire.framing.base import Framing

WRITE = WriteSingleRegisterRequest(1, 2)
FRAMINGS = [TcpFraming, RtuFraming]


def made(framing: type[Framing], **options: object) -> ClientProtocol:
    arguments: dict[str, object] = {"silence": 0.0, **options}
    return ClientProtocol(framing, ClientOptions(**arguments))  # type: ignore[arg-type]


def frame(framing: type[Framing], transaction: int, pdu: bytes | str, unit: int = 1) -> bytes:
    return tcp(transaction, pdu, unit) if framing is TcpFraming else rtu(pdu, unit)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_next_request_waits_for_the_pause_after_an_answer(framing: type[Framing]) -> None:
    client = made(framing, pause=0.5, max_in_flight=4)
    first, second = (client.start(READ, 1, now=0.0) for _ in range(2))
    assert client.data_to_send(0.0) == frame(framing, 1, READ.encode())
    client.receive_data(frame(framing, 1, ANSWER), 0.2)
    assert first.done
    assert client.data_to_send(0.6) == b""
    due = client.deadline()
    assert due == pytest.approx(0.7)
    assert client.data_to_send(due) == frame(framing, 2, READ.encode())
    assert not second.done


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_pause_follows_a_timeout_too(framing: type[Framing]) -> None:
    client = made(framing, pause=3.0, late_reply_window=0.0)
    client.start(READ, 1, now=0.0)
    client.data_to_send(0.0)
    client.handle_timeout(1.0)
    client.start(READ, 1, now=1.0)
    assert client.data_to_send(3.9) == b""
    assert client.deadline() == pytest.approx(4.0)
    assert client.data_to_send(4.0)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_other_units_need_not_wait_for_the_pause_of_one(framing: type[Framing]) -> None:
    client = made(framing, unit_pause=0.5)
    client.start(READ, 1, now=0.0)
    client.data_to_send(0.0)
    client.receive_data(frame(framing, 1, ANSWER), 0.1)
    client.start(READ, 1, now=0.1)
    client.start(READ, 2, now=0.1)
    assert client.data_to_send(0.1) == frame(framing, 2, READ.encode(), unit=2)
    client.receive_data(frame(framing, 2, ANSWER, unit=2), 0.2)
    assert client.data_to_send(0.3) == b""
    assert client.deadline() == pytest.approx(0.6)
    assert client.data_to_send(0.6) == frame(framing, 3, READ.encode())


@pytest.mark.parametrize("framing", FRAMINGS)
def test_nothing_is_sent_soon_after_the_link_is_opened(framing: type[Framing]) -> None:
    client = made(framing, connect_delay=1.0)
    client.reset(10.0)
    exchange = client.start(READ, 1, now=10.0)
    assert client.data_to_send(10.9) == b""
    assert client.deadline() == pytest.approx(11.0)
    assert client.data_to_send(11.0)
    assert exchange.deadline == pytest.approx(12.0)  # the timeout begins with the sending
    client.connection_lost(ConnectionLostError("gone"))
    client.reset(20.0)
    client.start(READ, 1, now=20.0)
    assert client.data_to_send(20.5) == b""


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_request_is_repeated_while_the_device_is_busy(framing: type[Framing]) -> None:
    client = made(framing, busy_retries=2, busy_pause=0.5)
    exchange = client.start(WRITE, 1, now=0.0)
    for attempt in (1, 2):
        assert client.data_to_send(attempt - 1.0)
        client.receive_data(frame(framing, attempt, "8606"), attempt - 0.9)
        assert not exchange.done
        assert client.data_to_send(attempt - 0.8) == b""
        assert client.deadline() == pytest.approx(attempt - 0.4)
    assert client.data_to_send(2.0)
    client.receive_data(frame(framing, 3, WRITE.encode()), 2.1)
    assert exchange.result().value == 2


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_device_that_stays_busy_is_an_error(framing: type[Framing]) -> None:
    client = made(framing, busy_retries=1, busy_pause=0.0)
    exchange = client.start(READ, 1, now=0.0)
    for attempt in (1, 2):
        client.data_to_send(float(attempt))
        client.receive_data(frame(framing, attempt, "8306"), attempt + 0.1)
    with pytest.raises(ServerDeviceBusyError):
        exchange.result()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_after_acknowledge_only_reads_are_repeated(framing: type[Framing]) -> None:
    """The device executes the request, so a write would be executed twice."""
    client = made(framing, busy_retries=1, busy_pause=0.1, late_reply_window=0.0)
    write = client.start(WRITE, 1, now=0.0)
    client.data_to_send(0.0)
    client.receive_data(frame(framing, 1, "8605"), 0.1)
    with pytest.raises(AcknowledgeError):
        write.result()
    read = client.start(READ, 1, now=2.0)
    client.data_to_send(2.0)
    client.receive_data(frame(framing, 2, "8305"), 2.1)
    assert not read.done
    assert client.data_to_send(2.3)
    client.receive_data(frame(framing, 3, ANSWER), 2.4)
    assert read.done


def test_a_busy_request_lets_those_to_other_units_pass() -> None:
    client = made(TcpFraming, busy_retries=1, busy_pause=5.0)
    busy = client.start(READ, 1, now=0.0)
    client.data_to_send(0.0)
    client.receive_data(tcp(1, "8306"), 0.1)
    client.start(READ, 2, now=0.1)
    assert client.data_to_send(0.1) == tcp(2, READ.encode(), unit=2)
    client.receive_data(tcp(2, ANSWER, unit=2), 0.2)
    client.cancel(busy, 0.3)
    assert client.deadline() is None


@pytest.mark.parametrize("framing", [each for each in FRAMINGS if each.is_serial])
def test_a_cancelled_write_is_not_repeated_while_the_device_is_busy(framing: type[Framing]) -> None:
    client = made(framing, busy_retries=2, busy_pause=0.5)
    exchange = client.start(WRITE, 1, now=0.0)
    assert client.data_to_send(0.0)
    client.cancel(exchange, 0.1)
    client.receive_data(frame(framing, 1, "8606"), 0.2)
    assert client.data_to_send(2.0) == b""
    assert client.deadline() is None
