"""`Columns`: the columns of a list, fitted to the font and the width of the window."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass
from tkinter import ttk

from . import theme
from .theme import Theme

_LEAST = 0.5  # minimum width of a stretching column, as a part of its own width


@dataclass(frozen=True)
class Column:
    """A column, `width` digits wide; columns with `stretch` share the remaining width."""

    name: str
    width: float
    stretch: bool = False
    right: bool = False


class Columns:
    """Fits the columns of `tree`, which are named "0", "1" and so on."""

    def __init__(self, tree: ttk.Treeview, colours: Theme, columns: Sequence[Column]) -> None:
        self._tree = tree
        self._colours = colours
        self._columns = columns
        self._fitted = 0
        for number, column in enumerate(columns):
            anchor: theme.Anchor = "e" if column.right else "w"
            tree.heading(str(number), text=column.name, anchor=anchor)
            tree.column(str(number), stretch=False, anchor=anchor)
        tree.tag_configure("bad", foreground=theme.BAD)
        tree.tag_configure("warn", foreground=theme.WARN)
        tree.tag_configure("muted", foreground=theme.MUTED)
        self.measure()
        tree.bind("<Configure>", self._resized, add="+")

    def measure(self) -> None:
        """Adapt to another font size."""
        self._fit(self._fitted or sum(map(self._pixels, self._columns)))

    def _pixels(self, column: Column) -> int:
        return self._colours.characters(column.width + 1) + self._colours.px(4)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        if event.width != self._fitted:
            self._fitted = event.width
            self._fit(event.width)

    def _fit(self, room: int) -> None:
        room -= 2  # the border
        wanted = [self._pixels(column) for column in self._columns]
        stretching = [number for number, column in enumerate(self._columns) if column.stretch]
        left = room - sum(wanted)
        share = sum(wanted[number] for number in stretching)
        for number in stretching:
            least = round(wanted[number] * _LEAST)
            wanted[number] = max(least, wanted[number] + left * wanted[number] // share)
        for number, width in enumerate(wanted):
            self._tree.column(str(number), width=width, minwidth=self._colours.characters(3))
