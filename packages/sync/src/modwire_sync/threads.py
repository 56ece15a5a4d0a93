"""`Threads`: what asks devices for a gateway, and executes calls to units that block."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class Threads:
    """At most `most` threads, each started when there is something to do that no other can."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = allocate_lock()
        self._pool: ThreadPoolExecutor | None = None
        self._has_any = False

    def run(self, function: Callable[..., None], *arguments: object) -> None:
        """Call `function` in a thread, as soon as there is one.

        Raises RuntimeError where there is none, and the system gives none: then it is not called.
        """
        with self._lock:
            if self._pool is None:
                # Costs more to import than the rest of the package, and most servers never block.
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(self._most, self._name)
            try:
                self._pool.submit(function, *arguments)
            except RuntimeError:
                # The pool has it in its queue nevertheless, for any thread that is there.
                if not self._has_any:
                    self._pool = None
                    raise
            self._has_any = True

    def close(self) -> None:
        """Drop what no thread has begun; those that run are left to themselves."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
