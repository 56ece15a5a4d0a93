"""`Delivery`: hands the values of a queue to a sink, again and again until it has taken them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ..sinks.base import Sink, Surroundings
from ..sinks.files import OutputClosedError
from .backlog import Cursor

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds
_CLOSE = 3.0  # seconds


class Delivery:
    """The way to one sink: `problem` is the reason why it takes nothing now, or ""."""

    def __init__(
        self, name: str, sink: Sink, cursor: Cursor | None, report: Callable[[str], None]
    ) -> None:
        self.name = name
        self.sink = sink
        self.cursor = cursor
        self.problem = ""
        self.failures = 0
        self._report = report

    async def run(self, surroundings: Surroundings) -> None:
        """Open the sink, and deliver until cancelled; a failure is reported once, and retried."""
        pause = _FIRST_PAUSE
        is_open = False
        try:
            while True:
                try:
                    if not is_open:
                        await self.sink.open(surroundings)
                        is_open = True
                    if self.cursor is None:
                        self._works()
                        await asyncio.get_running_loop().create_future()
                    else:
                        await self._deliver(self.cursor)
                        pause = _FIRST_PAUSE
                except OutputClosedError:
                    raise
                except Exception as error:  # noqa: BLE001 - a sink of others must not stop the rest
                    self._fails(error)
                    await self._close()
                    is_open = False
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            await self._close()

    async def _close(self) -> None:
        """Close the sink; one that cannot even do that must not hold up the rest."""
        with suppress(Exception):
            await asyncio.wait_for(self.sink.aclose(), _CLOSE)

    async def _deliver(self, cursor: Cursor) -> None:
        samples = await cursor.take(self.sink.most)
        await self.sink.write(samples)
        cursor.done()
        self._works()

    def _works(self) -> None:
        if self.problem:
            self.problem = ""
            self._report(f"sink {self.name} works again")

    def _fails(self, error: Exception) -> None:
        self.failures += 1
        text = str(error) or type(error).__name__
        if not self.problem:
            waits = "" if self.cursor is None else "; values wait for it"
            self._report(f"sink {self.name}: {text}{waits}")
        self.problem = text
