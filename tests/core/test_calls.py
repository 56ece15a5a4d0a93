"""The calls: a program reads and writes values, and never sees a message."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from modwire.calls import AsyncCalls, BlockingCalls
from modwire.messages.base import Response
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
    ReadDeviceIdCode,
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
from modwire.messages.modbus_plus import ModbusPlusStatistics
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

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

from call_line import Ask, Line, both


class Case(NamedTuple):
    """A call, its expected request, the response, and the expected value."""

    name: str
    arguments: tuple[object, ...]
    request: AnyRequest
    response: Response | None
    value: object


def diagnostics(
    name: str,
    sub_function: int,
    sent: int | Sequence[int] = 0,
    got: int | Sequence[int] | None = 0,
    value: object = None,
    arguments: tuple[object, ...] = (),
) -> Case:
    request = DiagnosticsRequest(sub_function, sent)
    response = None if got is None else DiagnosticsResponse(sub_function, got)
    return Case(name, arguments, request, response, value)


event_counter = GetCommEventCounterResponse(0xFFFF, 264)
event_log = GetCommEventLogResponse(0, 264, 289, b"\x20\x00")
server_id = ReportServerIdResponse(b"meter", True, b"\x01")

PLUS = ModbusPlusStatistics(network_address=5, token_rotation_time=12, active_stations=(1, 5, 64))
CASES = [
    Case(
        "read_coils",
        (19, 3),
        ReadCoilsRequest(19, 3),
        ReadCoilsResponse([True, False, True]),
        [True, False, True],
    ),
    Case("read_coils", (19,), ReadCoilsRequest(19, 1), ReadCoilsResponse([True]), [True]),
    Case(
        "read_discrete_inputs",
        (196, 2),
        ReadDiscreteInputsRequest(196, 2),
        ReadDiscreteInputsResponse([False, True]),
        [False, True],
    ),
    Case(
        "read_holding_registers",
        (107, 2),
        ReadHoldingRegistersRequest(107, 2),
        ReadHoldingRegistersResponse([555, 0]),
        [555, 0],
    ),
    Case(
        "read_holding_registers",
        (107,),
        ReadHoldingRegistersRequest(107, 1),
        ReadHoldingRegistersResponse([555]),
        [555],
    ),
    Case(
        "read_input_registers",
        (8, 2),
        ReadInputRegistersRequest(8, 2),
        ReadInputRegistersResponse([10, 65535]),
        [10, 65535],
    ),
    Case(
        "write_coil",
        (172, True),
        WriteSingleCoilRequest(172, True),
        WriteSingleCoilResponse(172, True),
        None,
    ),
    Case(
        "write_register",
        (1, 3),
        WriteSingleRegisterRequest(1, 3),
        WriteSingleRegisterResponse(1, 3),
        None,
    ),
    Case(
        "write_coils",
        (19, [True, False]),
        WriteMultipleCoilsRequest(19, [True, False]),
        WriteMultipleCoilsResponse(19, 2),
        None,
    ),
    Case(
        "write_registers",
        (1, [10, 258]),
        WriteMultipleRegistersRequest(1, [10, 258]),
        WriteMultipleRegistersResponse(1, 2),
        None,
    ),
    Case(
        "mask_write_register",
        (4, 0xF2, 0x25),
        MaskWriteRegisterRequest(4, 0xF2, 0x25),
        MaskWriteRegisterResponse(4, 0xF2, 0x25),
        None,
    ),
    Case(
        "read_write_registers",
        (3, 2, 14, [255, 256, 257]),
        ReadWriteMultipleRegistersRequest(3, 2, 14, [255, 256, 257]),
        ReadWriteMultipleRegistersResponse([254, 2765]),
        [254, 2765],
    ),
    Case(
        "read_fifo_queue",
        (1246,),
        ReadFifoQueueRequest(1246),
        ReadFifoQueueResponse([440, 4740]),
        [440, 4740],
    ),
    Case(
        "read_file_record",
        (4, 1, 2),
        ReadFileRecordRequest([FileRecord(4, 1, 2)]),
        ReadFileRecordResponse([[3582, 32]]),
        [3582, 32],
    ),
    Case(
        "read_file_records",
        ([(4, 1, 2), FileRecord(3, 9, 1)],),
        ReadFileRecordRequest([FileRecord(4, 1, 2), FileRecord(3, 9, 1)]),
        ReadFileRecordResponse([[3582, 32], [13261]]),
        [[3582, 32], [13261]],
    ),
    Case(
        "write_file_record",
        (4, 7, [1711, 1214]),
        WriteFileRecordRequest([FileRecordData(4, 7, [1711, 1214])]),
        WriteFileRecordResponse([FileRecordData(4, 7, [1711, 1214])]),
        None,
    ),
    Case(
        "write_file_records",
        ([(4, 7, [1711]), FileRecordData(5, 0, [1])],),
        WriteFileRecordRequest([FileRecordData(4, 7, [1711]), FileRecordData(5, 0, [1])]),
        WriteFileRecordResponse([FileRecordData(4, 7, [1711]), FileRecordData(5, 0, [1])]),
        None,
    ),
    Case(
        "read_device_identification",
        (),
        ReadDeviceIdentificationRequest(ReadDeviceIdCode.BASIC, 0),
        ReadDeviceIdentificationResponse(
            1, 1, False, 0, [(0, b"Vendor"), (1, b"P1"), (2, b"V2.11")]
        ),
        {0: b"Vendor", 1: b"P1", 2: b"V2.11"},
    ),
    Case(
        "read_device_identification",
        (ReadDeviceIdCode.SPECIFIC, 129),
        ReadDeviceIdentificationRequest(4, 129),
        ReadDeviceIdentificationResponse(4, 0x83, True, 130, [(129, b"\x00\xff")]),
        {129: b"\x00\xff"},
    ),
    Case(
        "canopen_general_reference",
        (b"\x01\x02",),
        CanopenGeneralReferenceRequest(b"\x01\x02"),
        CanopenGeneralReferenceResponse(b"\x05"),
        b"\x05",
    ),
    Case(
        "read_exception_status",
        (),
        ReadExceptionStatusRequest(),
        ReadExceptionStatusResponse(0x6D),
        0x6D,
    ),
    Case("get_comm_event_counter", (), GetCommEventCounterRequest(), event_counter, event_counter),
    Case("get_comm_event_log", (), GetCommEventLogRequest(), event_log, event_log),
    Case("report_server_id", (), ReportServerIdRequest(), server_id, server_id),
    Case("report_server_id", (5,), ReportServerIdRequest(5), server_id, server_id),
    diagnostics("return_query_data", 0, 0xA537, 0xA537, [0xA537], (0xA537,)),
    diagnostics("return_query_data", 0, (1, 2, 3), (1, 2, 3), [1, 2, 3], ([1, 2, 3],)),
    diagnostics("restart_communications", 1),
    diagnostics("restart_communications", 1, 0xFF00, 0xFF00, None, (True,)),
    diagnostics("return_diagnostic_register", 2, got=0x8001, value=0x8001),
    diagnostics("change_ascii_input_delimiter", 3, 0x2100, 0x2100, None, ("!",)),
    diagnostics("change_ascii_input_delimiter", 3, 0x0A00, 0x0A00, None, (10,)),
    diagnostics("force_listen_only_mode", 4, got=None),
    diagnostics("clear_counters", 10),
    diagnostics("return_bus_message_count", 11, got=111, value=111),
    diagnostics("return_bus_communication_error_count", 12, got=112, value=112),
    diagnostics("return_bus_exception_error_count", 13, got=113, value=113),
    diagnostics("return_server_message_count", 14, got=114, value=114),
    diagnostics("return_server_no_response_count", 15, got=115, value=115),
    diagnostics("return_server_nak_count", 16, got=116, value=116),
    diagnostics("return_server_busy_count", 17, got=117, value=117),
    diagnostics("return_bus_character_overrun_count", 18, got=118, value=118),
    diagnostics("return_iop_overrun_count", 19, got=119, value=119),
    diagnostics("clear_overrun_counter", 20),
    diagnostics("get_modbus_plus_statistics", 21, 3, (3, *PLUS.to_words()), PLUS),
    diagnostics("clear_modbus_plus_statistics", 21, 4, 4),
]
FUNCTIONS = sorted(
    name for name in dir(BlockingCalls) if not name.startswith("_") and name != "call"
)


@both
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}{len(case.arguments)}")
def test_a_call_sends_its_function_and_gives_the_plain_value(ask: Ask, case: Case) -> None:
    line = Line([case.response])

    value = ask(line, case.name, *case.arguments, unit=17, timeout=0.25)

    assert line.asked == [(case.request, 17, 0.25)]
    assert type(line.asked[0].request) is type(case.request)
    assert value == case.value
    assert type(value) is type(case.value)


@both
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}{len(case.arguments)}")
def test_unit_and_timeout_are_left_to_the_client(ask: Ask, case: Case) -> None:
    line = Line([case.response])

    ask(line, case.name, *case.arguments)

    assert line.asked == [(case.request, None, None)]


def test_every_method_is_tried() -> None:
    assert {case.name for case in CASES} == set(FUNCTIONS)


def test_every_diagnostics_sub_function_has_a_call() -> None:
    tried = {
        case.request.sub_function for case in CASES if isinstance(case.request, DiagnosticsRequest)
    }

    assert tried == set(DiagnosticsSubFunction)


def test_moving_to_async_adds_await_and_nothing_else() -> None:
    """A program moves between the packages by changing an import and adding `await`."""
    others = [name for name in dir(AsyncCalls) if not name.startswith("_") and name != "call"]
    assert others == FUNCTIONS
    for name in [*FUNCTIONS, "call"]:
        blocking, asynchronous = getattr(BlockingCalls, name), getattr(AsyncCalls, name)
        assert inspect.iscoroutinefunction(asynchronous), name
        assert not inspect.iscoroutinefunction(blocking), name
        assert inspect.signature(blocking) == inspect.signature(asynchronous), name
        assert inspect.getdoc(blocking) == inspect.getdoc(asynchronous), name
    assert inspect.getdoc(BlockingCalls) == inspect.getdoc(AsyncCalls)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_method_names_its_function_and_takes_unit_and_timeout(name: str) -> None:
    method = getattr(BlockingCalls, name)
    assert (inspect.getdoc(method) or "").startswith("Function ")
    parameters = inspect.signature(method).parameters
    for option in ("unit", "timeout"):
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[option].default is None


@pytest.mark.parametrize("calls", [BlockingCalls, AsyncCalls])
@pytest.mark.parametrize("name", ["call", *FUNCTIONS])
def test_the_help_of_every_method_lists_the_errors_that_it_raises(name: str, calls: type) -> None:
    """They are in one block at the end, with the same indentation in all Python versions."""
    _, _, errors = (inspect.getdoc(getattr(calls, name)) or "").rpartition("\n\nRaises:\n")
    named = [line.strip().partition(":")[0] for line in errors.splitlines() if ":" in line]
    assert named == [
        "ValueError",
        "ExceptionResponseError",
        "ResponseTimeoutError",
        "InvalidResponseError",
        "ConnectionLostError",
    ]
