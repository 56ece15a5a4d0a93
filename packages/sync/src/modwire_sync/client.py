"""`Client`: what all blocking clients share: the calls, and the link that they are made on."""

from __future__ import annotations

from _thread import allocate_lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from modwire.calls import BlockingCalls
from modwire.errors import ConnectionLostError
from modwire.messages.base import Response

from .turns import DEBUG, TurnTaking

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from modwire.client.exchange import Alone, Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing
    from modwire.messages.base import Request

    from .links import Link

ResponseT = TypeVar("ResponseT", bound=Response)


class Client(TurnTaking, BlockingCalls):
    """A Modbus client that waits: call its methods from any number of threads.

    The link is opened by `connect`, on entering `with`, or by the first call; when it is lost, by
    the next call. After the second failure in a row to open it there are pauses, 0.1 s to 5 s: a
    call that has time enough waits until one is over, others raise `ConnectionLostError` at once.
    A connection that the server closed while it was idle is opened anew before anything is sent;
    if it only turns out when the answer does not come, a request that writes nothing is sent
    again, once.

    Subclasses define `_open_link`; `name` stands for the peer in errors and logs.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        super().__init__(name, framing, options)
        self._opening = allocate_lock()  # held while a link is being opened, taken before _lock
        self._failures = 0  # to open a link, since ever

    def _open_link(self) -> Link:
        """Open a new link to the peer; OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    @property
    def options(self) -> ClientOptions:
        """What the client was told: its unit, response timeout, retries and so on."""
        return self._protocol.options

    @property
    def is_open(self) -> bool:
        """Whether there is a link, as far as is known; a lost one is noticed by the next call."""
        return self._link is not None

    def connect(self) -> None:
        """Open the link unless it is open; raises `ConnectionLostError` if that fails."""
        if self._link is None:
            self._open(None)

    def close(self) -> None:
        """Close the link; calls that wait raise `ConnectionLostError`, later ones open it anew."""
        with self._lock:
            self._session.closed()
            self._part()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self.name}, {state}>"

    def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        """Send `request` to `unit`, wait `timeout` seconds at most, and give its response.

        None stands for the client's own unit and timeout; the time counts from when the request
        is sent, which waits for a free line and for a new link to be opened. A request that is
        never answered, a broadcast or function 8, sub-function 4, gives None once it is sent.
        Raises an `ExceptionResponseError` where the device refuses, `ResponseTimeoutError`,
        `InvalidResponseError`, or `ConnectionLostError`.
        """
        # The way of a caller who finds nobody else here. Whatever is out of the ordinary, from a
        # second caller to half an answer, goes on as an exchange like any other.
        protocol = self._protocol
        link: Link | None = None
        history = self._session.history
        alone: Alone | None = None
        data: bytes | None = None
        error: OSError | None = None
        is_waiting = False
        try:
            with self._lock:
                link = self._link
                now = monotonic()
                history = self._session.history
                if (
                    link is not None
                    and self._reader is None
                    and not self._waiting
                    and not history.needs_look(now)
                ):
                    alone = protocol.start_alone(request, unit, timeout, now)
                    if alone is not None:
                        self._reader = alone
                        self._is_traced = self._is_enabled(DEBUG)
                        if self._is_traced:
                            self._trace("sent", alone.adu)
                        history.sent = now
                        link.send(alone.adu)
            if alone is not None and link is not None:
                is_waiting = True
                data = link.receive(alone.timeout)
        except BaseException as caught:
            if alone is None or not isinstance(caught, OSError):
                if alone is not None:
                    self._give_up(alone, is_waiting)
                raise
            error = caught
        if alone is None or link is None:
            return self._share(request, unit, timeout)
        with self._lock:
            if data and link is self._link and not self._is_traced:
                response = protocol.finish_alone(alone, request, data)
                if response is not None:
                    history.heard = monotonic()
                    self._reader = None
                    if self._waiting or self._doomed:
                        self._pass_turn()
                    return response
            exchange = protocol.adopt(alone, request)
            self._reader = exchange
            seconds = self._received(exchange, link, data, error)
        if seconds is not None:
            self._receive(exchange, link, seconds)
        try:
            return exchange.result()
        except ConnectionLostError:
            if not self._session.may_repeat(exchange, history):
                raise
        finally:
            del exchange  # or an error, its traceback and this frame would keep each other
        return self._share(request, unit, timeout, is_repeated=True)

    def _share(
        self,
        request: Request[ResponseT],
        unit: int | None,
        timeout: float | None,
        is_repeated: bool = False,
    ) -> ResponseT:
        """A call on a link that may be closed, or in use by others."""
        session = self._session
        session.check(unit, timeout)
        while True:
            if self._link is None:
                self._open(timeout)
            exchange: Exchange[ResponseT] | None = None
            seconds = 0.0
            try:
                with self._lock:
                    now = monotonic()
                    if session.needs_look(now):
                        self._take_arrived(now)
                    link = self._link
                    if link is None:
                        continue
                    history = session.history
                    exchange = session.start(request, unit, timeout, now)
                    self._send(now)
                    has_turn = self._reader is None and not exchange.done
                    if has_turn:
                        self._reader = exchange
                        seconds = self._seconds_left(now)
                if has_turn:
                    self._receive(exchange, link, seconds)
                else:
                    self._sleep(exchange)
            except BaseException as error:
                if exchange is not None or not isinstance(error, Exception):
                    self._break_off(exchange)
                raise
            try:
                return exchange.result()
            except ConnectionLostError:
                if is_repeated or not session.may_repeat(exchange, history):
                    raise
                is_repeated = True
            finally:
                del exchange

    def _open(self, timeout: float | None) -> None:
        """Open the link for everybody who waits for it; all of them share a failure."""
        failures = self._failures
        with self._opening:
            if self._link is not None:
                return
            session = self._session
            if self._failures != failures:
                raise session.no_link(str(session.open_error))
            pause = session.pause(monotonic(), timeout)
            if pause:
                sleep(pause)
            self._find_logs()
            try:
                link = self._open_link()
            except (OSError, ValueError, OverflowError) as error:  # a host name may be no name
                self._failures += 1
                session.open_failed(error, monotonic())
                self._note("%s: cannot be opened: %s", self.name, error)
                raise session.no_link(str(error)) from error
            with self._lock:
                session.opened(is_datagram=link.is_datagram)
                self._link = link
        self._note("%s: opened", self.name)
