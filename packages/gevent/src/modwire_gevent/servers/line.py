"""`SerialServer`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

import sys
from collections import deque
from struct import Struct
from time import monotonic
from typing import TYPE_CHECKING

from modwire import ConnectionLostError, RtuFraming
from modwire.serial_settings import SERIAL_TOLERANCE, SerialSettings
from modwire.server.line import LineServer
from modwire.server.options import merged_server_options

from .base import DEBUG, Server, log_error

if TYPE_CHECKING:
    from serial.rs485 import RS485Settings

    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

    from .port import OpenPort

_LONGEST_WAIT = 3600.0  # seconds, for event loops know no very great ones
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
    thread, or in a greenlet if it cooperates, while the line is listened to. If another request
    is heard meanwhile, the client has given up: the answer is dropped, for it would collide on the
    line. Such a request to a unit that blocks gets exception 06, server device busy. `workers` is
    how many such requests and broadcasts are executed at once; with more than one, a broadcast
    does not wait for what was asked before it.

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
        self._at_once = workers
        self._address = port
        self._settings = settings
        self._rs485 = rs485
        self._exclusive = exclusive
        self._line = LineServer(framing, merged, units, peer=port, on_drop=self._log_drop)
        self._port: OpenPort | None = None
        self._calls: deque[Call] = deque()
        self._being_executed = 0
        self._takes = True
        self._overruns = 0

    @property
    def address(self) -> str:
        """The port, as it was given."""
        return self._address

    def _open(self) -> None:
        from .port import OpenPort

        port = self._port = OpenPort(
            self._address,
            self._settings,
            self._workers,
            rs485=self._rs485,
            exclusive=self._exclusive,
            on_stuck=self._log_stuck,
        )
        if port.number is not None:
            self._overruns = count_overruns(port.number) or 0
        self._spawn_lasting(self._serve, port)

    def _serve(self, port: OpenPort) -> None:
        """Listen and answer, until the serving ends and all is answered."""
        line = self._line
        link = port.link
        try:
            while self._takes or link.is_sending or not line.is_idle:
                deadline = line.deadline()
                if deadline is None:
                    deadline = monotonic() + _LONGEST_WAIT
                has_bytes = link.wait(deadline)
                if self._port is None:
                    return
                now = monotonic()
                if has_bytes:
                    self._receive(port, link.receive(), now)
                else:
                    line.handle_timeout(now)
                if link.is_sending:
                    link.flush(now)
                self._go_on(port)
            port.drain()
        except OSError as error:
            if self._port is not None:
                raise self._lost(error) from error

    def _receive(self, port: OpenPort, data: bytes | None, now: float) -> None:
        if data is None:
            return
        if not data:
            raise self._lost("it is readable, but gives nothing")
        if not self._takes:
            return
        if port.number is not None:
            overruns = count_overruns(port.number)
            if overruns is not None and overruns != self._overruns:
                self._overruns = overruns
                self._line.overrun()
        if self._wire.isEnabledFor(DEBUG):
            self._wire.debug("%s brought %s", self._address, data.hex(" "))
        self._line.receive_data(data, now)

    def _lost(self, reason: object) -> ConnectionLostError:
        if isinstance(reason, ConnectionLostError):
            return reason
        return ConnectionLostError(f"the serial port {self._address} is lost: {reason}")

    # Executing and answering.

    def _go_on(self, port: OpenPort) -> None:
        """Do what the line asks for: calls to be executed, an answer to be sent."""
        while (call := self._line.next_call()) is not None:
            self._calls.append(call)
        self._execute_calls()
        if port.link.is_sending:
            return
        now = monotonic()
        answer = self._line.data_to_send(now)
        if not answer:
            return
        if self._wire.isEnabledFor(DEBUG):
            self._wire.debug("%s gets %s", self._address, answer.hex(" "))
        port.link.send(answer, now)

    def _execute_calls(self) -> None:
        # In the order of the line, as many at once as may be.
        while self._calls and self._being_executed < self._at_once:
            self._being_executed += 1
            self._spawn(self._execute, self._calls.popleft())

    def _execute(self, call: Call) -> None:
        response: Response | None = None
        try:
            response = self._workers.execute(self._line.protocol, call, self.units)
        finally:
            # Even if it was killed, or a hook said so: the next call must not find it busy.
            self._being_executed -= 1
            self._line.finish(call, response, monotonic())
            if self._port is not None:
                self._execute_calls()
                self._port.link.wake()

    def _log_drop(self, text: str) -> None:
        self._logger.warning("%s: %s", self, text)

    def _log_stuck(self) -> None:
        self._logger.error("%s takes no more bytes: an answer is lost", self._address)

    # The end.

    def _stop_taking(self) -> None:
        self._takes = False
        if self._port is not None:
            self._port.link.wake()

    def _close_links(self) -> None:
        self._takes = False
        port, self._port = self._port, None
        if port is None:
            return
        try:
            port.link.close()
        except Exception as error:  # noqa: BLE001 - it may be gone, and drivers raise what they like
            self._logger.debug("%s: %s", self, error)

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
