"""`modwire --version`."""

from __future__ import annotations

from importlib.metadata import version

import typer


def print_version(wanted: bool) -> None:
    """Print the version and end, if it is `wanted`."""
    if wanted:
        typer.echo(f"modwire {version('modwire-tools')}")
        raise typer.Exit
