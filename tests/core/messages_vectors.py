"""The corpus of `tests/vectors` as messages, built from the arguments of each entry."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from modwire.messages.base import ExceptionResponse, Message
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

VECTORS = Path(__file__).parents[1] / "vectors"
Entry = dict[str, Any]

# Requests and responses whose arguments have the names of the vectors.
_BY_ADDRESS_AND_COUNT = {
    (1, "request"): ReadCoilsRequest,
    (2, "request"): ReadDiscreteInputsRequest,
    (3, "request"): ReadHoldingRegistersRequest,
    (4, "request"): ReadInputRegistersRequest,
    (15, "response"): WriteMultipleCoilsResponse,
    (16, "response"): WriteMultipleRegistersResponse,
}
_BY_ADDRESS_AND_VALUE = {
    (5, "request"): WriteSingleCoilRequest,
    (5, "response"): WriteSingleCoilResponse,
    (6, "request"): WriteSingleRegisterRequest,
    (6, "response"): WriteSingleRegisterResponse,
}
_BY_ADDRESS_AND_VALUES = {
    (15, "request"): WriteMultipleCoilsRequest,
    (16, "request"): WriteMultipleRegistersRequest,
}
_BY_VALUES = {
    (1, "response"): ReadCoilsResponse,
    (2, "response"): ReadDiscreteInputsResponse,
    (3, "response"): ReadHoldingRegistersResponse,
    (4, "response"): ReadInputRegistersResponse,
    (23, "response"): ReadWriteMultipleRegistersResponse,
    (24, "response"): ReadFifoQueueResponse,
}
_BY_MASKS = {
    (22, "request"): MaskWriteRegisterRequest,
    (22, "response"): MaskWriteRegisterResponse,
}
_WITHOUT_ARGUMENTS = {
    (7, "request"): ReadExceptionStatusRequest,
    (11, "request"): GetCommEventCounterRequest,
    (12, "request"): GetCommEventLogRequest,
    (17, "request"): ReportServerIdRequest,
}
# Each is a class in pymodbus 1.x, and `DiagnosticsRequest(sub_function, data)` in modwire.
_PYMODBUS1_SUB_FUNCTIONS = {
    "ReturnQueryData": 0,
    "RestartCommunicationsOption": 1,
    "ReturnDiagnosticRegister": 2,
    "ChangeAsciiInputDelimiter": 3,
    "ForceListenOnlyMode": 4,
    "ClearCounters": 10,
    "ReturnBusMessageCount": 11,
    "ReturnBusCommunicationErrorCount": 12,
    "ReturnBusExceptionErrorCount": 13,
    "ReturnSlaveMessageCount": 14,
    "ReturnSlaveNoResponseCount": 15,
    "ReturnSlaveNAKCount": 16,
    "ReturnSlaveBusyCount": 17,
    "ReturnSlaveBusCharacterOverrunCount": 18,
    "ReturnIopOverrunCount": 19,
    "ClearOverrunCount": 20,
    "GetClearModbusPlus": 21,
}


@cache
def load(name: str) -> Any:
    """The contents of a file in `tests/vectors`."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def unique_pdus(entries: list[Entry]) -> list[Entry]:
    """One entry for each PDU and direction: the framings repeat them."""
    found: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        found.setdefault((entry["pdu"], entry["direction"], entry.get("case", "")), entry)
    return list(found.values())


def message_of(entry: Entry) -> Message:
    """The message that the entry's arguments describe."""
    code, direction, args = entry["fc"], entry["direction"], entry["args"]
    key = (code, direction)
    if "exception_code" in args:
        return ExceptionResponse(args["function_code"], args["exception_code"])
    if key in _BY_ADDRESS_AND_COUNT:
        return _BY_ADDRESS_AND_COUNT[key](args["address"], args["count"])
    if key in _BY_ADDRESS_AND_VALUE:
        return _BY_ADDRESS_AND_VALUE[key](args["address"], args["value"])
    if key in _BY_ADDRESS_AND_VALUES:
        return _BY_ADDRESS_AND_VALUES[key](args["address"], args["values"])
    if key in _BY_VALUES:
        return _BY_VALUES[key](args["values"])
    if key in _BY_MASKS:
        return _BY_MASKS[key](args["address"], args["and_mask"], args["or_mask"])
    if key in _WITHOUT_ARGUMENTS:
        return _WITHOUT_ARGUMENTS[key]()
    return _other_request(entry) if direction == "request" else _other_response(entry)


def _other_request(entry: Entry) -> Message:
    args = entry["args"]
    match entry["fc"]:
        case 8:
            return DiagnosticsRequest(*_diagnostics(entry))
        case 20:
            return ReadFileRecordRequest(
                [(each["file"], each["record"], each["length"]) for each in args["records"]]
            )
        case 21:
            return WriteFileRecordRequest(_written_records(args))
        case 23:
            return ReadWriteMultipleRegistersRequest(
                args["read_address"],
                args["read_count"],
                args["write_address"],
                args["write_registers"],
            )
        case 24:
            return ReadFifoQueueRequest(args["address"])
        case 43 if "data_hex" in args:
            return CanopenGeneralReferenceRequest(bytes.fromhex(args["data_hex"]))
        case 43:
            return ReadDeviceIdentificationRequest(args["read_code"], args["object_id"])
    raise AssertionError(f"no message for {entry['id']}")


def _other_response(entry: Entry) -> Message:
    args = entry["args"]
    match entry["fc"]:
        case 7:
            return ReadExceptionStatusResponse(args["status"])
        case 8:
            return DiagnosticsResponse(*_diagnostics(entry))
        case 11:
            count = args["event_count"] if "event_count" in args else args["count"]
            return GetCommEventCounterResponse(_status(args), count)
        case 12:
            return GetCommEventLogResponse(
                _status(args), args["event_count"], args["message_count"], args["events"]
            )
        case 17:
            return _server_id(args)
        case 20:
            return ReadFileRecordResponse(args["records"])
        case 21:
            return WriteFileRecordResponse(_written_records(args))
        case 43 if "data_hex" in args:
            return CanopenGeneralReferenceResponse(bytes.fromhex(args["data_hex"]))
        case 43:
            return _identification(args)
    raise AssertionError(f"no message for {entry['id']}")


def _diagnostics(entry: Entry) -> tuple[int, Any]:
    args = entry["args"]
    if "subfunction" in args:
        return args["subfunction"], args["data"]
    stem = entry["name"].removesuffix("Request").removesuffix("Response")
    sub_function = _PYMODBUS1_SUB_FUNCTIONS[stem]
    if "toggle" in args:
        return sub_function, 0xFF00 if args["toggle"] else 0
    return sub_function, args["message"] if "message" in args else args["data"]


def _written_records(args: Entry) -> list[tuple[int, int, list[int]]]:
    records: list[tuple[int, int, list[int]]] = []
    for each in args["records"]:
        if "values" in each:
            values = each["values"]
        else:
            data = bytes.fromhex(each["data"])
            values = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        records.append((each["file"], each["record"], values))
    return records


def _status(args: Entry) -> int:
    status = args.get("status", "ready")
    return {"ready": 0x0000, "busy": 0xFFFF}.get(status, status)


def _server_id(args: Entry) -> Message:
    if "server_id_hex" in args:
        return ReportServerIdResponse(
            bytes.fromhex(args["server_id_hex"]), args["run"], bytes.fromhex(args["additional_hex"])
        )
    if "identifier_hex" in args:
        return ReportServerIdResponse(bytes.fromhex(args["identifier_hex"]), args["status"])
    return ReportServerIdResponse(args["identifier"].split()[0].encode(), args["status"])


def _identification(args: Entry) -> Message:
    if "information" in args:
        objects = {int(key): value.encode() for key, value in args["information"].items()}
        return ReadDeviceIdentificationResponse(
            args["read_code"], 0x83, False, 0, sorted(objects.items())
        )
    return ReadDeviceIdentificationResponse(
        args["read_code"],
        args["conformity"],
        args["more_follows"],
        args["next_object_id"],
        objects_of(args).items(),
    )


def objects_of(args: Entry) -> dict[int, bytes]:
    """The device identification objects in an entry's arguments."""
    return {
        each["id"]: bytes.fromhex(each["value_hex"])
        if "value_hex" in each
        else each["value"].encode()
        for each in args["objects"]
    }
