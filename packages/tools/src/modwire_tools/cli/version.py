"""`modwire --version`."""

from __future__ import annotations

import typer

from modwire_tools import __version__


def print_version(wanted: bool) -> None:
    """Print the version and exit, if `wanted`."""
    if wanted:
        typer.echo(f"modwire {__version__}")
        raise typer.Exit
