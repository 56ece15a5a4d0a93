"""`SerialSniffer` listens to a serial line, in the greenlet that asks it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gevent import get_hub

from modwire.sniffing.constructors import BlockingSnifferBase

from .links import NEVER

if TYPE_CHECKING:
    from modwire.sniffing.heard import Heard

    from .links import Link


class SerialSniffer(BlockingSnifferBase):
    """Listens to all devices on a serial line, and never writes to it.

    Iterate it for each `HeardExchange` and `HeardDamage`. One greenlet at a time may listen, and
    may be killed: nothing is lost. Any greenlet may close it, which ends the iteration.
    """

    _heard_on: Link | None = None

    def open(self) -> None:
        from .serial_link import link_on, open_without_blocking

        if self._heard_on is not None:
            return
        settings = self._settings
        try:
            port = open_without_blocking(
                self._port, settings, rs485=self._rs485, exclusive=self._exclusive
            )
        except OSError as failure:
            raise self._lost(failure) from failure
        self._heard_on = link_on(get_hub(), port, settings.character_time)

    def hear(self, timeout: float | None = None) -> Heard | None:
        ends = NEVER if timeout is None else monotonic() + timeout
        self.open()
        while True:
            first = self.sniffer.next_heard()
            if first is not None or self._heard_on is None or monotonic() >= ends:
                return first
            self._wait(self._heard_on, ends)

    def _wait(self, link: Link, ends: float) -> None:
        """Let other greenlets run until something has arrived, or is due."""
        is_ready = link.wait(min(ends, self._deadline()))
        if self._heard_on is not link:
            return  # another greenlet has closed it
        received: bytes | OSError | None = None
        if is_ready:
            try:
                received = link.receive()
            except OSError as failure:
                received = failure
        try:
            self._take(received, monotonic())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        closing, self._heard_on = self._heard_on, None
        if closing is not None:
            closing.close()
