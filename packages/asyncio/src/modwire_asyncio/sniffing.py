"""`SerialSniffer` listens to a serial line, in the task that awaits it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from modwire.sniffing.constructors import AsyncSnifferBase

if TYPE_CHECKING:
    from modwire.sniffing.heard import Heard

    from .serial_link import SerialLink


class SerialSniffer(AsyncSnifferBase):
    """Listens to all devices on a serial line, and never writes to it.

    Iterate it with `async for`, for each `HeardExchange` and `HeardDamage`. One task at a time may
    listen, and may be cancelled: nothing is lost. Any task may close it, which ends the iteration.
    """

    _open: SerialLink | None = None

    async def _open_port(self) -> SerialLink:
        from .serial_link import open_link

        return await open_link(
            self._port, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )

    async def hear(self, timeout: float | None = None) -> Heard | None:
        await self.open()
        until = float("inf") if timeout is None else monotonic() + timeout
        while (found := self.sniffer.next_heard()) is None:
            link = self._open
            if link is None or monotonic() >= until:
                return None
            await link.wait(min(until, self._deadline()), monotonic())
            if self._open is link:  # otherwise it was closed meanwhile
                self._take_or_close(link.take(), monotonic())
        return found
