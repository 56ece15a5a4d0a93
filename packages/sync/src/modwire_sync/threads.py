"""`Threads`: a pool of threads, for the requests of a gateway and for units that block."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import TypeAlias

Work: TypeAlias = "SimpleQueue[Callable[[], None] | None]"  # None ends a thread


class Threads:
    """A pool of at most `most` threads; one more is started when all others are busy.

    A program does not wait for them at its end, as it would for those of `concurrent.futures`.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._lock = Lock()
        self._work: Work = SimpleQueue()
        self._idle = Semaphore(0)
        self._count = 0

    def run(self, function: Callable[..., None], *arguments: object) -> None:
        """Call `function` in a thread, as soon as one is idle.

        Raises RuntimeError, and does not call it, if there is no thread and none can be started.
        """
        with self._lock:
            if not self._idle.acquire(blocking=False) and self._count < self._most:
                shared = self._work, self._idle  # not this object, whose end is theirs
                try:
                    Thread(target=_run, args=shared, name=self._name, daemon=True).start()
                    self._count += 1
                except RuntimeError:
                    if not self._count:
                        raise
            self._work.put(partial(function, *arguments))

    def close(self) -> None:
        """Discard the functions that have not started; do not wait for those that run."""
        self._most = 0
        while not self._work.empty():
            with suppress(Exception):  # a thread was faster
                self._work.get_nowait()
        for _ in range(self._count):
            self._work.put(None)

    __del__ = close


def _run(work: Work, idle: Semaphore) -> None:
    while (function := work.get()) is not None:
        with suppress(BaseException):  # as in a pool: none of these functions raises an error
            function()
        del function
        idle.release()
