"""`Tasks`: the tasks of a poller or a reader, by key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable


class Tasks:
    """Tasks that run until they are cancelled; `failed` gets the error of one, which is a bug."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._tasks: dict[object, asyncio.Task[None]] = {}

    def start(self, key: object, work: Coroutine[object, object, None]) -> None:
        """Run a coroutine; the key must be free."""
        task = self._tasks[key] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._check)

    def _check(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    async def wait(self, seconds: float) -> None:
        """Wait until all have ended, at most so many seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)

    async def cancel(self, keys: Iterable[object]) -> None:
        """Cancel tasks, and wait until they have ended."""
        tasks = [self._tasks.pop(key) for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def cancel_all(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        await self.cancel(list(self._tasks))
