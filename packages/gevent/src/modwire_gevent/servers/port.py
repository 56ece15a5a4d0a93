"""`Port`: the serial port of a server. Imported, with pyserial, when the first one is opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gevent import get_hub

from ..serial_link import PortLink, SerialLink, descriptor, open_port

if TYPE_CHECKING:
    import serial
    from gevent.hub import Hub
    from serial.rs485 import RS485Settings

    from modwire.serial_settings import SerialSettings

    from ..links import Link
    from .workers import Workers


class Port(SerialLink):
    """A link that goes on without an answer which the line does not take."""

    def __init__(
        self,
        hub: Hub,
        port: serial.Serial,
        number: int,
        character_time: float,
        on_stuck: Callable[[], None],
    ) -> None:
        super().__init__(hub, port, number, character_time)
        self._on_stuck = on_stuck

    def flush(self, now: float) -> None:
        """Send more of what is left; nothing is left if it takes too long."""
        try:
            super().flush(now)
        except OSError as error:
            if error.errno is not None:
                raise
            self._batch = b""
            self.is_sending = False
            self._port.reset_output_buffer()
            self._on_stuck()


class OpenPort:
    """A port that was opened for a server.

    `link` is what to wait for, `number` its descriptor, or None where there is none to be waited
    for; `drain` waits until all has been sent, in a thread.
    """

    def __init__(
        self,
        name: str,
        settings: SerialSettings,
        workers: Workers,
        *,
        rs485: RS485Settings | bool | None,
        exclusive: bool,
        on_stuck: Callable[[], None],
    ) -> None:
        open_it = partial(open_port, name, settings, rs485=rs485, exclusive=exclusive)
        # What stands behind a URL may take its time, such as that of a connection.
        port = workers.run(open_it) if "://" in name else open_it()
        self._port = port
        self._workers = workers
        hub = get_hub()
        character_time = settings.character_time
        number = self.number = descriptor(port)
        self.link: Link = (
            PortLink(hub, port, character_time)
            if number is None
            else Port(hub, port, number, character_time, on_stuck)
        )

    def drain(self) -> None:
        """Let other greenlets run until the line has taken what was sent."""
        self._workers.run(self._port.flush)
