"""A request or a response in one line of words, for lists of traffic and of captures.

Every sequence of bytes has a text; if the bytes break the specification, the text says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modwire import (
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    DiagnosticsRequest,
    DiagnosticsResponse,
    ExceptionResponse,
    ExceptionResponseError,
    GetCommEventCounterResponse,
    GetCommEventLogResponse,
    InvalidRequestError,
    InvalidResponseError,
    MaskWriteRegisterRequest,
    MaskWriteRegisterResponse,
    Message,
    RawResponse,
    ReadDeviceIdCode,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
    ReadExceptionStatusResponse,
    ReadFifoQueueRequest,
    ReadFifoQueueResponse,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    ReadWriteMultipleRegistersRequest,
    ReportServerIdResponse,
    Response,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
    decode_request,
    decode_response,
)
from modwire.messages.bit_access import ReadBitsRequest, ReadBitsResponse
from modwire.messages.device_status import BareRequest
from modwire.messages.fields import FIELDS
from modwire.messages.forms import (
    ReadRegistersRequest,
    ReadRegistersResponse,
    WriteMultipleResponse,
)

from .names import exception_name, function_of, object_text, sub_function_text, text_or_hex
from .walk import count

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

SHOWN = 16  # values in a text; for more, it has the number of the others
_SHOWN_BYTES = 32


def describe_request(pdu: bytes) -> str:
    """Return a request in words: "read 3 holding registers from 16"."""
    try:
        request = decode_request(pdu)
    except InvalidRequestError as error:
        return _odd(pdu, str(error))
    return _tell_request(request)


def describe_response(pdu: bytes, request: bytes | None = None) -> str:
    """Return a response in words: "1, 2, 3", "done", "exception 02, illegal data address".

    `request` is the PDU of the request, if known. Without it, the number of bits is a multiple of
    8, and nothing is compared.
    """
    try:
        return _tell_response(_decoded(pdu, request))
    except ExceptionResponseError as error:
        return f"exception {error.code:02X}, {exception_name(error.code)}"
    except InvalidResponseError as error:
        return _odd(pdu, str(error))


def problem(pdu: bytes, *, is_response: bool, request: bytes | None = None) -> str:
    """Return the fault of a PDU, in the words of modwire's errors; "" if it is right.

    An exception response is right, and also a function that the specification does not define.
    """
    code = pdu[0] if pdu else 0
    if pdu and (code == 0 or (code & 0x80 and not is_response)):
        return f"function code must be 1..127, got {code}"
    if pdu and not is_response and function_of(pdu) is None:
        return ""
    try:
        if is_response:
            _decoded(pdu, request)
        else:
            decode_request(pdu)
    except ExceptionResponseError:
        return ""
    except (InvalidRequestError, InvalidResponseError) as error:
        return str(error)
    return ""


class Judged(NamedTuple):
    """A request and its response in words, and all their faults."""

    request_text: str
    response_text: str
    wrong: list[str]


def judge(request: bytes | None, response: bytes | None) -> Judged:
    """Return the results of the functions above for an exchange; decodes each message once.

    The text of a message that is None is "".
    """
    asked: AnyRequest | None = None
    request_text = response_text = ""
    wrong: list[str] = []
    if request is not None:
        try:
            asked = decode_request(request)
            request_text = _tell_request(asked)
        except InvalidRequestError as error:
            request_text = _odd(request, str(error))
            wrong.append(problem(request, is_response=False))
    if response is not None:
        try:
            answer = decode_response(response) if asked is None else asked.decode_response(response)
            response_text = _tell_response(answer)
        except ExceptionResponseError as error:
            response_text = f"exception {error.code:02X}, {exception_name(error.code)}"
        except InvalidResponseError as error:
            response_text = _odd(response, str(error))
            wrong.append(problem(response, is_response=True, request=request))
    return Judged(request_text, response_text, [text for text in wrong if text])


def _decoded(pdu: bytes, request: bytes | None) -> Response:
    if pdu and request:
        try:
            asked = decode_request(request)
        except InvalidRequestError:
            pass
        else:
            return asked.decode_response(pdu)
    return decode_response(pdu)


def _odd(pdu: bytes, why: str) -> str:
    """Return the text for bytes that are no message of the specification."""
    if not pdu:
        return "nothing"
    function = function_of(pdu)
    name = function.name if function else f"function {pdu[0] & 0x7F}"
    if pdu[0] & 0x80:
        name = f"exception to {name}"
    if function is None and not pdu[0] & 0x80:
        return f"{name}: {_hex(pdu[1:])}" if len(pdu) > 1 else name
    return f"{name}, malformed: {why}"


def _hex(data: bytes) -> str:
    more = len(data) - _SHOWN_BYTES
    text = data[:_SHOWN_BYTES].hex(" ").upper()
    return f"{text} and {count(more, 'more byte')}" if more > 0 else text


def _list(values: Sequence[object], separator: str = ", ") -> str:
    more = len(values) - SHOWN
    text = separator.join([str(value) for value in values[:SHOWN]])
    return f"{text} and {more} more" if more > 0 else text


def _bits(bits: Iterable[bool]) -> str:
    return _list([int(bit) for bit in bits], " ")


def _tell_request(request: Message) -> str:
    match request:
        case ReadBitsRequest() | ReadRegistersRequest():
            table = FIELDS[type(request)][0].unit
            return f"read {count(request.count, table)} from {request.address}"
        case WriteSingleCoilRequest(address, value):
            return f"write coil {address}: {'on' if value else 'off'}"
        case WriteSingleRegisterRequest(address, value):
            return f"write register {address}: {value}"
        case WriteMultipleCoilsRequest(address, values):
            return f"write {count(len(values), 'coil')} from {address}: {_bits(values)}"
        case WriteMultipleRegistersRequest(address, values):
            return f"write {count(len(values), 'register')} from {address}: {_list(values)}"
        case MaskWriteRegisterRequest(address, and_mask, or_mask):
            return f"mask register {address}: AND {and_mask:04X}, OR {or_mask:04X}"
        case ReadWriteMultipleRegistersRequest(read_address, number, address, values):
            return (
                f"write {count(len(values), 'register')} from {address}: {_list(values)}; "
                f"then read {number} from {read_address}"
            )
        case ReadFifoQueueRequest(address):
            return f"read the FIFO queue at {address}"
        case BareRequest():
            function = function_of(request.encode())
            return function.name.replace(" ", " the ", 1) if function else repr(request)
        case _:
            return _tell_other_request(request)


def _tell_other_request(request: Message) -> str:
    match request:
        case DiagnosticsRequest(sub_function, data):
            return f"diagnostics {sub_function_text(sub_function)}{_words(data)}"
        case ReadFileRecordRequest(records):
            places = [
                f"{count(number, 'register')} of file {file} from record {record}"
                for file, record, number in records
            ]
            return f"read {_list(places, ' and ')}"
        case WriteFileRecordRequest(records):
            places = [
                f"file {file} from record {record}: {_list(values)}"
                for file, record, values in records
            ]
            return f"write {_list(places, ' and ')}"
        case ReadDeviceIdentificationRequest(read_code, object_id):
            if read_code == ReadDeviceIdCode.SPECIFIC:
                return f"read {_object_name(object_id)} of the device identification"
            text = f"read the {read_code.name.lower()} device identification"
            return f"{text} from object {object_id}" if object_id else text
        case CanopenGeneralReferenceRequest(data):
            return f"CANopen general reference: {_hex(data)}".rstrip(": ")
        case _:
            return repr(request)


def _words(data: Sequence[int]) -> str:
    """Return the data words of function 8; "" for none or 0000, as most sub-functions have."""
    if tuple(data) in ((), (0,)):
        return ""
    return f": {_list([f'{word:04X}' for word in data], ' ')}"


def _tell_response(response: Response) -> str:
    match response:
        case ReadBitsResponse():
            return _bits(response.bits)
        case ReadRegistersResponse(registers):
            return _list(registers)
        case ReadFifoQueueResponse(registers):
            return _list(registers) or "the queue is empty"
        case ReadFileRecordResponse(records):
            return _list([_list(group) for group in records], "; ")
        case (
            WriteSingleCoilResponse()
            | WriteSingleRegisterResponse()
            | WriteMultipleResponse()
            | WriteFileRecordResponse()
            | MaskWriteRegisterResponse()
        ):
            return "done"
        case ExceptionResponse(_, code):
            return f"exception {code:02X}, {exception_name(code)}"
        case _:
            return _tell_status(response)


def _tell_status(response: Response) -> str:
    match response:
        case ReadExceptionStatusResponse(status):
            return f"status {_bits([bool(status >> bit & 1) for bit in range(8)])}"
        case DiagnosticsResponse(sub_function, data):
            fields = FIELDS[DiagnosticsResponse][0].variants.get(sub_function)
            read = fields[0].name if fields else ""
            if read == "counter":
                return str(data[0])
            repeats = not data or (read == "data" and sub_function not in (0, 21))
            return "done" if repeats else _list([f"{word:04X}" for word in data], " ")
        case GetCommEventCounterResponse(status, events):
            return f"{_busy(status)}, {count(events, 'event')}"
        case GetCommEventLogResponse(status, events, messages, log):
            text = f"{_busy(status)}, {count(events, 'event')}, {count(messages, 'message')}"
            return f"{text}, log {_hex(log)}" if log else text
        case ReportServerIdResponse(server_id, running, more):
            text = text_or_hex(server_id)
            if running is not None:
                text += ", running" if running else ", not running"
            return f"{text}, {text_or_hex(more)}" if more else text
        case ReadDeviceIdentificationResponse():
            named = [
                f"{_object_name(object_id)} {text_or_hex(value)}"
                for object_id, value in response.objects
            ]
            text = _list(named) or "no objects"
            return f"{text}, more follow" if response.more_follows else text
        case CanopenGeneralReferenceResponse(data):
            return _hex(data)
        case RawResponse(code, data):
            return f"function {code}: {_hex(data)}".rstrip(": ")
        case _:
            return repr(response)


def _object_name(object_id: int) -> str:
    return f"object {object_id}" if object_id > 6 else object_text(object_id).partition(", ")[2]


def _busy(status: int) -> str:
    return {0x0000: "not busy", 0xFFFF: "busy"}.get(status, f"status {status:04X}")
