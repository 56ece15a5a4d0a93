"""`modwire scrape`: a whole device into a file that `modwire simulate` serves."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import (
    DelayText,
    EndpointText,
    parse_endpoint,
    parse_numbers,
    parse_seconds,
    parse_whole,
)
from .completion import complete_table
from .ending import FailedError, WrongArgumentError, argument
from .output import note
from .scan import parse_range, parse_table
from .scan_output import progress

if TYPE_CHECKING:
    from modwire import BlockingCalls, Endpoint
    from modwire_tools.scraping import Scrape, ScrapeFile, ScrapeOptions

_ADDRESSES = "0..65535"
_AUTO = "auto"
_PART = ".part"
_NOTE_INTERVAL = 10.0  # seconds, where there is no progress bar
_NETWORK_TIMEOUT = 0.3  # seconds for each id that is asked whether it is there


def scrape(
    endpoint: EndpointText,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The device file to write, .toml or .json."
        ),
    ],
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            "-u",
            metavar="UNITS",
            help="Which units to read, if they are there: 1 or 1,5,10..20. Else those of 1..247 on "
            "a serial line, of 1..20, 100, 247 and 255 on a network.",
        ),
    ] = None,
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="TABLE",
            help="Read only co, di, hr or ir; may be repeated.",
            autocompletion=complete_table,
        ),
    ] = None,
    addresses: Annotated[
        str, typer.Option("--addresses", metavar="RANGE", help="Where to look.")
    ] = _ADDRESSES,
    step: Annotated[
        str,
        typer.Option(
            "--step",
            metavar="N",
            help="In holes, ask only for each Nth address; 1 is the surest and slowest. auto asks "
            "for 256 one by one, then for those at which tables begin by habit.",
        ),
    ] = _AUTO,
    files: Annotated[
        str | None,
        typer.Option("--files", metavar="NUMBERS", help="Files to read too, such as 1..10."),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option("--fifo", metavar="ADDRESSES", help="FIFO queues to read too, such as 100."),
    ] = None,
    delay: DelayText = "0",
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="How long to wait for an answer."),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What the device is called in the file.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output file if it is there.")
    ] = False,
) -> None:
    """Copy a whole device into a file; `modwire simulate` serves it.

    The copy answers reads as the device did, and refuses what it refused. Nothing is ever written
    to the device. Ctrl+C writes what is known; the same command goes on from there another time.
    """
    from modwire_tools.scraping import Scrape, ScrapeFile, ScrapeOptions
    from modwire_tools.state_files import is_there

    place = parse_endpoint(endpoint)
    if output.suffix not in (".toml", ".json"):
        raise WrongArgumentError(f"--output must end in .toml or .json, got {str(output)!r}")
    first, last = parse_range(addresses)
    chosen = [parse_table(each) for each in tables or ()]
    all_tables = ScrapeOptions().tables
    options = ScrapeOptions(
        tables=[each for each in all_tables if not chosen or each in chosen],
        first=first,
        last=last,
        step=None if step == _AUTO else parse_whole("--step", step, 1, 65536),
        delay=parse_seconds("--delay", delay, zero=True),
        timeout=None if timeout is None else parse_seconds("--timeout", timeout),
        files=() if files is None else parse_numbers("--files", files, 1, 0xFFFF),
        queues=() if queues is None else parse_numbers("--fifo", queues, 0, 0xFFFF),
    )
    least, most = (0, 255) if place.framing == "tcp" else (1, 247)
    units = None if unit is None else parse_numbers("--unit", unit, least, most)
    if units is None and place.unit is not None:
        units = [place.unit]
    what = " ".join(map(str, [place, units, options.tables, addresses, step, files, queues]))
    with argument("--output"):
        is_there(output)
        part = ScrapeFile(output.with_name(output.name + _PART), what)
    if output.exists() and not force and not part.is_begun:
        raise WrongArgumentError(
            f"--output: {output} is there already, name another file or add --force"
        )
    if not output.absolute().parent.is_dir():
        raise WrongArgumentError(f"--output: there is no folder {output.absolute().parent}")

    from modwire_sync import connect

    with connect(place) as client:
        known, every_id = _units(client, place, units, part, options)
        scrape = Scrape(client, known, options, every_id=every_id)
        if part.is_begun:
            with argument(f"--output: {part.path}"):
                scrape.load(part.units)
            note(f"goes on with {part.path}")
        _run(scrape, part, output, name)
        if scrape.is_silent:
            asked = ", ".join(map(str, known))
            raise FailedError(
                f"{place}: unit {asked} has answered nothing, so {output} has no values; check the "
                "unit (--unit) and the line settings"
            )


def _units(
    client: BlockingCalls,
    place: Endpoint,
    units: list[int] | None,
    part: ScrapeFile,
    options: ScrapeOptions,
) -> tuple[list[int], bool]:
    """The units to read, and whether it is one that answers to every id."""
    from modwire_tools.scanning.units import probe_timeout
    from modwire_tools.scraping import find_units

    if part.units:
        with argument("--output"):
            return _units_of(part)
    if units is not None and len(units) == 1:
        return units, False
    wait = options.timeout if options.timeout is not None else probe_timeout(place)
    if place.transport != "serial" and place.timeout is None and options.timeout is None:
        wait = _NETWORK_TIMEOUT
    try:
        with progress(247) as bar:
            found, every_id = find_units(
                client, place, wait, lambda unit: bar.show(unit, f"is unit {unit} there?", 0), units
            )
    except KeyboardInterrupt:
        note("no file was written: the units are not known yet; --unit names them")
        raise
    if not found:
        raise FailedError(f"{place}: no unit answers; name one with --unit, or look at the line")
    if every_id:
        note(f"{place} answers to every unit id: it is read as unit 1, for all of them")
    else:
        note(f"{place} has unit{'s' * (len(found) > 1)} {', '.join(map(str, found))}")
    return found, every_id


def _units_of(part: ScrapeFile) -> tuple[list[int], bool]:
    from modwire_tools.state_files import DAMAGES

    try:
        specs = [each["spec"] for each in part.units.values()]
        return list(map(int, part.units)), any(spec and spec.get("every_id") for spec in specs)
    except DAMAGES:
        raise ValueError(f"{part.path} cannot be taken up: remove it") from None


def _run(scrape: Scrape, part: ScrapeFile, output: Path, name: str) -> None:
    from modwire_tools.simulator.files import write_device

    is_whole = False
    values = 0
    try:
        with progress(scrape.total) as bar:
            told = monotonic()
            for at in scrape.run():
                values = at.values
                bar.show(at.done, at.where, values)
                if monotonic() - told > _NOTE_INTERVAL and not sys.stderr.isatty():
                    told = monotonic()
                    note(f"{at.where}: {at.done / scrape.total:.0%}, {values} values")
                if part.is_due():
                    part.save(scrape.state())
        is_whole = True
    finally:
        if not is_whole:
            part.save(scrape.state())
        write_device(scrape.device(name), output)
        if not is_whole:
            note(f"{output} has the {values} values known so far; the same command goes on")
    part.remove()
    if not scrape.is_silent:
        note(f"{output} has {values} values; try: modwire simulate {shlex.quote(str(output))}")
