"""`call_aside`: one call in a thread, for what an exception of a signal handler must not cut short.

Clients open and close serial ports with it. The core starts no threads: the adapters pass the
functions of `_thread`, which gevent may have replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .guard import Lock

ResultT = TypeVar("ResultT")

_EXTRA = 0.2  # seconds; most often a port is open, and can be closed, by then


def call_aside(
    function: Callable[[], ResultT],
    start_thread: Callable[[Callable[[], None], tuple[()]], object],
    new_lock: Callable[[], Lock],
    seconds: float = -1,
) -> ResultT:
    """Return what `function` does in a new thread, or raise its error.

    Raises TimeoutError if it takes more than `seconds`. It goes on then, and if the caller is
    interrupted; its result is dropped.
    """
    results: list[ResultT | Exception] = []
    running = new_lock()
    running.acquire()

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001 - raised below
            results.append(error)
        finally:
            running.release()

    try:
        start_thread(run, ())
        running.acquire(True, seconds)
    except BaseException:
        running.acquire(True, _EXTRA)
        results.clear()
        raise
    if not results:
        raise TimeoutError("timed out")
    result = results.pop()
    if isinstance(result, Exception):
        raise result
    return result
