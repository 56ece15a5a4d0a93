"""The `modwire` command itself: its subcommands, and how it ends.

A subcommand is a function in a module of its own in this folder, registered here. These modules
import what they work with inside the function, so that `modwire --help` starts at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from .ending import run
from .generate import generate
from .parse import parse
from .version import print_version

app = typer.Typer(
    name="modwire",
    help="Read, write, scan, copy, simulate and explain Modbus devices.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Read, write, scan, copy, simulate and explain Modbus devices."""


app.command()(parse)
app.command()(generate)


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    run(app)
