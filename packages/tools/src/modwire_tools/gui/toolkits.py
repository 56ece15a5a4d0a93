"""`find_toolkit` and `show`: choose the toolkit of the window, and open it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from .setup import Setup

if TYPE_CHECKING:
    from types import ModuleType

Toolkit = Literal["tk", "gtk", "wx"]

TOOLKITS: dict[Toolkit, tuple[str, str]] = {
    "tk": (
        "Tk",
        "apt install python3-tk, dnf install python3-tkinter, or brew install python-tk",
    ),
    "gtk": (
        "GTK 3",
        'apt install python3-gi gir1.2-gtk-3.0, or pip install "modwire-tools[gtk]"',
    ),
    "wx": ("wxPython", 'apt install python3-wxgtk4.0, or pip install "modwire-tools[wx]"'),
}
"""The name of each toolkit, and the commands that install it, in the order of preference."""


class NoDisplayError(OSError):
    """Raised if there is no screen for a window; its text says what to do."""

    def __init__(self, reason: str) -> None:
        if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY"):
            text = (
                f"no window can be opened: {reason}; `modwire simulate` needs none, "
                "and on Unix DISPLAY must name a screen, such as :0"
            )
        else:
            text = (
                "no window can be opened, because DISPLAY is not set: run it on a desktop, with "
                "`ssh -X`, or with DISPLAY=:0; `modwire simulate` needs no window"
            )
        super().__init__(text)


def _is_there(toolkit: Toolkit) -> bool:
    try:
        match toolkit:
            case "tk":
                import_module("tkinter")
            case "gtk":
                import_module("gi").require_version("Gtk", "3.0")
            case "wx":
                import_module("wx")
    except (ImportError, ValueError):  # ValueError for a GTK without its introspection data
        return False
    return True


def find_toolkit(wanted: Toolkit | None) -> Toolkit:
    """Return `wanted`, or else the first toolkit that is installed.

    Raises ImportError, which says what to install, if there is none.
    """
    if wanted is not None:
        if _is_there(wanted):
            return wanted
        name, how = TOOLKITS[wanted]
        raise ImportError(f"the window needs {name}, which this Python lacks; to install it: {how}")
    for toolkit in TOOLKITS:
        if _is_there(toolkit):
            return toolkit
    name, how = TOOLKITS["tk"]
    raise ImportError(
        f"the window needs {name}, GTK 3 or wxPython, and this Python has none of them; "
        f"to install {name}: {how}"
    )


def window_of(toolkit: Toolkit) -> ModuleType:
    """Return the module with the `Window` of a toolkit."""
    return import_module(f".{toolkit}_window", __package__)


def show(toolkit: Toolkit, setup: Setup, *, start: bool = False) -> bool:
    """Open the window and wait until it is closed; return True if Ctrl+C closed it.

    With `start`, the simulation starts at once. Call it in the main thread, for signals. Raises
    NoDisplayError.
    """
    interrupted: bool = window_of(toolkit).Window(setup).run(start=start)
    return interrupted
