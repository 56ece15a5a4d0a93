"""Texts and places of the widgets of Tk, in pixels of the screen."""

from __future__ import annotations

from typing import Any


def is_shown(window: Any) -> bool:
    return bool(window.start_button.winfo_viewable())


def text(widget: Any) -> str:
    if not widget.winfo_viewable():
        return ""
    return str(widget.get() if hasattr(widget, "get") else widget.cget("text"))


def rows(found: Any) -> list[list[str]]:
    tree = found.tree
    return [[str(each) for each in tree.item(row, "values")] for row in tree.get_children()]


def place(widget: Any) -> tuple[int, int]:
    # Not the middle: a spinbox has its arrows at the end.
    return widget.winfo_rootx() + widget.winfo_width() // 3, (
        widget.winfo_rooty() + widget.winfo_height() // 2
    )


def place_of_row(found: Any, index: int) -> tuple[int, int]:
    x, y, _, height = found.tree.bbox(str(index), "0")
    return found.tree.winfo_rootx() + x + 20, found.tree.winfo_rooty() + y + height // 2
