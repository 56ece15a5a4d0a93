"""`Window`: the front end on GTK 3, by PyGObject."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import gi
import trio

from . import screen as labels
from .menus import menus
from .presenter import Presenter
from .screen import COLOURS, Column, Row, Screen
from .setup import Setup
from .toolkits import NoDisplayError

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk, Pango  # noqa: E402

if TYPE_CHECKING:
    import outcome

_GAP = 6  # pixels, which GTK scales itself


class Window:
    """The window, which works while `run` runs. Raises NoDisplayError."""

    def __init__(self, setup: Setup) -> None:
        if not Gtk.init_check(sys.argv[:1])[0]:
            raise NoDisplayError(f"couldn't connect to display {os.environ.get('DISPLAY')!r}")
        self.presenter = Presenter(self)
        self._ended: outcome.Outcome[None]
        self._screen: Screen | None = None
        self._units: Sequence[str] = ()
        self.window = Gtk.Window()
        self.window.set_default_size(1240, 600)
        self.window.connect("delete-event", self._closed)
        everything = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        self.window.add(everything)
        everything.add(self._menus())
        form = Gtk.Grid(row_spacing=_GAP, column_spacing=_GAP, margin=_GAP)
        everything.add(form)
        self._add_form(form, setup)
        self.message = Gtk.Label(xalign=0, selectable=True)
        self.message.set_line_wrap(True)
        self.message_bar = Gtk.InfoBar(message_type=Gtk.MessageType.ERROR, no_show_all=True)
        self.message_bar.get_content_area().add(self.message)
        everything.add(self.message_bar)
        panes = Gtk.Paned(margin=_GAP, position=520)
        everything.pack_start(panes, True, True, 0)
        panes.pack1(self._devices(), True, False)
        panes.pack2(self._points(), True, False)

    def run(self, *, start: bool = False) -> bool:
        """Show the window until it is closed; return True if Ctrl+C closed it."""
        if start:
            self.presenter.start()
        trio.lowlevel.start_guest_run(
            self.presenter.run,
            run_sync_soon_threadsafe=_soon,
            done_callback=self._guest_ended,
            host_uses_signal_set_wakeup_fd=True,  # PyGObject does, in its main loop
        )
        self.window.show_all()
        self.message.show()
        self.start_button.grab_focus()
        Gtk.main()
        self._ended.unwrap()
        return self.presenter.interrupted

    def _guest_ended(self, ended: outcome.Outcome[None]) -> None:
        self._ended = ended
        self.window.destroy()
        Gtk.main_quit()

    def _closed(self, window: Gtk.Window, event: Gdk.Event) -> bool:
        self.presenter.close()
        return True  # `_guest_ended` destroys it

    # Widgets.

    def _menus(self) -> Gtk.MenuBar:
        bar, keys = Gtk.MenuBar(), Gtk.AccelGroup()
        self.window.add_accel_group(keys)
        for name, entries in menus(self, self.presenter):
            menu = Gtk.Menu()
            top = Gtk.MenuItem(label=_mnemonic(name), use_underline=True)
            top.set_submenu(menu)
            bar.append(top)
            for entry in entries:
                if entry is None:
                    menu.append(Gtk.SeparatorMenuItem())
                    continue
                item = Gtk.MenuItem(label=_mnemonic(entry.text), use_underline=True)
                item.connect("activate", _ignoring(entry.act))
                if entry.keys:
                    text = entry.keys.replace("Ctrl+", "<Control>").replace("Shift+", "<Shift>")
                    item.add_accelerator(
                        "activate", keys, *Gtk.accelerator_parse(text), Gtk.AccelFlags.VISIBLE
                    )
                menu.append(item)
        return bar

    def _button(self, text: str, act: Callable[[], object]) -> Gtk.Button:
        button = Gtk.Button(label=_mnemonic(text), use_underline=True)
        button.connect("clicked", _ignoring(act))
        return button

    def _add_form(self, form: Gtk.Grid, setup: Setup) -> None:
        self.file = Gtk.Entry(
            text=setup.file, placeholder_text=labels.FILE_HINT, activates_default=True, hexpand=True
        )
        self.host = Gtk.Entry(text=setup.host, width_chars=16)
        self.port = _number(setup.port, labels.PORT_LIMITS)
        self.count = _number(setup.devices, labels.DEVICE_LIMITS)
        self.next = Gtk.ComboBoxText()
        for choice in labels.NEXT_CHOICES:
            self.next.append_text(choice)
        self.next.set_active(labels.NEXT_CHOICES.index(setup.consecutive))
        self.browse_button = self._button(labels.BROWSE, self.choose_file)
        self.start_button = self._button(labels.START, self.presenter.start)
        self.start_button.get_style_context().add_class("suggested-action")
        self.stop_button = self._button(labels.STOP, self.presenter.stop)
        form.attach(_label(labels.FILE, self.file), 0, 0, 1, 1)
        form.attach(self.file, 1, 0, 8, 1)
        form.attach(self.browse_button, 9, 0, 2, 1)
        column = 0
        for text, field in (
            (labels.HOST, self.host),
            (labels.PORT, self.port),
            (labels.DEVICES, self.count),
            (labels.NEXT, self.next),
        ):
            form.attach(_label(text, field), column, 1, 1, 1)
            form.attach(field, column + 1, 1, 1, 1)
            column += 2
        form.attach(Gtk.Label(hexpand=True), 8, 1, 1, 1)
        form.attach(self.start_button, 9, 1, 1, 1)
        form.attach(self.stop_button, 10, 1, 1, 1)
        self._form = (self.file, self.host, self.port, self.count, self.next, self.browse_button)
        for entry in (self.file, self.host, self.port, self.count):
            entry.connect("activate", _ignoring(self.presenter.start))

    def _devices(self) -> Gtk.Box:
        presenter = self.presenter
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=_GAP)
        self.devices = RowList(
            labels.DEVICE_COLUMNS, presenter.device_row, presenter.choose_device, lambda: None
        )
        self.start_device = self._button(labels.START_DEVICE, presenter.start_device)
        self.stop_device = self._button(labels.STOP_DEVICE, presenter.stop_device)
        box.pack_start(self.devices.scrolled, True, True, 0)
        box.add(_in_a_row(self.start_device, self.stop_device))
        return box

    def _points(self) -> Gtk.Box:
        presenter = self.presenter
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=_GAP)
        self.heading = Gtk.Label(xalign=0, ellipsize=Pango.EllipsizeMode.END)
        self.units = Gtk.ComboBoxText()
        self.units.connect("changed", self._unit_chosen)
        head = _in_a_row(self.heading)
        head.pack_end(self.units, False, False, 0)
        head.pack_end(_label(labels.UNIT, self.units), False, False, 0)
        self.points = RowList(
            labels.POINT_COLUMNS, presenter.point_row, presenter.choose_point, self._edit
        )
        self.value = Gtk.Entry(width_chars=24)
        self.value_label = _label("&Value", self.value)
        write = _ignoring(lambda: presenter.set_value(self.value.get_text()))
        self.value.connect("activate", write)
        self.set_button = self._button(labels.SET, lambda: write())
        self.hold_button = self._button(labels.HOLD, presenter.hold)
        box.add(head)
        box.pack_start(self.points.scrolled, True, True, 0)
        box.add(_in_a_row(self.value_label, self.value, self.set_button, self.hold_button))
        return box

    def _edit(self) -> None:
        if not self.presenter.switch():
            self.value.grab_focus()

    def _unit_chosen(self, units: Gtk.ComboBoxText) -> None:
        if units.get_active() >= 0:
            self.presenter.choose_unit(units.get_active())

    # The front end of the presenter.

    def setup(self) -> Setup:
        """Return the texts of the form."""
        return Setup(
            self.file.get_text(),
            self.host.get_text(),
            self.port.get_text(),
            self.count.get_text(),
            labels.NEXT_CHOICES[self.next.get_active()],
        )

    def show(self, screen: Screen) -> None:
        """Show `screen`."""
        before, self._screen = self._screen, screen
        self.devices.show(screen.devices, screen.device)
        self.points.show(screen.points, screen.point)
        if screen == before:
            return
        self.window.set_title(screen.title)
        self.heading.set_text(screen.heading)
        self.message.set_text(screen.message)
        self.message_bar.set_visible(bool(screen.message))
        for field in self._form:
            field.set_sensitive(screen.can_start)
        self.start_button.set_sensitive(screen.can_start)
        self.stop_button.set_sensitive(screen.can_stop)
        self.start_device.set_sensitive(screen.can_start_device)
        self.stop_device.set_sensitive(screen.can_stop_device)
        if screen.units != self._units:
            self._units = screen.units
            self.units.remove_all()
            for unit in screen.units:
                self.units.append_text(unit)
        self.units.set_active(-1 if screen.unit is None else screen.unit)
        self.value.set_sensitive(screen.can_set)
        self.set_button.set_sensitive(screen.can_set)
        self.hold_button.set_sensitive(screen.can_hold)
        self.hold_button.set_label(_mnemonic(labels.RELEASE if screen.is_held else labels.HOLD))
        if before is None or screen.editor != before.editor:
            self.value_label.set_text_with_mnemonic(_mnemonic(screen.editor.label))
            self.value.set_text(screen.editor.text)

    def choose_file(self) -> None:
        """Let the user choose a device file."""
        if not self.file.get_sensitive():
            return
        dialog = Gtk.FileChooserDialog(
            title=labels.CHOOSE_FILE,
            transient_for=self.window,
            modal=True,
            destroy_with_parent=True,
        )
        dialog.add_buttons("_Cancel", Gtk.ResponseType.CANCEL, "_Open", Gtk.ResponseType.OK)
        dialog.set_default_response(Gtk.ResponseType.OK)
        dialog.set_current_folder(self.setup().folder)
        for name, patterns in labels.FILE_KINDS:
            kind = Gtk.FileFilter()
            kind.set_name(name)
            for pattern in patterns:
                kind.add_pattern(pattern)
            dialog.add_filter(kind)
        dialog.connect("response", self._file_chosen)
        dialog.show()

    def _file_chosen(self, dialog: Gtk.FileChooserDialog, answer: int) -> None:
        path = dialog.get_filename()
        dialog.destroy()
        if answer == Gtk.ResponseType.OK and path:
            self.set_file(path)

    def set_file(self, path: str) -> None:
        """Write a device file into the form, if it can be changed now."""
        if self.file.get_sensitive():
            self.file.set_text(path)
            self.file.set_position(-1)

    def inform(self, title: str, text: str) -> None:
        """Show a text until the user closes it."""
        dialog = Gtk.MessageDialog(
            transient_for=self.window,
            modal=True,
            destroy_with_parent=True,
            message_type=Gtk.MessageType.INFO,
            buttons=Gtk.ButtonsType.CLOSE,
            title=title,
            text=text,
        )
        dialog.connect("response", lambda *ignored: dialog.destroy())
        dialog.show()


class RowList:
    """A list of thousands of rows; GTK draws, and so looks up, only the visible ones."""

    def __init__(
        self,
        columns: Sequence[Column],
        row: Callable[[int], Row],
        chosen: Callable[[int], None],
        activated: Callable[[], None],
    ) -> None:
        self._row = row
        self._chosen = chosen
        self.model = Gtk.ListStore(int)
        self.tree = Gtk.TreeView(model=self.model, enable_search=False)
        for number, column in enumerate(columns):
            text = Gtk.CellRendererText(
                xalign=1.0 if column.right else 0.0, ellipsize=Pango.EllipsizeMode.END
            )
            view = Gtk.TreeViewColumn(column.name, text)
            view.set_alignment(1.0 if column.right else 0.0)
            view.set_cell_data_func(text, self._show_cell, number)
            view.set_sizing(Gtk.TreeViewColumnSizing.FIXED)
            view.set_fixed_width(column.width * 8 + 16)
            view.set_resizable(True)
            view.set_expand(number == len(columns) - 1)
            self.tree.append_column(view)
        self.tree.set_fixed_height_mode(True)
        self.tree.get_selection().connect("changed", self._selected)
        self.tree.connect("row-activated", lambda *ignored: activated())
        self.scrolled = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN)
        self.scrolled.add(self.tree)

    def _show_cell(
        self,
        view: Gtk.TreeViewColumn,
        cell: Gtk.CellRendererText,
        model: Gtk.ListStore,
        at: Gtk.TreeIter,
        column: int,
    ) -> None:
        row = self._row(model[at][0])
        cell.set_property("text", row.texts[column] if row.texts else "")
        cell.set_property("foreground", COLOURS.get(row.mark))

    def _selected(self, selection: Gtk.TreeSelection) -> None:
        _, at = selection.get_selected()
        if at is not None:
            self._chosen(self.model[at][0])

    def show(self, count: int, chosen: int | None) -> None:
        """Have `count` rows, and show the current values."""
        for index in range(len(self.model), count):
            self.model.append([index])
        while len(self.model) > count:
            del self.model[-1]
        if chosen is not None and chosen < count:
            self.tree.get_selection().select_path(Gtk.TreePath(chosen))
        self.tree.queue_draw()


def _soon(function: Callable[[], object]) -> None:
    def once() -> bool:
        function()
        return False

    GLib.idle_add(once)


def _ignoring(act: Callable[[], object]) -> Callable[..., None]:
    """Return a handler that calls `act` without the arguments of its signal."""

    def handle(*ignored: object) -> None:
        act()

    return handle


def _mnemonic(text: str) -> str:
    return text.replace("_", "__").replace("&&", "\0").replace("&", "_").replace("\0", "&")


def _label(text: str, field: Gtk.Widget) -> Gtk.Label:
    label = Gtk.Label(xalign=0)
    label.set_text_with_mnemonic(_mnemonic(text))
    label.set_mnemonic_widget(field)
    return label


def _number(text: str, limits: tuple[int, int]) -> Gtk.SpinButton:
    field = Gtk.SpinButton.new_with_range(*limits, 1)
    field.set_value(float(text))
    return field


def _in_a_row(*widgets: Gtk.Widget) -> Gtk.Box:
    box = Gtk.Box(spacing=_GAP)
    for widget in widgets:
        box.add(widget)
    return box
