"""`KINDS`: every message that modwire has, made from `Arguments`.

The arguments of a message are those of its constructor; an argument that is not given gets a value
that makes a valid message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from modwire import (
    REQUESTS,
    CanopenGeneralReferenceRequest,
    CanopenGeneralReferenceResponse,
    DiagnosticsRequest,
    DiagnosticsResponse,
    DiagnosticsSubFunction,
    ExceptionResponse,
    Message,
    ModbusPlusOperation,
    ModbusPlusStatistics,
    RawRequest,
    ReadDeviceIdCode,
    ReadFifoQueueResponse,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    ReadWriteMultipleRegistersRequest,
    ReadWriteMultipleRegistersResponse,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
)
from modwire.messages.fields import FIELDS, fields_of
from modwire.messages.modbus_plus import STATISTICS_SIZE

from .arguments import Arguments, numbers_of, parse_bytes, parse_numbers
from .names import function_of, message_class_of

Build = Callable[[Arguments], Message | None]
Readers = Mapping[str, Callable[[Arguments], object]]

ValueT = TypeVar("ValueT")

ADDRESS, COUNT = 18, 8  # default address and count of reads and writes


class Kind(NamedTuple):
    """A function, or a sub-function of 8 or 43; `request` and `response` build its messages."""

    code: int
    sub_code: int | None
    name: str  # "read_coils"
    request: Build
    response: Build  # returns None if the specification allows no response

    @property
    def title(self) -> str:
        """The code and the name: "1, read coils", "8/11, return bus message count"."""
        code = f"{self.code}" if self.sub_code is None else f"{self.code}/{self.sub_code}"
        return f"{code}, {self.name.replace('_', ' ')}"


def exception_response(kind: Kind, code: int) -> ExceptionResponse:
    """Return the exception response that a server sends to refuse this function."""
    return ExceptionResponse(kind.code, code)


def _bits(given: Arguments) -> list[bool]:
    return _counted(given, given.bits("values"), True)


def _registers(given: Arguments) -> list[int]:
    return _counted(given, given.numbers("values"), 1)


def _counted(given: Arguments, values: list[ValueT] | None, filling: ValueT) -> list[ValueT]:
    """Return the given values, or `count` copies of `filling`."""
    count = given.number("count", COUNT if values is None else len(values))
    if count < 1:
        raise ValueError(f"--count must be at least 1, got {count}")
    if values is None:
        # The message refuses too many values; a short list is enough for that.
        return [filling] * min(count, 0x10000)
    if len(values) != count:
        raise ValueError(f"--count must be the number of values, {len(values)}, got {count}")
    return values


def _some(given: Arguments) -> list[int]:
    """Return the values of a message that has no count."""
    return _or(given.numbers("values"), [1] * COUNT)


def _or(value: ValueT | None, default: ValueT) -> ValueT:
    return default if value is None else value


def _one(values: list[ValueT] | None, default: ValueT) -> ValueT:
    if values is None:
        return default
    if len(values) != 1:
        raise ValueError(f"--values must be one value for this function, got {len(values)}")
    return values[0]


# Files: places are FILE:RECORD:COUNT, written ones FILE:RECORD=VALUES, with ";" between groups.

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


def _read_records(given: Arguments) -> list[list[int]]:
    groups = given.groups("values")
    if groups is None:
        return [[1] * count for _, _, count in _places(given)]
    return [parse_numbers("values", group) for group in groups]


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


# Function 43.

_CODES = {code.name.lower(): code for code in ReadDeviceIdCode}


def _read_code(given: Arguments) -> int:
    text = given.text("read-code")
    if text is not None and text.lower() in _CODES:
        return _CODES[text.lower()]
    return given.number("read-code", 1)


def _objects(given: Arguments) -> list[tuple[int, bytes]]:
    groups = given.groups("objects")
    if groups is None:
        every = [(0, b"modwire"), (1, b"M1"), (2, b"1.0")]
        wanted = given.number("object-id", 0)
        if _read_code(given) != ReadDeviceIdCode.SPECIFIC:
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


# The readers of the arguments, by the names in the constructor.

_READERS: Readers = {
    "address": lambda given: given.number("address", ADDRESS),
    "count": lambda given: len(_registers(given)),
    "value": lambda given: _one(given.numbers("values"), 1),
    "values": _registers,
    "registers": _registers,
    "bits": _bits,
    "read_address": lambda given: given.number("address", ADDRESS),
    "read_count": lambda given: given.number("count", COUNT),
    "write_address": lambda given: given.number("write-address", ADDRESS),
    "and_mask": lambda given: given.number("and-mask", 0xFFFF),
    "or_mask": lambda given: given.number("or-mask", 0),
    "status": lambda given: given.number("status", 0),
    "event_count": lambda given: given.number("event-count", COUNT),
    "message_count": lambda given: given.number("message-count", COUNT),
    "events": lambda given: _or(given.numbers("events"), [0x40, 0x80]),
    "server_id": lambda given: _or(given.bytes("server-id"), b"modwire"),
    "run_indicator": lambda given: given.switch("running", True),
    "additional_data": lambda given: _or(given.bytes("additional"), b""),
    "read_code": _read_code,
    "object_id": lambda given: given.number("object-id", 0),
    "conformity_level": lambda given: given.number("conformity", 0x81),
    "more_follows": lambda given: given.switch(
        "more-follows", given.number("next-object-id", 0) != 0
    ),
    "next_object_id": lambda given: given.number("next-object-id", 0),
    "objects": _objects,
}
_BIT_READERS: Readers = {
    "count": lambda given: len(_bits(given)),
    "value": lambda given: _one(given.bits("values"), True),
    "values": _bits,
}
_OWN_READERS: Mapping[type[Message], Readers] = {
    ReadFileRecordRequest: {"records": _places},
    ReadFileRecordResponse: {"records": _read_records},
    WriteFileRecordRequest: {"records": _written},
    WriteFileRecordResponse: {"records": _written},
    ReadWriteMultipleRegistersRequest: {"values": _some},
    ReadWriteMultipleRegistersResponse: {
        "registers": lambda given: _counted(given, given.numbers("read-values"), 1)
    },
    ReadFifoQueueResponse: {"registers": _some},
    CanopenGeneralReferenceRequest: {"data": lambda given: _or(given.bytes("data"), b"")},
    CanopenGeneralReferenceResponse: {"data": lambda given: _or(given.bytes("answer"), b"")},
}

_FILE_MESSAGES = (
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
)


def _builder(message_class: type[Message] | None) -> Build:
    """Return a function that makes messages of a class from `Arguments`."""
    assert message_class is not None
    make: Callable[..., Message] = message_class
    has_bits = any(
        field.unit in ("coil", "discrete input") for field in fields_of(message_class) or ()
    )
    own = _OWN_READERS.get(message_class, {})
    readers = {**_READERS, **(_BIT_READERS if has_bits else {}), **own}
    wanted = [readers[name] for name in message_class.__match_args__ if name in readers]

    def build(given: Arguments) -> Message:
        values = [read(given) for read in wanted]
        if message_class in _FILE_MESSAGES and values == [[]]:
            return RawRequest(message_class.function_code, b"\0")  # no groups, as pymodbus has it
        return make(*values)

    return build


def _diagnostics(sub_function: DiagnosticsSubFunction) -> Kind:
    gets_statistics = sub_function is DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS
    echoes = FIELDS[DiagnosticsResponse][0].variants[sub_function][0].name == "data"

    def asked(given: Arguments) -> list[int]:
        default = ModbusPlusOperation.GET_STATISTICS.value if gets_statistics else 0
        return _or(given.numbers("data"), [default])

    def request(given: Arguments) -> Message:
        words = asked(given)
        if gets_statistics and words == [0]:
            return RawRequest(8, bytes((0, sub_function, 0, 0)))  # pymodbus sends this, too
        return DiagnosticsRequest(sub_function, words)

    def response(given: Arguments) -> Message | None:
        if sub_function is DiagnosticsSubFunction.FORCE_LISTEN_ONLY_MODE:
            return None
        words, answer = asked(given), given.numbers("answer")
        if answer is None:
            answer = words if echoes else [0]
            if gets_statistics and words == [ModbusPlusOperation.GET_STATISTICS]:
                answer = [*words, STATISTICS_SIZE, *ModbusPlusStatistics().to_words()]
        return DiagnosticsResponse(sub_function, answer)

    return Kind(8, int(sub_function), sub_function.name.lower(), request, response)


def _all_kinds() -> list[Kind]:
    kinds: list[Kind] = []
    for request_class in REQUESTS:
        code, sub_code = request_class.function_code, request_class.sub_code
        if request_class is DiagnosticsRequest:
            kinds += [_diagnostics(sub_function) for sub_function in DiagnosticsSubFunction]
            continue
        pdu = bytes((code,)) if sub_code is None else bytes((code, sub_code))
        function = function_of(pdu)
        assert function is not None
        name = function.name.lower().replace(" ", "_").replace("/", "_")
        response_class = message_class_of(pdu, is_response=True)
        kinds.append(Kind(code, sub_code, name, _builder(request_class), _builder(response_class)))
    return kinds


KINDS: tuple[Kind, ...] = tuple(_all_kinds())
