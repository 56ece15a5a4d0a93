"""`SerialServer`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.constructors import SerialServerBase

from .base import DEBUG, Server

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.line import LineServer

    from ..serial_link import SerialLink


class SerialServer(SerialServerBase, Server):
    """A server for `units` on a serial line, in one task; see `TcpServer`.

    While it listens, a unit that blocks is executed in one of `workers` threads, and an
    `AsyncUnit` in another task.
    """

    _line: LineServer
    _link: SerialLink | None = None

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self._most_working = workers
        self._working = 0
        self._takes = True

    async def _open(self) -> None:
        from ..serial_link import open_link

        link = self._link = await open_link(
            self._address, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )
        line = self._line = self._new_line(link.count_overruns)
        self._spawn(self._serve(link, line))

    async def _serve(self, link: SerialLink, line: LineServer) -> None:
        """Listen and answer, until the server stops and all calls are answered."""
        while self._takes or link.is_sending or not line.is_idle:
            deadline, now = line.deadline(), monotonic()
            await link.wait(now + 3600.0 if deadline is None else deadline, now)
            if self._link is None:
                return
            found = link.take()
            now = monotonic()
            if link.is_sending and isinstance(found, OSError):
                self._log_stuck()
                link.forget_unsent()
                with suppress(Exception):  # if the port is gone, drivers raise many errors
                    link.port.reset_output_buffer()
            elif isinstance(found, OSError):
                raise self._lost(found) from found
            elif found is not None and self._takes:
                if self._wire.isEnabledFor(DEBUG):
                    self._wire.debug("%s brought %s", self._address, found.hex(" "))
                line.receive_data(found, now)
            if found is None and not link.is_sending and (answer := line.handle_timeout(now)):
                self._send(link, answer, now)
            if line.calls:
                self._start_workers()
        with suppress(Exception):
            await self._workers.run(link.port.flush)

    def _send(self, link: SerialLink, answer: bytes, now: float) -> None:
        if self._wire.isEnabledFor(DEBUG):
            self._wire.debug("%s gets %s", self._address, answer.hex(" "))
        try:
            link.send(answer, now)
        except Exception as error:
            raise self._lost(error) from error

    def _start_workers(self) -> None:
        while self._line.calls and self._working < self._most_working:
            self._working += 1
            self._spawn(self._work())

    async def _work(self) -> None:
        """Execute calls in the order of their arrival, until none is left."""
        line = self._line
        try:
            while line.calls:
                call = line.calls.popleft()
                try:
                    response = await self._workers.execute(line.protocol, call, self.units)
                except Exception as error:  # noqa: BLE001 - a bug in a unit must not end it
                    line.failed(call, error)
                else:
                    line.finish(call, response)
                self._wake()
        finally:
            self._working -= 1

    def _wake(self) -> None:
        if self._link is not None:
            self._link.wake()

    def _stop_taking(self) -> None:
        self._takes = False
        self._wake()

    def _close_links(self) -> None:
        self._takes = False
        link, self._link = self._link, None
        if link is not None:
            link.close()
