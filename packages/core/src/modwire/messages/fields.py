"""`FIELDS`: the names, the sizes and the allowed values of the fields of every PDU.

The names are those of the specification, the limits are the constants that the constructors check.
Tools that explain or build messages use these tables; nothing is decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from . import bit_access as bits
from . import device_status as status
from . import encapsulated as identification
from . import file_access as files
from . import register_access as registers
from . import register_operations as operations
from .base import ExceptionResponse, Message
from .diagnostics import (
    PLUS_WORDS,
    RESTART_WORDS,
    DiagnosticsRequest,
    DiagnosticsResponse,
    DiagnosticsSubFunction,
)
from .forms import MAX_READ_REGISTERS
from .modbus_plus import PLACES, STATISTICS_SIZE, Counters, Map


class FieldKind(Enum):
    """Meaning of the bytes of a field."""

    NUMBER = "number"  # in decimal digits
    CODE = "code"  # in hexadecimal digits
    ADDRESS = "address"
    QUANTITY = "quantity"  # of `unit`s, from the address in the field `at` on
    BYTE_COUNT = "byte count"  # of all fields after it
    BITS = "bits"  # eight to a byte
    MAP = "map"  # of numbers, eight to a byte; the first is `least`
    REGISTERS = "registers"
    BYTES = "bytes"
    GROUPS = "groups"  # `fields`, repeated


class Field(NamedTuple):
    """One field of a PDU, in its order after the function code.

    `size` is in bytes; 0 means the rest of the bytes in the byte count before it, or in the PDU.
    The value is `least` to `most` in steps of `step`, or one of `names`. `unit` is the unit of a
    quantity, or the table of an address. `of` names the field with the quantity, `at` the field
    with the address of the first item; in a response both may be fields of the request. `variants`
    are the fields that follow each value.

    `fields` are those of one group; their names follow that of the groups. `{}` in a name is the
    number of the group, counted from `least` on.
    """

    name: str
    size: int
    kind: FieldKind = FieldKind.NUMBER
    least: int = 0
    most: int = 0xFFFF
    step: int = 1
    unit: str = ""
    names: Mapping[int, str] = MappingProxyType({})
    of: str = ""
    at: str = ""
    fields: tuple[Field, ...] = ()
    variants: Mapping[int, tuple[Field, ...]] = MappingProxyType({})


def fields_of(message_class: type[Message]) -> tuple[Field, ...] | None:
    """Return the fields of a message, or None for a custom function that has no table."""
    for each in message_class.__mro__:
        if each in FIELDS:
            return FIELDS[each]
    return None


def _address(table: str, name: str = "address") -> Field:
    return Field(name, 2, FieldKind.ADDRESS, unit=table)


def _quantity(most: int, unit: str, name: str = "quantity", at: str = "address") -> Field:
    return Field(name, 2, FieldKind.QUANTITY, 1, most, unit=unit, at=at)


def _code(name: str, size: int, names: Mapping[int, str] = MappingProxyType({})) -> Field:
    return Field(name, size, FieldKind.CODE, names=names)


def _byte_count(
    name: str, least: int, most: int, step: int = 1, unit: str = "", of: str = "", size: int = 1
) -> Field:
    return Field(name, size, FieldKind.BYTE_COUNT, least, most, step, unit, of=of)


def _registers(of: str, at: str = "", unit: str = "register") -> Field:
    return Field("registers", 0, FieldKind.REGISTERS, unit=unit, of=of, at=at)


def _groups(name: str, *fields: Field, first: int = 1, of: str = "") -> Field:
    return Field(name, 0, FieldKind.GROUPS, first, of=of, fields=fields)


def _bit_values(unit: str, most: int) -> tuple[Field, ...]:
    """Return a byte count, and bits from the address in this PDU or in the request on."""
    return (
        _byte_count("byte count", 1, (most + 7) >> 3, unit=unit, of="quantity"),
        Field(f"{unit}s", 0, FieldKind.BITS, unit=unit, of="quantity", at="address"),
    )


def _register_values(most: int, which: str = "", name: str = "byte count") -> tuple[Field, ...]:
    """Return a byte count, and registers from the address in this PDU or in the request on."""
    return (
        _byte_count(name, 2, 2 * most, 2, "register", f"{which}quantity"),
        _registers(f"{which}quantity", f"{which}address"),
    )


_HOLDING = _address("holding register")
_READ = _quantity(MAX_READ_REGISTERS, "register")
_STATUS = _code("status", 2, {0xFFFF: "busy with a program command", 0x0000: "not busy"})
_EVENT_COUNT = Field("event count", 2)
_WRITTEN_COILS = (_address("coil"), _quantity(bits.MAX_WRITE_BITS, "coil"))
_WRITTEN_REGISTERS = (_HOLDING, _quantity(registers.MAX_WRITE_REGISTERS, "register"))

# File records.
_REFERENCE_TYPE = Field("reference type", 1, names={files.REFERENCE_TYPE: "a file"})
_PLACE = (
    _REFERENCE_TYPE,
    Field("file", 2, least=1),
    Field("record", 2, most=files.FILE_RECORDS - 1, unit="record"),
    _quantity(files.FILE_RECORDS, "register", "length", "record"),
)

# Function 8: the statistics of sub-function 21, whose order is that of the bytes on the wire.
_NODE_TYPES = {
    0: "unknown",
    1: "PLC",
    2: "Modbus bridge",
    3: "host computer",
    4: "Bridge Plus",
    5: "peer I/O",
}
_MAC_STATES = (
    "power up",
    "monitor offline",
    "duplicate offline",
    "idle",
    "use token",
    "work response",
    "pass token",
    "solicit response",
    "check pass",
    "claim token",
    "claim response",
)
_PEER_STATES = {
    0: "monitor link operation",
    32: "normal link operation",
    64: "never gets the token",
    96: "sole station",
    128: "duplicate station",
}
_PLUS_NAMES = {
    "node_type": _NODE_TYPES,
    "mac_state": dict(enumerate(_MAC_STATES)),
    "peer_status": _PEER_STATES,
}


def _plus_fields() -> tuple[Field, ...]:
    found: dict[int, Field] = {}  # by offset on the wire
    for name, place in PLACES.items():
        words = name.replace("_", " ")
        words = re.sub(r"\b(crc|dma|mac)\b", lambda found: found[0].upper(), words)
        for index in range(place.size):
            at = place.at + index
            if isinstance(place, Map):
                first = 8 * index + 1
                field = Field(f"{words} {first} to {first + 7}", 1, FieldKind.MAP, least=first)
            elif isinstance(place, Counters):
                field = Field(f"{words[:-1]} {index + 1}", 1, most=0xFF)
            elif place.size == 1:
                field = Field(words, 1, most=0xFF)
            else:
                found[at] = Field(words, 2, names=_PLUS_NAMES.get(name, {}))
                break
            found[at ^ 1] = field
    return tuple([found[at] for at in sorted(found)])


_PLUS_STATISTICS = _plus_fields()
# The byte count in front, which no node type is, is in the documents; pymodbus leaves it out.
_NODE_TYPE_OR_SIZE = _PLUS_STATISTICS[0]._replace(
    name="node type, or byte count",
    names={**_NODE_TYPES, STATISTICS_SIZE: "bytes of statistics"},
    variants={
        **dict.fromkeys(_NODE_TYPES, _PLUS_STATISTICS[1:]),
        STATISTICS_SIZE: _PLUS_STATISTICS,
    },
)

# Function 8: the data of each sub-function.
_DATA = _code("data", 2)
_DIAGNOSTICS: dict[int, tuple[Field, ...]] = {
    **{sub_function.value: (_DATA._replace(most=0),) for sub_function in DiagnosticsSubFunction},
    0: (_DATA, _groups("", _DATA)),
    1: (_DATA._replace(names=RESTART_WORDS),),
    3: (_DATA._replace(most=0xFF00, step=0x100),),
    21: (_DATA._replace(names=PLUS_WORDS),),
}
_DIAGNOSTICS_ANSWERS: dict[int, tuple[Field, ...]] = {
    **_DIAGNOSTICS,
    2: (_code("diagnostic register", 2),),
    **{counter: (Field("counter", 2),) for counter in range(11, 20)},
    21: (_DATA._replace(names=PLUS_WORDS, variants={3: (_NODE_TYPE_OR_SIZE,), 4: ()}),),
}

# Function 43.
_MEI_TYPE = Field("MEI type", 1)
_CATEGORIES: dict[int, str] = {
    code: f"{code.name.lower()}, objects 0 to {last}"
    for code, last in identification.LAST_OBJECTS.items()
}
_READ_CODE = Field(
    "read device id code",
    1,
    least=min(identification.READ_CODES),
    most=max(identification.READ_CODES),
    names={**_CATEGORIES, identification.ReadDeviceIdCode.SPECIFIC: "one object"},
)
_OBJECT_ID = Field("object id", 1, most=0xFF)
_ACCESS = {0x00: "stream only", identification.INDIVIDUAL_ACCESS: "stream and single objects"}
_CONFORMITY_LEVELS = {
    level: f"{identification.READ_CODES[level & 0x7F].name.lower()} identification, "
    f"{_ACCESS[level & identification.INDIVIDUAL_ACCESS]}"
    for level in identification.CONFORMITY_LEVELS
}

# By class, or by the form that a request and its response share.
FIELDS: dict[type[Message], tuple[Field, ...]] = {
    ExceptionResponse: (Field("exception code", 1, least=1, most=0xFF),),
    # Functions 1 to 4.
    bits.ReadCoilsRequest: (_address("coil"), _quantity(bits.MAX_READ_BITS, "coil")),
    bits.ReadCoilsResponse: _bit_values("coil", bits.MAX_READ_BITS),
    bits.ReadDiscreteInputsRequest: (
        _address("discrete input"),
        _quantity(bits.MAX_READ_BITS, "discrete input"),
    ),
    bits.ReadDiscreteInputsResponse: _bit_values("discrete input", bits.MAX_READ_BITS),
    registers.ReadHoldingRegistersRequest: (_HOLDING, _READ),
    registers.ReadInputRegistersRequest: (_address("input register"), _READ),
    registers.ReadHoldingRegistersResponse: _register_values(MAX_READ_REGISTERS),
    registers.ReadInputRegistersResponse: _register_values(MAX_READ_REGISTERS),
    # Functions 5, 6, 15 and 16.
    bits.CoilValue: (_address("coil"), _code("value", 2, {bits.ON: "on", bits.OFF: "off"})),
    registers.RegisterValue: (_HOLDING, _registers("", "address")._replace(name="value", size=2)),
    bits.WriteMultipleCoilsRequest: (*_WRITTEN_COILS, *_bit_values("coil", bits.MAX_WRITE_BITS)),
    bits.WriteMultipleCoilsResponse: _WRITTEN_COILS,
    registers.WriteMultipleRegistersRequest: (
        *_WRITTEN_REGISTERS,
        *_register_values(registers.MAX_WRITE_REGISTERS),
    ),
    registers.WriteMultipleRegistersResponse: _WRITTEN_REGISTERS,
    # Functions 7, 8, 11, 12 and 17.
    status.BareRequest: (),
    status.ReadExceptionStatusResponse: (Field("status", 1, FieldKind.BITS, most=0xFF),),
    DiagnosticsRequest: (Field("sub-function", 2, variants=_DIAGNOSTICS),),
    DiagnosticsResponse: (Field("sub-function", 2, variants=_DIAGNOSTICS_ANSWERS),),
    status.GetCommEventCounterResponse: (_STATUS, _EVENT_COUNT),
    status.GetCommEventLogResponse: (
        _byte_count("byte count", status.COUNTERS_SIZE, status.MAX_LOG_SIZE),
        _STATUS,
        _EVENT_COUNT,
        Field("message count", 2),
        _groups("", _code("event {}", 1), first=0),
    ),
    status.ReportServerIdResponse: (
        _byte_count("byte count", 1, status.MAX_SERVER_ID_DATA),
        Field("server id", 0, FieldKind.BYTES),
        _code("run indicator", 1, {0xFF: "on", 0x00: "off"}),
        Field("additional data", 0, FieldKind.BYTES),
    ),
    # Functions 20 and 21.
    files.ReadFileRecordRequest: (
        _byte_count("byte count", files.GROUP_SIZE, files.MAX_READ_SIZE, files.GROUP_SIZE),
        _groups("group {}: ", *_PLACE),
    ),
    files.ReadFileRecordResponse: (
        _byte_count("data length", files.MIN_READ_LENGTH, files.MAX_FILE_LENGTH),
        _groups(
            "group {}: ",
            _byte_count("length", 3, 0xFF, 2, "register", "length"),
            _REFERENCE_TYPE,
            _registers("length", "record"),
        ),
    ),
    files.FileRecords: (
        _byte_count("data length", files.MIN_WRITE_LENGTH, files.MAX_FILE_LENGTH),
        _groups("group {}: ", *_PLACE, _registers("length", "record")),
    ),
    # Functions 22, 23 and 24.
    operations.Masks: (_HOLDING, _code("AND mask", 2), _code("OR mask", 2)),
    operations.ReadWriteMultipleRegistersRequest: (
        _address("holding register", "read address"),
        _READ._replace(name="read quantity", at="read address"),
        _address("holding register", "write address"),
        _quantity(
            operations.MAX_READ_WRITE_REGISTERS, "register", "write quantity", "write address"
        ),
        *_register_values(operations.MAX_READ_WRITE_REGISTERS, "write ", "write byte count"),
    ),
    operations.ReadWriteMultipleRegistersResponse: _register_values(MAX_READ_REGISTERS, "read "),
    operations.ReadFifoQueueRequest: (_address("holding register", "FIFO pointer address"),),
    operations.ReadFifoQueueResponse: (
        _byte_count(
            "byte count", 2, 2 + 2 * operations.MAX_FIFO_COUNT, 2, "register", "FIFO count", size=2
        ),
        _quantity(operations.MAX_FIFO_COUNT, "register", "FIFO count", "")._replace(least=0),
        _registers("FIFO count", unit="value"),
    ),
    # Function 43.
    identification.CanopenData: (
        _MEI_TYPE,
        Field("MEI data", 0, FieldKind.BYTES, most=identification.MAX_MEI_DATA),
    ),
    identification.ReadDeviceIdentificationRequest: (_MEI_TYPE, _READ_CODE, _OBJECT_ID),
    identification.ReadDeviceIdentificationResponse: (
        _MEI_TYPE,
        _READ_CODE,
        _code("conformity level", 1, _CONFORMITY_LEVELS),
        _code("more follows", 1, {0xFF: "yes, ask again from the next object id on", 0x00: "no"}),
        Field("next object id", 1, most=0xFF),
        Field("number of objects", 1, most=0xFF),
        _groups(
            "",
            _OBJECT_ID,
            _byte_count("object length", 0, identification.MAX_OBJECT_LENGTH),
            Field("object", 0, FieldKind.BYTES, at="object id"),
            of="number of objects",
        ),
    ),
}
