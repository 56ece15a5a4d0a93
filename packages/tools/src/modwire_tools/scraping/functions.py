"""Copying the other data of a unit, besides its tables: identity, status, files, FIFO queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from modwire import ExceptionCode, InvalidResponseError, ReadDeviceIdCode
from modwire.messages.encapsulated import ReadDeviceIdentificationRequest

from ..scanning.asking import Asker, Refused
from ..simulator.devices import FileSpec, ServerId, UnitSpec

_EXCEPTION_STATUS, _DIAGNOSTICS, _EVENT_COUNTER, _EVENT_LOG = 7, 8, 11, 12
_SERVER_ID, _FILES, _FIFO, _IDENTITY = 17, 20, 24, 43
_MOST_RECORDS = 10000
_RECORDS_AT_ONCE = 121
_INDIVIDUAL = 0x80


@dataclass
class Findings:
    """The results for a unit, in the fields of `UnitSpec`."""

    refuses: dict[int, int] = field(default_factory=dict[int, int])
    identity: dict[int, bytes] = field(default_factory=dict[int, bytes])
    individual_access: bool = True
    server_id: ServerId = field(default_factory=ServerId)
    exception_status: int = 0
    diagnostic_register: int = 0
    files: list[FileSpec] = field(default_factory=list[FileSpec])
    fifo_queues: dict[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])

    def put_into(self, unit: UnitSpec) -> UnitSpec:
        """Return `unit` with the results."""
        found = {**vars(self), "files": tuple(self.files)}
        return replace(unit, **{**found, "refuses": dict(sorted(self.refuses.items()))})


def survey_functions(
    asker: Asker, *, files: Sequence[int] = (), queues: Sequence[int] = ()
) -> Iterator[tuple[str, Findings]]:
    """Try each function in turn; yield the name of the next one, and the results so far."""
    found = Findings()

    def identity() -> None:
        _survey_identity(asker, found)

    def server_id() -> None:
        answer = asker.report_server_id()
        found.server_id = ServerId(answer.server_id, answer.run_indicator, answer.additional_data)

    def exception_status() -> None:
        found.exception_status = asker.read_exception_status()

    def diagnostics() -> None:
        found.diagnostic_register = asker.return_diagnostic_register()

    steps: list[tuple[str, int, Callable[[], object]]] = [
        ("identity", _IDENTITY, identity),
        ("server id", _SERVER_ID, server_id),
        ("exception status", _EXCEPTION_STATUS, exception_status),
        ("diagnostic register", _DIAGNOSTICS, diagnostics),
        ("event counter", _EVENT_COUNTER, asker.get_comm_event_counter),
        ("event log", _EVENT_LOG, asker.get_comm_event_log),
    ]
    for name, function, step in steps:
        yield name, found
        try:
            step()
        except Refused as refused:
            # A simulated unit without identity already refuses it with 01.
            if function != _IDENTITY or refused.code != ExceptionCode.ILLEGAL_FUNCTION:
                found.refuses[function] = refused.code
        except InvalidResponseError:
            pass  # the device breaks the specification here; the copy does not
    for number in files or (1,):
        yield f"file {number}", found
        if not _survey_file(asker, found, number):
            break
    for address in queues or (0,):
        yield f"FIFO queue {address}", found
        if not _survey_queue(asker, found, address):
            break
    yield "", found


def _survey_identity(asker: Asker, found: Findings) -> None:
    first = asker.call(ReadDeviceIdentificationRequest(ReadDeviceIdCode.BASIC, 0))
    found.individual_access = bool(first.conformity_level & _INDIVIDUAL)
    for code in (ReadDeviceIdCode.BASIC, ReadDeviceIdCode.REGULAR, ReadDeviceIdCode.EXTENDED):
        if code > (first.conformity_level & ~_INDIVIDUAL):
            break
        try:
            found.identity.update(asker.read_device_identification(code))
        except Refused:
            break


def _survey_file(asker: Asker, found: Findings, number: int) -> bool:
    """Read a file; return False if the unit does not have the function."""
    records: list[int] = []
    count = _RECORDS_AT_ONCE
    while len(records) < _MOST_RECORDS and count:
        count = min(count, _MOST_RECORDS - len(records))
        try:
            records += asker.read_file_record(number, len(records), count)
        except Refused as refused:
            if refused.code != ExceptionCode.ILLEGAL_DATA_ADDRESS and not records and count == 1:
                found.refuses[_FILES] = refused.code
                return False
            count //= 2
        except InvalidResponseError:
            return False
    if records:
        found.files.append(FileSpec(number, 0, tuple(records)))
    return True


def _survey_queue(asker: Asker, found: Findings, address: int) -> bool:
    """Read a queue; return False if the unit does not have the function."""
    try:
        found.fifo_queues[address] = tuple(asker.read_fifo_queue(address))
    except Refused as refused:
        if refused.code != ExceptionCode.ILLEGAL_DATA_ADDRESS:
            found.refuses[_FIFO] = refused.code
            return False
    except InvalidResponseError:
        return False
    return True
