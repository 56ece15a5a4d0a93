"""`serve_serial`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import wait_writable

from modwire import ConnectionLostError, RtuFraming
from modwire.serial_settings import SERIAL_TOLERANCE, SerialSettings
from modwire.server.line import LineServer
from modwire.server.options import merged_server_options

from .service import DEBUG, Service, log_error, logger, wire

if TYPE_CHECKING:
    from serial import Serial
    from serial.rs485 import RS485Settings

    from modwire import Call, Framing, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall

    from ..links import Link

_WRITE_TIMEOUT = 5.0  # seconds beyond the time on the line until a port counts as stuck
_LINE_COUNTERS = Struct("@20i")  # Linux: struct serial_icounter_struct
_OVERRUNS = (7, 10)  # its hardware and its buffer overruns
_NEVER = float("inf")


async def serve_serial(
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
    grace: float = 5.0,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for `units` on a serial line, RTU, ASCII or Binary, until cancelled.

    - `port` is a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL; `task_status.started`
      gets it. Raises OSError if it cannot be opened.
    - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1, and 2
      without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
    - `suppress_echo` drops what an RS-485 adapter hears of its own sending.
    - `rs485` switches the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
    - `exclusive` keeps other programs from opening the port.
    - `authorize`, `on_call`, `grace`: see `serve_tcp`; the peer that hooks see is `port`.
    - `options`: its `silence` and `tolerance` are raised to what the line needs.

    An answer is sent after 3.5 characters of silence. A unit that blocks is waited for while the
    line is listened to. If another request is heard meanwhile, the client has given up: the
    answer is dropped, for it would collide on the line. Such a request to a unit that blocks gets
    exception 06, server device busy. `workers` is how many such requests and broadcasts are
    executed at once; with more than one, a broadcast does not wait for what was asked before it.

    When the port goes away it raises `ConnectionLostError`.
    """
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
    service = Service(units, framing, workers=workers, grace=grace)
    service.name = f"serve_serial on {port}"
    line = LineServer(framing, merged, units, peer=port, on_drop=partial(_log_drop, service))
    from ..serial_link import PortLink, SerialLink, descriptor, open_port

    open_it = partial(open_port, port, settings, rs485=rs485, exclusive=exclusive)
    # What stands behind a URL may take its time, such as that of a connection.
    opened = await trio.to_thread.run_sync(open_it) if "://" in port else open_it()
    number = descriptor(opened)
    link: Link
    if number is None:
        link = PortLink(opened, settings.character_time)
    else:
        link = SerialLink(opened, number, settings.character_time)
    try:
        server = _Server(
            service, line, link, opened, number, port, workers, settings.character_time
        )
        task_status.started(port)
        await service.run(server.begin, server.stop)
    finally:
        link.cut()


class _Server:
    """The port, and the calls to units that block; what `LineServer` decides is done here."""

    def __init__(
        self,
        service: Service,
        line: LineServer,
        link: Link,
        opened: Serial,
        number: int | None,
        port: str,
        workers: int,
        character_time: float,
    ) -> None:
        self._service = service
        self._line = line
        self._link = link
        self._opened = opened
        self._number = number
        self._port = port
        self._workers = workers
        self._character_time = character_time
        self._working = 0
        self._to_execute: deque[Call] = deque()
        self._unsent = b""
        self._overruns = (count_overruns(number) or 0) if number is not None else 0
        self._waiting = trio.CancelScope()

    def begin(self) -> None:
        self._service.start(self._serve)

    def stop(self) -> None:
        self._waiting.cancel()

    async def _serve(self) -> None:
        stopping = self._service.stopping
        while True:
            self._go_on()
            if stopping.is_set() and self._line.is_idle and not self._unsent:
                break
            due = self._line.deadline()
            data: bytes | None = None
            with trio.CancelScope(deadline=_NEVER if due is None else due) as self._waiting:
                if stopping.is_set():
                    await trio.sleep_forever()
                data = await self._receive()
            now = trio.current_time()
            if data is None:
                self._line.handle_timeout(now)
            elif not stopping.is_set():
                self._take(data, now)
        with suppress(Exception):  # it may be gone, and drivers raise what they like
            await trio.to_thread.run_sync(self._opened.flush, abandon_on_cancel=True)

    async def _receive(self) -> bytes | None:
        try:
            data = await self._link.receive()
        except Exception as error:
            raise self._lost(error) from error
        if data == b"":
            raise self._lost("it is readable, but gives nothing")
        return data

    def _take(self, data: bytes, now: float) -> None:
        if self._number is not None:
            overruns = count_overruns(self._number)
            if overruns is not None and overruns != self._overruns:
                self._overruns = overruns
                self._line.overrun()
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s brought %s", self._port, data.hex(" "))
        self._line.receive_data(data, now)

    def _lost(self, reason: object) -> ConnectionLostError:
        return ConnectionLostError(f"the serial port {self._port} is lost: {reason}")

    # Executing and answering.

    def _go_on(self) -> None:
        """Do what the line asks for: calls to be executed, an answer to be sent."""
        while (call := self._line.next_call()) is not None:
            self._to_execute.append(call)
            if self._working < self._workers:
                self._working += 1
                self._service.start(self._work)
        answer = self._line.data_to_send(trio.current_time())
        if answer:
            self._send(answer)

    async def _work(self) -> None:
        """Execute calls in the order in which they came, until none is left."""
        service, line = self._service, self._line
        try:
            while self._to_execute:
                call = self._to_execute.popleft()
                try:
                    response = await service.execute(line.protocol, call)
                except Exception as error:  # noqa: BLE001 - somebody's own Units cannot stop it
                    line.failed(call, error, trio.current_time())
                else:
                    line.finish(call, response, trio.current_time())
                self._waiting.cancel()  # the line may have something else to wait for now
        finally:
            self._working -= 1

    def _send(self, answer: bytes) -> None:
        if self._unsent:
            logger.error("%s takes no more bytes: an answer is lost", self._port)
            return
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s gets %s", self._port, answer.hex(" "))
        try:
            if self._number is None:
                self._link.send(answer)
                return
            self._unsent = answer
            self._write(self._number)
        except Exception as error:
            raise self._lost(error) from error
        if self._unsent:
            seconds = len(answer) * self._character_time + _WRITE_TIMEOUT
            self._service.start(partial(self._write_rest, self._number, seconds))

    def _write(self, number: int) -> None:
        with suppress(BlockingIOError):
            sent = os.write(number, self._unsent)
            self._unsent = self._unsent[sent:]

    async def _write_rest(self, number: int, seconds: float) -> None:
        """Write what the port did not take at once, if it takes it in so many seconds."""
        try:
            with trio.move_on_after(seconds):
                while self._unsent:
                    await wait_writable(number)
                    self._write(number)
            if self._unsent:
                logger.error("%s takes no more bytes: an answer is lost", self._port)
                self._unsent = b""
                self._opened.reset_output_buffer()
        except Exception as error:
            raise self._lost(error) from error
        self._waiting.cancel()


def _log_drop(service: Service, text: str) -> None:
    logger.warning("%s: %s", service.name, text)


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
