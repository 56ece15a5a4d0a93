"""`Turns`: lets callers share one link. One of them receives for all, the others wait.

Part of the adapter kit: the clients of every package are built on it, and a client for another
event loop can be, too. There is no background task or thread. While callers wait, one of them is
the *receiver*; when its own call is done, the caller that has waited longest takes its place.

A call runs like this; `link` and the waiters belong to the adapter:

    if turns.link is None: open a link, and turns.opened(link, now)
    exchange = turns.begin(request, unit, timeout, now)        # None if the link was just lost
    until = exchange.deadline
    while until is not None:
        if turns.receiver is exchange:
            until = turns.step(exchange, now, link, bytes that came before `until`, or None)
        else:
            turns.waiting[exchange] = a waiter; wait for it; until = turns.step(exchange, now)
    exchange.response, or begin again if turns.may_repeat(exchange), or exchange.result()

If a caller is interrupted while it waits, the adapter calls `give_up`; anywhere else, `break_off`.
Nothing here waits, reads a clock or takes a lock: with threads, each call here needs a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..errors import ConnectionLostError
from ..messages.base import Response
from ..options import check_timeout, check_unit
from .link import Backoff, LinkHistory
from .protocol import ClientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ..framing.base import Framing
    from ..logger import Logger
    from ..messages.base import Request
    from .exchange import Exchange
    from .options import ClientOptions

    AnyExchange: TypeAlias = Exchange[Any]

_MOST_READS = 8  # before a call, so that a server that sends without end cannot delay it
_DEBUG = 10  # logging.DEBUG
FOREVER = float("inf")
CLOSED = "the client was closed"
_ENDED = "the server closed the connection"
_NO_ANSWER = "{} requests in a row had no answer: it is reopened"


class Link(Protocol):
    """Methods of an open link that `Turns` uses. OSError from any of them means a lost link."""

    is_datagram: bool
    """True if each frame has its own datagram."""
    is_connection: bool
    """True if the link is a connection that can be opened anew, and may be dead without a sign."""
    is_sending: bool
    """True while bytes wait for room in the system's buffer; nothing else is sent until then."""

    def send(self, data: bytes, now: float) -> float:
        """Send `data`, or begin to. Return the seconds that this takes on the line, or 0.0."""
        raise NotImplementedError

    def withdraw(self, adu: bytes) -> bool:
        """Remove `adu` from the bytes that wait; return False if a part of it was sent."""
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived, None if none have, b"" at the end of the stream."""
        raise NotImplementedError


ResponseT = TypeVar("ResponseT", bound=Response)
LinkT = TypeVar("LinkT", bound=Link)
WaiterT = TypeVar("WaiterT")


class Turns(Generic[LinkT, WaiterT]):
    """A client's protocol, its link, and the callers that use it.

    `wake(waiter)` wakes a waiting caller. `discard(link)` closes a link that is lost or no longer
    needed, now or later; if `receiver` is not None, its caller may still be receiving on it.
    `name` is the name of the peer in errors and logs.

    - `link`: the open link, or None.
    - `receiver`: the exchange whose caller receives for all, or None.
    - `waiting`: the callers that wait, in the order they came.
    """

    def __init__(
        self,
        name: str,
        framing: type[Framing],
        options: ClientOptions,
        *,
        wake: Callable[[WaiterT], object],
        discard: Callable[[LinkT], object],
    ) -> None:
        self.name = name
        self.options = options
        self.protocol = ClientProtocol(framing, options)
        self.protocol.name = name
        self.link: LinkT | None = None
        self.receiver: AnyExchange | None = None
        self.waiting: dict[AnyExchange, WaiterT] = {}
        self.reason: object = None
        """Reason why there is no link."""
        self.failures = 0
        """Number of failed attempts to open the link; callers that wait share an attempt."""
        self.closings = 0
        """Number of calls of `close`; a link must not be used that was being opened meanwhile."""
        self._wake = wake
        self._discard = discard
        self._looks_always = not self.protocol.has_transactions
        self._backoff = Backoff()
        self._history = LinkHistory(self._backoff, looks_always=False)
        self._log: Logger | None = None
        self._wire: Logger | None = None
        self._is_traced = False
        self._most_unanswered = FOREVER

    # The link.

    def log_to(self, get_logger: Callable[[str], Logger]) -> None:
        """Log from now on; `get_logger` is that of `logging`, which is slow to import."""
        if self._log is None:
            self._log = get_logger("modwire.client")
            self._wire = get_logger("modwire.wire")

    def pause(self, now: float, unit: int | None = None, timeout: float | None = None) -> float:
        """Seconds to wait before the link may be opened for a call to `unit` with `timeout`.

        None stands for those of the options. Raises ValueError for arguments of the call that are
        out of range, and `ConnectionLostError` if the back-off is longer than `timeout`.
        """
        if unit is not None:
            check_unit(unit)
        if timeout is not None:
            check_timeout(timeout)
        pause = self._backoff.wait(now)
        if pause > (self.options.response_timeout if timeout is None else timeout):
            raise self.no_link(f"{self.reason}; the next try is in {pause:.1f} s")
        return pause

    def open_failed(self, error: Exception, now: float) -> ConnectionLostError:
        """Record a failed attempt to open the link, and return the error for the call."""
        self.reason = error
        self.failures += 1
        self._backoff.failed(now)
        self._note(f"cannot be opened: {error}", is_warning=True)
        return self.no_link(error)

    def no_link(self, reason: object) -> ConnectionLostError:
        """Return the error for a call whose link cannot be opened."""
        error = ConnectionLostError(f"cannot be opened: {reason}")
        error.peer = self.name
        return error

    def opened(self, link: LinkT, now: float) -> None:
        """Use `link`, which was opened at `now`."""
        self.protocol.reset(now)
        self.protocol.is_datagram = link.is_datagram
        self._history = LinkHistory(self._backoff, looks_always=self._looks_always)
        self.link = link
        limit = self.options.reconnect_after
        self._most_unanswered = limit if limit and link.is_connection else FOREVER
        self._note("opened", is_warning=False)

    def lost(self, reason: object, now: float) -> None:
        """Drop a failed link: every exchange on it ends with `ConnectionLostError`."""
        if self.link is not None:
            self._history.lost(now)
            self._drop(f"the link was lost: {reason}", reason)

    def close(self) -> None:
        """Drop the link because the client is closed: no request is repeated on the next one."""
        self.closings += 1
        if self.link is not None:
            self._history.is_closed = True
            self._drop(CLOSED)

    def break_off(self, exchange: AnyExchange | None = None) -> None:
        """Drop the link, whose state is unknown because a caller was interrupted."""
        if self.link is not None:
            self._history.was_interrupted = True
            self._drop("a call was interrupted half-way")
        if exchange is not None:
            self.leave(exchange)

    def _drop(self, reason: str, cause: object = None) -> None:
        link, self.link = self.link, None
        error = ConnectionLostError(reason)
        error.__cause__ = cause if isinstance(cause, BaseException) else None
        self.reason = reason
        self.protocol.connection_lost(error)
        self.wake_all()
        if link is not None:
            self._discard(link)
        self._note(reason, is_warning=not self._history.is_closed)

    # Calls.

    def begin(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None, now: float
    ) -> Exchange[ResponseT] | None:
        """Read what has arrived, then start an exchange; return None if the link is lost.

        If there is no `receiver`, its caller becomes the receiver, and the request is sent. Unless
        it is done because sending failed, wait until its `deadline`, which is 0 if it was not sent
        yet. Raises ValueError as `ClientProtocol.start` does, and `ConnectionLostError` if the
        last two links were lost before they were used.
        """
        history = self._history
        if self.receiver is None and (
            now - history.heard > history.quiet or getattr(request, "is_write", False)
        ):
            self._take_arrived(now)
        link = self.link
        if link is None:
            if self._backoff.has_repeated:
                raise self.no_link(self.reason)
            return None
        exchange = self.protocol.start(request, unit, now=now, timeout=timeout)
        exchange.history = history
        if self.receiver is None:
            self.receiver = exchange
            try:
                self.send(now)
            except BaseException:
                self.leave(exchange)  # the caller was interrupted
                raise
            if self.link is not link:
                self.leave(exchange)  # the link was lost
        return exchange

    def needs_look(self, request: Request[Any] | None, now: float) -> bool:
        """True if `begin` will call `receive_now`, which must have the bytes by then.

        That shows whether the server has closed the link, and a write cannot be repeated.
        """
        history = self._history
        return self.receiver is None and (
            now - history.heard > history.quiet or getattr(request, "is_write", False)
        )

    def step(
        self,
        exchange: AnyExchange | None,
        now: float,
        link: LinkT | None = None,
        found: bytes | OSError | None = None,
    ) -> float | None:
        """Process what the receiver has `found` on `link`, then do what is due at `now`.

        `found` is bytes, an error, or None if nothing came. Returns the time until which the
        caller has to wait, or None if `exchange` is done. If there is no `receiver`, its caller
        becomes the receiver.
        """
        if found is not None and link is self.link:
            if self._is_traced and not isinstance(found, OSError):
                self._trace("received", found)
            if found and not isinstance(found, OSError):
                protocol = self.protocol
                self._history.heard = now
                protocol.receive_data(found, now)
                if protocol.broken:
                    self._history.lost(now)
                    self._drop("the server sent bytes that are no Modbus frame")
            else:
                self._end(found, now)
            if self.waiting:
                self.wake_done()
        if exchange is None:
            return None
        if not exchange.done:
            protocol = self.protocol
            self.send(now)
            deadline = protocol.deadline()
            if deadline is not None and deadline <= now:
                protocol.handle_timeout(now)
                if protocol.unanswered >= self._most_unanswered:
                    self._history.was_interrupted = True
                    self._drop(_NO_ANSWER.format(protocol.unanswered))
                self.send(now)
                deadline = protocol.deadline()
                self.wake_all()  # the callers that wait do not know the new deadlines
            if not exchange.done:
                if self.receiver is None:
                    self.receiver = exchange
                return FOREVER if deadline is None else deadline
        if self.waiting:
            self.wake_done()
            self.leave(exchange)
        elif self.receiver is exchange:
            self.receiver = None
        return None

    def may_repeat(self, exchange: AnyExchange) -> bool:
        """True if `exchange`, which has failed, may be started again on a new link.

        It may if the link was lost, not closed by `close`, and either the request was never sent,
        or `LinkHistory.may_repeat` allows it.
        """
        history = exchange.history
        is_lost = isinstance(exchange.error, ConnectionLostError)
        if history is None or history.is_closed or not is_lost:
            return False
        return not exchange.sent or history.may_repeat(exchange.request)

    def give_up(self, exchange: AnyExchange, now: float) -> None:
        """Cancel `exchange`, whose caller was interrupted while it waited; the others go on.

        The next request is sent if this made room, and all callers wake to see the new deadlines.
        """
        link = self.link
        if link is not None:
            if link.is_sending and not link.withdraw(self.protocol.adu(exchange)):
                self.break_off()
            elif not exchange.done:
                self.protocol.cancel(exchange, now)
        exchange.cancelled = True
        self.leave(exchange)
        self.send(now)
        self.wake_all()

    def leave(self, exchange: AnyExchange) -> None:
        """Remove the caller of `exchange`; if it was the receiver, the next takes its place."""
        self.waiting.pop(exchange, None)
        if self.receiver is exchange:
            self.receiver = following = next(iter(self.waiting), None)
            if following is not None:
                self._wake(self.waiting.pop(following))

    def wake_done(self) -> None:
        """Wake the callers whose exchange is done."""
        for exchange in [each for each in self.waiting if each.done]:
            self._wake(self.waiting.pop(exchange))

    def wake_all(self) -> None:
        """Wake all waiting callers, so that each checks its exchange and deadline."""
        while self.waiting:
            self._wake(self.waiting.pop(next(iter(self.waiting))))

    # Bytes.

    def send(self, now: float) -> None:
        """Send the protocol's `data_to_send`, as long as the link has room."""
        link = self.link
        while link is not None and not link.is_sending:
            data = self.protocol.data_to_send(now)
            if not data:
                return
            wire = self._wire
            self._is_traced = wire is not None and wire.isEnabledFor(_DEBUG)
            if self._is_traced:
                self._trace("sent", data)
            self._history.sent = now
            try:
                busy = link.send(data, now)
            except OSError as error:
                self.lost(error, now)
                return
            if busy:
                self.protocol.data_sent(now + busy)
            if not link.is_datagram:
                return

    def _end(self, found: bytes | OSError, now: float) -> None:
        """Drop the link after an error, or after b"", which is the end of a stream."""
        if isinstance(found, OSError):
            self.lost(found, now)
        elif not self.protocol.is_datagram and self.link is not None:
            self._history.lost(now)
            self.protocol.receive_eof(now, ConnectionLostError(_ENDED))
            self._drop(_ENDED)

    def _take_arrived(self, now: float) -> None:
        """Process the bytes that came while there was no receiver."""
        for _ in range(_MOST_READS):
            if self.link is None:
                return
            try:
                found: bytes | OSError | None = self.link.receive_now()
            except OSError as error:
                found = error
            if found is None:
                return
            self.step(None, now, self.link, found)

    def _note(self, what: str, *, is_warning: bool) -> None:
        if self._log is not None:
            log = self._log.warning if is_warning else self._log.info
            log("%s: %s", self.name, what)

    def _trace(self, what: str, data: bytes) -> None:
        if self._wire is not None:
            self._wire.debug("%s: %s %s", self.name, what, data.hex(" "))
