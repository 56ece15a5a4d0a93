"""`LazyRows`: a list of thousands of rows, of which only those on the screen are looked up."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk

from .columns import Column, Columns
from .theme import Theme
from .untyped import add_scrollbar, seen

_INSERTED_AT_ONCE = 1000
_MOST_LOOKED_UP = 200  # a list that is not on the screen says that it shows everything


@dataclass(frozen=True)
class Row:
    """The texts of a row, one for each column, and the tag that it is coloured by."""

    texts: Sequence[str]
    tag: str = ""


class LazyRows(ttk.Frame):
    """Rows 0 to a count, each with its index as its name.

    `look_up(start, count)` gives the rows that are shown. `activated(index, column)` is called
    for a double click, and for Enter, with column -1; `chosen` when another row is selected.
    """

    def __init__(
        self,
        parent: tk.Misc,
        colours: Theme,
        columns: Sequence[Column],
        look_up: Callable[[int, int], Sequence[Row]],
        *,
        height: int = 4,
        activated: Callable[[int, int], object] | None = None,
        chosen: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self._look_up = look_up
        self._count = 0
        self._inserted = 0
        self._shown: dict[int, Row] = {}
        self._filling = ""
        self._scrolled = ""
        self._chosen = chosen
        names = [str(number) for number in range(len(columns))]
        self.tree = ttk.Treeview(
            self, columns=names, show="headings", selectmode="browse", height=height
        )
        self._bar = add_scrollbar(self, self.tree)
        self.tree.configure(yscrollcommand=self._moved)
        self.tree.grid(row=0, column=0, sticky="nsew")
        self._bar.grid(row=0, column=1, sticky="ns")
        self.rowconfigure(0, weight=1)
        self.columnconfigure(0, weight=1)
        self._columns = Columns(self.tree, colours, columns)
        self.tree.bind("<<TreeviewSelect>>", lambda event: chosen() if chosen else None)
        self.tree.bind("<Home>", lambda event: self.select(0))
        self.tree.bind("<End>", lambda event: self.select(self._inserted - 1))
        self.tree.bind("<FocusIn>", lambda event: self._focus())
        if activated is not None:
            act = activated

            def clicked(event: tk.Event[ttk.Treeview]) -> str:
                row = self.tree.identify_row(event.y)
                column = self.tree.identify_column(event.x)
                if row and column:
                    act(int(row), int(column[1:]) - 1)
                return "break"

            def entered(event: tk.Event[ttk.Treeview]) -> str:
                if self.selected is not None:
                    act(self.selected, -1)
                return "break"

            self.tree.bind("<Double-Button-1>", clicked)
            self.tree.bind("<Return>", entered)
            self.tree.bind("<KP_Enter>", entered)

    def measure(self) -> None:
        """The type has another size."""
        self._columns.measure()

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._count

    @property
    def selected(self) -> int | None:
        """The index of the selected row."""
        found = self.tree.selection()
        return int(found[0]) if found else None

    def select(self, index: int) -> str:
        """Select a row, if it is there, and bring it into sight."""
        if 0 <= index < self._inserted:
            self.tree.selection_set(str(index))
            self.tree.focus(str(index))
            self.tree.see(str(index))
        return "break"

    def _focus(self) -> None:
        """A list that is reached by Tab has a row to begin with."""
        if self._inserted and not self.tree.selection():
            self.select(0)

    def set_count(self, count: int) -> None:
        """Have so many rows. What is selected stays, if it is still there."""
        if count == self._count:
            return
        self._count = count
        if self._filling:
            self.after_cancel(self._filling)
            self._filling = ""
        if count < self._inserted:
            self.tree.delete(*map(str, range(count, self._inserted)))
            self._inserted = count
            for index in [index for index in self._shown if index >= count]:
                del self._shown[index]
        else:
            self._fill()

    def _fill(self) -> None:
        self._filling = ""
        stop = min(self._count, self._inserted + _INSERTED_AT_ONCE)
        for index in range(self._inserted, stop):
            self.tree.insert("", "end", str(index))
        self._inserted = stop
        if stop < self._count:
            self._filling = self.after(5, self._fill)

    def _moved(self, first: float, last: float) -> None:
        self._bar.set(first, last)
        if not self._scrolled:
            self._scrolled = self.after_idle(self._refresh_moved)

    def _refresh_moved(self) -> None:
        self._scrolled = ""
        self.refresh()

    def refresh(self) -> None:
        """Look up what is on the screen."""
        if not self._inserted:
            return
        top, bottom = seen(self.tree)
        start = min(int(top * self._inserted), self._inserted - 1)
        stop = min(self._inserted, math.ceil(bottom * self._inserted) + 1, start + _MOST_LOOKED_UP)
        for index, row in enumerate(self._look_up(start, stop - start), start):
            if self._shown.get(index) != row:
                self._shown[index] = row
                self.tree.item(str(index), values=list(row.texts), tags=[row.tag])

    def texts(self, index: int) -> Sequence[str]:
        """What a row shows; empty before it was on the screen."""
        return self._shown[index].texts if index in self._shown else ()
