"""`modwire poll`: the values of a plant, on time, to where they are used."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .ending import FailedError, WrongArgumentError
from .output import note

if TYPE_CHECKING:
    from modwire_tools.poll.plant import Plant

_ACTIONS = ("run", "check")


def poll(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[run|check] PLANT",
            help="The plant file, to poll (the default) or to check: what would be read, in how "
            "many requests, how full each serial line gets, and what does not fit. See Plant "
            "files in the documentation.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Read each point once, deliver the values, and end.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show a live table of the devices and sinks.")
    ] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--reload",
            help="Read the plant file again when it, or a device file, has changed; SIGHUP does "
            "that too. A mistake in it changes nothing.",
        ),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="auto|HOST:PORT",
            help="Read the lines on the nodes of a Ray cluster: of the one that this machine is "
            "in, or of the head node at HOST:PORT.",
        ),
    ] = None,
) -> None:
    """Read the devices of a plant for ever, and hand their values on.

    The plant file names devices, their points and intervals, and sinks: MQTT, InfluxDB, Prometheus,
    SQL, CSV, JSON. Without a sink, values are printed as lines of JSON.
    """
    from modwire_tools.extras import extra

    given = list(words or [])
    action = given.pop(0) if len(given) > 1 and given[0] in _ACTIONS else "run"
    if len(given) != 1:
        what = f"got {' '.join(given)}" if given else "got none"
        raise WrongArgumentError(f"PLANT must be one file, {what}; see modwire poll --help")
    if action == "check" and (once or watch or follow or ray is not None):
        raise WrongArgumentError("check takes no options: it reads no device")
    with extra("poll", "modwire poll"):
        import_module("modwire_asyncio")
    plant = read(Path(given[0]))
    if action == "check":
        _check(plant)
        return
    from .poll_running import run_plant

    run_plant(plant, once=once, watch=watch, follow=follow, ray=ray)


def read(file: Path) -> Plant:
    """Return the plant in a file; raises WrongArgumentError with all its mistakes."""
    from modwire_tools.poll.plant import PlantError, read_plant

    try:
        return read_plant(file)
    except PlantError as error:
        for text in error.mistakes[:-1]:
            note(f"modwire: {text}")
        more = f" ({error.number} mistakes)" if error.number > 1 else ""
        raise WrongArgumentError(f"{error.mistakes[-1]}{more}") from None


def _check(plant: Plant) -> None:
    """Print what a plant would read. Raises FailedError if something does not fit."""
    from modwire_tools.explain.walk import count
    from modwire_tools.poll.checking import check_plant

    from .output import print_line

    problems: list[str] = []
    for line in check_plant(plant):
        load = "" if line.load is None else f", {line.load:.0%} of its time"
        requests = f"{line.rate:.3g} requests per second"
        node = line.devices[0].device.node
        where = f", on node {node}" if node else ""
        print_line(f"{line.name}: {count(len(line.devices), 'device')}, {requests}{load}{where}")
        for each in line.devices:
            device = each.device
            print_line(f"  {device.name}: unit {device.unit}, {device.endpoint}")
            for group in each.groups:
                spans = ", ".join(
                    f"{request.table.replace('_', ' ')} {request.address}"
                    + (f"..{request.stop - 1}" if request.count > 1 else "")
                    for request in group.requests
                )
                print_line(
                    f"    every {group.interval:g} s: {count(group.points, 'point')} in "
                    f"{count(len(group.requests), 'request')}: {spans}"
                )
        problems += line.problems
    for sink in plant.sinks:
        print_line(f"sink: {sink.name}")
    if plant.spool is not None:
        print_line(f"spool: {plant.spool.file}, {plant.spool.size} bytes, {plant.spool.age:g} s")
    elif any(each.sink.is_queued for each in plant.sinks):
        note("There is no [spool]: what a sink has not taken is lost when the poller ends.")
    for text in problems[:-1]:
        note(f"modwire: {text}")
    if problems:
        raise FailedError(problems[-1])
