"""`DevicesPane`: the list of all devices, with buttons to start and stop one."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk

from ..simulator.view import DeviceInfo, View
from .choice import Choice
from .columns import Column
from .lazy_rows import LazyRows, Row
from .theme import Theme

_COLUMNS = (
    Column("No.", 4, right=True),
    Column("Device", 12, stretch=True),
    Column("At", 21, stretch=True),
    Column("Requests", 8, right=True),
)


class DevicesPane(ttk.Frame):
    """The list. It calls `chosen` after the user chose another device, which is in `choice`."""

    def __init__(
        self, parent: tk.Misc, colours: Theme, choice: Choice, chosen: Callable[[], None]
    ) -> None:
        super().__init__(parent)
        self._choice = choice
        self._view: View | None = None
        self._chosen = chosen
        self._problems: Mapping[int, str] = {}
        self.rows = LazyRows(
            self,
            colours,
            _COLUMNS,
            self._look_up,
            activated=lambda index, column: self.toggle(),
            chosen=self._chose,
        )
        self.rows.pack(fill="both", expand=True)
        bar = ttk.Frame(self)
        bar.pack(fill="x", pady=(colours.px(4), 0))
        self.start_button = ttk.Button(bar, text="Start device", command=self.start)
        self.stop_button = ttk.Button(bar, text="Stop device", command=self.stop)
        self.start_button.pack(side="left")
        self.stop_button.pack(side="left", padx=colours.px(4))
        self._total = ttk.Label(bar, style="Muted.TLabel")
        self._total.pack(side="right")

    def measure(self) -> None:
        """Adapt to another font size."""
        self.rows.measure()

    def refresh(self) -> None:
        """Show the current values."""
        view = self._choice.view
        if view is not self._view:
            self._view = view
            self.rows.set_count(0)
        count = 0 if view is None else view.device_count()
        self._problems = {} if view is None else view.problems()
        self.rows.set_count(count)
        self.rows.refresh()
        if count and self.rows.selected is None:
            self.rows.select(0)
        self._chose()
        self._total.configure(text=f"{count:,} device{'s' * (count != 1)}" if count else "")

    def chosen_device(self) -> DeviceInfo | None:
        """Return the chosen device, or None."""
        index = self.rows.selected
        if self._view is None or index is None or index >= self._view.device_count():
            return None
        return self._view.devices(index, 1)[0]

    def problem(self) -> str:
        """Return the reason why the chosen device cannot be served, or ""."""
        return self._problems.get(self.rows.selected or 0, "")

    def _chose(self) -> None:
        info = self.chosen_device()
        self.start_button.state(["!disabled" if info and not info.running else "disabled"])
        self.stop_button.state(["!disabled" if info and info.running else "disabled"])
        index = None if info is None else info.index
        if index != self._choice.device:
            self._choice.device = index
            self._chosen()

    def start(self) -> None:
        """Serve the chosen device again."""
        view, info = self._view, self.chosen_device()
        if view is not None and info is not None:
            self._choice.attempt(lambda: view.start(info.index))
            self.refresh()

    def stop(self) -> None:
        """Stop serving the chosen device."""
        view, info = self._view, self.chosen_device()
        if view is not None and info is not None:
            self._choice.attempt(lambda: view.stop(info.index))
            self.refresh()

    def toggle(self) -> None:
        """Start the chosen device if it is stopped, else stop it."""
        info = self.chosen_device()
        if info is not None:
            (self.stop if info.running else self.start)()

    def _look_up(self, start: int, count: int) -> Sequence[Row]:
        if self._view is None:
            return []
        return [self._row(each) for each in self._view.devices(start, count)]

    def _row(self, device: DeviceInfo) -> Row:
        problem = self._problems.get(device.index, "")
        place = ", ".join(device.endpoints)
        return Row(
            (
                str(device.index),
                device.name,
                place if device.running else f"stopped, {place}",
                f"{device.requests:,}" if device.requests else "",
            ),
            "bad" if problem else "" if device.running else "muted",
        )
