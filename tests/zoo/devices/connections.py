"""Devices on TCP with faults in their connections, and peers that speak something else."""

from __future__ import annotations

from modwire import ConnectionLostError, FrameError, ModbusError, ResponseTimeoutError

from ..asks import read
from ..device import device
from ..line import Line

FOUR = [read(100, 3), read(2000), read(9007), read(4000, 2)]


@device(
    "never answers",
    on=("tcp", "udp", "rtu", "ascii", "rtu+tcp"),
    symptom="Every read times out: nothing came",
    seen_in="any device that is off, has another unit id, or other settings of the line",
    without=(ResponseTimeoutError, "nothing came"),
    advice="look at power, wires, unit id and line settings; `modwire scan` tries them",
)
def dead(line: Line) -> None:
    for _ in line.requests():
        pass


@device(
    "refuses connections",
    symptom="Connection refused",
    seen_in="devices in which Modbus has to be switched on first",
    without=(ConnectionLostError, "refused"),
    advice="switch Modbus on in the device; look at the port (1502, 5020, 6607, 8899)",
    listens=False,
)
def refuses(line: Line) -> None:
    raise AssertionError("nobody can connect")


@device(
    "is gone without a word on the first connection, and would answer on a new one",
    symptom="Reads time out for ever, until the program is restarted (not with modwire)",
    seen_in="NAT routers, firewalls, WLAN, unplugged cables",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"reconnect_after": 1, "retries": 1, "response_timeout": 0.5},
    advice="without, the connection is made again after three timeouts in a row",
    asks=FOUR,
)
def black_hole(line: Line) -> None:
    for request in line.requests():
        if line.number > 1 or line.state.requests <= 2:
            line.send(request.frame())


@device(
    "closes the connection after each answer",
    on=("tcp", "rtu+tcp"),
    symptom="Nothing; other programs fail at every second read",
    seen_in="libraries for STM32 (Modbus-STM32-HAL-FreeRTOS 28), Home Assistant 101982",
    timeout=3.0,  # a repeated request of `rtu+tcp` waits for this and the late reply window
)
def closes_after_answer(line: Line) -> None:
    line.send(line.next().frame())


@device(
    "resets the connection after each answer",
    symptom="Nothing; other programs fail at every second read",
    seen_in="loggers with one buffer",
)
def resets_after_answer(line: Line) -> None:
    line.send(line.next().frame())
    line.reset()


@device(
    "closes the connection when a while passes without a request",
    symptom="Nothing; other programs fail at the first read after a pause",
    seen_in="most gateways, after 10 to 60 seconds",
    asks=FOUR,
)
def closes_when_idle(line: Line) -> None:
    line.send(line.next().frame())
    line.send(line.next().frame())


@device(
    "closes the connection in place of the first answer",
    symptom="Connection lost, at the first read only",
    seen_in="inverters that are asked too early",
    without=(ConnectionLostError, "closed"),
    advice="ask again: the next read makes a new connection at once",
    keeps_on=True,
)
def closes_first(line: Line) -> None:
    if line.number == 1:
        line.next()
    else:
        line.answer_all()


@device(
    "closes every connection as soon as it is asked",
    symptom="Connection lost at every read",
    seen_in="devices that allow named clients only, or have no connection left",
    without=(ConnectionLostError, "the link was lost or closed the connection"),
    advice="allow this client in the device, and end other programs that are connected",
)
def closes_always(line: Line) -> None:
    line.next()


@device(
    "closes the first connection before anything is asked",
    symptom="Connection lost, at the first read only",
    seen_in="devices that start, proxies whose own server is not there yet",
    without=(ConnectionLostError, "the link was lost or cannot be opened"),
    advice="ask again",
    keeps_on=True,
    asks=FOUR,
)
def resets_at_once(line: Line) -> None:
    if line.number == 1:
        line.reset()
    line.answer_all()


@device(
    "sends half an answer and closes the connection",
    symptom="Connection lost in the middle of an answer",
    seen_in="devices that restart when asked for too much",
    without=(ConnectionLostError, "closed"),
    advice="ask again, or for less at a time",
    keeps_on=True,
)
def half_and_closes(line: Line) -> None:
    request = line.next()
    if line.number == 1:
        line.send(request.frame()[:-2])
    else:
        line.send(request.frame())
        line.answer_all()


@device(
    "has one connection only, and closes the older one for a new one",
    symptom="Nothing, as long as one program is connected; two disconnect each other",
    seen_in="SolarEdge (home-assistant-solaredge-modbus 107), Huawei (modbus-proxy-rs PR 5)",
    advice="put `modwire gateway` in front of it for several programs",
)
def one_connection(line: Line) -> None:
    older = line.state.notes.get("end")
    if older is not None:
        older.close()
    line.state.notes["end"] = line.end
    line.answer_all()


@device(
    "answers one request at a time and drops others that come meanwhile",
    symptom="Nothing, as long as `max_in_flight` is 1, the default",
    seen_in="servers in libplctag PR 190, gateways to serial lines",
)
def one_at_a_time(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        line.wait(0.01)
        line.discard() if not line.is_quiet(0) else None
        line.send(frame)


@device(
    "swallows everything in the first part of a second after the connect",
    symptom="The first read times out, the next work",
    seen_in="Huawei SDongle (openhab-core 2926), SolarEdge (jbuehl/solaredge 80), telegraf 11919",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"connect_delay": 1.0},
)
def deaf_at_first(line: Line) -> None:
    while not line.is_quiet(0.3):
        line.discard()
    line.answer_all()


@device(
    "closes the connection if it is asked in the first part of a second after the connect",
    symptom="Connection lost at every first read",
    seen_in="dongles of inverters",
    without=(ConnectionLostError, "the link was lost or closed the connection"),
    setting={"connect_delay": 1.0},
)
def closes_early(line: Line) -> None:
    if line.is_quiet(0.3):
        line.answer_all()


@device(
    "is a web server on the port",
    symptom="Every read fails: MBAP protocol id must be 0, or the connection is closed",
    seen_in="devices with their page on the port that was tried",
    without=(FrameError, "MBAP protocol id"),
    advice="the port is wrong: Modbus is at 502, often at 1502, 5020 or 8899",
)
def web_server(line: Line) -> None:
    line.receive()
    line.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    line.receive(5.0)


@device(
    "greets with a banner",
    symptom="Every read fails: MBAP protocol id must be 0",
    seen_in="SSH and telnet servers of the device",
    # A banner that comes before each request is a lost connection.
    without=(ModbusError, "MBAP protocol id"),
    advice="the port is wrong",
)
def banner(line: Line) -> None:
    line.send(b"SSH-2.0-dropbear_2019.78\r\n")
    line.receive()
    line.receive(5.0)


@device(
    "speaks TLS only",
    symptom="Connection closed, or MBAP protocol id must be 0",
    seen_in="devices with Modbus/TCP Security at port 802",
    without=(FrameError, "MBAP"),
    advice="take `tls://`",
)
def tls_only(line: Line) -> None:
    line.receive()
    line.send(bytes.fromhex("15 0303 0002 02 46"))  # a fatal alert: protocol version
    line.receive(5.0)


@device(
    "speaks RTU on a plain TCP port",
    symptom="Every read times out: nothing came, but the connection opens",
    seen_in="serial device servers in transparent mode: USR, Elfin, Waveshare, Moxa",
    without=(ResponseTimeoutError, "nothing came"),
    endpoint="tcp",
    on="rtu+tcp",
    setting={"scheme": "rtu+tcp"},
)
def rtu_on_tcp(line: Line) -> None:
    line.answer_only_right_frames()


@device(
    "is a gateway that takes Modbus TCP, asked with RTU frames",
    symptom="Every read times out: nothing came, but the connection opens",
    seen_in="the same device servers in Modbus gateway mode",
    without=(ResponseTimeoutError, "nothing came"),
    endpoint="rtu+tcp",
    on="tcp",
    setting={"scheme": "tcp"},
)
def tcp_on_rtu(line: Line) -> None:
    line.answer_only_right_frames()
