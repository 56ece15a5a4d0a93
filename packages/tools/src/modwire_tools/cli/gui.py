"""`modwire gui`: the simulator as a desktop window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .ending import FailedError
from .types import ConsecutiveOption, Whole


def gui(
    file: Annotated[
        Path | None,
        typer.Argument(
            readable=False,
            metavar="[FILE]",
            help="A device file, TOML or JSON; a small energy meter by default.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="Where the first device is served.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        Whole(0, 65535).option(
            "--port", metavar="PORT", help="The port of the first device; 0 lets the system choose."
        ),
    ] = 5020,
    devices: Annotated[
        int, Whole(1, 65535).option("--devices", "-n", help="Number of devices.")
    ] = 1,
    consecutive: ConsecutiveOption = "ports",
    toolkit: Annotated[
        Literal["tk", "gtk", "wx"] | None,
        typer.Option(
            "--toolkit",
            metavar="NAME",
            case_sensitive=False,
            help="Toolkit of the window: tk, gtk or wx. By default the first one that is there.",
        ),
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Start the simulation at once.")] = False,
) -> None:
    """Open a window that simulates devices.

    The window starts and stops devices, and shows and changes their values. The options fill in the
    form of the window, where the user can still change them.
    """
    from modwire_tools.gui.setup import Setup
    from modwire_tools.gui.toolkits import NoDisplayError, find_toolkit, show

    setup = Setup(str(file) if file is not None else "", host, str(port), str(devices), consecutive)
    try:
        interrupted = show(find_toolkit(toolkit), setup, start=start)
    except (ImportError, NoDisplayError) as error:
        raise FailedError(str(error)) from None
    if interrupted:
        raise KeyboardInterrupt
