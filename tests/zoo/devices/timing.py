"""Devices that are late, busy, or in need of a pause."""

from __future__ import annotations

from time import monotonic

from modwire import (
    AcknowledgeError,
    GatewayTargetFailedError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)

from ..asks import read
from ..device import On, device
from ..line import Line

BOTH: tuple[On, On] = ("tcp", "rtu")


@device(
    "takes half a second for each answer",
    on=("tcp", "rtu", "udp", "rtu+tcp"),
    timeout=0.25,
    symptom="Reads time out: nothing came, or the answer comes later",
    seen_in="loggers over WLAN, gateways to slow lines",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"response_timeout": 10.0},
    asks=[read(100, 3), read(20)],
)
def slow(line: Line) -> None:
    for request in line.requests():
        line.wait(0.5)
        line.send(request.frame())


def late_second(line: Line) -> None:
    """Answer the second request after its timeout of 0.25 seconds."""
    for request in line.requests():
        if line.state.requests == 2:
            line.wait(0.35)
        line.send(request.frame())


@device(
    "answers one request after its timeout, on a link without transaction ids",
    on=("rtu", "rtu+tcp"),
    timeout=0.25,
    given={"late_reply_window": 10.0},
    keeps_on=True,
    symptom="One read times out, and the next takes longer; in other programs, later values are "
    "those of the read before",
    seen_in="any device, now and then",
    without=(ResponseTimeoutError, "nothing came"),
    advice="nothing to set: the unit gets no request until the late answer has come, or "
    "`late_reply_window` is over",
    asks=[read(100), read(200), read(300), read(400)],
)
def late_on_line(line: Line) -> None:
    late_second(line)


@device(
    "answers one request after its timeout",
    on=("tcp", "udp"),
    timeout=0.25,
    keeps_on=True,
    symptom="One read times out; in other programs, all later values belong to the read before",
    seen_in="any device, now and then",
    without=(ResponseTimeoutError, "nothing came"),
    advice="nothing to set: its transaction id tells the late answer apart",
    asks=[read(100), read(200), read(300), read(400)],
)
def late_once(line: Line) -> None:
    late_second(line)


@device(
    "answers two requests in one go, the later one first",
    on="tcp",
    timeout=0.25,
    keeps_on=True,
    symptom="Values of another register, in other programs",
    seen_in="gateways with several lines",
    without=(ResponseTimeoutError, "nothing came"),
    advice="nothing to set: transaction ids tell the answers apart",
    asks=[read(100), read(200), read(300), read(400)],
)
def reordered(line: Line) -> None:
    held = b""
    for request in line.requests():
        if request.number % 2:
            held = request.frame()
        else:
            line.send(request.frame() + held)


@device(
    "is busy for the first requests: exception 06",
    on=BOTH,
    symptom="exception 06 (server device busy), now and then",
    seen_in="inverters and PLCs in their start",
    without=(ServerDeviceBusyError, "exception 06"),
    keeps_on=True,
    setting={"busy_retries": 3},
)
def busy(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(6) if request.number <= 2 else None))


@device(
    "acknowledges the first request: exception 05",
    on=BOTH,
    symptom="exception 05 (acknowledge), then it works",
    seen_in="devices that read from a slower bus behind them",
    without=(AcknowledgeError, "exception 05"),
    keeps_on=True,
    given={"late_reply_window": 0.3},
    setting={"busy_retries": 3, "response_timeout": 2.0},
    advice="on a line, the request is repeated after the timeout and `late_reply_window`, "
    "as the real answer may come until then",
)
def acknowledges(line: Line) -> None:
    for request in line.requests():
        line.send(request.frame(request.refusal(5) if request.number == 1 else None))


@device(
    "gives up with exception 0B, and sends the real answer afterwards",
    on=("tcp", "rtu+tcp", "rtu"),
    timeout=5.0,
    symptom="exception 0B, and in other programs values of the read before after it",
    seen_in="gateways with a timeout that is too short",
    without=(GatewayTargetFailedError, "exception 0B"),
    keeps_on=True,
    advice="make the timeout of the gateway longer; the late answer is discarded",
    asks=[read(100), read(200), read(300)],
)
def gives_up_early(line: Line) -> None:
    for request in line.requests():
        if request.number == 1:
            line.send(request.frame(request.refusal(11)), request.frame(), gap=0.1)
        else:
            line.send(request.frame())


@device(
    "loses every third request",
    on=("tcp", "rtu"),
    symptom="Every third read times out",
    seen_in="loggers that talk to their cloud meanwhile",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"retries": 2, "response_timeout": 0.5},
)
def loses_some(line: Line) -> None:
    for request in line.requests():
        if request.number % 3:
            line.send(request.frame())


@device(
    "is deaf for a moment after its answer",
    on=BOTH,
    symptom="Every second read times out: nothing came",
    seen_in="Carlo Gavazzi meters (eModbus 223), Growatt (0.85 s), thingsboard-gateway 1664",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"pause": 0.4},
)
def deaf_after_answer(line: Line) -> None:
    for request in line.requests():
        deaf_until = monotonic() + 0.1
        line.send(request.frame())
        while (left := deaf_until - monotonic()) > 0:
            if not line.is_quiet(left) and monotonic() < deaf_until:
                line.discard()


@device(
    "answers so soon that it comes with the end of the request",
    on=("rtu", "tcp"),
    symptom="Nothing",
    seen_in="devices on pseudo-terminals, fast PLCs",
)
def at_once(line: Line) -> None:
    line.answer_all()


@device(
    "has two units, of which one is deaf for a moment after its answer",
    on=("tcp", "rtu", "rtu+tcp"),
    symptom="One unit of several times out if it is asked often: nothing came",
    seen_in="a slow meter on a line with quick devices",
    without=(ResponseTimeoutError, "nothing came"),
    setting={"unit_pause": 0.5},
    advice="other units are asked meanwhile; `pause` would slow them down too",
    asks=[read(100, unit=1), read(200, unit=2), read(300, unit=1), read(400, unit=2)],
)
def one_slow_unit(line: Line) -> None:
    notes = line.state.notes
    for request in line.requests():
        now = monotonic()
        if request.unit == 1 and now < notes.get("deaf_until", now):
            continue
        line.send(request.frame())
        if request.unit == 1:
            notes["deaf_until"] = now + 0.2
