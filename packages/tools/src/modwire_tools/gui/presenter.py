"""`Presenter`: what the window shows, and what its buttons do, without a toolkit.

A front end makes one, runs `Presenter.run` in trio as a guest of its own loop, shows each `Screen`
that it gets, and calls a method for each action of the user.
"""

from __future__ import annotations

import signal
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import trio

from ..addresses import Place
from ..simulator.view import DeviceInfo, PointInfo, View
from . import session as states
from .screen import Editor, Row, Screen
from .session import Session, described_error
from .setup import Setup
from .values import editor_label, shown, typed

_INTERVAL = 0.4  # seconds between two updates


class Front(Protocol):
    """A window. It calls the presenter and is called by it in one thread."""

    def setup(self) -> Setup:
        """Return the texts of the form."""
        ...

    def show(self, screen: Screen) -> None:
        """Show `screen`, and look up the visible rows of the lists."""
        ...

    def choose_file(self) -> None:
        """Let the user choose a device file."""
        ...

    def set_file(self, path: str) -> None:
        """Write a device file into the form, if it can be changed now."""
        ...

    def inform(self, title: str, text: str) -> None:
        """Show a text until the user closes it."""
        ...


class Presenter:
    """The presenter of one window; `browse` opens a link in a browser.

    `interrupted` is True after Ctrl+C in the terminal.
    """

    def __init__(self, front: Front, browse: Callable[[str], bool] = webbrowser.open) -> None:
        self.interrupted = False
        self._front = front
        self._session = Session(self._changed, self._tell, browse)
        self._message = ""
        self._shown_view: View | None = None
        self._device: int | None = None
        self._unit: int | None = None  # a unit id
        self._point: int | None = None
        self._info: DeviceInfo | None = None
        self._points: Sequence[PointInfo] = ()
        self._problems: Mapping[int, str] = {}
        self._editor = Editor()

    async def run(self) -> None:
        """Serve what the user starts, and update the window, until `close` or a signal."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_by_signal)
            nursery.start_soon(self._refresh_often)
            await self._session.run()
            nursery.cancel_scope.cancel()

    async def _end_by_signal(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                self.interrupted = number == signal.SIGINT
                self.close()

    async def _refresh_often(self) -> None:
        while True:
            self.refresh()
            await trio.sleep(_INTERVAL)

    # Actions.

    def start(self) -> None:
        """Start the simulation that the form describes."""
        self._message = ""
        if not self._session.start(self._front.setup().simulation):
            self.refresh()

    def stop(self) -> None:
        """End the simulation."""
        self._message = ""
        self._session.stop()
        self.refresh()

    def close(self) -> None:
        """End the simulation, and then `run`, after which the front end closes its window."""
        self._session.close()

    def choose_device(self, index: int) -> None:
        """Show the device with this index."""
        if index != self._device:
            self._device, self._point = index, 0
            self.refresh()

    def choose_unit(self, index: int) -> None:
        """Show the unit in this row of `Screen.units`."""
        if self._info is not None and index < len(self._info.units):
            if self._info.units[index].id != self._unit:
                self._unit, self._point = self._info.units[index].id, 0
                self.refresh()

    def choose_point(self, index: int) -> None:
        """Put the value of the point in this row into the editor."""
        if index != self._point:
            self._point = index
            self.refresh()

    def start_device(self) -> None:
        """Serve the chosen device again."""
        self._act(lambda view, device, unit: view.start(device))

    def stop_device(self) -> None:
        """Stop serving the chosen device."""
        self._act(lambda view, device, unit: view.stop(device))

    def set_value(self, text: str) -> None:
        """Write a typed value to the chosen point."""
        point = self._chosen_point()
        if point is not None:
            name = point.name

            def write(view: View, device: int, unit: int) -> None:
                view.write_point(device, unit, name, typed(point, text))
                self._editor = Editor()  # shows the value as it was written

            self._act(write)

    def switch(self) -> bool:
        """Switch the chosen point if it is a bit; else return False: its value must be typed."""
        point = self._chosen_point()
        if point is None or point.type not in ("bool", "bit"):
            return False
        self.set_value("off" if point.value else "on")
        return True

    def hold(self) -> None:
        """Hold the chosen point, or release it."""
        point = self._chosen_point()
        if point is not None:
            name, held = point.name, not point.held
            self._act(lambda view, device, unit: view.hold_point(device, unit, name, held))

    def open_page(self, name: str) -> None:
        """Open a part of the simulator's page in a browser, such as "registers" or "traffic"."""
        path = f"#/{name}"
        if name not in ("traffic", "clients"):
            path = f"#/device/{self._device or 0}/unit/{self._unit or 0}/{name}"
        try:
            self._session.open_page(path)
            self._message = ""
        except (ValueError, ImportError) as error:
            self._message = str(error)
        self.refresh()

    def _act(self, act: Callable[[View, int, int], None]) -> None:
        view = self._session.view
        if view is None or self._device is None or self._unit is None:
            return
        try:
            act(view, self._device, self._unit)
            self._message = ""
        except (ValueError, LookupError) as error:
            self._message = described_error(error)
        self.refresh()

    # Display.

    def _tell(self, text: str) -> None:
        self._message = text
        self.refresh()

    def _changed(self) -> None:
        view = self._session.view
        if view is not self._shown_view:
            self._shown_view = view
            self._device = self._point = None if view is None else 0
        self.refresh()

    def refresh(self) -> None:
        """Show the current values."""
        self._front.show(self._screen())

    def _screen(self) -> Screen:
        view, state = self._session.view, self._session.state
        self._look_up(view)
        info, point = self._info, self._chosen_point()
        units = [] if info is None else info.units
        ids = [unit.id for unit in units]
        return Screen(
            title=_title(view, state),
            message=self._message,
            heading=self._heading(view),
            can_start=state == states.STOPPED,
            can_stop=state in (states.STARTING, states.RUNNING),
            devices=0 if view is None else view.device_count(),
            device=self._device,
            can_start_device=info is not None and not info.running,
            can_stop_device=info is not None and info.running,
            units=[f"{unit.id}  {unit.name}".rstrip() for unit in units],
            unit=ids.index(self._unit) if self._unit in ids else None,
            points=len(self._points),
            point=self._point if point is not None else None,
            editor=self._edited(point),
            can_set=point is not None,
            can_hold=point is not None and bool(point.behaviour),
            is_held=point is not None and point.held,
        )

    def _look_up(self, view: View | None) -> None:
        """Look up the chosen device and its points; another unit if it has not the chosen one."""
        self._info, self._points = None, ()
        self._problems = {} if view is None else view.problems()
        if view is not None and self._device is not None:
            self._info = info = view.devices(self._device, 1)[0]
            ids = [unit.id for unit in info.units]
            if self._unit not in ids:
                self._unit = ids[0] if ids else None
            if self._unit is not None:
                self._points = view.points(self._device, self._unit)

    def _chosen_point(self) -> PointInfo | None:
        at = self._point
        return self._points[at] if at is not None and at < len(self._points) else None

    def _edited(self, point: PointInfo | None) -> Editor:
        if point is None:
            self._editor = Editor()
        elif self._editor.point != (chosen := (self._device, self._unit, point.name)):
            text = "" if point.value is None else shown(point)
            self._editor = Editor(chosen, editor_label(point.name, point.unit), text)
        return self._editor

    def _heading(self, view: View | None) -> str:
        if view is None or self._info is None:
            is_idle = self._session.state == states.STOPPED
            return "Nothing is simulated: press Start (F5)." if is_idle else "Starting ..."
        problem = self._problems.get(self._info.index, "")
        return f"{self._info.name}: {problem or self._place(self._info)}"

    def _place(self, device: DeviceInfo) -> str:
        state = "stopped"
        if device.running:  # which it is before it listens, and the system has chosen its port
            state = states.STARTING if self._session.state == states.STARTING else states.RUNNING
        return f"{state}, {', '.join(device.endpoints)}"

    def device_row(self, index: int) -> Row:
        """Return the row of a device; empty if it is no longer there."""
        view = self._session.view
        if view is None or index >= view.device_count():
            return Row(())
        device = view.devices(index, 1)[0]
        problem = self._problems.get(index, "")
        return Row(
            (
                str(index),
                device.name,
                f"{device.requests:,}" if device.requests else "",
                problem or self._place(device),
            ),
            "bad" if problem else "" if device.running else "muted",
        )

    def point_row(self, index: int) -> Row:
        """Return the row of a point; empty if it is no longer there."""
        if index >= len(self._points):
            return Row(())
        point = self._points[index]
        return Row(
            (
                point.name,
                shown(point),
                point.unit,
                str(Place(point.table, point.address)),
                point.type,
                f"held: {point.behaviour}" if point.held else point.behaviour,
            ),
            "bad" if point.value is None else "held" if point.held else "",
        )


def _title(view: View | None, state: str) -> str:
    if view is None:
        return "modwire simulator"
    count = view.device_count()
    places = [
        device.endpoints[0] for at in sorted({0, count - 1}) for device in view.devices(at, 1)
    ]
    doing = f" ({state})" if state in (states.STARTING, states.STOPPING) else ""
    return f"{view.title()} at {' to '.join(places)}{doing} - modwire"
