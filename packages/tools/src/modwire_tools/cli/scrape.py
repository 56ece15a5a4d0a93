"""`modwire scrape`: copies a whole device into a file that `modwire simulate` serves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from modwire_tools.pasting import command_line

from .device_option import DeviceOption, EndpointTextArgument, find_device
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import NO_DELAY, DelayOption, TimeoutOption, check_units
from .output import note
from .scan_output import progress
from .types import ADDRESSES, TABLE, Numbers, ParamType, UnitIds, Whole
from .verbose import diagnosing

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire import BlockingCalls, Endpoint
    from modwire_tools.scanning import StateFile
    from modwire_tools.scraping import Scrape
    from modwire_tools.simulator.devices import DeviceSpec

_PART = ".part"
_NOTE_INTERVAL = 10.0  # seconds, if there is no progress bar
_NETWORK_TIMEOUT = 0.3  # timeout in seconds for each unit id that is tried


class _Teller:
    """Prints a note at once, and the next ones after at least ten seconds."""

    def __init__(self) -> None:
        self._next = float("-inf")

    def __call__(self, text: str) -> None:
        if monotonic() >= self._next:
            self._next = monotonic() + _NOTE_INTERVAL
            note(text)


class Step(ParamType[int]):
    """The step in gaps: 1 or more; 0 for "auto"."""

    metavar = "N"

    def parse(self, text: str) -> int:
        return 0 if text == "auto" else Whole(1, 65536).parse(text)


def scrape(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            readable=False,
            metavar="FILE",
            help="The device file to write, .toml or .json.",
        ),
    ],
    place: EndpointTextArgument = None,
    unit: Annotated[
        Sequence[int] | None,
        UnitIds().option(
            "--unit",
            "-u",
            metavar="UNITS",
            help="Which units to read, if they answer: 1 or 1,5,10..20. By default those of 1..247 "
            "on a serial line, and of 1..20, 100, 247 and 255 on a network.",
        ),
    ] = None,
    tables: Annotated[
        list[str] | None,
        TABLE.option("--table", help="Read only co, di, hr or ir; may be repeated."),
    ] = None,
    addresses: Annotated[
        range | None,
        ADDRESSES.option("--addresses", help="Where to look, 0..65535 by default."),
    ] = None,
    step: Annotated[
        int | None,
        Step().option(
            "--step",
            help="Ask only for each Nth address of a gap; 1 is the surest and slowest. auto, the "
            "default, asks for 256 one by one, then for those at which tables often begin.",
        ),
    ] = None,
    files: Annotated[
        Sequence[int] | None,
        Numbers(1, 0xFFFF).option(
            "--files", metavar="NUMBERS", help="Files to read too, such as 1..10."
        ),
    ] = None,
    queues: Annotated[
        Sequence[int] | None,
        Numbers(0, 0xFFFF).option(
            "--fifo", metavar="ADDRESSES", help="FIFO queues to read too, such as 100."
        ),
    ] = None,
    delay: DelayOption = NO_DELAY,
    timeout: TimeoutOption = None,
    device: DeviceOption = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the device in the file.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output file if it exists.")
    ] = False,
) -> None:
    """Copy a whole device into a file; `modwire simulate` serves it.

    The copy responds to reads as the device did, with the same values and the same exceptions. The
    command never writes to the device. After Ctrl+C the file has the values read so far, and the
    same command continues from there. The options of the endpoint are in the [connection] of the
    file, for --device of this and other commands.
    """
    from modwire_sync import connect
    from modwire_tools.scraping import Scrape, ScrapeOptions

    if output.suffix not in (".toml", ".json"):
        raise WrongArgumentError(f"--output must end in .toml or .json, got {str(output)!r}")
    endpoint = find_device("scrape", place, device).endpoint
    where = addresses or range(0x10000)
    options = ScrapeOptions(
        tables=[each for each in ScrapeOptions().tables if not tables or each in tables],
        first=where[0],
        last=where[-1],
        step=step or None,
        delay=delay,
        timeout=timeout,
        files=files or (),
        queues=queues or (),
    )
    units = unit
    check_units(endpoint, "--unit", units or ())
    if units is None and endpoint.unit is not None:
        units = [endpoint.unit]
    span = f"{where[0]}..{where[-1]}"
    settings = [endpoint, units, options.tables, span, step or "auto", files, queues]
    part = _part_file(output, " ".join(map(str, settings)), force)

    tell = _Teller()
    with diagnosing(endpoint, False), connect(endpoint) as client:
        if part.state:
            with argument("--output"), part.reading():
                saved = part.state["units"]
                known = list(map(int, saved))
                specs = [each["spec"] for each in saved.values()]
                every_id = any(spec and spec.get("every_id") for spec in specs)
                scrape = Scrape(client, known, options, every_id=every_id, tell=tell)
                scrape.load(saved)
            note(f"continues from {part.path}")
        else:
            known, every_id = _units(client, endpoint, units, timeout)
            scrape = Scrape(client, known, options, every_id=every_id, tell=tell)
        _run(scrape, part, output, partial(_copy, scrape, name, endpoint))
        if scrape.is_silent:
            asked = ", ".join(map(str, known))
            line = " and the line settings" if endpoint.transport == "serial" else ""
            raise FailedError(
                f"{endpoint}: unit {asked} has answered nothing, so {output} was not written; "
                f"check the unit (--unit){line}"
            )


def _part_file(output: Path, settings: str, force: bool) -> StateFile:
    """Return the file for the progress, if it and `output` can be written.

    Raises WrongArgumentError, and OSError if the folder cannot be written.
    """
    from modwire_tools.replacing import check_writable
    from modwire_tools.scanning.state_files import StateFile, is_there

    if not output.absolute().parent.is_dir():
        raise WrongArgumentError(f"--output: there is no folder {output.absolute().parent}")
    with argument("--output"):
        exists = is_there(output)
        check_writable(output)
        part = StateFile(output.with_name(output.name + _PART), "scrape", settings)
    if exists and not force and not part.state:
        raise WrongArgumentError(
            f"--output: {output} exists already, name another file or add --force"
        )
    return part


def _units(
    client: BlockingCalls,
    place: Endpoint,
    units: Sequence[int] | None,
    timeout: float | None,
) -> tuple[list[int], bool]:
    """Return the units to read, and True if they are one unit that responds to every id."""
    from modwire_tools.scanning.units import probe_timeout
    from modwire_tools.scraping import find_units

    if units is not None and len(units) == 1:
        return list(units), False
    wait = timeout or probe_timeout(place)
    if place.transport != "serial" and place.timeout is None and timeout is None:
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


def _copy(scrape: Scrape, name: str, endpoint: Endpoint) -> DeviceSpec:
    """Return the device so far, with the options of its endpoint."""
    from modwire_tools.simulator.files import connection_of

    return replace(scrape.device(name), connection=connection_of(endpoint))


def _run(scrape: Scrape, part: StateFile, output: Path, device: Callable[[], DeviceSpec]) -> None:
    from modwire_tools.explain.walk import count
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
                    note(f"{at.where}: {at.done / scrape.total:.0%}, {count(values, 'value')}")
                if part.is_due() and not scrape.is_silent:
                    part.save({"units": scrape.state()})
        is_whole = True
    finally:
        if scrape.is_silent:
            if not is_whole:
                note(f"{output} was not written: there was no answer that could be used")
        elif is_whole:
            write_device(device(), output)
        else:
            part.save({"units": scrape.state()})
            write_device(device(), output)
            known = count(values, "value")
            note(f"{output} has the {known} known so far; the same command continues")
    part.remove()
    if not scrape.is_silent:
        note(f"{output} has {count(values, 'value')}; try: {command_line('simulate', output)}")
