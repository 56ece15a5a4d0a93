"""`SerialServer`: answers on a serial line, as one of several devices on it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gevent import get_hub

from modwire.server.constructors import SerialServerBase

from ..links import LONGEST_WAIT
from .base import DEBUG, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire import Call, Framing, Response, ServerOptions, Units
    from modwire.server.line import LineServer

    from ..links import Link


class SerialServer(SerialServerBase, Server):
    """A server for `units` on a serial line, in one greenlet.

    While it listens, a unit that blocks is executed in one of `workers` threads, and a unit whose
    `waits` is `Waits.LOOP` in another greenlet.
    """

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self._link: Link | None = None
        self._most_executed = workers
        self._being_executed = 0
        self._takes = True

    def _open(self) -> None:
        from modwire_sync.ports import count_overruns

        from ..serial_link import SerialLink, link_on, open_without_blocking

        port = open_without_blocking(
            self._address, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )
        link = self._link = link_on(get_hub(), port, self._settings.character_time)
        number: int | None = None
        if isinstance(link, SerialLink):
            number = link.number
            link.on_stuck = self._log_stuck
        line = self._line = self._new_line(
            lambda: None if number is None else count_overruns(number)
        )
        self._spawn_lasting(self._serve, link, line, port.flush)

    def _serve(self, link: Link, line: LineServer, drain: Callable[[], object]) -> None:
        """Listen and answer, until the server stops and all calls are answered."""
        try:
            while self._takes or link.is_sending or not line.is_idle:
                deadline = line.deadline()
                has_bytes = link.wait(monotonic() + LONGEST_WAIT if deadline is None else deadline)
                if self._link is None:
                    return
                now = monotonic()
                if has_bytes:
                    self._receive(line, link.receive(), now)
                elif link.is_sending:
                    self._receive(line, link.receive_now(), now)
                if not link.is_sending and (answer := line.handle_timeout(now)):
                    if self._wire.isEnabledFor(DEBUG):
                        self._wire.debug("%s gets %s", self._address, answer.hex(" "))
                    link.send(answer, now)
                if line.calls:
                    self._execute_calls()
            self._workers.run(drain)
        except OSError as error:
            if self._link is not None:
                raise self._lost(error) from error

    def _receive(self, line: LineServer, data: bytes | None, now: float) -> None:
        if data is None:
            return
        if not data:
            raise self._lost("it has hung up")
        if not self._takes:
            return
        if self._wire.isEnabledFor(DEBUG):
            self._wire.debug("%s brought %s", self._address, data.hex(" "))
        line.receive_data(data, now)

    def _execute_calls(self) -> None:
        # In the order of arrival; as many at once as there are workers.
        calls = self._line.calls
        while calls and self._being_executed < self._most_executed:
            self._being_executed += 1
            self._spawn(self._execute, calls.popleft())

    def _execute(self, call: Call) -> None:
        response: Response | None = None
        try:
            response = self._workers.execute(self._line.protocol, call, self.units)
        finally:
            # Even if it was killed, because the next call must not find the line busy.
            self._being_executed -= 1
            self._line.finish(call, response)
            if self._link is not None:
                self._execute_calls()
                self._link.wake()

    def _stop_taking(self) -> None:
        self._takes = False
        if self._link is not None:
            self._link.wake()

    def _close_links(self) -> None:
        self._takes = False
        link, self._link = self._link, None
        if link is None:
            return
        try:
            link.close()
        except Exception as error:  # noqa: BLE001 - drivers raise any error if the port is gone
            self._logger.debug("%s: %s", self, error)
