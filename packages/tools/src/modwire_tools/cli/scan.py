"""`modwire scan`: finds units on a line, line settings, and readable addresses of a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Annotated

import typer

from .device_option import DeviceOption, EndpointTextArgument, find_device
from .ending import WrongArgumentError, argument
from .endpoints import (
    BAUDRATES,
    NO_DELAY,
    PARITIES,
    DelayOption,
    Parity,
    UnitOption,
    check_units,
    unit_of,
    with_line,
)
from .output import JsonFlag
from .types import ADDRESSES, DURATION, TABLE, ParamType, Several, UnitIds, Whole
from .verbose import VerboseFlag, diagnosing

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire import BlockingCalls, Endpoint
    from modwire_tools.scanning import StateFile, TableSurvey, UnitScan
    from modwire_tools.scanning.asking import Asker

    from .diagnosis import Seen


class Baudrate(Whole):
    """A baud rate of a serial port."""

    def __init__(self) -> None:
        super().__init__(50, 4_000_000)


class ParityName(ParamType["Parity"]):
    """A parity of a serial port: E, N or O."""

    def parse(self, text: str) -> Parity:
        for parity in PARITIES:
            if parity == text.upper():
                return parity
        raise ValueError(f"must be one of {', '.join(PARITIES)}, got {text!r}")


def scan(
    place: EndpointTextArgument = None,
    units: Annotated[
        Sequence[int] | None,
        UnitIds().option(
            "--units",
            metavar="UNITS",
            help="Which units to look for: 1,5,10 or 1..255; 1..247 by default.",
        ),
    ] = None,
    baudrates: Annotated[
        Sequence[int] | None,
        Several(Baudrate(), BAUDRATES, "RATES").option(
            "--baudrates",
            help=f"Baud rates to try on a serial port, or all: {', '.join(map(str, BAUDRATES))}.",
        ),
    ] = None,
    parities: Annotated[
        Sequence[Parity] | None,
        Several(ParityName(), PARITIES, "PARITIES").option(
            "--parities", help="Parities to try on a serial port, such as E,N, or all: E, N, O."
        ),
    ] = None,
    every_line: Annotated[
        bool,
        typer.Option(
            "--every-line", help="Continue after the first line settings at which a unit answers."
        ),
    ] = False,
    tables: Annotated[
        list[str] | None,
        TABLE.option(
            "--table", help="Find the readable addresses of co, di, hr or ir; may be repeated."
        ),
    ] = None,
    addresses: Annotated[
        range | None,
        ADDRESSES.option("--addresses", help="With --table: where to look, 0..65535 by default."),
    ] = None,
    step: Annotated[
        int | None,
        Whole(1, 65536).option(
            "--step",
            help="With --table: ask only for each Nth address of a gap, 1 by default. A larger N "
            "is quicker, but may miss shorter ranges.",
        ),
    ] = None,
    unit: UnitOption = None,
    timeout: Annotated[
        float | None,
        DURATION.option(
            "--timeout",
            help="How long to wait for a unit: a little more than 150ms on a serial port, else 1s.",
        ),
    ] = None,
    delay: DelayOption = NO_DELAY,
    device: DeviceOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            readable=False,
            metavar="FILE",
            help="Keep the progress in FILE, and continue from there if FILE exists.",
        ),
    ] = None,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Find units, line settings, and readable addresses.

    Without --table it finds the units that respond, and identifies them with functions 43/14 and
    17. On a serial port it tries baud rates and parities in turn. It never writes to a device. The
    exit code is 1 if no unit answers, and with --table if no address can be read.
    """
    endpoint = find_device("scan", place, device).endpoint
    if tables:
        if units or baudrates or parities or every_line:
            raise WrongArgumentError(
                "--table looks into one unit, named by --unit: leave out --units, --baudrates, "
                "--parities and --every-line"
            )
        asked = unit_of(endpoint, unit)
        where = addresses or range(0x10000)
        names = list(dict.fromkeys(tables))
        from modwire_tools.scanning import TableSurvey
        from modwire_tools.scanning.asking import Asker

        surveys = [
            TableSurvey(name, first=where[0], last=where[-1], step=step or 1, wide=False)
            for name in names
        ]
        span = f"{where[0]}..{where[-1]}"
        file = _file(resume, endpoint, f"--unit {asked}", *names, span, f"step {step or 1}")
        ask = partial(Asker, unit=asked, delay=delay, timeout=timeout)
        with diagnosing(endpoint, verbose):
            _scan_tables(endpoint, surveys, ask, file, as_json)
        return
    if unit is not None or addresses is not None or step is not None:
        raise WrongArgumentError(
            "--unit, --addresses and --step go with --table; units to look for are --units"
        )
    check_units(endpoint, "--units", units or ())
    wanted = units or range(1, 248)
    from modwire_tools.scanning import UnitScan

    found = UnitScan(_lines(endpoint, baudrates, parities), wanted, every_line=every_line)
    # A part of the text that identifies the scan in its file.
    options = f"--units {units} --baudrates {baudrates} --parities {parities}"
    file = _file(resume, endpoint, options, *(["--every-line"] if every_line else []))
    with diagnosing(endpoint, verbose) as seen:
        _scan_units(found, timeout, delay, file, as_json, seen)


def _lines(
    endpoint: Endpoint, baudrates: Sequence[int] | None, parities: Sequence[Parity] | None
) -> list[Endpoint]:
    """Return the line settings to try: those in the options, or only those of the endpoint."""
    if baudrates is None and parities is None:
        return [endpoint]
    if endpoint.transport != "serial":
        raise WrongArgumentError(
            "--baudrates and --parities are tried on a serial port, such as rtu:///dev/ttyUSB0"
        )
    return [
        with_line(endpoint, baudrate=rate, parity=parity)
        for rate in baudrates or (None,)
        for parity in parities or (None,)
    ]


def _file(path: Path | None, endpoint: Endpoint, *options: str) -> StateFile | None:
    from modwire_tools.scanning import StateFile

    if path is None:
        return None
    with argument("--resume"):
        return StateFile(path, "scan", " ".join([str(endpoint), *options]))


def _scan_units(
    scan: UnitScan,
    wait: float | None,
    pause: float,
    file: StateFile | None,
    as_json: bool,
    seen: Seen,
) -> None:
    from modwire_sync import connect
    from modwire_tools.scanning.units import probe_timeout

    from .scan_output import UnitOutput, progress

    if file is not None and file.state:
        with argument("--resume"), file.reading():
            scan.resume(file.state)
    output = UnitOutput(scan, as_json)
    try:
        with progress(scan.total) as bar:
            line: Endpoint | None = scan.line
            while line is not None:
                seconds = probe_timeout(line) if wait is None else wait
                seen.endpoint = line
                seen.late.clear()
                with connect(line) as client:
                    while scan.line is line:
                        bar.show(scan.position, f"{line}, unit {scan.unit}", len(scan.found))
                        found = scan.step(client, seconds)
                        if found is not None:
                            output.found(found)
                        for unit in sorted(seen.late):
                            if (late := scan.add_late(unit)) is not None:
                                output.found(late)
                        output.note_trouble(seen)
                        if file is not None and file.is_due():
                            file.save(scan.state())
                        if pause:
                            sleep(pause)
                line = scan.line
            bar.show(scan.total, "done", len(scan.found))
    finally:
        if file is not None:
            file.save(scan.state())
        output.end()
    output.check_found()


def _scan_tables(
    endpoint: Endpoint,
    surveys: Sequence[TableSurvey],
    ask: Callable[[BlockingCalls], Asker],
    file: StateFile | None,
    as_json: bool,
) -> None:
    from modwire import ResponseTimeoutError
    from modwire_sync import connect
    from modwire_tools.simulator.devices import SILENCE

    from .scan_output import TableOutput, progress

    if file is not None and file.state:
        with argument("--resume"), file.reading():
            for survey, state in zip(surveys, file.state["tables"], strict=True):
                survey.resume(state)
    output = TableOutput(surveys, as_json)
    total = sum(each.last + 1 - each.first for each in surveys)
    try:
        with progress(total) as bar, connect(endpoint) as client:
            asker = ask(client)
            done = 0
            for survey in surveys:
                while not survey.is_done:
                    at = survey.position
                    where = f"{survey.table.replace('_', ' ')} {at}"
                    bar.show(done + at - survey.first, where, len(survey.values))
                    survey.go_on(asker)
                    if survey.whole == SILENCE and not asker.is_answered:
                        survey.restart()
                        raise ResponseTimeoutError(f"{endpoint}: unit {asker.unit} did not answer")
                    if file is not None and file.is_due():
                        file.save({"tables": [each.state() for each in surveys]})
                done += survey.last + 1 - survey.first
                output.scanned(survey)
            bar.show(total, "done", sum(len(each.values) for each in surveys))
    finally:
        if file is not None:
            file.save({"tables": [each.state() for each in surveys]})
        output.end()
    output.check_found()
