"""`Guard`: a lock that heals if the thread that holds it was interrupted.

An exception from a signal handler may come between taking a lock and the block that releases it.
The core imports no locks: the adapter passes `_thread.allocate_lock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SLICE = 0.25  # seconds after which a thread that waits looks whether the other one is gone


class Lock(Protocol):
    """The methods of a lock that are used here."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


class Guard:
    """A lock that is taken anew if its holder has left it; `is_gone(thread)` decides that.

    `new_lock` makes a lock. To release the guard: `guard.holder = 0`, then `guard.lock.release()`.
    Where each Python call counts, do the same to take it, if it is free and this thread is not its
    holder. If an interrupt comes between the two, the next taker waits for two `SLICE`.
    """

    def __init__(self, new_lock: Callable[[], Lock], is_gone: Callable[[int], bool]) -> None:
        self._new_lock = new_lock
        self._is_gone = is_gone
        self.renew()

    def renew(self) -> None:
        """Release the lock, whoever holds it."""
        self.lock, self.holder = self._new_lock(), 0

    def take(self, me: int) -> None:
        """Take the lock; `me` is the identity of this thread."""
        if self.holder == me:
            self.free(me)
        if not self.lock.acquire(True, SLICE):
            self._wait()
        self.holder = me

    def free(self, me: int) -> None:
        """Release the lock if this thread was interrupted while it held it."""
        if self.holder == me:
            self.holder = 0
            self.lock.release()

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
                    lock = self._new_lock()
                    lock.acquire()
                    self.lock = lock
                    return
                was_gone = is_gone
                continue
            lock, was_gone = self.lock, False


def is_running(frame: FrameType | None, owner: object) -> bool:
    """True if `frame`, or one that waits for it to end, is that of a method of `owner`."""
    while frame is not None:
        if frame.f_code.co_varnames[:1] == ("self",) and frame.f_locals.get("self") is owner:
            return True
        frame = frame.f_back
    return False
