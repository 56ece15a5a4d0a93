"""`modwire gui`: the simulator as a desktop window."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from .arguments import parse_choice, parse_whole
from .completion import CONSECUTIVE, among
from .ending import FailedError


def gui(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="A device file, TOML or JSON; a small energy meter where none is named.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="Where the first device is served.")
    ] = "127.0.0.1",
    port: Annotated[
        str,
        typer.Option(
            "--port", metavar="PORT", help="The port of the first device; 0 lets the system choose."
        ),
    ] = "5020",
    devices: Annotated[
        str, typer.Option("--devices", "-n", metavar="N", help="How many devices.")
    ] = "1",
    consecutive: Annotated[
        str,
        typer.Option(
            "--consecutive",
            metavar="WHAT",
            help="Where the next device is: on consecutive ports, or on consecutive addresses, "
            "such as 127.0.1.1, 127.0.1.2.",
            autocompletion=among(CONSECUTIVE),
        ),
    ] = "ports",
    start: Annotated[bool, typer.Option("--start", help="Start the simulation at once.")] = False,
) -> None:
    """Open a window that simulates devices.

    There they are started and stopped, and their values watched and changed. The options fill in
    the window's form, where all can still be changed.
    """
    parse_whole("--port", port, 0, 65535)
    parse_whole("--devices", devices, 1, 65535)
    which = parse_choice("--consecutive", consecutive, CONSECUTIVE)
    try:
        import_module("tkinter")
    except ImportError:
        raise FailedError(
            "the window needs Tk, which this Python lacks; to install it: apt install python3-tk, "
            "dnf install python3-tkinter, or brew install python-tk"
        ) from None
    from modwire_tools.gui.setup import Setup
    from modwire_tools.gui.window import NoDisplayError, show

    setup = Setup(str(file) if file is not None else "", host, port, devices, which)
    try:
        interrupted = show(setup, start=start)
    except NoDisplayError as error:
        raise FailedError(str(error)) from None
    if interrupted:
        raise KeyboardInterrupt
