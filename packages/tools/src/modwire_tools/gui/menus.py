"""`add_menus`: the menus of the window; their shortcuts work wherever the focus is."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A menu entry; in its text, & precedes the letter that selects it.

    `keys` is a Tk sequence without brackets, such as "Control-o", or "".
    """

    text: str
    act: Callable[[], object]
    keys: str = ""


SEPARATOR = None


def add_menus(root: tk.Tk, menus: Sequence[tuple[str, Sequence[Entry | None]]]) -> None:
    """Add menus to `root`, each with a name and its entries."""
    is_aqua = root.tk.call("tk", "windowingsystem") == "aqua"
    bar = tk.Menu(root)
    for name, entries in menus:
        menu = tk.Menu(bar, tearoff=False)
        bar.add_cascade(label=name.replace("&", ""), underline=name.index("&"), menu=menu)
        for entry in entries:
            if entry is None:
                menu.add_separator()
                continue
            keys = entry.keys.replace("Control", "Command") if is_aqua else entry.keys
            menu.add_command(
                label=entry.text.replace("&", ""),
                underline=entry.text.index("&"),
                accelerator=_readable(keys),
                command=entry.act,
            )
            if keys:
                _bind(root, keys, entry.act)
    root.configure(menu=bar)


def _bind(root: tk.Tk, keys: str, act: Callable[[], object]) -> None:
    def pressed(event: tk.Event[tk.Misc]) -> str:
        act()
        return "break"

    root.bind(f"<{keys}>", pressed)


def _readable(keys: str) -> str:
    """Return "Control-o" as "Ctrl+O"."""
    names = {"Control": "Ctrl", "Key": "", "plus": "+", "minus": "-", "Command": "Cmd"}
    parts = [names.get(part, part if len(part) > 1 else part.upper()) for part in keys.split("-")]
    return "+".join(part for part in parts if part)
