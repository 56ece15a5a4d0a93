"""`Turns`: lets callers share one link. One of them receives for all, the others wait.

Part of the adapter kit: the clients of every package are built on it, and a client for another
event loop can be, too. There is no background task or thread. While callers wait, one of them is
the *receiver*; when its own call is done, the caller that has waited longest takes its place.

A call runs like this; `link` and the waiters belong to the adapter:

    if turns.link is None: open a link, and turns.opened(link, now)
    exchange = turns.begin(request, unit, timeout, now, caller, former)  # None: the link is lost
    until = exchange.deadline
    while until is not None:
        if turns.receiver is exchange:
            until = turns.step(exchange, now, link, bytes that came before `until`, or None)
        else:
            turns.waiting[exchange] = a waiter; wait for it; until = turns.step(exchange, now)
    exchange.response, or begin again, with it as `former`, if turns.may_repeat(exchange), or
    exchange.result()

If a caller is interrupted while it waits, the adapter calls `give_up`; anywhere else, `break_off`.
An exception from a signal handler may cut any method short. The next call of a method finds that
out, and then `restart` replaces the whole state: it drops the link, and wakes all callers.
Nothing here waits, reads a clock or takes a lock: see `threads.ThreadTurns` for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import ConnectionLostError
from ..messages.base import Response
from .link import Link, LinkHistory
from .link_log import LinkLog
from .opening import CLOSED, Attempt, Opening
from .protocol import ClientProtocol
from .renewal import renewed
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ..framing.base import Framing
    from ..messages.base import Request
    from .exchange import Exchange
    from .options import ClientOptions

    AnyExchange: TypeAlias = Exchange[Any]

_MOST_READS = 8  # before a call, so that a server that sends without end cannot delay it
_DEBUG = 10  # logging.DEBUG
FOREVER = float("inf")
_ENDED = "the server closed the connection"
_INTERRUPTED = "a call was interrupted half-way"

ResponseT = TypeVar("ResponseT", bound=Response)
LinkT = TypeVar("LinkT", bound=Link)
WaiterT = TypeVar("WaiterT")


class Turns(Generic[LinkT, WaiterT]):
    """A client's protocol, its link, and the callers that use it.

    `wake(waiter)` wakes a waiting caller. `discard(link)` closes a link that is lost or no longer
    needed, now or later, while a caller may still be receiving on it. Neither raises an error, and
    both may be called twice for the same. `is_gone(caller)` is True if a caller of `begin` is in no
    call any more. `name` is the name of the peer in errors and logs.

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
        is_gone: Callable[[Any], bool] = lambda caller: False,
    ) -> None:
        self.name, self.options = name, options
        self.is_cut = False  # True while a method changes the state, or if one was cut short
        self._framing = framing
        self.protocol = ClientProtocol(framing, options)
        self.protocol.name = name
        self.link: LinkT | None = None
        self.receiver: AnyExchange | None = None
        self.waiting: Waiting[WaiterT] = Waiting(wake)
        self._discard = discard
        self._is_gone = is_gone
        self._looks_always = not self.protocol.has_transactions
        self.log = LinkLog(name)
        self.opening = opening = Opening(name, options, self.log)
        self.pause, self.open_failed, self.no_link = opening.pause, opening.failed, opening.no_link
        self._history = LinkHistory(opening.backoff, looks_always=False)

    # The link.

    def opened(self, link: LinkT, now: float) -> None:
        """Use `link`, which was opened at `now`."""
        if self.is_cut:
            self.restart()
        self.is_cut = True
        self.protocol.reset(now)
        self.protocol.is_datagram = link.is_datagram
        self._history = LinkHistory(self.opening.backoff, looks_always=self._looks_always)
        self.link = link
        limit = self.options.reconnect_after
        self.protocol.most_unanswered = limit if limit and link.is_connection else FOREVER
        self.log.note("opened", is_warning=False)
        self.is_cut = False

    def lost(self, reason: object, now: float) -> None:
        """Drop a failed link: every exchange on it ends with `ConnectionLostError`."""
        if self.link is not None:
            was_cut, self.is_cut = self.is_cut, True
            self._history.lost(now)
            self._drop(f"the link was lost: {reason}", now, reason)
            self.is_cut = was_cut

    def close(self) -> Attempt | None:
        """Drop the link because the client is closed: no caller repeats, receives or waits.

        Returns the attempt to open a link whose work must be cancelled, if there is one.
        """
        attempt = self.opening.close()
        self._history.is_closed = True
        if self.is_cut:
            self.restart()
        self.is_cut = True
        if self.link is not None:
            self._drop(CLOSED)
        self.receiver = None
        self.waiting.wake_all()
        self.is_cut = False
        return attempt

    def break_off(self, exchange: AnyExchange | None = None) -> None:
        """Drop the link, whose state is unknown because a caller was interrupted."""
        if self.is_cut:
            self.restart()
        self.is_cut = True
        if self.link is not None:
            self._history.was_interrupted = True
            self._drop(_INTERRUPTED)
        if exchange is not None:
            self.leave(exchange)
        self.is_cut = False

    def restart(self) -> None:
        """Drop the link and replace the whole state, which is unknown, or left by a gone caller.

        The callers that receive or wait are woken. Their next `step` ends their exchanges with
        `ConnectionLostError`, and `may_repeat` is True for those that write nothing.
        """
        self.is_cut = True
        history, link = self._history, self.link
        self.opening.reason = CLOSED if history.is_closed else _INTERRUPTED
        history.was_interrupted = True
        self.protocol = renewed(self.protocol, self._framing, history.sent if link else None)
        if link is not None:
            self._discard(link)
            self.link = None
            self.log.note(_INTERRUPTED, is_warning=not history.is_closed)
        self._history = LinkHistory(self.opening.backoff, looks_always=False)
        self.receiver = None
        self.waiting.wake_all()
        self.is_cut = False

    def _drop(self, reason: str, now: float = FOREVER, cause: object = None) -> None:
        self.opening.reason = reason
        error = ConnectionLostError(reason)
        error.__cause__ = cause if isinstance(cause, BaseException) else None
        self.protocol.connection_lost(error)
        self.waiting.wake_all()
        if self.link is not None:
            self._discard(self.link)
            self.link = None
        self.log.note(reason, is_warning=not self._history.is_closed, now=now)

    def _drop_broken(self, now: float) -> None:
        self._history.was_interrupted = True
        self._drop(self.protocol.fault, now)

    # Calls.

    def begin(
        self,
        request: Request[ResponseT],
        unit: int | None,
        timeout: float | None,
        now: float,
        caller: object = None,
        former: Exchange[ResponseT] | None = None,
    ) -> Exchange[ResponseT] | None:
        """Read what has arrived, then start an exchange; return None if the link is lost.

        If there is no `receiver`, its caller becomes the receiver, and the request is sent. Unless
        it is done because sending failed, wait until its `deadline`, which is 0 if it was not sent
        yet. Raises ValueError as `ClientProtocol.prepare` does, and `ConnectionLostError` if the
        last two links were lost before they were used. `caller` makes one call at a time: if it
        is the receiver, that earlier call is gone. `former` is the exchange that this one repeats.
        """
        if self.is_cut or (self.receiver is not None and self._was_left(self.receiver, caller)):
            self.restart()
        exchange = self.protocol.prepare(request, unit, timeout)
        if former is not None:
            exchange.follow(former)
        self.is_cut = True
        history, link = self._history, self.link
        if self.receiver is None and (now - history.heard > history.quiet or request.is_write):
            self._take_arrived(now)
        if self.link is None:
            self.is_cut = False
            if link is not None and self.opening.backoff.has_repeated:
                raise self.no_link().about(self.name, exchange.unit, request)
            return None
        exchange.caller, exchange.history = caller, history
        self.protocol.waiting.append(exchange)
        if self.receiver is None:
            self.receiver = exchange
            self._send(now)
            if self.link is not link:
                self.leave(exchange)  # the link was lost
        self.is_cut = False
        return exchange

    def _was_left(self, exchange: AnyExchange, caller: object) -> bool:
        """True if the caller of the receiving `exchange` is gone."""
        known = exchange.caller
        return known is not None and (known == caller or self._is_gone(known))

    def needs_look(self, request: Request[Any] | None, now: float) -> bool:
        """True if `begin` will call `receive_now`, which must have what has arrived by then."""
        is_quiet = now - self._history.heard > self._history.quiet
        return self.receiver is None and (is_quiet or getattr(request, "is_write", False))

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
        becomes the receiver. Without an `exchange`, `step` is a part of `begin`.
        """
        if self.is_cut and exchange is not None:
            self.restart()
        self.is_cut = True
        if found is not None and link is self.link:
            if self.log.is_traced and not isinstance(found, OSError):
                self.log.trace("received", found)
            if found and not isinstance(found, OSError):
                protocol = self.protocol
                self._history.heard = now
                protocol.receive_data(found, now)
                if protocol.broken:
                    self._history.lost(now)
                    self._drop_broken(now)
            else:
                self._end(found, now)
            if self.waiting:
                self.waiting.wake_done()
        if exchange is None:
            return None  # to `begin`, which goes on
        if not exchange.done and exchange.history is not self._history:
            exchange.fail(ConnectionLostError(str(self.opening.reason)), self.name)
        if not exchange.done:
            protocol = self.protocol
            self._send(now)
            deadline = protocol.deadline()
            if deadline is not None and deadline <= now:
                deadline = self._handle_due(now)
            if not exchange.done:
                if self.receiver is None:
                    self.receiver = exchange
                self.is_cut = False
                return FOREVER if deadline is None else deadline
        if self.receiver is not exchange:
            self.waiting.pop(exchange, None)
        elif self.waiting:
            self.waiting.wake_done()
            self.leave(exchange)
        else:
            self.receiver = None
        self.is_cut = False
        return None

    def _handle_due(self, now: float) -> float | None:
        """Do what is due at `now`, and return the next deadline."""
        protocol, link = self.protocol, self.link
        is_stuck = link is not None and link.is_sending  # what is queued waits for room then
        times = [each.deadline for each in protocol.opened.values()]
        if not is_stuck or min(times, default=FOREVER) <= now:
            protocol.handle_timeout(now)
            self._history.look(is_needed=protocol.late.rest_due < FOREVER)
            if protocol.broken:
                self._drop_broken(now)
            self.send(now)
            self.waiting.wake_all()  # the callers that wait do not know the new deadlines
            times = [each.deadline for each in protocol.opened.values()]
        return min(times, default=None) if is_stuck else protocol.deadline()

    def may_repeat(self, exchange: AnyExchange) -> bool:
        """True if `exchange`, which has failed, may be started again on a new link."""
        return exchange.may_repeat()

    def give_up(self, exchange: AnyExchange, now: float) -> None:
        """Cancel `exchange`, whose caller was interrupted while it waited; the others go on.

        The next request is sent if this made room, and all callers wake to see the new deadlines.
        """
        if self.is_cut:
            self.restart()
        self.is_cut = True
        link = self.link
        if link is not None and exchange.history is self._history:
            if link.is_sending and not link.withdraw(self.protocol.adu(exchange)):
                self._history.was_interrupted = True
                self._drop(_INTERRUPTED)
            elif not exchange.done:
                self.protocol.cancel(exchange, now)
                self._history.look(is_needed=self.protocol.late.rest_due < FOREVER)
        exchange.cancelled = True
        self.leave(exchange)
        self.send(now)
        self.waiting.wake_all()
        self.is_cut = False

    def leave(self, exchange: AnyExchange) -> None:
        """Remove the caller of `exchange`; if it was the receiver, the next takes its place."""
        was_cut, self.is_cut = self.is_cut, True
        self.waiting.pop(exchange, None)
        if self.receiver is exchange:
            self.receiver = following = next(iter(self.waiting), None)
            if following is not None:
                self.waiting.wake(following)
        self.is_cut = was_cut

    # Bytes.

    def send(self, now: float) -> None:
        """Send the protocol's `data_to_send`, as long as the link has room."""
        was_cut, self.is_cut = self.is_cut, True
        self._send(now)
        self.is_cut = was_cut

    def _send(self, now: float) -> None:
        link = self.link
        while link is not None and not link.is_sending:
            data = self.protocol.data_to_send(now)
            if not data:
                if self.protocol.broken:
                    self._drop_broken(now)
                return
            wire = self.log.wire
            self.log.is_traced = wire is not None and wire.isEnabledFor(_DEBUG)
            if self.log.is_traced:
                self.log.trace("sent", data)
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
            self._drop(_ENDED, now)

    def _take_arrived(self, now: float) -> None:
        """Process the bytes that came while there was no receiver."""
        self._history.quiet = self._history.usual
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
