"""The output of `modwire parse` for a capture: a line for each exchange, or a JSON object."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from stat import S_ISREG
from typing import BinaryIO

from modwire import FRAMINGS, Decoder, Frame
from modwire_tools.explain import explain_pdu
from modwire_tools.explain.capture import Capture, CaptureError, Exchange, Incident
from modwire_tools.explain.frames import Reading, explain_frame
from modwire_tools.explain.walk import count
from modwire_tools.sniffing.serial_captures import SERIAL_LINKS

from .parse_messages import field_lines, fields_json

_HEADER = f"{'seconds':>12} {'ms':>9}  {'client > server':<43} unit  request -> answer"


def print_capture(
    file: BinaryIO, name: str, ports: Sequence[int], framing: str, with_fields: bool, as_json: bool
) -> None:
    """Print the Modbus in a capture to standard output, and a summary to standard error.

    Raises CaptureError if the file is broken, after it has printed the readable part.
    """
    capture = Capture(file, name, ports=ports, framing=framing)
    outcomes: Counter[str] = Counter()
    error: CaptureError | None = None
    # Show a live capture at once.
    is_live = not S_ISREG(os.fstat(file.fileno()).st_mode)
    write = sys.stdout.write
    try:
        for found in capture:
            if isinstance(found, Incident):
                outcomes["incident"] += 1
            else:
                outcomes[found.outcome] += 1
                outcomes["frames"] += (found.request is not None) + (found.response is not None)
            if as_json:
                write(json.dumps(_json(found, framing, with_fields), ensure_ascii=False) + "\n")
            else:
                first = capture.first or 0.0
                if not outcomes["header"]:
                    outcomes["header"] = 1
                    write(_started(first))
                write(_line(found, first))
                if with_fields and isinstance(found, Exchange):
                    write(_fields(found, framing))
            if is_live:
                sys.stdout.flush()
    except CaptureError as broken:
        error = broken
    sys.stdout.flush()
    print(_summary(capture, outcomes, ports, framing), file=sys.stderr)  # noqa: T201
    if error is not None:
        raise error


def _started(first: float) -> str:
    try:
        begin = f"{datetime.fromtimestamp(first, timezone.utc):%Y-%m-%d %H:%M:%S.%f} UTC"
    except (OverflowError, ValueError, OSError):  # the timestamps of a capture may have any value
        begin = f"the second {first:.6f} of 1970"
    return f"# seconds since {begin}\n# {_HEADER[2:]}\n"


def _line(found: Exchange | Incident, first: float) -> str:
    seconds = f"{found.time - first:12.6f}"
    if isinstance(found, Incident):
        return f"{seconds} {'':>9}  {f'{found.sender} > {found.receiver}':<43}    !  {found.text}\n"
    took = "" if found.milliseconds is None else f"{found.milliseconds:.3f}"
    ends = f"{found.client} > {found.server}"
    asked = found.request_text or "(no request)"
    return f"{seconds} {took:>9}  {ends:<43} {found.unit:>4}  {asked} -> {found.response_text}\n"


def _readings(exchange: Exchange, framing: str) -> list[Reading]:
    """Return the two messages of an exchange as explained frames."""
    wrap = FRAMINGS[framing](Decoder(), is_server=True)
    found: list[Reading] = []
    for pdu, is_response in ((exchange.request, False), (exchange.response, True)):
        if pdu is not None:
            data = wrap.encode(Frame(exchange.unit, exchange.transaction, pdu))
            asked = exchange.request if is_response else None
            found.append(explain_frame(data, framing, is_response=is_response, request=asked))
    return found


def _fields(exchange: Exchange, framing: str) -> str:
    lines: list[str] = []
    for reading in _readings(exchange, framing):
        lines.append(f"    {reading.name}")
        lines += [line for line, _ in field_lines(reading.fields, framing == "ascii", "    ")]
    return "\n".join([*lines, "", ""])


def _json(found: Exchange | Incident, framing: str, with_fields: bool) -> dict[str, object]:
    if isinstance(found, Incident):
        return {
            "time": found.time,
            "sender": found.sender,
            "receiver": found.receiver,
            "incident": found.text,
        }
    message: dict[str, object] = {
        "number": found.number,
        "time": found.time,
        "milliseconds": found.milliseconds,
        "client": found.client,
        "server": found.server,
        "link": found.link,
        "unit": found.unit,
        "transaction": found.transaction,
        "outcome": found.outcome,
        "request": found.request.hex() if found.request is not None else None,
        "response": found.response.hex() if found.response is not None else None,
        "request_text": found.request_text,
        "response_text": found.response_text,
        "wrong": found.wrong,
    }
    if with_fields:
        for name, pdu in (("request", found.request), ("response", found.response)):
            is_response = name == "response"
            fields = explain_pdu(pdu or b"", is_response=is_response, request=found.request)
            message[f"{name}_fields"] = [] if pdu is None else fields_json(fields)
    return message


def _summary(capture: Capture, outcomes: Counter[str], ports: Sequence[int], framing: str) -> str:
    served = " and ".join([str(port) for port in ports])
    exchanges = sum([outcomes[name] for name in _OUTCOMES])
    text = f"{count(capture.packets, 'packet')}, {count(outcomes['frames'], 'Modbus frame')}"
    if exchanges:
        details = [f"{outcomes[name]} {told}" for name, told in _OUTCOMES.items() if outcomes[name]]
        text += f", {count(exchanges, 'exchange')}: {', '.join(details)}"
    else:
        text += f" on port {served}"
    if outcomes["incident"]:
        text += (
            f"; {count(outcomes['incident'], 'place')} with bytes that are no frame, or are missing"
        )
        if not exchanges and framing == "tcp":
            text += "; for serial frames in TCP or UDP there is --framing rtu"
    if capture.unknown_links:
        links = ", ".join([str(link) for link in sorted(capture.unknown_links)])
        packets = count(capture.unknown_links.total(), "packet")
        text += f"; {packets} of link types that are not known ({links})"
        if capture.unknown_links.keys() & SERIAL_LINKS:
            text += ", for which there is `modwire sniff`"
    if not exchanges and capture.other_ports:
        common = ", ".join([port for port, _ in capture.other_ports.most_common(5)])
        text += f"; there is data on {common}: --port says where Modbus is"
    return text


_OUTCOMES = {
    "ok": "good",
    "exception": "with an exception",
    "silence": "without an answer",
    "lost": "whose answer the capture lost",
    "malformed": "malformed",
    "no request": "without a request",
}
