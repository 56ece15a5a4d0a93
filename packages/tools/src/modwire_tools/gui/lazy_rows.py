"""`LazyRows`: a list of thousands of rows, which looks up only the visible ones."""

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
_MOST_LOOKED_UP = 200  # a hidden list reports that all its rows are visible


@dataclass(frozen=True)
class Row:
    """The texts of a row, one for each column, and the tag for its colour."""

    texts: Sequence[str]
    tag: str = ""


class LazyRows(ttk.Frame):
    """A list whose rows are named by their index.

    `look_up(start, count)` returns the visible rows. `activated(index, column)` is called on a
    double click, and on Enter with column -1; `chosen` after another row was selected.
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
        """Adapt to another font size."""
        self._columns.measure()

    @property
    def count(self) -> int:
        """The number of rows."""
        return self._count

    @property
    def selected(self) -> int | None:
        """The index of the selected row, or None."""
        found = self.tree.selection()
        return int(found[0]) if found else None

    def select(self, index: int) -> str:
        """Select a row, if it exists, and scroll to it."""
        if 0 <= index < self._inserted:
            self.tree.selection_set(str(index))
            self.tree.focus(str(index))
            self.tree.see(str(index))
        return "break"

    def _focus(self) -> None:
        """Select a row when the list gets the focus by Tab."""
        if self._inserted and not self.tree.selection():
            self.select(0)

    def set_count(self, count: int) -> None:
        """Set the number of rows. The selection stays if its row still exists."""
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
        """Look up the visible rows."""
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
        """Return the texts of a row; () if it was never visible."""
        return self._shown[index].texts if index in self._shown else ()
