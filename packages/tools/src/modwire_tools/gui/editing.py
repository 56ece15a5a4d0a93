"""`CellEditor`: a field over a cell of a list, for a new value."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .lazy_rows import LazyRows


class CellEditor:
    """Edits the cells of a list. Enter confirms; Escape or a click elsewhere cancels."""

    def __init__(self, rows: LazyRows) -> None:
        self._rows = rows
        self._entry: ttk.Entry | None = None
        self._cell = ("", "")
        rows.tree.bind("<Configure>", lambda event: self._place(), add="+")
        # After scrolling, another value would be under the field.
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            rows.tree.bind(event, lambda event: self.close(), add="+")

    @property
    def entry(self) -> ttk.Entry | None:
        """The field, or None while nothing is edited."""
        return self._entry

    def open(self, index: int, column: int, text: str, commit: Callable[[str], bool]) -> None:
        """Edit a cell, beginning with `text`; the field stays until `commit` returns True."""
        self.close()
        tree = self._rows.tree
        self._rows.select(index)
        tree.update_idletasks()
        self._cell = (str(index), str(column))
        entry = self._entry = ttk.Entry(tree, font="TkTextFont")
        entry.insert(0, text)
        entry.select_range(0, "end")
        self._place()
        entry.focus_set()

        def enter(event: tk.Event[tk.Misc]) -> str:
            if entry is self._entry and commit(entry.get()):
                self.close()
                tree.focus_set()
            return "break"

        def leave(event: tk.Event[tk.Misc]) -> str:
            self.close()
            tree.focus_set()
            return "break"

        entry.bind("<Return>", enter)
        entry.bind("<KP_Enter>", enter)
        entry.bind("<Escape>", leave)
        entry.bind("<FocusOut>", lambda event: self.close())

    def _place(self) -> None:
        """Put the field over its cell, which moves when a message appears in the window."""
        if self._entry is not None:
            box = self._rows.tree.bbox(*self._cell)
            if box:
                x, y, width, height = box
                self._entry.place(x=x, y=y - 1, width=max(width, 80), height=height + 2)
            else:
                self._entry.place_forget()

    def close(self) -> None:
        """Remove the field."""
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.destroy()
