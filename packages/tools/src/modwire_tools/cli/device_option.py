"""`--device`: a device file whose `[connection]` says how to talk to the device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .ending import WrongArgumentError, argument
from .endpoints import DEVICE, ENDPOINT_HELP
from .types import Completions, ParamType

if TYPE_CHECKING:
    from modwire import Endpoint


class EndpointText(ParamType[str]):
    """The text of a device's endpoint; `device_endpoint` makes the endpoint."""

    metavar = "ENDPOINT"

    def parse(self, text: str) -> str:
        return text

    def complete(self, incomplete: str) -> Completions:
        return DEVICE.complete(incomplete)


EndpointTextArgument = Annotated[str, EndpointText().argument("ENDPOINT", help=ENDPOINT_HELP)]
DeviceOption = Annotated[
    Path | None,
    typer.Option(
        "--device",
        readable=False,
        metavar="FILE",
        help="A device file: the options in its [connection] are used, unless the endpoint has "
        "them itself; its quirks replace all those of the file.",
    ),
]


def device_endpoint(text: str, device: Path | None) -> Endpoint:
    """Return the endpoint in `text`, with the options in the file `device` that it does not have.

    Raises WrongArgumentError if it cannot have one of them, and for a mistake in the file.
    """
    if device is None:
        with argument("ENDPOINT"):
            return DEVICE.parse(text)
    from modwire_tools.simulator.files import DeviceFileError, read_device, with_connection

    try:
        connection = read_device(device, needs_units=False).connection
    except DeviceFileError as error:
        raise WrongArgumentError(f"--device {error}") from None
    try:
        return DEVICE.parse(with_connection(text, connection))
    except ValueError as error:
        with argument("ENDPOINT"):
            DEVICE.parse(text)
        raise WrongArgumentError(f"--device {device}: connection: {error}") from None
