"""`FIELDS`: what the fields of every PDU are called, how long they are, and what they may be.

The names are the specification's, and the limits are the constants that the constructors check.
Tools that explain or build messages walk these tables; nothing here decodes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from . import bit_access as bits
from . import canopen, device_status, diagnostics, file_access, register_operations
from . import encapsulated as identification
from . import register_access as registers
from .base import ExceptionResponse, Message


class FieldKind(Enum):
    """What the bytes of a field are."""

    NUMBER = "number"  # in decimal digits
    CODE = "code"  # in hexadecimal digits
    ADDRESS = "address"
    QUANTITY = "quantity"  # of `unit`s, from the address in the field `at` on
    BYTE_COUNT = "byte count"  # of all fields after it
    BITS = "bits"  # eight to a byte
    REGISTERS = "registers"
    BYTES = "bytes"
    GROUPS = "groups"  # `fields` again and again


class Field(NamedTuple):
    """One field of a PDU, in its order after the function code.

    `size` is in bytes; 0 means all that the byte count before it leaves, or all that is there. The
    value is `least` to `most` in steps of `step`, or one of `names`. `unit` is what is counted, or
    the table of an address. `of` names the field with the quantity, `at` the field with the
    address of the first item; in a response both may be fields of the request. `variants` are the
    fields that follow each value.

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


def _bit_values(unit: str, most: int) -> tuple[Field, ...]:
    """A byte count, and bits from the address of this PDU or of the request on."""
    return (
        Field("byte count", 1, FieldKind.BYTE_COUNT, 1, (most + 7) >> 3, unit=unit, of="quantity"),
        Field(f"{unit}s", 0, FieldKind.BITS, unit=unit, of="quantity", at="address"),
    )


def _register_values(most: int, read_or_write: str = "", prefix: str = "") -> tuple[Field, ...]:
    """A byte count, and registers from the address of this PDU or of the request on."""
    of, at = f"{read_or_write}quantity", f"{read_or_write}address"
    return (
        Field(
            f"{prefix}byte count", 1, FieldKind.BYTE_COUNT, 2, 2 * most, 2, unit="register", of=of
        ),
        Field("registers", 0, FieldKind.REGISTERS, unit="register", of=of, at=at),
    )


_STATUS = Field(
    "status",
    2,
    FieldKind.CODE,
    names={0xFFFF: "busy with a program command", 0x0000: "not busy"},
)
_EVENT_COUNT = Field("event count", 2)
_COIL = (
    _address("coil"),
    Field("value", 2, FieldKind.CODE, names={bits.ON: "on", bits.OFF: "off"}),
)
_REGISTER = (
    _address("holding register"),
    Field("value", 2, FieldKind.REGISTERS, unit="register", at="address"),
)
_WRITTEN_COILS = (_address("coil"), _quantity(bits.MAX_WRITE_BITS, "coil"))
_WRITTEN_REGISTERS = (
    _address("holding register"),
    _quantity(registers.MAX_WRITE_REGISTERS, "register"),
)
_MASKS = (
    _address("holding register"),
    Field("AND mask", 2, FieldKind.CODE),
    Field("OR mask", 2, FieldKind.CODE),
)

# File records: the same four fields in each sub-request.
_REFERENCE_TYPE = Field("reference type", 1, names={file_access.REFERENCE_TYPE: "a file"})
_PLACE = (
    _REFERENCE_TYPE,
    Field("file", 2, least=1),
    Field("record", 2, most=file_access.FILE_RECORDS - 1, unit="record"),
    _quantity(file_access.FILE_RECORDS, "register", "length", "record"),
)
_WRITTEN_RECORDS = (
    Field(
        "data length",
        1,
        FieldKind.BYTE_COUNT,
        file_access.MIN_WRITE_LENGTH,
        file_access.MAX_FILE_LENGTH,
    ),
    Field(
        "group {}: ",
        0,
        FieldKind.GROUPS,
        1,
        fields=(
            *_PLACE,
            Field("registers", 0, FieldKind.REGISTERS, unit="register", of="length", at="record"),
        ),
    ),
)

# Function 8: the data of each sub-function.
_DATA = Field("data", 2, FieldKind.CODE)
_MORE_DATA = Field("", 0, FieldKind.GROUPS, fields=(_DATA,))
_ZERO = _DATA._replace(most=0)
_DIAGNOSTICS: dict[int, tuple[Field, ...]] = {
    **{sub_function.value: (_ZERO,) for sub_function in diagnostics.DiagnosticsSubFunction},
    0: (_DATA, _MORE_DATA),
    1: (_DATA._replace(names=diagnostics.RESTART_WORDS),),
    3: (_DATA._replace(most=0xFF00, step=0x100),),
    21: (_DATA._replace(names=diagnostics.PLUS_WORDS),),
}
_DIAGNOSTICS_ANSWERS: dict[int, tuple[Field, ...]] = {
    **_DIAGNOSTICS,
    2: (Field("diagnostic register", 2, FieldKind.CODE),),
    **{counter: (Field("counter", 2),) for counter in range(11, 19)},
    21: (
        *_DIAGNOSTICS[21],
        Field("", 0, FieldKind.GROUPS, 1, fields=(Field("statistics word {}", 2, FieldKind.CODE),)),
    ),
}

# Function 43.
_MEI_TYPE = Field("MEI type", 1)
_MEI_DATA = (_MEI_TYPE, Field("MEI data", 0, FieldKind.BYTES, most=canopen.MAX_MEI_DATA))
_READ_CODE = Field(
    "read device id code",
    1,
    least=min(identification.READ_CODES),
    most=max(identification.READ_CODES),
    names={
        code: f"{code.name.lower()}, objects 0 to {identification.LAST_OBJECTS[code]}"
        if code in identification.LAST_OBJECTS
        else "one object"
        for code in identification.ReadDeviceIdCode
    },
)
_OBJECT_ID = Field("object id", 1, most=0xFF)
_CONFORMITY_LEVEL = Field(
    "conformity level",
    1,
    FieldKind.CODE,
    names={
        level: f"{identification.READ_CODES[level & 0x7F].name.lower()} identification, "
        + (
            "stream and single objects"
            if level & identification.INDIVIDUAL_ACCESS
            else "stream only"
        )
        for level in identification.CONFORMITY_LEVELS
    },
)

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
    registers.ReadHoldingRegistersRequest: (
        _address("holding register"),
        _quantity(registers.MAX_READ_REGISTERS, "register"),
    ),
    registers.ReadInputRegistersRequest: (
        _address("input register"),
        _quantity(registers.MAX_READ_REGISTERS, "register"),
    ),
    registers.ReadHoldingRegistersResponse: _register_values(registers.MAX_READ_REGISTERS),
    registers.ReadInputRegistersResponse: _register_values(registers.MAX_READ_REGISTERS),
    # Functions 5, 6, 15 and 16.
    bits.WriteSingleCoilRequest: _COIL,
    bits.WriteSingleCoilResponse: _COIL,
    registers.WriteSingleRegisterRequest: _REGISTER,
    registers.WriteSingleRegisterResponse: _REGISTER,
    bits.WriteMultipleCoilsRequest: (*_WRITTEN_COILS, *_bit_values("coil", bits.MAX_WRITE_BITS)),
    bits.WriteMultipleCoilsResponse: _WRITTEN_COILS,
    registers.WriteMultipleRegistersRequest: (
        *_WRITTEN_REGISTERS,
        *_register_values(registers.MAX_WRITE_REGISTERS),
    ),
    registers.WriteMultipleRegistersResponse: _WRITTEN_REGISTERS,
    # Functions 7, 8, 11, 12 and 17.
    device_status.ReadExceptionStatusRequest: (),
    device_status.ReadExceptionStatusResponse: (Field("status", 1, FieldKind.BITS, most=0xFF),),
    diagnostics.DiagnosticsRequest: (Field("sub-function", 2, variants=_DIAGNOSTICS),),
    diagnostics.DiagnosticsResponse: (Field("sub-function", 2, variants=_DIAGNOSTICS_ANSWERS),),
    device_status.GetCommEventCounterRequest: (),
    device_status.GetCommEventCounterResponse: (_STATUS, _EVENT_COUNT),
    device_status.GetCommEventLogRequest: (),
    device_status.GetCommEventLogResponse: (
        Field(
            "byte count",
            1,
            FieldKind.BYTE_COUNT,
            device_status.COUNTERS_SIZE,
            device_status.COUNTERS_SIZE + device_status.MAX_EVENTS,
        ),
        _STATUS,
        _EVENT_COUNT,
        Field("message count", 2),
        Field("", 0, FieldKind.GROUPS, fields=(Field("event {}", 1, FieldKind.CODE),)),
    ),
    device_status.ReportServerIdRequest: (),
    device_status.ReportServerIdResponse: (
        Field("byte count", 1, FieldKind.BYTE_COUNT, 1, device_status.MAX_SERVER_ID_DATA),
        Field("server id", 0, FieldKind.BYTES),
        Field("run indicator", 1, FieldKind.CODE, names={0xFF: "on", 0x00: "off"}),
        Field("additional data", 0, FieldKind.BYTES),
    ),
    # Functions 20 and 21.
    file_access.ReadFileRecordRequest: (
        Field(
            "byte count",
            1,
            FieldKind.BYTE_COUNT,
            file_access.GROUP_SIZE,
            file_access.GROUP_SIZE * file_access.MAX_READ_GROUPS,
            file_access.GROUP_SIZE,
            unit="group",
        ),
        Field("group {}: ", 0, FieldKind.GROUPS, 1, fields=_PLACE),
    ),
    file_access.ReadFileRecordResponse: (
        Field(
            "data length",
            1,
            FieldKind.BYTE_COUNT,
            file_access.MIN_READ_LENGTH,
            file_access.MAX_FILE_LENGTH,
        ),
        Field(
            "group {}: ",
            0,
            FieldKind.GROUPS,
            1,
            fields=(
                Field("length", 1, FieldKind.BYTE_COUNT, 3, 0xFF, 2, unit="register", of="length"),
                _REFERENCE_TYPE,
                Field(
                    "registers", 0, FieldKind.REGISTERS, unit="register", of="length", at="record"
                ),
            ),
        ),
    ),
    file_access.WriteFileRecordRequest: _WRITTEN_RECORDS,
    file_access.WriteFileRecordResponse: _WRITTEN_RECORDS,
    # Functions 22, 23 and 24.
    register_operations.MaskWriteRegisterRequest: _MASKS,
    register_operations.MaskWriteRegisterResponse: _MASKS,
    register_operations.ReadWriteMultipleRegistersRequest: (
        _address("holding register", "read address"),
        _quantity(registers.MAX_READ_REGISTERS, "register", "read quantity", "read address"),
        _address("holding register", "write address"),
        _quantity(
            register_operations.MAX_READ_WRITE_REGISTERS,
            "register",
            "write quantity",
            "write address",
        ),
        *_register_values(register_operations.MAX_READ_WRITE_REGISTERS, "write ", prefix="write "),
    ),
    register_operations.ReadWriteMultipleRegistersResponse: _register_values(
        registers.MAX_READ_REGISTERS, "read "
    ),
    register_operations.ReadFifoQueueRequest: (
        _address("holding register", "FIFO pointer address"),
    ),
    register_operations.ReadFifoQueueResponse: (
        Field(
            "byte count",
            2,
            FieldKind.BYTE_COUNT,
            2,
            2 + 2 * register_operations.MAX_FIFO_COUNT,
            2,
            unit="register",
            of="FIFO count",
        ),
        Field(
            "FIFO count",
            2,
            FieldKind.QUANTITY,
            0,
            register_operations.MAX_FIFO_COUNT,
            unit="register",
        ),
        Field("values", 0, FieldKind.REGISTERS, unit="value", of="FIFO count"),
    ),
    # Function 43.
    canopen.CanopenGeneralReferenceRequest: _MEI_DATA,
    canopen.CanopenGeneralReferenceResponse: _MEI_DATA,
    identification.ReadDeviceIdentificationRequest: (_MEI_TYPE, _READ_CODE, _OBJECT_ID),
    identification.ReadDeviceIdentificationResponse: (
        _MEI_TYPE,
        _READ_CODE,
        _CONFORMITY_LEVEL,
        Field(
            "more follows",
            1,
            FieldKind.CODE,
            names={0xFF: "yes, ask again from the next object id on", 0x00: "no"},
        ),
        Field("next object id", 1, most=0xFF),
        Field("number of objects", 1, most=0xFF),
        Field(
            "",
            0,
            FieldKind.GROUPS,
            of="number of objects",
            fields=(
                _OBJECT_ID,
                Field(
                    "object length", 1, FieldKind.BYTE_COUNT, most=identification.MAX_OBJECT_LENGTH
                ),
                Field("object", 0, FieldKind.BYTES, at="object id"),
            ),
        ),
    ),
}
