"""The arguments of `modwire generate` for an entry of `tests/vectors`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messages_vectors import message_of
from modwire import (
    REQUESTS,
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    DiagnosticsRequest,
    DiagnosticsResponse,
    ExceptionResponse,
    GetCommEventCounterResponse,
    GetCommEventLogResponse,
    MaskWriteRegisterRequest,
    MaskWriteRegisterResponse,
    Message,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
    ReadExceptionStatusResponse,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    ReadWriteMultipleRegistersRequest,
    ReadWriteMultipleRegistersResponse,
    ReportServerIdResponse,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
)

_KNOWN = {request.function_code for request in REQUESTS}


def arguments_of(entry: dict[str, Any]) -> list[str]:
    """Return the command line for an entry; a good message has its function and arguments."""
    common = [f"--{entry['direction']}", "--framing", entry["framing"]]
    common += ["--unit", str(entry["unit"]), "--transaction", str(entry["transaction"] or 0)]
    try:
        message = message_of(entry)
    except (ValueError, AssertionError, KeyError):
        message = None
    is_strange = isinstance(message, ExceptionResponse) and message.function_code not in _KNOWN
    if message is None or is_strange or message.encode().hex() != entry["pdu"]:
        return [*common, "--pdu", entry["pdu"]]
    return [*_function(message), *_options(message), *common]


def _function(message: Message) -> list[str]:
    match message:
        case DiagnosticsRequest(sub_function, _) | DiagnosticsResponse(sub_function, _):
            return [f"8/{sub_function}"]
        case ExceptionResponse(43, _):
            return ["43/14"]
        case ExceptionResponse(8, _):
            return ["8/0"]
        case ExceptionResponse(code, _):
            return [str(code)]
        case _:
            return [type(message).__name__]


def _options(message: Message) -> list[str]:
    match message:
        case ExceptionResponse(_, code):
            return ["--exception", str(code)]
        case DiagnosticsRequest(_, data):
            return ["--data", _list(data)]
        case DiagnosticsResponse(_, data):
            return ["--answer", _list(data)]
        case MaskWriteRegisterRequest() | MaskWriteRegisterResponse():
            masks = ["--and-mask", f"{message.and_mask:#x}", "--or-mask", f"{message.or_mask:#x}"]
            return ["--address", str(message.address), *masks]
        case ReadWriteMultipleRegistersRequest(read_address, count, address, values):
            read = ["--address", str(read_address), "--count", str(count)]
            return [*read, "--write-address", str(address), "--values", _list(values)]
        case ReadWriteMultipleRegistersResponse(values):
            return ["--read-values", _list(values)]
        case GetCommEventCounterResponse(status, events):
            return ["--status", f"{status:#x}", "--event-count", str(events)]
        case GetCommEventLogResponse(status, events, messages, log):
            counts = ["--event-count", str(events), "--message-count", str(messages)]
            return ["--status", f"{status:#x}", *counts, "--events", _list(log)]
        case ReadExceptionStatusResponse(status):
            return ["--status", str(status)]
        case ReportServerIdResponse(server_id, running, more):
            found = ["--server-id", f"0x{server_id.hex()}", "--running", "on" if running else "off"]
            return [*found, "--additional", f"0x{more.hex()}"]
        case _:
            return _other_options(message)


def _other_options(message: Message) -> list[str]:
    match message:
        case ReadFileRecordRequest(records):
            return ["--records", ";".join([":".join(map(str, place)) for place in records])]
        case ReadFileRecordResponse(records):
            return ["--values", ";".join([_list(values) for values in records])]
        case WriteFileRecordRequest(records) | WriteFileRecordResponse(records):
            groups = [f"{file}:{record}={_list(values)}" for file, record, values in records]
            return ["--records", ";".join(groups)]
        case ReadDeviceIdentificationRequest(code, object_id):
            return ["--read-code", code.name.lower(), "--object-id", str(object_id)]
        case ReadDeviceIdentificationResponse(code, level, more, following, objects):
            found = ["--read-code", str(int(code)), "--conformity", f"{level:#x}"]
            found += ["--more-follows", "on" if more else "off", "--next-object-id", str(following)]
            texts = [f"{object_id}=0x{value.hex()}" for object_id, value in objects]
            return [*found, "--objects", ";".join(texts)]
        case CanopenGeneralReferenceRequest(data):
            return ["--data", f"0x{data.hex()}"]
        case CanopenGeneralReferenceResponse(data):
            return ["--answer", f"0x{data.hex()}"]
        case _:
            return _plain_options(message)


def _plain_options(message: Message) -> list[str]:
    """Return the options of a message with an address, a count and values."""
    found: list[str] = []
    for name in message.__match_args__:
        value = getattr(message, name)
        if name in ("address", "count"):
            found += [f"--{name}", str(value)]
        elif name == "value":
            found += ["--value", str(int(value))]
        elif name in ("bits", "values", "registers"):
            found += ["--values", _list(value)]
        else:
            assert name == "id_length", name
    return found


def _list(values: Iterable[int]) -> str:
    return ",".join([str(int(value)) for value in values])
