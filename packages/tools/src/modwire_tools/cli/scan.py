"""`modwire scan`: the units on a line, the settings of the line, the readable part of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import (
    DelayText,
    EndpointText,
    JsonFlag,
    UnitText,
    parse_choice,
    parse_endpoint,
    parse_numbers,
    parse_seconds,
    parse_whole,
    unit_of,
    with_line,
)
from .completion import BAUDRATES, PARITIES, among, complete_table
from .ending import WrongArgumentError, argument

if TYPE_CHECKING:
    from modwire import Endpoint
    from modwire.endpoint import Parity
    from modwire_tools.scanning import ScanFile, TableScan, UnitScan

_UNITS = "1..247"
_ADDRESSES = "0..65535"


def scan(
    endpoint: EndpointText,
    units: Annotated[
        str,
        typer.Option("--units", metavar="UNITS", help="Which units to look for: 1..247, 1,5,10."),
    ] = _UNITS,
    baudrates: Annotated[
        str | None,
        typer.Option(
            "--baudrates",
            metavar="RATES",
            help=f"Baud rates to try on a serial port, or all: {', '.join(map(str, BAUDRATES))}.",
            autocompletion=among(["all", *BAUDRATES]),
        ),
    ] = None,
    parities: Annotated[
        str | None,
        typer.Option(
            "--parities",
            metavar="PARITIES",
            help="Parities to try on a serial port, such as E,N, or all: E, N, O.",
            autocompletion=among(["all", *PARITIES]),
        ),
    ] = None,
    every_line: Annotated[
        bool,
        typer.Option(
            "--every-line", help="Go on after the first line settings at which a unit answers."
        ),
    ] = False,
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="TABLE",
            help="Find the readable addresses of co, di, hr or ir instead; may be repeated.",
            autocompletion=complete_table,
        ),
    ] = None,
    addresses: Annotated[
        str,
        typer.Option("--addresses", metavar="RANGE", help="With --table: where to look."),
    ] = _ADDRESSES,
    step: Annotated[
        str,
        typer.Option(
            "--step",
            metavar="N",
            help="With --table: ask only each Nth address of a hole. Quicker, but what is shorter "
            "than N may be missed.",
        ),
    ] = "1",
    unit: UnitText = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="TIME",
            help="How long to wait for a unit: a little more than 150ms on a serial port, else 1s.",
        ),
    ] = None,
    delay: DelayText = "0",
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="FILE",
            help="Keep in FILE how far the scan is; it is taken up there if FILE is there.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find units, line settings, and readable addresses.

    Without --table it finds the units that answer, and what they are: a unit is identified by
    functions 43/14 and 17. On a serial port, baud rates and parities are tried in turn. Nothing is
    ever written.
    """
    place = parse_endpoint(endpoint)
    wait = None if timeout is None else parse_seconds("--timeout", timeout)
    pause = parse_seconds("--delay", delay, zero=True)
    options = [f"--units {units}", f"--baudrates {baudrates}", f"--parities {parities}"]
    if tables:
        if units != _UNITS or baudrates or parities or every_line:
            raise WrongArgumentError(
                "--table looks into one unit, named by --unit: leave out --units, --baudrates, "
                "--parities and --every-line"
            )
        names = [parse_table(each) for each in tables]
        first, last = parse_range(addresses)
        options = [f"--unit {unit_of(place, unit)}", *names, f"{first}..{last}", f"step {step}"]
        every = parse_whole("--step", step, 1, 65536)
        from modwire_tools.scanning import TableScan

        scans = [
            TableScan(
                name,
                unit_of(place, unit),
                first=first,
                last=last,
                step=every,
                timeout=wait,
                before_request=_pauses(pause),
            )
            for name in dict.fromkeys(names)
        ]
        _scan_tables(place, scans, _file(resume, place, options), as_json)
        return
    if unit is not None or addresses != _ADDRESSES or step != "1":
        raise WrongArgumentError(
            "--unit, --addresses and --step go with --table; units to look for are --units"
        )
    most = 255 if place.framing == "tcp" else 247
    wanted = parse_numbers("--units", units, 0 if place.framing == "tcp" else 1, most)
    lines = _lines(place, baudrates, parities)
    from modwire_tools.scanning import UnitScan

    found = UnitScan(lines, wanted, every_line=every_line)
    options += ["--every-line"] if every_line else []
    _scan_units(found, wait, pause, _file(resume, place, options), as_json)


def parse_table(text: str) -> str:
    """The table that --table names."""
    from modwire_tools.addresses import parse_place

    with argument("--table"):
        try:
            return parse_place(f"{text}:0").table
        except ValueError:
            raise ValueError(f"it must be co, di, hr or ir, got {text!r}") from None


def parse_range(text: str) -> tuple[int, int]:
    """The first and the last address of --addresses."""
    first, dots, last = text.partition("..")
    low = parse_whole("--addresses", first, 0, 65535)
    high = parse_whole("--addresses", last, 0, 65535) if dots else low
    if high < low:
        raise WrongArgumentError(f"--addresses must ascend, as in {high}..{low}, got {text!r}")
    return low, high


def _lines(place: Endpoint, baudrates: str | None, parities: str | None) -> list[Endpoint]:
    """The line settings to try, those of the endpoint where none are named."""
    if baudrates is None and parities is None:
        return [place]
    if place.transport != "serial":
        raise WrongArgumentError(
            "--baudrates and --parities are tried on a serial port, such as rtu:///dev/ttyUSB0"
        )
    rates = [place.baudrate]
    if baudrates is not None:
        texts = list(map(str, BAUDRATES)) if baudrates.lower() == "all" else baudrates.split(",")
        rates = [parse_whole("--baudrates", text.strip(), 50, 4_000_000) for text in texts]
    chosen: list[Parity] = [place.parity]
    if parities is not None:
        texts = list(PARITIES) if parities.lower() == "all" else parities.split(",")
        chosen = [_parity(text) for text in texts]
    if parities is None:
        return [with_line(place, baudrate=rate) for rate in dict.fromkeys(rates)]
    return [
        with_line(place, baudrate=rate, parity=parity)
        for rate in dict.fromkeys(rates)
        for parity in dict.fromkeys(chosen)
    ]


def _parity(text: str) -> Parity:
    choice = parse_choice("--parities", text.strip(), PARITIES)
    return "N" if choice == "N" else "E" if choice == "E" else "O"


def _pauses(delay: float) -> Callable[[], None] | None:
    if not delay:
        return None
    return lambda: sleep(delay)


def _file(path: Path | None, place: Endpoint, options: Sequence[str]) -> ScanFile | None:
    from modwire_tools.scanning import ScanFile

    if path is None:
        return None
    with argument("--resume"):
        return ScanFile(path, " ".join([str(place), *options]))


def _scan_units(
    scan: UnitScan, wait: float | None, pause: float, file: ScanFile | None, as_json: bool
) -> None:
    from modwire_sync import connect
    from modwire_tools.scanning.units import probe_timeout

    from .scan_output import UnitOutput, progress

    if file is not None:
        with argument("--resume"):
            file.load_units(scan)
    output = UnitOutput(scan, as_json)
    try:
        with progress(scan.total) as bar:
            line: Endpoint | None = scan.line
            while line is not None:
                seconds = probe_timeout(line) if wait is None else wait
                with connect(line) as client:
                    while scan.line is line:
                        bar.show(scan.position, f"{line}, unit {scan.unit}", len(scan.found))
                        found = scan.step(client, seconds)
                        if found is not None:
                            output.found(found)
                        if file is not None:
                            file.save_units(scan)
                        if pause:
                            sleep(pause)
                line = scan.line
            bar.show(scan.total, "done", len(scan.found))
    finally:
        if file is not None:
            file.save_units(scan, now=True)
        output.end()


def _scan_tables(
    place: Endpoint, scans: Sequence[TableScan], file: ScanFile | None, as_json: bool
) -> None:
    from modwire_sync import connect

    from .scan_output import TableOutput, progress

    if file is not None:
        with argument("--resume"):
            file.load_tables(scans)
    output = TableOutput(scans, as_json)
    total = sum(scan.last + 1 - scan.first for scan in scans)
    try:
        with progress(total) as bar, connect(place) as client:
            done = 0
            for scan in scans:
                while not scan.is_done:
                    at = scan.position
                    where = f"{scan.table.replace('_', ' ')} {at}"
                    bar.show(done + at - scan.first, where, len(scan.ranges))
                    scan.step(client)
                    if file is not None:
                        file.save_tables(scans)
                done += scan.last + 1 - scan.first
                output.scanned(scan)
            bar.show(total, "done", sum(len(scan.ranges) for scan in scans))
    finally:
        if file is not None:
            file.save_tables(scans, now=True)
        output.end()
