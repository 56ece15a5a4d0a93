"""`SetupForm`: fields for the device file and the endpoint; buttons to start and stop."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from contextlib import suppress
from tkinter import filedialog, ttk

from .mnemonics import underlined
from .setup import CONSECUTIVE, MOST_DEVICES, Setup
from .theme import Theme


class SetupForm(ttk.Frame):
    """The form; its fields are disabled while a simulation runs."""

    def __init__(
        self,
        parent: tk.Misc,
        colours: Theme,
        setup: Setup,
        start: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        super().__init__(parent, padding=(colours.px(8), colours.px(8), colours.px(8), 0))
        gap = colours.px(4)
        top, bottom = ttk.Frame(self), ttk.Frame(self)
        top.pack(fill="x")
        bottom.pack(fill="x", pady=(gap, 0))
        self.file = ttk.Entry(top)
        self.file.insert(0, setup.file)
        self.browse_button = ttk.Button(top, command=self.choose_file)
        self.host = ttk.Entry(bottom, width=16)
        self.host.insert(0, setup.host)
        self.port = ttk.Spinbox(bottom, from_=0, to=65535, width=7)
        self.port.set(setup.port)
        self.devices = ttk.Spinbox(bottom, from_=1, to=MOST_DEVICES, width=7)
        self.devices.set(setup.devices)
        self.consecutive = ttk.Combobox(bottom, width=10, values=CONSECUTIVE, state="readonly")
        self.consecutive.set(setup.consecutive)
        self.start_button = ttk.Button(bottom, style="Accent.TButton", command=start)
        self.stop_button = ttk.Button(bottom, command=stop)
        underlined(self.browse_button, "&Browse...")
        underlined(self.start_button, "St&art")
        underlined(self.stop_button, "S&top")
        self._label(top, "&Device file", self.file).pack(side="left")
        self.file.pack(side="left", fill="x", expand=True, padx=gap)
        self.browse_button.pack(side="left")
        # Packed first, so that a large font cuts off the fields, not the buttons.
        self.stop_button.pack(side="right")
        self.start_button.pack(side="right", padx=(0, gap))
        for text, field in (
            ("H&ost", self.host),
            ("&Port", self.port),
            ("Nu&mber of devices", self.devices),
            ("&Each on the next of the", self.consecutive),
        ):
            self._label(bottom, text, field).pack(side="left")
            field.pack(side="left", padx=(gap, gap * 3))
        self._note = ttk.Label(self.file, text="empty: a small energy meter", style="Field.TLabel")
        self._note.bind("<Button-1>", lambda event: self.file.focus_set())
        self.file.bind("<FocusIn>", lambda event: self._note.place_forget())
        self.file.bind("<FocusOut>", lambda event: self._show_note())
        self._show_note()
        self._fields = (self.file, self.host, self.port, self.devices)
        for each in (*self._fields, self.consecutive):
            each.bind("<Return>", lambda event: start())

    def _label(self, parent: tk.Misc, text: str, field: ttk.Entry) -> ttk.Label:
        label = ttk.Label(parent)
        underlined(label, text, field)
        return label

    def setup(self) -> Setup:
        """Return the texts of the fields."""
        return Setup(
            self.file.get(),
            self.host.get(),
            self.port.get(),
            self.devices.get(),
            self.consecutive.get(),
        )

    def show(self, *, can_start: bool, can_stop: bool) -> None:
        """Enable the fields and buttons, or disable them."""
        state = "!disabled" if can_start else "disabled"
        for field in (*self._fields, self.browse_button, self.start_button):
            field.state([state])
        self.consecutive.state([state])
        self._note.state([state])
        self.stop_button.state(["!disabled" if can_stop else "disabled"])

    def _show_note(self) -> None:
        """Show the name of the built-in device in the empty field."""
        if self.file.get() or self.file.focus_displayof() is self.file:
            self._note.place_forget()
        else:
            self._note.place(x=4, rely=0.5, anchor="w")

    def choose_file(self) -> None:
        """Let the user choose a device file."""
        if self.browse_button.instate(["disabled"]):
            return
        path = ""
        with suppress(tk.TclError):  # the window was closed meanwhile
            path = filedialog.askopenfilename(
                parent=self.winfo_toplevel(),
                title="Choose a device file",
                filetypes=[("Device files", ("*.toml", "*.json")), ("All files", "*")],
            )
        if path:
            self.set_file(path)

    def set_file(self, path: str) -> None:
        """Write a device file into the field; "" is the built-in energy meter."""
        self.file.delete(0, "end")
        self.file.insert(0, path)
        self.file.xview_moveto(1.0)
        self._show_note()
