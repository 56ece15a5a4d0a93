"""`Window`: the front end on Tk, which comes with Python."""

from __future__ import annotations

import math
import sys
import tkinter as tk
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from tkinter import filedialog, font, messagebox, ttk
from typing import TYPE_CHECKING, Literal

import trio

from . import screen as labels
from .menus import menus
from .presenter import Presenter
from .screen import COLOURS, Column, Row, Screen
from .setup import Setup
from .toolkits import NoDisplayError
from .values import plain_label

if TYPE_CHECKING:
    import outcome

_GROUND, _INK, _LINE, _ACCENT = "#f5f7f8", "#16212b", "#bcc8d1", "#0b6b86"
_INSERTED_AT_ONCE = 5000
_MOST_LOOKED_UP = 200  # a hidden list says that all its rows are visible


def prefer_sharp_text() -> None:
    """Tell Windows that the window scales itself; call it before the window is made."""
    if sys.platform == "win32":
        import ctypes

        with suppress(AttributeError, OSError):  # missing before Windows 8.1
            ctypes.windll.shcore.SetProcessDpiAwareness(1)


class Window:
    """The window, which works while `run` runs. Raises NoDisplayError."""

    def __init__(self, setup: Setup) -> None:
        prefer_sharp_text()
        try:
            self.root = tk.Tk(className="modwire")
        except tk.TclError as error:
            raise NoDisplayError(str(error)) from None
        self.root.withdraw()  # until it is laid out
        self.presenter = Presenter(self)
        self._ended: outcome.Outcome[None]
        self._screen: Screen | None = None
        self._gap = max(2, round(self.root.winfo_fpixels("4p")))
        _style(self.root, self._gap)
        self._add_menus()
        self._add_form(setup)
        self.message = ttk.Label(self.root, foreground=COLOURS["bad"], padding=self._gap)
        self.message.bind(
            "<Configure>", lambda event: self.message.configure(wraplength=event.width)
        )
        self._body = ttk.PanedWindow(self.root, orient="horizontal")
        self._body.pack(fill="both", expand=True, padx=self._gap, pady=self._gap)
        self._add_devices()
        self._add_points()
        self.root.protocol("WM_DELETE_WINDOW", self.presenter.close)

    def run(self, *, start: bool = False) -> bool:
        """Show the window until it is closed; return True if Ctrl+C closed it."""
        if start:
            self.presenter.start()
        waiting: deque[Callable[[], object]] = deque()
        step = self.root.register(lambda: waiting.popleft()())

        def soon_from_anywhere(function: Callable[[], object]) -> None:
            # Tkinter passes calls from other threads to the thread of the main loop.
            waiting.append(function)
            self.root.tk.call("after", "idle", step)

        def soon(function: Callable[[], object]) -> None:
            # Through a timer, so that a busy guest does not block the events of the window.
            waiting.append(function)
            self.root.tk.call("after", "idle", "after", 0, step)

        trio.lowlevel.start_guest_run(
            self.presenter.run,
            run_sync_soon_threadsafe=soon_from_anywhere,
            run_sync_soon_not_threadsafe=soon,
            done_callback=self._guest_ended,
        )
        self.root.update_idletasks()
        most = round(self.root.winfo_screenwidth() * 0.95)
        width = min(self.root.winfo_reqwidth(), most)
        self.root.geometry(f"{width}x{width // 2}")
        self.root.deiconify()
        self.start_button.focus_set()
        self.root.mainloop()
        self._ended.unwrap()
        return self.presenter.interrupted

    def _guest_ended(self, ended: outcome.Outcome[None]) -> None:
        self._ended = ended
        self.root.destroy()

    # Widgets.

    def _add_menus(self) -> None:
        is_aqua = self.root.tk.call("tk", "windowingsystem") == "aqua"
        bar = tk.Menu(self.root)
        for name, entries in menus(self, self.presenter):
            menu = tk.Menu(bar, tearoff=False)
            bar.add_cascade(label=name.replace("&", ""), underline=name.index("&"), menu=menu)
            for entry in entries:
                if entry is None:
                    menu.add_separator()
                    continue
                keys = entry.keys.replace("Ctrl", "Command") if is_aqua else entry.keys
                label, letter = plain_label(entry.text), entry.text.index("&")
                menu.add_command(label=label, underline=letter, accelerator=keys, command=entry.act)
                if keys:
                    self._bind(_sequence(keys), entry.act)
        self.root.configure(menu=bar)

    def _bind(self, keys: str, act: Callable[[], object]) -> None:
        def pressed(event: tk.Event[tk.Misc]) -> str:
            act()
            return "break"

        self.root.bind(f"<{keys}>", pressed)

    def _button(self, parent: tk.Misc, text: str, act: Callable[[], object]) -> ttk.Button:
        button = ttk.Button(parent, command=act)
        self._underline(button, text, button.invoke)
        button.bind("<Return>", lambda event: button.invoke())
        return button

    def _label(self, parent: tk.Misc, text: str, field: ttk.Widget) -> ttk.Label:
        label = ttk.Label(parent)
        self._underline(label, text, field.focus_set)
        return label

    def _underline(
        self, widget: ttk.Label | ttk.Button, text: str, act: Callable[[], object]
    ) -> None:
        """Set the text of `widget`; Alt and the letter after & call `act`."""
        widget.configure(text=plain_label(text), underline=text.find("&"))
        if "&" in text:
            self._bind(f"Alt-{text[text.index('&') + 1].lower()}", act)

    def _add_form(self, setup: Setup) -> None:
        gap = self._gap
        top, bottom = (ttk.Frame(self.root, padding=(gap, gap, gap, 0)) for _ in range(2))
        top.pack(fill="x")
        bottom.pack(fill="x")
        self.file = ttk.Entry(top)
        self.host = ttk.Entry(bottom, width=16)
        (least, most), (fewest, many) = labels.PORT_LIMITS, labels.DEVICE_LIMITS
        self.port = ttk.Spinbox(bottom, from_=least, to=most, width=7)
        self.count = ttk.Spinbox(bottom, from_=fewest, to=many, width=7)
        self.next = ttk.Combobox(bottom, values=labels.NEXT_CHOICES, width=10, state="readonly")
        self.next.set(setup.consecutive)
        for entry, text in (
            (self.file, setup.file),
            (self.host, setup.host),
            (self.port, setup.port),
            (self.count, setup.devices),
        ):
            entry.insert(0, text)
        self.browse_button = self._button(top, labels.BROWSE, self.choose_file)
        self.start_button = self._button(bottom, labels.START, self.presenter.start)
        self.stop_button = self._button(bottom, labels.STOP, self.presenter.stop)
        self._label(top, labels.FILE, self.file).pack(side="left")
        self.file.pack(side="left", fill="x", expand=True, padx=gap)
        ttk.Label(top, text=labels.FILE_HINT, foreground=COLOURS["muted"]).pack(side="left")
        self.browse_button.pack(side="left", padx=gap)
        # Packed first, so that a large font cuts off the fields, not the buttons.
        self.stop_button.pack(side="right", padx=gap)
        self.start_button.pack(side="right")
        for text, field in (
            (labels.HOST, self.host),
            (labels.PORT, self.port),
            (labels.DEVICES, self.count),
            (labels.NEXT, self.next),
        ):
            self._label(bottom, text, field).pack(side="left")
            field.pack(side="left", padx=(gap, gap * 3))
        self._form = (self.file, self.host, self.port, self.count, self.next, self.browse_button)
        for each in self._form[:-1]:
            each.bind("<Return>", lambda event: self.presenter.start())

    def _add_devices(self) -> None:
        left = ttk.Frame(self._body)
        self._body.add(left, weight=1)  # pyright: ignore[reportUnknownMemberType]
        presenter = self.presenter
        self.devices = RowList(
            left, labels.DEVICE_COLUMNS, presenter.device_row, presenter.choose_device
        )
        self.devices.pack(fill="both", expand=True)
        self.start_device = self._button(left, labels.START_DEVICE, presenter.start_device)
        self.stop_device = self._button(left, labels.STOP_DEVICE, presenter.stop_device)
        self.start_device.pack(side="left", pady=(self._gap, 0))
        self.stop_device.pack(side="left", pady=(self._gap, 0), padx=self._gap)

    def _add_points(self) -> None:
        gap, presenter = self._gap, self.presenter
        right = ttk.Frame(self._body, padding=(gap, 0, 0, 0))
        self._body.add(right, weight=2)  # pyright: ignore[reportUnknownMemberType]
        head, foot = ttk.Frame(right), ttk.Frame(right)
        head.pack(fill="x", pady=(0, gap))
        foot.pack(fill="x", side="bottom", pady=(gap, 0))
        self.units = ttk.Combobox(head, state="readonly", width=20)
        self.units.pack(side="right")
        self.units.bind(
            "<<ComboboxSelected>>", lambda event: presenter.choose_unit(self.units.current())
        )
        self._label(head, labels.UNIT, self.units).pack(side="right", padx=gap)
        self.heading = ttk.Label(head, font="TkHeadingFont")
        self.heading.pack(side="left")
        self.points = RowList(
            right, labels.POINT_COLUMNS, presenter.point_row, presenter.choose_point
        )
        self.points.pack(fill="both", expand=True)
        for event in ("<Return>", "<KP_Enter>", "<Double-Button-1>"):
            self.points.tree.bind(event, lambda event: self._edit())
        self.value = ttk.Entry(foot, width=24)
        self.value.bind("<Return>", lambda event: presenter.set_value(self.value.get()))
        self.value_label = self._label(foot, "&Value", self.value)
        self.set_button = self._button(
            foot, labels.SET, lambda: presenter.set_value(self.value.get())
        )
        self.hold_button = self._button(foot, labels.HOLD, presenter.hold)
        # What is packed first has its room; then the field has what a long name leaves.
        self.hold_button.pack(side="right")
        self.set_button.pack(side="right", padx=gap)
        self.value_label.pack(side="left")
        self.value.pack(side="left", padx=(gap, 0), fill="x", expand=True)

    def _edit(self) -> str:
        if not self.presenter.switch():
            self.value.focus_set()
            self.value.select_range(0, "end")
        return "break"

    # The front end of the presenter.

    def setup(self) -> Setup:
        """Return the texts of the form."""
        return Setup(
            self.file.get(), self.host.get(), self.port.get(), self.count.get(), self.next.get()
        )

    def show(self, screen: Screen) -> None:
        """Show `screen`."""
        before, self._screen = self._screen, screen
        self.devices.show(screen.devices, screen.device)
        self.points.show(screen.points, screen.point)
        if screen == before:
            return
        self.root.title(screen.title)
        self.heading.configure(text=screen.heading)
        self.message.configure(text=screen.message)
        if screen.message:
            self.message.pack(fill="x", before=self._body)
        else:
            self.message.pack_forget()
        for widget in (*self._form, self.start_button):
            _enable(widget, screen.can_start)
        _enable(self.stop_button, screen.can_stop)
        _enable(self.start_device, screen.can_start_device)
        _enable(self.stop_device, screen.can_stop_device)
        self.units.configure(values=list(screen.units))
        self.units.set("" if screen.unit is None else screen.units[screen.unit])
        _enable(self.value, screen.can_set)
        _enable(self.set_button, screen.can_set)
        _enable(self.hold_button, screen.can_hold)
        hold = labels.RELEASE if screen.is_held else labels.HOLD
        self._underline(self.hold_button, hold, self.hold_button.invoke)
        if before is None or screen.editor != before.editor:
            self._underline(self.value_label, screen.editor.label, self.value.focus_set)
            self.value.delete(0, "end")
            self.value.insert(0, screen.editor.text)

    def choose_file(self) -> None:
        """Let the user choose a device file."""
        if self.file.instate(["disabled"]):
            return
        path = ""
        with suppress(tk.TclError):  # the window was closed meanwhile
            path = filedialog.askopenfilename(
                parent=self.root,
                title=labels.CHOOSE_FILE,
                filetypes=labels.FILE_KINDS,
                initialdir=self.setup().folder,
            )
        if path:
            self.set_file(path)

    def set_file(self, path: str) -> None:
        """Write a device file into the form, if it can be changed now."""
        self.file.delete(0, "end")  # a disabled field does not change
        self.file.insert(0, path)
        self.file.xview_moveto(1.0)

    def inform(self, title: str, text: str) -> None:
        """Show a text until the user closes it."""
        with suppress(tk.TclError):  # the window was closed meanwhile
            messagebox.showinfo(title, text, parent=self.root)


class RowList(ttk.Frame):
    """A list of thousands of rows, named by their index, which looks up only the visible ones."""

    def __init__(
        self,
        parent: tk.Misc,
        columns: Sequence[Column],
        row: Callable[[int], Row],
        chosen: Callable[[int], None],
    ) -> None:
        super().__init__(parent)
        self._row = row
        self._inserted = 0
        names = [str(number) for number in range(len(columns))]
        self.tree = ttk.Treeview(self, columns=names, show="headings", selectmode="browse")
        scroll = self.tree.yview  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        bar = ttk.Scrollbar(self, command=scroll)  # pyright: ignore[reportUnknownArgumentType]

        def moved(first: float, last: float) -> None:
            bar.set(first, last)
            self.after_idle(self._look_up)

        self.tree.configure(yscrollcommand=moved)
        bar.pack(side="right", fill="y")
        self.tree.pack(fill="both", expand=True)
        digit = font.nametofont("TkDefaultFont", self).measure("0")
        for number, column in enumerate(columns):
            anchor: Literal["e", "w"] = "e" if column.right else "w"
            self.tree.heading(number, text=column.name, anchor=anchor)
            width = digit * (column.width + 2)
            self.tree.column(number, width=width, stretch=number == len(columns) - 1, anchor=anchor)
        for mark, colour in COLOURS.items():
            self.tree.tag_configure(mark, foreground=colour)

        def selected(event: tk.Event[ttk.Treeview]) -> None:
            if self.tree.selection():
                chosen(int(self.tree.selection()[0]))

        self.tree.bind("<<TreeviewSelect>>", selected)

    def show(self, count: int, chosen: int | None) -> None:
        """Have `count` rows, up to some thousand more than before, and look up the visible ones."""
        if count < self._inserted:
            self.tree.delete(*map(str, range(count, self._inserted)))
            self._inserted = count
        stop = min(count, self._inserted + _INSERTED_AT_ONCE)
        for index in range(self._inserted, stop):
            self.tree.insert("", "end", str(index))
        self._inserted = stop
        if chosen is not None and chosen < stop and self.tree.selection() != (str(chosen),):
            self.tree.selection_set(str(chosen))
            self.tree.focus(str(chosen))
        self._look_up()

    def _look_up(self) -> None:
        top, bottom = self.tree.yview()  # pyright: ignore[reportUnknownMemberType]
        start = int(top * self._inserted)
        stop = min(self._inserted, math.ceil(bottom * self._inserted) + 1, start + _MOST_LOOKED_UP)
        for index in range(start, stop):
            row = self._row(index)
            self.tree.item(str(index), values=list(row.texts), tags=[row.mark])


def _enable(widget: ttk.Widget, enabled: bool) -> None:
    widget.state(["!disabled" if enabled else "disabled"])


def _sequence(keys: str) -> str:
    """Return "Ctrl+O" as "Control-Key-o", as Tk wants it."""
    *modifiers, key = keys.replace("Ctrl", "Control").split("+")
    return "-".join([*modifiers, "Key", key.lower() if len(key) == 1 else key])


def _style(root: tk.Tk, gap: int) -> None:
    """Give the widgets colours on X11, where Tk has no native look, and rows their height."""
    style = ttk.Style(root)
    line = font.nametofont("TkDefaultFont", root).metrics("linespace")
    style.configure("Treeview", rowheight=line + gap)
    if root.tk.call("tk", "windowingsystem") == "x11":
        style.theme_use("clam")
        style.configure(
            ".", background=_GROUND, foreground=_INK, bordercolor=_LINE, selectbackground=_ACCENT
        )
        style.map(".", foreground=[("disabled", COLOURS["muted"])])
        style.map("Treeview", background=[("selected", _ACCENT)], foreground=[("selected", "#fff")])
        for name in ("TEntry", "TSpinbox", "TCombobox"):
            style.configure(name, padding=gap // 2)
        style.map("TCombobox", fieldbackground=[("disabled", _GROUND), ("readonly", "#fff")])
        root.configure(background=_GROUND)
