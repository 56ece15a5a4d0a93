"""Devices with a fault that a client tolerates if a quirk says so, and not otherwise."""

from __future__ import annotations

import pytest

from client_line import ANSWER, READ, rtu, tcp
from modwire import (
    ClientOptions,
    ClientProtocol,
    InvalidResponseError,
    ModbusError,
    Quirks,
    RawRequest,
    Request,
    Response,
    ResponseTimeoutError,
    RtuFraming,
    TcpFraming,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire.framing.base import Framing


def asked(
    answer: bytes,
    *,
    quirks: Quirks = Quirks.none,
    framing: type[Framing] = TcpFraming,
    request: Request[Response] = READ,
    unit: int = 1,
) -> Response:
    """Return what the request number 3 on a link gets, or raise its error."""
    options = ClientOptions(quirks=quirks, silence=0.0, tolerance=0.01)
    client = ClientProtocol(framing, options)
    for number in (1, 2):
        client.start(READ, 1, now=float(number))
        data = client.data_to_send(float(number))
        client.receive_data(
            data[:4] + tcp(0, ANSWER)[4:] if framing is TcpFraming else rtu(ANSWER), number + 0.1
        )
    exchange = client.start(request, unit, now=3.0)
    assert client.data_to_send(3.0)
    client.receive_data(answer, 3.1)
    client.handle_timeout(3.5)
    client.handle_timeout(4.0)
    return exchange.result()


WRONG_IDS = [
    (Quirks.zero_transaction_id, 0),
    (Quirks.any_transaction_id, 0),
    (Quirks.any_transaction_id, 2),
    (Quirks.any_transaction_id, 4),
    (Quirks.any_transaction_id, 0xFFFF),
]


@pytest.mark.parametrize(("quirk", "transaction"), WRONG_IDS)
def test_wrong_transaction_ids(quirk: Quirks, transaction: int) -> None:
    answer = tcp(transaction, ANSWER)
    with pytest.raises(ResponseTimeoutError):
        asked(answer)
    assert asked(answer, quirks=quirk).encode() == ANSWER


def test_a_short_transaction_id_is_one_byte_from_the_start() -> None:
    client = ClientProtocol(TcpFraming, ClientOptions(quirks=Quirks.short_transaction_id))
    for number in range(600):
        exchange = client.start(READ, 1, now=float(number))
        transaction = int.from_bytes(client.data_to_send(float(number))[:2], "big")
        assert transaction <= 0xFF
        client.receive_data(tcp(transaction, ANSWER), number + 0.1)
        assert exchange.done


def test_short_ids_that_are_all_overdue_are_used_again() -> None:
    quirks = Quirks.short_transaction_id
    client = ClientProtocol(TcpFraming, ClientOptions(quirks=quirks, response_timeout=0.1))
    for number in range(600):
        exchange = client.start(READ, 1, now=float(number))
        assert client.data_to_send(float(number))
        client.handle_timeout(number + 0.1)
        assert exchange.done


LENGTHS = {
    "one too many": lambda pdu: 7 + 1,
    "that of the request": lambda pdu: 6,
    "0": lambda pdu: 0,
    "of another age": lambda pdu: 0xFFFF,
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("pdu", [ANSWER, b"\x83\x02"], ids=["answer", "exception"])
def test_a_wrong_length(length: object, pdu: bytes) -> None:
    answer = tcp(3, pdu)
    answer = answer[:4] + length(pdu).to_bytes(2, "big") + answer[6:]  # type: ignore[operator]
    with pytest.raises(ModbusError) as without:
        asked(answer)
    assert not str(without.value).startswith("exception")
    client = ClientProtocol(TcpFraming, ClientOptions(quirks=Quirks.wrong_length))
    for number in range(1, 4):  # and the next answer is found
        exchange = client.start(READ, 1, now=float(number))
        client.data_to_send(float(number))
        for byte in number.to_bytes(2, "big") + answer[2:]:
            client.receive_data(bytes((byte,)), number + 0.1)
        assert exchange.done
        if pdu == ANSWER:
            assert exchange.result().encode() == ANSWER


@pytest.mark.parametrize("more", [b"\x06", b"\xab\xcd", bytes(20)])
@pytest.mark.parametrize("counted", [False, True])
def test_bytes_after_the_answer(more: bytes, counted: bool) -> None:
    client = ClientProtocol(TcpFraming, ClientOptions(quirks=Quirks.wrong_length))
    for number in range(1, 5):
        exchange = client.start(READ, 1, now=float(number))
        client.data_to_send(float(number))
        data = tcp(number, ANSWER + more if counted else ANSWER) + (b"" if counted else more)
        client.receive_data(data, number + 0.1)
        assert exchange.result().encode() == ANSWER


def test_a_wrong_length_waits_for_the_answer_among_noise() -> None:
    client = ClientProtocol(TcpFraming, ClientOptions(quirks=Quirks.wrong_length))
    exchange = client.start(READ, 1, now=0.0)
    client.data_to_send(0.0)
    client.receive_data(b"HTTP/1.1 400 Bad Request\r\n" * 100, 0.1)
    assert client.framing.buffered < 300
    client.handle_timeout(1.0)
    with pytest.raises(ResponseTimeoutError, match="were no MBAP frame"):
        exchange.result()


ODD: list[tuple[Request[Response], str, str]] = [
    (
        WriteSingleRegisterRequest(5, 7),
        "0600050000",
        "WriteSingleRegisterResponse(address=5, value=7)",
    ),
    (WriteSingleRegisterRequest(5, 7), "06", "WriteSingleRegisterResponse(address=5, value=7)"),
    (
        WriteSingleCoilRequest(5, True),
        "050005ff01",
        "WriteSingleCoilResponse(address=5, value=True)",
    ),
    (
        WriteMultipleRegistersRequest(5, [7, 8]),
        "1000050000",
        "WriteMultipleRegistersResponse(address=5, count=2)",
    ),
    (
        WriteMultipleRegistersRequest(5, [7, 8]),
        "10000500020400070008",
        "WriteMultipleRegistersResponse(address=5, count=2)",
    ),
]


@pytest.mark.parametrize(
    ("framing", "request_", "pdu", "response"),
    [
        (framing, *each)
        for framing in (TcpFraming, RtuFraming)
        for each in ODD
        if framing is TcpFraming or len(each[1]) <= 10  # a whole request would be an echo
    ],
)
def test_an_odd_confirmation(
    framing: type[Framing], request_: Request[Response], pdu: str, response: str
) -> None:
    answer = tcp(3, pdu) if framing is TcpFraming else rtu(pdu)
    with pytest.raises((InvalidResponseError, ResponseTimeoutError)):
        asked(answer, request=request_, framing=framing)
    quirks = Quirks.odd_confirmation
    found = asked(answer, request=request_, framing=framing, quirks=quirks)
    assert repr(found) == response


def test_an_odd_confirmation_of_a_read_is_none() -> None:
    with pytest.raises(InvalidResponseError):
        asked(tcp(3, "0302000a"), quirks=Quirks.odd_confirmation)
    other = tcp(3, "1000050002")
    with pytest.raises(InvalidResponseError):
        asked(other, request=WriteSingleRegisterRequest(5, 2), quirks=Quirks.odd_confirmation)


@pytest.mark.parametrize("unit", [0, 17])
def test_a_device_that_answers_requests_to_unit_zero(unit: int) -> None:
    with pytest.raises(ValueError, match="a broadcast"):
        asked(rtu(ANSWER, unit), framing=RtuFraming, unit=0)
    quirks = Quirks.answers_unit_zero
    answer = rtu(ANSWER, unit)
    assert asked(answer, framing=RtuFraming, unit=0, quirks=quirks).encode() == ANSWER
    who = RawRequest(0x46)
    assert asked(rtu("4601", unit), framing=RtuFraming, unit=0, quirks=quirks, request=who)


def test_only_requests_to_unit_zero_are_answered_by_others() -> None:
    with pytest.raises(ResponseTimeoutError, match="unit 17 answered"):
        asked(rtu(ANSWER, 17), framing=RtuFraming, quirks=Quirks.answers_unit_zero)
