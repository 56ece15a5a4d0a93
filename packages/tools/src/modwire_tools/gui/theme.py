"""`Theme`: colours, fonts and sizes. All sizes follow the font, which the user may enlarge."""

from __future__ import annotations

import sys
import tkinter as tk
from contextlib import suppress
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any, Literal

from .untyped import set_default

GROUND = "#f5f7f8"
PANEL = "#ffffff"
RAISED = "#eef2f4"
INK = "#16212b"
MUTED = "#566573"
FAINT = "#96a3ad"
LINE = "#dde4e9"
STRONG_LINE = "#bcc8d1"
ACCENT = "#0b6b86"
ACCENT_DARK = "#085267"
ACCENT_SOFT = "#e0f0f4"
GOOD = "#1a7f52"
WARN = "#9a5b00"
BAD = "#b42318"
BAD_SOFT = "#fdecea"

Anchor = Literal["center", "e", "n", "w"]

_Settings = dict[str, dict[str, Any]]

_FIELD: _Settings = {
    "configure": {"bordercolor": STRONG_LINE, "lightcolor": PANEL, "darkcolor": PANEL},
    "map": {
        "bordercolor": [("focus", ACCENT)],
        "lightcolor": [("focus", ACCENT), ("disabled", RAISED)],
        "darkcolor": [("disabled", RAISED)],
        "fieldbackground": [("disabled", RAISED), ("readonly", PANEL)],
        "foreground": [("disabled", MUTED)],
        "background": [("disabled", RAISED), ("active", RAISED), ("!disabled", PANEL)],
        "arrowcolor": [("disabled", STRONG_LINE), ("!disabled", MUTED)],
        "selectbackground": [("!focus", PANEL)],
        "selectforeground": [("!focus", INK)],
    },
}
_ON_BUTTON = [("disabled", GROUND), ("active", RAISED)]
_ON_ACCENT = [("disabled", RAISED), ("active", ACCENT_DARK)]
_STYLES: dict[str, _Settings] = {
    ".": {
        "configure": {
            "background": GROUND,
            "foreground": INK,
            "bordercolor": LINE,
            "lightcolor": GROUND,
            "darkcolor": GROUND,
            "troughcolor": RAISED,
            "fieldbackground": PANEL,
            "selectbackground": ACCENT,
            "selectforeground": PANEL,
            "insertcolor": INK,
            "focuscolor": ACCENT,
        },
        "map": {"foreground": [("disabled", FAINT)]},
    },
    "TEntry": _FIELD,
    "TSpinbox": _FIELD,
    "TCombobox": _FIELD,
    "TButton": {
        "configure": {
            "background": PANEL,
            "bordercolor": STRONG_LINE,
            "lightcolor": PANEL,
            "darkcolor": PANEL,
        },
        "map": {
            "background": [("disabled", GROUND), ("pressed", ACCENT_SOFT), ("active", RAISED)],
            "bordercolor": [("disabled", LINE), ("focus", ACCENT)],
            "lightcolor": _ON_BUTTON,
            "darkcolor": _ON_BUTTON,
        },
    },
    "Accent.TButton": {
        "configure": {
            "background": ACCENT,
            "foreground": PANEL,
            "bordercolor": ACCENT,
            "lightcolor": ACCENT,
            "darkcolor": ACCENT,
            "focuscolor": PANEL,
        },
        "map": {
            "background": _ON_ACCENT,
            "foreground": [("disabled", FAINT)],
            "bordercolor": [("disabled", LINE)],
            "lightcolor": _ON_ACCENT,
            "darkcolor": _ON_ACCENT,
        },
    },
    "TNotebook": {"configure": {"bordercolor": LINE, "tabmargins": (0, 0, 0, 0)}},
    "TNotebook.Tab": {
        "configure": {"background": RAISED, "foreground": MUTED, "bordercolor": LINE},
        "map": {
            "background": [("selected", PANEL), ("active", ACCENT_SOFT)],
            "foreground": [("selected", ACCENT)],
            "lightcolor": [("selected", PANEL)],
            "expand": [("selected", (0, 0, 0, 0))],
        },
    },
    "Page.TFrame": {"configure": {"background": PANEL}},
    "Page.TLabel": {"configure": {"background": PANEL}},
    "Field.TLabel": {
        "configure": {"background": PANEL, "foreground": FAINT},
        "map": {"background": [("disabled", RAISED)]},
    },
    "Page.TCheckbutton": {
        "configure": {"background": PANEL},
        "map": {"background": [("active", PANEL)]},
    },
    "Treeview": {
        "configure": {"background": PANEL, "bordercolor": LINE, "borderwidth": 0},
        "map": {
            "background": [("selected", "focus", ACCENT), ("selected", ACCENT_SOFT)],
            "foreground": [("selected", "focus", PANEL), ("selected", INK)],
        },
    },
    "Treeview.Heading": {
        "configure": {"background": RAISED, "foreground": MUTED, "relief": "flat"},
        "map": {"background": [("active", ACCENT_SOFT)]},
    },
    "TScrollbar": {
        "configure": {
            "background": STRONG_LINE,
            "bordercolor": GROUND,
            "relief": "flat",
            "arrowcolor": MUTED,
            "lightcolor": STRONG_LINE,
            "gripcount": 0,
        },
        "map": {
            "background": [("disabled", RAISED), ("active", MUTED)],
            "lightcolor": [("disabled", RAISED)],
            "arrowcolor": [("disabled", RAISED)],
        },
    },
    "TPanedwindow": {"configure": {"background": GROUND}},
    "Sash": {"configure": {"sashthickness": 8, "gripcount": 0}},
    "TCheckbutton": {
        "map": {
            "background": [("active", GROUND)],
            "indicatorbackground": [("selected", ACCENT), ("!selected", PANEL)],
            "indicatorforeground": [("selected", PANEL)],
        },
    },
}
"""The styles on X11, on top of the theme clam; other systems keep their native look."""

_DEFAULTS: dict[str, str | int] = {
    "*TCombobox*Listbox.background": PANEL,
    "*TCombobox*Listbox.foreground": INK,
    "*TCombobox*Listbox.selectBackground": ACCENT,
    "*TCombobox*Listbox.selectForeground": PANEL,
    "*TCombobox*Listbox.font": "TkDefaultFont",
    "*Menu.background": PANEL,
    "*Menu.foreground": INK,
    "*Menu.activeBackground": ACCENT,
    "*Menu.activeForeground": PANEL,
    "*Menu.borderWidth": 1,
    "*Menu.activeBorderWidth": 0,
    "*Menu.relief": "flat",
}
"""The same for widgets without styles."""


_FONTS = (
    "TkDefaultFont",
    "TkTextFont",
    "TkFixedFont",
    "TkMenuFont",
    "TkHeadingFont",
    "TkCaptionFont",
    "TkTooltipFont",
)
_LEAST_SCALE = 0.6
_MOST_SCALE = 3.0


def prefer_sharp_text() -> None:
    """Tell Windows that the window scales itself; call it before the window is made."""
    if sys.platform == "win32":
        import ctypes

        with suppress(AttributeError, OSError):  # missing before Windows 8.1
            ctypes.windll.shcore.SetProcessDpiAwareness(1)


class Theme:
    """Styles for the widgets of `root`."""

    def __init__(self, root: tk.Tk) -> None:
        self._root = root
        self.is_native = root.tk.call("tk", "windowingsystem") != "x11"
        self._scale = 1.0
        self._fonts = {name: tkfont.nametofont(name, root) for name in _FONTS}
        self._sizes = {name: int(font.cget("size")) for name, font in self._fonts.items()}
        self.font = self._fonts["TkDefaultFont"]
        self.fixed = self._fonts["TkFixedFont"]
        self.bold = tkfont.Font(root, font=self.font)
        self.large = tkfont.Font(root, font=self.font)
        self.style = ttk.Style(root)
        if not self.is_native:
            self._colour()
        self._size()

    def px(self, points: float) -> int:
        """Return a length in points as pixels, at least 1."""
        return max(1, round(self._root.winfo_fpixels(f"{points * self._scale}p")))

    def characters(self, count: float) -> int:
        """Return the width of `count` digits in pixels."""
        return round(self.font.measure("0") * count)

    def zoom(self, factor: float) -> None:
        """Scale all fonts by `factor`; 0 restores the size of the system."""
        scale = self._scale * factor if factor else 1.0
        self._scale = min(max(scale, _LEAST_SCALE), _MOST_SCALE)
        for name, font in self._fonts.items():
            font.configure(size=round(self._sizes[name] * self._scale))
        self._size()

    def _size(self) -> None:
        size = int(self.font.cget("size"))
        self.bold.configure(size=size, weight="bold")
        self.large.configure(size=round(size * 1.3), weight="bold")
        style = self.style
        row = self.font.metrics("linespace") + self.px(5)
        style.configure("Treeview", rowheight=row)
        style.configure("Bold.TLabel", font=self.bold)
        style.configure("Title.TLabel", font=self.large)
        style.configure("Fixed.TLabel", font=self.fixed)
        style.configure("Muted.TLabel", foreground=MUTED)
        style.configure("Bad.TLabel", foreground=BAD)
        style.configure("Message.TLabel", padding=(self.px(8), self.px(4)))
        style.configure("Error.Message.TLabel", background=BAD_SOFT, foreground=BAD)
        style.configure("Empty.TLabel", foreground=MUTED, font=self.font, anchor="center")
        if self.is_native:
            return
        style.configure("Treeview.Heading", padding=(self.px(4), self.px(2)), font=self.font)
        style.configure("TButton", padding=(self.px(8), self.px(2.5)))
        style.configure("Accent.TButton", padding=(self.px(12), self.px(2.5)), font=self.bold)
        padding = (self.px(10), self.px(3))
        style.configure("TNotebook.Tab", padding=padding)
        style.map("TNotebook.Tab", padding=[("selected", padding)])
        style.configure("TEntry", padding=self.px(2.5))
        style.configure("TSpinbox", padding=self.px(2.5), arrowsize=self.px(8))
        style.configure("TCombobox", padding=self.px(2.5), arrowsize=self.px(9))
        style.configure("TScrollbar", arrowsize=self.px(8), width=self.px(8))
        style.configure("TCheckbutton", indicatorsize=self.px(8), padding=self.px(2))

    def _colour(self) -> None:
        self.style.theme_use("clam")
        for name, settings in _STYLES.items():
            self.style.configure(name, **settings.get("configure", {}))
            self.style.map(name, **settings.get("map", {}))
        self._root.configure(background=GROUND)
        for pattern, value in _DEFAULTS.items():
            set_default(self._root, pattern, value)
