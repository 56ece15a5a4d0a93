"""`underlined`: labels and buttons with a letter that activates them together with Alt."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


def underlined(widget: ttk.Label | ttk.Button, text: str, field: tk.Widget | None = None) -> None:
    """Set the text of `widget`, in which & precedes the letter.

    Alt and the letter push a button, or set the focus to the `field` of a label.
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
