"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import os
import select
from _thread import allocate_lock, start_new_thread
from functools import partial
from typing import TYPE_CHECKING

from modwire.client.aside import call_aside

from .links import LONGEST_WAIT, Link, send_rest
from .ports import WRITE_TIMEOUT, close_aside, descriptor, forget_port, read_port

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
        # pyserial's own pipe, which `cancel_read` writes to; a URL's socket has none.
        pipe = getattr(port, "pipe_abort_read_r", None)
        self._wake_ends = () if pipe is None else (pipe,)

    def send(self, data: bytes, now: float) -> float:
        number, seconds = self._descriptor, len(data) * self._character_time
        if number is None:
            self._port.write(data)
            return seconds
        try:
            sent = os.write(number, data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            write, limit = partial(os.write, number), self._send_timeout
            send_rest(data[sent:], write, number, now + seconds + limit, limit)
        return seconds

    def receive(self, seconds: float) -> bytes | OSError | None:
        seconds = min(max(seconds, 0.0), LONGEST_WAIT)
        number, self.has_taken = self._descriptor, False
        try:
            if number is None:
                self.has_taken = True
                return self._read_port(seconds)
            if not self._wake_ends:
                seconds = min(seconds, _LONGEST_READ)
            ready, _, _ = select.select((number, *self._wake_ends), (), (), seconds)
            if not ready:
                return None
            self.has_taken = True
            return os.read(number, _CHUNK) if number in ready else b""
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno is None and number is not None:
                raise  # the system's errors have one, so this is from a signal handler
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
        if hasattr(self._port, "cancel_read"):
            self._port.cancel_read()

    def close(self) -> None:
        call_aside(partial(close_aside, self._port), start_new_thread, allocate_lock)

    def forget(self) -> None:
        forget_port(self._port)
        close_aside(self._port)
