"""The calls of tkinter that type checkers know too little of, each once."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


def add_pane(panes: ttk.PanedWindow, child: tk.Widget, weight: int) -> None:
    """Add `child` to panes; it gets so many parts of the room."""
    panes.add(child, weight=weight)  # pyright: ignore[reportUnknownMemberType]


def seen(tree: ttk.Treeview) -> tuple[float, float]:
    """Where what is on the screen begins and ends, from 0.0, the first row, to 1.0."""
    top, bottom = tree.yview()  # pyright: ignore[reportUnknownMemberType]
    return top, bottom


def add_scrollbar(parent: tk.Misc, tree: ttk.Treeview) -> ttk.Scrollbar:
    """A bar that scrolls `tree`."""
    return ttk.Scrollbar(parent, command=tree.yview)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def set_default(root: tk.Tk, pattern: str, value: str | int) -> None:
    """Set a default of widgets that have no styles, such as menus."""
    root.option_add(pattern, value)  # pyright: ignore[reportUnknownMemberType]


def call_book(book: ttk.Notebook, *arguments: str | int) -> str:
    """A command of a notebook, such as "index", "current"."""
    return str(book.tk.call(str(book), *arguments))


def move_sash(panes: ttk.PanedWindow, position: int) -> None:
    """Give the first pane so many pixels."""
    panes.tk.call(str(panes), "sashpos", 0, position)
