"""Devices on TCP that are asked several things at once, or have several clients."""

from __future__ import annotations

from modwire import ConnectionLostError, ResponseTimeoutError, ServerDeviceBusyError

from ..asks import READS, Together, read
from ..device import Fails, device
from ..line import Line, Request

PACKAGES = ("sync", "gevent", "trio", "asyncio", "uvloop")
FOUR = Together([read(100), read(200), read(300), read(400)])
NOTHING = (ResponseTimeoutError, "nothing came")


@device(
    "answers requests that came together in the other order",
    symptom="Nothing; other programs mix up values when they ask at once",
    seen_in="gateways with several lines (Messaging on TCP/IP, 4.2)",
    given={"max_in_flight": 4},
    asks=[FOUR, FOUR],
)
def other_order(line: Line) -> None:
    held: list[Request] = []
    for request in line.requests():
        held.insert(0, request)
        if not line.has_more and line.is_quiet(0.05):
            line.send(*(each.frame() for each in held))
            held.clear()


@device(
    "answers the first of the requests that came together, and loses the others",
    symptom="Reads time out when several are made at once: nothing came",
    seen_in="most gateways to serial lines, loggers",
    given={"max_in_flight": 4},
    without=NOTHING,
    setting={"max_in_flight": 1},
    advice="1 is the default",
    asks=[FOUR, FOUR],
    only=PACKAGES,
)
def first_of_several(line: Line) -> None:
    for request in line.requests():
        frame = request.frame()
        while line.has_more or not line.is_quiet(0.02):
            line.next()
        line.send(frame)


@device(
    "has a queue for two requests, and says that it is busy for others: exception 06",
    symptom="exception 06 when several reads are made at once",
    seen_in="PLCs with few Modbus jobs",
    given={"max_in_flight": 4, "busy_pause": 0.2},
    setting={"busy_retries": 20},
    without=Fails(ServerDeviceBusyError, "exception 06"),
    asks=[FOUR],
    only=PACKAGES,
)
def short_queue(line: Line) -> None:
    held: list[Request] = []
    for request in line.requests():
        if len(held) < 2:
            held.append(request)
        else:
            line.send(request.frame(request.refusal(6)))
        if not line.has_more and line.is_quiet(0.05):
            line.send(*(each.frame() for each in held))
            held.clear()


@device(
    "has one connection only, and closes new ones while another program has it",
    symptom="Connection lost at every read, while another program works",
    seen_in="inverters and their loggers, heat pumps",
    without=(ConnectionLostError, "closed"),
    is_taken=True,
    then_asks=READS,
    advice="end the other program, or put `modwire gateway` in front of the device for both",
)
def closes_second(line: Line) -> None:
    if line.state.notes.setdefault("first", line) is line:
        line.answer_all()
    line.end_sending()
    while line.receive():
        pass


@device(
    "has one connection only, and resets new ones while another program has it",
    symptom="Connection lost at every read, while another program works",
    seen_in="PLCs with a fixed number of connections",
    without=(ConnectionLostError, "the link was lost or cannot be opened"),
    is_taken=True,
    then_asks=READS,
    advice="end the other program, or put `modwire gateway` in front of the device for both",
)
def resets_second(line: Line) -> None:
    if line.state.notes.setdefault("first", line) is not line:
        line.reset()
    line.answer_all()


@device(
    "has one connection only, and lets new ones wait while another program has it",
    symptom="Every read times out: nothing came, while another program works",
    seen_in="serial device servers, loggers: the connection opens, and nobody listens",
    without=NOTHING,
    is_taken=True,
    then_asks=READS,
    advice="end the other program, or put `modwire gateway` in front of the device for both",
)
def second_waits(line: Line) -> None:
    if line.state.notes.setdefault("first", line) is line:
        line.answer_all()
    else:
        while line.receive():
            pass


@device(
    "is gone without a word on the first connection; a new one is made for the next read",
    symptom="Three reads time out, the fourth works",
    seen_in="NAT routers, firewalls, WLAN, unplugged cables",
    without=Fails(ResponseTimeoutError, "nothing came", times=3),
    setting={"reconnect_after": 1},
    then=Fails(ResponseTimeoutError, "nothing came", times=1),
    advice="one read times out, the next works; with `retries=1` that one works too",
    keeps_on=True,
    asks=[read(100), read(200), read(300), read(400), read(500)],
    only=PACKAGES,
)
def black_hole_once(line: Line) -> None:
    for request in line.requests():
        if line.number > 1 or request.address == 100:
            line.send(request.frame())


@device(
    "closes its half of the connection after each answer, and listens on",
    symptom="Nothing; other programs fail at every second read",
    seen_in="servers that call shutdown for their own side only",
)
def half_closes(line: Line) -> None:
    line.send(line.next().frame())
    line.end_sending()
    while line.receive():
        pass


@device(
    "resets the connection when a while passes without a request",
    symptom="Nothing; other programs fail at the first read after a pause",
    seen_in="firewalls and PLCs, after a minute or an hour",
)
def resets_when_idle(line: Line) -> None:
    line.send(line.next().frame())
    if line.number < 3:
        line.reset()
    line.answer_all()
