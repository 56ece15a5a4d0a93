"""A scan finds exactly the existing units and addresses, with no more requests than needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire import (
    Endpoint,
    ExceptionResponseError,
    GatewayTargetFailedError,
    IllegalDataValueError,
    ResponseTimeoutError,
    SequentialBlock,
    SparseBlock,
    Unit,
)
from modwire_command import Direct
from modwire_tools.cli.endpoints import with_line
from modwire_tools.scanning import FoundUnit, StateFile, TableSurvey, UnitScan
from modwire_tools.scanning.asking import Asker

TABLE = "holding_registers"


def survey(first: int = 0, last: int = 0xFFFF, step: int = 1) -> TableSurvey:
    """Return a survey like that of `modwire scan --table hr`."""
    return TableSurvey(TABLE, first=first, last=last, step=step, wide=False)


def scanned(found: TableSurvey, client: Direct) -> list[tuple[int, int]]:
    """Complete the survey, and return the ranges."""
    asker = Asker(client, 1)
    while not found.is_done:
        found.go_on(asker)
    return [(block.place.address, len(block.values)) for block in found.blocks()]


def ranges_of(addresses: set[int]) -> list[tuple[int, int]]:
    """Return ranges of consecutive addresses, as (first, count)."""
    found: list[tuple[int, int]] = []
    for address in sorted(addresses):
        if found and sum(found[-1]) == address:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((address, 1))
    return found


RUNS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 150)), max_size=4)


@settings(max_examples=25)
@given(RUNS, st.integers(0, 20), st.integers(280, 300))
def test_a_scan_finds_each_address_that_can_be_read(
    runs: list[tuple[int, int]], first: int, last: int
) -> None:
    there = {at for start, count in runs for at in range(start, start + count)}
    client = Direct(Unit(holding_registers=SparseBlock(dict.fromkeys([*there, 65535], 0))))
    scan = survey(first, last)
    wanted = ranges_of({at for at in there if first <= at <= last})
    assert scanned(scan, client) == wanted
    holes = last + 1 - first - sum(count for _, count in wanted)
    assert len(client.requests) <= holes + (len(wanted) + 1) * 12 + (last - first) // 125


@settings(max_examples=25)
@given(RUNS, st.integers(2, 40))
def test_steps_miss_nothing_that_is_as_long(runs: list[tuple[int, int]], step: int) -> None:
    runs = [(start, max(count, step)) for start, count in runs]
    there = {at for start, count in runs for at in range(start, start + count)}
    client = Direct(Unit(holding_registers=SparseBlock(dict.fromkeys([*there, 65535], 0))))
    found = scanned(survey(last=460, step=step), client)
    assert {at for start, count in found for at in range(start, start + count)} == there


def test_a_table_that_is_not_there_costs_one_request() -> None:
    def refuse(request: object) -> None:
        raise ExceptionResponseError.for_code(None, 1)

    client = Direct(Unit(), refuse)
    assert scanned(survey(), client) == []
    assert len(client.requests) == 1


def test_a_device_that_gives_few_at_once_is_read_in_small_requests() -> None:
    def few(request: object) -> None:
        if getattr(request, "count", 0) > 20:
            raise IllegalDataValueError

    client = Direct(Unit(holding_registers=SequentialBlock(0, [0] * 100)), few)
    scan = survey(last=200)
    assert scanned(scan, client) == [(0, 100)]
    assert scan.most == 20


def test_silence_where_nothing_is_does_not_end_a_scan() -> None:
    """Some devices do not refuse, but are silent."""

    def silent(request: object) -> None:
        first = getattr(request, "address", 0)
        if first + getattr(request, "count", 0) > 10:
            raise ResponseTimeoutError("no answer")

    client = Direct(Unit(holding_registers=SequentialBlock(0, [0] * 10)), silent)
    assert scanned(survey(last=20), client) == [(0, 10)]


# Units.


LINES = [Endpoint.parse("rtu:///dev/a?baudrate=9600"), Endpoint.parse("rtu:///dev/a")]


class Bus(Direct):
    """Units 3 and 9 respond, 9 with an exception, at the second line settings."""

    def __init__(self) -> None:
        super().__init__(Unit(holding_registers=SequentialBlock(0, [0])))
        self.asked: list[int] = []
        self.line: Endpoint | None = None

    def call(self, request, *, unit=None, timeout=None):  # type: ignore[no-untyped-def]
        self.asked.append(unit)
        if self.line is not LINES[1] or unit not in (3, 9):
            raise ResponseTimeoutError("no answer")
        if unit == 9:
            raise ExceptionResponseError.for_code(request, 2)
        return super().call(request, unit=unit, timeout=timeout)


def scan_bus(scan: UnitScan) -> Bus:
    bus = Bus()
    while scan.line is not None:
        bus.line = scan.line
        scan.step(bus, 0.1)
    return bus


def test_a_unit_that_answers_anything_is_found() -> None:
    scan = UnitScan(LINES, [1, 3, 9])
    scan_bus(scan)
    assert [(each.unit, each.endpoint) for each in scan.found] == [
        (3, "rtu:///dev/a"),
        (9, "rtu:///dev/a"),
    ]
    assert scan.found[0].identity["server_id"] == "modwire"


def test_a_scan_ends_with_the_line_at_which_units_answer() -> None:
    lines = [LINES[1], LINES[0]]
    scan = UnitScan(lines, [1, 3])
    assert 1 in scan_bus(scan).asked
    assert scan.position == 2
    every = UnitScan(lines, [1, 3], every_line=True)
    scan_bus(every)
    assert every.position == 4


def test_a_gateway_that_says_the_unit_is_not_there_is_believed() -> None:
    def failed(request: object) -> None:
        raise GatewayTargetFailedError

    scan = UnitScan([Endpoint.parse("tcp://127.0.0.1")], [1])
    assert scan.step(Direct(Unit(), failed), 0.1) is None


# The file.


def test_a_scan_goes_on_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    scan = UnitScan(LINES, [1, 3])
    scan.position, scan.found = 3, [FoundUnit(3, "rtu:///dev/a", {"vendor_name": "ACME"})]
    StateFile(path, "scan", "this one").save(scan.state())
    later = UnitScan(LINES, [1, 3])
    later.resume(StateFile(path, "scan", "this one").state)
    assert (later.position, later.found) == (scan.position, scan.found)


def test_a_file_of_another_scan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    StateFile(path, "scan", "one").save(UnitScan(LINES, [1]).state())
    with pytest.raises(ValueError, match="belongs to the scan 'one', this one is 'other'"):
        StateFile(path, "scan", "other")
    with pytest.raises(ValueError, match="is not the file of a scrape"):
        StateFile(path, "scrape", "one")
    path.write_text("[]")
    with pytest.raises(ValueError, match="is not the file of a scan"):
        StateFile(path, "scan", "one")
    path.write_text(json.dumps({"modwire scan": "one", "units": 3}))
    damaged = StateFile(path, "scan", "one")
    with pytest.raises(ValueError, match="is not the file of a scan"), damaged.reading():
        UnitScan(LINES, [1]).resume(damaged.state)


def test_other_line_settings_keep_the_options_of_the_endpoint() -> None:
    text = "rtu:///dev/a?baudrate=9600&stopbits=2&timeout=2&pause=0.05&quirks=any_unit"
    endpoint = Endpoint.parse(text)
    assert with_line(endpoint) == endpoint
    assert with_line(endpoint, baudrate=1200, parity="N") == Endpoint.parse(
        "rtu:///dev/a?baudrate=1200&parity=N&timeout=2&pause=0.05&quirks=any_unit"
    )
    assert with_line(endpoint, baudrate=1200) == Endpoint.parse(
        "rtu:///dev/a?baudrate=1200&stopbits=2&timeout=2&pause=0.05&quirks=any_unit"
    )


def test_a_device_that_is_only_busy_is_no_device_that_refuses() -> None:
    """A copy of it would refuse everything with exception 06; the user hears why it takes long."""

    def busy(request: object) -> None:
        raise ExceptionResponseError.for_code(None, 6)

    told: list[str] = []
    asker = Asker(Direct(Unit(), busy), 1, pause=lambda seconds: None, tell=told.append)
    with pytest.raises(ExceptionResponseError) as caught:
        asker.read_coils(0, 1)
    assert caught.value.code == 6
    assert set(told) == {"unit 1 is busy (exception 06): asked again"}
    assert not asker.is_useful
