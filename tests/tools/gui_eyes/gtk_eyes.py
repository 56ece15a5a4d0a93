"""Texts and places of the widgets of GTK 3, in pixels of the screen."""

from __future__ import annotations

from typing import Any


def is_shown(window: Any) -> bool:
    return bool(window.window.get_mapped())


def text(widget: Any) -> str:
    return str(widget.get_text()) if widget.get_mapped() else ""


def rows(found: Any) -> list[list[str]]:
    shown = []
    for at in found.model:
        texts = []
        for column in found.tree.get_columns():
            column.cell_set_cell_data(found.model, at.iter, False, False)
            texts.append(column.get_cells()[0].get_property("text"))
        shown.append(texts)
    return shown


def _at(widget: Any, x: int, y: int) -> tuple[int, int]:
    top = widget.get_toplevel()
    inside = widget.translate_coordinates(top, x, y)
    _, left, upper = top.get_window().get_origin()
    return left + inside[0], upper + inside[1]


def place(widget: Any) -> tuple[int, int]:
    # Not the middle: a spin button has its buttons at the end.
    return _at(widget, widget.get_allocated_width() // 4, widget.get_allocated_height() // 2)


def place_of_row(found: Any, index: int) -> tuple[int, int]:
    area = found.tree.get_cell_area(found.model[index].path, found.tree.get_column(0))
    inside = found.tree.convert_bin_window_to_widget_coords(area.x + 20, area.y + area.height // 2)
    return _at(found.tree, *inside)
