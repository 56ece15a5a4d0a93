"""`ServerBase`: the life of a server of any package, and the parts that its constructors use.

`BlockingServerBase` is the base in the packages without `await`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from .quiet_logger import QuietLogger

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..framing.base import Framing
    from ..logger import Logger
    from ..messages.base import AnyRequest
    from ..units.units import Units
    from .options import ServerOptions
    from .peers import HostPort, Listening


class Stage(Enum):
    """The stages in the life of a server, each once; the values are for its repr."""

    NEW = "not started"
    SERVING = "serving"
    CLOSED = "closed"


def check_grace(grace: float) -> None:
    """Raise ValueError unless `grace` is at least 0 seconds."""
    if not isinstance(grace, (int, float)) or not grace >= 0:
        raise ValueError(f"grace must be at least 0 seconds, got {grace!r}")


def log_error(
    log: Logger, peer: object, unit: int | None, request: AnyRequest, error: BaseException
) -> None:
    """Log an error that a unit or a hook raised."""
    if unit is None:
        log.error("%r from %s failed", request, peer, exc_info=error)
    else:
        log.error("unit %d: %r from %s failed", unit, request, peer, exc_info=error)


class ServerBase:
    """The part of a package's server that its constructors use."""

    units: Units
    framing: type[Framing]
    options: ServerOptions
    _grace: ClassVar[float] = 5.0
    """Seconds for running calls after Ctrl+C, another exception, or the end of a `with` block."""
    _has_spare_workers = True
    _stage = Stage.NEW
    _is_entered = False
    _stop_at: float | None = None  # the end of the grace
    _failure: BaseException | None = None

    @staticmethod
    def _get_logger(name: str) -> Logger:
        """Return the logger called `name`: the core does not import `logging`."""
        raise NotImplementedError

    @staticmethod
    def now() -> float:
        """Return the time in seconds, monotonic: the core reads no clock."""
        raise NotImplementedError

    def _set_up(
        self, units: Units, framing: type[Framing], options: ServerOptions, workers: int
    ) -> None:
        """Make the server ready for use; a package adds what it serves with."""
        self.units = units
        self.framing = framing
        self.options = options
        self._spare_workers = workers if self._has_spare_workers else 0
        self._logger = QuietLogger(self._get_logger("modwire.server"), self.now)
        self._wire = self._get_logger("modwire.wire")

    def _bind(self, asked: Listening) -> None:
        """Open the sockets; OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _bind()")

    def _bind_or_close(self, asked: Listening) -> None:
        try:
            self._bind(asked)
        except BaseException:
            self._close()
            raise

    # The life.

    @property
    def is_serving(self) -> bool:
        """True from the start of the server to the end of its shutdown."""
        return self._stage is Stage.SERVING

    @property
    def failure(self) -> BaseException | None:
        """The error that ended the serving, such as `ConnectionLostError`; None if none did."""
        return self._failure

    def _begin(self) -> None:
        """Begin to serve. Raises RuntimeError if the server did so before, or was shut down."""
        if self._stage is not Stage.NEW:
            raise self._used_up()
        self._stage = Stage.SERVING

    def _used_up(self) -> RuntimeError:
        """Return the error for a server that is to be started again."""
        if self._stage is Stage.SERVING:
            return RuntimeError(f"{self} serves already")
        return RuntimeError(f"{self} is closed, and a server serves only once: make a new one")

    def _check_open(self) -> None:
        """Raise the error that ended the serving, or RuntimeError if the server is closed."""
        if self._stage is Stage.CLOSED:
            raise self._failure or self._used_up()

    def _enter(self) -> bool:
        """Enter a `with` block; True if that has to start the server. Raises as `_begin` does."""
        if self._stage is Stage.CLOSED:
            raise self._used_up()
        if self._is_entered:
            raise RuntimeError(f"{self} is in a `with` block already, whose end will close it")
        self._is_entered = True
        return self._stage is Stage.NEW

    def _grant(self, grace: float) -> float:
        """Give running calls `grace` seconds to end, or what an earlier call has left of them."""
        now = self.now()
        stop_at = now + grace
        self._stop_at = stop_at if self._stop_at is None else min(stop_at, self._stop_at)
        return max(self._stop_at - now, 0.0)

    @property
    def _grace_left(self) -> float:
        """Seconds for running calls after an exception: none if a shutdown was going on."""
        return self._grace if self._stop_at is None else 0.0

    def _close(self) -> None:
        """Close all that is open, in whatever state it is; may be called again."""
        self._close_links()
        self._stage = Stage.CLOSED

    # To be defined by each server.

    def _stop_taking(self) -> None:
        """Accept no more requests; running calls continue."""
        raise NotImplementedError(f"{type(self).__name__} must define _stop_taking()")

    def _close_links(self) -> None:
        """Close all sockets or the port in any state; may be called again."""
        raise NotImplementedError(f"{type(self).__name__} must define _close_links()")

    # The log.

    def log_error(
        self, peer: object, unit: int | None, request: AnyRequest, error: BaseException
    ) -> None:
        """Log an error that a unit or a hook raised."""
        log_error(self._logger, peer, unit, request, error)

    def _log_drop(self, text: str, error: BaseException | None = None) -> None:
        """Log a request or an answer that was dropped, and the error of this server behind it."""
        if error is None:
            self._logger.warning("%s: %s", self, text)
        else:
            self._logger.error("%s: %s", self, text, exc_info=error)

    def _log_datagram(self, peer: HostPort, text: str, error: BaseException | None) -> None:
        """Log a datagram that was dropped, as `_log_drop` does."""
        if error is None:
            self._logger.warning("%s: %s %s", self, peer, text)
        else:
            self._logger.error("%s: a datagram of %s: %s", self, peer, text, exc_info=error)

    @property
    def address(self) -> object:
        """The address at which it listens."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self.address}"

    def __repr__(self) -> str:
        is_stopping = self.is_serving and self._stop_at is not None
        return f"<{self}, {'shutting down' if is_stopping else self._stage.value}>"


class BlockingServerBase(ServerBase):
    """The base of the servers of packages without `await`."""

    def start(self) -> Self:
        """Serve without waiting for the end; return this server."""
        raise NotImplementedError

    def shutdown(self, grace: float = 5.0) -> None:
        """Stop the server and close everything."""
        raise NotImplementedError

    def _end(self, grace: float) -> None:
        """Shut the server down; an exception in the grace, such as a second Ctrl+C, ends that."""
        try:
            self.shutdown(grace)
        except BaseException:
            self.shutdown(0)
            raise

    def __enter__(self) -> Self:
        """Start serving; leaving the `with` block shuts the server down.

        `serve_forever()` in the block waits until the server has stopped.
        """
        return self.start() if self._enter() else self

    def __exit__(self, *error: object) -> None:
        self._end(self._grace)

    def _open(self) -> None:
        """Open what the constructor left closed; called in the thread that starts the server."""
