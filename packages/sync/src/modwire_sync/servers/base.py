"""`Server`: the base of the three servers, from start to shutdown."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from modwire import ConnectionLostError
from modwire.forks import forget_after_fork
from modwire.server.interrupts import Interrupts
from modwire.server.life import BlockingServerBase, Stage, check_grace
from modwire.server.workers import WorkerQueue

from .loop import Loop

if TYPE_CHECKING:
    from typing_extensions import Self

    from modwire import Framing, ServerOptions, Units
    from modwire.logger import Logger

# Seconds after the grace for which `shutdown` waits for a thread that hangs in a unit or a hook.
_PATIENCE = 1.0


class Server(BlockingServerBase):
    """The base of `TcpServer`, `UdpServer` and `SerialServer`; do not use it directly.

    One thread does all the work: the one that calls `serve_forever`, or a new one after `start`.
    Only units that block are executed in other threads, at most `workers`. A server cannot be
    restarted: after `shutdown` make a new one.
    """

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self._most_workers = workers
        self._loop = self._new_loop()
        self._lock = threading.Lock()
        self._serving_thread: int | None = None
        self._finished = threading.Event()
        forget_after_fork(self, Server._forget, getattr(os, "register_at_fork", None))

    def _new_loop(self) -> Loop:
        return Loop(WorkerQueue(self._most_workers, self._spare_workers), self._logger, self._wire)

    def _forget(self) -> None:
        """Stop in a forked process what the other serves; a server not started yet may start."""
        self._loop.leave()  # it would watch the descriptors of both processes
        self._loop = self._new_loop()
        self._lock, self._finished = threading.Lock(), threading.Event()
        if self._stage is not Stage.NEW:
            self._stage, self._stop_at = Stage.CLOSED, 0.0
            self._finished.set()

    # The life cycle.

    def serve_forever(self) -> None:
        """Serve until `shutdown`; after `start`, wait until the server has stopped.

        Ctrl+C, or another exception of a signal handler, shuts the server down, so that running
        calls have 5 seconds to end and to be answered, and is raised then; a second one is raised
        at once. Raises the error that stopped the server, such as `ConnectionLostError` for a lost
        serial port, and RuntimeError if it was shut down before.
        """
        if self._stage is Stage.NEW:
            with Interrupts(signal, self._interrupted):
                self._start()
                self._serve()
            return
        self._check_open()
        if self._serving_thread == threading.get_ident():
            raise self._used_up()
        try:
            while not self._finished.wait(1.0):
                pass  # On Windows, Ctrl+C does not interrupt a wait without a timeout.
        except BaseException:
            self._end(self._grace_left)
            raise
        if self._failure is not None:
            raise self._failure

    def start(self) -> Self:
        """Serve in a new daemon thread; return this server."""
        self._start()
        threading.Thread(
            target=self._serve_in_thread, name=f"modwire-{type(self).__name__}", daemon=True
        ).start()
        return self

    def shutdown(self, grace: float = 5.0) -> None:
        """Stop the server and close everything; from any thread, hook or signal handler.

        The server accepts no new requests. Running calls have `grace` seconds to end and to be
        answered. Waits until all is closed, except in a thread of the server: there it only
        requests the shutdown. May be called again with a shorter grace.
        """
        check_grace(grace)
        with self._lock:
            if self._stage is Stage.NEW:
                self._close()
        grace = self._grant(grace)
        self._loop.wake()
        if self._serving_thread == threading.get_ident() or self._loop.workers.run_here():
            return
        if not self._finished.wait(min(grace + _PATIENCE, threading.TIMEOUT_MAX)):
            self._logger.warning("%s still hangs in a unit or a hook after shutdown", self)

    def _interrupted(self) -> None:
        """Begin the shutdown; called by a signal handler."""
        self._grant(self._grace)
        self._loop.wake()

    def _start(self) -> None:
        with self._lock:
            self._begin()
        try:
            self._open()
        except BaseException:
            self._close()
            raise

    def _serve_in_thread(self) -> None:
        with suppress(BaseException):  # serve_forever raises it
            self._serve()

    def _serve(self) -> None:
        self._serving_thread = threading.get_ident()
        self._logger.info("%s serves", self)
        try:
            self._run()
        except BaseException as error:
            self._failure = error
            if isinstance(error, Exception):
                self._logger.error("%s has stopped: %s", self, error)
            if self._stop_at is None and not isinstance(error, ConnectionLostError):
                self._grant(self._grace)
                self._run()
            raise
        finally:
            self._close()
            self._logger.info("%s is closed", self)

    def _close(self) -> None:
        super()._close()
        self._loop.close()
        self._finished.set()

    def _run(self) -> None:
        stopping = False
        while True:
            deadline = self._deadline()
            if self._stop_at is not None:
                if not stopping:
                    stopping = True
                    self._stop_taking()
                if self._is_idle() or monotonic() >= self._stop_at:
                    return
                deadline = self._stop_at if deadline is None else min(deadline, self._stop_at)
            now = self._loop.run_once(deadline)
            if deadline is not None and now >= deadline:
                self._handle_deadline(now)

    # To be defined by each server.

    now = staticmethod(monotonic)

    @staticmethod
    def _get_logger(name: str) -> Logger:
        from logging import getLogger  # would take a third of the servers' import time

        return getLogger(name)

    def _is_idle(self) -> bool:
        """True if, after `_stop_taking`, all work is done."""
        raise NotImplementedError

    def _deadline(self) -> float | None:
        """Time to call `_handle_deadline` (seconds, monotonic); None if only events matter."""
        return None

    def _handle_deadline(self, now: float) -> None:
        """Do what is due at `now`."""
