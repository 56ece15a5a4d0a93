"""`ClientsPane`: the connected clients, with their device, times and requests."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk

from ..simulator.view import ConnectionInfo
from .choice import Choice
from .columns import Column
from .lazy_rows import LazyRows, Row
from .theme import Theme

_COLUMNS = (
    Column("Client", 24, stretch=True),
    Column("Device", 7),
    Column("At", 28, stretch=True),
    Column("Since", 10),
    Column("Last request", 14, right=True),
    Column("Requests", 12, right=True),
)


class ClientsPane(ttk.Frame):
    """A page of the notebook."""

    def __init__(self, parent: tk.Misc, colours: Theme, choice: Choice) -> None:
        super().__init__(parent, style="Page.TFrame")
        self._choice = choice
        self._connections: Sequence[ConnectionInfo] = ()
        self.rows = LazyRows(self, colours, _COLUMNS, self._look_up)
        self.rows.pack(fill="both", expand=True)
        self._total = ttk.Label(self, style="Page.TLabel", padding=colours.px(4))
        self._total.pack(fill="x")

    def measure(self) -> None:
        """Adapt to another font size."""
        self.rows.measure()

    def focus_inside(self) -> None:
        """Set the focus to the main widget of the page."""
        self.rows.tree.focus_set()

    def refresh(self) -> None:
        """Show the current clients."""
        view = self._choice.view
        self._connections = () if view is None else view.connections()
        self.rows.set_count(len(self._connections))
        self.rows.refresh()
        count = len(self._connections)
        self._total.configure(
            text="No client is connected."
            if not count
            else f"{count} connection{'s' * (count > 1)}."
        )

    def _look_up(self, start: int, count: int) -> Sequence[Row]:
        now = time.time()
        return [_row(each, now) for each in self._connections[start : start + count]]


def _row(connection: ConnectionInfo, now: float) -> Row:
    ago = max(0, round(now - connection.heard))
    latest = "now" if not ago else f"{ago} s ago" if ago < 120 else f"{ago // 60} min ago"
    return Row(
        (
            connection.peer,
            str(connection.device),
            connection.endpoint,
            time.strftime("%H:%M:%S", time.localtime(connection.since)),
            latest,
            f"{connection.requests:,}",
        )
    )
