"""One exchange, as a client sees it: encode the request, decode its response.

The floor is code written by hand with `struct` for this one function: the same bytes, the same
checks (transaction, protocol id, length, unit, function code, byte count or echo; ranges by
`struct`), bits through one big integer, and on RTU the fastest CRC of crc.py.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from struct import Struct, unpack
from typing import NamedTuple

from crc import fastest as floor_crc
from rounds import FLOOR, OURS, Loop, Row, Settings, cpu_sample, time_row

from modwire import ClientProtocol, Request, Response
from modwire.errors import FrameError
from modwire.framing import Frame, Framing, RtuFraming, TcpFraming
from modwire.messages.bit_access import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
)
from modwire.messages.decoder import Decoder
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
)

UNIT, ADDRESS = 17, 100
THROUGH_PROTOCOL = "ClientProtocol"

_TCP_READ = Struct(">HHHBBHH")
_TCP_WRITE = Struct(">HHHBBHHB")
_TCP_ANSWER = Struct(">HHHBBB")
_RTU_READ = Struct(">BBHH")
_RTU_WRITE = Struct(">BBHHB")
_WORDS = tuple(Struct(f">{count}H") for count in range(126))
_TO_BIT = bytes(byte == 0x31 for byte in range(256))
# A value other than 0 and 1 becomes a digit that int() refuses.
_TO_ASCII = b"01" + b"x" * 254


class NotAnAnswerError(Exception):
    """Raised by the floors for a wrong reply; a message would cost nothing until then."""


# --- the floors' values: registers by struct, bits by one big integer


def pack_bits(values: list[bool]) -> bytes:
    digits = bytes(values)[::-1].translate(_TO_ASCII)
    return int(digits, 2).to_bytes((len(digits) + 7) >> 3, "little")


def unpack_bits(data: bytes, count: int) -> list[bool]:
    digits = bin(int.from_bytes(data, "little") | 1 << (len(data) << 3))[: -count - 1 : -1]
    return list(unpack(f"{count}?", digits.encode().translate(_TO_BIT)))


# --- the floors on TCP


def tcp_encode_read(
    transaction: int, unit: int, code: int, most: int, at: int, count: int
) -> bytes:
    if not 1 <= count <= most or at + count > 0x10000:
        raise ValueError
    return _TCP_READ.pack(transaction, 0, 6, unit, code, at, count)


def tcp_check_values(reply: bytes, transaction: int, unit: int, code: int, size: int) -> None:
    """Check the reply to a read that has `size` bytes of values."""
    if len(reply) != size + 9:
        raise NotAnAnswerError
    if _TCP_ANSWER.unpack_from(reply) != (transaction, 0, size + 3, unit, code, size):
        raise NotAnAnswerError


def tcp_encode_write(
    transaction: int, unit: int, code: int, most: int, at: int, count: int, data: bytes
) -> bytes:
    if not 1 <= count <= most or at + count > 0x10000:
        raise ValueError
    size = len(data)
    return _TCP_WRITE.pack(transaction, 0, size + 7, unit, code, at, count, size) + data


def tcp_check_echo(
    reply: bytes, transaction: int, unit: int, code: int, at: int, count: int
) -> None:
    if len(reply) != 12:
        raise NotAnAnswerError
    if _TCP_READ.unpack(reply) != (transaction, 0, 6, unit, code, at, count):
        raise NotAnAnswerError


def tcp_read_registers(transaction: int, reply: bytes, count: int) -> tuple[bytes, list[int]]:
    request = tcp_encode_read(transaction, UNIT, 3, 125, ADDRESS, count)
    tcp_check_values(reply, transaction, UNIT, 3, count << 1)
    return request, list(_WORDS[count].unpack_from(reply, 9))


def tcp_read_coils(transaction: int, reply: bytes, count: int) -> tuple[bytes, list[bool]]:
    request = tcp_encode_read(transaction, UNIT, 1, 2000, ADDRESS, count)
    tcp_check_values(reply, transaction, UNIT, 1, (count + 7) >> 3)
    return request, unpack_bits(reply[9:], count)


def tcp_write_registers(transaction: int, reply: bytes, values: list[int]) -> bytes:
    count = len(values)
    data = _WORDS[count].pack(*values)
    request = tcp_encode_write(transaction, UNIT, 16, 123, ADDRESS, count, data)
    tcp_check_echo(reply, transaction, UNIT, 16, ADDRESS, count)
    return request


def tcp_write_coils(transaction: int, reply: bytes, values: list[bool]) -> bytes:
    count = len(values)
    data = pack_bits(values)
    request = tcp_encode_write(transaction, UNIT, 15, 1968, ADDRESS, count, data)
    tcp_check_echo(reply, transaction, UNIT, 15, ADDRESS, count)
    return request


# --- the floors on RTU


def rtu_encode_read(unit: int, code: int, most: int, at: int, count: int) -> bytes:
    if not 1 <= count <= most or at + count > 0x10000:
        raise ValueError
    body = _RTU_READ.pack(unit, code, at, count)
    return body + floor_crc(body).to_bytes(2, "little")


def rtu_check_values(reply: bytes, unit: int, code: int, size: int) -> None:
    if len(reply) != size + 5 or reply[0] != unit or reply[1] != code or reply[2] != size:
        raise NotAnAnswerError
    if floor_crc(reply):  # 0 if the frame ends with its own CRC
        raise NotAnAnswerError


def rtu_encode_write(unit: int, code: int, most: int, at: int, count: int, data: bytes) -> bytes:
    if not 1 <= count <= most or at + count > 0x10000:
        raise ValueError
    body = _RTU_WRITE.pack(unit, code, at, count, len(data)) + data
    return body + floor_crc(body).to_bytes(2, "little")


def rtu_check_echo(reply: bytes, unit: int, code: int, at: int, count: int) -> None:
    if len(reply) != 8 or _RTU_READ.unpack_from(reply) != (unit, code, at, count):
        raise NotAnAnswerError
    if floor_crc(reply):
        raise NotAnAnswerError


def rtu_read_registers(transaction: int, reply: bytes, count: int) -> tuple[bytes, list[int]]:
    request = rtu_encode_read(UNIT, 3, 125, ADDRESS, count)
    rtu_check_values(reply, UNIT, 3, count << 1)
    return request, list(_WORDS[count].unpack_from(reply, 3))


def rtu_read_coils(transaction: int, reply: bytes, count: int) -> tuple[bytes, list[bool]]:
    request = rtu_encode_read(UNIT, 1, 2000, ADDRESS, count)
    rtu_check_values(reply, UNIT, 1, (count + 7) >> 3)
    return request, unpack_bits(reply[3:-2], count)


def rtu_write_registers(transaction: int, reply: bytes, values: list[int]) -> bytes:
    count = len(values)
    request = rtu_encode_write(UNIT, 16, 123, ADDRESS, count, _WORDS[count].pack(*values))
    rtu_check_echo(reply, UNIT, 16, ADDRESS, count)
    return request


def rtu_write_coils(transaction: int, reply: bytes, values: list[bool]) -> bytes:
    count = len(values)
    request = rtu_encode_write(UNIT, 15, 1968, ADDRESS, count, pack_bits(values))
    rtu_check_echo(reply, UNIT, 15, ADDRESS, count)
    return request


# --- modwire: its messages and framings, as `ClientProtocol` uses them


def unwrap(framing: Framing, request: Request[Response], reply: bytes) -> bytes:
    if not framing.has_transactions:
        framing.expected = (UNIT, request.function_code, request.expected_length())
    framing.receive_data(reply, 0.0)
    frame = framing.frames.popleft()
    if isinstance(frame, FrameError) or frame[0] != UNIT or frame[1] != framing.has_transactions:
        raise NotAnAnswerError
    return frame[2]


def read_registers(framing: Framing, reply: bytes, count: int) -> tuple[bytes, list[int]]:
    request = ReadHoldingRegistersRequest(ADDRESS, count)
    data = framing.wrap(UNIT, 1, request.encode())
    pdu = unwrap(framing, request, reply)
    return data, list(request.decode_response(pdu).registers)


def read_coils(framing: Framing, reply: bytes, count: int) -> tuple[bytes, list[bool]]:
    request = ReadCoilsRequest(ADDRESS, count)
    data = framing.wrap(UNIT, 1, request.encode())
    pdu = unwrap(framing, request, reply)
    return data, list(request.decode_response(pdu).bits)


def write_registers(framing: Framing, reply: bytes, values: list[int]) -> bytes:
    request = WriteMultipleRegistersRequest(ADDRESS, values)
    data = framing.wrap(UNIT, 1, request.encode())
    pdu = unwrap(framing, request, reply)
    request.decode_response(pdu)
    return data


def write_coils(framing: Framing, reply: bytes, values: list[bool]) -> bytes:
    request = WriteMultipleCoilsRequest(ADDRESS, values)
    data = framing.wrap(UNIT, 1, request.encode())
    pdu = unwrap(framing, request, reply)
    request.decode_response(pdu)
    return data


class Case(NamedTuple):
    """One message: its name, its target, and the functions of modwire and of the floors."""

    name: str
    target: float
    request: Callable[[], object]
    response: bytes  # the PDU
    argument: object
    ours: Callable[..., object]
    tcp_floor: Callable[..., object]
    rtu_floor: Callable[..., object]


REGISTERS = [value * 521 & 0xFFFF for value in range(1, 126)]
BITS = [value * 7 % 5 < 2 for value in range(2000)]

CASES = (
    Case(
        "FC3, 10 registers",
        4.0,
        lambda: ReadHoldingRegistersRequest(ADDRESS, 10),
        ReadHoldingRegistersResponse(REGISTERS[:10]).encode(),
        10,
        read_registers,
        tcp_read_registers,
        rtu_read_registers,
    ),
    Case(
        "FC3, 125 registers",
        1.7,
        lambda: ReadHoldingRegistersRequest(ADDRESS, 125),
        ReadHoldingRegistersResponse(REGISTERS).encode(),
        125,
        read_registers,
        tcp_read_registers,
        rtu_read_registers,
    ),
    Case(
        "FC16, 123 registers",
        1.7,
        lambda: WriteMultipleRegistersRequest(ADDRESS, REGISTERS[:123]),
        WriteMultipleRegistersResponse(ADDRESS, 123).encode(),
        REGISTERS[:123],
        write_registers,
        tcp_write_registers,
        rtu_write_registers,
    ),
    Case(
        "FC1, 2000 coils",
        1.15,
        lambda: ReadCoilsRequest(ADDRESS, 2000),
        ReadCoilsResponse(BITS).encode(),
        2000,
        read_coils,
        tcp_read_coils,
        rtu_read_coils,
    ),
    Case(
        "FC15, 1968 coils",
        1.15,
        lambda: WriteMultipleCoilsRequest(ADDRESS, BITS[:1968]),
        WriteMultipleCoilsResponse(ADDRESS, 1968).encode(),
        BITS[:1968],
        write_coils,
        tcp_write_coils,
        rtu_write_coils,
    ),
)


def _calls(function: Callable[..., object], *arguments: object) -> Loop:
    def loop(count: int) -> None:
        for _ in repeat(None, count):
            function(*arguments)

    return loop


def _protocol_loop(
    framing: type[Framing], request: Callable[[], object], reply: bytes, values: str | None
) -> Loop:
    """Return a loop through `ClientProtocol`, which adds matching, timeouts and retries."""
    protocol = ClientProtocol(framing)
    has_transactions = framing.has_transactions
    # Further apart than the silent interval between two frames.
    times = iter(range(1, 1 << 60, 10))

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            now = float(next(times))
            exchange = protocol.start(request(), UNIT, now=now)  # type: ignore[arg-type]
            data = protocol.data_to_send(now)
            protocol.receive_data(data[:2] + reply[2:] if has_transactions else reply, now)
            response = exchange.result()
            if values is not None:
                list(getattr(response, values))

    return loop


def run(settings: Settings) -> list[Row]:
    """Return a row for each case on TCP and on RTU."""
    rows = []
    for framing in (TcpFraming, RtuFraming):
        for case in CASES:
            ours = framing(Decoder(), is_server=False)
            reply = ours.encode(Frame(UNIT, 1, case.response))
            floor = case.tcp_floor if framing is TcpFraming else case.rtu_floor
            if case.ours(ours, reply, case.argument) != floor(1, reply, case.argument):
                raise RuntimeError(f"{case.name}: modwire and the floor do not agree")
            values = {read_registers: "registers", read_coils: "bits"}.get(case.ours)
            loops = {
                FLOOR: _calls(floor, 1, reply, case.argument),
                OURS: _calls(case.ours, ours, reply, case.argument),
                THROUGH_PROTOCOL: _protocol_loop(framing, case.request, reply, values),
            }
            samples = {each: cpu_sample(loop, settings.sample) for each, loop in loops.items()}
            name = f"{case.name}, {framing.name.upper()}"
            rows.append(time_row("codec", name, samples, settings.rounds, case.target))
    return rows
