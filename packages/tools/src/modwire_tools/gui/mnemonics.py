"""`underlined`: labels and buttons with a letter that, with Alt, leads to them."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


def underlined(widget: ttk.Label | ttk.Button, text: str, field: tk.Widget | None = None) -> None:
    """Give `widget` a text, in which & stands before the letter.

    Alt and the letter push a button, or put the focus into the `field` of a label.
    """
    at = text.index("&")
    letter = text[at + 1].lower()
    widget.configure(text=text.replace("&", ""), underline=at)

    def act(event: tk.Event[tk.Misc]) -> str:
        if field is not None:
            field.focus_set()
        elif isinstance(widget, ttk.Button):
            widget.invoke()
        return "break"

    widget.winfo_toplevel().bind(f"<Alt-{letter}>", act)
