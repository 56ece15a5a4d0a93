"""Serial lines and converters that tear frames, add bytes or damage them."""

from __future__ import annotations

from modwire import InvalidResponseError, ReportServerIdRequest, ResponseTimeoutError

from ..asks import Call, read
from ..device import device
from ..line import Line

LONG = [read(100, 20), read(500, 60), read(9)]


def thirds(frame: bytes) -> tuple[bytes, bytes, bytes]:
    third = len(frame) // 3
    return frame[:third], frame[third : 2 * third], frame[2 * third :]


def torn(name: str, milliseconds: int, why: str, seen_in: str) -> None:
    """Put a device into the zoo whose answers come in three pieces."""

    def script(line: Line) -> None:
        for request in line.requests():
            line.send(*thirds(request.frame()), gap=milliseconds / 1000)

    script.__name__ = name
    device(
        f"delivers an answer in pieces, {milliseconds} ms apart",
        on=("rtu", "rtu+tcp", "tcp", "ascii"),
        symptom=f"Nothing; other programs lose frames that {why}",
        seen_in=seen_in,
    )(script)


torn("torn_1", 1, "come in pieces", "every USB adapter; devices with a slow processor")
torn("torn_16", 16, "come in pieces", "FTDI adapters, whose latency timer is 16 ms")
torn("torn_30", 30, "come in pieces", "Bluetooth and WLAN adapters")
torn("torn_100", 100, "pause inside", "radio links, LTE routers")
torn("torn_250", 250, "pause long inside", "radio links, GPRS modems, busy virtual machines")


@device(
    "delivers an answer in lumps of 15 bytes, 16 ms apart",
    on="rtu",
    given={"baudrate": 9600},
    symptom="Nothing; other programs lose long answers",
    seen_in="FTDI adapters, whose latency timer is 16 ms",
    asks=LONG,
)
def lumps(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.send(*(frame[at : at + 15] for at in range(0, len(frame), 15)), gap=0.016)


@device(
    "sends each byte alone, as slow as 1200 baud",
    on="rtu",
    given={"baudrate": 1200},
    symptom="Nothing",
    seen_in="old meters, long lines",
)
def slow_bytes(line: Line) -> None:
    for request in line.requests():
        line.send(*(bytes((byte,)) for byte in request.frame()), gap=0.009)


@device(
    "gives back all that is sent, before the answer",
    on="rtu",
    symptom="Reads work; writes and diagnostics seem to work although no device is there",
    seen_in="RS-485 adapters with the receiver always on (libmodbus 34 and 380, modpoll 5)",
    setting={"suppress_echo": True},
)
def echo(line: Line) -> None:
    for request in line.requests():
        line.send(request.raw, request.frame(), gap=0.002)


@device(
    "gives back all that is sent in ASCII, before the answer",
    on="ascii",
    symptom="Reads work; writes and diagnostics seem to work although no device is there",
    seen_in="RS-485 adapters with the receiver always on",
    setting={"suppress_echo": True},
)
def ascii_echo(line: Line) -> None:
    for request in line.requests():
        line.send(request.raw, request.frame(), gap=0.002)


@device(
    "gives back the end of what is sent, before the answer",
    on="rtu",
    symptom="Nothing",
    seen_in="RS-485 adapters that switch the direction too early",
)
def partial_echo(line: Line) -> None:
    for request in line.requests():
        line.send(request.raw[-3:], request.frame(), gap=0.005)


@device(
    "has a zero byte before each answer",
    on=("rtu", "rtu+tcp", "ascii"),
    symptom="Nothing; other programs fail with CRC errors",
    seen_in="RS-485 lines without bias resistors, at the turn of the direction",
)
def leading_zero(line: Line) -> None:
    for request in line.requests():
        line.send(b"\0" + request.frame())


@device(
    "has a byte FF behind each answer",
    on=("rtu", "rtu+tcp", "ascii"),
    symptom="Nothing; other programs fail at every second read",
    seen_in="RS-485 lines without bias resistors, at the turn of the direction",
)
def trailing_ff(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame() + b"\xff")


@device(
    "has a byte 00 behind each answer, a while after it",
    on=("rtu", "ascii"),
    symptom="Nothing",
    seen_in="RS-485 transceivers that are switched off late",
)
def trailing_zero(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(), b"\0", gap=0.003)


@device(
    "has noise of a few bytes before each answer",
    on=("rtu", "ascii", "rtu+tcp"),
    symptom="Nothing",
    seen_in="long lines beside motors and inverters",
)
def noise_before(line: Line) -> None:
    for request in line.requests():
        line.send(b"\x55\x9d\x03\x81", request.frame(), gap=0.004)


@device(
    "has noise between two frames",
    on=("rtu", "ascii"),
    symptom="Nothing",
    seen_in="long lines beside motors and inverters",
)
def noise_between(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(), b"\xfe\x01\x03", gap=0.002)


@device(
    "damages every second answer",
    on=("rtu", "ascii", "rtu+tcp"),
    symptom="Some reads time out: bytes were no RTU frame, or a wrong LRC",
    seen_in="lines without a terminating resistor, too long or wired as a star",
    without=(ResponseTimeoutError, "no RTU frame or LRC"),
    setting={"retries": 2, "response_timeout": 0.5},
    advice="mend the line",
    asks=[read(100, 3), read(2000)],
)
def damages(line: Line) -> None:
    for request in line.requests():
        frame = bytearray(request.frame())
        if request.number % 2:
            frame[-4] ^= 0x01
        line.send(bytes(frame))


@device(
    "answers with another parity or speed, so that the bytes are no frame",
    on="rtu",
    symptom="Every read times out: bytes were no RTU frame",
    seen_in="any device with other settings of the line",
    without=(ResponseTimeoutError, "no RTU frame"),
    advice="try `modwire scan --baudrates all --parities all`",
)
def other_baudrate(line: Line) -> None:
    while line.receive():
        line.send(bytes.fromhex("80 fe 00 f8 80 e6 00 00 98"))


@device(
    "sends FF all the time",
    on="rtu",
    given={"baudrate": 1200},
    symptom="Every read times out: bytes of an unfinished frame came, or the line is never quiet",
    seen_in="adapters whose RX is stuck or floats (pymodbus 2856)",
    without=(
        ResponseTimeoutError,
        "bytes of an unfinished frame came or the line is never quiet or were no RTU frame",
    ),
    advice="mend the line: A and B may be swapped, or a bias resistor is missing",
)
def stuck_line(line: Line) -> None:
    while True:
        line.send(b"\xff")
        line.wait(0.008)


@device(
    "sends FF all the time, and a device answers nevertheless",
    on="rtu",
    given={"baudrate": 1200},
    asks=[read(100, 3), read(2000)],
    symptom="Reads take long",
    seen_in="adapters whose RX floats (pymodbus 2856)",
    advice="mend the line",
)
def babbling(line: Line) -> None:
    while True:
        line.send(b"\xff")
        if not line.is_quiet(0.008):
            line.send(line.next().frame())


@device(
    "has other devices and another client on the line",
    on="rtu",
    symptom="Nothing, as long as they do not talk at the same time",
    seen_in="lines with a controller of their own, such as inverter and meter",
)
def bystander(line: Line) -> None:
    for request in line.requests():
        other = request.frame(request.registers(0xBAD), unit=9)
        line.send(other, request.frame(), gap=0.005)


@device(
    "says a byte count in Report Server ID that is too small",
    on="rtu",
    symptom="Function 17 raises InvalidResponseError; reads work",
    seen_in="drives and meters that count only the name",
    asks=[Call(ReportServerIdRequest()), *LONG],
    without=(InvalidResponseError, "2 + byte count"),
    keeps_on=True,
    advice="do without function 17, or send it as a `RawRequest`",
)
def server_id_count(line: Line) -> None:
    for request in line.requests():
        pdu = b"\x11\x03pumpe\xff" if request.function == 17 else request.right()
        line.send(request.frame(pdu))


@device(
    "sends hexadecimal digits in lower case",
    on=("ascii", "ascii+tcp"),
    symptom="Nothing; other programs ignore the answers",
    seen_in="controllers with their own implementation",
)
def lower_case(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame().lower())


@device(
    "ends ASCII frames by LF alone",
    on=("ascii", "ascii+tcp"),
    symptom="Every read times out: bytes of an unfinished frame came",
    seen_in="controllers with their own implementation, converters that drop CR",
    without=(ResponseTimeoutError, "bytes of an unfinished frame came"),
    advice="let the converter pass CR on: the specification asks for both",
)
def line_feed(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame().replace(b"\r\n", b"\n"))


@device(
    "speaks ASCII on a line that is taken for RTU",
    on="ascii",
    endpoint="rtu",
    symptom="Every read times out: nothing came",
    seen_in="PLCs whose port is set to ASCII with 7 bits",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"scheme": "ascii"},
)
def ascii_line(line: Line) -> None:
    while data := line.receive():
        if data[:1] == b":":
            line.unread(data)
            line.send(line.next().frame())
