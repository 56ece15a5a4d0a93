"""`Server`: what the three servers share, which is their life cycle, their hooks and their loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from modwire import ExceptionCode, Framing, InvalidRequestError, ServerOptions, Units

from .poller import READ, Waker, new_poller
from .workers import Workers

if TYPE_CHECKING:
    from logging import Logger
    from types import TracebackType

    from typing_extensions import Self

    from modwire import Call
    from modwire.messages.base import AnyRequest
    from modwire.options import Authorize, OnCall

DEBUG = 10  # logging.DEBUG
_MAX_EVENTS = 256
_LONGEST_POLL = 3600.0  # seconds; epoll knows no very great times
# How much longer than the grace time `shutdown` waits for a thread that hangs in a unit or hook.
_PATIENCE = 1.0


class Server:
    """The base of `TcpServer`, `UdpServer` and `SerialServer`; not to be used itself.

    One thread does everything: that of `serve_forever`, or one of its own after `start`. Only
    units that block are executed in `workers` other threads. A server serves once: when it was
    shut down, make a new one.
    """

    def __init__(
        self,
        units: Units,
        framing: type[Framing],
        options: ServerOptions,
        *,
        workers: int,
    ) -> None:
        if not isinstance(units, Units):
            raise TypeError(
                f"units must be Units, such as Units.single(unit), got {type(units).__name__}"
            )
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        # A third of what importing the servers would cost.
        from logging import getLogger

        self.logger: Logger = getLogger("modwire.server")
        self.wire: Logger = getLogger("modwire.wire")
        Framing.check_class(framing)
        self.units = units
        self.framing = framing
        self.options = options
        self._waker = Waker()
        self._workers = Workers(workers, self._waker.wake)
        self._poller = new_poller()
        self._handlers: dict[int, Callable[[int, float], None]] = {}
        self._watch(self._waker.fileno(), self._on_wake)
        self.tells_bytes = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._serving_thread: int | None = None
        self._has_begun = False
        self._finished = threading.Event()
        self._failure: BaseException | None = None
        self._stop_at: float | None = None

    # The life cycle.

    def serve_forever(self) -> None:
        """Serve until `shutdown`; after `start`, wait until the serving has ended.

        Raises what ended the serving, such as `ConnectionLostError` when a serial port is gone.
        When it raises, KeyboardInterrupt included, the server is closed unless it was started.
        """
        thread = self._thread
        if thread is None:
            self._begin()
            self._serve()
            return
        while thread.is_alive():
            # On Windows Ctrl+C does not get through to a wait without an end.
            thread.join(1.0)
        if self._failure is not None:
            raise self._failure

    def start(self) -> Self:
        """Serve in a thread of its own, a daemon; returns this server."""
        self._begin()
        self._thread = threading.Thread(
            target=self._serve_in_thread, name=f"modwire-{type(self).__name__}", daemon=True
        )
        self._thread.start()
        return self

    def shutdown(self, grace: float = 5.0) -> None:
        """End the serving and close everything; from any thread, hook or signal handler.

        No new request is taken. Calls that are being executed may end, and their answers are
        sent, for at most `grace` seconds. Waits until all is closed, except in the threads that
        serve: there it only asks for it. May be called again, to cut the grace short.
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
        self._waker.wake()
        if self._serving_thread == threading.get_ident() or self._workers.run_here():
            return
        if not self._finished.wait(min(grace + _PATIENCE, threading.TIMEOUT_MAX)):
            self.logger.warning("%s still hangs in a unit or a hook after shutdown", self)

    def __enter__(self) -> Self:
        """Start serving in a thread; leaving the `with` block shuts the server down.

        `serve_forever()` in the block waits there for the end.
        """
        is_serving = self._thread is not None and self._thread.is_alive()
        return self if is_serving else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

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
            self.logger.error("%s has stopped: %s", self, error)

    def _serve(self) -> None:
        self._serving_thread = threading.get_ident()
        self.logger.info("%s serves", self)
        try:
            self._run()
        finally:
            self._close()
            self.logger.info("%s is closed", self)

    def _close(self) -> None:
        self._close_links()
        self._workers.close()
        self._poller.close()
        self._waker.close()
        self._finished.set()

    # The loop.

    def _run(self) -> None:
        poll = self._poller.poll
        handlers = self._handlers
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
            timeout = None
            if deadline is not None:
                timeout = min(max(0.0, deadline - monotonic()), _LONGEST_POLL)
            events = poll(timeout, _MAX_EVENTS)
            self.tells_bytes = self.wire.isEnabledFor(DEBUG)
            now = monotonic()
            for fd, mask in events:
                handler = handlers.get(fd)
                if handler is not None:  # else it was closed while this batch was worked on
                    handler(mask, now)
            if deadline is not None and now >= deadline:
                self._handle_deadline(now)

    def _watch(self, fd: int, handler: Callable[[int, float], None]) -> None:
        self._handlers[fd] = handler
        self._poller.register(fd, READ)

    def _unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._poller.unregister(fd)

    def _on_wake(self, mask: int, now: float) -> None:
        self._waker.clear()
        self._workers.deliver()

    # What the servers are made of.

    def _open(self) -> None:
        """Open what the constructor has not opened yet; called where the serving is started."""

    def _close_links(self) -> None:
        """Close all sockets or the port, whatever state they are in."""
        raise NotImplementedError

    def _stop_taking(self) -> None:
        """Take no request any more; what is being executed goes on."""
        raise NotImplementedError

    def _is_idle(self) -> bool:
        """Whether, after `_stop_taking`, nothing is left to be done."""
        raise NotImplementedError

    def _deadline(self) -> float | None:
        """When to call `_handle_deadline`; None if only events matter."""
        return None

    def _handle_deadline(self, now: float) -> None:
        """Do what is due at `now`."""


def server_options(
    options: ServerOptions | None,
    *,
    authorize: Authorize | None,
    on_call: OnCall | None,
    idle_timeout: float | None = None,
    is_connected: bool = False,
    suppress_echo: bool = False,
    silence: float = 0.0,
    tolerance: float = 0.0,
) -> ServerOptions:
    """`options` with what a server's own arguments add to it.

    An argument that is None leaves the option as it is; `silence` and `tolerance` are what the
    link needs at least. Only connections can be idle too long. Errors of units are logged, then
    told to the `on_error` of the options.
    """
    base = ServerOptions() if options is None else options
    from logging import getLogger

    logger = getLogger("modwire.server")
    if idle_timeout is None and is_connected:
        idle_timeout = base.idle_timeout
    told = base.on_error

    def on_error(peer: object, request: AnyRequest, error: BaseException) -> None:
        logger.error("%r from %s failed", request, peer, exc_info=error)
        if told is not None:
            try:
                told(peer, request, error)
            except Exception:
                logger.exception("on_error failed")

    return ServerOptions(
        idle_timeout=idle_timeout,
        authorize=base.authorize if authorize is None else authorize,
        on_call=base.on_call if on_call is None else on_call,
        on_error=on_error,
        silence=max(base.silence, silence),
        tolerance=max(base.tolerance, tolerance),
        suppress_echo=base.suppress_echo or suppress_echo,
        decoder=base.decoder,
    )


def busy(call: Call) -> Call:
    """`call`, to be answered with exception 06: the server has enough to do."""
    error = InvalidRequestError(
        "too many calls to units that block are open",
        call.request.function_code,
        ExceptionCode.SERVER_DEVICE_BUSY,
    )
    return call._replace(refusal=error)
