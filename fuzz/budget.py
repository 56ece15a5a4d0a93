"""Bounds on the work for one input: processor time, memory, and calls for each byte."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from resource import RUSAGE_SELF, getrusage
from types import FrameType

MOST_SECONDS = 20.0  # of the processor, for one input; nearly all take a few milliseconds
MOST_MEMORY = 512 << 20  # bytes by which one input may raise the peak of the process
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


class BudgetError(BaseException):
    """Raised for an input that takes too much; no `except Exception` of a reader can hide it."""


@contextmanager
def limited() -> Generator[None]:
    """Raise BudgetError if the block takes too much processor time or memory.

    Time is only watched in the main thread, because only there a signal can interrupt Python.
    """

    seconds = MOST_SECONDS

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise BudgetError(f"it takes more than {seconds:g} s of the processor")

    before = getrusage(RUSAGE_SELF).ru_maxrss
    is_main = threading.current_thread() is threading.main_thread()
    old = signal.signal(signal.SIGVTALRM, interrupt) if is_main else None
    try:
        if is_main:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        if is_main:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, old)
    grown = (getrusage(RUSAGE_SELF).ru_maxrss - before) * _UNIT
    if grown > MOST_MEMORY:
        raise BudgetError(f"it takes {grown >> 20} MB of memory")


class Calls:
    """`with Calls() as calls`: the number of calls of functions, of Python and of C, in the block.

    Unlike a time it is the same on every machine, so a bound on it can be tight.
    """

    def __init__(self) -> None:
        self.count = 0

    def _event(self, frame: FrameType, event: str, arg: object) -> None:
        # The code that atheris puts into modwire calls functions of its own.
        is_traced = event == "c_call" and getattr(arg, "__name__", "").startswith("_trace_")
        if event in ("call", "c_call") and not is_traced:
            self.count += 1

    def __enter__(self) -> Calls:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
