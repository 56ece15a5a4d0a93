"""`modwire --version`."""

from __future__ import annotations

import typer


def print_version(wanted: bool) -> None:
    """Print the version and exit, if `wanted`."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"modwire {version('modwire-tools')}")
        raise typer.Exit
