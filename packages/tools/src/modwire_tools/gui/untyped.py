"""The calls of tkinter whose type hints are incomplete, each in one function."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


def add_pane(panes: ttk.PanedWindow, child: tk.Widget, weight: int) -> None:
    """Add `child` to `panes`; it gets `weight` parts of the additional space."""
    panes.add(child, weight=weight)  # pyright: ignore[reportUnknownMemberType]


def seen(tree: ttk.Treeview) -> tuple[float, float]:
    """Return the begin and the end of the visible rows, from 0.0 (first row) to 1.0."""
    top, bottom = tree.yview()  # pyright: ignore[reportUnknownMemberType]
    return top, bottom


def add_scrollbar(parent: tk.Misc, tree: ttk.Treeview) -> ttk.Scrollbar:
    """Return a scrollbar for `tree`."""
    return ttk.Scrollbar(parent, command=tree.yview)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def set_default(root: tk.Tk, pattern: str, value: str | int) -> None:
    """Set a default for widgets without styles, such as menus."""
    root.option_add(pattern, value)  # pyright: ignore[reportUnknownMemberType]


def call_book(book: ttk.Notebook, *arguments: str | int) -> str:
    """Call a command of a notebook, such as "index", "current"."""
    return str(book.tk.call(str(book), *arguments))


def move_sash(panes: ttk.PanedWindow, position: int) -> None:
    """Set the width of the first pane in pixels."""
    panes.tk.call(str(panes), "sashpos", 0, position)
