"""`Window`: the front end on wxPython."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio
import wx

from . import screen as labels
from .menus import menus
from .presenter import Presenter
from .screen import COLOURS, Column, Row, Screen
from .setup import Setup
from .toolkits import NoDisplayError

if TYPE_CHECKING:
    import outcome

_GAP = 6  # pixels, which wx scales by FromDIP


class Window:
    """The window, which works while `run` runs. Raises NoDisplayError."""

    def __init__(self, setup: Setup) -> None:
        if not wx.App.IsDisplayAvailable():
            raise NoDisplayError(f"couldn't connect to display {os.environ.get('DISPLAY')!r}")
        self.app = wx.App()
        self.presenter = Presenter(self)
        self._ended: outcome.Outcome[None]
        self._screen: Screen | None = None
        self._dialog: wx.Dialog | None = None
        self.frame = wx.Frame(None, title="modwire simulator")
        self._gap = self.frame.FromDIP(_GAP)
        self.frame.SetSize(self.frame.FromDIP(wx.Size(1240, 600)))
        self.frame.Bind(wx.EVT_CLOSE, lambda event: self.presenter.close())
        self._add_menus()
        # In a panel, Tab leads from field to field.
        self.panel = wx.Panel(self.frame)
        everything = wx.BoxSizer(wx.VERTICAL)
        self._add_form(everything, setup)
        self.message = wx.StaticText(self.panel)
        self.message.SetForegroundColour(COLOURS["bad"])
        everything.Add(self.message, 0, wx.EXPAND | wx.LEFT | wx.RIGHT, self._gap)
        panes = wx.SplitterWindow(self.panel, style=wx.SP_LIVE_UPDATE)
        panes.SplitVertically(self._devices(panes), self._points(panes), self.frame.FromDIP(520))
        panes.SetMinimumPaneSize(self.frame.FromDIP(100))
        everything.Add(panes, 1, wx.EXPAND | wx.ALL, self._gap)
        self.panel.SetSizer(everything)

    def run(self, *, start: bool = False) -> bool:
        """Show the window until it is closed; return True if Ctrl+C closed it."""
        if start:
            self.presenter.start()
        trio.lowlevel.start_guest_run(
            self.presenter.run,
            run_sync_soon_threadsafe=wx.CallAfter,
            # Through a timer, so that a busy guest does not block the events of the window.
            run_sync_soon_not_threadsafe=lambda function: wx.CallLater(1, function),
            done_callback=self._guest_ended,
        )
        self.frame.Show()
        self.start_button.SetFocus()
        self.app.MainLoop()
        self._ended.unwrap()
        return self.presenter.interrupted

    def _guest_ended(self, ended: outcome.Outcome[None]) -> None:
        self._ended = ended
        if self._dialog is not None:
            self._dialog.EndModal(wx.ID_CANCEL)
        self.frame.Destroy()

    # Widgets.

    def _add_menus(self) -> None:
        bar = wx.MenuBar()
        for name, entries in menus(self, self.presenter):
            menu = wx.Menu()
            bar.Append(menu, name)
            for entry in entries:
                if entry is None:
                    menu.AppendSeparator()
                    continue
                item = menu.Append(wx.ID_ANY, f"{entry.text}\t{entry.keys}".rstrip("\t"))
                self.frame.Bind(wx.EVT_MENU, _ignoring(entry.act), item)
        self.frame.SetMenuBar(bar)

    def _button(self, parent: wx.Window, text: str, act: Callable[[], object]) -> wx.Button:
        button = wx.Button(parent, label=text)
        button.Bind(wx.EVT_BUTTON, _ignoring(act))
        return button

    def _row(self, *parts: wx.Window | None) -> wx.BoxSizer:
        """Return widgets in a row, with the remaining width at None."""
        row = wx.BoxSizer(wx.HORIZONTAL)
        for part in parts:
            if part is None:
                row.AddStretchSpacer()
            else:
                row.Add(part, 0, wx.ALIGN_CENTER_VERTICAL | wx.RIGHT, self._gap)
        return row

    def _add_form(self, everything: wx.BoxSizer, setup: Setup) -> None:
        panel, parts = self.panel, list[wx.Window | None]()
        # Each label is made just before its field: its letter leads to what follows.
        top = self._row(wx.StaticText(panel, label=labels.FILE))
        self.file = wx.TextCtrl(panel, value=setup.file, style=wx.TE_PROCESS_ENTER)
        self.file.SetHint(labels.FILE_HINT)
        self.browse_button = self._button(panel, labels.BROWSE, self.choose_file)
        top.Add(self.file, 1, wx.ALIGN_CENTER_VERTICAL | wx.RIGHT, self._gap)
        top.Add(self.browse_button)
        parts.append(wx.StaticText(panel, label=labels.HOST))
        self.host = wx.TextCtrl(panel, value=setup.host, style=wx.TE_PROCESS_ENTER)
        parts += [self.host, wx.StaticText(panel, label=labels.PORT)]
        self.port = _number(panel, setup.port, labels.PORT_LIMITS)
        parts += [self.port, wx.StaticText(panel, label=labels.DEVICES)]
        self.count = _number(panel, setup.devices, labels.DEVICE_LIMITS)
        parts += [self.count, wx.StaticText(panel, label=labels.NEXT)]
        self.next = wx.Choice(panel, choices=list(labels.NEXT_CHOICES))
        self.next.SetStringSelection(setup.consecutive)
        self.start_button = self._button(panel, labels.START, self.presenter.start)
        self.stop_button = self._button(panel, labels.STOP, self.presenter.stop)
        parts += [self.next, None, self.start_button, self.stop_button]
        everything.Add(top, 0, wx.EXPAND | wx.ALL, self._gap)
        everything.Add(self._row(*parts), 0, wx.EXPAND | wx.LEFT | wx.BOTTOM, self._gap)
        self._form = (self.file, self.host, self.port, self.count, self.next, self.browse_button)
        for field in (self.file, self.host, self.port, self.count):
            field.Bind(wx.EVT_TEXT_ENTER, _ignoring(self.presenter.start))

    def _devices(self, panes: wx.Window) -> wx.Panel:
        presenter, panel, all_of_it = self.presenter, wx.Panel(panes), wx.BoxSizer(wx.VERTICAL)
        self.devices = RowList(
            panel, labels.DEVICE_COLUMNS, presenter.device_row, presenter.choose_device
        )
        self.start_device = self._button(panel, labels.START_DEVICE, presenter.start_device)
        self.stop_device = self._button(panel, labels.STOP_DEVICE, presenter.stop_device)
        all_of_it.Add(self.devices, 1, wx.EXPAND | wx.BOTTOM, self._gap)
        all_of_it.Add(self._row(self.start_device, self.stop_device))
        panel.SetSizer(all_of_it)
        return panel

    def _points(self, panes: wx.Window) -> wx.Panel:
        presenter, panel, all_of_it = self.presenter, wx.Panel(panes), wx.BoxSizer(wx.VERTICAL)
        self.heading = wx.StaticText(panel, style=wx.ST_ELLIPSIZE_END | wx.ST_NO_AUTORESIZE)
        head = wx.BoxSizer(wx.HORIZONTAL)
        head.Add(self.heading, 1, wx.ALIGN_CENTER_VERTICAL)
        head.Add(self._row(wx.StaticText(panel, label=labels.UNIT)), 0, wx.ALIGN_CENTER_VERTICAL)
        self.units = wx.Choice(panel, size=self.frame.FromDIP(wx.Size(160, -1)))
        self.units.Bind(
            wx.EVT_CHOICE, lambda event: presenter.choose_unit(self.units.GetSelection())
        )
        head.Add(self.units)
        self.points = RowList(
            panel, labels.POINT_COLUMNS, presenter.point_row, presenter.choose_point
        )
        self.points.Bind(wx.EVT_LIST_ITEM_ACTIVATED, _ignoring(self._edit))
        self.value_label = wx.StaticText(panel, label="&Value")
        self.value = wx.TextCtrl(
            panel, size=self.frame.FromDIP(wx.Size(180, -1)), style=wx.TE_PROCESS_ENTER
        )
        write = _ignoring(lambda: presenter.set_value(self.value.GetValue()))
        self.value.Bind(wx.EVT_TEXT_ENTER, write)
        self.set_button = self._button(panel, labels.SET, lambda: write())
        self.hold_button = self._button(panel, labels.HOLD, presenter.hold)
        foot = self._row(self.value_label, self.value, self.set_button, self.hold_button)
        all_of_it.Add(head, 0, wx.EXPAND | wx.BOTTOM, self._gap)
        all_of_it.Add(self.points, 1, wx.EXPAND | wx.BOTTOM, self._gap)
        all_of_it.Add(foot)
        panel.SetSizer(all_of_it)
        return panel

    def _edit(self) -> None:
        if not self.presenter.switch():
            self.value.SetFocus()
            self.value.SelectAll()

    # The front end of the presenter.

    def setup(self) -> Setup:
        """Return the texts of the form."""
        return Setup(
            self.file.GetValue(),
            self.host.GetValue(),
            str(self.port.GetValue()),
            str(self.count.GetValue()),
            self.next.GetStringSelection(),
        )

    def show(self, screen: Screen) -> None:
        """Show `screen`."""
        before, self._screen = self._screen, screen
        self.devices.show(screen.devices, screen.device)
        self.points.show(screen.points, screen.point)
        if screen == before:
            return
        self.frame.SetTitle(screen.title)
        self.heading.SetLabelText(screen.heading)
        self.message.SetLabelText(screen.message)
        self.message.Wrap(self.panel.GetClientSize().width - 2 * self._gap)
        self.message.Show(bool(screen.message))
        for field in self._form:
            field.Enable(screen.can_start)
        self.start_button.Enable(screen.can_start)
        self.stop_button.Enable(screen.can_stop)
        self.start_device.Enable(screen.can_start_device)
        self.stop_device.Enable(screen.can_stop_device)
        if before is None or screen.units != before.units:
            self.units.SetItems(list(screen.units))
        self.units.SetSelection(wx.NOT_FOUND if screen.unit is None else screen.unit)
        self.value.Enable(screen.can_set)
        self.set_button.Enable(screen.can_set)
        self.hold_button.Enable(screen.can_hold)
        self.hold_button.SetLabel(labels.RELEASE if screen.is_held else labels.HOLD)
        if before is None or screen.editor != before.editor:
            self.value_label.SetLabel(screen.editor.label)
            self.value.ChangeValue(screen.editor.text)
            self.value.GetParent().Layout()
        self.panel.Layout()

    def choose_file(self) -> None:
        """Let the user choose a device file."""
        if not self.file.IsEnabled():
            return
        kinds = "|".join(f"{name}|{';'.join(patterns)}" for name, patterns in labels.FILE_KINDS)
        dialog = wx.FileDialog(
            self.frame,
            labels.CHOOSE_FILE,
            defaultDir=self.setup().folder,
            wildcard=kinds,
            style=wx.FD_OPEN | wx.FD_FILE_MUST_EXIST,
        )
        if self._answer(dialog) == wx.ID_OK:
            self.set_file(dialog.GetPath())

    def set_file(self, path: str) -> None:
        """Write a device file into the form, if it can be changed now."""
        if self.file.IsEnabled():
            self.file.ChangeValue(path)
            self.file.SetInsertionPointEnd()

    def inform(self, title: str, text: str) -> None:
        """Show a text until the user closes it."""
        # Unlike the native one, it can be closed by `_guest_ended`.
        style = wx.OK | wx.ICON_INFORMATION
        self._answer(wx.GenericMessageDialog(self.frame, text, title, style))

    def _answer(self, dialog: wx.Dialog) -> int:
        """Show a dialog until the user, or the end of the window, closes it."""
        self._dialog = dialog
        try:
            return dialog.ShowModal()
        finally:
            self._dialog = None
            wx.CallAfter(dialog.Destroy)


class RowList(wx.ListCtrl):
    """A list of thousands of rows; wx asks only for the visible ones."""

    def __init__(
        self,
        parent: wx.Window,
        columns: Sequence[Column],
        row: Callable[[int], Row],
        chosen: Callable[[int], None],
    ) -> None:
        super().__init__(parent, style=wx.LC_REPORT | wx.LC_VIRTUAL | wx.LC_SINGLE_SEL)
        self._row = row
        digit = self.GetTextExtent("0").width
        for number, column in enumerate(columns):
            side = wx.LIST_FORMAT_RIGHT if column.right else wx.LIST_FORMAT_LEFT
            self.InsertColumn(number, column.name, side, digit * (column.width + 2))
        self._colours = {mark: wx.ItemAttr() for mark in COLOURS}
        for mark, attribute in self._colours.items():
            attribute.SetTextColour(COLOURS[mark])
        self.Bind(wx.EVT_LIST_ITEM_SELECTED, lambda event: chosen(event.GetIndex()))
        self.Bind(wx.EVT_SIZE, self._resized)

    def _resized(self, event: wx.SizeEvent) -> None:
        """Give the remaining width to the last column."""
        event.Skip()
        last = self.GetColumnCount() - 1
        others = sum(self.GetColumnWidth(number) for number in range(last))
        self.SetColumnWidth(last, max(self.GetClientSize().width - others, 100))

    def OnGetItemText(self, item: int, column: int) -> str:  # noqa: N802 - wx calls it
        """Return the text of a cell."""
        texts = self._row(item).texts
        return texts[column] if texts else ""

    def OnGetItemAttr(self, item: int) -> wx.ItemAttr | None:  # noqa: N802 - wx calls it
        """Return the colour of a row."""
        return self._colours.get(self._row(item).mark)

    def show(self, count: int, chosen: int | None) -> None:
        """Have `count` rows, and show the current values."""
        if count != self.GetItemCount():
            self.SetItemCount(count)
        if chosen is not None and chosen < count and not self.IsSelected(chosen):
            self.Select(chosen)
            self.Focus(chosen)
        if count:
            first = self.GetTopItem()
            self.RefreshItems(first, min(first + self.GetCountPerPage(), count - 1))


def _ignoring(act: Callable[[], object]) -> Callable[..., None]:
    """Return a handler that calls `act` without the event."""

    def handle(*ignored: object) -> None:
        act()

    return handle


def _number(parent: wx.Window, text: str, limits: tuple[int, int]) -> wx.SpinCtrl:
    least, most = limits
    field = wx.SpinCtrl(parent, value=text, min=least, max=most, style=wx.TE_PROCESS_ENTER)
    field.SetValue(text)
    return field
