"""The output of `read`: lines, a table, JSON or CSV, once or for each reading."""

from __future__ import annotations

import csv
import io
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from modwire_tools.client.reading import Outcome
from modwire_tools.values.cells import plain_cell
from modwire_tools.values.types import shortest

from .hints import brief
from .output import console, is_terminal, note, print_json, print_json_list, print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire_tools.values.items import Item
    from modwire_tools.values.types import Value

    from .output import Json


def printer_for(as_json: bool, as_csv: bool, show_registers: bool) -> Printer:
    """Return the printer for the options."""
    if as_json:
        return JsonPrinter(show_registers)
    if as_csv:
        return CsvPrinter(show_registers)
    return TextPrinter(show_registers)


def hexadecimal(outcome: Outcome) -> str:
    """Return the registers of a value in hexadecimal, or its bits as 0 and 1."""
    if outcome.item.place.has_bits:
        return " ".join(map(str, map(int, outcome.raw)))
    return " ".join(f"{register:04X}" for register in outcome.raw)


def plain(value: Value) -> Json:
    """Return a value for JSON: a float without meaningless digits, a tuple as a list."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return shortest(value) if isinstance(value, float) else value


def timestamp() -> str:
    """Return the current time in ISO 8601."""
    return datetime.fromtimestamp(time.time(), timezone.utc).isoformat(timespec="milliseconds")


def described_item(item: Item) -> dict[str, Json]:
    """Return what JSON says about an item beside its value."""
    found: dict[str, Json] = {"address": str(item.place), "type": item.type}
    if item.is_named:
        found = {"name": item.name, **found}
    return {**found, "unit": item.measure} if item.measure else found


def failures(outcomes: Sequence[Outcome]) -> dict[str, Exception]:
    """Return the errors by address; addresses in a row with the same error are one range."""
    found: dict[str, Exception] = {}
    last: list[Item] = []  # with the same error, each behind the one before
    for outcome in outcomes:
        error, item = outcome.error, outcome.item
        if error is None:
            last = []
            continue
        if last and not item.is_named and _is_next(last[-1], item):
            name = _range(last)
            if brief(found[name]) == brief(error):
                found[_range([*last, item])] = found.pop(name)
                last.append(item)
                continue
        last = [item]
        found[item.name] = error
    return found


def _is_next(item: Item, following: Item) -> bool:
    place, stop = following.place, item.span.stop
    return (place.table, place.address) == (item.place.table, stop) and not item.is_named


def _range(items: Sequence[Item]) -> str:
    """Return the name of an item, or the range of several."""
    if len(items) == 1:
        return items[0].name
    return f"{items[0].place}..{items[-1].span.stop - 1}"


class Printer:
    """Prints outcomes. If `live` is True, a live table may replace it on a terminal."""

    live = False

    def __init__(self, show_registers: bool) -> None:
        self.show_registers = show_registers

    def once(self, outcomes: Sequence[Outcome]) -> None:
        """Print the only reading."""
        raise NotImplementedError

    def again(self, outcomes: Sequence[Outcome]) -> None:
        """Print one of several readings."""
        raise NotImplementedError

    def failed(self, items: Sequence[Item], error: Exception) -> None:
        """Print a reading to which the device did not answer."""
        note(f"modwire: {brief(error)}")


class TextPrinter(Printer):
    """Prints a table on a terminal, and lines of tab-separated fields for other programs."""

    live = True

    def __init__(self, show_registers: bool) -> None:
        super().__init__(show_registers)
        self._said: dict[str, str] = {}  # the last error of each address

    def once(self, outcomes: Sequence[Outcome]) -> None:
        if not is_terminal():
            self._lines(outcomes, "")
            return
        from rich.table import Table

        has_measure = any(each.item.measure for each in outcomes)
        table = Table(box=None, pad_edge=False, show_header=False)
        for outcome in outcomes:
            cells = [outcome.item.name, _text(outcome)]
            cells += [hexadecimal(outcome)] if self.show_registers else []
            table.add_row(*cells, *([outcome.item.measure] if has_measure else []))
        console().print(table)

    def again(self, outcomes: Sequence[Outcome]) -> None:
        self._lines(outcomes, f"{timestamp()}\t")
        said = {name: brief(error) for name, error in failures(outcomes).items()}
        for name, text in said.items():
            if self._said.get(name) != text:
                note(f"modwire: {name}: {text}")
        self._said = said

    def _lines(self, outcomes: Sequence[Outcome], before: str) -> None:
        lines: list[str] = []
        for outcome in outcomes:
            if outcome.error is None:
                fields = [outcome.item.name, outcome.item.shown(outcome.value)]
                fields += [hexadecimal(outcome)] if self.show_registers else []
                lines.append(before + "\t".join(fields))
        if lines:
            print_line("\n".join(lines))


class JsonPrinter(Printer):
    """Prints a JSON list, or one JSON object per line for several readings."""

    def once(self, outcomes: Sequence[Outcome]) -> None:
        print_json_list([self._object(outcome) for outcome in outcomes])

    def again(self, outcomes: Sequence[Outcome]) -> None:
        values = [self._object(outcome) for outcome in outcomes]
        print_json({"time": timestamp(), "values": values})

    def failed(self, items: Sequence[Item], error: Exception) -> None:
        super().failed(items, error)
        print_json({"time": timestamp(), "error": brief(error)})

    def _object(self, outcome: Outcome) -> dict[str, Json]:
        found = described_item(outcome.item)
        if outcome.error is None:
            found["value"] = plain(outcome.value)
        else:
            found["error"] = brief(outcome.error)
        if self.show_registers and outcome.raw:
            found["registers"] = hexadecimal(outcome)
        return found


class CsvPrinter(Printer):
    """Prints a row for each value, after a row with the names of the columns."""

    def __init__(self, show_registers: bool) -> None:
        super().__init__(show_registers)
        self._has_head = False

    def once(self, outcomes: Sequence[Outcome]) -> None:
        self.again(outcomes)

    def failed(self, items: Sequence[Item], error: Exception) -> None:
        super().failed(items, error)
        self.again([Outcome(item, error=error) for item in items])

    def again(self, outcomes: Sequence[Outcome]) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        extra = ["registers"] if self.show_registers else []
        # Only points of a device file have names and units of measurement.
        named, measured = (
            ["name"] if any(each.item.is_named for each in outcomes) else [],
            ["unit"] if any(each.item.measure for each in outcomes) else [],
        )
        if not self._has_head:
            head = ["time", *named, "address", "type", "value", *measured, *extra, "error"]
            rows.writerow(head)
            self._has_head = True
        now = timestamp()
        for outcome in outcomes:
            item = outcome.item
            value = "" if outcome.error is not None else item.shown(outcome.value)
            value = plain_cell(value) if item.is_text else value
            error = "" if outcome.error is None else brief(outcome.error)
            raw = [hexadecimal(outcome)] if self.show_registers else []
            rows.writerow(
                [
                    now,
                    *([plain_cell(item.name)] if named else []),
                    item.place,
                    item.type,
                    value,
                    *([plain_cell(item.measure)] if measured else []),
                    *raw,
                    error,
                ]
            )
        sys.stdout.write(text.getvalue())
        sys.stdout.flush()


def _text(outcome: Outcome) -> str:
    return outcome.item.shown(outcome.value) if outcome.error is None else brief(outcome.error)
