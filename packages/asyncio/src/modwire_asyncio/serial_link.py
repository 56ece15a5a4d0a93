"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from modwire_sync.ports import (
    WRITE_TIMEOUT,
    close_aside,
    count_overruns,
    descriptor,
    forget_port,
    open_aside,
    read_port,
)

from .links import CHUNK, MOST_KEPT, Link, as_oserror

if TYPE_CHECKING:
    import serial

    from modwire.serial_settings import Rs485Settings, SerialSettings

_READ_TIMEOUT = 0.2  # seconds that a thread reads before it looks whether the port was closed


async def open_link(
    port: str,
    settings: SerialSettings,
    *,
    rs485: Rs485Settings | bool | None,
    exclusive: bool,
    write_timeout: float = WRITE_TIMEOUT,
) -> SerialLink:
    """Open a port and return its link; raise OSError, or ValueError for unsupported settings."""
    # On systems other than Windows, 0 would mean that nothing may be written.
    limit = 0.0 if os.name == "nt" else write_timeout
    open_it = partial(
        open_aside, port, settings, rs485=rs485, exclusive=exclusive, write_timeout=limit
    )
    loop, number = asyncio.get_running_loop(), None
    # Opening a URL may take long, for example to connect.
    opened = await loop.run_in_executor(None, open_it) if "://" in port else open_it()
    try:
        number = descriptor(opened)
        if number is not None:
            with suppress(NotImplementedError):  # by a loop that waits for sockets only
                return DescriptorLink(opened, number, settings.character_time, write_timeout)
        return ThreadLink(opened, settings.character_time, write_timeout)
    except BaseException:
        if number is not None:
            with suppress(NotImplementedError):
                loop.remove_reader(number)
        close_aside(opened)
        raise


class SerialLink(Link):
    """An open pyserial port, which the link owns; times are in seconds."""

    def __init__(self, port: serial.Serial, character_time: float, send_timeout: float) -> None:
        super().__init__(send_timeout)
        self.port = port
        self._character_time = character_time

    def send(self, data: bytes, now: float) -> float:
        self.port.write(data)
        return len(data) * self._character_time

    def count_overruns(self) -> int | None:
        """Number of times that the port has lost characters; None if it is not counted."""
        return None

    def forget_unsent(self) -> None:
        """Discard the bytes that wait for room in the system's buffer."""

    def abandon(self) -> None:
        close_aside(self.port)

    def forget(self) -> None:
        forget_port(self.port)
        close_aside(self.port)


class DescriptorLink(SerialLink):
    """A port whose descriptor `number` the loop can wait for."""

    def __init__(
        self, port: serial.Serial, number: int, character_time: float, send_timeout: float
    ) -> None:
        super().__init__(port, character_time, send_timeout)
        self._number = number
        self._unsent = b""
        self.loop.add_reader(number, self._on_readable)

    def _on_readable(self) -> None:
        try:
            data = os.read(self._number, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if not data:
            self._fail(OSError("it is readable, but gives nothing"))
            return
        self._arrived.append(data)
        self.wake()
        if len(self._arrived) >= MOST_KEPT:
            self._is_paused = True
            self.loop.remove_reader(self._number)

    def _resume(self) -> None:
        super()._resume()
        if not self.closed.done():
            self.loop.add_reader(self._number, self._on_readable)

    def _fail(self, error: OSError) -> None:
        self.loop.remove_reader(self._number)
        self.arrive(error)

    def receive_now(self) -> bytes | None:
        if self._arrived or self._is_paused or self.closed.done():
            return super().receive_now()
        try:
            return os.read(self._number, CHUNK)  # what came in this pass of the loop
        except BlockingIOError:
            return None

    def send(self, data: bytes, now: float) -> float:
        try:
            sent = os.write(self._number, data)
        except BlockingIOError:
            sent = 0
        seconds = len(data) * self._character_time
        if sent < len(data):
            self._unsent = data[sent:]
            self._send_until = now + seconds + self._send_timeout
            self.is_sending = True
            self.loop.add_writer(self._number, self._send_more)
        return seconds

    def _send_more(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._number, self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self.forget_unsent()
            self.arrive(error)
            return
        if not self._unsent:
            self.forget_unsent()
            self.wake()

    def forget_unsent(self) -> None:
        if self.is_sending:
            self.loop.remove_writer(self._number)
        self._unsent = b""
        self.is_sending = False

    def count_overruns(self) -> int | None:
        return count_overruns(self._number)

    def close(self) -> None:
        if not self.closed.done():
            self.forget_unsent()
            self.loop.remove_reader(self._number)
            with suppress(Exception):  # if the port is gone, drivers raise any error
                close_aside(self.port)
            self._end()


class ThreadLink(SerialLink):
    """A port that a thread has to read: on Windows, and with some of pyserial's URLs."""

    def __init__(self, port: serial.Serial, character_time: float, send_timeout: float) -> None:
        super().__init__(port, character_time, send_timeout)
        self._is_closing = False
        self._has_room = threading.Event()
        self._has_room.set()
        threading.Thread(target=self._read, name="modwire-serial", daemon=True).start()

    def _read(self) -> None:
        found: bytes | OSError
        while not self._is_closing:
            try:
                found = read_port(self.port, _READ_TIMEOUT)
            except Exception as error:  # noqa: BLE001 - drivers raise any
                found = as_oserror(error)
            if not found:
                continue
            if not self._tell(self.arrive, found) or isinstance(found, OSError):
                break
            if len(self._arrived) >= MOST_KEPT:
                self._has_room.wait(_READ_TIMEOUT)
        self._tell(self._end)

    def _tell(self, function: object, *arguments: object) -> bool:
        """Call a function in the loop; return False if the loop is closed."""
        try:
            self.loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]
        except RuntimeError:
            return False
        return True

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self.wake()
        if hasattr(self.port, "cancel_read"):
            self.port.cancel_read()
        close_aside(self.port)
