"""A serial port as a link. Imported, with pyserial, when the first port is opened."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio import CancelScope

from modwire_sync.ports import (
    WRITE_TIMEOUT,
    close_aside,
    count_overruns,
    descriptor,
    forget_port,
    open_port,
    read_port,
)

from .links import DescriptorLink, Link

if TYPE_CHECKING:
    import serial
    from outcome import Outcome

    from modwire.serial_settings import Rs485Settings, SerialSettings

_READ_TIMEOUT = 1.0  # seconds that a thread goes on reading after its caller was cancelled


async def open_link(
    port: str,
    settings: SerialSettings,
    *,
    rs485: Rs485Settings | bool | None,
    exclusive: bool,
    write_timeout: float = WRITE_TIMEOUT,
) -> SerialLink | ThreadLink:
    """Open a port and return its link; raise OSError, or ValueError for unsupported settings."""
    # On systems other than Windows, 0 would mean that nothing may be written.
    limit = 0.0 if os.name == "nt" else write_timeout
    open_it = partial(
        open_port, port, settings, rs485=rs485, exclusive=exclusive, write_timeout=limit
    )
    # Opening a URL may take long, for example to connect.
    opened = await trio.to_thread.run_sync(open_it) if "://" in port else open_it()
    number = descriptor(opened)
    if number is None:
        return ThreadLink(opened, settings.character_time)
    return SerialLink(opened, number, settings.character_time)


class SerialLink(DescriptorLink):
    """An open pyserial port, which the link owns; trio can wait for its descriptor `number`."""

    def __init__(self, port: serial.Serial, number: int, character_time: float) -> None:
        self.port = port
        super().__init__(
            number, partial(os.read, number), partial(os.write, number), character_time
        )

    def count_overruns(self) -> int | None:
        """Number of times that the port has lost characters; None if it is not counted."""
        return count_overruns(self._number)

    def forget(self) -> None:
        forget_port(self.port)
        self._close()

    def _close(self) -> None:
        close_aside(self.port)


class ThreadLink(Link):
    """A port that a thread has to read: on Windows, and with some of pyserial's URLs.

    If the caller is cancelled, the thread reads for a while more; the next caller gets its bytes.
    """

    def __init__(self, port: serial.Serial, character_time: float) -> None:
        super().__init__()
        self.port = port
        self._character_time = character_time
        self._is_reading = False
        self._outcome: Outcome[bytes] | None = None
        self._alarm = trio.Event()

    def send(self, data: bytes, now: float) -> float:
        self.port.write(data)
        return len(data) * self._character_time

    def withdraw(self, adu: bytes) -> bool:
        return True  # `send` leaves nothing unsent

    async def receive(self, until: float) -> bytes | OSError | None:
        if not self._is_reading and self._outcome is None:
            self._is_reading = True
            self._alarm = trio.Event()
            token = trio.lowlevel.current_trio_token()
            trio.lowlevel.start_thread_soon(self._read, partial(self._deliver, token))
        with CancelScope(deadline=until) as self._scope:
            await self._alarm.wait()
        try:
            return self._take()
        except OSError as error:
            return error

    def _read(self) -> bytes:
        return read_port(self.port, _READ_TIMEOUT)

    def _deliver(self, token: trio.lowlevel.TrioToken, outcome: Outcome[bytes]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(self._arrive, outcome)

    def _arrive(self, outcome: Outcome[bytes]) -> None:
        self._is_reading = False
        self._outcome = outcome
        self._alarm.set()

    def _take(self) -> bytes | None:
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            return None
        try:
            return outcome.unwrap() or None
        except OSError:
            raise
        except Exception as error:  # drivers raise any error when the port is closed
            raise OSError(f"cannot read: {error}") from error

    def receive_now(self) -> bytes | None:
        if self._outcome is not None:
            return self._take()
        if self._is_reading:
            return None
        return read_port(self.port, 0.0) or None

    def count_overruns(self) -> int | None:
        """Return None: overruns are not counted for such a port."""
        return None

    def cut(self) -> bool:
        self._alarm.set()
        if self._is_reading and hasattr(self.port, "cancel_read"):
            self.port.cancel_read()
        close_aside(self.port)
        return True

    def forget(self) -> None:
        forget_port(self.port)
        close_aside(self.port)
