"""Where the commands print: data to standard output, and notes and progress to standard error."""

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
    """A line of data, which is there at once: who reads it may wait for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(value: Json) -> None:
    """A JSON text on one line."""
    print_line(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


def print_json_list(values: Sequence[Json]) -> None:
    """A JSON list with an element on each line."""
    lines = [json.dumps(_plain(value), ensure_ascii=False, allow_nan=False) for value in values]
    print_line("[" + ",".join(f"\n  {line}" for line in lines) + ("\n]" if lines else "]"))


def note(text: str) -> None:
    """A line that is no data."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def is_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> Console:
    """A rich console, which honours NO_COLOR and takes no text for markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=False)


def _plain(value: Json) -> Json:
    """`value` as JSON can have it: there is no inf and no nan, which become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]
