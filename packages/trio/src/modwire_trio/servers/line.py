"""`serve_serial`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from modwire import RtuFraming
from modwire.arguments import explained
from modwire.server.constructors import SerialServerBase
from modwire.server.life import check_grace

from .service import DEBUG, Server, wire

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.serial_settings import Rs485Settings
    from modwire.server.line import LineServer
    from modwire.server.options import Authorize, OnCall

    from ..serial_link import SerialLink, ThreadLink

_NEVER = float("inf")


@explained
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
    rs485: Rs485Settings | bool | None = None,
    exclusive: bool = True,
    workers: int = 1,
    grace: float = 5.0,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` on a serial line, RTU, ASCII or Binary, until cancelled.

    `modwire.server.constructors.SerialServerBase` describes the arguments and the answers;
    `grace` is that of `serve_tcp`. `task_status.started` gets `port`. Raises OSError if the port
    cannot be opened, `ConnectionLostError` if it is lost, ValueError and TypeError for wrong
    arguments.
    """
    check_grace(grace)
    server = _SerialServer(
        units,
        port,
        framing=framing,
        baudrate=baudrate,
        bytesize=bytesize,
        parity=parity,
        stopbits=stopbits,
        suppress_echo=suppress_echo,
        authorize=authorize,
        on_call=on_call,
        options=options,
        rs485=rs485,
        exclusive=exclusive,
        workers=workers,
    )
    server.name = f"serve_serial on {port}"
    link = await server.open()
    try:
        task_status.started(port)
        await server.serve(grace)
    finally:
        link.cut()


class _SerialServer(SerialServerBase, Server):
    """The port of `serve_serial` and the calls to units; it does what `LineServer` decides."""

    _link: SerialLink | ThreadLink
    _line: LineServer

    async def open(self) -> SerialLink | ThreadLink:
        """Open the port."""
        from ..serial_link import open_link

        link = self._link = await open_link(
            self._address, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )
        self._line = self._new_line(link.count_overruns)
        self._working = 0
        self._stopped = trio.CancelScope()
        return link

    def _start_tasks(self) -> None:
        self.start(self._serve_line)

    def _stop_taking(self) -> None:
        self._wake()

    def _wake(self) -> None:
        """Make `_serve_line` look for work."""
        self._link.hasten(trio.current_time())
        self._stopped.cancel()

    async def _serve_line(self) -> None:
        line, link, stopping = self._line, self._link, self.stopping
        while True:
            due = line.deadline()
            if due is None:
                due = _NEVER
            data: bytes | None = None
            if not stopping.is_set():
                data = await self._receive(due)
            elif line.is_idle and not link.is_sending:
                break
            else:
                with trio.CancelScope(deadline=due) as self._stopped:
                    await trio.sleep_forever()
            if data is None:
                self._send(line.handle_timeout(trio.current_time()))
            elif not stopping.is_set():
                if wire.isEnabledFor(DEBUG):
                    wire.debug("%s brought %s", self._address, data.hex(" "))
                line.receive_data(data, trio.current_time())
            if line.calls:
                self._start_workers()
        with suppress(Exception):  # if the port is gone, drivers raise many errors
            await trio.to_thread.run_sync(link.port.flush, abandon_on_cancel=True)

    async def _receive(self, until: float) -> bytes | None:
        found = await self._link.receive(until)
        if isinstance(found, OSError):
            raise self._lost(found) from found
        if found == b"":
            raise self._lost("it is readable, but gives nothing")
        return found

    # Executing and answering.

    def _start_workers(self) -> None:
        for _ in range(len(self._line.calls)):
            if self._working >= self._limiter.total_tokens:
                return
            self._working += 1
            self.start(self._work)

    async def _work(self) -> None:
        """Execute calls in the order of their arrival, until none is left."""
        line = self._line
        try:
            while line.calls:
                call = line.calls.popleft()
                try:
                    response = await self.execute(line.protocol, call)
                except Exception as error:  # noqa: BLE001 - a bug in a unit must not end it
                    line.failed(call, error)
                else:
                    line.finish(call, response)
                self._wake()
        finally:
            self._working -= 1

    def _send(self, answer: bytes) -> None:
        link = self._link
        if not answer:
            return
        if link.is_sending:
            self._log_stuck()
            return
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s gets %s", self._address, answer.hex(" "))
        try:
            seconds = link.send(answer, trio.current_time())
        except Exception as error:
            raise self._lost(error) from error
        if link.is_sending:
            from modwire_sync.ports import WRITE_TIMEOUT

            self.start(partial(self._flush, seconds + WRITE_TIMEOUT))

    async def _flush(self, seconds: float) -> None:
        """Write the unsent rest of an answer; discard it if that takes more than `seconds`."""
        link = self._link
        try:
            with trio.move_on_after(seconds):
                error = await link.flush()
                if error is not None:
                    raise error
            if link.is_sending:
                self._log_stuck()
                link.forget_unsent()
                link.port.reset_output_buffer()
        except Exception as error:
            raise self._lost(error) from error
        self._wake()
