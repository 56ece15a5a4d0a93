"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from gevent import get_hub
from gevent.event import Event
from gevent.monkey import get_original

from modwire.client.aside import call_aside
from modwire_sync.ports import (
    WRITE_TIMEOUT,
    close_aside,
    descriptor,
    forget_port,
    open_port,
    read_port,
)

from .links import LONGEST_WAIT, DescriptorLink, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    import serial
    from gevent.event import AsyncResult
    from gevent.hub import Hub

    from modwire.serial_settings import Rs485Settings, SerialSettings


# Those of the system: greenlets would share the signals of this thread.
_start_thread = get_original("_thread", "start_new_thread")
_new_lock = get_original("_thread", "allocate_lock")


def open_without_blocking(
    port: str,
    settings: SerialSettings,
    *,
    rs485: Rs485Settings | bool | None,
    exclusive: bool,
    write_timeout: float = WRITE_TIMEOUT,
) -> serial.Serial:
    """Open a port; a URL in a thread, because opening it may take long.

    Raises OSError, and ValueError for settings that are not supported by the driver.
    """
    open_it = partial(
        open_port,
        port,
        settings,
        rs485=rs485,
        exclusive=exclusive,
        # Except on Windows, 0 would mean that nothing may be written.
        write_timeout=0 if os.name == "nt" else write_timeout,
    )
    if "://" in port:
        return _in_thread(open_it)
    # An interrupt in pyserial would leave a port open, and locked, that nobody can close.
    return call_aside(open_it, _start_thread, _new_lock)


def _in_thread(open_it: Callable[[], serial.Serial]) -> serial.Serial:
    errors: list[Exception] = []  # the hub would print an error that leaves the thread

    def run() -> serial.Serial | None:
        try:
            return open_it()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
            return None

    result = get_hub().threadpool.spawn(run)
    try:
        opened = result.get()
    except BaseException:
        result.rawlink(_close)  # the caller was interrupted: nobody will use the port
        raise
    if opened is None:
        raise errors.pop()
    return opened


def _close(result: AsyncResult[serial.Serial | None]) -> None:
    if result.value is not None:
        result.value.close()


def link_on(
    hub: Hub, port: serial.Serial, character_time: float, send_timeout: float = WRITE_TIMEOUT
) -> Link:
    """Return a link that owns the open `port`; times are in seconds.

    The port has `send_timeout`, and the time of the characters, to take a request.
    """
    number = descriptor(port)
    if number is None:
        return PortLink(hub, port, character_time)
    return SerialLink(hub, port, number, character_time, send_timeout)


class SerialLink(DescriptorLink):
    """An open pyserial port, owned by the link; the hub can wait for its descriptor `number`.

    If `on_stuck` is set, it is called when the line takes no more bytes, and they are discarded:
    a server continues without that answer.
    """

    on_stuck: Callable[[], None] | None = None

    def __init__(
        self,
        hub: Hub,
        port: serial.Serial,
        number: int,
        character_time: float,
        send_timeout: float,
    ) -> None:
        self.number = number
        self._port = port
        super().__init__(
            hub,
            number,
            partial(os.read, number),
            partial(os.write, number),
            send_timeout,
            character_time,
        )

    def send_more(self, now: float) -> None:
        try:
            super().send_more(now)
        except OSError as error:
            if self.on_stuck is None or error.errno is not None:
                raise
            self._batch = b""
            self.is_sending = False
            self._port.reset_output_buffer()
            self.on_stuck()

    def _close(self) -> None:
        close_port(self._port)

    def _forget(self) -> None:
        forget_port(self._port)
        close_aside(self._port)


class PortLink(Link):
    """A port for which only a read can wait: on Windows, and some of pyserial's URLs.

    A thread of the hub's pool reads. If its caller is interrupted, the thread continues, and the
    next caller gets the bytes.
    """

    def __init__(self, hub: Hub, port: serial.Serial, character_time: float) -> None:
        super().__init__(hub)
        self._port = port
        self._character_time = character_time
        self._alarm = Event()
        # The thread itself stores its bytes and its end: the hub does not run between two calls,
        # so it would be late.
        self._arrived: deque[bytes | OSError] = deque()
        self._is_reading = False

    def send(self, data: bytes, now: float) -> float:
        self._port.write(data)
        return len(data) * self._character_time

    def withdraw(self, adu: bytes) -> bool:
        return True

    def wait(self, until: float) -> bool:
        self._alarm.clear()
        if not self._arrived:
            least = self.hub.loop.approx_timer_resolution
            seconds = min(max(until - monotonic(), least), LONGEST_WAIT)
            if not self._is_reading:
                self._is_reading = self.has_taken = True
                try:
                    self.hub.threadpool.spawn(self._read, seconds).rawlink(self._ring)
                except BaseException:
                    self._is_reading = False
                    raise
                self.has_taken = False
            self._alarm.wait(seconds)
        return bool(self._arrived)

    def _ring(self, result: object) -> None:
        self._alarm.set()

    def _read(self, seconds: float) -> None:
        """Read the port; called in the thread."""
        try:
            if data := read_port(self._port, seconds):
                self._arrived.append(data)
        except OSError as error:
            self._arrived.append(error)
        except Exception as error:  # noqa: BLE001 - of a driver when the port is closed
            self._arrived.append(OSError(f"cannot read: {error}"))
        finally:
            self._is_reading = False

    def wake(self) -> None:
        self._alarm.set()

    def receive(self) -> bytes | None:
        if not self._arrived:
            return None
        data = self._arrived.popleft()
        if isinstance(data, OSError):
            raise data
        return data

    def receive_now(self) -> bytes | None:
        if self._arrived or self._is_reading:
            return self.receive()
        return read_port(self._port, 0.0) or None

    def close(self) -> None:
        self._alarm.set()
        with suppress(Exception):  # a lost port may raise any
            if self._is_reading and hasattr(self._port, "cancel_read"):
                self._port.cancel_read()
            close_port(self._port)

    def forget(self) -> None:
        forget_port(self._port)
        self.close()


def close_port(port: serial.Serial) -> None:
    """Close the port, and release its lock so that it can be opened again at once.

    If gevent has patched `os.close`, the descriptor stays open for a moment, and with it
    pyserial's lock.
    """
    number = descriptor(port)
    if number is not None:
        import fcntl

        with suppress(OSError):
            fcntl.flock(number, fcntl.LOCK_UN)
    call_aside(partial(close_aside, port), _start_thread, _new_lock)
