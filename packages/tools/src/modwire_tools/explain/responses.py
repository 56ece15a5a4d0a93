"""The fields of every response: a function for each function code, which walks through the PDU.

`EXPLAINERS` has them; each is called with the function code already taken. Where the request is
known, it tells what addresses the values have, and what the answer has to repeat.
"""

from __future__ import annotations

from collections.abc import Callable

from modwire import DiagnosticsSubFunction, ReportServerIdResponse

from .names import (
    conformity_text,
    event_text,
    exception_text,
    object_text,
    status_text,
    sub_function_text,
    text_or_hex,
)
from .requests import (
    Explainer,
    coil_text,
    diagnostics_data_text,
    mask_text,
    mei_text,
    read_code_text,
    reference_type_text,
    write_file_record,
)
from .values import (
    address_text,
    byte_count_text,
    of_data_text,
    quantity_text,
    register_text,
    take_bits,
    take_registers,
)
from .walk import Walk, count

# Answers with the data of the request, and no counter.
_REPEATED = frozenset((0, 1, 3, 4, 10, 20))


def take_exception(walk: Walk) -> None:
    """What follows the function code of an exception response."""
    walk.byte("exception code", exception_text)


def _asked(walk: Walk, address_at: int = 1) -> tuple[int | None, int | None]:
    """The address and the quantity in the request, where it is known and whole."""
    asked = walk.request[address_at : address_at + 4]
    if len(asked) < 4:
        return None, None
    return int.from_bytes(asked[:2], "big"), int.from_bytes(asked[2:], "big")


def _read_bits(what: str) -> Explainer:
    def explain(walk: Walk) -> None:
        address, number = _asked(walk)
        tell = of_data_text(walk)
        if number is not None:
            tell = byte_count_text((number + 7) >> 3, count(number, what))
        size = walk.byte("byte count", tell)
        take_bits(walk, size, address, number, what)

    return explain


def _read_registers(walk: Walk) -> None:
    address, number = _asked(walk)

    def tell(size: int) -> str:
        if number is not None:
            return byte_count_text(2 * number, count(number, "register"))(size)
        text = of_data_text(walk)(size)
        return f"{text}; wrong, a register has 2" if size & 1 else text

    size = walk.byte("byte count", tell)
    take_registers(walk, size, address)


def _write_single_coil(walk: Walk) -> None:
    walk.echo(2, "address", address_text("0"))
    walk.echo(2, "value", coil_text)


def _write_single_register(walk: Walk) -> None:
    address = walk.echo(2, "address", address_text("4"))
    walk.echo(2, f"register {address}", lambda value: register_text(value.to_bytes(2, "big")))


def _read_exception_status(walk: Walk) -> None:
    def tell(status: int) -> str:
        bits = " ".join([str(status >> bit & 1) for bit in range(8)])
        return f"{status:02X}, outputs 0 to 7: {bits}"

    walk.byte("status", tell)


def _diagnostics(walk: Walk) -> None:
    sub_function = walk.echo(2, "sub-function", sub_function_text)
    if sub_function in _REPEATED:
        tell = diagnostics_data_text(sub_function)
        if sub_function == 0:
            tell = "{:04X}, repeated".format
        walk.echo(2, "data", tell)
        while sub_function == 0 and walk.left:
            walk.echo(2, "data", tell)
    elif sub_function == DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS:
        walk.echo(2, "data", diagnostics_data_text(sub_function))
        word = 0
        while walk.left:
            word += 1
            walk.word(f"statistics word {word}", "{:04X}".format)
    elif sub_function == DiagnosticsSubFunction.RETURN_DIAGNOSTIC_REGISTER:
        walk.word("diagnostic register", "{0:04X}, bits {0:016b}".format)
    elif 11 <= sub_function <= 18:
        walk.word("counter", str)
    else:
        walk.word("data", "{:04X}".format)


def _get_comm_event_counter(walk: Walk) -> None:
    walk.word("status", status_text)
    walk.word("event count", str)


def _get_comm_event_log(walk: Walk) -> None:
    def tell(size: int) -> str:
        text = of_data_text(walk)(size)
        return text if 6 <= size <= 70 else f"{text}; wrong, 6 to 70 are allowed"

    size = walk.byte("byte count", tell)
    walk.word("status", status_text)
    walk.word("event count", str)
    walk.word("message count", str)
    for event in range(size - 6):
        name = f"event {event}"
        walk.byte(f"{name}, the newest" if event == 0 else name, _event_text)


def _event_text(event: int) -> str:
    return f"{event:02X}, {event_text(event)}"


def _write_multiple(table: str, most: int, what: str) -> Explainer:
    def explain(walk: Walk) -> None:
        address = walk.echo(2, "address", address_text(table))
        walk.echo(2, "quantity", quantity_text(most, what, address))

    return explain


def _report_server_id(walk: Walk) -> None:
    size = walk.byte("byte count", of_data_text(walk))
    if not size:
        return
    id_length = min(size, walk.left)
    if id_length:
        id_length = ReportServerIdResponse.from_data(walk.peek(id_length)).id_length
    walk.take(max(1, id_length), "server id", text_or_hex)
    if size > id_length:
        walk.byte("run indicator", _run_text)
    if size > id_length + 1:
        walk.take(size - id_length - 1, "additional data", text_or_hex)


def _run_text(value: int) -> str:
    known = {0x00: "00, off", 0xFF: "FF, on"}
    return known.get(value, f"{value:02X}; wrong, FF (on) and 00 (off) are allowed")


def _read_file_record(walk: Walk) -> None:
    asked = walk.request[2:]
    left = walk.byte("data length", of_data_text(walk))
    group = 0
    while left > 0 and walk.left:
        sub_request = asked[7 * group : 7 * group + 7]
        group += 1
        record, due = None, None
        if len(sub_request) == 7:
            record = int.from_bytes(sub_request[3:5], "big")
            due = int.from_bytes(sub_request[5:7], "big")
        length = walk.byte(f"group {group}: length", _group_length_text(due))
        left -= 1 + length
        if length:
            walk.byte(f"group {group}: reference type", reference_type_text)
            what = "register" if record is None else "record"
            take_registers(walk, length - 1, record, f"group {group}: {what}")


def _group_length_text(due: int | None) -> Callable[[int], str]:
    def tell(length: int) -> str:
        if due is not None:
            return byte_count_text(1 + 2 * due, count(due, "register"))(length)
        text = count(length, "byte")
        if length < 3 or not length & 1:
            return f"{text}; wrong, 1 and 2 for each register are allowed"
        return text

    return tell


def _mask_write_register(walk: Walk) -> None:
    walk.echo(2, "address", address_text("4"))
    walk.echo(2, "AND mask", mask_text("kept"))
    walk.echo(2, "OR mask", mask_text("set, where the AND mask has 0"))


def _read_fifo_queue(walk: Walk) -> None:
    size = walk.word("byte count", of_data_text(walk, 1))

    def tell(number: int) -> str:
        text = count(number, "register")
        if number > 31:
            return f"{text}; wrong, 0 to 31 are allowed"
        return text if 2 * number + 2 == size else f"{text}; wrong, the byte count is {size}"

    walk.word("FIFO count", tell)
    if size > 2:
        take_registers(walk, size - 2, None, "value")


def _encapsulated(walk: Walk) -> None:
    mei = walk.byte("MEI type", mei_text)
    if mei != 14:
        walk.rest("MEI data", text_or_hex)
        return
    walk.echo(1, "read device id code", read_code_text)
    walk.byte("conformity level", conformity_text)
    more = walk.byte("more follows", _more_text)
    walk.byte("next object id", lambda value: object_text(value) if more else f"{value:02X}")
    number = walk.byte("number of objects", str)
    found = 0
    while walk.left:
        found += 1
        _take_object(walk)
    if found != number:
        walk.amend("number of objects", f"{number}; wrong, {found} follow")


def _take_object(walk: Walk) -> None:
    object_id = walk.byte("object id", object_text)
    size = walk.byte("object length", lambda size: count(size, "byte"))
    if size:
        walk.take(size, f"object {object_id}", text_or_hex)


def _more_text(value: int) -> str:
    known = {0x00: "00, no", 0xFF: "FF, yes, ask again from the next object id on"}
    return known.get(value, f"{value:02X}; wrong, FF (yes) and 00 (no) are allowed")


EXPLAINERS: dict[int, Explainer] = {
    1: _read_bits("coil"),
    2: _read_bits("discrete input"),
    3: _read_registers,
    4: _read_registers,
    5: _write_single_coil,
    6: _write_single_register,
    7: _read_exception_status,
    8: _diagnostics,
    11: _get_comm_event_counter,
    12: _get_comm_event_log,
    15: _write_multiple("0", 1968, "coil"),
    16: _write_multiple("4", 123, "register"),
    17: _report_server_id,
    20: _read_file_record,
    21: write_file_record,
    22: _mask_write_register,
    23: _read_registers,
    24: _read_fifo_queue,
    43: _encapsulated,
}
