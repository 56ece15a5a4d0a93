"""Devices on TCP with faults in the MBAP header's length, or with too many bytes."""

from __future__ import annotations

from modwire import (
    FrameError,
    GatewayTargetFailedError,
    IllegalDataAddressError,
    InvalidResponseError,
    Quirks,
    ResponseTimeoutError,
)

from ..asks import read
from ..device import Fails, device
from ..line import Line

UNFINISHED = (ResponseTimeoutError, "bytes of an unfinished frame came")


@device(
    "says a length that is 1 too big",
    symptom="Every read times out: bytes of an unfinished frame came",
    seen_in="Midea air conditioners (pymodbus 2266)",
    without=UNFINISHED,
    setting={"quirks": Quirks.wrong_length},
)
def length_too_big(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(length=len(request.right()) + 2))


@device(
    "says the length 6 of the request, whatever the answer's is",
    symptom="Every read fails: the answer must be longer, 5 bytes came",
    seen_in="MC6 heat pumps (node-red-contrib-modbus 146)",
    without=(InvalidResponseError, "bytes"),
    setting={"quirks": Quirks.wrong_length},
)
def length_of_request(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(length=6))


@device(
    "says length 4 in an exception response, which has 3",
    symptom="What the device refuses times out: bytes of an unfinished frame came",
    seen_in="Marstek storages (modbus-proxy PR 62)",
    without=UNFINISHED,
    setting={"quirks": Quirks.wrong_length},
    then=(IllegalDataAddressError, "exception 02"),
    advice="the exception is seen as what it is",
)
def exception_length(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(2), length=4))


@device(
    "sends one byte too many, and counts it",
    on=("tcp", "udp"),
    symptom="Every read fails: bytes too many",
    seen_in="sketches for Arduino (Arduino-Tools40 7)",
    without=(InvalidResponseError, "bytes"),
    setting={"quirks": Quirks.trailing_bytes},
)
def counted_byte(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.right() + b"\x06"))


@device(
    "sends the CRC of RTU after the frame, and counts it",
    symptom="Every read fails: 2 bytes too many",
    seen_in="converters that wrap the RTU frame as it is",
    without=(InvalidResponseError, "bytes"),
    setting={"quirks": Quirks.trailing_bytes},
)
def counted_crc(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.right() + b"\xab\xcd"))


@device(
    "sends the CRC of RTU after the frame, and does not count it",
    symptom="The first read works, the second fails: MBAP protocol id must be 0",
    seen_in="converters that append a CRC (libmodbus 317)",
    without=(FrameError, "MBAP"),
    setting={"quirks": Quirks.wrong_length},
)
def uncounted_crc(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame() + b"\xab\xcd")


@device(
    "pads exception responses to the length of the request",
    symptom="What the device refuses is an InvalidResponseError, not an exception",
    seen_in="PLCs that answer from the buffer of the request",
    without=(InvalidResponseError, "bytes"),
    setting={"quirks": Quirks.trailing_bytes},
    then=(IllegalDataAddressError, "exception 02"),
    advice="the exception is seen as what it is",
)
def padded_exception(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(2) + b"\0\0\0"))


@device(
    "sends the protocol id 1",
    symptom="Every read fails: MBAP protocol id must be 0",
    seen_in="devices of a protocol of their own on port 502",
    without=(FrameError, "MBAP protocol id must be 0"),
    advice="it speaks no Modbus; nothing helps",
)
def protocol_id(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.send(frame[:2] + b"\0\1" + frame[4:])


@device(
    "sends one answer byte by byte, each in a packet of its own",
    on=("tcp", "rtu+tcp", "ascii+tcp"),
    symptom="Nothing; other programs lose the frame",
    seen_in="Ethernet modules of the cheapest kind, serial device servers",
)
def byte_by_byte(line: Line) -> None:
    for request in line.requests():
        line.send(*(bytes((byte,)) for byte in request.frame()), gap=0.001)


@device(
    "sends a datagram that is cut short",
    on="udp",
    symptom="Some reads time out: bytes of an unfinished frame came",
    seen_in="networks with a small MTU",
    without=(ResponseTimeoutError, "bytes of an unfinished frame came"),
    setting={"retries": 2, "response_timeout": 0.5},
)
def cut_datagram(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.send(frame[:-1] if request.number % 2 else frame)


@device(
    "says the length with its bytes swapped",
    symptom="Every read fails: MBAP length must be 2..254",
    seen_in="sketches for microcontrollers",
    without=(FrameError, "MBAP length must be 2..254"),
    setting={"quirks": Quirks.wrong_length},
)
def length_swapped(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(length=(len(request.right()) + 1) << 8))


@device(
    "sends six zero bytes now and then, to keep the connection",
    symptom="Reads fail now and then: MBAP length must be 2..254, got 0",
    seen_in="gateways over mobile networks",
    without=(FrameError, "MBAP length must be 2..254, got 0"),
    setting={"quirks": Quirks.wrong_length},
)
def keepalive(line: Line) -> None:
    for request in line.requests():
        line.send(b"\0" * 6, request.frame(), gap=0.01)


@device(
    "loses the end of one answer, and keeps the connection",
    symptom="One read times out: bytes of an unfinished frame came; the next one works",
    seen_in="gateways that give up in the middle of an answer",
    without=Fails(ResponseTimeoutError, "bytes of an unfinished frame came", times=1),
    advice="ask again: the connection was made again, so the lost end can come no more",
    keeps_on=True,
    asks=[read(0, 120), read(200), read(300), read(400), read(500)],
    only=("sync", "gevent", "trio", "asyncio", "uvloop"),
)
def end_lost(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.send(frame[:100] if line.state.requests == 1 else frame)


@device(
    "is a gateway that refuses in the name of unit 0",
    symptom="Every read times out: unit 0 answered with exception 0B",
    seen_in="gateways to serial lines, for units that do not answer",
    without=(ResponseTimeoutError, "unit 0 answered with exception 0B"),
    setting={"quirks": Quirks.any_unit},
    then=(GatewayTargetFailedError, "exception 0B"),
    advice="the unit behind the gateway does not answer: look at it",
)
def refuses_as_unit_zero(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(11), unit=0))
