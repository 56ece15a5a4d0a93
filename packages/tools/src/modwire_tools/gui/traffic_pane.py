"""`TrafficPane`: the latest requests and responses in words, filtered, with their bytes."""

from __future__ import annotations

import time
import tkinter as tk
from tkinter import ttk

from ..simulator.view import Message, TrafficFilter, View
from . import theme
from .choice import Choice
from .columns import Column, Columns
from .theme import Theme
from .untyped import add_scrollbar, seen
from .values import spaced_hex

_MOST_ROWS = 1000
_MOST_AT_ONCE = 200
_COLUMNS = (
    Column("Time", 11),
    Column("Dev.", 3),
    Column("From", 13),
    Column("Unit", 3),
    Column("Request", 27, stretch=True),
    Column("Response", 24, stretch=True),
    Column("ms", 5, right=True),
)
_OUTCOMES = {
    "all": None,
    "ok": "ok",
    "exception": "exception",
    "silence": "silence",
    "mistake": "mistake",
}
_TAGS = {"ok": "", "exception": "warn", "silence": "bad", "mistake": "bad"}


class TrafficPane(ttk.Frame):
    """A page of the notebook."""

    def __init__(self, parent: tk.Misc, colours: Theme, choice: Choice) -> None:
        super().__init__(parent, style="Page.TFrame")
        self._choice = choice
        self._view: View | None = None
        self._wanted = TrafficFilter()
        self._after = 0
        self._follows = True
        self._messages: dict[str, Message] = {}  # by row, oldest first
        gap = colours.px(4)
        self._add_filters(gap)
        self.details = ttk.Label(
            self, style="Fixed.TLabel", background=theme.PANEL, padding=gap, text="\n"
        )
        self.details.pack(side="bottom", fill="x")
        frame = ttk.Frame(self)
        self.tree = ttk.Treeview(
            frame,
            columns=[str(number) for number in range(len(_COLUMNS))],
            show="headings",
            selectmode="browse",
            height=4,
        )
        self._columns = Columns(self.tree, colours, _COLUMNS)
        scrollbar = add_scrollbar(frame, self.tree)
        self.tree.configure(yscrollcommand=scrollbar.set)
        scrollbar.pack(side="right", fill="y")
        self.tree.pack(side="left", fill="both", expand=True)
        frame.pack(fill="both", expand=True)
        self.tree.bind("<<TreeviewSelect>>", lambda event: self._show_details())
        self.tree.bind("<Configure>", lambda event: self._follow(), add="+")
        self.tree.bind("<FocusIn>", lambda event: self._focus())

    def _add_filters(self, gap: int) -> None:
        """Add the row of fields above the list."""
        bar = ttk.Frame(self, style="Page.TFrame", padding=gap)
        ttk.Label(bar, text="Filter:", style="Page.TLabel").pack(side="left")
        self.text = ttk.Entry(bar, width=9)
        self.text.pack(side="left", padx=gap)
        ttk.Label(bar, text="From:", style="Page.TLabel").pack(side="left")
        self.peer = ttk.Entry(bar, width=8)
        self.peer.pack(side="left", padx=gap)
        ttk.Label(bar, text="Function:", style="Page.TLabel").pack(side="left")
        self.functions = ttk.Entry(bar, width=5)
        self.functions.pack(side="left", padx=gap)
        self.outcome = ttk.Combobox(bar, state="readonly", width=9, values=list(_OUTCOMES))
        self.outcome.current(0)
        self.outcome.pack(side="left")
        self._only_chosen = tk.BooleanVar(self, False)
        self.only_chosen = ttk.Checkbutton(
            bar,
            text="This device",
            variable=self._only_chosen,
            style="Page.TCheckbutton",
            command=self.refresh,
        )
        self.only_chosen.pack(side="left", padx=gap)
        self._paused = tk.BooleanVar(self, False)
        self.pause = ttk.Checkbutton(
            bar, text="Pause", variable=self._paused, style="Page.TCheckbutton"
        )
        self.pause.pack(side="left")
        bar.pack(fill="x")
        for entry in (self.text, self.peer, self.functions):
            entry.bind("<KeyRelease>", lambda event: self.refresh())
        self.outcome.bind("<<ComboboxSelected>>", lambda event: self.refresh())

    def measure(self) -> None:
        """Adapt to another font size."""
        self._columns.measure()

    def focus_inside(self) -> None:
        """Set the focus to the main widget of the page."""
        self.tree.focus_set()

    def refresh(self) -> None:
        """Add the new messages, or show all again after a change of the filter."""
        view = self._choice.view
        wanted = self._filter()
        if wanted is None:
            return
        if view is not self._view or wanted != self._wanted:
            self._view, self._wanted, self._after = view, wanted, 0
            self._forget(list(self._messages))
            self._show_details()
        elif self._paused.get():
            return
        if view is None:
            return
        newest = view.traffic(self._after, most=1)
        if newest:
            most = _MOST_AT_ONCE if self._after else _MOST_ROWS
            messages = view.traffic(self._after, wanted, most)
            self._after = newest[0].number
            self._add(messages)

    def _filter(self) -> TrafficFilter | None:
        """Return the filter in the fields; None while the function codes are incomplete."""
        functions: list[int] | None = None
        codes = self.functions.get().replace(",", " ").split()
        if codes:
            if not all(code.isascii() and code.isdigit() and int(code) < 256 for code in codes):
                return None
            functions = [int(code) for code in codes]
        return TrafficFilter(
            device=self._choice.device if self._only_chosen.get() else None,
            peer=self.peer.get().strip() or None,
            functions=functions,
            outcome=_OUTCOMES[self.outcome.get()],
            text=self.text.get().strip() or None,
        )

    def _add(self, messages: list[Message]) -> None:
        tree = self.tree
        self._follows = seen(tree)[1] >= 0.999
        for message in messages:
            row = str(message.number)
            self._messages[row] = message
            tree.insert("", "end", row, values=_texts(message), tags=[_TAGS[message.outcome]])
        self._forget(list(self._messages)[:-_MOST_ROWS])
        self._follow()

    def _follow(self) -> None:
        """Scroll to the end, if it was visible before."""
        if self._follows and self._messages:
            self.tree.see(next(reversed(self._messages)))

    def _forget(self, rows: list[str]) -> None:
        if rows:
            self.tree.delete(*rows)
            for row in rows:
                del self._messages[row]

    def _focus(self) -> None:
        """Select a row when the list gets the focus by Tab."""
        if self._messages and not self.tree.selection():
            row = next(reversed(self._messages))
            self.tree.selection_set(row)
            self.tree.focus(row)

    def _show_details(self) -> None:
        selected = self.tree.selection()
        message = self._messages.get(selected[0]) if selected else None
        if message is None:
            self.details.configure(text="\n")
            return
        fault = f"   (fault: {message.fault})" if message.fault else ""
        answer = spaced_hex(message.response) or "no bytes"
        came = spaced_hex(message.data or message.request)
        self.details.configure(
            text=f"{_cut(message.request_text)}: {_cut(came)}\n"
            f"{_cut(message.response_text)}: {_cut(answer)}{fault}"
        )


def _cut(text: str) -> str:
    return text if len(text) <= 72 else f"{text[:68]} ..."


def _texts(message: Message) -> list[str]:
    at = time.strftime("%H:%M:%S", time.localtime(message.time))
    return [
        f"{at}.{int(message.time % 1 * 1000):03d}",
        str(message.device),
        message.peer,
        "" if message.unit is None else str(message.unit),
        message.request_text,
        message.response_text,
        f"{message.milliseconds:.1f}",
    ]
