"""`Guard`: the lock of a client, which heals if the thread that holds it was interrupted.

An exception from a signal handler may come between taking a lock and the block that releases it.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE = 0.25  # seconds after which a thread that waits looks whether the other one is gone


class Guard:
    """A lock that is taken anew if its holder has left it; `is_gone(thread)` decides that.

    To release it: `guard.holder = 0`, then `guard.lock.release()`. A function for that would
    cost every call of a client a Python call.
    """

    def __init__(self, is_gone: Callable[[int], bool]) -> None:
        self.lock = RLock()  # its release() tells whether this thread holds it
        self.holder = 0
        self._is_gone = is_gone

    def take(self, me: int) -> None:
        """Take the lock; `me` is the identity of this thread."""
        if self.holder == me:
            self._release_all()  # this thread was interrupted while it held the lock
        if not self.lock.acquire(True, SLICE):
            self._wait()
        self.holder = me

    def _release_all(self) -> None:
        try:
            while True:
                self.lock.release()
        except RuntimeError:  # it is not, or no more, held by this thread
            self.holder = 0

    def _wait(self) -> None:
        lock, was_gone = self.lock, False
        while True:
            if lock.acquire(True, SLICE):
                if lock is self.lock:
                    return
                lock.release()
            elif lock is self.lock:
                # Twice, because between taking the lock and saying so there is a moment.
                is_gone = not self.holder or self._is_gone(self.holder)
                if is_gone and was_gone:
                    lock = RLock()
                    lock.acquire()
                    self.lock = lock
                    return
                was_gone = is_gone
                continue
            lock, was_gone = self.lock, False
