"""`Guard`: a lock that heals if the thread that holds it was interrupted.

An exception from a signal handler may come between taking a lock and the block that releases it.
The core imports no locks: the adapter passes `threading.RLock`.
"""

from __future__ import annotations

import gc
import re
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

T = TypeVar("T")

SLICE = 0.25  # seconds after which a thread that waits looks whether the other one is gone


class Lock(Protocol):
    """The methods of a lock that are used here."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


class Guard:
    """A lock that is taken anew if its holder has left it; `is_gone(thread)` decides that.

    `new_lock` makes a lock with the methods of `threading.RLock` that `threading.Condition` uses:
    `_is_owned()` is True if this thread has it. To release the guard: `guard.lock.release()`. Where
    each Python call counts, take it with `guard.lock.acquire(False)` unless this thread has it,
    which is so after an interrupt; if that fails, with `take`.
    """

    def __init__(self, new_lock: Callable[[], Any], is_gone: Callable[[int], bool]) -> None:
        self._new_lock = new_lock
        self._is_gone = is_gone
        self.renew()

    def renew(self) -> None:
        """Release the lock, whoever holds it."""
        self.lock = self._new_lock()

    def take(self) -> None:
        """Take the lock; if its holder has left it, a new one in its place."""
        self.free()
        while True:
            lock = self.lock
            if lock.acquire(True, SLICE):
                if lock is self.lock:
                    return
                lock.release()
            elif lock is self.lock and self._is_left(lock):
                new = self._new_lock()
                new.acquire()
                if lock is self.lock:
                    self.lock = new
                    return

    def free(self) -> None:
        """Release the lock if this thread was interrupted while it held it."""
        while self.lock._is_owned():
            self.lock.release()

    def _is_left(self, lock: object) -> bool:
        """True if the holder of `lock` is gone, and did not release it while we looked.

        It may come back and take it again between two looks, so one is not enough.
        """
        holder = _holder(lock)
        return holder != 0 and all(
            self._is_gone(holder) and _holder(lock) == holder for _ in range(2)
        )


def _holder(lock: object) -> int:
    """Return the thread that holds an `RLock`, 0 if none does: only its text tells."""
    owner = re.search(r"owner=(\d+)", repr(lock))
    return int(owner[1]) if owner is not None else 0


def is_running(frame: FrameType | None, owner: object) -> bool:
    """True if `frame`, or one that waits for it to end, is that of a method of `owner`."""
    while frame is not None:
        if frame.f_code.co_varnames[:1] == ("self",) and frame.f_locals.get("self") is owner:
            return True
        frame = frame.f_back
    return False


def without_collection(function: Callable[[], T]) -> T:
    """Return what `function` returns, with no garbage collected meanwhile.

    For `sys._current_frames`: before Python 3.13 a collection that runs code, such as the callback
    of a weak reference, can stop all threads for good there (CPython issue 106883).
    """
    is_collecting = gc.isenabled()
    try:
        gc.disable()
        return function()
    finally:
        if is_collecting:
            gc.enable()
