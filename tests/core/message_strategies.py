"""Hypothesis strategies for every message, shared by all tests that need "any message".

`EXCHANGES[RequestClass]` has pairs of a request and a response to it, `REQUESTS` and `RESPONSES`
have single messages by class; `requests()`, `responses()`, `exchanges()` mix all of them.
`damaged(messages)` returns PDUs of messages with some damaged bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from modwire.messages.base import ExceptionResponse, RawRequest, RawResponse, Request, Response
from modwire.messages.bit_access import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from modwire.messages.device_status import (
    GetCommEventCounterRequest,
    GetCommEventCounterResponse,
    GetCommEventLogRequest,
    GetCommEventLogResponse,
    ReadExceptionStatusRequest,
    ReadExceptionStatusResponse,
    ReportServerIdRequest,
    ReportServerIdResponse,
)
from modwire.messages.diagnostics import (
    DiagnosticsRequest,
    DiagnosticsResponse,
    DiagnosticsSubFunction,
)
from modwire.messages.encapsulated import (
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)
from modwire.messages.file_access import (
    FileRecord,
    FileRecordData,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
)
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire.messages.register_operations import (
    MaskWriteRegisterRequest,
    MaskWriteRegisterResponse,
    ReadFifoQueueRequest,
    ReadFifoQueueResponse,
    ReadWriteMultipleRegistersRequest,
    ReadWriteMultipleRegistersResponse,
)

AnyRequest = Request[Any]
Exchange = tuple[AnyRequest, Response]

WORDS = st.integers(0, 0xFFFF)
BYTES = st.integers(0, 0xFF)


def registers(least: int, most: int) -> SearchStrategy[tuple[int, ...]]:
    """From `least` to `most` register values; through bytes, which hypothesis draws faster."""
    return st.binary(min_size=2 * least, max_size=2 * most + 1).map(
        lambda data: tuple(
            int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)
        )
    )


def bits(least: int, most: int) -> SearchStrategy[tuple[bool, ...]]:
    """From `least` to `most` states."""
    return st.integers(least, most).flatmap(
        lambda count: st.integers(0, 2**count - 1).map(
            lambda value: tuple(bool(value >> at & 1) for at in range(count))
        )
    )


def first_addresses(count: int) -> SearchStrategy[int]:
    """Addresses at which `count` items end at or before 65535."""
    return st.integers(0, 0x10000 - count)


@st.composite
def _reads(
    draw: DrawFn,
    request: Callable[[int, int], AnyRequest],
    response: Callable[[Any], Response],
    values: SearchStrategy[tuple[Any, ...]],
) -> Exchange:
    got = draw(values)
    return request(draw(first_addresses(len(got))), len(got)), response(got)


@st.composite
def _writes(
    draw: DrawFn,
    request: Callable[[int, Any], AnyRequest],
    response: Callable[[int, int], Response],
    values: SearchStrategy[tuple[Any, ...]],
) -> Exchange:
    sent = draw(values)
    address = draw(first_addresses(len(sent)))
    return request(address, sent), response(address, len(sent))


@st.composite
def _echoes(
    draw: DrawFn,
    request: Callable[..., AnyRequest],
    response: Callable[..., Response],
    *arguments: SearchStrategy[Any],
) -> Exchange:
    values = [draw(argument) for argument in arguments]
    return request(*values), response(*values)


@st.composite
def _read_writes(draw: DrawFn) -> Exchange:
    got = draw(registers(1, 125))
    sent = draw(registers(1, 121))
    request = ReadWriteMultipleRegistersRequest(
        draw(first_addresses(len(got))), len(got), draw(first_addresses(len(sent))), sent
    )
    return request, ReadWriteMultipleRegistersResponse(got)


@st.composite
def _places(draw: DrawFn, count: int) -> tuple[int, int]:
    return draw(st.integers(1, 0xFFFF)), draw(st.integers(0, 10000 - count))


@st.composite
def _file_reads(draw: DrawFn) -> Exchange:
    left = 0xF5
    places: list[FileRecord] = []
    records: list[tuple[int, ...]] = []
    while left >= 4 and len(places) < 35 and (not places or draw(st.booleans())):
        values = draw(registers(1, (left - 2) // 2))
        left -= 2 + 2 * len(values)
        places.append(FileRecord(*draw(_places(len(values))), len(values)))
        records.append(values)
    return ReadFileRecordRequest(places), ReadFileRecordResponse(records)


@st.composite
def _file_writes(draw: DrawFn) -> Exchange:
    left = 0xFB
    records: list[FileRecordData] = []
    while left >= 9 and (not records or draw(st.booleans())):
        values = draw(registers(1, (left - 7) // 2))
        left -= 7 + 2 * len(values)
        records.append(FileRecordData(*draw(_places(len(values))), values))
    return WriteFileRecordRequest(records), WriteFileRecordResponse(records)


_S = DiagnosticsSubFunction
_SINGLE_WORDS: dict[DiagnosticsSubFunction, SearchStrategy[int]] = {
    _S.RESTART_COMMUNICATIONS_OPTION: st.sampled_from((0, 0xFF00)),
    _S.CHANGE_ASCII_INPUT_DELIMITER: BYTES.map(lambda character: character << 8),
    _S.GET_CLEAR_MODBUS_PLUS: st.sampled_from((3, 4)),
}
_COUNTS = (2, *range(11, 20))


@st.composite
def diagnostics_requests(draw: DrawFn) -> DiagnosticsRequest:
    """Function 8 with every sub-function, and data that it allows."""
    if not draw(st.integers(0, 7)):
        return DiagnosticsRequest(draw(st.integers(22, 0xFFFF)), draw(registers(0, 125)))
    sub_function = draw(st.sampled_from(DiagnosticsSubFunction))
    if sub_function is _S.RETURN_QUERY_DATA:
        return DiagnosticsRequest(sub_function, draw(registers(1, 125)))
    return DiagnosticsRequest(sub_function, draw(_SINGLE_WORDS.get(sub_function, st.just(0))))


@st.composite
def _diagnostics(draw: DrawFn) -> Exchange:
    request = draw(diagnostics_requests())
    words: Any = request.data
    if request.sub_function in _COUNTS:
        words = draw(WORDS)
    elif request.sub_function is _S.GET_CLEAR_MODBUS_PLUS and request.data == (3,):
        words = (3, *draw(registers(0, 124)))
    return request, DiagnosticsResponse(request.sub_function, words)


_EVENT_LOGS = st.builds(GetCommEventLogResponse, WORDS, WORDS, WORDS, st.binary(max_size=64))


@st.composite
def server_ids(draw: DrawFn) -> ReportServerIdResponse:
    """Responses to function 17 in every form."""
    server_id = draw(st.binary(max_size=250))
    run_indicator = draw(st.sampled_from((True, False, None)))
    if run_indicator is None:
        return ReportServerIdResponse(server_id or b"\x01", None)
    more = draw(st.binary(max_size=250 - len(server_id)))
    return ReportServerIdResponse(server_id, run_indicator, more)


@st.composite
def _objects(draw: DrawFn) -> tuple[tuple[int, bytes], ...]:
    left = 246
    objects: list[tuple[int, bytes]] = []
    while left >= 2 and draw(st.booleans()):
        value = draw(st.binary(max_size=left - 2))
        left -= 2 + len(value)
        objects.append((draw(BYTES), value))
    return tuple(objects)


@st.composite
def _identifications(draw: DrawFn) -> Exchange:
    read_code = draw(st.integers(1, 4))
    object_id = draw(BYTES)
    more_follows = draw(st.booleans())
    objects = draw(_objects())
    if read_code == 4:
        objects = ((object_id, draw(st.binary(max_size=244))),)
        more_follows = False
    response = ReadDeviceIdentificationResponse(
        read_code,
        draw(st.sampled_from((1, 2, 3, 0x81, 0x82, 0x83))),
        more_follows,
        draw(BYTES) if more_follows else 0,
        objects,
    )
    return ReadDeviceIdentificationRequest(read_code, object_id), response


_MEI_DATA = st.binary(max_size=251)

EXCHANGES: dict[type[AnyRequest], SearchStrategy[Exchange]] = {
    ReadCoilsRequest: _reads(ReadCoilsRequest, ReadCoilsResponse, bits(1, 2000)),
    ReadDiscreteInputsRequest: _reads(
        ReadDiscreteInputsRequest, ReadDiscreteInputsResponse, bits(1, 2000)
    ),
    ReadHoldingRegistersRequest: _reads(
        ReadHoldingRegistersRequest, ReadHoldingRegistersResponse, registers(1, 125)
    ),
    ReadInputRegistersRequest: _reads(
        ReadInputRegistersRequest, ReadInputRegistersResponse, registers(1, 125)
    ),
    WriteSingleCoilRequest: _echoes(
        WriteSingleCoilRequest, WriteSingleCoilResponse, WORDS, st.booleans()
    ),
    WriteSingleRegisterRequest: _echoes(
        WriteSingleRegisterRequest, WriteSingleRegisterResponse, WORDS, WORDS
    ),
    ReadExceptionStatusRequest: st.tuples(
        st.builds(ReadExceptionStatusRequest), st.builds(ReadExceptionStatusResponse, BYTES)
    ),
    DiagnosticsRequest: _diagnostics(),
    GetCommEventCounterRequest: st.tuples(
        st.builds(GetCommEventCounterRequest),
        st.builds(GetCommEventCounterResponse, WORDS, WORDS),
    ),
    GetCommEventLogRequest: st.tuples(st.builds(GetCommEventLogRequest), _EVENT_LOGS),
    WriteMultipleCoilsRequest: _writes(
        WriteMultipleCoilsRequest, WriteMultipleCoilsResponse, bits(1, 1968)
    ),
    WriteMultipleRegistersRequest: _writes(
        WriteMultipleRegistersRequest, WriteMultipleRegistersResponse, registers(1, 123)
    ),
    ReportServerIdRequest: server_ids().flatmap(
        lambda response: st.tuples(
            st.sampled_from((None, len(response.server_id))).map(ReportServerIdRequest),
            st.just(response),
        )
    ),
    ReadFileRecordRequest: _file_reads(),
    WriteFileRecordRequest: _file_writes(),
    MaskWriteRegisterRequest: _echoes(
        MaskWriteRegisterRequest, MaskWriteRegisterResponse, WORDS, WORDS, WORDS
    ),
    ReadWriteMultipleRegistersRequest: _read_writes(),
    ReadFifoQueueRequest: st.tuples(
        st.builds(ReadFifoQueueRequest, WORDS),
        st.builds(ReadFifoQueueResponse, registers(0, 31)),
    ),
    CanopenGeneralReferenceRequest: st.tuples(
        st.builds(CanopenGeneralReferenceRequest, _MEI_DATA),
        st.builds(CanopenGeneralReferenceResponse, _MEI_DATA),
    ),
    ReadDeviceIdentificationRequest: _identifications(),
}

REQUESTS: dict[type[AnyRequest], SearchStrategy[AnyRequest]] = {
    **{
        request_class: exchange.map(lambda pair: pair[0])
        for request_class, exchange in EXCHANGES.items()
    },
    DiagnosticsRequest: diagnostics_requests(),
}

RESPONSES: dict[type[Response], SearchStrategy[Response]] = {
    **{
        request_class.response_type: exchange.map(lambda pair: pair[1])
        for request_class, exchange in EXCHANGES.items()
    },
    # A response alone does not tell the number of valid bits in its last byte.
    ReadCoilsResponse: st.integers(1, 250).flatmap(
        lambda size: st.builds(ReadCoilsResponse, bits(8 * size, 8 * size))
    ),
    ReadDiscreteInputsResponse: st.integers(1, 250).flatmap(
        lambda size: st.builds(ReadDiscreteInputsResponse, bits(8 * size, 8 * size))
    ),
    ExceptionResponse: st.builds(ExceptionResponse, st.integers(1, 127), BYTES),
}

RAW_REQUESTS = st.builds(RawRequest, BYTES, st.binary(max_size=252))
RAW_RESPONSES = st.builds(RawResponse, BYTES, st.binary(max_size=252))


def requests() -> SearchStrategy[AnyRequest]:
    """Any request of the specification."""
    return st.one_of(*REQUESTS.values())


def responses() -> SearchStrategy[Response]:
    """Any response of the specification, exception responses included."""
    return st.one_of(*RESPONSES.values())


def exchanges() -> SearchStrategy[Exchange]:
    """Any request with a response to it."""
    return st.one_of(*EXCHANGES.values())


@st.composite
def damaged(draw: DrawFn, messages: SearchStrategy[Any]) -> bytes:
    """PDUs of 1 byte and more that start like `messages`, with bytes changed, lost or added."""
    pdu = bytearray(draw(messages).encode())
    for _ in range(draw(st.integers(0, 3))):
        # The lengths and codes at the front matter most.
        at = draw(st.one_of(st.integers(1, 8), st.integers(1, 253)))
        if at < len(pdu):
            pdu[at] = draw(BYTES)
    end = draw(st.one_of(st.just(len(pdu)), st.integers(1, len(pdu))))
    return bytes(pdu[:end]) + draw(st.one_of(st.just(b""), st.binary(max_size=4)))
