"""`limits.json`, and the exception code for a refused request."""

from __future__ import annotations

import pytest

from messages_vectors import Entry, load
from modwire.errors import InvalidRequestError
from modwire.messages import Message, decode_request
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
)
from modwire.messages.encapsulated import (
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)
from modwire.messages.file_access import (
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

LIMITS: dict[tuple[int, int | None], Entry] = {
    (entry["fc"], entry.get("mei")): entry for entry in load("limits.json")["functions"]
}
FUNCTION, ADDRESS, VALUE = 1, 2, 3


def word(value: int) -> bytes:
    return value.to_bytes(2, "big")


def refused(pdu: bytes) -> int:
    """Return the exception code in the response to `pdu`."""
    with pytest.raises(InvalidRequestError) as caught:
        decode_request(pdu)
    assert caught.value.function_code == pdu[0]
    return int(caught.value.exception_code)


# Lengths of whole PDUs: the smallest and the largest message of each function.

_122_VALUES = [(4, 0, [0] * 122)]
SMALLEST_AND_LARGEST: dict[tuple[int, int | None], tuple[Message, Message, Message, Message]] = {
    (1, None): (
        ReadCoilsRequest(0, 1),
        ReadCoilsRequest(0, 2000),
        ReadCoilsResponse([True] * 8),
        ReadCoilsResponse([True] * 2000),
    ),
    (2, None): (
        ReadDiscreteInputsRequest(0, 1),
        ReadDiscreteInputsRequest(0, 2000),
        ReadDiscreteInputsResponse([True] * 8),
        ReadDiscreteInputsResponse([True] * 2000),
    ),
    (3, None): (
        ReadHoldingRegistersRequest(0, 1),
        ReadHoldingRegistersRequest(0, 125),
        ReadHoldingRegistersResponse([1]),
        ReadHoldingRegistersResponse([1] * 125),
    ),
    (4, None): (
        ReadInputRegistersRequest(0, 1),
        ReadInputRegistersRequest(0, 125),
        ReadInputRegistersResponse([1]),
        ReadInputRegistersResponse([1] * 125),
    ),
    (5, None): (
        WriteSingleCoilRequest(0, False),
        WriteSingleCoilRequest(65535, True),
        WriteSingleCoilResponse(0, False),
        WriteSingleCoilResponse(65535, True),
    ),
    (6, None): (
        WriteSingleRegisterRequest(0, 0),
        WriteSingleRegisterRequest(65535, 65535),
        WriteSingleRegisterResponse(0, 0),
        WriteSingleRegisterResponse(65535, 65535),
    ),
    (7, None): (
        ReadExceptionStatusRequest(),
        ReadExceptionStatusRequest(),
        ReadExceptionStatusResponse(0),
        ReadExceptionStatusResponse(255),
    ),
    (8, None): (
        DiagnosticsRequest(0, 0),
        DiagnosticsRequest(0, [65535] * 125),
        DiagnosticsResponse(0, 0),
        DiagnosticsResponse(0, [65535] * 125),
    ),
    (11, None): (
        GetCommEventCounterRequest(),
        GetCommEventCounterRequest(),
        GetCommEventCounterResponse(0, 0),
        GetCommEventCounterResponse(65535, 65535),
    ),
    (12, None): (
        GetCommEventLogRequest(),
        GetCommEventLogRequest(),
        GetCommEventLogResponse(0, 0, 0),
        GetCommEventLogResponse(65535, 65535, 65535, bytes(64)),
    ),
    (15, None): (
        WriteMultipleCoilsRequest(0, [True]),
        WriteMultipleCoilsRequest(0, [True] * 1968),
        WriteMultipleCoilsResponse(0, 1),
        WriteMultipleCoilsResponse(0, 1968),
    ),
    (16, None): (
        WriteMultipleRegistersRequest(0, [1]),
        WriteMultipleRegistersRequest(0, [1] * 123),
        WriteMultipleRegistersResponse(0, 1),
        WriteMultipleRegistersResponse(0, 123),
    ),
    (17, None): (
        ReportServerIdRequest(),
        ReportServerIdRequest(),
        ReportServerIdResponse(b"\x01", None),
        ReportServerIdResponse(b"\x01", True, bytes(249)),
    ),
    (20, None): (
        ReadFileRecordRequest([(1, 0, 1)]),
        ReadFileRecordRequest([(1, 0, 1)] * 35),
        ReadFileRecordResponse([[1]]),
        ReadFileRecordResponse.from_data([bytes(248)]),
    ),
    (21, None): (
        WriteFileRecordRequest([(1, 0, [1])]),
        WriteFileRecordRequest(_122_VALUES),
        WriteFileRecordResponse([(1, 0, [1])]),
        WriteFileRecordResponse(_122_VALUES),
    ),
    (22, None): (
        MaskWriteRegisterRequest(0, 0, 0),
        MaskWriteRegisterRequest(65535, 65535, 65535),
        MaskWriteRegisterResponse(0, 0, 0),
        MaskWriteRegisterResponse(65535, 65535, 65535),
    ),
    (23, None): (
        ReadWriteMultipleRegistersRequest(0, 1, 0, [1]),
        ReadWriteMultipleRegistersRequest(0, 125, 0, [1] * 121),
        ReadWriteMultipleRegistersResponse([1]),
        ReadWriteMultipleRegistersResponse([1] * 125),
    ),
    (24, None): (
        ReadFifoQueueRequest(0),
        ReadFifoQueueRequest(65535),
        ReadFifoQueueResponse([]),
        ReadFifoQueueResponse([1] * 31),
    ),
    (43, 13): (
        CanopenGeneralReferenceRequest(b""),
        CanopenGeneralReferenceRequest(bytes(251)),
        CanopenGeneralReferenceResponse(b""),
        CanopenGeneralReferenceResponse(bytes(251)),
    ),
    (43, 14): (
        ReadDeviceIdentificationRequest(1, 0),
        ReadDeviceIdentificationRequest(4, 255),
        ReadDeviceIdentificationResponse(1, 1, False, 0, []),
        ReadDeviceIdentificationResponse(4, 0x81, False, 0, [(0, bytes(244))]),
    ),
}
