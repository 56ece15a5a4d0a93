"""KeyboardInterrupt for the main thread while it waits in a system call."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server_peers import PATIENCE

needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/task"), reason="this system does not show what threads do"
)

_SAMPLES = 10  # equal samples, one every 5 ms: longer than a wait for the GIL


@contextmanager
def keyboard_interrupt() -> Iterator[Callable[[], None]]:
    """Yield a function for another thread: wait until the main thread waits, and interrupt it.

    KeyboardInterrupt is raised once. The signal is repeated, because a signal just before a
    system call does not end the call.
    """
    raised = threading.Event()
    main = threading.main_thread()
    assert threading.current_thread() is main

    def handler(number: int, frame: object) -> None:
        if not raised.is_set():
            raised.set()
            raise KeyboardInterrupt

    def interrupt() -> None:
        _wait_until_blocked(main.native_id or 0)
        end = time.monotonic() + PATIENCE
        while not raised.wait(0.01):
            assert time.monotonic() < end, "the main thread cannot be interrupted"
            signal.pthread_kill(main.ident or 0, signal.SIGINT)

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


def _wait_until_blocked(thread: int) -> None:
    """Return when the thread with this native id sleeps in a system call."""
    end = time.monotonic() + PATIENCE
    last = ""
    alike = 0
    while alike < _SAMPLES:
        assert time.monotonic() < end, "the thread never waits"
        found = _state(thread)
        alike = alike + 1 if found == last and found.startswith("S") else 0
        last = found
        time.sleep(0.005)


def _state(thread: int) -> str:
    """Return the state of a thread, and the number of times that it has gone to sleep."""
    folder = Path(f"/proc/self/task/{thread}")
    state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
    switches = [
        line for line in (folder / "status").read_text().splitlines() if "voluntary_ctxt" in line
    ]
    return f"{state} {switches}"
