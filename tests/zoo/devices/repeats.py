"""Devices that say things twice, or more than they were asked."""

from __future__ import annotations

from modwire import ResponseTimeoutError

from ..asks import holds, read
from ..device import WRONG, device
from ..line import Line

SAME = [read(100), read(200), read(300), read(400)]


@device(
    "repeats each answer at once",
    on=("rtu", "ascii", "rtu+tcp"),
    symptom="Nothing; other programs get the value of the register before",
    seen_in="radio repeaters, adapters that hear both ends of a line",
    asks=SAME,
)
def repeats_at_once(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame() * 2)


@device(
    "repeats each answer a moment later",
    on=("rtu", "rtu+tcp"),
    symptom="Values of the register before, if reads follow each other at once",
    seen_in="radio repeaters",
    without=WRONG,
    setting={"pause": 1.5},
    asks=[read(100), holds(200, 100)],
    then_asks=[read(100), read(200)],
    advice="nothing tells the repetition from an answer, so it has to come in the pause",
)
def repeats_later(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame())
        line.is_quiet(1.0)  # until the next request, if there is no pause
        line.send(request.frame())


@device(
    "sends a second frame that nobody asked for in the packet of the answer",
    on=("tcp", "rtu", "rtu+tcp", "ascii"),
    symptom="Nothing; other programs take it for the next answer",
    seen_in="gateways that pass on what other clients asked",
    asks=SAME,
)
def two_in_one(line: Line) -> None:
    for request in line.requests():
        other = request.frame(request.registers(0xBAD), transaction=request.transaction + 77)
        line.send(request.frame() + other)


@device(
    "sends a frame by itself now and then, when a value has changed",
    on=("tcp", "rtu", "rtu+tcp"),
    symptom="Nothing",
    seen_in="alarm panels and access controllers that report events",
    asks=SAME,
)
def reports_events(line: Line) -> None:
    for request in line.requests():
        event = request.frame(b"\x06\0\x07\0\x01", transaction=0)
        line.send(event, request.frame(), gap=0.01)


@device(
    "loses the first byte of each answer",
    on=("rtu", "ascii", "rtu+tcp"),
    symptom="Every read times out: bytes were no RTU frame, or came, but no answer",
    seen_in="RS-485 adapters that switch to receiving too late",
    without=(ResponseTimeoutError, "no RTU frame or bytes came, but no answer"),
    advice="let the device answer later, or take an adapter that switches by itself",
    asks=[read(100, 3)],
)
def first_byte_lost(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame()[1:])


@device(
    "loses the first byte of one answer",
    on=("rtu", "rtu+tcp", "ascii"),
    symptom="Some reads time out: bytes were no RTU frame, or came, but no answer",
    seen_in="RS-485 adapters that switch to receiving at the last moment",
    without=(ResponseTimeoutError, "no RTU frame or bytes came, but no answer"),
    setting={"retries": 1, "response_timeout": 0.5},
    asks=[read(100, 3), read(200, 3)],
)
def first_byte_lost_once(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.send(frame[1:] if request.number == 1 else frame)


@device(
    "delivers long answers in lumps, 16 ms apart",
    on=("rtu+tcp", "ascii+tcp", "rtu", "ascii"),
    symptom="Nothing; other programs lose long answers",
    seen_in="serial device servers, which send what came since the last packet",
    asks=[read(100, 125), read(500, 60), read(9)],
)
def long_lumps(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.send(*(frame[at : at + 31] for at in range(0, len(frame), 31)), gap=0.016)


@device(
    "sends CR and LF behind each answer",
    on=("rtu", "rtu+tcp"),
    symptom="Nothing; other programs fail at every second read",
    seen_in="sketches that end their output by println",
)
def line_end_behind(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame() + b"\r\n")


@device(
    "greets with Telnet options",
    on="rtu+tcp",
    symptom="Nothing",
    seen_in="serial device servers in Telnet mode",
    advice="switch it to raw mode: values with a byte FF will fail",
)
def telnet_greeting(line: Line) -> None:
    line.send(bytes.fromhex("fffd03 fffb03 fffb01"))
    line.answer_all()


@device(
    "doubles each byte FF, as Telnet does",
    on="rtu+tcp",
    symptom="Reads of some values time out: bytes were no RTU frame",
    seen_in="serial device servers in Telnet mode",
    without=(ResponseTimeoutError, "no RTU frame"),
    advice="switch it to raw mode, or connect by `rtu://rfc2217://host:port`",
    asks=[read(0xFF00, 2)],
)
def telnet_escapes(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame().replace(b"\xff", b"\xff\xff"))
