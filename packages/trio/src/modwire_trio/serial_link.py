"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import io
import os
import select
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import serial
import serial.rs485
import trio

from .links import DescriptorLink, Link

if TYPE_CHECKING:
    from outcome import Outcome
    from serial.rs485 import RS485Settings

    from modwire.serial_settings import SerialSettings

_READ_TIMEOUT = 1.0  # seconds for which a thread reads that nobody may wait for any more


async def open_link(
    port: str,
    settings: SerialSettings,
    *,
    rs485: RS485Settings | bool | None,
    exclusive: bool,
) -> Link:
    """The link on a port that is opened now; raises OSError, and ValueError as the driver does."""
    open_it = partial(open_port, port, settings, rs485=rs485, exclusive=exclusive)
    # What stands behind a URL may take its time, such as that of a connection.
    opened = await trio.to_thread.run_sync(open_it) if "://" in port else open_it()
    character_time = settings.character_time
    number = descriptor(opened)
    if number is None:
        return PortLink(opened, character_time)
    return SerialLink(opened, number, character_time)


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
        exclusive=True if exclusive else None,
    )
    if rs485:
        try:
            opened.rs485_mode = serial.rs485.RS485Settings() if rs485 is True else rs485
        except BaseException:
            opened.close()
            raise
    return opened


class SerialLink(DescriptorLink):
    """An open port of pyserial, which the link owns, and whose `number` trio can wait for."""

    def __init__(self, port: serial.Serial, number: int, character_time: float) -> None:
        os.set_blocking(number, False)
        self._port = port
        super().__init__(
            number, partial(os.read, number), partial(os.write, number), character_time
        )
        self._descriptor = number

    async def receive(self) -> bytes | None:
        # pyserial sets terminals so that b"" also means no bytes yet, and trio may wake up early;
        # one that is readable and has no bytes has hung up.
        data = await super().receive()
        return None if data == b"" and not self._is_readable() else data

    def _is_readable(self) -> bool:
        poll = select.poll()  # select() knows no descriptors from 1024 on
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def arrived(self) -> bytes | None:
        return super().arrived() or None

    def _close(self) -> None:
        self._port.close()


class PortLink(Link):
    """A port where nothing can be waited for but a read: on Windows, and some of pyserial's URLs.

    A thread reads. If its caller is cancelled, the reading goes on for a while, and the next
    caller has what it brings.
    """

    def __init__(self, port: serial.Serial, character_time: float) -> None:
        self._port = port
        self._character_time = character_time
        port.timeout = _READ_TIMEOUT
        # Elsewhere than on Windows, 0 would mean that nothing may be written.
        port.write_timeout = 0 if os.name == "nt" else None
        self._is_reading = False
        self._arrived: Outcome[bytes] | None = None
        self._alarm = trio.Event()

    def send(self, data: bytes) -> float:
        self._port.write(data)
        return len(data) * self._character_time

    async def receive(self) -> bytes | None:
        if not self._is_reading and self._arrived is None:
            self._is_reading = True
            self._alarm = trio.Event()
            token = trio.lowlevel.current_trio_token()
            trio.lowlevel.start_thread_soon(self._read, partial(self._deliver, token))
        await self._alarm.wait()
        return self._take()

    def _read(self) -> bytes:
        data: bytes = self._port.read(1)
        return data + self._port.read(self._port.in_waiting) if data else b""

    def _deliver(self, token: trio.lowlevel.TrioToken, arrived: Outcome[bytes]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(self._arrive, arrived)

    def _arrive(self, arrived: Outcome[bytes]) -> None:
        self._is_reading = False
        self._arrived = arrived
        self._alarm.set()

    def _take(self) -> bytes | None:
        arrived, self._arrived = self._arrived, None
        if arrived is None:
            return None
        try:
            return arrived.unwrap() or None
        except OSError:
            raise
        except Exception as error:  # what drivers raise when the port is closed
            raise OSError(f"cannot read: {error}") from error

    def arrived(self) -> bytes | None:
        if self._arrived is not None:
            return self._take()
        if self._is_reading:
            return None
        waiting: bytes = self._port.read(self._port.in_waiting)
        return waiting or None

    async def close(self) -> None:
        self.cut()

    def cut(self) -> bool:
        self._alarm.set()
        if self._is_reading and hasattr(self._port, "cancel_read"):
            self._port.cancel_read()
        self._port.close()
        return True


def descriptor(port: serial.Serial) -> int | None:
    """What trio can wait for with this port; None if there is no such thing."""
    if os.name != "posix":
        return None
    try:
        number: int = port.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
    return number
