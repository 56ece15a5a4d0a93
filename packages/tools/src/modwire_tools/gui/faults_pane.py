"""`FaultsPane`: the faults of the chosen unit, and its diagnostic counters."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from ..simulator.view import Faults
from ..values.numbers import parse_float, parse_whole
from . import theme
from .choice import Choice, ChosenUnit
from .theme import Theme

_RATES = (
    ("drop", "Close the connection", "without a response"),
    ("silence", "Stay silent", "the request is not executed"),
    ("damage", "Damage the response", "a wrong checksum or protocol id"),
    ("exception", "Refuse with an exception", ""),
    ("delay", "Delay the response", ""),
)
_DETAILS = (
    ("exception_code", "with code", "", 1, 255, 1),
    ("delay_seconds", "by", "seconds", 0, 3600, 0.5),
)


class FaultsPane(ttk.Frame):
    """A page of the notebook."""

    def __init__(self, parent: tk.Misc, colours: Theme, choice: Choice) -> None:
        super().__init__(parent, style="Page.TFrame", padding=colours.px(10))
        self._choice = choice
        self._unit: ChosenUnit | None = None
        gap = colours.px(4)
        form = ttk.Frame(self, style="Page.TFrame")
        form.grid(row=0, column=0, sticky="nw")
        ttk.Label(form, text="Faults of this unit", style="Page.TLabel", font=colours.bold).grid(
            columnspan=4, sticky="w", pady=(0, gap)
        )
        self.fields: dict[str, ttk.Spinbox] = {}
        for row, (name, label, remark) in enumerate(_RATES, 1):
            ttk.Label(form, text=label, style="Page.TLabel").grid(row=row, column=0, sticky="w")
            self._field(form, name, 0, 100, 5).grid(row=row, column=1, padx=gap, pady=gap // 2)
            ttk.Label(form, text="% of requests", style="Page.TLabel").grid(
                row=row, column=2, sticky="w"
            )
            if remark:
                ttk.Label(form, text=remark, style="Page.TLabel", foreground=theme.MUTED).grid(
                    row=row, column=3, sticky="w", padx=(gap, 0)
                )
        for name, before, after, low, high, step in _DETAILS:
            cell = ttk.Frame(form, style="Page.TFrame")
            row = [each[0] for each in _RATES].index(name.partition("_")[0]) + 1
            cell.grid(row=row, column=3, sticky="w", padx=(gap, 0))
            ttk.Label(cell, text=before, style="Page.TLabel").pack(side="left")
            self._field(cell, name, low, high, step).pack(side="left", padx=gap)
            ttk.Label(cell, text=after, style="Page.TLabel").pack(side="left")
        buttons = ttk.Frame(form, style="Page.TFrame")
        buttons.grid(columnspan=4, sticky="w", pady=(gap * 2, 0))
        self.apply_button = ttk.Button(buttons, text="Apply (Enter)", command=self.apply)
        self.apply_button.pack(side="left")
        self.clear_button = ttk.Button(buttons, text="No faults", command=self.clear)
        self.clear_button.pack(side="left", padx=gap)
        self._state = ttk.Label(buttons, style="Page.TLabel")
        self._state.pack(side="left", padx=gap)
        counters = ttk.Frame(self, style="Page.TFrame")
        counters.grid(row=1, column=0, sticky="nw", pady=(colours.px(16), 0))
        ttk.Label(counters, text="Counters", style="Page.TLabel", font=colours.bold).grid(
            columnspan=4, sticky="w", pady=(0, gap)
        )
        self._counters = counters
        self._counts: dict[str, ttk.Label] = {}
        self._gap = gap

    def _field(
        self, parent: tk.Misc, name: str, low: float, high: float, step: float
    ) -> ttk.Spinbox:
        field = ttk.Spinbox(parent, from_=low, to=high, increment=step, width=7, format="%g")
        field.bind("<Return>", lambda event: self.apply())
        self.fields[name] = field
        return field

    def measure(self) -> None:
        """Adapt to another font size, which these widgets do by themselves."""

    def focus_inside(self) -> None:
        """Set the focus to the main widget of the page."""
        self.fields["drop"].focus_set()

    def refresh(self) -> None:
        """Show the current counters; typed faults stay until another unit is chosen."""
        unit = self._choice.chosen_unit
        if unit != self._unit:
            self._unit = unit
            self._load()
        counters = {} if unit is None else unit.view.counters(unit.device, unit.unit)
        for name, count in counters.items():
            if name not in self._counts:
                row, column = divmod(len(self._counts), 2)
                label = name[:1].upper() + name[1:]
                ttk.Label(self._counters, text=label, style="Page.TLabel").grid(
                    row=row + 1, column=column * 2, sticky="w", pady=self._gap // 2
                )
                self._counts[name] = ttk.Label(self._counters, style="Page.TLabel")
                self._counts[name].grid(
                    row=row + 1,
                    column=column * 2 + 1,
                    sticky="e",
                    padx=(self._gap * 4, self._gap * 8),
                )
            self._counts[name].configure(text=f"{count:,}")

    def _load(self) -> None:
        unit = self._unit
        faults = Faults() if unit is None else unit.view.faults(unit.device, unit.unit)
        for name, _, _ in _RATES:
            self.fields[name].set(f"{getattr(faults, name) * 100:.6g}")
        self.fields["exception_code"].set(str(faults.exception_code))
        self.fields["delay_seconds"].set(f"{faults.delay_seconds:g}")
        names = [name for name, _, _ in _RATES if getattr(faults, name)]
        text = f"This unit has faults: {', '.join(names)}." if names else "This unit has no faults."
        self._state.configure(text=text, foreground=theme.WARN if names else theme.MUTED)

    def apply(self) -> None:
        """Set the faults that are in the fields."""
        unit = self._unit
        if unit is None:
            return

        def change() -> None:
            rates = {name: self._number(name, label, 100) / 100 for name, label, _ in _RATES}
            faults = Faults(
                drop=rates["drop"],
                silence=rates["silence"],
                damage=rates["damage"],
                exception=rates["exception"],
                exception_code=parse_whole(
                    self.fields["exception_code"].get().strip(), 1, 255, name="the exception code"
                ),
                delay=rates["delay"],
                delay_seconds=self._number("delay_seconds", "the seconds of delay", 3600),
            )
            unit.view.set_faults(unit.device, unit.unit, faults)

        if self._choice.attempt(change):
            self._load()

    def _number(self, name: str, label: str, most: float) -> float:
        text = self.fields[name].get().strip()
        try:
            number = parse_float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= most:
            percent = " %" if most == 100 else ""
            raise ValueError(f"{label}: it must be 0..{most:g}{percent}, got {text!r}")
        return number

    def clear(self) -> None:
        """Remove all faults."""
        unit = self._unit
        if unit is not None:
            self._choice.attempt(lambda: unit.view.set_faults(unit.device, unit.unit, Faults()))
            self._load()
