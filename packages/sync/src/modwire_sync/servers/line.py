"""`SerialServer`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.constructors import SerialServerBase

from .base import Server
from .poller import Waker

if TYPE_CHECKING:
    from serial import Serial

    from modwire import Call

_CHUNK = 4096
_READ_TIMEOUT = 0.5  # seconds of one read, if a thread has to read the port


class SerialServer(SerialServerBase, Server):
    """A server for `units` on a serial line; it runs in one thread.

    A unit that blocks is executed in one of `workers` threads while the server listens.
    """

    _port: Serial | None = None
    _fd: int | None = None
    _reader: threading.Thread | None = None
    _reader_waker: Waker | None = None
    _takes = True

    def _open(self) -> None:
        from ..ports import count_overruns, descriptor, open_aside

        port = self._port = open_aside(
            self._address, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )
        fd = self._fd = descriptor(port)
        self._line = self._new_line(lambda: None if fd is None else count_overruns(fd))
        if fd is not None:
            self._loop.watch(fd, self._on_readable)
            return
        self._received: deque[tuple[bytes | Exception, float]] = deque()
        waker = self._reader_waker = Waker()
        self._loop.watch(waker.fileno(), self._on_received)
        self._reader = threading.Thread(
            target=self._read, args=(port, waker), name="modwire-reader", daemon=True
        )
        self._reader.start()

    # Receiving.

    def _on_readable(self, mask: int, now: float) -> None:
        if self._fd is None:
            return
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost("it is readable, but gives nothing")
        self._receive(data, now)

    def _read(self, port: Serial, waker: Waker) -> None:
        """Read in a thread, if a port cannot be polled: on Windows, and with some URLs."""
        from ..ports import read_port

        try:
            while self._takes:
                if data := read_port(port, _READ_TIMEOUT):
                    self._received.append((data, monotonic()))
                    waker.wake()
        except Exception as error:  # noqa: BLE001 - raised in the server's thread
            self._received.append((error, monotonic()))
            waker.wake()

    def _on_received(self, mask: int, now: float) -> None:
        if self._reader_waker is not None:
            self._reader_waker.clear()
        while self._received and self._takes:
            data, when = self._received.popleft()
            if isinstance(data, Exception):
                raise self._lost(data) from data
            self._receive(data, when)

    def _receive(self, data: bytes, now: float) -> None:
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s brought %s", self._address, data.hex(" "))
        self._line.receive_data(data, now)
        while self._line.calls:
            self._execute(self._line.calls.popleft())

    # Executing and answering.

    def _execute(self, call: Call) -> None:
        done = partial(self._line.finish, call)
        self._loop.workers.submit(self._line.protocol, call, self.units, done)

    def _deadline(self) -> float | None:
        return self._line.deadline()

    def _handle_deadline(self, now: float) -> None:
        answer = self._line.handle_timeout(now)
        while self._line.calls:
            self._execute(self._line.calls.popleft())
        if not answer or self._port is None:
            return
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s gets %s", self._address, answer.hex(" "))
        from serial import SerialTimeoutException

        try:
            self._port.write(answer)
        except SerialTimeoutException:
            self._log_stuck()
            self._port.reset_output_buffer()
        except OSError as error:
            raise self._lost(error) from error

    def _stop_taking(self) -> None:
        self._takes = False
        if self._fd is not None:
            self._loop.unwatch(self._fd)

    def _is_idle(self) -> bool:
        return self._line.is_idle

    def _close_links(self) -> None:
        self._takes = False
        port, self._port = self._port, None
        if port is None:
            return
        if self._fd is not None:
            self._loop.unwatch(self._fd)
        from ..ports import WRITE_TIMEOUT, close_aside

        try:
            if self._reader is not None:
                if hasattr(port, "cancel_read"):
                    port.cancel_read()
                self._reader.join(2 * _READ_TIMEOUT)
            if self._reader_waker is not None:
                self._loop.unwatch(self._reader_waker.fileno())
                self._reader_waker.close()
            # A port that cannot send its last answer must not keep the server.
            drain = threading.Thread(target=_drain, args=(port,), daemon=True)
            drain.start()
            drain.join(WRITE_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - if the port is gone, drivers raise any error
            self._logger.debug("%s: %s", self, error)
        close_aside(port)


def _drain(port: Serial) -> None:
    with suppress(Exception):  # if the port is gone, drivers raise any error
        port.flush()
