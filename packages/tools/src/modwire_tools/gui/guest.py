"""`run_in_tk`: runs trio as a guest of Tk's loop, in one thread: callbacks may use a `View`."""

from __future__ import annotations

import tkinter as tk
from collections import deque
from collections.abc import Awaitable, Callable

import outcome
import trio


def run_in_tk(
    root: tk.Tk, main: Callable[[], Awaitable[None]], done: Callable[[outcome.Outcome[None]], None]
) -> None:
    """Run `main` during `root.mainloop()`, which calls `done` after its end.

    The main loop must run until then, because trio's I/O thread waits for it.
    """
    waiting: deque[Callable[[], object]] = deque()
    step = root.register(lambda: waiting.popleft()())

    def soon_from_anywhere(function: Callable[[], object]) -> None:
        # Tkinter passes calls from other threads to the thread of the main loop.
        waiting.append(function)
        root.tk.call("after", "idle", step)

    def soon(function: Callable[[], object]) -> None:
        # Through a timer, so that a busy guest does not block the events of the window.
        waiting.append(function)
        root.tk.call("after", "idle", "after", 0, step)

    trio.lowlevel.start_guest_run(
        main,
        run_sync_soon_threadsafe=soon_from_anywhere,
        run_sync_soon_not_threadsafe=soon,
        done_callback=done,
    )
