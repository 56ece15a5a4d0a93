"""`Window`: the main window; `modwire gui` opens it by `show`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tkinter as tk
from tkinter import ttk
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from . import session as states
from .choice import Choice
from .clients_pane import ClientsPane
from .devices_pane import DevicesPane
from .faults_pane import FaultsPane
from .form import SetupForm
from .guest import run_in_tk
from .menus import SEPARATOR, Entry, add_menus
from .mnemonics import underlined
from .points_pane import PointsPane
from .registers_pane import RegistersPane
from .session import Session, described_error
from .setup import Setup
from .theme import Theme, prefer_sharp_text
from .traffic_pane import TrafficPane
from .untyped import add_pane, call_book, move_sash

if TYPE_CHECKING:
    import outcome

_INTERVAL = 400  # milliseconds between two updates
_LOG = logging.getLogger(__name__)
_NOTHING = """\
Nothing is simulated.

Choose a device file, or leave the field empty for a small energy meter,
enter where to serve it, and press Start (F5)."""
_KEYS = """\
F5  start       Shift+F5  stop
Ctrl+O  choose a device file
Ctrl+1 to Ctrl+5  points, registers, traffic, clients, faults
Enter  edit the chosen point or register, switch a bit
Space  hold a point, or release it
Ctrl+F  filter the traffic
Ctrl++, Ctrl+-, Ctrl+0  larger, smaller, usual text
Alt and an underlined letter  go to that field or button"""


class NoDisplayError(OSError):
    """Raised if there is no screen for a window; its text says what to do."""


class Window:
    """The window, which works while `run` runs. Raises `NoDisplayError`."""

    def __init__(self, setup: Setup) -> None:
        prefer_sharp_text()
        try:
            self.root = tk.Tk(className="modwire")
        except tk.TclError as error:
            raise NoDisplayError(_no_display(str(error))) from None
        self.root.withdraw()  # until it is laid out
        self._interrupted = False
        self._ended: outcome.Outcome[None] | None = None
        self._refreshing = ""
        self.theme = Theme(self.root)
        self.choice = Choice(self.tell)
        self.session = Session(self._session_changed, self.tell)
        self._build(setup)
        self._add_menus()
        self.root.report_callback_exception = self._callback_failed
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self._session_changed()
        self._place()

    def run(self, *, start: bool = False) -> bool:
        """Show the window until it is closed; return True if Ctrl+C closed it.

        With `start`, the simulation starts at once. Call it in the main thread, for signals.
        """
        handlers = {
            number: signal.signal(number, self._signalled)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            run_in_tk(self.root, self.session.run, self._guest_ended)
            self.root.deiconify()
            self.form.start_button.focus_set()
            self._refresh()
            if start:
                self.start()
            self.root.mainloop()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if self._ended is not None:
            self._ended.unwrap()
        return self._interrupted

    def close(self) -> None:
        """End the simulation, and then close the window."""
        self.root.withdraw()
        self.session.close()

    # Widgets.

    def _build(self, setup: Setup) -> None:
        root, theme = self.root, self.theme
        gap = theme.px(8)
        self.form = SetupForm(root, theme, setup, self.start, self.stop)
        self.form.pack(fill="x")
        self.message = ttk.Label(root, style="Error.Message.TLabel")
        self.message.bind("<Button-1>", lambda event: self.tell(""))
        self.message.bind(
            "<Configure>",
            lambda event: self.message.configure(wraplength=max(100, event.width - 2 * gap)),
        )
        self._body = ttk.Frame(root, padding=gap)
        self._body.pack(fill="both", expand=True)
        panes = self._panes = ttk.PanedWindow(self._body, orient="horizontal")
        panes.pack(fill="both", expand=True)
        self.devices = DevicesPane(panes, theme, self.choice, self._device_chosen)
        add_pane(panes, self.devices, 2)
        right = ttk.Frame(panes, padding=(theme.px(4), 0, 0, 0))
        add_pane(panes, right, 5)
        head = ttk.Frame(right)
        head.pack(fill="x", pady=(0, theme.px(4)))
        self.units = ttk.Combobox(head, state="readonly", width=22)
        self.units.pack(side="right")
        self.units.bind("<<ComboboxSelected>>", lambda event: self._unit_chosen())
        unit_label = ttk.Label(head)
        underlined(unit_label, "U&nit", self.units)
        unit_label.pack(side="right", padx=theme.px(4))
        self.heading = ttk.Label(head, style="Title.TLabel")
        self.heading.pack(side="left")
        self.state = ttk.Label(head, style="Muted.TLabel")
        self.state.pack(side="left", padx=gap)
        self._unit_ids: list[int] = []
        self.book = ttk.Notebook(right)
        self.book.pack(fill="both", expand=True)
        self.book.enable_traversal()
        self.points = PointsPane(self.book, theme, self.choice)
        self.registers = RegistersPane(self.book, theme, self.choice)
        self.traffic = TrafficPane(self.book, theme, self.choice)
        self.clients = ClientsPane(self.book, theme, self.choice)
        self.faults = FaultsPane(self.book, theme, self.choice)
        self._pages = (self.points, self.registers, self.traffic, self.clients, self.faults)
        names = ("Po&ints", "&Registers", "Traffi&c", "C&lients", "Fa&ults")
        for page, name in zip(self._pages, names, strict=True):
            self.book.add(page, text=name.replace("&", ""), underline=name.index("&"))
        self.book.bind("<<NotebookTabChanged>>", lambda event: self._refresh_page())
        self._empty = ttk.Label(
            self._body,
            style="Empty.TLabel",
            justify="center",
            anchor="center",
        )

    def _add_menus(self) -> None:
        page = self.select_page
        add_menus(
            self.root,
            (
                (
                    "&File",
                    (
                        Entry("&Choose device file...", self.form.choose_file, "Control-o"),
                        Entry("Built-in &energy meter", self._choose_meter),
                        SEPARATOR,
                        Entry("&Quit", self.close, "Control-q"),
                    ),
                ),
                (
                    "&Simulation",
                    (
                        Entry("&Start", self.start, "F5"),
                        Entry("S&top", self.stop, "Shift-F5"),
                        SEPARATOR,
                        Entry("Start chosen &device", self.devices.start),
                        Entry("Stop &chosen device", self.devices.stop),
                    ),
                ),
                (
                    "&View",
                    (
                        Entry("&Points", lambda: page(0), "Control-Key-1"),
                        Entry("&Registers", lambda: page(1), "Control-Key-2"),
                        Entry("&Traffic", lambda: page(2), "Control-Key-3"),
                        Entry("&Clients", lambda: page(3), "Control-Key-4"),
                        Entry("&Faults", lambda: page(4), "Control-Key-5"),
                        SEPARATOR,
                        Entry("F&ilter traffic", self._filter_traffic, "Control-f"),
                        SEPARATOR,
                        Entry("&Larger text", lambda: self.zoom(1.1), "Control-plus"),
                        Entry("&Smaller text", lambda: self.zoom(1 / 1.1), "Control-minus"),
                        Entry("&Usual text size", lambda: self.zoom(0), "Control-Key-0"),
                    ),
                ),
                ("&Help", (Entry("&Keys", self._show_keys, "F1"),)),
            ),
        )
        # On many keyboards, plus needs Shift; zoom must work without it.
        self.root.bind("<Control-equal>", lambda event: self.zoom(1.1))
        # Enter pushes a button, like Space.
        self.root.bind_class("TButton", "<Return>", self._push)
        self.root.bind("<Escape>", lambda event: self.tell(""))

    def _place(self) -> None:
        """Size the window for its lists, but smaller than the screen."""
        root, theme = self.root, self.theme
        root.update_idletasks()
        width = min(theme.characters(170), round(root.winfo_screenwidth() * 0.95))
        height = min(theme.px(600), round(root.winfo_screenheight() * 0.85))
        root.geometry(f"{width}x{height}")
        root.update_idletasks()
        move_sash(self._panes, round(width * 0.37))
        root.minsize(min(width, theme.characters(90)), min(height, theme.px(300)))

    # Commands.

    def start(self) -> None:
        """Start the simulation that the form describes."""
        if self.session.start(self.form.setup().simulation):
            self.tell("")

    def stop(self) -> None:
        """End the simulation."""
        self.tell("")
        self.session.stop()

    def _push(self, event: tk.Event[tk.Misc]) -> None:
        if isinstance(event.widget, ttk.Button):
            event.widget.invoke()

    def _choose_meter(self) -> None:
        if self.session.state == states.STOPPED:
            self.form.set_file("")

    def select_page(self, index: int) -> None:
        """Show a page of the notebook, and set the focus to it."""
        call_book(self.book, "select", index)
        self._pages[index].focus_inside()

    def _filter_traffic(self) -> None:
        self.select_page(self._pages.index(self.traffic))
        self.traffic.text.focus_set()

    def zoom(self, factor: float) -> None:
        """Scale all fonts by `factor`; 0 restores the usual size."""
        self.theme.zoom(factor)
        for page in (self.devices, *self._pages):
            page.measure()

    def _show_keys(self) -> None:
        from tkinter import messagebox

        messagebox.showinfo("Keys", _KEYS, parent=self.root)

    def tell(self, text: str) -> None:
        """Show a message until the next action; "" removes it."""
        self.message.configure(text=text)
        if text:
            self.message.pack(
                fill="x", padx=self.theme.px(8), pady=(self.theme.px(4), 0), before=self._body
            )
        else:
            self.message.pack_forget()

    # Display.

    def _session_changed(self) -> None:
        state = self.session.state
        self.choice.view = self.session.view
        self.form.show(
            can_start=state == states.STOPPED, can_stop=state in (states.STARTING, states.RUNNING)
        )
        self._empty.configure(text=_NOTHING if state == states.STOPPED else "Starting ...")
        if self.session.view is None:
            self._empty.place(relx=0, rely=0, relwidth=1, relheight=1)
        else:
            self._empty.place_forget()
        self._refresh_all()

    def _refresh(self) -> None:
        self._refresh_all()
        self._refreshing = self.root.after(_INTERVAL, self._refresh)

    def _refresh_all(self) -> None:
        self.devices.refresh()
        self._show_heading()
        self._refresh_page()

    def _refresh_page(self) -> None:
        self._pages[int(call_book(self.book, "index", "current"))].refresh()

    def _show_heading(self) -> None:
        view, info = self.session.view, self.devices.chosen_device()
        if view is None or info is None:
            self.root.title("modwire simulator")
            self.heading.configure(text="")
            self.state.configure(text="")
            return
        first = view.devices(0, 1)[0].endpoints
        last = (
            view.devices(view.device_count() - 1, 1)[0].endpoints if view.device_count() > 1 else []
        )
        place = f"{first[0]} to {last[0]}" if last else first[0]
        doing = {states.STARTING: " (starting)", states.STOPPING: " (stopping)"}
        self.root.title(f"{view.title()} at {place}{doing.get(self.session.state, '')} - modwire")
        self.heading.configure(text=info.name)
        problem = self.devices.problem()
        if problem:
            self.state.configure(text=problem, style="Bad.TLabel")
        else:
            text = ", ".join(info.endpoints)
            text = text if info.running else f"stopped, {text}"
            self.state.configure(text=text, style="Muted.TLabel")

    def _device_chosen(self) -> None:
        info = self.devices.chosen_device()
        units = [] if info is None else info.units
        self._unit_ids = [unit.id for unit in units]
        self.units.configure(values=[f"{unit.id}  {unit.name}".rstrip() for unit in units])
        if self.choice.unit not in self._unit_ids:
            self.choice.unit = self._unit_ids[0] if self._unit_ids else None
        if self.choice.unit is None:
            self.units.set("")
        else:
            self.units.current(self._unit_ids.index(self.choice.unit))
        self._show_heading()
        self._refresh_page()

    def _unit_chosen(self) -> None:
        self.choice.unit = self._unit_ids[self.units.current()]
        self._refresh_page()

    # Ending.

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        # A signal comes at any moment; the rest waits for the main loop.
        self._interrupted = number == signal.SIGINT
        self.root.after(0, self.close)

    def _guest_ended(self, ended: outcome.Outcome[None]) -> None:
        self._ended = ended
        if self._refreshing:
            self.root.after_cancel(self._refreshing)
        self.root.destroy()

    def _callback_failed(
        self,
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, (ValueError, LookupError, OSError)):
            self.tell(described_error(error))
        else:
            self.tell(f"This is a bug in modwire, please report it: {error!r}")
            _LOG.error("in a callback of the window", exc_info=(kind, error, traceback))


def show(setup: Setup, *, start: bool = False) -> bool:
    """Open the window and wait until it is closed; return True if Ctrl+C closed it.

    Raises `NoDisplayError`.
    """
    return Window(setup).run(start=start)


def _no_display(reason: str) -> str:
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY"):
        return (
            f"no window can be opened: {reason}; `modwire simulate` needs none, "
            "and on Unix DISPLAY must name a screen, such as :0"
        )
    return (
        "no window can be opened, because DISPLAY is not set: run it on a desktop, with "
        "`ssh -X`, or with DISPLAY=:0; `modwire simulate` needs no window"
    )
