"""`Screen`: a table on a terminal that is drawn again and again, and shows what fits there.

`read --watch` and `sniff` use it. On a narrow terminal the columns that matter least are left out,
on a short one the last rows; the caption says how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .output import console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_GAP = 2  # characters between two columns
_SHORT = 8  # lines; a terminal with fewer gets one line below the table, and no title


class Column(NamedTuple):
    """A column: its name and look.

    `rank` is 0 for a column that is always shown; the column with the highest is left out first.
    Long cells are cut to at least `least` characters, unless that is 0; of `is_tail`, the start.
    """

    name: str
    rank: int = 0
    justify: str = "left"
    style: str = ""
    least: int = 0
    is_tail: bool = False


@dataclass
class Sheet:
    """A table to draw, with a line above and a sentence below it; `alarm` comes before that."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Text]] = ()
    caption: str = ""
    alarm: str = ""


class Screen:
    """Draws sheets on a terminal, each in place of the last one."""

    def __init__(self, on: Console | None = None) -> None:
        from rich.live import Live

        self._console = console() if on is None else on
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")

    def start(self) -> None:
        """Begin, and hide the cursor."""
        self._live.start()

    def draw(self, sheet: Sheet) -> None:
        """Draw what fits of a sheet."""
        self._live.update(fitted(sheet, self._console), refresh=True)

    def stop(self, sheet: Sheet | None = None) -> None:
        """End with all rows of `sheet`, which may scroll away, and show the cursor."""
        if sheet is not None:
            self._live.update(fitted(sheet, self._console, is_whole=True))
        self._live.stop()


def fitted(sheet: Sheet, on: Console, *, is_whole: bool = False) -> RenderableType:
    """Return what to draw; with `is_whole` all rows, however few lines the terminal has."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    width, height = on.size
    height -= 1  # of the cursor
    has_title = is_whole or height >= _SHORT
    room = height - has_title - (height > 2)
    rows = sheet.rows
    below = _below(sheet, "", width, height)
    if not is_whole and len(rows) + len(below) > room:
        fitting = max(1, room - len(below))
        for _ in range(2):  # the words about the rows may take a line more
            words = f"{fitting} of {len(rows)} rows fit"
            below = _below(sheet, words, width, height)
            fitting = max(1, room - len(below))
        rows = rows[:fitting]
    widths = _widths(sheet, rows, width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=height > 2)
    for index, characters in widths.items():
        column = sheet.columns[index]
        table.add_column(
            column.name,
            justify="right" if column.justify == "right" else "left",
            style=column.style,
            width=characters,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(_cut(row[at], sheet.columns[at], most) for at, most in widths.items()))
    above = [Text(sheet.title, no_wrap=True, overflow="ellipsis", style="bold")] * has_title
    return Group(*above, table, *below)


def _below(sheet: Sheet, words: str, width: int, height: int) -> list[Text]:
    """Return the lines below the table."""
    from rich.text import Text

    style = "bold red" if sheet.alarm else ""
    alarm = [(sheet.alarm, style)] if sheet.alarm else []
    rest = ", ".join(filter(None, [words, sheet.caption]))
    text = Text.assemble(*alarm, *([", "] if alarm and rest else []), (rest, "dim"))
    most = 3 if height >= _SHORT else 1
    if len(text) <= width:
        return [text]
    lines = list(text.wrap(console(), width))
    for line in lines:
        line.no_wrap = True
        line.overflow = "ellipsis"
    return lines[:most]


def _widths(sheet: Sheet, rows: Sequence[Sequence[str | Text]], width: int) -> dict[int, int]:
    """Return the widths of the columns, by number, for which `width` characters are enough."""
    from rich.cells import cell_len

    whole: list[int] = []
    for index, column in enumerate(sheet.columns):
        most = max((cell_len(str(row[index])) for row in rows), default=0)
        whole.append(max(cell_len(column.name), most))
    least = [
        min(each, max(column.least, cell_len(column.name))) if column.least else each
        for each, column in zip(whole, sheet.columns, strict=True)
    ]
    shown = list(range(len(whole)))
    while sum(least[index] + _GAP for index in shown) - _GAP > width:
        last = max(shown, key=lambda index: sheet.columns[index].rank)
        if not sheet.columns[last].rank:
            break
        shown.remove(last)
    room = width + _GAP - sum(least[index] + _GAP for index in shown)
    found: dict[int, int] = {}
    for index in shown:
        more = max(0, min(whole[index] - least[index], room))
        found[index] = least[index] + more
        room -= more
    return found


def _cut(cell: str | Text, column: Column, width: int) -> str | Text:
    """Return a cell without its start, if only the end is of interest and it is too long."""
    return cell[-width:] if column.is_tail and len(cell) > width else cell
