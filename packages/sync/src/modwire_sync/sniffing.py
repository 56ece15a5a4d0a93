"""`SerialSniffer` listens to a serial line, in the thread that asks it."""

from __future__ import annotations

from threading import RLock, get_ident
from time import monotonic
from typing import TYPE_CHECKING

from modwire.sniffing.constructors import BlockingSnifferBase

if TYPE_CHECKING:
    from modwire.sniffing.heard import Heard

    from .serial_link import SerialLink


class SerialSniffer(BlockingSnifferBase):
    """Listens to all devices on a serial line, and never writes to it.

    Iterate it for each `HeardExchange` and `HeardDamage`. One thread at a time may listen; any
    thread may close it, which ends the iteration.
    """

    _link: SerialLink | None = None
    _listener = 0  # the thread that listens; 0 for none

    def _set_up(self) -> None:
        self._lock = RLock()

    def open(self) -> None:
        if self._link is None:
            from .ports import open_aside
            from .serial_link import SerialLink

            try:
                port = open_aside(
                    self._port, self._settings, rs485=self._rs485, exclusive=self._exclusive
                )
            except OSError as error:
                raise self._lost(error) from error
            self._link = SerialLink(port, self._settings.character_time)

    def close(self) -> None:
        with self._lock:
            link, self._link = self._link, None
            if link is None:
                return
            if self._listener not in (0, get_ident()):
                link.interrupt()  # the listening thread closes it
            else:
                link.close()

    def hear(self, timeout: float | None = None) -> Heard | None:
        self.open()
        until = float("inf") if timeout is None else monotonic() + timeout
        while (heard := self.sniffer.next_heard()) is None:
            now = monotonic()
            if now >= until or not self._listen(min(until, self._deadline()) - now):
                return None
        return heard

    def _listen(self, seconds: float) -> bool:
        """Read the port once; return False if it was closed."""
        with self._lock:
            link = self._link
            if link is None:
                return False
            self._listener = get_ident()
        try:
            data = link.receive(seconds)
        finally:
            with self._lock:
                self._listener = 0
                is_closed = self._link is None
            if is_closed:
                link.close()
        if is_closed:
            return False
        try:
            self._take(data, monotonic())
        except BaseException:
            self.close()
            raise
        return True
