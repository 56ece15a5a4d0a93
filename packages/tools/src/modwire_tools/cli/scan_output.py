"""The output of `scan`: results, and a progress bar on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from modwire_tools.pasting import command

from .ending import FailedError
from .output import console, is_terminal, note, print_json_list, print_line
from .rewritten import in_framing, with_options, with_quirks

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import Progress, TaskID

    from modwire_tools.scanning import FoundUnit, TableSurvey, UnitScan

    from .diagnosis import Seen
    from .output import Json

_MANY = 8  # units; if all respond, the device seems to ignore the unit id


class Bar(Protocol):
    """Shows the progress of a scan."""

    def show(self, position: int, where: str, found: int) -> None:
        """Show the `position` in the total, the place in words, and the number of results."""
        ...


class _NoBar:
    def show(self, position: int, where: str, found: int) -> None:
        pass


class _RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, position: int, where: str, found: int) -> None:
        text = f"{where}, {found} found"
        self._progress.update(self._task, completed=position, description=text)


@contextmanager
def progress(total: int) -> Generator[Bar]:
    """Show a progress bar on standard error during the block, if that is a terminal."""
    if not sys.stderr.isatty():
        yield _NoBar()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    ]
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        yield _RichBar(bar, bar.add_task("", total=total))


class Rows:
    """Results with `columns`: lines at once, or a table (on a terminal) or JSON at the end.

    `end` prints the results that were not printed before.
    """

    def __init__(self, *columns: str, as_json: bool) -> None:
        self._columns = columns
        self._as_json = as_json
        self._has_table = not as_json and is_terminal()
        self._rows: list[Sequence[str]] = []
        self._objects: list[Json] = []

    def add(self, row: Sequence[str], as_json: Json) -> None:
        """Add a result, as texts for the columns and as JSON."""
        self._rows.append(row)
        self._objects.append(as_json)
        if not self._as_json and not self._has_table:
            print_line("\t".join(row))

    def end(self) -> None:
        """Print the table or the JSON list."""
        if self._as_json:
            print_json_list(self._objects)
        elif self._has_table and self._rows:
            from rich.table import Table

            table = Table(*self._columns, box=None, pad_edge=False)
            for row in self._rows:
                table.add_row(*row)
            console().print(table)


class UnitOutput(Rows):
    """Prints the units of a scan, those of an earlier run first."""

    def __init__(self, scan: UnitScan, as_json: bool) -> None:
        super().__init__("unit", "endpoint", "identity", as_json=as_json)
        self._scan = scan
        self._trouble = ""
        for unit in scan.found:
            self.found(unit)

    def found(self, unit: FoundUnit) -> None:
        """Add a unit that has responded."""
        identity = ", ".join(f"{name} {text}" for name, text in unit.identity.items())
        if unit.answered_by is not None:
            identity = f"answered by unit {unit.answered_by}"
        elif unit.late:
            identity = "answers late"
        elif unit.exception is not None:
            identity = f"busy, exception {unit.exception:02X}"
        self.add([str(unit.unit), unit.endpoint, identity], unit.as_json())

    def note_trouble(self, seen: Seen) -> None:
        """Keep the advice for the first answer that came and was none, from the bytes `seen`.

        Raises the error of the scan if the peer does not speak Modbus at all.
        """
        from .diagnosis import foreign
        from .hints import brief, described

        error = self._scan.trouble
        if error is None or self._trouble:
            return
        if foreign(seen):
            raise error
        # Advice to try other line settings would be odd while they are tried.
        text = brief(error) if len(self._scan.lines) > 1 else described(error, seen)
        self._trouble = f"something came, but not the right answer: {text}"

    def end(self) -> None:
        """Print the remaining results, and notes about surprising results."""
        super().end()
        found, scan = self._scan.found, self._scan
        line = scan.lines[-1]
        if self._trouble and found:
            note(f"modwire: {self._trouble}")
        if len(found) == len(scan.units) >= _MANY:
            note("modwire: all units answer, so it is one device that ignores the unit id")
        if any(each.answered_by is not None for each in found):
            changed = with_quirks(line, "any_unit")
            note(
                "modwire: a device answers with another unit id than it was asked: use the id that "
                f"it answers with, or {changed}"
            )
        if late := [str(each.unit) for each in found if each.late]:
            answer = "answer" if len(late) > 1 else "answers"
            note(f"modwire: {_units(late)} {answer} late: a longer --timeout is needed")
        if busy := [str(each.unit) for each in found if each.exception is not None]:
            said = "each said" if len(busy) > 1 else "it said"
            said += " exception " + " or ".join(
                sorted({f"{each.exception:02X}" for each in found if each.exception is not None})
            )
            again = with_options(line, busy_retries=3)
            note(f"modwire: {_units(busy)} had no time, {said}: try later, or with {again}")

    def check_found(self) -> None:
        """Raise FailedError, with advice, if no unit was found."""
        if not self._scan.found:
            raise FailedError(self._trouble or self._advice())

    def _advice(self) -> str:
        lines = self._scan.lines
        line = lines[-1]
        if line.transport != "serial":
            other = in_framing(line, "rtu" if line.framing == "tcp" else "tcp")
            return (
                f"no unit answers; try a longer --timeout, another port, or other frames: {other}"
            )
        settings = ""
        if len(lines) == 1:
            words = ("scan", line, "--baudrates", "all", "--parities", "all")
            settings = f"other line settings ({command(*words)}), "
        return f"no unit answers; try {settings}a longer --timeout, or A and B the other way round"


def _units(numbers: Sequence[str]) -> str:
    return f"unit{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


class TableOutput(Rows):
    """Prints the readable ranges of tables."""

    def __init__(self, surveys: Sequence[TableSurvey], as_json: bool) -> None:
        super().__init__("addresses", "count", as_json=as_json)
        self._left = list(surveys)
        self._has_found = False
        self._empty: list[str] = []  # the completed tables where nothing can be read

    def scanned(self, survey: TableSurvey) -> None:
        """Add the ranges of a completed table."""
        self._left.remove(survey)
        blocks = survey.blocks()
        for block in blocks:
            table, first = block.place
            count, last = len(block.values), first + len(block.values) - 1
            self.add(
                [f"{block.place}..{last}", str(count)],
                {"table": table, "first": first, "last": last, "count": count},
            )
        self._has_found = self._has_found or bool(blocks)
        if survey.is_done and not blocks:
            self._empty.append(f"the {survey.table.replace('_', ' ')}")

    def end(self) -> None:
        """Print the remaining results, also those of tables that are not completed."""
        for survey in list(self._left):
            self.scanned(survey)
        super().end()
        if self._has_found and self._empty:
            note(f"modwire: nothing can be read among {' and '.join(self._empty)}")

    def check_found(self) -> None:
        """Raise FailedError if nothing can be read."""
        if not self._has_found:
            raise FailedError(f"nothing can be read among {' and '.join(self._empty)}")
