"""What `scan` prints: what was found, and on standard error how far it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .output import console, is_terminal, note, print_json_list, print_line

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import Progress, TaskID

    from modwire_tools.scanning import FoundUnit, TableScan, UnitScan

    from .output import Json

_MANY = 8  # units that all answer: the device does not look at the unit id


class Bar(Protocol):
    """Shows how far a scan is."""

    def show(self, position: int, where: str, found: int) -> None:
        """At `position` of the total, at `where`, with so much found."""
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
    """A progress bar on standard error while the block runs, if that is a terminal."""
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


class UnitOutput:
    """Units: lines as they are found, a table at the end on a terminal, or JSON at the end."""

    def __init__(self, scan: UnitScan, as_json: bool) -> None:
        self._scan = scan
        self._as_json = as_json
        self._has_table = not as_json and is_terminal()
        for unit in scan.found:  # by an earlier scan
            self.found(unit)

    def found(self, unit: FoundUnit) -> None:
        """A unit has answered."""
        if not self._as_json and not self._has_table:
            print_line("\t".join([str(unit.unit), unit.endpoint, _identity(unit)]))

    def end(self) -> None:
        """All that is found, if it was not printed yet; and a note if there is nothing."""
        found = self._scan.found
        if self._as_json:
            print_json_list([_as_json(unit) for unit in found])
        elif self._has_table and found:
            from rich.table import Table

            table = Table("unit", "endpoint", "identity", box=None, pad_edge=False)
            for unit in found:
                table.add_row(str(unit.unit), unit.endpoint, _identity(unit))
            console().print(table)
        if not found and self._scan.line is None:
            note(
                "modwire: no unit answers; try --baudrates all --parities all on a serial port, "
                "or a longer --timeout"
            )
        if len(found) == len(self._scan.units) >= _MANY:
            note("modwire: all units answer, so it is one device that does not look at the unit")


class TableOutput:
    """The ranges of tables, in the same ways."""

    def __init__(self, scans: Sequence[TableScan], as_json: bool) -> None:
        self._scans = scans
        self._as_json = as_json
        self._has_table = not as_json and is_terminal()
        self._printed: list[TableScan] = []

    def scanned(self, scan: TableScan) -> None:
        """A table is done."""
        self._printed.append(scan)
        if not self._as_json and not self._has_table:
            for first, count in scan.ranges:
                print_line(f"{_short(scan.table)}:{first}..{first + count - 1}\t{count}")

    def end(self) -> None:
        """All that is found, if it was not printed yet; and a note where there is nothing."""
        if self._as_json:
            print_json_list(
                [
                    {
                        "table": scan.table,
                        "first": first,
                        "last": first + count - 1,
                        "count": count,
                    }
                    for scan in self._scans
                    for first, count in scan.ranges
                ]
            )
        elif self._has_table:
            from rich.table import Table

            table = Table("addresses", "count", box=None, pad_edge=False)
            for scan in self._scans:
                for first, count in scan.ranges:
                    table.add_row(f"{_short(scan.table)}:{first}..{first + count - 1}", str(count))
            console().print(table)
        else:
            for scan in self._scans:
                if scan not in self._printed:
                    self.scanned(scan)
        for scan in self._scans:
            if scan.is_done and not scan.ranges:
                note(f"modwire: nothing can be read among the {scan.table.replace('_', ' ')}")


def _short(table: str) -> str:
    from modwire_tools.addresses import Place

    return str(Place(table, 0)).partition(":")[0]


def _identity(unit: FoundUnit) -> str:
    return ", ".join(f"{name} {text}" for name, text in unit.identity.items())


def _as_json(unit: FoundUnit) -> Json:
    return {"unit": unit.unit, "endpoint": unit.endpoint, "identity": dict(unit.identity)}
