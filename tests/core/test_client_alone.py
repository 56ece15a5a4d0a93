"""The short way of a request that is alone on its link has the outcomes of the ordinary one."""

from __future__ import annotations

import pytest

from modwire import (
    ClientOptions,
    ClientProtocol,
    ConnectionLostError,
    Decoder,
    DiagnosticsRequest,
    Frame,
    IllegalDataAddressError,
    Quirks,
    RawRequest,
    ReadHoldingRegistersRequest,
    ResponseTimeoutError,
    RtuFraming,
    TcpFraming,
    WriteSingleRegisterRequest,
)

READ = ReadHoldingRegistersRequest(0, 2)
ANSWER = "03 04 0001 0002"


def tcp(transaction: int, pdu: str, unit: int = 1) -> bytes:
    frame = Frame(unit, transaction, bytes.fromhex(pdu))
    return TcpFraming(Decoder(), is_server=True).encode(frame)


def protocol(**options: object) -> ClientProtocol:
    return ClientProtocol(TcpFraming, ClientOptions(**options))  # type: ignore[arg-type]


def test_the_one_right_reply_ends_it() -> None:
    client = protocol()
    for transaction in (1, 2, 3):
        alone = client.start_alone(READ, None, None, 0.0)
        assert alone is not None and alone.adu == tcp(transaction, "03 0000 0002")
        response = client.finish_alone(alone, READ, tcp(transaction, ANSWER))
        assert response is not None and response.registers == (1, 2)
    assert client.deadline() is None


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([tcp(1, ANSWER)[:9], tcp(1, ANSWER)[9:]], None),
        ([tcp(7, ANSWER), tcp(1, ANSWER)], None),
        ([tcp(1, ANSWER, unit=9), tcp(1, ANSWER)], None),
        ([tcp(7, ANSWER) + tcp(1, ANSWER)], None),
        ([tcp(1, "8302")], IllegalDataAddressError),
        ([tcp(1, "03 02 0001")], Exception),
    ],
)
def test_whatever_else_comes_goes_the_ordinary_way(
    pieces: list[bytes], error: type[Exception] | None
) -> None:
    client = protocol()
    alone = client.start_alone(READ, None, None, 0.0)
    assert alone is not None
    assert client.finish_alone(alone, READ, pieces[0]) is None
    exchange = client.adopt(alone, READ)
    for piece in pieces:
        client.receive_data(piece, 0.1)
    assert exchange.done
    if error is None:
        assert exchange.result().registers == (1, 2)
    else:
        with pytest.raises(error):
            exchange.result()


def test_a_second_request_finds_the_first_one_open() -> None:
    client = protocol()
    alone = client.start_alone(READ, None, None, 0.0)
    assert alone is not None
    assert client.start_alone(READ, None, None, 0.0) is None
    second = client.start(READ, now=0.0)
    assert client.data_to_send(0.0) == b"", "only one may be in flight"
    assert client.finish_alone(alone, READ, tcp(1, ANSWER)) is None
    first = client.adopt(alone, READ)
    client.receive_data(tcp(1, ANSWER), 0.1)
    assert first.done and not second.done
    assert client.data_to_send(0.1) == tcp(2, "03 0000 0002")


def test_it_times_out_is_retried_and_its_late_reply_is_dropped() -> None:
    client = protocol(retries=1)
    alone = client.start_alone(READ, None, 0.5, 10.0)
    assert alone is not None
    assert client.deadline() == 10.5
    exchange = client.adopt(alone, READ)
    client.handle_timeout(10.5)
    assert client.data_to_send(10.5) == tcp(2, "03 0000 0002")
    client.handle_timeout(11.0)
    with pytest.raises(ResponseTimeoutError, match=r"within 0.5 s in 2 attempts"):
        exchange.result()
    alone = client.start_alone(READ, None, None, 12.0)
    assert alone is not None
    assert client.finish_alone(alone, READ, tcp(1, ANSWER)) is None


def test_a_write_that_went_alone_is_not_retried() -> None:
    client = protocol(retries=3)
    write = WriteSingleRegisterRequest(0, 1)
    alone = client.start_alone(write, None, None, 0.0)
    assert alone is not None
    exchange = client.adopt(alone, write)
    client.handle_timeout(1.0)
    assert exchange.done and client.data_to_send(1.0) == b""


def test_a_lost_link_ends_it() -> None:
    client = protocol()
    alone = client.start_alone(READ, None, None, 0.0)
    assert alone is not None
    client.receive_eof(0.1)
    with pytest.raises(ConnectionLostError):
        client.adopt(alone, READ).result()


def test_some_requests_and_links_have_to_take_the_ordinary_way() -> None:
    assert ClientProtocol(RtuFraming).start_alone(READ, None, None, 0.0) is None
    assert protocol(quirks=Quirks.any_unit).start_alone(READ, None, None, 0.0) is None
    assert protocol().start_alone(DiagnosticsRequest(4), None, None, 0.0) is None
    assert protocol().start_alone(RawRequest(65, bytes(252)), None, None, 0.0) is not None


@pytest.mark.parametrize(
    ("unit", "timeout", "complaint"),
    [(256, None, "unit must be 0..255, got 256"), (None, 0, "timeout must be greater than 0")],
)
def test_wrong_arguments_are_refused_and_change_nothing(
    unit: int | None, timeout: float | None, complaint: str
) -> None:
    client = protocol()
    with pytest.raises(ValueError, match=complaint):
        client.start_alone(READ, unit, timeout, 0.0)
    alone = client.start_alone(READ, None, None, 0.0)
    assert alone is not None and alone.transaction == 1
