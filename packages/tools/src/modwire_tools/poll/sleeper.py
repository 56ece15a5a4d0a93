"""`Sleeper`: a wait that another part of the program may end."""

from __future__ import annotations

import asyncio


class Sleeper:
    """Waits of one task; far cheaper than `asyncio.wait_for`, for thousands of lines."""

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._is_called = False

    async def sleep(self, seconds: float | None) -> None:
        """Wait for so many seconds, None for ever, or until `wake`, also if that came before."""
        if self._is_called:
            self._is_called = False
            return
        loop = asyncio.get_running_loop()
        future = self._future = loop.create_future()
        handle = None if seconds is None else loop.call_later(seconds, self._end)
        try:
            await future
        finally:
            self._future = None
            if handle is not None:
                handle.cancel()

    def _end(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def wake(self) -> None:
        """End the wait, or the next one."""
        if self._future is None:
            self._is_called = True
        self._end()
