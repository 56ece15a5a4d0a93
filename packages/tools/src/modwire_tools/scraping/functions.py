"""What a unit answers beside its four tables: identity, status, files, FIFO queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from modwire import BlockingCalls, ExceptionCode, InvalidResponseError, ReadDeviceIdCode
from modwire.messages.encapsulated import (
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)

from ..scanning.asking import Asker, Refused
from ..simulator.devices import FileSpec, ServerId, UnitSpec

_EXCEPTION_STATUS, _DIAGNOSTICS, _EVENT_COUNTER, _EVENT_LOG = 7, 8, 11, 12
_SERVER_ID, _FILES, _FIFO, _IDENTITY = 17, 20, 24, 43
_MOST_RECORDS = 10000
_RECORDS_AT_ONCE = 121
_INDIVIDUAL = 0x80


@dataclass
class Findings:
    """What was found of a unit, in the fields of `UnitSpec`."""

    refuses: dict[int, int] = field(default_factory=dict[int, int])
    identity: dict[int, bytes] = field(default_factory=dict[int, bytes])
    individual_access: bool = True
    server_id: ServerId = field(default_factory=ServerId)
    exception_status: int = 0
    diagnostic_register: int = 0
    files: list[FileSpec] = field(default_factory=list[FileSpec])
    fifo_queues: dict[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])

    def put_into(self, unit: UnitSpec) -> UnitSpec:
        """`unit` with what was found."""
        return replace(
            unit,
            refuses=dict(sorted(self.refuses.items())),
            identity=self.identity,
            individual_access=self.individual_access,
            server_id=self.server_id,
            exception_status=self.exception_status,
            diagnostic_register=self.diagnostic_register,
            files=tuple(self.files),
            fifo_queues=self.fifo_queues,
        )


def survey_functions(
    asker: Asker, *, files: Sequence[int] = (), queues: Sequence[int] = ()
) -> Iterator[tuple[str, Findings]]:
    """Ask for one after the other; gives what is asked for next, and what was found so far."""
    found = Findings()
    unit, timeout = asker.unit, asker.timeout
    steps: list[tuple[str, int, Callable[[], None]]] = []

    def identity() -> None:
        _survey_identity(asker, found)

    def server_id() -> None:
        answer = asker.ask(lambda client: client.report_server_id(unit=unit, timeout=timeout))
        found.server_id = ServerId(answer.server_id, answer.run_indicator, answer.additional_data)

    def exception_status() -> None:
        found.exception_status = asker.ask(
            lambda client: client.read_exception_status(unit=unit, timeout=timeout)
        )

    def diagnostics() -> None:
        found.diagnostic_register = asker.ask(
            lambda client: client.return_diagnostic_register(unit=unit, timeout=timeout)
        )

    def event_counter() -> None:
        asker.ask(lambda client: client.get_comm_event_counter(unit=unit, timeout=timeout))

    def event_log() -> None:
        asker.ask(lambda client: client.get_comm_event_log(unit=unit, timeout=timeout))

    steps = [
        ("identity", _IDENTITY, identity),
        ("server id", _SERVER_ID, server_id),
        ("exception status", _EXCEPTION_STATUS, exception_status),
        ("diagnostic register", _DIAGNOSTICS, diagnostics),
        ("event counter", _EVENT_COUNTER, event_counter),
        ("event log", _EVENT_LOG, event_log),
    ]
    for name, function, step in steps:
        yield name, found
        try:
            step()
        except Refused as refused:
            # A unit without identity refuses it by 01 anyway.
            if function != _IDENTITY or refused.code != ExceptionCode.ILLEGAL_FUNCTION:
                found.refuses[function] = refused.code
        except InvalidResponseError:
            pass  # it answers, but not as the specification has it: the copy does better
    for number in files or (1,):
        yield f"file {number}", found
        if not _survey_file(asker, found, number, is_wanted=bool(files)):
            break
    for address in queues or (0,):
        yield f"FIFO queue {address}", found
        if not _survey_queue(asker, found, address, is_wanted=bool(queues)):
            break
    yield "", found


def _survey_identity(asker: Asker, found: Findings) -> None:
    def ask(code: int, object_id: int = 0) -> ReadDeviceIdentificationResponse:
        request = ReadDeviceIdentificationRequest(code, object_id)
        return asker.ask(
            lambda client: client.call(request, unit=asker.unit, timeout=asker.timeout)
        )

    first = ask(ReadDeviceIdCode.BASIC)
    found.individual_access = bool(first.conformity_level & _INDIVIDUAL)
    for code in (ReadDeviceIdCode.BASIC, ReadDeviceIdCode.REGULAR, ReadDeviceIdCode.EXTENDED):
        if code > (first.conformity_level & ~_INDIVIDUAL):
            break
        try:
            objects = asker.ask(_identification(asker, code))
        except Refused:
            break
        found.identity.update(objects)


def _identification(asker: Asker, code: int) -> Callable[[BlockingCalls], dict[int, bytes]]:
    return lambda client: client.read_device_identification(
        code, unit=asker.unit, timeout=asker.timeout
    )


def _survey_file(asker: Asker, found: Findings, number: int, *, is_wanted: bool) -> bool:
    """Read a file; False where the unit has no such function."""

    def read(record: int, count: int) -> Sequence[int]:
        return asker.ask(
            lambda client: client.read_file_record(
                number, record, count, unit=asker.unit, timeout=asker.timeout
            )
        )

    records: list[int] = []
    count = _RECORDS_AT_ONCE
    while len(records) < _MOST_RECORDS and count:
        count = min(count, _MOST_RECORDS - len(records))
        try:
            records += read(len(records), count)
        except Refused as refused:
            if refused.code != 2 and not records and count == 1:
                found.refuses[_FILES] = refused.code
                return False
            count //= 2
        except InvalidResponseError:
            return False
    if records:
        found.files.append(FileSpec(number, 0, tuple(records)))
    return True


def _survey_queue(asker: Asker, found: Findings, address: int, *, is_wanted: bool) -> bool:
    """Read a queue; False where the unit has no such function."""
    try:
        found.fifo_queues[address] = tuple(
            asker.ask(
                lambda client: client.read_fifo_queue(
                    address, unit=asker.unit, timeout=asker.timeout
                )
            )
        )
    except Refused as refused:
        if refused.code != 2:
            found.refuses[_FIFO] = refused.code
            return False
    except InvalidResponseError:
        return False
    return True
