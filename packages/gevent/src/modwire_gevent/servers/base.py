"""`Server`: the life cycle of the three servers."""

from __future__ import annotations

import os
from collections.abc import Callable
from socket import AI_NUMERICHOST, AI_PASSIVE, gaierror
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

import gevent
import gevent.socket
from gevent import Greenlet, GreenletExit, get_hub, getcurrent
from gevent.event import Event
from gevent.monkey import get_original

from modwire.forks import forget_after_fork
from modwire.server.life import BlockingServerBase
from modwire.server.workers import WorkerQueue

from .workers import Workers

if TYPE_CHECKING:
    from socket import SocketKind

    from gevent.hub import Hub
    from typing_extensions import Self

    from modwire import Framing, ServerOptions, Units
    from modwire.logger import Logger
    from modwire.server.peers import Address
    from modwire_sync.sockets import Found

    AnyGreenlet: TypeAlias = Greenlet[..., None]

DEBUG = 10  # logging.DEBUG
# Seconds after the grace in which killed greenlets have to end.
_PATIENCE = 1.0
_LONGEST_WAIT = 1e6  # seconds; event loops refuse very long times
_GRACE = 5.0  # seconds
_POLL = 0.01  # seconds between looks at the server of another thread


class Server(BlockingServerBase):
    """The base of `TcpServer`, `UdpServer` and `SerialServer`; not for direct use.

    Greenlets do all the work, in the hub in which `start` or `serve_forever` is called. Only
    units that block are executed in threads, at most `workers`. A server can be started only
    once: make a new one after `shutdown`.
    """

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        super()._set_up(units, framing, options, workers)
        self._workers = Workers(WorkerQueue(workers, self._spare_workers))
        self._hub: Hub | None = None  # of the thread that serves
        self._greenlets: set[AnyGreenlet] = set()
        self._lasting: set[AnyGreenlet] = set()
        self._has_begun = False
        self._stopper: Greenlet[..., None] | None = None
        self._stop_at = 0.0
        self._changed = Event()  # wakes the stopper
        self._finished = Event()
        self._failure: BaseException | None = None
        forget_after_fork(self, Server._forget, getattr(os, "register_at_fork", None))

    def _forget(self) -> None:
        """Stop in a forked process what the process before it serves."""
        hub = self._hub
        if hub is not None and not self._finished.is_set():
            self._stop_at = 0.0
            if hub.thread_ident == get_original("_thread", "get_ident")():
                self._begin_stop()  # in another thread, its greenlets exist no more

    # The life cycle.

    def start(self) -> Self:
        """Serve in greenlets, and return this server."""
        if self._has_begun:
            raise RuntimeError(f"{self} serves already, or was shut down: make a new one")
        self._has_begun = True
        self._hub = get_hub()
        try:
            self._open()
        except BaseException:
            self._close()
            self._finished.set()
            raise
        if self._finished.is_set():  # shut down while it was opened
            self._close()
        self._logger.info("%s serves", self)
        return self

    def serve_forever(self) -> None:
        """Serve until `shutdown`; after `start`, wait until the server is closed.

        Raises the error that ended the serving, such as `ConnectionLostError` if a serial port is
        lost. Any other exception here, such as KeyboardInterrupt, closes the server.
        """
        if self._hub is None:
            self.start()
        try:
            self._wait_finished(None)
        except BaseException:
            self.shutdown(0)
            raise
        if self._failure is not None:
            raise self._failure

    def shutdown(self, grace: float = _GRACE) -> None:
        """Stop and close everything; may be called in a greenlet, thread, hook or signal handler.

        No new requests are accepted. Running calls get `grace` seconds to end and to send their
        answers; then their greenlets are killed. Waits until all is closed, except in the
        greenlets and threads of the server, and in the hub: there it only starts the shutdown. A
        second call may shorten the grace.
        """
        if not grace >= 0:
            raise ValueError(f"grace must be at least 0 seconds, got {grace}")
        if not self._has_begun:
            self._has_begun = True
            self._close()
            self._finished.set()
            return
        hub = self._hub
        if self._finished.is_set() or hub is None:
            return
        self._stop_at = monotonic() + grace
        if self._workers.run_here():
            hub.loop.run_callback_threadsafe(self._begin_stop)
            return
        if get_hub() is hub:
            self._begin_stop()
            current = getcurrent()
            if current is hub or current in self._greenlets:
                return
        else:
            hub.loop.run_callback_threadsafe(self._begin_stop)
        if not self._wait_finished(min(grace + 2 * _PATIENCE, _LONGEST_WAIT)):
            self._logger.warning("%s still hangs in a unit or a hook after shutdown", self)

    def stop(self, timeout: float | None = None) -> None:
        """Same as `shutdown`, as gevent's servers name it; `timeout` is the grace, None for 5 s."""
        self.shutdown(_GRACE if timeout is None else timeout)

    @property
    def is_serving(self) -> bool:
        return self._hub is not None and not self._finished.is_set()

    # The end.

    def _begin_stop(self) -> None:
        if self._stopper is None:
            self._stopper = gevent.spawn(self._stop)
        self._changed.set()

    def _stop(self) -> None:
        try:
            self._stop_taking()
            while self._greenlets and (left := self._stop_at - monotonic()) > 0:
                self._changed.clear()
                self._changed.wait(min(left, _LONGEST_WAIT))
            self._close_links()
            left_over = list(self._greenlets)
            gevent.killall(left_over, block=False)
            gevent.joinall(left_over, timeout=_PATIENCE)
        finally:
            self._close()
            self._finished.set()
            self._logger.info("%s is closed", self)

    def _wait_finished(self, seconds: float | None) -> bool:
        """Wait until all is closed, for at most `seconds`; True if it is."""
        if get_hub() is self._hub:
            return self._finished.wait(seconds)
        # A gevent event works in one hub at a time.
        end = None if seconds is None else monotonic() + seconds
        while not self._finished.is_set() and (end is None or monotonic() < end):
            gevent.sleep(_POLL)
        return self._finished.is_set()

    def _close(self) -> None:
        self._close_links()
        self._workers.close()

    def _fail(self, error: BaseException) -> None:
        """Stop the server, because it cannot continue after `error`."""
        if self._failure is None and self._stopper is None:
            self._failure = error
            self._logger.error("%s has stopped: %s", self, error)
        self._stop_at = monotonic()
        self._begin_stop()

    # For the servers.

    def _spawn(self, function: Callable[..., None], *arguments: object) -> AnyGreenlet:
        """Run `function` in a greenlet; a shutdown waits for its end."""
        greenlet: AnyGreenlet = Greenlet(function, *arguments)
        self._greenlets.add(greenlet)
        greenlet.rawlink(self._on_end)
        greenlet.start()
        return greenlet

    def _spawn_lasting(self, function: Callable[..., None], *arguments: object) -> AnyGreenlet:
        """Run a function that the server needs; if it fails, the server stops.

        It may only return, or be killed, after `_stop_taking`.
        """
        greenlet = self._spawn(self._run_lasting, function, *arguments)
        self._lasting.add(greenlet)
        return greenlet

    def _run_lasting(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            function(*arguments)
        except (KeyboardInterrupt, SystemExit):
            raise  # ends the program
        except GreenletExit:
            return  # after `_stop_taking`, or by mistake, which `_on_end` notices
        except BaseException as error:  # noqa: BLE001 - such as an unrelated gevent.Timeout
            self._fail(error)

    def _on_end(self, greenlet: AnyGreenlet) -> None:
        self._greenlets.discard(greenlet)
        if self._stopper is not None:
            self._changed.set()
        elif greenlet in self._lasting:
            # In a greenlet, because logging may wait.
            error = RuntimeError(f"{self}: the greenlet that serves was killed")
            gevent.spawn(self._fail, error)

    now = staticmethod(monotonic)

    @staticmethod
    def _get_logger(name: str) -> Logger:
        from logging import getLogger  # slow to import, so not before it is needed

        return getLogger(name)


def find_addresses(address: Address, kind: SocketKind) -> Found | None:
    """Return the argument `found` of `bind`; other greenlets run while a name is looked up."""
    from modwire_sync.sockets import check_address

    if isinstance(address, str):
        return None
    host, port = check_address(address, kind)
    if not host:
        return None
    look_up = get_original("socket", "getaddrinfo")
    try:  # an IP address needs no lookup in a thread
        return list(look_up(host, port, type=kind, flags=AI_PASSIVE | AI_NUMERICHOST))
    except gaierror:
        return list(gevent.socket.getaddrinfo(host, port, type=kind, flags=AI_PASSIVE))
