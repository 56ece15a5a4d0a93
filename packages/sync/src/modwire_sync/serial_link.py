"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import io
import os
import select
from typing import TYPE_CHECKING

import serial
import serial.rs485

from .links import LONGEST_WAIT, Link

if TYPE_CHECKING:
    from serial.rs485 import RS485Settings

    from modwire.serial_settings import SerialSettings

_CHUNK = 4096
_WRITE_TIMEOUT = 5.0  # seconds beyond the time on the line until a port counts as stuck


def open_port(
    port: str,
    settings: SerialSettings,
    *,
    rs485: RS485Settings | bool | None,
    exclusive: bool,
) -> serial.Serial:
    """The open port; raises OSError, and ValueError for what the driver does not know."""
    opened: serial.Serial = serial.serial_for_url(
        port,
        **settings.port_arguments(os.path.realpath(port)),
        timeout=0,
        write_timeout=_WRITE_TIMEOUT,
        exclusive=True if exclusive else None,
    )
    if rs485:
        try:
            opened.rs485_mode = serial.rs485.RS485Settings() if rs485 is True else rs485
        except BaseException:
            opened.close()
            raise
    return opened


class SerialLink(Link):
    """An open port of pyserial, which the link owns; `character_time` is in seconds."""

    def __init__(self, port: serial.Serial, character_time: float) -> None:
        self._port = port
        self._character_time = character_time
        self._descriptor = descriptor(port)
        self._wake_end, self._wake = os.pipe()

    def send(self, data: bytes) -> float:
        self._port.write(data)
        return len(data) * self._character_time

    def receive(self, seconds: float) -> bytes | None:
        seconds = min(max(seconds, 0.0), LONGEST_WAIT)
        if self._descriptor is None:
            return self._read_port(seconds)
        ready, _, _ = select.select((self._descriptor, self._wake_end), (), (), seconds)
        if not ready:
            return None
        if self._wake_end in ready:
            return b""
        return os.read(self._descriptor, _CHUNK)

    def _read_port(self, seconds: float) -> bytes | None:
        """For Windows and pyserial's URLs, where nothing can be waited for but a read."""
        port = self._port
        port.timeout = seconds
        data: bytes = port.read(1)
        return data + port.read(port.in_waiting) if data else None

    def receive_now(self) -> bytes | None:
        return self.receive(0.0)

    def interrupt(self) -> None:
        os.write(self._wake, b"\0")
        if self._descriptor is None and hasattr(self._port, "cancel_read"):
            self._port.cancel_read()

    def close(self) -> None:
        os.close(self._wake)
        os.close(self._wake_end)
        self._port.close()


def descriptor(port: serial.Serial) -> int | None:
    """What `select` and `poll` take for this port; None if they cannot wait for it."""
    if os.name != "posix":
        return None
    try:
        number: int = port.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
    return number
