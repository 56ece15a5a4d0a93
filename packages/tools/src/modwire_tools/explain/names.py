"""What functions, sub-functions, exceptions, objects and events are called, and what they are for.

The texts are for people: `modwire parse`, the simulator's page and its traffic.
"""

from __future__ import annotations

from typing import NamedTuple

from modwire import DiagnosticsSubFunction, ExceptionCode, ObjectId


class Function(NamedTuple):
    """A function of the specification; `stem` is what its message classes in modwire begin with."""

    stem: str
    name: str
    request: str
    response: str


FUNCTIONS: dict[int, Function] = {
    1: Function(
        "ReadCoils",
        "read coils",
        "Asks for the states of 1 to 2000 coils that follow each other.",
        "The states, eight to a byte, the first one in the lowest bit.",
    ),
    2: Function(
        "ReadDiscreteInputs",
        "read discrete inputs",
        "Asks for the states of 1 to 2000 discrete inputs that follow each other.",
        "The states, eight to a byte, the first one in the lowest bit.",
    ),
    3: Function(
        "ReadHoldingRegisters",
        "read holding registers",
        "Asks for the contents of 1 to 125 holding registers that follow each other.",
        "The contents, two bytes to a register, high byte first.",
    ),
    4: Function(
        "ReadInputRegisters",
        "read input registers",
        "Asks for the contents of 1 to 125 input registers that follow each other.",
        "The contents, two bytes to a register, high byte first.",
    ),
    5: Function(
        "WriteSingleCoil",
        "write single coil",
        "Switches one coil on (FF00) or off (0000).",
        "Repeats the request: it is done.",
    ),
    6: Function(
        "WriteSingleRegister",
        "write single register",
        "Writes one holding register.",
        "Repeats the request: it is done.",
    ),
    7: Function(
        "ReadExceptionStatus",
        "read exception status",
        "Asks for the eight exception status outputs of a device. It takes no address, for the "
        "device knows which outputs these are; meant for serial lines.",
        "The eight outputs in one byte, the first one in the lowest bit. What each of them stands "
        "for differs from device to device.",
    ),
    8: Function(
        "Diagnostics",
        "diagnostics",
        "Tests the line, reads a counter of the device, or resets it, as its sub-function says; "
        "meant for serial lines.",
        "Repeats the sub-function, with what it reads or with the data of the request.",
    ),
    11: Function(
        "GetCommEventCounter",
        "get comm event counter",
        "Asks whether the device is busy and how many messages it completed with success; meant "
        "for serial lines.",
        "The status word, FFFF while a program command is being processed, and the event counter.",
    ),
    12: Function(
        "GetCommEventLog",
        "get comm event log",
        "Asks for status, event counter, message counter and the latest communication events; "
        "meant for serial lines.",
        "Status, counters and up to 64 events, a byte to each, the newest first.",
    ),
    15: Function(
        "WriteMultipleCoils",
        "write multiple coils",
        "Switches 1 to 1968 coils that follow each other.",
        "Repeats where and how many coils: it is done.",
    ),
    16: Function(
        "WriteMultipleRegisters",
        "write multiple registers",
        "Writes 1 to 123 holding registers that follow each other.",
        "Repeats where and how many registers: it is done.",
    ),
    17: Function(
        "ReportServerId",
        "report server id",
        "Asks what the device is and whether it runs; meant for serial lines.",
        "An id, the run indicator and more, all as the device likes. Where the id ends is not on "
        "the wire: it is taken to end before the first 00 or FF.",
    ),
    20: Function(
        "ReadFileRecord",
        "read file record",
        "Asks for registers of files, a group of them for each sub-request.",
        "The registers of each group, in the order they were asked for.",
    ),
    21: Function(
        "WriteFileRecord",
        "write file record",
        "Writes registers of files, a group of them for each sub-request.",
        "Repeats the request: it is done.",
    ),
    22: Function(
        "MaskWriteRegister",
        "mask write register",
        "Changes some bits of a holding register: it becomes (contents AND and mask) OR (or mask "
        "AND NOT and mask).",
        "Repeats the request: it is done.",
    ),
    23: Function(
        "ReadWriteMultipleRegisters",
        "read/write multiple registers",
        "Writes 1 to 121 holding registers, and then reads 1 to 125 of them.",
        "What was read after the write, two bytes to a register, high byte first.",
    ),
    24: Function(
        "ReadFifoQueue",
        "read FIFO queue",
        "Asks for the queue of registers whose pointer is at an address.",
        "0 to 31 registers, the oldest first; they stay in the queue.",
    ),
    43: Function(
        "",
        "encapsulated interface transport",
        "Carries a message of another protocol; its MEI type says which.",
        "Carries the answer of another protocol; its MEI type says which.",
    ),
}

CANOPEN = Function(
    "CanopenGeneralReference",
    "CANopen general reference",
    "Carries a command to a CANopen network; CiA 309-2 says what its bytes are.",
    "The answer of a CANopen network; CiA 309-2 says what its bytes are.",
)
IDENTIFICATION = Function(
    "ReadDeviceIdentification",
    "read device identification",
    "Asks who made the device, what it is and which revision; a category of objects, or one.",
    "Some objects of the identification, as text, and whether more of them follow.",
)
MEI_TYPES = {13: CANOPEN, 14: IDENTIFICATION}

_EXCEPTION_TEXTS = {
    1: "the server does not know the function, or does not allow it",
    2: "the server does not have an address that was asked for",
    3: "the request is built wrongly, such as in its quantity or its length",
    4: "the server failed while it did what was asked",
    5: "accepted, but it takes long: ask later whether it is done",
    6: "the server is busy with a long command: ask again later",
    7: "the server cannot do that (older documents)",
    8: "the file memory of the server failed its parity check",
    10: "the gateway has no path to the unit",
    11: "the unit behind the gateway did not answer",
}


def function_of(pdu: bytes) -> Function | None:
    """The function that a PDU begins with; an exception's is that of the request; else None."""
    if not pdu:
        return None
    code = pdu[0] & 0x7F
    if code == 43 and len(pdu) > 1 and not pdu[0] & 0x80:
        return MEI_TYPES.get(pdu[1], FUNCTIONS[43])
    return FUNCTIONS.get(code)


def message_name(pdu: bytes, *, is_response: bool) -> str:
    """The name of the class in modwire: "ReadCoilsRequest", "ExceptionResponse", "RawRequest"."""
    kind = "Response" if is_response else "Request"
    if is_response and pdu and pdu[0] & 0x80:
        return "ExceptionResponse"
    function = None if pdu and pdu[0] & 0x80 else function_of(pdu)
    return f"{function.stem if function and function.stem else 'Raw'}{kind}"


def about(pdu: bytes, *, is_response: bool) -> str:
    """What the message is for, in a sentence or two; "" for a function that is not known."""
    if is_response and pdu and pdu[0] & 0x80:
        return "The server did not do what was asked; the exception code says why."
    function = None if pdu and pdu[0] & 0x80 else function_of(pdu)
    if function is None:
        return ""
    return function.response if is_response else function.request


def function_text(code: int) -> str:
    """A function code with its name: "3, read holding registers"."""
    function = FUNCTIONS.get(code)
    if function is not None:
        return f"{code}, {function.name}"
    if 65 <= code <= 72 or 100 <= code <= 110:
        return f"{code}, a function that users define (65..72 and 100..110)"
    if code in _RESERVED:
        return f"{code}, reserved: it is in use by companies for their own devices"
    if not 1 <= code <= 127:
        return f"{code}, which is no function code: 1..127 are"
    return f"{code}, a function that the specification does not have"


_RESERVED = frozenset((9, 10, 13, 14, 41, 42, 90, 91, 125, 126, 127))


def exception_name(code: int) -> str:
    """What an exception code is called: "illegal data address"; "unknown" for others."""
    try:
        return ExceptionCode(code).name.lower().replace("_", " ")
    except ValueError:
        return "unknown exception code"


def exception_text(code: int) -> str:
    """An exception code with its name and what it says."""
    why = _EXCEPTION_TEXTS.get(code)
    return f"{code}, {exception_name(code)}" + (f": {why}" if why else "")


def sub_function_text(sub_function: int) -> str:
    """A sub-function of function 8 with its name: "10, clear counters and ..."."""
    try:
        name = DiagnosticsSubFunction(sub_function).name.lower().replace("_", " ")
    except ValueError:
        name = "return IOP overrun count, reserved" if sub_function == 19 else "reserved"
    for word in ("ascii", "nak"):
        name = name.replace(word, word.upper())
    return f"{sub_function}, {name.replace('modbus plus', 'Modbus Plus')}"


def object_text(object_id: int) -> str:
    """An object of the device identification with its name: "0, vendor name"."""
    try:
        name = ObjectId(object_id).name.lower().replace("_", " ").replace("url", "URL")
        name = name.replace("major minor ", "")
    except ValueError:
        name = "the device's own" if object_id >= 0x80 else "reserved"
    return f"{object_id}, {name}"


READ_CODES = {
    1: "basic, objects 0 to 2",
    2: "regular, objects 0 to 127",
    3: "extended, objects 0 to 255",
    4: "one object",
}

_LEVELS = {1: "basic", 2: "regular", 3: "extended"}


def conformity_text(level: int) -> str:
    """What a conformity level of function 43/14 says."""
    name = _LEVELS.get(level & 0x7F)
    if name is None:
        return f"{level:02X}, which is none: 01..03 and 81..83 are"
    access = "stream and single objects" if level & 0x80 else "stream only"
    return f"{level:02X}, {name} identification, {access}"


_RECEIVED_BITS = {1: "communication error", 4: "character overrun", 5: "listen-only mode"}
_SENT_BITS = {
    0: "exception 1, 2 or 3 sent",
    1: "exception 4 sent",
    2: "exception 5 or 6 sent",
    3: "exception 7 sent",
    4: "write timeout",
    5: "listen-only mode",
}


def event_text(event: int) -> str:
    """What one byte of the event log says (section 6.10)."""
    if event & 0x80:
        bits = {**_RECEIVED_BITS, 6: "broadcast"}
        kind = "received"
    elif event & 0x40:
        bits = _SENT_BITS
        kind = "sent"
    elif event in (0x00, 0x04):
        return "communication restart" if event == 0 else "entered listen-only mode"
    else:
        return "no event that the specification has"
    set_bits = [text for bit, text in bits.items() if event >> bit & 1]
    return ", ".join([kind, *set_bits])


STATUS_TEXTS = {0x0000: "0000, not busy", 0xFFFF: "FFFF, busy with a program command"}


def status_text(status: int) -> str:
    """The status word of functions 11 and 12."""
    return STATUS_TEXTS.get(status, f"{status:04X}, which is neither 0000 nor FFFF")


def text_or_hex(data: bytes) -> str:
    """Bytes as quoted text where all of them are printable, else as hexadecimal digits."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex(" ").upper()
    return f'"{text}"' if text.isprintable() else data.hex(" ").upper()
