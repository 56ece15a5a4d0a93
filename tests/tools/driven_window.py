"""Drives the real window of `modwire gui` in its own loop, like a user and clients.

The steps of a test are a generator in Tk's loop, which yields the conditions to wait for.
"""

from __future__ import annotations

import gc
import tkinter as tk
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from modwire_sync import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modwire_sync import Client
    from modwire_tools.gui.lazy_rows import LazyRows
    from modwire_tools.gui.setup import Setup
    from modwire_tools.gui.window import Window

T = TypeVar("T")
Steps = Generator[Callable[[], object], None, None]

_PATIENCE = 60.0  # seconds for one step, on a busy machine
_INTERVAL = 5  # milliseconds


DEVICE = """
name = "Pump"

[[unit]]
id = 7
name = "drive"

[[unit.point]]
name = "speed"
at = "hr:10"
value = 1200
unit = "rpm"

[[unit.point]]
name = "pressure"
at = "ir:0"
type = "float32"
unit = "bar"
value.sine = { around = 5, amplitude = 1, period = 10 }

[[unit.block]]
at = "hr:200"
values = [1, 2, 3]

[[unit]]
id = 8

[[unit.point]]
name = "level"
at = "hr:0"
value = 40
"""
"""A device file: a pump with two units."""


def setup_of(**values: str) -> Setup:
    """Return the texts in the form; by default, the system chooses the port."""
    from modwire_tools.gui.setup import Setup

    return Setup(**{"port": "0", **values})


def started(window: Window) -> Steps:
    """Push the start button, and wait until the devices are served."""
    yield lambda: window.form.start_button.winfo_viewable()
    window.form.start_button.invoke()
    yield running(window)


def drive(setup: Setup, body: Callable[[Window], Steps]) -> None:
    """Open the window, go through the steps of `body`, and close it."""
    try:
        failures, interrupted = _driven(setup, body)
    finally:
        # Tk's objects must be freed in this thread, not by a collection in another one.
        gc.collect()
    if failures:
        raise failures[0]
    assert not interrupted


def _driven(setup: Setup, body: Callable[[Window], Steps]) -> tuple[list[BaseException], bool]:
    from modwire_tools.gui.window import Window

    window = Window(setup)
    failures: list[BaseException] = []
    steps = body(window)
    waiting: list[Callable[[], object]] = []
    deadline = [monotonic() + _PATIENCE]

    def failed(kind: object, error: BaseException, traceback: object) -> None:
        failures.append(error)
        window.close()

    def advance() -> None:
        try:
            while not waiting or waiting[0]():
                waiting[:] = [next(steps)]
                deadline[0] = monotonic() + _PATIENCE
            if monotonic() > deadline[0]:
                # Thrown into the steps, so that the traceback shows which one waits.
                steps.throw(AssertionError(f"waited in vain; the window says {shown(window)}"))
        except StopIteration:
            window.close()
        except BaseException as error:  # noqa: BLE001
            failed(type(error), error, None)
        else:
            window.root.after(_INTERVAL, advance)

    window.root.report_callback_exception = failed
    window.root.after(_INTERVAL, advance)
    return failures, window.run()


def shown(window: Window) -> str:
    return f"{window.root.title()!r}, {message(window)!r}, {window.session.state}"


def message(window: Window) -> str:
    """Return the message in the window."""
    return str(window.message.cget("text")) if window.message.winfo_manager() else ""


def running(window: Window) -> Callable[[], bool]:
    return lambda: window.session.state == "running"


def stopped(window: Window) -> Callable[[], bool]:
    return lambda: window.session.state == "stopped"


def port_of(window: Window, device: int = 0) -> int:
    assert window.session.view is not None
    return int(window.session.view.devices(device, 1)[0].endpoints[0].rpartition(":")[2])


@contextmanager
def asking(port: int) -> Iterator[Callable[[Callable[[Client], T]], Future[T]]]:
    """Run a client in a thread; its results are futures.

    Do not wait for the thread: the loop of the window must run to serve it.
    """
    thread = ThreadPoolExecutor(1)
    client = connect(f"tcp://127.0.0.1:{port}?timeout=60")
    try:
        yield lambda function: thread.submit(function, client)
    finally:
        thread.submit(client.close)
        thread.shutdown(wait=False)


def row_of(rows: LazyRows, text: str) -> int:
    """Scroll to the row whose first text is `text`; returns its index, or -1."""
    for at in range(rows.count):
        if not rows.texts(at):
            _bring_into_sight(rows, at)
        if rows.texts(at)[:1] == (text,):
            _bring_into_sight(rows, at)
            return at
    return -1


def _bring_into_sight(rows: LazyRows, at: int) -> None:
    if rows.tree.exists(str(at)):
        rows.tree.see(str(at))
        rows.tree.update_idletasks()
        rows.refresh()


def cell(rows: LazyRows, text: str, column: int) -> str:
    """Return the text of a row in a column."""
    at = row_of(rows, text)
    return rows.texts(at)[column] if at >= 0 else ""


def double_click(rows: LazyRows, index: int, column: int) -> None:
    """Double-click a cell."""
    rows.tree.see(str(index))
    rows.tree.update_idletasks()
    x, y, width, height = rows.tree.bbox(str(index), str(column))
    at = {"x": x + width // 2, "y": y + height // 2}
    for _ in range(2):
        rows.tree.event_generate("<Button-1>", **at)
        rows.tree.event_generate("<ButtonRelease-1>", **at)


def press(widget: tk.Misc, keys: str) -> None:
    """Press a key in a widget."""
    widget.focus_force()
    widget.update()
    widget.event_generate(f"<{keys}>")


def type_in(entry: tk.Misc | None, text: str, keys: str = "Return") -> None:
    """Replace the text of a field, and press a key."""
    assert entry is not None, "there is no field"
    entry.delete(0, "end")  # type: ignore[attr-defined]
    entry.insert(0, text)  # type: ignore[attr-defined]
    press(entry, keys)
