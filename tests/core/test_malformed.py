"""Every entry of the malformed corpus has an outcome that a correct implementation may have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modwire import (
    FRAMINGS,
    ClientOptions,
    ClientProtocol,
    Decoder,
    FrameError,
    ModbusError,
    RawResponse,
)
from reference_server import Wire

CORPUS = json.loads((Path(__file__).parent.parent / "vectors" / "malformed.json").read_text())
CASES = CORPUS["cases"]
SERVER = [case for case in CASES if case["role"] == "server"]
CLIENT = [case for case in CASES if case["role"] == "client"]


def wire_bytes(fields: dict, key: str) -> bytes:
    return bytes.fromhex(fields[key]) * (fields.get("repeat", 1) if key == "hex" else 1)


def outcomes(case: dict, wire: Wire) -> set[str]:
    """Return the outcome for the bytes of a case; several names if they look the same."""
    answer = wire.hear(wire_bytes(case, "hex"))
    if case.get("gap_after"):
        answer += wire.quiet(2.0)
    if not answer and "rest" in case:
        answer = wire.hear(wire_bytes(case, "rest"))
        if "rest_answer" in case:
            assert answer == wire_bytes(case, "rest_answer")
        return {"need_more"}
    if wire.protocol.closed:
        wire.connect()
        return {"closed"} if not answer else {"ok", "closed"}
    if not answer:
        return {"ignored", "frame_error_resync", "need_more"}
    for name in case.get("answers", {}):
        if answer == wire_bytes(case["answers"], name):
            return {name}
    if "ok_answer" in case:
        assert answer == wire_bytes(case, "ok_answer")
    return {"ok"}


@pytest.mark.parametrize("case", SERVER, ids=lambda case: case["id"])
def test_a_server_does_what_is_acceptable_and_goes_on(case: dict) -> None:
    wire = Wire(case["framing"])
    found = outcomes(case, wire)
    assert found & set(case["acceptable"]), f"{found}: {case['reason']}"
    never = case.get("never", ())
    assert not any(name.startswith(outcome) for outcome in never for name in found), case["reason"]
    if "then" in case:
        answer = wire.hear(wire_bytes(case, "then"))
        if not answer:
            answer = wire.quiet(2.0)
        if not answer and case.get("then_may_be_lost"):
            answer = wire.hear(wire_bytes(case, "then"))
        assert answer == wire_bytes(case, "then_answer")


@pytest.mark.parametrize("case", CLIENT, ids=lambda case: case["id"])
def test_a_client_does_what_is_acceptable_and_goes_on(case: dict) -> None:
    framing = FRAMINGS[case["framing"]]
    hearing = framing(Decoder(), is_server=True)
    hearing.receive_data(wire_bytes(case, "request"), 0.0)
    hearing.handle_timeout(1.0)
    sent = hearing.next_frame()
    assert sent is not None and not isinstance(sent, FrameError)

    protocol = ClientProtocol(framing, ClientOptions())
    protocol.late.last_id = sent.transaction - 1
    exchange = protocol.start(Decoder().decode_request(sent.pdu), sent.unit, now=0.0)
    assert protocol.data_to_send(0.0) == wire_bytes(case, "request")
    protocol.receive_data(wire_bytes(case, "hex"), 0.1)
    at_once = exchange.done
    if "connection ends" in case["name"]:
        protocol.receive_eof(0.2)
    protocol.handle_timeout(0.9)
    now = 5.0
    protocol.handle_timeout(now)
    assert exchange.done
    try:
        exchange.result()
        found = {"ok"}
    except ModbusError:
        found = {"client_error"} if at_once else {"client_error", "ignored", "frame_error_resync"}
    assert found & set(case["acceptable"]), f"{found}: {case['reason']}"
    if protocol.broken:
        protocol.reset()

    # A later call works.
    now += 10
    later = protocol.start(Decoder().decode_request(sent.pdu), sent.unit, now=now)
    adu = protocol.data_to_send(now)
    assert adu
    hearing.reset()
    hearing.receive_data(adu, now)
    frame = hearing.next_frame()
    assert frame is not None and not isinstance(frame, FrameError)
    reply = RawResponse(sent.pdu[0], b"\x04\x00\x07\x00\x08").encode()
    protocol.receive_data(hearing.encode(frame._replace(pdu=reply)), now + 0.1)
    protocol.handle_timeout(now + 0.2)
    assert later.done
    if sent.pdu == bytes.fromhex("0300000002"):
        assert later.result().encode() == reply  # type: ignore[attr-defined]
