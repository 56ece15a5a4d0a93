"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import os
import select
from time import monotonic
from typing import TYPE_CHECKING

from .links import LONGEST_WAIT, Link
from .ports import WRITE_TIMEOUT, close_aside, descriptor, read_port

if TYPE_CHECKING:
    import serial

_CHUNK = 4096
_LONGEST_READ = 0.2  # seconds, of a port whose read cannot be interrupted


class SerialLink(Link):
    """An open pyserial port, which the link owns; times are in seconds."""

    def __init__(
        self, port: serial.Serial, character_time: float, send_timeout: float = WRITE_TIMEOUT
    ) -> None:
        self._port = port
        self._send_timeout = send_timeout
        self._character_time = character_time
        self._descriptor = descriptor(port)
        self._wake_end, self._wake = os.pipe()

    def send(self, data: bytes, now: float) -> float:
        number = self._descriptor
        if number is None:
            self._port.write(data)
        else:
            try:
                sent = os.write(number, data)
            except BlockingIOError:
                sent = 0
            until = now + len(data) * self._character_time + self._send_timeout
            while sent < len(data):
                sent += self._send_more(number, data[sent:], until)
        return len(data) * self._character_time

    def _send_more(self, number: int, data: bytes, until: float) -> int:
        """Wait until the port takes bytes, write a part of `data` and return its size."""
        seconds = min(max(until - monotonic(), 0.0), LONGEST_WAIT)
        _, ready, _ = select.select((), (number,), (), seconds)
        if not ready:
            raise OSError(f"could not send within {self._send_timeout:g} s: the port is stuck")
        try:
            return os.write(number, data)
        except BlockingIOError:
            return 0

    def receive(self, seconds: float) -> bytes | OSError | None:
        seconds = min(max(seconds, 0.0), LONGEST_WAIT)
        try:
            if self._descriptor is None:
                return self._read_port(seconds)
            ready, _, _ = select.select((self._descriptor, self._wake_end), (), (), seconds)
            if not ready:
                return None
            return b"" if self._wake_end in ready else os.read(self._descriptor, _CHUNK)
        except OSError as error:
            return error

    def _read_port(self, seconds: float) -> bytes | None:
        """Read on Windows and from pyserial's URLs, where only a read can wait for bytes."""
        if not hasattr(self._port, "cancel_read"):
            seconds = min(seconds, _LONGEST_READ)
        return read_port(self._port, seconds) or None

    def receive_now(self) -> bytes | None:
        if self._descriptor is None:
            return self._read_port(0.0)
        try:
            return os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return None

    def interrupt(self) -> None:
        os.write(self._wake, b"\0")
        if self._descriptor is None and hasattr(self._port, "cancel_read"):
            self._port.cancel_read()

    def close(self) -> None:
        os.close(self._wake)
        os.close(self._wake_end)
        close_aside(self._port)
