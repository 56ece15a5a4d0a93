"""`in_thread`: calls of sinks that block, each in a thread that no end of the process waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return what `function` returns in a thread of its own, or raise what it raises.

    Unlike that of `asyncio.to_thread`, the thread does not hold up the end of the process: a
    database that never answers would do that for minutes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    call = partial(function, *arguments, **options)
    threading.Thread(target=_run, args=(call, loop, future), daemon=True).start()
    try:
        return await future
    finally:
        # An error has this frame and that of _run(), and must not have itself by the future: what
        # is left open would stay so until the next collection.
        del future


def _run(call: Callable[[], T], loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> None:
    """Call, and pass on what comes of it; the loop may be closed then."""
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_fail, future, error)
    else:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_finish, future, result)
    finally:
        del future


def _finish(future: asyncio.Future[T], result: T) -> None:
    if not future.done():  # unless it was cancelled
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
