"""Messages as values: decoding returns the encoded message, and any bytes are handled."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.errors import (
    ExceptionResponseError,
    IllegalDataAddressError,
    InvalidRequestError,
    InvalidResponseError,
)
from modwire.messages import REQUESTS, Message, decode_request, decode_response
from modwire.messages.base import ExceptionResponse, RawRequest, RawResponse
from modwire.messages.bit_access import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from modwire.messages.device_status import (
    GetCommEventLogRequest,
    ReportServerIdRequest,
    ReportServerIdResponse,
)
from modwire.messages.diagnostics import (
    DiagnosticsRequest,
    DiagnosticsResponse,
    DiagnosticsSubFunction,
)
from modwire.messages.encapsulated import (
    ObjectId,
    ReadDeviceIdCode,
    ReadDeviceIdentificationRequest,
)
from modwire.messages.file_access import (
    FileRecord,
    FileRecordData,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    WriteFileRecordRequest,
)
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
)

from .message_strategies import (
    EXCHANGES,
    RAW_REQUESTS,
    RAW_RESPONSES,
    RESPONSES,
    AnyRequest,
    Exchange,
    damaged,
    exchanges,
    requests,
    responses,
)

MESSAGE_CLASSES: list[type[Message]] = [*EXCHANGES, *RESPONSES, RawRequest, RawResponse]
ANY_PDU = st.one_of(st.binary(max_size=300), damaged(requests()), damaged(responses()))


def test_strategies_know_every_message() -> None:
    """A message without a strategy would be left out of every test below."""
    assert set(EXCHANGES) == set(REQUESTS)


@given(requests())
def test_a_request_is_the_same_after_the_wire(request_sent: AnyRequest) -> None:
    pdu = request_sent.encode()
    assert 1 <= len(pdu) <= 253
    assert type(request_sent).decode(pdu) == request_sent
    assert decode_request(pdu) == request_sent
    assert decode_request(pdu).encode() == pdu


@given(responses())
def test_a_response_is_the_same_after_the_wire(response: Message) -> None:
    pdu = response.encode()
    assert 2 <= len(pdu) <= 253
    assert type(response).decode(pdu) == response
    assert decode_response(pdu) == response
    assert decode_response(pdu).encode() == pdu


@given(RAW_REQUESTS, RAW_RESPONSES)
def test_raw_messages_are_the_same_after_the_wire(sent: RawRequest, got: RawResponse) -> None:
    assert RawRequest.decode(sent.encode()) == sent
    assert RawResponse.decode(got.encode()) == got


@given(exchanges())
def test_a_request_takes_its_answer(exchange: Exchange) -> None:
    """A good response must never be refused; the number of bits is that of the request."""
    sent, response = exchange
    assert sent.decode_response(response.encode()) == response


@given(exchanges())
def test_the_rtu_length_rule_finds_the_end(exchange: Exchange) -> None:
    """On RTU only the length separates two frames without a pause between them."""
    sent, response = exchange
    for message, rule in (
        (sent, type(sent).length_rule),
        (response, type(response).length_rule),
    ):
        pdu = message.encode()
        length = rule(b"\x11" + pdu + b"\xff" * 9, 1)
        assert length in (len(pdu), -1)
        for end in range(1, len(pdu)):
            assert rule(b"\x11" + pdu[:end], 1) in (0, length)
    if (expected := sent.expected_length()) != 0:
        assert expected == len(response.encode())


@given(ANY_PDU)
def test_any_bytes_give_a_request_or_its_refusal(pdu: bytes) -> None:
    """Any other exception would let a stranger's bytes stop a server."""
    try:
        decoded = decode_request(pdu)
    except InvalidRequestError as error:
        assert error.exception_code in (1, 2, 3)
        assert error.function_code == (pdu[0] if pdu else 0)
    else:
        assert decoded.encode() == pdu
        assert pickle.loads(pickle.dumps(decoded)).encode() == pdu


@given(ANY_PDU)
def test_any_bytes_give_a_response_or_its_refusal(pdu: bytes) -> None:
    try:
        decoded = decode_response(pdu)
    except InvalidResponseError:
        return
    again = decode_response(decoded.encode())
    assert again == decoded
    assert pickle.loads(pickle.dumps(decoded)) == decoded
    repr(decoded)


@pytest.mark.parametrize("message_class", MESSAGE_CLASSES)
@given(pdu=ANY_PDU)
def test_any_bytes_into_a_class_give_a_message_or_its_refusal(
    message_class: type[Message], pdu: bytes
) -> None:
    try:
        message_class.decode(pdu)
    except (InvalidRequestError, InvalidResponseError) as error:
        wrong_side = (
            InvalidResponseError
            if message_class in EXCHANGES or message_class is RawRequest
            else InvalidRequestError
        )
        assert not isinstance(error, wrong_side)


@given(exchanges(), st.data())
def test_any_answer_to_a_request_is_taken_or_refused(
    exchange: Exchange, data: st.DataObject
) -> None:
    """For any bytes, a client must end a call with a response or a ModbusError."""
    sent, response = exchange
    pdu = data.draw(st.one_of(st.binary(min_size=1, max_size=300), damaged(st.just(response))))
    try:
        got = sent.decode_response(pdu)
    except (InvalidResponseError, ExceptionResponseError):
        return
    assert type(got) is sent.response_type
    assert got.encode()[0] == pdu[0]


@given(st.one_of(requests(), responses()))
def test_messages_are_values(message: Message) -> None:
    """They can be in sets, be pickled and copied, and have a useful repr."""
    assert pickle.loads(pickle.dumps(message)) == message
    assert copy.deepcopy(message) == message
    assert hash(copy.copy(message)) == hash(message)
    assert type(message).__name__ in repr(message)
    assert not hasattr(message, "__dict__")


@given(st.one_of(requests(), responses()), st.one_of(requests(), responses()))
def test_messages_are_equal_only_when_their_bytes_and_kind_are(one: Message, two: Message) -> None:
    assert (one == two) is (type(one) is type(two) and one.encode() == two.encode())
    assert one != one.encode()


@given(st.one_of(requests(), responses()))
def test_messages_cannot_be_changed(message: Message) -> None:
    """A retry must send the same request."""
    for name in (*message.__match_args__, "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(message, name, 1)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(message, name)


def test_a_request_prints_as_its_constructor() -> None:
    assert repr(ReadHoldingRegistersRequest(107, 3)) == (
        "ReadHoldingRegistersRequest(address=107, count=3)"
    )
    assert repr(WriteMultipleRegistersRequest(1, [2, 3])) == (
        "WriteMultipleRegistersRequest(address=1, values=(2, 3))"
    )


def test_messages_can_be_matched() -> None:
    match decode_request(bytes.fromhex("0f0013000a02cd01")):
        case WriteMultipleCoilsRequest(19, (True, *_) as values):
            assert len(values) == 10
        case message:
            pytest.fail(f"not matched: {message}")
    match decode_request(bytes.fromhex("2b0e0402")):
        case ReadDeviceIdentificationRequest(ReadDeviceIdCode.SPECIFIC, object_id):
            assert object_id == ObjectId.MAJOR_MINOR_REVISION
        case other:
            pytest.fail(f"not matched: {other}")
    match decode_response(bytes.fromhex("8303")):
        case ExceptionResponse(3, code):
            assert code == 3
        case answer:
            pytest.fail(f"not matched: {answer}")


@pytest.mark.parametrize(
    ("pdu", "error"),
    [
        ("8302", "exception 02"),
        ("83", "exception response must be 2 bytes, got 1"),
        ("830200", "exception response must be 2 bytes, got 3"),
        ("8402", "answer has function code 132, the request had 3"),
        ("0404000100020000", "answer has function code 4, the request had 3"),
    ],
)
def test_an_answer_to_something_else_is_named(pdu: str, error: str) -> None:
    with pytest.raises((InvalidResponseError, ExceptionResponseError), match=error):
        ReadHoldingRegistersRequest(0, 2).decode_response(bytes.fromhex(pdu))


def test_an_exception_response_raises_the_error_of_its_code() -> None:
    sent = WriteSingleCoilRequest(1, True)
    with pytest.raises(IllegalDataAddressError) as caught:
        sent.decode_response(b"\x85\x02")
    assert caught.value.request is sent


# Responses that are well-formed but do not fit the request.


@pytest.mark.parametrize(
    ("sent", "pdu", "error"),
    [
        (DiagnosticsRequest(0, [1, 2]), "080000 0001 0003", r"data \(1, 3\).* had \(1, 2\)"),
        (DiagnosticsRequest(0, [1, 2]), "080000 0001", r"data \(1,\)"),
        (DiagnosticsRequest(11), "08000c 0000", "sub-function 12, the request had 11"),
        (DiagnosticsRequest(11), "08000b 0000 0000", "1 data word"),
        (DiagnosticsRequest(10), "08000a 0001", "data"),
        (DiagnosticsRequest(21, 4), "080015 0003", "data"),
        (ReadFileRecordRequest([(4, 1, 2)]), "14 04 03 06 0001", r"\[1\].*\[2\]"),
        (ReadFileRecordRequest([(4, 1, 1)]), "14 08 03 06 0001 03 06 0001", r"\[1, 1\].*\[1\]"),
        (ReadFileRecordRequest([(4, 1, 1)]), "14 04 03 05 0001", "reference type 6"),
        (ReadFileRecordRequest([(4, 1, 1)]), "14 04 05 06 0001", "2 bytes left"),
        (WriteFileRecordRequest([(4, 7, [1])]), "15 09 06 0004 0007 0001 0002", "repeat"),
        (WriteFileRecordRequest([(4, 7, [1])]), "15 09 06 0000 0007 0001 0001", "file must be"),
        (ReadDeviceIdentificationRequest(4, 1), "2b0e0481000001 02 00", r"objects \[2\]"),
        (ReadDeviceIdentificationRequest(4, 1), "2b0e0481000000", r"objects \[\]"),
        (ReadDeviceIdentificationRequest(1, 0), "2b0e0281000000", "code 2, the request had 1"),
        (ReadDeviceIdentificationRequest(1, 0), "2b0d0181000000", "MEI type"),
        (ReadDeviceIdentificationRequest(1, 0), "2b0e0101000001 00 05 41", "00 must have 7 bytes"),
        (ReadDeviceIdentificationRequest(1, 0), "2b0e0101000001 00", "00 must have 2 bytes"),
        (ReportServerIdRequest(4), "11 02 0aff", "server id must be 4 bytes, got 2"),
    ],
    ids=str,
)
def test_an_answer_that_does_not_fit_is_refused(sent: AnyRequest, pdu: str, error: str) -> None:
    with pytest.raises(InvalidResponseError, match=error):
        sent.decode_response(bytes.fromhex(pdu))


# Differences between messages of one class.


def test_only_diagnostics_that_change_something_are_writes() -> None:
    """Writes are not retried after a timeout, and only writes may be broadcast."""
    writes = {
        sub for sub in DiagnosticsSubFunction if sub != 21 and DiagnosticsRequest(sub).is_write
    }
    assert writes == {1, 3, 4, 10, 20}
    assert DiagnosticsRequest(21, 4).is_write
    assert not DiagnosticsRequest(21, 3).is_write


def test_force_listen_only_mode_waits_for_no_answer() -> None:
    silent = {
        sub
        for sub in DiagnosticsSubFunction
        if sub != 21 and not DiagnosticsRequest(sub).expects_response
    }
    assert silent == {4}


def test_a_unit_that_stays_silent_gives_no_response() -> None:
    unit = cast(Any, SimpleNamespace(diagnose=lambda sub_function, data: None))
    assert DiagnosticsRequest(4).execute(unit) is None


def test_modbus_plus_statistics_come_with_any_number_of_words() -> None:
    """Modicon's have the operation, a byte count and 54 words; pymodbus 1.x leaves out two."""
    sent = DiagnosticsRequest(21, 3)
    for count in (1, 54, 56, 125):
        assert (
            len(sent.decode_response(DiagnosticsResponse(21, [7] * count).encode()).data) == count
        )


@pytest.mark.parametrize(
    ("pdu", "id_length", "parts"),
    [
        ("11 02 0a ff", None, (b"\x0a", True, b"")),
        ("11 09 70796d6f64627573 ff", None, (b"pymodbus", True, b"")),
        ("11 06 b4 00 56312e30", None, (b"\xb4", False, b"V1.0")),
        ("11 02 00 ff", None, (b"\x00", True, b"")),
        ("11 03 414243", None, (b"ABC", None, b"")),
        ("11 05 01ff02 ff 41", 3, (b"\x01\xff\x02", True, b"A")),
        ("11 05 01ff02 00 41", 3, (b"\x01\xff\x02", False, b"A")),
        ("11 02 ff 41", 0, (b"", True, b"A")),
        ("11 03 4142 01", 2, (b"AB", True, b"")),
        ("11 02 4142", 2, (b"AB", None, b"")),
    ],
)
def test_a_server_id_is_split_as_the_caller_knows_it(
    pdu: str, id_length: int | None, parts: tuple[bytes, bool | None, bytes]
) -> None:
    """The length of an id differs from device to device; no bytes are lost."""
    raw = bytes.fromhex(pdu)
    response = ReportServerIdRequest(id_length).decode_response(raw)
    assert (response.server_id, response.run_indicator, response.additional_data) == parts
    assert response.data == raw[2:]
    assert response.encode() == raw
    assert response == ReportServerIdResponse.decode(raw)
    assert pickle.loads(pickle.dumps(response)).server_id == parts[0]


def test_the_id_length_survives_pickling_and_does_not_count() -> None:
    sent = ReportServerIdRequest(3)
    assert pickle.loads(pickle.dumps(sent)).id_length == 3
    assert sent == ReportServerIdRequest()
    assert hash(sent) == hash(ReportServerIdRequest())
    assert sent != GetCommEventLogRequest()


def test_file_records_are_checked_before_any_is_touched() -> None:
    """A write of two groups must not leave the first one done when the second is refused."""
    done: list[object] = []

    def check_file(file: int, record: int, count: int, *, write: bool = False) -> None:
        if file == 2:
            raise IllegalDataAddressError(detail="no file 2")

    def read_file(file: int, record: int, count: int) -> bytes:
        done.append((file, record, count))
        return bytes(range(2 * count))

    def write_file(file: int, record: int, data: bytes) -> None:
        done.append((file, record, data))

    unit = cast(
        Any, SimpleNamespace(check_file=check_file, read_file=read_file, write_file=write_file)
    )
    for refused in (
        ReadFileRecordRequest([(1, 0, 1), (2, 0, 1)]),
        WriteFileRecordRequest([(1, 0, [1]), (2, 0, [2])]),
    ):
        with pytest.raises(IllegalDataAddressError):
            refused.execute(unit)
    assert done == []
    read = ReadFileRecordRequest([(1, 5, 2), (3, 7, 1)])
    assert read.execute(unit) == ReadFileRecordResponse([(0x0001, 0x0203), (0x0001,)])
    write = WriteFileRecordRequest([FileRecordData(1, 5, [1, 2]), (3, 7, [0xABCD])])
    assert write.execute(unit).encode() == write.encode()
    assert done == [(1, 5, 2), (3, 7, 1), (1, 5, b"\x00\x01\x00\x02"), (3, 7, b"\xab\xcd")]


def test_file_records_have_names() -> None:
    asked = ReadFileRecordRequest([(4, 1, 2)]).records
    assert asked == (FileRecord(file=4, record=1, count=2),)
    written = WriteFileRecordRequest([(4, 7, [1, 2])]).records
    assert written == (FileRecordData(file=4, record=7, values=(1, 2)),)
