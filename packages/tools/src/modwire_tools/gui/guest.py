"""Trio as a guest in Tk's loop: both run in one thread, so that callbacks may use a `View`."""

from __future__ import annotations

import tkinter as tk
from collections import deque
from collections.abc import Awaitable, Callable

import outcome
import trio


def run_in_tk(
    root: tk.Tk, main: Callable[[], Awaitable[None]], done: Callable[[outcome.Outcome[None]], None]
) -> None:
    """Let `main` run while `root.mainloop()` does; `done` is called in that when it has ended.

    The main loop must run until then: trio's thread for input and output waits for it.
    """
    waiting: deque[Callable[[], object]] = deque()
    step = root.register(lambda: waiting.popleft()())

    def soon_from_anywhere(function: Callable[[], object]) -> None:
        # Tkinter hands the call of another thread over to the thread of the main loop.
        waiting.append(function)
        root.tk.call("after", "idle", step)

    def soon(function: Callable[[], object]) -> None:
        # By way of a timer, so that a busy guest leaves room for the window's own events.
        waiting.append(function)
        root.tk.call("after", "idle", "after", 0, step)

    trio.lowlevel.start_guest_run(
        main,
        run_sync_soon_threadsafe=soon_from_anywhere,
        run_sync_soon_not_threadsafe=soon,
        done_callback=done,
    )
