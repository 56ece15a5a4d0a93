"""`--device`: a device file that says how to talk to a device, and what its values are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from modwire_tools.pasting import command_line

from .ending import WrongArgumentError, argument
from .endpoints import DEVICE, ENDPOINT_HELP
from .types import Completions, ParamType

if TYPE_CHECKING:
    from modwire import Endpoint
    from modwire_tools.client.points import Points
    from modwire_tools.simulator.devices import DeviceSpec


class EndpointText(ParamType[str]):
    """The text of a device's endpoint; `find_device` makes the endpoint."""

    metavar = "ENDPOINT"

    def parse(self, text: str) -> str:
        return text

    def complete(self, incomplete: str) -> Completions:
        return DEVICE.complete(incomplete)


EndpointTextArgument = Annotated[
    str | None,
    EndpointText().argument(
        "ENDPOINT", help=f"{ENDPOINT_HELP} With --device, the endpoint in the file is the default."
    ),
]
DeviceOption = Annotated[
    Path | None,
    typer.Option(
        "--device",
        readable=False,
        metavar="FILE",
        help="A device file: the endpoint and the options in its [connection] are used, unless the "
        "command line has them itself; its quirks replace all those of the file.",
    ),
]


class Device(NamedTuple):
    """The device that the arguments name: its endpoint, the other words, and its points."""

    endpoint: Endpoint
    words: Sequence[str]
    points: Points


def find_device(
    command: str, place: str | None, file: Path | None, words: Sequence[str] | None = None
) -> Device:
    """Return the device of `command`; `place` and `words` are its arguments.

    Without an endpoint among them, it is that of the device file, and `place` is one of the words.
    Raises WrongArgumentError if there is none, or if it cannot have an option of the file, and
    for a mistake in the file.
    """
    from modwire_tools.client.points import Points

    if file is None:
        if place is None:
            raise WrongArgumentError(f"missing argument 'ENDPOINT'; see modwire {command} --help")
        with argument("ENDPOINT"):
            return Device(DEVICE.parse(place), words or (), Points())
    spec = _read(file)
    points = Points(spec.units, str(file))
    if place is not None and words is not None and _is_word(place, spec):
        words, place = [place, *words], None
    endpoint = _endpoint(place or spec.endpoint, spec, file, command, words or ())
    return Device(endpoint, words or (), points)


def _read(file: Path) -> DeviceSpec:
    from modwire_tools.simulator.files import DeviceFileError, read_device

    try:
        return read_device(file, needs_units=False)
    except DeviceFileError as error:
        raise WrongArgumentError(f"--device {error}") from None


def _is_word(place: str, spec: DeviceSpec) -> bool:
    """Return True if the first argument is no endpoint, but an address or the name of a point."""
    from modwire_tools.values.item_texts import parse_item_text

    name = place.partition("=")[0]
    if any(point.name == name for unit in spec.units for point in unit.points):
        return True
    try:
        parse_item_text(name)
    except ValueError:
        return bool(spec.endpoint) and not set(":/.") & set(place)  # a name with a mistake in it
    return True


def _endpoint(
    text: str, spec: DeviceSpec, file: Path, command: str, words: Sequence[str]
) -> Endpoint:
    from modwire_tools.simulator.files import with_connection

    if not text:
        whole = command_line(command, "tcp://192.0.2.7", "--device", file, *words)
        raise WrongArgumentError(
            f'--device {file} has no endpoint: write endpoint = "tcp://192.0.2.7" below '
            f"[connection], or name it: {whole}"
        )
    try:
        return DEVICE.parse(with_connection(text, spec.connection))
    except ValueError as error:
        with argument("ENDPOINT"):
            DEVICE.parse(text)
        raise WrongArgumentError(f"--device {file}: connection: {error}") from None
