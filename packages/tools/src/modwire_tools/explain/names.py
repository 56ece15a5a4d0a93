"""The names and purposes of functions, sub-functions, exceptions, objects and events.

`modwire parse`, the page of the simulator and its list of traffic show these texts.
"""

from __future__ import annotations

from typing import NamedTuple

from modwire import (
    REQUESTS,
    CommEvent,
    DiagnosticsSubFunction,
    ExceptionCode,
    ExceptionResponse,
    Message,
    ObjectId,
    RawRequest,
    RawResponse,
)
from modwire.messages.bit_access import MAX_READ_BITS, MAX_WRITE_BITS
from modwire.messages.device_status import MAX_EVENTS
from modwire.messages.forms import MAX_READ_REGISTERS
from modwire.messages.register_access import MAX_WRITE_REGISTERS
from modwire.messages.register_operations import MAX_FIFO_COUNT, MAX_READ_WRITE_REGISTERS


class Function(NamedTuple):
    """A function of the specification, with the purposes of its request and its response."""

    name: str
    request: str
    response: str


FUNCTIONS: dict[int, Function] = {
    1: Function(
        "read coils",
        f"Asks for the states of 1 to {MAX_READ_BITS} coils that follow each other.",
        "The states, eight to a byte, the first one in the lowest bit.",
    ),
    2: Function(
        "read discrete inputs",
        f"Asks for the states of 1 to {MAX_READ_BITS} discrete inputs that follow each other.",
        "The states, eight to a byte, the first one in the lowest bit.",
    ),
    3: Function(
        "read holding registers",
        f"Asks for the contents of 1 to {MAX_READ_REGISTERS} holding registers that follow each "
        "other.",
        "The contents, two bytes to a register, high byte first.",
    ),
    4: Function(
        "read input registers",
        f"Asks for the contents of 1 to {MAX_READ_REGISTERS} input registers that follow each "
        "other.",
        "The contents, two bytes to a register, high byte first.",
    ),
    5: Function(
        "write single coil",
        "Switches one coil on (FF00) or off (0000).",
        "Repeats the request: it is done.",
    ),
    6: Function(
        "write single register",
        "Writes one holding register.",
        "Repeats the request: it is done.",
    ),
    7: Function(
        "read exception status",
        "Asks for the eight exception status outputs of a device. The device knows which "
        "outputs these are, so there is no address; meant for serial lines.",
        "The eight outputs in one byte, the first one in the lowest bit. What each of them stands "
        "for differs from device to device.",
    ),
    8: Function(
        "diagnostics",
        "Tests the line, reads a counter of the device, or resets it, as its sub-function says; "
        "meant for serial lines.",
        "Repeats the sub-function, with what it reads or with the data of the request.",
    ),
    11: Function(
        "get comm event counter",
        "Asks whether the device is busy and how many messages it completed with success; meant "
        "for serial lines.",
        "The status word, FFFF while a program command is being processed, and the event counter.",
    ),
    12: Function(
        "get comm event log",
        "Asks for status, event counter, message counter and the latest communication events; "
        "meant for serial lines.",
        f"Status, counters and up to {MAX_EVENTS} events, a byte to each, the newest first.",
    ),
    15: Function(
        "write multiple coils",
        f"Switches 1 to {MAX_WRITE_BITS} coils that follow each other.",
        "Repeats where and how many coils: it is done.",
    ),
    16: Function(
        "write multiple registers",
        f"Writes 1 to {MAX_WRITE_REGISTERS} holding registers that follow each other.",
        "Repeats where and how many registers: it is done.",
    ),
    17: Function(
        "report server id",
        "Asks what the device is and whether it runs; meant for serial lines.",
        "An id, the run indicator and more, device specific. The length of the id is not on the "
        "wire: it is taken to end before the first 00 or FF.",
    ),
    20: Function(
        "read file record",
        "Asks for registers of files, a group of them for each sub-request.",
        "The registers of each group, in the order they were asked for.",
    ),
    21: Function(
        "write file record",
        "Writes registers of files, a group of them for each sub-request.",
        "Repeats the request: it is done.",
    ),
    22: Function(
        "mask write register",
        "Changes some bits of a holding register: it becomes (contents AND and mask) OR (or mask "
        "AND NOT and mask).",
        "Repeats the request: it is done.",
    ),
    23: Function(
        "read/write multiple registers",
        f"Writes 1 to {MAX_READ_WRITE_REGISTERS} holding registers, and then reads 1 to "
        f"{MAX_READ_REGISTERS} of them.",
        "What was read after the write, two bytes to a register, high byte first.",
    ),
    24: Function(
        "read FIFO queue",
        "Asks for the queue of registers whose pointer is at an address.",
        f"0 to {MAX_FIFO_COUNT} registers, the oldest first; they stay in the queue.",
    ),
    43: Function(
        "encapsulated interface transport",
        "Carries a message of another protocol; its MEI type says which.",
        "Carries the answer of another protocol; its MEI type says which.",
    ),
}

CANOPEN = Function(
    "CANopen general reference",
    "Carries a command to a CANopen network; CiA 309-2 says what its bytes are.",
    "The answer of a CANopen network; CiA 309-2 says what its bytes are.",
)
IDENTIFICATION = Function(
    "read device identification",
    "Asks for the vendor, the product and the revision of the device: a category of objects, or "
    "one object.",
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


_REQUEST_CLASSES = {(each.function_code, each.sub_code): each for each in REQUESTS}


def message_class_of(pdu: bytes, *, is_response: bool) -> type[Message] | None:
    """Return the class of the message in `pdu`; None for an unknown function or MEI type."""
    code = pdu[0] if pdu else 0
    if is_response and code & 0x80:
        return ExceptionResponse
    found = _REQUEST_CLASSES.get((code, None))
    if found is None and len(pdu) > 1:
        found = _REQUEST_CLASSES.get((code, pdu[1]))
    if found is None or not is_response:
        return found
    return found.response_type  # pyright: ignore[reportGeneralTypeIssues]


def function_of(pdu: bytes) -> Function | None:
    """Return the function of a PDU, also of an exception response; None if it is unknown."""
    if not pdu:
        return None
    code = pdu[0] & 0x7F
    if code == 43 and len(pdu) > 1 and not pdu[0] & 0x80:
        return MEI_TYPES.get(pdu[1], FUNCTIONS[43])
    return FUNCTIONS.get(code)


def message_name(pdu: bytes, *, is_response: bool) -> str:
    """Return the name of the class: "ReadCoilsRequest", "ExceptionResponse", "RawRequest"."""
    found = message_class_of(pdu, is_response=is_response)
    return (found or (RawResponse if is_response else RawRequest)).__name__


def about(pdu: bytes, *, is_response: bool) -> str:
    """Return the purpose of the message in a sentence or two; "" for an unknown function."""
    if is_response and pdu and pdu[0] & 0x80:
        return "The server did not do what was asked; the exception code says why."
    function = None if pdu and pdu[0] & 0x80 else function_of(pdu)
    if function is None:
        return ""
    return function.response if is_response else function.request


def function_text(code: int) -> str:
    """Return a function code with its name: "3, read holding registers"."""
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
    """Return the name of an exception code, "illegal data address"; others are "unknown"."""
    try:
        return ExceptionCode(code).name.lower().replace("_", " ")
    except ValueError:
        return "unknown exception code"


def exception_text(code: int) -> str:
    """Return an exception code with its name and its meaning."""
    why = _EXCEPTION_TEXTS.get(code)
    return f"{code}, {exception_name(code)}" + (f": {why}" if why else "")


def sub_function_text(sub_function: int) -> str:
    """Return a sub-function of function 8 with its name: "10, clear counters and ..."."""
    try:
        name = DiagnosticsSubFunction(sub_function).name.lower().replace("_", " ")
    except ValueError:
        name = "reserved"
    for word in ("ascii", "iop", "nak"):
        name = name.replace(word, word.upper())
    return f"{sub_function}, {name.replace('modbus plus', 'Modbus Plus')}"


def object_text(object_id: int) -> str:
    """Return an object of the device identification with its name: "0, vendor name"."""
    try:
        name = ObjectId(object_id).name.lower().replace("_", " ").replace("url", "URL")
        name = name.replace("major minor ", "")
    except ValueError:
        name = "the device's own" if object_id >= 0x80 else "reserved"
    return f"{object_id}, {name}"


_FLAGS = {
    "read": "exception 1, 2 or 3 sent",
    "abort": "exception 4 sent",
    "busy": "exception 5 or 6 sent",
    "nak": "exception 7 sent",
    "listen_only": "listen-only mode",
}


def event_text(code: int) -> str:
    """Return the class of a byte of the event log, and its bits (section 6.10)."""
    event = CommEvent.from_code(code)
    if type(event) is CommEvent:
        return "no event that the specification has"
    flags = ", ".join([_FLAGS.get(flag, flag.replace("_", " ")) for flag in event.flags])
    return f"{type(event).__name__}: {flags}" if flags else type(event).__name__


def text_or_hex(data: bytes) -> str:
    """Return bytes as quoted text if all are printable, else as hexadecimal digits."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.hex(" ").upper()
    return f'"{text}"' if text.isprintable() else data.hex(" ").upper()
