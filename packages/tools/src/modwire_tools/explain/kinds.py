"""`KINDS`: every message that modwire has, made from `Arguments`.

What is not given has a value that makes a valid message, so that each can be had without any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from modwire import (
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    DiagnosticsRequest,
    DiagnosticsResponse,
    DiagnosticsSubFunction,
    ExceptionResponse,
    GetCommEventCounterRequest,
    GetCommEventCounterResponse,
    GetCommEventLogRequest,
    GetCommEventLogResponse,
    MaskWriteRegisterRequest,
    MaskWriteRegisterResponse,
    Message,
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDeviceIdCode,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    ReadExceptionStatusRequest,
    ReadExceptionStatusResponse,
    ReadFifoQueueRequest,
    ReadFifoQueueResponse,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    ReadWriteMultipleRegistersRequest,
    ReadWriteMultipleRegistersResponse,
    ReportServerIdRequest,
    ReportServerIdResponse,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from .arguments import Arguments, numbers_of, parse_bytes, parse_numbers
from .names import FUNCTIONS, MEI_TYPES

Build = Callable[[Arguments], Message | None]

ValueT = TypeVar("ValueT")

ADDRESS, COUNT = 18, 8  # what is read and written where nothing is given


class Kind(NamedTuple):
    """A function, or a sub-function of 8 or 43, with what makes its request and its response."""

    code: int
    sub_code: int | None
    name: str  # "read_coils"
    request: Build
    response: Build  # gives None where the specification wants no answer

    @property
    def title(self) -> str:
        """ "1, read coils", "8/11, return bus message count"."""
        code = f"{self.code}" if self.sub_code is None else f"{self.code}/{self.sub_code}"
        return f"{code}, {self.name.replace('_', ' ')}"


def exception_response(kind: Kind, code: int) -> ExceptionResponse:
    """The exception with which a server refuses this function."""
    return ExceptionResponse(kind.code, code)


def _address(given: Arguments) -> int:
    return given.number("address", ADDRESS)


def _bits(given: Arguments) -> list[bool]:
    return _counted(given, given.bits("values"), True)


def _registers(given: Arguments) -> list[int]:
    return _counted(given, given.numbers("values"), 1)


def _counted(
    given: Arguments, values: list[ValueT] | None, filling: ValueT, default: int = COUNT
) -> list[ValueT]:
    """The values that were given, or as many as were asked for."""
    count = given.number("count", default if values is None else len(values))
    if count < 1:
        raise ValueError(f"--count must be at least 1, got {count}")
    if values is None:
        # The most that may be is for the message to say; it needs no long list for that.
        return [filling] * min(count, 0x10000)
    if len(values) != count:
        raise ValueError(f"--count must be the number of values, {len(values)}, got {count}")
    return values


def _read_bits(request: Callable[[int, int], Message]) -> Build:
    return lambda given: request(_address(given), len(_bits(given)))


def _read_registers(request: Callable[[int, int], Message]) -> Build:
    return lambda given: request(_address(given), len(_registers(given)))


def _one(given: Arguments, name: str = "values") -> int:
    values = given.numbers(name)
    if values is None:
        return 1
    if len(values) != 1:
        raise ValueError(f"--{name} must be one value for this function, got {len(values)}")
    return values[0]


def _one_bit(given: Arguments) -> bool:
    values = given.bits("values")
    if values is None:
        return True
    if len(values) != 1:
        raise ValueError(f"--values must be one value for this function, got {len(values)}")
    return values[0]


def _masks(given: Arguments) -> tuple[int, int, int]:
    return _address(given), given.number("and-mask", 0xFFFF), given.number("or-mask", 0)


def _read_write_request(given: Arguments) -> Message:
    values = given.numbers("values")
    return ReadWriteMultipleRegistersRequest(
        _address(given),
        given.number("count", COUNT),
        given.number("write-address", ADDRESS),
        [1] * COUNT if values is None else values,
    )


def _read_write_response(given: Arguments) -> Message:
    return ReadWriteMultipleRegistersResponse(_counted(given, given.numbers("read-values"), 1))


def _fifo_response(given: Arguments) -> Message:
    values = given.numbers("values")
    return ReadFifoQueueResponse([1] * COUNT if values is None else values)


# Files: places are FILE:RECORD:COUNT, written ones FILE:RECORD=VALUES, groups parted by ";".

_PLACES, _WRITTEN = "FILE:RECORD:COUNT;...", "FILE:RECORD=VALUE,VALUE;..."


def _places(given: Arguments) -> list[tuple[int, int, int]]:
    groups = given.groups("records")
    if groups is None:
        return [(4, 1, 2)]
    found: list[tuple[int, int, int]] = []
    for group in groups:
        file, record, count = numbers_of("records", group, _PLACES, 3)
        found.append((file, record, count))
    return found


def _read_file_response(given: Arguments) -> Message:
    groups = given.groups("values")
    if groups is None:
        return ReadFileRecordResponse([[1] * count for _, _, count in _places(given)])
    return ReadFileRecordResponse([parse_numbers("values", group) for group in groups])


def _written(given: Arguments) -> list[tuple[int, int, list[int]]]:
    groups = given.groups("records")
    if groups is None:
        return [(4, 7, [1, 1, 1])]
    found: list[tuple[int, int, list[int]]] = []
    for group in groups:
        place, equals, values = group.partition("=")
        if not equals:
            raise ValueError(f"--records must be {_WRITTEN} to write, got {group!r}")
        file, record = numbers_of("records", place, _WRITTEN, 2)
        found.append((file, record, parse_numbers("records", values)))
    return found


# Function 8.


def _data(given: Arguments, sub_function: int) -> list[int]:
    words = given.numbers("data")
    return [3 if sub_function == 21 else 0] if words is None else words


def _diagnostics(sub_function: DiagnosticsSubFunction) -> Kind:
    echoes = sub_function in (0, 1, 3, 10, 20)

    def request(given: Arguments) -> Message:
        return DiagnosticsRequest(sub_function, _data(given, sub_function))

    def response(given: Arguments) -> Message | None:
        if sub_function == DiagnosticsSubFunction.FORCE_LISTEN_ONLY_MODE:
            return None
        asked = _data(given, sub_function)
        answer = given.numbers("answer")
        if answer is None:
            answer = asked if echoes else [0]
            if sub_function == DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS:
                answer = [*asked, *([0] * 54 if asked == [3] else [])]
        return DiagnosticsResponse(sub_function, answer)

    return Kind(8, int(sub_function), sub_function.name.lower(), request, response)


def _event_log(given: Arguments) -> Message:
    events = given.numbers("events")
    return GetCommEventLogResponse(
        given.number("status", 0),
        given.number("event-count", COUNT),
        given.number("message-count", COUNT),
        [0x40, 0x80] if events is None else events,
    )


def _server_id(given: Arguments) -> Message:
    server_id = given.bytes("server-id")
    return ReportServerIdResponse(
        b"modwire" if server_id is None else server_id,
        given.switch("running", True),
        given.bytes("additional") or b"",
    )


# Function 43.

_CODES = {code.name.lower(): code for code in ReadDeviceIdCode}


def _read_code(given: Arguments) -> int:
    text = given.text("read-code")
    if text is not None and text.lower() in _CODES:
        return _CODES[text.lower()]
    return given.number("read-code", 1)


def _objects(given: Arguments, read_code: int) -> list[tuple[int, bytes]]:
    groups = given.groups("objects")
    if groups is None:
        every = [(0, b"modwire"), (1, b"M1"), (2, b"1.0")]
        wanted = given.number("object-id", 0)
        if read_code != ReadDeviceIdCode.SPECIFIC:
            return every
        return [(number, value) for number, value in every if number == wanted] or [(wanted, b"")]
    found: list[tuple[int, bytes]] = []
    for group in groups:
        number, equals, value = group.partition("=")
        if not equals:
            raise ValueError(f"--objects must be ID=VALUE;..., got {group!r}")
        object_id = numbers_of("objects", number, "ID=VALUE;...", 1)[0]
        found.append((object_id, parse_bytes("objects", value)))
    return found


def _identification_response(given: Arguments) -> Message:
    read_code = _read_code(given)
    following = given.number("next-object-id", 0)
    return ReadDeviceIdentificationResponse(
        read_code,
        given.number("conformity", 0x81),
        given.switch("more-follows", following != 0),
        following,
        _objects(given, read_code),
    )


def _kind(code: int, request: Build, response: Build, sub_code: int | None = None) -> Kind:
    function = FUNCTIONS[code] if sub_code is None else MEI_TYPES[sub_code]
    name = function.name.lower().replace(" ", "_").replace("/", "_")
    return Kind(code, sub_code, name, request, response)


KINDS: tuple[Kind, ...] = (
    _kind(1, _read_bits(ReadCoilsRequest), lambda given: ReadCoilsResponse(_bits(given))),
    _kind(
        2,
        _read_bits(ReadDiscreteInputsRequest),
        lambda given: ReadDiscreteInputsResponse(_bits(given)),
    ),
    _kind(
        3,
        _read_registers(ReadHoldingRegistersRequest),
        lambda given: ReadHoldingRegistersResponse(_registers(given)),
    ),
    _kind(
        4,
        _read_registers(ReadInputRegistersRequest),
        lambda given: ReadInputRegistersResponse(_registers(given)),
    ),
    _kind(
        5,
        lambda given: WriteSingleCoilRequest(_address(given), _one_bit(given)),
        lambda given: WriteSingleCoilResponse(_address(given), _one_bit(given)),
    ),
    _kind(
        6,
        lambda given: WriteSingleRegisterRequest(_address(given), _one(given)),
        lambda given: WriteSingleRegisterResponse(_address(given), _one(given)),
    ),
    _kind(
        7,
        lambda given: ReadExceptionStatusRequest(),
        lambda given: ReadExceptionStatusResponse(given.number("status", 0)),
    ),
    *[_diagnostics(sub_function) for sub_function in DiagnosticsSubFunction],
    _kind(
        11,
        lambda given: GetCommEventCounterRequest(),
        lambda given: GetCommEventCounterResponse(
            given.number("status", 0), given.number("event-count", COUNT)
        ),
    ),
    _kind(12, lambda given: GetCommEventLogRequest(), _event_log),
    _kind(
        15,
        lambda given: WriteMultipleCoilsRequest(_address(given), _bits(given)),
        lambda given: WriteMultipleCoilsResponse(_address(given), len(_bits(given))),
    ),
    _kind(
        16,
        lambda given: WriteMultipleRegistersRequest(_address(given), _registers(given)),
        lambda given: WriteMultipleRegistersResponse(_address(given), len(_registers(given))),
    ),
    _kind(17, lambda given: ReportServerIdRequest(), _server_id),
    _kind(20, lambda given: ReadFileRecordRequest(_places(given)), _read_file_response),
    _kind(
        21,
        lambda given: WriteFileRecordRequest(_written(given)),
        lambda given: WriteFileRecordResponse(_written(given)),
    ),
    _kind(
        22,
        lambda given: MaskWriteRegisterRequest(*_masks(given)),
        lambda given: MaskWriteRegisterResponse(*_masks(given)),
    ),
    _kind(23, _read_write_request, _read_write_response),
    _kind(24, lambda given: ReadFifoQueueRequest(_address(given)), _fifo_response),
    _kind(
        43,
        lambda given: CanopenGeneralReferenceRequest(given.bytes("data") or b""),
        lambda given: CanopenGeneralReferenceResponse(given.bytes("answer") or b""),
        13,
    ),
    _kind(
        43,
        lambda given: ReadDeviceIdentificationRequest(
            _read_code(given), given.number("object-id", 0)
        ),
        _identification_response,
        14,
    ),
)
