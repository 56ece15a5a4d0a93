"""`RegistersPane`: the four tables of the chosen unit, one row for each address."""

from __future__ import annotations

import tkinter as tk
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from tkinter import ttk

from modwire.units.tables import BIT_TABLES

from ..simulator.view import TableInfo
from ..values.numbers import parse_whole
from .choice import Choice, ChosenUnit
from .columns import Column
from .editing import CellEditor
from .lazy_rows import LazyRows, Row
from .theme import Theme
from .values import parse_register, text_of

_COLUMNS = (
    Column("Address", 7, right=True),
    Column("Hex", 7, right=True),
    Column("Value", 8, right=True),
    Column("Signed", 8, right=True),
    Column("Hex", 7, right=True),
    Column("Binary", 18, right=True),
    Column("Text", 6, stretch=True),
)
VALUE_COLUMN = 2
_MOST_VALUES = 1000


class RegistersPane(ttk.Frame):
    """A page of the notebook."""

    def __init__(self, parent: tk.Misc, colours: Theme, choice: Choice) -> None:
        super().__init__(parent, style="Page.TFrame")
        self._choice = choice
        self._unit: ChosenUnit | None = None
        self._tables: list[TableInfo] = []
        self._table: TableInfo | None = None
        self._ends: list[int] = []  # number of rows up to the end of each range
        gap = colours.px(4)
        bar = ttk.Frame(self, style="Page.TFrame", padding=gap)
        ttk.Label(bar, text="Table:", style="Page.TLabel").pack(side="left")
        self.tables = ttk.Combobox(bar, state="readonly", width=24)
        self.tables.pack(side="left", padx=gap)
        self.tables.bind("<<ComboboxSelected>>", lambda event: self._choose_table())
        ttk.Label(bar, text="Go to address:", style="Page.TLabel").pack(side="left", padx=(gap, 0))
        self.address = ttk.Entry(bar, width=9)
        self.address.pack(side="left", padx=gap)
        self.address.bind("<Return>", lambda event: self._go())
        self._hint = ttk.Label(bar, style="Page.TLabel", foreground="#566573")
        self._hint.pack(side="left", padx=gap)
        bar.pack(fill="x")
        self.rows = LazyRows(
            self,
            colours,
            _COLUMNS,
            self._look_up,
            activated=lambda index, column: self.edit(index),
        )
        self.rows.pack(fill="both", expand=True)
        self.editor = CellEditor(self.rows)

    def measure(self) -> None:
        """Adapt to another font size."""
        self.rows.measure()

    def focus_inside(self) -> None:
        """Set the focus to the main widget of the page."""
        self.rows.tree.focus_set()

    def refresh(self) -> None:
        """Show the current values."""
        unit = self._choice.chosen_unit
        if unit != self._unit:
            self._unit = unit
            self._tables = [] if unit is None else unit.view.tables(unit.device, unit.unit)
            self._tables.sort(key=lambda each: _ORDER.index(each.table))
            self.tables.configure(values=[_named(each) for each in self._tables])
            self.tables.set("")
            if self._tables:
                kept = [each.table for each in self._tables]
                before = self._table.table if self._table is not None else ""
                self.tables.current(kept.index(before) if before in kept else 0)
            self._choose_table()
        else:
            self.rows.refresh()

    def _choose_table(self) -> None:
        index = self.tables.current()
        self._table = self._tables[index] if 0 <= index < len(self._tables) else None
        ranges = [] if self._table is None else self._table.ranges
        self._ends = list(accumulate(count for _, count in ranges))
        self.editor.close()
        self.rows.set_count(0)
        self.rows.set_count(self._ends[-1] if self._ends else 0)
        self.rows.refresh()
        self._show_hint()

    def _show_hint(self) -> None:
        shown = ", ".join(
            str(first) if count == 1 else f"{first}..{first + count - 1}"
            for first, count in ([] if self._table is None else self._table.ranges[:4])
        )
        if self._table is not None and len(self._table.ranges) > 4:
            shown += f" and {len(self._table.ranges) - 4} more"
        self._hint.configure(text=shown and f"Addresses: {shown}")

    def _place_of(self, index: int) -> tuple[int, int]:
        """Return the address of a row, and the number of addresses to the end of its range."""
        assert self._table is not None
        at = bisect_right(self._ends, index)
        first, count = self._table.ranges[at]
        rest = self._ends[at] - index
        return first + count - rest, rest

    def _look_up(self, start: int, count: int) -> Sequence[Row]:
        unit, table = self._unit, self._table
        if unit is None or table is None:
            return []
        rows: list[Row] = []
        has_bits = table.table in BIT_TABLES
        while len(rows) < count:
            address, rest = self._place_of(start + len(rows))
            size = min(rest, count - len(rows), _MOST_VALUES)
            values = unit.view.values(unit.device, unit.unit, table.table, address, size)
            rows += [_row(at, value, has_bits) for at, value in enumerate(values, address)]
        return rows

    def _go(self) -> None:
        table = self._table
        if table is None:
            return

        def go() -> None:
            address = parse_whole(self.address.get().strip(), 0, 65535, name="the address")
            before = 0
            for first, count in table.ranges:
                if first <= address < first + count:
                    self.rows.select(before + address - first)
                    self.rows.tree.focus_set()
                    return
                before += count
            raise ValueError(f"there is no address {address} among the {_named(table).lower()}")

        self._choice.attempt(go)

    def edit(self, index: int) -> None:
        """Switch a bit, or edit a register in a field."""
        unit, table = self._unit, self._table
        if unit is None or table is None or index >= self.rows.count:
            return
        address, _ = self._place_of(index)
        name = table.table

        def write(value: int) -> bool:
            done = self._choice.attempt(
                lambda: unit.view.write(unit.device, unit.unit, name, address, [value])
            )
            self.refresh()
            return done

        (now,) = unit.view.values(unit.device, unit.unit, name, address, 1)
        if name in BIT_TABLES:
            self.rows.select(index)
            write(0 if now else 1)
            return

        def commit(text: str) -> bool:
            try:
                value = parse_register(text)
            except ValueError as error:
                self._choice.tell(str(error))
                return False
            return write(value)

        self.editor.open(index, VALUE_COLUMN, str(now), commit)


_ORDER = ("holding_registers", "input_registers", "coils", "discrete_inputs")


def _named(table: TableInfo) -> str:
    return table.table.replace("_", " ").capitalize()


def _row(address: int, value: int | None, has_bits: bool) -> Row:
    at = (str(address), f"0x{address:04X}")
    if value is None:
        return Row((*at, "", "", "", "", ""), "muted")
    if has_bits:
        return Row((*at, "on" if value else "off", "", "", str(value), ""))
    signed = value - 0x10000 if value >= 0x8000 else value
    bits = f"{value:016b}"
    nibbles = " ".join(bits[at : at + 4] for at in range(0, 16, 4))
    return Row((*at, str(value), str(signed), f"0x{value:04X}", nibbles, text_of([value])))
