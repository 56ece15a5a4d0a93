"""`SerialSniffer` listens to a serial line, in the task that awaits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from modwire.sniffing.constructors import AsyncSnifferBase

if TYPE_CHECKING:
    from modwire.sniffing.heard import Heard

    from .serial_link import SerialLink, ThreadLink


class SerialSniffer(AsyncSnifferBase):
    """Listens to all devices on a serial line, and never writes to it.

    Iterate it with `async for`, for each `HeardExchange` and `HeardDamage`. One task at a time may
    listen, and may be cancelled: nothing is lost. Any task may close it, which ends the iteration.
    """

    _open: SerialLink | ThreadLink | None = None

    async def open(self) -> None:
        await trio.lowlevel.checkpoint()
        await super().open()

    async def _open_port(self) -> SerialLink | ThreadLink:
        from .serial_link import open_link

        return await open_link(
            self._port, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )

    def _close_port(self, port: SerialLink | ThreadLink) -> None:
        port.cut()

    async def aclose(self) -> None:
        self._close()
        await trio.lowlevel.checkpoint()

    async def hear(self, timeout: float | None = None) -> Heard | None:  # noqa: ASYNC109
        await self.open()
        found: Heard | None = None
        with trio.move_on_after(float("inf") if timeout is None else timeout):
            while (link := self._open) is not None:
                found = self.sniffer.next_heard()
                if found is not None:
                    break
                data = await link.receive(self._deadline())
                if self._open is link:  # otherwise it was closed while it was read
                    self._take_or_close(data, trio.current_time())
        return found

    async def __aexit__(self, *exception: object) -> None:
        with trio.CancelScope(shield=True):
            await self.aclose()
