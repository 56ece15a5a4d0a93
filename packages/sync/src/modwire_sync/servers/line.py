"""`SerialServer`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from struct import Struct
from time import monotonic
from typing import TYPE_CHECKING

from modwire import ConnectionLostError, RtuFraming
from modwire.serial_settings import SERIAL_TOLERANCE, SerialSettings
from modwire.server.line import LineServer
from modwire.server.options import merged_server_options

from .base import Server, log_error
from .loop import DEBUG
from .poller import Waker

if TYPE_CHECKING:
    from serial import Serial
    from serial.rs485 import RS485Settings

    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

_CHUNK = 4096
_READ_TIMEOUT = 0.5  # seconds, where a thread has to read
_LINE_COUNTERS = Struct("@20i")  # Linux: struct serial_icounter_struct
_OVERRUNS = (7, 10)  # its hardware and its buffer overruns


class SerialServer(Server):
    """Answers for `units` on a serial line: RTU, ASCII or Binary.

    - `port` is a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL. It is opened by
      `start`, `serve_forever` or `with`, which raise OSError if it cannot be.
    - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1, and 2
      without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
    - `suppress_echo` drops what an RS-485 adapter hears of its own sending.
    - `rs485` switches the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
    - `exclusive` keeps other programs from opening the port.
    - `authorize`, `on_call`: see `TcpServer`; the peer they see is `port`.
    - `options`: its `silence` and `tolerance` are raised to what the line needs.

    An answer is sent after 3.5 characters of silence. A unit that blocks is waited for in another
    thread while the line is listened to. If another request is heard meanwhile, the client has
    given up: the answer is dropped, for it would collide on the line. Such a request to a unit
    that blocks gets exception 06, server device busy. `workers` is how many threads execute
    such requests and broadcasts; with more than one, a broadcast does not wait for what was
    asked before it.

    When the port goes away, `serve_forever` raises `ConnectionLostError`.
    """

    def __init__(
        self,
        units: Units,
        port: str,
        *,
        framing: type[Framing] = RtuFraming,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
        suppress_echo: bool = False,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        rs485: RS485Settings | bool | None = None,
        exclusive: bool = True,
        workers: int = 1,
    ) -> None:
        settings = SerialSettings(
            framing, baudrate=baudrate, bytesize=bytesize, parity=parity, stopbits=stopbits
        )
        merged = merged_server_options(
            options,
            authorize=authorize,
            on_call=on_call,
            on_error=log_error,
            suppress_echo=suppress_echo,
            silence=settings.silence,
            tolerance=SERIAL_TOLERANCE,
        )
        super().__init__(units, framing, merged, workers=workers)
        self._address = port
        self._settings = settings
        self._rs485 = rs485
        self._exclusive = exclusive
        self._line = LineServer(framing, merged, units, peer=port, on_drop=self._log_drop)
        self._port: Serial | None = None
        self._fd: int | None = None
        self._reader: threading.Thread | None = None
        self._received: deque[tuple[bytes | Exception, float]] = deque()
        self._reader_waker: Waker | None = None
        self._takes = True
        self._overruns = 0

    @property
    def address(self) -> str:
        """The port, as it was given."""
        return self._address

    def _open(self) -> None:
        from ..serial_link import descriptor, open_port

        port = self._port = open_port(
            self._address, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )
        self._fd = descriptor(port)
        if self._fd is not None:
            self._overruns = count_overruns(self._fd) or 0
            self._loop.watch(self._fd, self._on_readable)
            return
        port.timeout = _READ_TIMEOUT
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
        overruns = count_overruns(self._fd)
        if overruns is not None and overruns != self._overruns:
            self._overruns = overruns
            self._line.overrun()
        self._receive(data, now)

    def _read(self, port: Serial, waker: Waker) -> None:
        """Read in a thread, where a port cannot be polled: on Windows, and behind some URLs."""
        try:
            while self._takes:
                data: bytes = port.read(1)
                if data:
                    data += port.read(port.in_waiting)
                    self._received.append((data, monotonic()))
                    waker.wake()
        except Exception as error:  # noqa: BLE001 - told to the server's thread; pyserial raises many
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
        self._go_on(now)

    def _lost(self, reason: object) -> ConnectionLostError:
        return ConnectionLostError(f"the serial port {self._address} is lost: {reason}")

    # Executing and answering.

    def _go_on(self, now: float) -> None:
        """Do what the line asks for: calls to be executed, an answer to be sent."""
        while (call := self._line.next_call()) is not None:
            self._loop.submit(self._line.protocol, call, self.units, self._on_response)
        answer = self._line.data_to_send(now)
        if answer:
            self._send(answer)

    def _on_response(self, call: Call, response: Response | None) -> None:
        now = monotonic()
        self._line.finish(call, response, now)
        self._go_on(now)

    def _send(self, answer: bytes) -> None:
        if self._port is None:
            return
        if self._loop.wire.isEnabledFor(DEBUG):
            self._loop.wire.debug("%s gets %s", self._address, answer.hex(" "))
        from serial import SerialTimeoutException

        try:
            self._port.write(answer)
        except SerialTimeoutException:
            self._logger.error("%s takes no more bytes: an answer is lost", self._address)
            self._port.reset_output_buffer()
        except OSError as error:
            raise self._lost(error) from error

    def _log_drop(self, text: str) -> None:
        self._logger.warning("%s: %s", self, text)

    def _deadline(self) -> float | None:
        return self._line.deadline()

    def _handle_deadline(self, now: float) -> None:
        self._line.handle_timeout(now)
        self._go_on(now)

    # The end.

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
        try:
            if self._reader is not None:
                if hasattr(port, "cancel_read"):
                    port.cancel_read()
                self._reader.join(2 * _READ_TIMEOUT)
            if self._reader_waker is not None:
                self._loop.unwatch(self._reader_waker.fileno())
                self._reader_waker.close()
            port.flush()
        except Exception as error:  # noqa: BLE001 - it may be gone, and drivers raise what they like
            self._logger.debug("%s: %s", self, error)
        port.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self._address}"


def count_overruns(fd: int) -> int | None:
    """How often the port had to drop characters since it exists; None if it does not tell."""
    if sys.platform != "linux":
        return None
    import fcntl
    import termios

    try:
        counters = fcntl.ioctl(fd, termios.TIOCGICOUNT, bytes(_LINE_COUNTERS.size))
    except OSError:
        return None
    values: tuple[int, ...] = _LINE_COUNTERS.unpack(counters)
    return sum([values[index] for index in _OVERRUNS])
