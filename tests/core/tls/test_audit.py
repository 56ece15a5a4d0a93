"""The audit: every write and every denied request, with who, what and how it ended."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from modwire import (
    DiagnosticsRequest,
    Frame,
    RawRequest,
    ReadCoilsRequest,
    ReadWriteMultipleRegistersRequest,
    Request,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire.framing.base import Framing
from modwire.server.audit import AuditEvent
from modwire.server.peers import HostPort
from modwire.tls import AuditLog, Rights

PEER = HostPort("192.0.2.1", 5000)
RIGHTS = Rights.from_dict(
    {
        "role": {
            "operator": [
                {
                    "units": "all",
                    "access": ["read", "write"],
                    "tables": ["holding_registers"],
                    "functions": [3, 6, 16, 23],
                }
            ]
        }
    }
)


def unit() -> Unit:
    return Unit(
        coils=SequentialBlock(0, [False] * 4), holding_registers=SequentialBlock(0, [0] * 4)
    )


def audited(
    requests: list[Request[Any]],
    *,
    number: int = 1,
    framing: type[Framing] = TcpFraming,
    role: str | None = "operator",
    units: Units | None = None,
    **options: Any,
) -> list[AuditEvent]:
    """Return the events of a peer that makes these requests."""
    events: list[AuditEvent] = []
    given = ServerOptions(audit=events.append, **options)
    protocol = ServerProtocol(framing, given, peer=PEER)
    protocol.identify("CN=hmi,O=Plant", role)
    for request in requests:
        frame = protocol.framing.encode(Frame(number, 1, request.encode()))
        protocol.receive_data(frame, 0.0)
        protocol.answer_all(units or Units({1: unit(), 2: unit()}))
    return events


def test_writes_are_told_and_reads_are_not() -> None:
    write = WriteSingleRegisterRequest(1, 5)
    events = audited([ReadCoilsRequest(0, 1), write, DiagnosticsRequest(2), DiagnosticsRequest(10)])
    expected = AuditEvent(PEER, "CN=hmi,O=Plant", "operator", 1, write, "done")
    assert events == [expected, expected._replace(request=DiagnosticsRequest(10))]
    assert not events[0].is_denied
    assert str(events[0]) == (
        "192.0.2.1:5000, subject 'CN=hmi,O=Plant', role 'operator', unit 1: "
        "WriteSingleRegisterRequest(address=1, value=5): done"
    )


def test_failed_writes_are_told() -> None:
    failed = [
        WriteSingleRegisterRequest(9, 5),
        WriteMultipleRegistersRequest(2, [1, 2, 3]),
        RawRequest(100, b"abc"),
        RawRequest(6, b"too short"),
    ]
    outcomes = [(each.request, each.outcome) for each in audited(failed)]
    assert outcomes == [
        (failed[0], "exception 02 (illegal data address)"),
        (failed[1], "exception 02 (illegal data address)"),
        (failed[2], "exception 01 (illegal function)"),
        (failed[3], "exception 03 (illegal data value)"),
    ]


def test_denied_requests_are_told_reads_too() -> None:
    requests = [
        ReadCoilsRequest(0, 1),
        WriteSingleCoilRequest(0, True),
        ReadWriteMultipleRegistersRequest(0, 1, 0, [5]),
    ]
    events = audited(requests, authorize=RIGHTS)
    assert [each.outcome for each in events] == ["denied", "denied", "done"]
    assert [each.is_denied for each in events] == [True, True, False]
    events = audited(requests, authorize=RIGHTS, role=None)
    assert [(each.role, each.outcome) for each in events] == [(None, "denied")] * 3


def test_an_authorize_that_fails_denies() -> None:
    def authorize(*_: object) -> bool:
        raise ZeroDivisionError

    errors: list[object] = []
    events = audited(
        [ReadCoilsRequest(0, 1)], authorize=authorize, on_error=lambda *each: errors.append(each)
    )
    assert [each.outcome for each in events] == ["denied"]
    assert len(errors) == 1


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_broadcast_is_told_for_each_unit(is_allowed: bool) -> None:
    write = WriteSingleRegisterRequest(1, 5)
    events = audited([write], number=0, framing=RtuFraming, authorize=lambda *_: is_allowed)
    outcome = "no response" if is_allowed else "denied"
    assert [(each.unit, each.outcome) for each in events] == [(0, outcome)] * 2


def test_a_unit_that_fails_in_its_own_way_is_told() -> None:
    class Broken(Unit):
        def execute(self, request: Request[Any], *, broadcast: bool = False) -> object:
            raise ZeroDivisionError

    events = audited([WriteSingleRegisterRequest(1, 5)], units=Units({1: Broken()}))
    assert [each.outcome for each in events] == ["exception 04 (server device failure)"]


def test_an_audit_that_fails_spoils_no_answer() -> None:
    def audit(event: AuditEvent) -> None:
        raise ZeroDivisionError

    errors: list[BaseException] = []
    options = ServerOptions(audit=audit, on_error=lambda *each: errors.append(each[2]))
    protocol = ServerProtocol(TcpFraming, options, peer=PEER)
    request = WriteSingleRegisterRequest(1, 5)
    protocol.receive_data(protocol.framing.encode(Frame(1, 1, request.encode())), 0.0)
    assert protocol.answer_all(Units({1: unit()}))[7:] == request.encode()
    assert [type(each) for each in errors] == [ZeroDivisionError]


def test_reads_stay_fast_with_an_audit() -> None:
    """They are answered without messages, so that their hooks would see nothing."""
    protocol = ServerProtocol(TcpFraming, ServerOptions(audit=lambda event: None), peer=PEER)
    assert protocol._may_answer_reads


def test_an_audit_must_be_a_function() -> None:
    with pytest.raises(TypeError, match=re.escape("audit(event) must be a function")):
        ServerOptions(audit="audit.jsonl")  # type: ignore[arg-type]


# The log.


def test_events_are_log_records(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "modwire.audit")
    log = AuditLog()
    events = audited([WriteSingleRegisterRequest(1, 5), ReadCoilsRequest(0, 1)], authorize=RIGHTS)
    for event in events:
        log(event)
    assert [each.levelname for each in caplog.records] == ["INFO", "WARNING"]
    assert [each.args for each in caplog.records] == [(event,) for event in events]
    assert caplog.records[1].getMessage() == str(events[1])
    log.close()


def test_events_are_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    request = WriteSingleRegisterRequest(1, 5)
    (event,) = audited([request], role="Bediener\n☃")
    logging.disable(logging.CRITICAL)
    try:
        log(event)
        log(event._replace(role=None, subject="", peer="/run/modwire.sock", outcome="denied"))
    finally:
        logging.disable(logging.NOTSET)
        log.close()
    log(event)  # only logged
    first, second = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert first == {
        "peer": "192.0.2.1:5000",
        "subject": "CN=hmi,O=Plant",
        "role": "Bediener\n☃",
        "unit": 1,
        "function": 6,
        "request": "WriteSingleRegisterRequest(address=1, value=5)",
        "pdu": "0600010005",
        "outcome": "done",
    }
    assert (second["role"], second["peer"], second["outcome"]) == (
        None,
        "/run/modwire.sock",
        "denied",
    )


def test_a_handler_gets_the_lines_in_place_of_a_file(tmp_path: Path) -> None:
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    log = AuditLog(handler=handler)
    (event,) = audited([WriteSingleRegisterRequest(1, 5)])
    log(event)
    log.close()
    log(event)  # only logged
    assert [json.loads(each)["pdu"] for each in records] == ["0600010005"]
    with pytest.raises(ValueError, match="either a path or a handler"):
        AuditLog(tmp_path / "audit.jsonl", handler=handler)


def test_the_file_rotates(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, size=2000, kept=2)
    (event,) = audited([WriteSingleRegisterRequest(1, 5)])
    for number in range(40):
        log(event._replace(request=WriteSingleRegisterRequest(1, number)))
    log.close()
    files = [path, tmp_path / "audit.jsonl.1", tmp_path / "audit.jsonl.2"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(each.stat().st_size <= 2000 for each in files)
    lines = [json.loads(line) for each in reversed(files) for line in _lines(each)]
    written = [int(line["pdu"], 16) & 0xFF for line in lines]
    assert written == list(range(40))[-len(written) :]
    assert len(written) > 10


def test_a_request_that_cannot_be_encoded_is_written_too(tmp_path: Path) -> None:
    class Odd(Request[Any]):
        function_code = 65
        is_write = True

    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    (event,) = audited([WriteSingleRegisterRequest(1, 5)])
    log(event._replace(request=Odd()))
    log.close()
    assert "unknown: NotImplementedError" in json.loads(path.read_text())["pdu"]


def test_wrong_sizes_and_places_are_refused(tmp_path: Path) -> None:
    for given in ({"size": 0}, {"kept": 0}, {"size": "1"}):
        with pytest.raises(ValueError, match=next(iter(given))):
            AuditLog(tmp_path / "audit.jsonl", **given)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="missing"):
        AuditLog(tmp_path / "missing" / "audit.jsonl")


def _lines(path: Path) -> list[str]:
    return path.read_text("ascii").splitlines()
