"""The fields of every request: a function for each function code, which walks through the PDU.

`EXPLAINERS` has them; each is called with the function code already taken.
"""

from __future__ import annotations

from collections.abc import Callable

from modwire import DiagnosticsSubFunction

from .names import (
    MEI_TYPES,
    READ_CODES,
    object_text,
    sub_function_text,
    text_or_hex,
)
from .values import (
    address_text,
    byte_count_text,
    of_data_text,
    quantity_text,
    take_bits,
    take_registers,
)
from .walk import Walk

Explainer = Callable[[Walk], None]

SUB_REQUEST = 7  # bytes of a file's sub-request without data
REFERENCE_TYPE = 6
LAST_RECORD = 9999


def _reads(table: str, most: int, what: str) -> Explainer:
    def explain(walk: Walk) -> None:
        address = walk.word("address", address_text(table))
        walk.word("quantity", quantity_text(most, what, address))

    return explain


def coil_text(value: int) -> str:
    """The value that function 5 writes."""
    known = {0xFF00: "FF00, on", 0x0000: "0000, off"}
    return known.get(value, f"{value:04X}; wrong, FF00 (on) and 0000 (off) are allowed")


def _write_single_coil(walk: Walk) -> None:
    walk.word("address", address_text("0"))
    walk.word("value", coil_text)


def _write_single_register(walk: Walk) -> None:
    address = walk.word("address", address_text("4"))
    take_registers(walk, 2, address)


def diagnostics_data_text(sub_function: int) -> Callable[[int], str]:
    """What the data word of function 8 says in a request, and in an answer that repeats it."""

    def tell(word: int) -> str:
        text = f"{word:04X}"
        match sub_function:
            case 0:
                return f"{text}, to be repeated"
            case DiagnosticsSubFunction.RESTART_COMMUNICATIONS_OPTION:
                known = {0: "the event log stays", 0xFF00: "the event log is cleared too"}
                if word in known:
                    return f"{text}, {known[word]}"
                return f"{text}; wrong, 0000 and FF00 are allowed"
            case DiagnosticsSubFunction.CHANGE_ASCII_INPUT_DELIMITER:
                text += f", messages end with {chr(word >> 8)!a}"
                return f"{text}; wrong, the low byte must be 00" if word & 0xFF else text
            case DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS:
                known = {3: "get statistics", 4: "clear statistics"}
                if word in known:
                    return f"{text}, {known[word]}"
                return f"{text}; wrong, 0003 (get) and 0004 (clear) are allowed"
            case _:
                return f"{text}; wrong, must be 0000" if word else text

    return tell


def _diagnostics(walk: Walk) -> None:
    sub_function = walk.word("sub-function", sub_function_text)
    tell = diagnostics_data_text(sub_function)
    if sub_function not in {each.value for each in DiagnosticsSubFunction}:
        tell = "{:04X}".format
    walk.word("data", tell)
    while sub_function == 0 and walk.left:
        walk.word("data", tell)


def _write_multiple_coils(walk: Walk) -> None:
    address = walk.word("address", address_text("0"))
    number = walk.word("quantity", quantity_text(1968, "coil", address))
    size = walk.byte("byte count", byte_count_text((number + 7) >> 3, f"{number} coils"))
    take_bits(walk, size, address, number, "coil")


def _write_multiple_registers(walk: Walk) -> None:
    address = walk.word("address", address_text("4"))
    number = walk.word("quantity", quantity_text(123, "register", address))
    size = walk.byte("byte count", byte_count_text(2 * number, f"{number} registers"))
    take_registers(walk, size, address)


def _nothing(walk: Walk) -> None:
    """The function code is all there is."""


def reference_type_text(value: int) -> str:
    """The reference type of a file's sub-request."""
    return "6, a file" if value == REFERENCE_TYPE else f"{value}; wrong, must be {REFERENCE_TYPE}"


def file_text(file: int) -> str:
    """A file number."""
    return str(file) if file else "0; wrong, 1 to 65535 are allowed"


def record_text(record: int) -> str:
    """A record number: the first register in a file."""
    if record > LAST_RECORD:
        return f"{record}; wrong, 0 to {LAST_RECORD} are allowed"
    return str(record)


def _length_text(record: int) -> Callable[[int], str]:
    def tell(number: int) -> str:
        text = f"{number} register{'' if number == 1 else 's'}"
        if not number:
            return f"{text}; wrong, at least 1 is allowed"
        if record + number > LAST_RECORD + 1:
            return f"{text}; wrong, they would end behind record {LAST_RECORD}"
        return text

    return tell


def _read_file_record(walk: Walk) -> None:
    def tell(size: int) -> str:
        text = of_data_text(walk)(size)
        if size % SUB_REQUEST or not 7 <= size <= 245:
            text += "; wrong, 7 for each of 1 to 35 groups is allowed"
        return text

    end = walk.byte("byte count", tell)
    group = 0
    while end >= SUB_REQUEST and walk.left:
        group += 1
        _take_place(walk, group)
        end -= SUB_REQUEST


def _take_place(walk: Walk, group: int) -> tuple[int, int, int]:
    walk.byte(f"group {group}: reference type", reference_type_text)
    file = walk.word(f"group {group}: file", file_text)
    record = walk.word(f"group {group}: record", record_text)
    number = walk.word(f"group {group}: length", _length_text(record))
    return file, record, number


def write_file_record(walk: Walk) -> None:
    """Function 21: the request, which the answer repeats."""

    def tell(size: int) -> str:
        text = of_data_text(walk)(size)
        return text if 9 <= size <= 251 else f"{text}; wrong, 9 to 251 are allowed"

    left = walk.byte("data length", tell)
    group = 0
    while left > 0 and walk.left:
        group += 1
        _, record, number = _take_place(walk, group)
        take_registers(walk, 2 * number, record, f"group {group}: record")
        left -= SUB_REQUEST + 2 * number


def _mask_write_register(walk: Walk) -> None:
    walk.word("address", address_text("4"))
    walk.word("AND mask", mask_text("kept"))
    walk.word("OR mask", mask_text("set, where the AND mask has 0"))


def mask_text(what: str) -> Callable[[int], str]:
    """A mask of function 22, and which bits it has."""

    def tell(mask: int) -> str:
        bits = [str(bit) for bit in range(16) if mask >> bit & 1]
        if len(bits) == 16:
            which = "all bits"
        elif bits:
            which = f"bit{'' if len(bits) == 1 else 's'} {', '.join(bits)}"
        else:
            which = "no bits"
        return f"{mask:04X}, {which} {what}"

    return tell


def _read_write_multiple_registers(walk: Walk) -> None:
    read_address = walk.word("read address", address_text("4"))
    walk.word("read quantity", quantity_text(125, "register", read_address))
    address = walk.word("write address", address_text("4"))
    number = walk.word("write quantity", quantity_text(121, "register", address))
    size = walk.byte("write byte count", byte_count_text(2 * number, f"{number} registers"))
    take_registers(walk, size, address)


def _read_fifo_queue(walk: Walk) -> None:
    walk.word("FIFO pointer address", address_text("4"))


def mei_text(mei: int) -> str:
    """An MEI type of function 43."""
    function = MEI_TYPES.get(mei)
    return f"{mei}, {function.name}" if function else f"{mei}, reserved"


def read_code_text(code: int) -> str:
    """The read device id code of function 43/14."""
    known = READ_CODES.get(code)
    return f"{code}, {known}" if known else f"{code}; wrong, 1 to 4 are allowed"


def _encapsulated(walk: Walk) -> None:
    mei = walk.byte("MEI type", mei_text)
    if mei != 14:
        walk.rest("MEI data", text_or_hex)
        return
    walk.byte("read device id code", read_code_text)
    walk.byte("object id", object_text)


EXPLAINERS: dict[int, Explainer] = {
    1: _reads("0", 2000, "coil"),
    2: _reads("1", 2000, "discrete input"),
    3: _reads("4", 125, "register"),
    4: _reads("3", 125, "register"),
    5: _write_single_coil,
    6: _write_single_register,
    7: _nothing,
    8: _diagnostics,
    11: _nothing,
    12: _nothing,
    15: _write_multiple_coils,
    16: _write_multiple_registers,
    17: _nothing,
    20: _read_file_record,
    21: write_file_record,
    22: _mask_write_register,
    23: _read_write_multiple_registers,
    24: _read_fifo_queue,
    43: _encapsulated,
}
