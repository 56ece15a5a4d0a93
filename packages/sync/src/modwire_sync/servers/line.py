"""`SerialServer`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from struct import Struct
from time import monotonic
from typing import TYPE_CHECKING

from modwire import (
    AsciiFraming,
    ConnectionLostError,
    RtuFraming,
    ServerProtocol,
    silent_interval,
)

from .base import DEBUG, Server, busy, server_options

if TYPE_CHECKING:
    from serial import Serial
    from serial.rs485 import RS485Settings

    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.options import Authorize, OnCall

_CHUNK = 4096
# Seconds by which an operating system or a USB adapter may tear a frame apart.
_TOLERANCE = 0.02
_READ_TIMEOUT = 0.5  # seconds, where a thread has to read
_MOST_UNSENT = 1024  # bytes; more answers than one client that waits for them can want
_MAX_BROADCASTS = 16  # that wait for units which block
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
    that blocks gets exception 06, server device busy.

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
        if framing.has_transactions:
            raise ValueError(f"framing must be one for serial lines, got {framing.__name__}")
        if parity not in ("N", "E", "O"):
            raise ValueError(f"parity must be N, E or O, got {parity!r}")
        self._bytesize = bytesize or (7 if framing is AsciiFraming else 8)
        self._stopbits = stopbits or (2 if parity == "N" else 1)
        if self._bytesize not in (7, 8) or self._stopbits not in (1, 2):
            raise ValueError(
                f"bytesize must be 7 or 8 and stopbits 1 or 2, got {bytesize} and {stopbits}"
            )
        merged = server_options(
            options,
            authorize=authorize,
            on_call=on_call,
            suppress_echo=suppress_echo,
            silence=silent_interval(baudrate),
            tolerance=_TOLERANCE,
        )
        super().__init__(units, framing, merged, workers=workers)
        self._address = port
        self._baudrate = baudrate
        self._parity = parity
        self._rs485 = rs485
        self._exclusive = exclusive
        self._protocol = ServerProtocol(framing, merged, peer=port)
        self._port: Serial | None = None
        self._fd: int | None = None
        self._reader: threading.Thread | None = None
        self._received: deque[tuple[bytes | Exception, float]] = deque()
        self._takes = True
        self._overruns = 0
        self._call: Call | None = None
        self._is_given_up = False
        self._answers = b""
        self._are_late = False

    @property
    def address(self) -> str:
        """The port, as it was given."""
        return self._address

    def _open(self) -> None:
        from ..serial_link import descriptor, open_port

        port = self._port = open_port(
            self._address,
            baudrate=self._baudrate,
            bytesize=self._bytesize,
            parity=self._parity,
            stopbits=self._stopbits,
            rs485=self._rs485,
            exclusive=self._exclusive,
        )
        self._fd = descriptor(port)
        if self._fd is not None:
            self._overruns = count_overruns(self._fd) or 0
            self._watch(self._fd, self._on_readable)
            return
        port.timeout = _READ_TIMEOUT
        self._reader = threading.Thread(
            target=self._read, args=(port,), name="modwire-reader", daemon=True
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
            self._protocol.overrun()
        self._receive(data, now)

    def _read(self, port: Serial) -> None:
        """Read in a thread, where a port cannot be polled: on Windows, and behind some URLs."""
        try:
            while self._takes:
                data: bytes = port.read(1)
                if data:
                    data += port.read(port.in_waiting)
                    self._received.append((data, monotonic()))
                    self._waker.wake()
        except Exception as error:  # noqa: BLE001 - told to the server's thread; pyserial raises many
            self._received.append((error, monotonic()))
            self._waker.wake()

    def _on_wake(self, mask: int, now: float) -> None:
        super()._on_wake(mask, now)
        while self._received and self._takes:
            data, when = self._received.popleft()
            if isinstance(data, Exception):
                raise self._lost(data) from data
            self._receive(data, when)

    def _receive(self, data: bytes, now: float) -> None:
        if self.tells_bytes:
            self.wire.debug("%s brought %s", self._address, data.hex(" "))
        self._protocol.receive_data(data, now)
        self._take()
        self._send_if_silent(now)

    def _lost(self, reason: object) -> ConnectionLostError:
        return ConnectionLostError(f"the serial port {self._address} is lost: {reason}")

    # Executing.

    def _take(self) -> None:
        """Execute the requests that were heard."""
        protocol = self._protocol
        try:
            if self._call is None:
                answers = protocol.answer_all(self.units)
                if self._are_late and (answers or protocol.has_call):
                    self._drop_late()
                # The newest ones: who asks again before he was answered has given up.
                if answers:
                    self._answers = answers if len(answers) <= _MOST_UNSENT else b""
                call = protocol.next_call() if protocol.has_call else None
                if call is not None:
                    self._call = call
                    self._is_given_up = False
                    self._workers.submit(protocol, call, self.units, self._on_response)
            if self._call is not None:
                while (newer := protocol.next_call()) is not None:
                    self._is_given_up = True
                    self._answers = self._answer_beside(newer) or self._answers
                protocol.answer_all(self.units)  # only damaged frames are left, to be counted
        except Exception:
            self.logger.exception("%s dropped a request: an error that is no peer's", self)

    def _answer_beside(self, call: Call) -> bytes:
        """Execute what was heard while another call is out; what to send."""
        if self._protocol.blocks(call, self.units):
            if call.broadcast:
                if self._workers.outstanding < _MAX_BROADCASTS:
                    self._workers.submit(self._protocol, call, self.units, self._on_broadcast)
                return b""
            call = busy(call)
        return self._protocol.answer(call, self._protocol.execute(call, self.units))

    def _on_broadcast(
        self, call: Call, response: Response | None, error: BaseException | None
    ) -> None:
        if error is not None:
            self.logger.error("%s failed at %r", self, call.request, exc_info=error)

    def _on_response(
        self, call: Call, response: Response | None, error: BaseException | None
    ) -> None:
        self._call = None
        if error is not None:
            self.logger.error("%s failed at %r", self, call.request, exc_info=error)
        elif self._is_given_up:
            self.logger.warning("%s: %r took longer than the client waits", self, call.request)
        else:
            self._answers = self._protocol.answer(call, response)
            self._are_late = bool(self._answers)
        self._take()
        self._send_if_silent(monotonic())

    def _drop_late(self) -> None:
        """Another request came before the answer of a unit that blocks could be sent."""
        self.logger.warning("%s: an answer came later than the client waits", self)
        self._answers = b""
        self._are_late = False

    # Answering.

    def _send_if_silent(self, now: float) -> None:
        if not self._answers or now < self._protocol.send_at() or self._port is None:
            return
        answers, self._answers, self._are_late = self._answers, b"", False
        if self.wire.isEnabledFor(DEBUG):
            self.wire.debug("%s gets %s", self._address, answers.hex(" "))
        from serial import SerialTimeoutException

        try:
            self._port.write(answers)
        except SerialTimeoutException:
            self.logger.error("%s takes no more bytes: an answer is lost", self._address)
            self._port.reset_output_buffer()
        except OSError as error:
            raise self._lost(error) from error

    def _deadline(self) -> float | None:
        deadline = self._protocol.deadline()
        if not self._answers:
            return deadline
        send_at = self._protocol.send_at()
        return send_at if deadline is None else min(deadline, send_at)

    def _handle_deadline(self, now: float) -> None:
        self._protocol.handle_timeout(now)
        self._take()
        self._send_if_silent(now)

    # The end.

    def _stop_taking(self) -> None:
        self._takes = False
        if self._fd is not None:
            self._unwatch(self._fd)

    def _is_idle(self) -> bool:
        return self._call is None and not self._answers

    def _close_links(self) -> None:
        self._takes = False
        port, self._port = self._port, None
        if port is None:
            return
        if self._fd is not None:
            self._unwatch(self._fd)
        try:
            if self._reader is not None:
                if hasattr(port, "cancel_read"):
                    port.cancel_read()
                self._reader.join(2 * _READ_TIMEOUT)
            port.flush()
        except Exception as error:  # noqa: BLE001 - it may be gone, and drivers raise what they like
            self.logger.debug("%s: %s", self, error)
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
