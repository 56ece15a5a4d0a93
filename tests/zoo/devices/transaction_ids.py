"""Devices on TCP and UDP with faults in the transaction id or the unit id."""

from __future__ import annotations

from modwire import Quirks, ResponseTimeoutError

from ..asks import read
from ..device import device
from ..line import Line

OTHER = (ResponseTimeoutError, "an answer to another request came")


@device(
    "answers every request with transaction id 0",
    on=("tcp", "udp"),
    symptom="Every read times out: an answer to another request came",
    seen_in="inverters and serial gateways (pymodbus PR 2844)",
    without=OTHER,
    setting={"quirks": Quirks.zero_transaction_id},
)
def zero_id(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(transaction=0))


@device(
    "answers with transaction id 0, and once only after the timeout",
    symptom="Values of the wrong register, now and then (not with modwire)",
    seen_in="the same, on a loaded serial line behind the gateway",
    without=(ResponseTimeoutError, "an answer to another request came"),
    given={"response_timeout": 0.3, "late_reply_window": 10.0},
    setting={"quirks": Quirks.zero_transaction_id},
    then=(ResponseTimeoutError, "nothing came"),
    advice="the late answer is discarded, and the next read waits for it",
    keeps_on=True,
    asks=[read(100), read(200), read(300), read(400)],
)
def zero_id_late(line: Line) -> None:
    for request in line.requests():
        if line.state.requests == 2:
            line.wait(0.4)
        line.send(request.frame(transaction=0))


@device(
    "counts transaction ids by itself from 1, whatever was asked",
    symptom="Every read times out: an answer to another request came; ids in the log count from 1",
    seen_in="a Waveshare gateway (kellerza/sunsynk 680)",
    without=OTHER,
    setting={"quirks": Quirks.any_transaction_id},
    asks=[read(1), read(2)],
)
def own_ids(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(transaction=line.state.requests + 1))


@device(
    "repeats the id of the request before",
    symptom="Each read fails, and the log shows ids one behind",
    seen_in="Wallbe chargers, after a while (grid-x/modbus 26)",
    without=OTHER,
    setting={"quirks": Quirks.any_transaction_id},
)
def id_behind(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(transaction=request.transaction - 1))


@device(
    "answers with transaction id 1 always",
    symptom="The first read works, later ones time out: an answer to another request came",
    seen_in="sketches for microcontrollers with a constant header",
    without=OTHER,
    setting={"quirks": Quirks.any_transaction_id},
)
def fixed_id(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(transaction=1))


@device(
    "answers with the low byte of the transaction id alone",
    symptom="256 requests work, then every read times out",
    seen_in="sketches for microcontrollers",
    setting={"quirks": Quirks.short_transaction_id},
    asks=[read(each) for each in range(0, 2600, 10)],
    without=OTHER,
    only=("sync", "trio", "gevent", "asyncio", "uvloop", "gateway"),
)
def short_id(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(transaction=request.transaction & 0xFF))


@device(
    "is unit 0 on a serial line",
    on=("rtu", "rtu+tcp"),
    symptom="Unit 1 times out, and reads of unit 0 are refused as a broadcast",
    seen_in="sensors that answer any address as 0 in their delivery state",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"unit": 0, "quirks": Quirks.answers_unit_zero},
)
def line_unit_zero(line: Line) -> None:
    for request in line.requests():
        if request.unit == 0:
            line.send(request.frame())


@device(
    "swaps the bytes of the transaction id",
    symptom="Every read times out, ids in the log are multiples of 256",
    seen_in="a device in pymodbus 2709",
    without=OTHER,
    setting={"quirks": Quirks.any_transaction_id},
)
def swapped_id(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(transaction=(request.transaction % 256 << 8)))


@device(
    "answers with unit id 0, whatever was asked",
    on=("tcp", "rtu+tcp"),
    symptom="Every read times out: unit 0 answered",
    seen_in="a meter behind a gateway (pymodbus 2762), simple servers",
    without=(ResponseTimeoutError, "unit 0 answered"),
    setting={"quirks": Quirks.any_unit},
)
def unit_zero(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(unit=0))


@device(
    "answers with unit id 255, whatever was asked",
    symptom="Every read times out: unit 255 answered",
    seen_in="devices that take the unit of TCP for insignificant (Messaging on TCP/IP, 4.4.2.1)",
    without=(ResponseTimeoutError, "unit 255 answered"),
    setting={"quirks": Quirks.any_unit},
)
def unit_255(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(unit=255))


@device(
    "answers as unit 1, whatever was asked",
    on=("tcp", "rtu"),
    symptom="Unit 1 works, all other units time out: unit 1 answered",
    seen_in="single devices behind a gateway (goburrow/modbus 54)",
    without=(ResponseTimeoutError, "unit 1 answered"),
    setting={"quirks": Quirks.any_unit},
    asks=[read(100, 2, unit=3), read(7, unit=3)],
)
def unit_one(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(unit=1))


@device(
    "answers only the unit id that is set in it, 247, and is silent for others",
    on=("tcp", "rtu"),
    symptom="Every read times out: nothing came, but the connection opens",
    seen_in="any device with an address of its own",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"unit": 247},
    advice="`modwire scan` finds the unit",
)
def other_unit(line: Line) -> None:
    for request in line.requests():
        if request.unit == 247:
            line.send(request.frame())


@device(
    "is unit 0, also for reads",
    symptom="Unit 1 times out, and unit 0 is said to be a broadcast",
    seen_in="a device in pymodbus 2777",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"unit": 0},
    advice="on TCP, unit 0 is an address as any other",
)
def is_unit_zero(line: Line) -> None:
    for request in line.requests():
        if request.unit == 0:
            line.send(request.frame())


@device(
    "has the reserved unit id 250",
    on=("tcp", "rtu", "rtu+tcp"),
    symptom="Other programs refuse unit 250",
    seen_in="heat pumps and gateways with ids 248..255",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"unit": 250},
)
def reserved_unit(line: Line) -> None:
    for request in line.requests():
        if request.unit == 250:
            line.send(request.frame())


@device(
    "answers twice, the second time after the next request",
    on=("tcp", "udp"),
    symptom="Nothing; other programs get values of the register before",
    seen_in="gateways that repeat on the serial side; UDP networks",
)
def answers_twice(line: Line) -> None:
    before = b""
    for request in line.requests():
        line.send(before + request.frame() if line.on == "tcp" else request.frame())
        if line.on == "udp":
            line.send(request.frame())
        before = request.frame()


@device(
    "sends a frame that nobody asked for before each answer",
    on=("tcp", "udp"),
    symptom="Nothing",
    seen_in="gateways that pass on what other clients asked",
)
def unasked(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.registers(0xBAD), transaction=request.transaction + 77))
        line.send(request.frame())


@device(
    "sends datagrams from another port than it was asked at",
    on="udp",
    symptom="Every read times out: nothing came",
    seen_in="simple UDP stacks that make a socket for each answer",
    without=(ResponseTimeoutError, "nothing came"),
    advice="nothing helps: a client takes only what comes from the address that it asked. Use TCP",
)
def other_port(line: Line) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for request in line.requests():
            other.sendto(request.frame(), line.peer)


@device(
    "loses every other datagram",
    on="udp",
    symptom="Half of the reads time out",
    seen_in="any busy or wireless network",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"retries": 3, "response_timeout": 0.5},
)
def lossy(line: Line) -> None:
    for request in line.requests():
        if request.number % 2 == 0:
            line.send(request.frame())
