"""Texts and places of the widgets of wx, in pixels of the screen."""

from __future__ import annotations

from typing import Any

import wx


def is_shown(window: Any) -> bool:
    return bool(window.frame.IsShown())


def text(widget: Any) -> str:
    if not widget.IsShownOnScreen():
        return ""
    return str(widget.GetValue() if hasattr(widget, "GetValue") else widget.GetLabelText())


def rows(found: Any) -> list[list[str]]:
    columns = range(found.GetColumnCount())
    return [
        [found.GetItemText(row, column) for column in columns]
        for row in range(found.GetItemCount())
    ]


def place(widget: Any) -> tuple[int, int]:
    # Not the middle: a spin control has its buttons at the end.
    size = widget.GetSize()
    at = widget.ClientToScreen(wx.Point(size.width // 4, size.height // 2))
    return at.x, at.y


def place_of_row(found: Any, index: int) -> tuple[int, int]:
    area = found.GetItemRect(index)
    at = found.ClientToScreen(wx.Point(area.x + 20, area.y + area.height // 2))
    return at.x, at.y
