"""Printing: data to standard output, notes and progress to standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from rich.console import Console

    Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_line(text: str) -> None:
    """Print a line of data and flush it, because another program may wait for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(value: Json) -> None:
    """Print a JSON text on one line."""
    print_line(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


def print_json_list(values: Sequence[Json]) -> None:
    """Print a JSON list with one element on each line."""
    lines = [json.dumps(_plain(value), ensure_ascii=False, allow_nan=False) for value in values]
    print_line("[" + ",".join(f"\n  {line}" for line in lines) + ("\n]" if lines else "]"))


def note(text: str) -> None:
    """Print a line that is not data."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def is_terminal() -> bool:
    """Return True if standard output is a terminal."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> Console:
    """Return a rich console that honours NO_COLOR and does not interpret markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=False)


def _plain(value: Json) -> Json:
    """Return `value` with inf and nan as text, because JSON has no such numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]
