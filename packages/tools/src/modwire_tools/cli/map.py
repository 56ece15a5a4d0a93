"""`modwire map`: device files from the register lists of other tools, and classes from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from modwire_tools.pasting import command_line

from .ending import FailedError, WrongArgumentError, argument
from .endpoints import DEVICE
from .output import note
from .types import UNIT_ID

_LONGEST_NAME = 100  # characters; file systems allow 255 bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire_tools.register_lists import Findings
    from modwire_tools.simulator.devices import DeviceSpec

What = Literal["import", "class"]
Format = Literal[
    "telegraf", "modpoll", "modbus_exporter", "home_assistant", "pymodbus", "csv", "python"
]


def map(  # noqa: A001 - the name of the subcommand
    what: Annotated[
        What,
        typer.Argument(
            metavar="import|class",
            help="import: read the register list of another tool. class: write a Python class.",
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", readable=False, help="The list, or the device file."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            readable=False,
            metavar="FILE",
            help="The file to write: .toml or .json of import, .py of class; for a list of several "
            "devices a folder. Without it, standard output.",
        ),
    ] = None,
    kind: Annotated[
        Format | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="The format of the list, if it is not recognised: telegraf, modpoll, "
            "modbus_exporter, home_assistant, pymodbus, csv or python.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Only this device of a list of several.")
    ] = "",
    unit: Annotated[
        int | None,
        UNIT_ID.option(
            "--unit",
            "-u",
            help="The unit id where the list has none, by default 1; of class, only this unit.",
        ),
    ] = None,
    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint",
            metavar="ENDPOINT",
            help="The endpoint of the device, where the list has none or another.",
        ),
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output file if it exists.")
    ] = False,
) -> None:
    """Turn register lists of other tools into device files and classes.

    import reads lists of telegraf, modpoll, modbus_exporter, Home Assistant, pymodbus's simulator,
    a CSV with a column for each key of a point, and Python modules that class has written. An entry
    that a device file cannot hold is named on standard error with its place, and then the exit code
    is 1. class writes a RegisterMap with a typed attribute for each point.
    """
    if what == "import":
        _import(file, kind or "", device, unit, endpoint, output, force)
        return
    for name, given in (("--from", kind), ("--name", device), ("--endpoint", endpoint)):
        if given:
            raise WrongArgumentError(f"{name} is for modwire map import")
    _write_class(file, unit, output, force)


def _import(
    file: Path,
    kind: str,
    name: str,
    unit: int | None,
    endpoint: str,
    output: Path | None,
    force: bool,
) -> None:
    from modwire_tools.register_lists import read_list
    from modwire_tools.simulator.files import DeviceFileError

    try:
        found = read_list(file, kind, unit=1 if unit is None else unit)
    except DeviceFileError as error:
        raise FailedError(str(error)) from None
    devices = _chosen(found, name, file)
    if endpoint:
        if len(devices) > 1:
            raise WrongArgumentError("--endpoint is that of one device: choose one with --name")
        devices = [_at(devices[0], endpoint)]
    of_them = {"", *(each.name for each in devices)} if name else None
    notes = [each for each in found.notes if of_them is None or each.device in of_them]
    for each in notes:
        note(str(each))
    if not any(spec.units for spec in devices):
        raise FailedError(f"{file}: has no value that a device file can hold")
    lost = sum(each.is_lost for each in notes)
    _write(devices, file, output, force)
    if lost:
        entries = "1 entry was" if lost == 1 else f"{lost} entries were"
        raise FailedError(f"{file}: {entries} left out, see above")


def _chosen(found: Findings, name: str, file: Path) -> list[DeviceSpec]:
    """Return the devices that have values, or the one called `name`."""
    devices = [each for each in found.devices if each.units]
    if not name:
        return devices or list(found.devices)
    named = [each for each in devices if each.name == name]
    if not named:
        names = ", ".join(each.name for each in devices) or "none"
        raise WrongArgumentError(f"--name: {file} has the devices {names}, got {name!r}")
    return named


def _at(device: DeviceSpec, text: str) -> DeviceSpec:
    """Return a device with another endpoint; its own options take precedence."""
    from modwire_tools.simulator.files import connection_of, with_connection

    with argument("--endpoint"):
        place = DEVICE.parse(with_connection(text, device.connection))
    return replace(device, endpoint=text.partition("?")[0], connection=connection_of(place))


def _write(devices: Sequence[DeviceSpec], file: Path, output: Path | None, force: bool) -> None:
    """Write one device to a file or standard output, several to files in a folder."""
    from modwire_tools.simulator.files import dump_device, write_device

    if len(devices) == 1 and (output is None or not output.is_dir()):
        if output is None:
            typer.echo(dump_device(devices[0]), nl=False)
            return
        if output.suffix not in (".toml", ".json"):
            raise WrongArgumentError(f"--output must end in .toml or .json, got {str(output)!r}")
        _check_new(output, force)
        write_device(devices[0], output)
        _tell(devices[0], output)
        return
    if output is None or not output.is_dir():
        names = ", ".join(each.name for each in devices)
        raise WrongArgumentError(
            f"{file} has {len(devices)} devices, {names}: choose one with --name, or name a folder "
            "that exists with --output"
        )
    paths = _paths(devices, output)
    for path in paths:
        _check_new(path, force)
    for each, path in zip(devices, paths, strict=True):
        write_device(each, path)
        _tell(each, path)


def _paths(devices: Sequence[DeviceSpec], folder: Path) -> list[Path]:
    """Return a file for each device, named after it."""
    import re

    found: list[Path] = []
    for each in devices:
        stem = re.sub(r"[^\w.-]+", "_", each.name)[:_LONGEST_NAME].strip("._") or "device"
        path, number = folder / f"{stem}.toml", 2
        while path in found:
            path, number = folder / f"{stem}_{number}.toml", number + 1
        found.append(path)
    return found


def _check_new(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise WrongArgumentError(
            f"--output: {path} exists already, name another file or add --force"
        )


def _tell(device: DeviceSpec, path: Path) -> None:
    from modwire_tools.explain.walk import count

    points = sum(len(unit.points) for unit in device.units)
    note(f"{path} has {count(points, 'point')}; try: {command_line('simulate', path)}")


def _write_class(file: Path, unit: int | None, output: Path | None, force: bool) -> None:
    from modwire_tools.map_modules import class_module
    from modwire_tools.replacing import replace_file
    from modwire_tools.simulator.files import DeviceFileError, read_device

    try:
        device = read_device(file)
    except DeviceFileError as error:
        raise FailedError(str(error)) from None
    if unit is not None:
        units = [each for each in device.units if each.id == unit]
        if not units:
            known = ", ".join(str(each.id) for each in device.units)
            raise WrongArgumentError(f"--unit: {file} has the units {known}, got {unit}")
        device = replace(device, units=units)
    try:
        module = class_module(device)
    except ValueError as error:
        raise FailedError(f"{file}: {error}") from None
    for each in module.notes:
        note(f"{file}: {each}")
    if output is None:
        typer.echo(module.text, nl=False)
        return
    if output.suffix != ".py":
        raise WrongArgumentError(f"--output must end in .py, got {str(output)!r}")
    _check_new(output, force)
    replace_file(output, module.text.encode())
    note(f"{output} has the classes of {file}")
