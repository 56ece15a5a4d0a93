"""Devices whose answers are wrong: counts, codes, confirmations."""

from __future__ import annotations

from modwire import (
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    InvalidResponseError,
    Quirks,
    ReadCoilsRequest,
    ReadDeviceIdentificationRequest,
    ResponseTimeoutError,
    ServerDeviceFailureError,
    WriteSingleCoilRequest,
)

from ..asks import Call, holds, read, write, write_several
from ..device import On, device
from ..line import Line, Request

BOTH: tuple[On, On] = ("tcp", "rtu")


@device(
    "answers with fewer registers than were asked for",
    on=BOTH,
    symptom="InvalidResponseError: fewer registers came",
    seen_in="devices whose map ends there",
    without=(InvalidResponseError, "answer must have byte count"),
    advice="ask for less; the values cannot be told apart",
    asks=[read(100, 3)],
)
def fewer(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.registers(100)))


@device(
    "answers with more registers than were asked for",
    on=BOTH,
    symptom="InvalidResponseError: more registers came",
    seen_in="meters that send values as pairs always",
    without=(InvalidResponseError, "answer must have byte count"),
    advice="ask for as many as come",
    asks=[read(100)],
)
def more(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.registers(100, 101)))


@device(
    "answers with no register at all",
    on=BOTH,
    symptom="InvalidResponseError: no register came",
    seen_in="loggers that are not connected to their inverter yet",
    without=(InvalidResponseError, "answer must have byte count"),
    advice="ask again later",
    asks=[read(100)],
)
def none_at_all(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.registers()))


@device(
    "says a byte count that is 1 too small",
    on="tcp",
    symptom="InvalidResponseError: the byte count is wrong",
    seen_in="sketches for microcontrollers",
    without=(InvalidResponseError, "answer must have byte count"),
    advice="nothing helps: values cannot be trusted",
    asks=[read(100, 3)],
)
def byte_count(line: Line) -> None:
    for request in line.requests():
        right = request.right()
        line.send(request.frame(right[:1] + bytes((right[1] - 1,)) + right[2:]))


@device(
    "says the number of registers in place of that of bytes",
    on=BOTH,
    symptom="InvalidResponseError: the byte count is wrong",
    seen_in="sketches for microcontrollers",
    without=(InvalidResponseError, "answer must have byte count"),
    advice="nothing helps but mending the device",
    asks=[read(100, 4)],
)
def register_count(line: Line) -> None:
    for request in line.requests():
        right = request.right()
        line.send(request.frame(right[:1] + bytes((request.count,)) + right[2:]))


@device(
    "refuses with exception code 0",
    on=BOTH,
    symptom="exception 00 (unknown exception code)",
    seen_in="PLCs with a program of their own",
    without=(ExceptionResponseError, "exception 00"),
    advice="the device refuses; its manual has to say why",
)
def code_zero(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(0)))


@device(
    "refuses with an exception code of its own",
    on=BOTH,
    symptom="exception 42 (unknown exception code)",
    seen_in="drives and charging stations with codes of the maker",
    without=(ExceptionResponseError, "exception 42 (unknown exception code)"),
    advice="the device refuses; its manual has to say why. `error.code` has the code",
)
def own_code(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(0x42)))


@device(
    "refuses in the name of another function",
    on=BOTH,
    symptom="InvalidResponseError: another function answers",
    seen_in="gateways that mix up two requests",
    without=(InvalidResponseError, "function"),
    advice="ask one after the other",
    asks=[read(100)],
)
def other_refusal(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(b"\x90\x02"))


@device(
    "answers reads of holding registers as if input registers were read",
    on=BOTH,
    symptom="InvalidResponseError: another function answers",
    seen_in="devices with one table for both",
    without=(InvalidResponseError, "function"),
    advice="read input registers: there the answer is right",
    asks=[read(100)],
)
def other_function(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(b"\x04" + request.right()[1:]))


def with_hole(line: Line, code: int) -> None:
    """Answer all but what includes register 101."""
    for request in line.requests():
        refused = request.address <= 101 < request.address + request.count
        line.send(request.frame(request.refusal(code) if refused else None))


@device(
    "refuses reads across a gap in its map with exception 02",
    on=BOTH,
    symptom="exception 02 (illegal data address), although each register can be read",
    seen_in="most meters and inverters",
    without=(IllegalDataAddressError, "exception 02"),
    then_asks=[read(100), read(102, 2)],
    advice="read around the gap; `modwire read` does so by itself",
    asks=[read(100, 4)],
)
def hole_02(line: Line) -> None:
    with_hole(line, 2)


@device(
    "refuses reads across a gap in its map with exception 03",
    on="tcp",
    symptom="exception 03 (illegal data value), although each register can be read",
    seen_in="inverters that check the quantity first",
    without=(IllegalDataValueError, "exception 03"),
    then_asks=[read(100), read(102, 2)],
    advice="read around the gap; `modwire read` does so by itself",
    asks=[read(100, 4)],
)
def hole_03(line: Line) -> None:
    with_hole(line, 3)


@device(
    "refuses reads across a gap in its map with exception 04",
    on="tcp",
    symptom="exception 04 (server device failure), although each register can be read",
    seen_in="devices behind a logger",
    without=(ServerDeviceFailureError, "exception 04"),
    then_asks=[read(100), read(102, 2)],
    advice="read around the gap; `modwire read` does so by itself",
    asks=[read(100, 4)],
)
def hole_04(line: Line) -> None:
    with_hole(line, 4)


@device(
    "refuses more than 64 registers at a time with exception 03",
    on=BOTH,
    symptom="exception 03 (illegal data value) for long reads",
    seen_in="inverters and drives with a small buffer",
    without=(IllegalDataValueError, "exception 03"),
    then_asks=[read(0, 64), read(64, 36)],
    advice="ask for less at a time; `modwire read` does so by itself",
    asks=[read(0, 100)],
)
def most_64(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(3) if request.count > 64 else None))


def confirmed(line: Line, odd: dict[int, bytes]) -> None:
    """Answer writes with an odd confirmation: the bytes after the address, by function."""
    for request in line.requests():
        right = request.right()
        tail = odd.get(request.function)
        line.send(request.frame(right if tail is None else right[:3] + tail))


@device(
    "confirms a write of one register with the old value",
    on=BOTH,
    symptom="Writes raise InvalidResponseError, but are done",
    seen_in="heat pumps, drives that take over a setpoint later",
    without=(InvalidResponseError, "answer has value"),
    setting={"quirks": Quirks.odd_confirmation},
    asks=[write(5, 77), holds(5, 77)],
)
def old_value(line: Line) -> None:
    confirmed(line, {6: b"\0\5"})


@device(
    "confirms a write of several registers with the quantity 0",
    on=BOTH,
    symptom="Writes raise InvalidResponseError, but are done",
    seen_in="storages and heat pumps",
    without=(InvalidResponseError, "answer is wrong: count must be"),
    setting={"quirks": Quirks.odd_confirmation},
    asks=[write_several(5, 77, 78), holds(5, 77, 78)],
)
def quantity_zero(line: Line) -> None:
    confirmed(line, {16: b"\0\0"})


@device(
    "confirms a coil that is on with FF01",
    on=BOTH,
    symptom="Writes raise InvalidResponseError, but are done",
    seen_in="relay boards",
    without=(InvalidResponseError, "coil value must be"),
    setting={"quirks": Quirks.odd_confirmation},
    asks=[Call(WriteSingleCoilRequest(5, True))],
)
def coil_ff01(line: Line) -> None:
    confirmed(line, {5: b"\xff\x01"})


@device(
    "confirms a write of several registers with the whole request",
    symptom="Writes raise InvalidResponseError, but are done",
    seen_in="sketches that send the buffer of the request back",
    without=(InvalidResponseError, "must be 5 bytes"),
    setting={"quirks": Quirks.odd_confirmation},
    asks=[write_several(5, 77, 78), holds(5, 77, 78)],
)
def whole_request(line: Line) -> None:
    for request in line.requests():
        right = request.right()
        line.send(request.frame(request.pdu if request.function == 16 else right))


@device(
    "confirms a write of several registers with the whole request, on a line",
    on=("rtu", "rtu+tcp", "ascii"),
    symptom="Writes time out: the request itself came back, but they are done",
    seen_in="sketches that send the buffer of the request back",
    without=(ResponseTimeoutError, "the request itself came back"),
    then_asks=[write(5, 77), write(6, 78), holds(5, 77, 78)],
    advice="write by function 6; the confirmation cannot be told from an echo of the adapter",
    asks=[write_several(5, 77, 78), holds(5, 77, 78)],
)
def whole_request_on_line(line: Line) -> None:
    for request in line.requests():
        right = request.right()
        line.send(request.frame(request.pdu if request.function == 16 else right))


def only(line: Line, *functions: int) -> None:
    for request in line.requests():
        known = request.function in functions
        line.send(request.frame(None if known else request.refusal(1)))


@device(
    "knows function 16 only, also for one register",
    on=BOTH,
    symptom="Writes of one register: exception 01 (illegal function)",
    seen_in="inverters and storages",
    without=(IllegalFunctionError, "exception 01"),
    then_asks=[write_several(5, 77), holds(5, 77)],
    advice="call `write_registers(5, [77])`; `modwire write --functions 16`",
    asks=[write(5, 77)],
)
def only_16(line: Line) -> None:
    only(line, 3, 16)


@device(
    "knows function 6 only",
    on=BOTH,
    symptom="Writes of several registers: exception 01 (illegal function)",
    seen_in="drives, thermostats, relay boards",
    without=(IllegalFunctionError, "exception 01"),
    then_asks=[write(5, 77), write(6, 78), holds(5, 77, 78)],
    advice="call `write_register` for each",
    asks=[write_several(5, 77, 78)],
)
def only_6(line: Line) -> None:
    only(line, 3, 6)


@device(
    "knows registers only",
    symptom="Coils: exception 01 (illegal function)",
    seen_in="most meters",
    without=(IllegalFunctionError, "exception 01"),
    advice="its manual has the bits in a register: `hr:5/bit:3`",
    asks=[Call(ReadCoilsRequest(0, 3))],
)
def no_coils(line: Line) -> None:
    only(line, 3, 4)


def identification(request: Request, count: int) -> bytes:
    objects = b"\0\4ACME\1\2M1\2\0031.0"
    return bytes((43, 14, request.pdu[2], 1, 0, 0, count)) + objects


@device(
    "says fewer objects in its identification than it sends",
    on=BOTH,
    symptom="Nothing",
    seen_in="meters whose identification was extended",
    asks=[Call(ReadDeviceIdentificationRequest(1))],
)
def objects_count(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(identification(request, 2)))
