"""`TurnTaking`: threads that share one link and take turns at receiving on it.

There is no thread in the background. Of the callers that wait, one at a time receives for all:
it holds the *turn*, which is passed on when its own call is done. The others sleep, each on a
lock of its own, until their call is done, the turn is theirs, or something is due.
"""

from __future__ import annotations

from _thread import allocate_lock
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from modwire.client.link import ClientSession
from modwire.messages.base import Response

from .links import LONGEST_WAIT, Link

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable
    from logging import Logger
    from typing import Any, TypeAlias

    from modwire.client.exchange import Alone, Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing

    AnyExchange: TypeAlias = Exchange[Any]

ResponseT = TypeVar("ResponseT", bound=Response)

_MOST_READS = 8  # of what has arrived before a call, lest a server that floods us holds it up
DEBUG = 10  # logging.DEBUG; logging is imported when the first link is opened


class TurnTaking:
    """The half of `Client` that is behind its lock: whoever calls a method here holds it.

    Exceptions are `_receive`, `_sleep`, `_cancel`, `_give_up` and `_break_off`, which take it.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._session = ClientSession(name, framing, options)
        self._protocol = self._session.protocol
        self._log: Logger | None = None
        self._wire: Logger | None = None
        self._is_enabled: Callable[[int], bool] = _never
        self._lock = allocate_lock()  # guards all below, the session and its protocol
        self._link: Link | None = None
        self._is_traced = False
        self._reader: object = None  # the exchange whose caller has the turn
        self._waiting: dict[AnyExchange, LockType] = {}  # in the order they came
        self._doomed: list[Link] = []  # lost while somebody received on them; he closes them

    def _find_logs(self) -> None:
        if self._log is None:
            from logging import getLogger  # takes longer to import than all of modwire

            self._log = getLogger("modwire.client")
            self._wire = getLogger("modwire.wire")
            self._is_enabled = self._wire.isEnabledFor

    def _note(self, message: str, *values: object) -> None:
        if self._log is not None:
            self._log.info(message, *values)

    def _send(self, now: float) -> bool:
        """Send what the protocol wants sent; whether there was anything."""
        any_sent = False
        while self._link is not None and (data := self._session.data_to_send(now)):
            any_sent = True
            self._is_traced = self._is_enabled(DEBUG)
            if self._is_traced:
                self._trace("sent", data)
            try:
                busy = self._link.send(data)
            except OSError as error:
                self._session.lost(error, now)
                self._part()
            else:
                if busy:
                    self._protocol.data_sent(now + busy)
        return any_sent

    def _trace(self, what: str, data: bytes) -> None:
        if self._wire is not None:
            self._wire.debug("%s: %s %s", self.name, what, data.hex(" "))

    def _seconds_left(self, now: float) -> float:
        """How long may be waited for bytes until something is due."""
        deadline = self._protocol.deadline()
        return LONGEST_WAIT if deadline is None else deadline - now

    def _take_arrived(self, now: float) -> None:
        """Take what came while nobody was receiving."""
        for _ in range(_MOST_READS):
            if self._reader is not None or self._link is None:
                return
            try:
                data = self._link.receive_now()
            except OSError as error:
                self._session.lost(error, now)
                self._part()
                return
            if data is None:
                return
            self._take(data, now)

    def _take(self, data: bytes, now: float) -> None:
        """Hand what was received to the protocol."""
        if self._is_traced:
            self._trace("received", data)
        self._session.receive(data, now)
        if not self._session.is_open:
            self._part()

    def _part(self) -> None:
        """Part with a link that is of no more use; all open calls have failed."""
        link, self._link = self._link, None
        self._wake_all()
        if link is None:
            return
        if self._reader is None:
            link.close()
        else:
            self._doomed.append(link)
            link.interrupt()
        self._note("%s", self._session.lost_reason)

    def _receive(self, exchange: AnyExchange, link: Link, seconds: float | None) -> None:
        """Receive for all who wait, until `exchange` is done; then pass the turn on."""
        while seconds is not None:
            data: bytes | None = None
            error: OSError | None = None
            try:
                data = link.receive(seconds)
            except OSError as caught:
                error = caught
            except BaseException:
                self._cancel(exchange)
                raise
            with self._lock:
                seconds = self._received(exchange, link, data, error)

    def _received(
        self, exchange: AnyExchange, link: Link, data: bytes | None, error: OSError | None
    ) -> float | None:
        """Take what a `receive` brought; how long to wait next, None if `exchange` is done."""
        now = monotonic()
        if link is self._link:
            if data is not None:
                self._take(data, now)
            elif error is not None:
                self._session.lost(error, now)
                self._part()
            self._do_what_is_due(now)
            self._wake_done()
        if exchange.done:
            self._pass_turn()
            return None
        return self._seconds_left(now)

    def _sleep(self, exchange: Exchange[ResponseT]) -> None:
        """Wait until `exchange` is done, or receive for all once the turn is free."""
        while True:
            with self._lock:
                self._waiting.pop(exchange, None)
                now = monotonic()
                if self._do_what_is_due(now):
                    # Who receives does not know of the deadlines of what was sent just now.
                    self._wake_all()
                self._wake_done()
                if exchange.done:
                    if self._reader is None:
                        self._pass_turn()
                    return
                seconds = self._seconds_left(now)
                link = self._link
                if self._reader is None and link is not None:
                    self._reader = exchange
                    break
                alarm = allocate_lock()
                alarm.acquire()
                self._waiting[exchange] = alarm
            try:
                alarm.acquire(True, min(max(seconds, 0.0), LONGEST_WAIT))
            except BaseException:
                self._cancel(exchange)
                raise
        self._receive(exchange, link, seconds)

    def _do_what_is_due(self, now: float) -> bool:
        """Let the protocol notice the time, and send what may be sent; whether anything was."""
        self._session.handle_due(now)
        return self._send(now)

    def _wake_done(self) -> None:
        for exchange in [each for each in self._waiting if each.done]:
            self._waiting.pop(exchange).release()

    def _wake_all(self) -> None:
        for alarm in self._waiting.values():
            alarm.release()
        self._waiting.clear()

    def _pass_turn(self) -> None:
        """Nobody receives now: wake the one who has waited longest, to take the turn."""
        self._reader = None
        while self._doomed:
            self._doomed.pop().close()
        if self._waiting:
            self._waiting.pop(next(iter(self._waiting))).release()

    def _cancel(self, exchange: Exchange[ResponseT]) -> None:
        """The caller was interrupted while it waited, so the others can go on."""
        with self._lock:
            now = monotonic()
            self._waiting.pop(exchange, None)
            self._protocol.cancel(exchange, now)
            exchange.cancelled = True  # also if it was done just before: for _break_off
            self._send(now)
            if self._reader is exchange:
                self._pass_turn()
            self._wake_all()

    def _give_up(self, alone: Alone, was_waiting: bool) -> None:
        """A caller who was alone was interrupted."""
        with self._lock:
            self._reader = None
            exchange = self._protocol.adopt(alone, alone.request)
            self._reader = exchange
        if was_waiting:
            self._cancel(exchange)
        else:
            self._break_off(exchange)

    def _break_off(self, exchange: Exchange[ResponseT] | None) -> None:
        """A call was interrupted; unless it only waited then, the state is anyone's guess."""
        if exchange is not None and exchange.cancelled:
            return
        with self._lock:
            if exchange is not None:
                self._waiting.pop(exchange, None)
            if self._reader is exchange:
                self._pass_turn()
            self._session.broken_off()
            self._part()


def _never(level: int) -> bool:
    return False
