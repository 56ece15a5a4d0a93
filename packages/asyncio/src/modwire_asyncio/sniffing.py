"""`SerialSniffer` listens to a serial line, in the task that awaits it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from modwire.sniffing.constructors import SerialSnifferBase

if TYPE_CHECKING:
    from typing_extensions import Self

    from modwire.sniffing.heard import Heard

    from .serial_link import SerialLink


class SerialSniffer(SerialSnifferBase):
    """Listens to all devices on a serial line, and never writes to it.

    Iterate it with `async for`, for each `HeardExchange` and `HeardDamage`. One task at a time may
    listen, and may be cancelled: nothing is lost. Any task may close it, which ends the iteration.
    """

    _open: SerialLink | None = None

    async def open(self) -> None:
        """Open the port, unless it is open. Raises ConnectionLostError if that fails."""
        if self._open is not None:
            return
        from .serial_link import open_link

        try:
            self._open = await open_link(
                self._port, self._settings, rs485=self._rs485, exclusive=self._exclusive
            )
        except OSError as error:
            raise self._lost(error) from error

    async def aclose(self) -> None:
        """Close the port, if it is open."""
        link, self._open = self._open, None
        if link is not None:
            link.close()
        await asyncio.sleep(0)

    async def hear(self, timeout: float | None = None) -> Heard | None:
        """Return the next `HeardExchange` or `HeardDamage`.

        None after `timeout` seconds without one, or if it was closed. It opens the port if it is
        not open. Raises ConnectionLostError if that fails, or if the port is lost.
        """
        await self.open()
        until = float("inf") if timeout is None else monotonic() + timeout
        while (found := self.sniffer.next_heard()) is None:
            link = self._open
            if link is None or monotonic() >= until:
                return None
            await link.wait(min(until, self._deadline()))
            if self._open is not link:
                return None  # it was closed meanwhile
            try:
                self._take(link.take(), monotonic())
            except BaseException:
                await self.aclose()
                raise
        return found

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        found = await self.hear()
        if found is None:
            raise StopAsyncIteration
        return found
