"""`Server`: the base of the three servers, from start to shutdown."""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import TYPE_CHECKING

from modwire.forks import forget_after_fork
from modwire.server.life import BlockingServerBase
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
        self._loop = Loop(WorkerQueue(workers, self._spare_workers), self._logger)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._serving_thread: int | None = None
        self._has_begun = False
        self._finished = threading.Event()
        self._failure: BaseException | None = None
        self._stop_at: float | None = None
        forget_after_fork(self, Server._forget, getattr(os, "register_at_fork", None))

    def _forget(self) -> None:
        """Stop in a forked process what the other serves; a server not started yet may start."""
        self._loop.leave()  # it would watch the descriptors of both processes
        self._loop = Loop(WorkerQueue(self._most_workers, self._spare_workers), self._logger)
        self._lock, self._finished = threading.Lock(), threading.Event()
        if self._has_begun:
            self._stop_at = 0.0
            self._finished.set()

    # The life cycle.

    def serve_forever(self) -> None:
        """Serve until `shutdown`; after `start`, wait until the server has stopped.

        Raises the error that stopped the server, such as `ConnectionLostError` for a lost serial
        port. After any error, KeyboardInterrupt too, it is closed unless `start` was called.
        """
        thread = self._thread
        if thread is None:
            self._begin()
            self._serve()
            return
        while thread.is_alive():
            # On Windows, Ctrl+C does not interrupt a wait without a timeout.
            thread.join(1.0)
        if self._failure is not None:
            raise self._failure

    def start(self) -> Self:
        """Serve in a new daemon thread; return this server."""
        self._begin()
        self._thread = threading.Thread(
            target=self._serve_in_thread, name=f"modwire-{type(self).__name__}", daemon=True
        )
        self._thread.start()
        return self

    def shutdown(self, grace: float = 5.0) -> None:
        """Stop the server and close everything; from any thread, hook or signal handler.

        The server accepts no new requests. Running calls have `grace` seconds to end and to be
        answered. Waits until all is closed, except in a thread of the server: there it only
        requests the shutdown. May be called again with a shorter grace.
        """
        if not grace >= 0:
            raise ValueError(f"grace must be at least 0 seconds, got {grace}")
        with self._lock:
            unused = not self._has_begun
            self._has_begun = True
        if unused:
            self._close()
            return
        self._stop_at = monotonic() + grace
        self._loop.wake()
        if self._serving_thread == threading.get_ident() or self._loop.workers.run_here():
            return
        if not self._finished.wait(min(grace + _PATIENCE, threading.TIMEOUT_MAX)):
            self._logger.warning("%s still hangs in a unit or a hook after shutdown", self)

    @property
    def is_serving(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self) -> None:
        with self._lock:
            if self._has_begun:
                raise RuntimeError(f"{self} serves already, or was shut down: make a new one")
            self._has_begun = True
        try:
            self._open()
        except BaseException:
            self._close()
            raise

    def _serve_in_thread(self) -> None:
        try:
            self._serve()
        except BaseException as error:  # noqa: BLE001 - serve_forever raises it
            self._failure = error
            self._logger.error("%s has stopped: %s", self, error)

    def _serve(self) -> None:
        self._serving_thread = threading.get_ident()
        self._logger.info("%s serves", self)
        try:
            self._run()
        finally:
            self._close()
            self._logger.info("%s is closed", self)

    def _close(self) -> None:
        self._close_links()
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
