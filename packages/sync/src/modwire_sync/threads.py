"""`Threads`: a pool of threads, for the requests of a gateway and for units that block."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class Threads:
    """A pool of at most `most` threads; one more is started when all others are busy."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = allocate_lock()
        self._pool: ThreadPoolExecutor | None = None
        self._has_any = False

    def run(self, function: Callable[..., None], *arguments: object) -> None:
        """Call `function` in a thread, as soon as one is idle.

        Raises RuntimeError, and does not call it, if there is no thread and none can be started.
        """
        with self._lock:
            if self._pool is None:
                # This import takes longer than the rest of the package; most servers never block.
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(self._most, self._name)
            try:
                self._pool.submit(function, *arguments)
            except RuntimeError:
                # The pool has queued the function all the same: an existing thread will call it.
                if not self._has_any:
                    self._pool = None
                    raise
            self._has_any = True

    def close(self) -> None:
        """Discard the functions that have not started; do not wait for those that run."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
