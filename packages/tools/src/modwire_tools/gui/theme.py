"""`Theme`: colours, fonts and sizes. All sizes follow the font, which the user may enlarge."""

from __future__ import annotations

import sys
import tkinter as tk
from contextlib import suppress
from tkinter import font as tkfont
from tkinter import ttk
from typing import Literal

from .untyped import set_default

GROUND = "#f5f7f8"
PANEL = "#ffffff"
RAISED = "#eef2f4"
INK = "#16212b"
MUTED = "#566573"
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
        style, root = self.style, self._root
        style.theme_use("clam")
        root.configure(background=GROUND)
        style.configure(
            ".",
            background=GROUND,
            foreground=INK,
            bordercolor=LINE,
            lightcolor=GROUND,
            darkcolor=GROUND,
            troughcolor=RAISED,
            fieldbackground=PANEL,
            selectbackground=ACCENT,
            selectforeground=PANEL,
            insertcolor=INK,
            focuscolor=ACCENT,
        )
        style.map(".", foreground=[("disabled", "#96a3ad")])
        fields = ("TEntry", "TSpinbox", "TCombobox")
        for name in fields:
            style.configure(name, bordercolor=STRONG_LINE, lightcolor=PANEL, darkcolor=PANEL)
            style.map(
                name,
                bordercolor=[("focus", ACCENT)],
                lightcolor=[("focus", ACCENT), ("disabled", RAISED)],
                darkcolor=[("disabled", RAISED)],
                fieldbackground=[("disabled", RAISED), ("readonly", PANEL)],
                foreground=[("disabled", MUTED)],
                background=[("disabled", RAISED), ("active", RAISED), ("!disabled", PANEL)],
                arrowcolor=[("disabled", STRONG_LINE), ("!disabled", MUTED)],
                selectbackground=[("!focus", PANEL)],
                selectforeground=[("!focus", INK)],
            )
        style.configure(
            "TButton", background=PANEL, bordercolor=STRONG_LINE, lightcolor=PANEL, darkcolor=PANEL
        )
        style.map(
            "TButton",
            background=[("disabled", GROUND), ("pressed", ACCENT_SOFT), ("active", RAISED)],
            bordercolor=[("disabled", LINE), ("focus", ACCENT)],
            lightcolor=[("disabled", GROUND), ("active", RAISED)],
            darkcolor=[("disabled", GROUND), ("active", RAISED)],
        )
        style.configure(
            "Accent.TButton",
            background=ACCENT,
            foreground=PANEL,
            bordercolor=ACCENT,
            lightcolor=ACCENT,
            darkcolor=ACCENT,
            focuscolor=PANEL,
        )
        quiet = ("disabled", RAISED)
        style.map(
            "Accent.TButton",
            background=[quiet, ("active", ACCENT_DARK)],
            foreground=[("disabled", "#96a3ad")],
            bordercolor=[("disabled", LINE)],
            lightcolor=[quiet, ("active", ACCENT_DARK)],
            darkcolor=[quiet, ("active", ACCENT_DARK)],
        )
        style.configure("TNotebook", bordercolor=LINE, tabmargins=(0, 0, 0, 0))
        style.configure("TNotebook.Tab", background=RAISED, foreground=MUTED, bordercolor=LINE)
        style.map(
            "TNotebook.Tab",
            background=[("selected", PANEL), ("active", ACCENT_SOFT)],
            foreground=[("selected", ACCENT)],
            lightcolor=[("selected", PANEL)],
            expand=[("selected", (0, 0, 0, 0))],
        )
        style.configure("Page.TFrame", background=PANEL)
        style.configure("Page.TLabel", background=PANEL)
        style.configure("Field.TLabel", background=PANEL, foreground="#96a3ad")
        style.map("Field.TLabel", background=[("disabled", RAISED)])
        style.configure("Page.TCheckbutton", background=PANEL)
        style.map("Page.TCheckbutton", background=[("active", PANEL)])
        style.configure("Treeview", background=PANEL, bordercolor=LINE, borderwidth=0)
        style.map(
            "Treeview",
            background=[("selected", "focus", ACCENT), ("selected", ACCENT_SOFT)],
            foreground=[("selected", "focus", PANEL), ("selected", INK)],
        )
        style.configure("Treeview.Heading", background=RAISED, foreground=MUTED, relief="flat")
        style.map("Treeview.Heading", background=[("active", ACCENT_SOFT)])
        style.configure("TScrollbar", background=STRONG_LINE, bordercolor=GROUND, relief="flat")
        style.configure("TScrollbar", arrowcolor=MUTED, lightcolor=STRONG_LINE, gripcount=0)
        style.map(
            "TScrollbar",
            background=[("disabled", RAISED), ("active", MUTED)],
            lightcolor=[("disabled", RAISED)],
            arrowcolor=[("disabled", RAISED)],
        )
        style.configure("TPanedwindow", background=GROUND)
        style.configure("Sash", sashthickness=8, gripcount=0)
        style.map(
            "TCheckbutton",
            background=[("active", GROUND)],
            indicatorbackground=[("selected", ACCENT), ("!selected", PANEL)],
            indicatorforeground=[("selected", PANEL)],
        )
        set_default(root, "*TCombobox*Listbox.background", PANEL)
        set_default(root, "*TCombobox*Listbox.foreground", INK)
        set_default(root, "*TCombobox*Listbox.selectBackground", ACCENT)
        set_default(root, "*TCombobox*Listbox.selectForeground", PANEL)
        set_default(root, "*TCombobox*Listbox.font", "TkDefaultFont")
        set_default(root, "*Menu.background", PANEL)
        set_default(root, "*Menu.foreground", INK)
        set_default(root, "*Menu.activeBackground", ACCENT)
        set_default(root, "*Menu.activeForeground", PANEL)
        set_default(root, "*Menu.borderWidth", 1)
        set_default(root, "*Menu.activeBorderWidth", 0)
        set_default(root, "*Menu.relief", "flat")
