"""`PointsPane`: the named values of the chosen unit, to watch, edit and hold, and a trend."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk

from ..addresses import Place
from ..simulator.view import PointInfo
from .choice import Choice, ChosenUnit
from .columns import Column
from .editing import CellEditor
from .lazy_rows import LazyRows, Row
from .theme import Theme
from .trend_chart import TrendChart
from .untyped import add_pane
from .values import shown, typed

_COLUMNS = (
    Column("Point", 17, stretch=True),
    Column("Value", 12, right=True),
    Column("Unit", 5),
    Column("Address", 8),
    Column("Type", 8),
    Column("Behaviour", 26, stretch=True),
)
VALUE_COLUMN = 1


class PointsPane(ttk.Frame):
    """A page of the notebook."""

    def __init__(self, parent: tk.Misc, colours: Theme, choice: Choice) -> None:
        super().__init__(parent, style="Page.TFrame")
        self._choice = choice
        self._unit: ChosenUnit | None = None
        self._points: Sequence[PointInfo] = ()
        self._panes = ttk.PanedWindow(self, orient="vertical")
        self.rows = LazyRows(
            self._panes,
            colours,
            _COLUMNS,
            self._look_up,
            height=8,
            activated=lambda index, column: self.edit(index),
            chosen=self._chose,
        )
        self.editor = CellEditor(self.rows)
        self.chart = TrendChart(self._panes, colours)
        add_pane(self._panes, self.rows, 3)
        add_pane(self._panes, self.chart, 2)
        bar = ttk.Frame(self, style="Page.TFrame", padding=colours.px(4))
        self.edit_button = ttk.Button(bar, text="Edit (Enter)", command=self._edit_selected)
        self.hold_button = ttk.Button(bar, text="Hold (Space)", command=self.hold)
        self._hint = ttk.Label(bar, style="Page.TLabel", foreground="#566573")
        self.edit_button.pack(side="left")
        self.hold_button.pack(side="left", padx=colours.px(4))
        self._hint.pack(side="left", padx=colours.px(4))
        bar.pack(side="bottom", fill="x")
        self._panes.pack(fill="both", expand=True)
        self.rows.tree.bind("<space>", lambda event: self.hold())
        self._show_buttons()

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
            self.editor.close()
            self.rows.set_count(0)
        self._points = () if unit is None else unit.view.points(unit.device, unit.unit)
        self.rows.set_count(len(self._points))
        self.rows.refresh()
        if unit is not None and self._points and self.rows.selected is None:
            self.rows.select(0)
        self._show_trend()
        self._show_buttons()

    def _look_up(self, start: int, count: int) -> Sequence[Row]:
        return [_row(point) for point in self._points[start : start + count]]

    def _selected(self) -> PointInfo | None:
        index = self.rows.selected
        return None if index is None or index >= len(self._points) else self._points[index]

    def _chose(self) -> None:
        self._show_trend()
        self._show_buttons()

    def _show_trend(self) -> None:
        unit, point = self._unit, self._selected()
        if unit is None or point is None:
            self.chart.show("", "", ())
            return
        is_number = isinstance(point.value, (int, float))
        samples = unit.view.trend(unit.device, unit.unit, point.name) if is_number else []
        self.chart.show(point.name, point.unit, samples)

    def _show_buttons(self) -> None:
        point = self._selected()
        self.edit_button.state(["disabled" if point is None else "!disabled"])
        changes = point is not None and bool(point.behaviour)
        self.hold_button.state(["!disabled" if changes else "disabled"])
        is_held = point is not None and point.held
        text = "Release (Space)" if is_held else "Hold (Space)"
        if self.hold_button.cget("text") != text:
            self.hold_button.configure(text=text)
        self._hint.configure(text="" if self._points or self._unit is None else "No named points.")

    def _edit_selected(self) -> None:
        if self.rows.selected is not None:
            self.edit(self.rows.selected)

    def edit(self, index: int) -> None:
        """Switch a bit, or edit another value in a field."""
        unit = self._unit
        if unit is None or index >= len(self._points):
            return
        point = self._points[index]
        if point.type in ("bool", "bit"):
            self.rows.select(index)
            self._write(unit, point, not point.value)
            return

        def commit(text: str) -> bool:
            try:
                value = typed(point, text)
            except ValueError as error:
                self._choice.tell(str(error))
                return False
            return self._write(unit, point, value)

        text = "" if point.value is None else shown(point)
        self.editor.open(index, VALUE_COLUMN, text, commit)

    def _write(self, unit: ChosenUnit, point: PointInfo, value: object) -> bool:
        done = self._choice.attempt(
            lambda: unit.view.write_point(unit.device, unit.unit, point.name, value)
        )
        self.refresh()
        return done

    def hold(self) -> str:
        """Hold the selected point, or release it."""
        unit, point = self._unit, self._selected()
        if unit is not None and point is not None and point.behaviour:
            held = not point.held
            self._choice.attempt(
                lambda: unit.view.hold_point(unit.device, unit.unit, point.name, held)
            )
            self.refresh()
        return "break"


def _row(point: PointInfo) -> Row:
    behaviour = f"held: {point.behaviour}" if point.held else point.behaviour
    return Row(
        (
            point.name,
            shown(point),
            point.unit,
            str(Place(point.table, point.address)),
            point.type,
            behaviour,
        ),
        "bad" if point.value is None else "warn" if point.held else "",
    )
