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
    """Print a line that is not data; it may name what another one wrote into a file."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() or each in "\n\t" else "?" for each in text)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def is_terminal() -> bool:
    """Return True if standard output is a terminal."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> Console:
    """Return a rich console that honours NO_COLOR and does not interpret markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=False)


class StyledLines:
    """Prints lines on standard output, in a style if it is a terminal.

    rich renders each line anew, which takes ten times as long as explaining a message: here it
    renders each style once.
    """

    def __init__(self) -> None:
        from rich.console import COLOR_SYSTEMS
        from rich.style import Style

        target = console()
        system = COLOR_SYSTEMS.get(target.color_system or "")
        if target.legacy_windows:
            system = None
        self._templates: dict[str, tuple[str, str]] = {}
        for name in ("bold", "dim", "red"):
            style = Style.parse(name)
            style = style.without_color if target.no_color else style
            before, _, after = style.render("\0", color_system=system).partition("\0")
            self._templates[name] = before, after

    def styled(self, line: str, style: str = "") -> str:
        """Return a line with its end; `style` is "bold", "dim", "red" or ""."""
        if not line.isprintable():
            line = line.translate(_CONTROLS)
        if not style or not line:
            return f"{line}\n"
        before, after = self._templates[style]
        return f"{before}{line}{after}\n"


# Characters of a message that would ring the bell of a terminal, or move its cursor.
_CONTROLS: dict[int, None] = dict.fromkeys((7, 8, 11, 12, 13))


def _plain(value: Json) -> Json:
    """Return `value` with inf and nan as text, because JSON has no such numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]
