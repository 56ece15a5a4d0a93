"""`TurnTaking`: greenlets that share one link and take turns at using it.

There is no greenlet in the background. Of the callers that wait, one at a time sends and receives
for all: it holds the *turn*, which is passed on when its own call is done. The others wait, each
on a waiter of its own, until their call is done or the turn is theirs. Greenlets run until they
wait, so that nothing here needs a lock; whoever waits may be interrupted, by `kill` or a timeout.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gevent import get_hub
from gevent.hub import Waiter

from modwire.client.link import ClientSession

from .links import LONGEST_WAIT, Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any, TypeAlias

    from gevent.hub import Hub

    from modwire.client.exchange import Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing

    AnyExchange: TypeAlias = Exchange[Any]

_MOST_READS = 8  # of what has arrived before a call, lest a server that floods us holds it up
DEBUG = 10  # logging.DEBUG; logging is imported when the first link is opened


class TurnTaking:
    """The half of `Client` that is about the link: who uses it, and how it is lost.

    While anybody waits, somebody has the turn. A link that is gone is nobody's, and every
    exchange on it is done.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._session = ClientSession(name, framing, options)
        self._protocol = self._session.protocol
        self._log: Logger | None = None
        self._wire: Logger | None = None
        self._is_enabled: Callable[[int], bool] = _never
        self._hub: Hub | None = None  # the one that the link belongs to
        self._link: Link | None = None
        self._is_traced = False
        self._reader: object = None  # the exchange whose caller has the turn
        self._waiting: dict[AnyExchange, Waiter[None]] = {}  # in the order they came

    def _find_logs(self) -> None:
        if self._log is None:
            from logging import getLogger  # takes longer to import than all of modwire

            self._log = getLogger("modwire.client")
            self._wire = getLogger("modwire.wire")
            self._is_enabled = self._wire.isEnabledFor

    def _note(self, message: str, *values: object) -> None:
        if self._log is not None:
            self._log.info(message, *values)

    def _trace(self, what: str, data: bytes) -> None:
        if self._wire is not None:
            self._wire.debug("%s: %s %s", self.name, what, data.hex(" "))

    def _finish(self, exchange: AnyExchange) -> None:
        """Return when `exchange`, which was just started, is done."""
        try:
            if self._reader is not None and self._link is not None:
                if self._link.is_datagram:
                    self._send(monotonic())  # now, for two frames must not share a datagram
                self._link.wake()
            while not exchange.done:
                if self._reader is None:
                    self._reader = exchange
                if self._reader is exchange:
                    self._use_turn(exchange)
                else:
                    self._sleep(exchange)
            if self._reader is exchange:
                self._pass_turn()
        except BaseException:
            self._break_off(exchange)
            raise

    def _use_turn(self, exchange: AnyExchange) -> None:
        """Send and receive for all who wait, until `exchange` is done."""
        link = self._link
        while link is not None and link is self._link:
            now = monotonic()
            self._session.handle_due(now)
            self._send(now)
            self._wake_done()
            if exchange.done:
                return
            deadline = self._protocol.deadline()
            try:
                has_bytes = link.wait(now + LONGEST_WAIT if deadline is None else deadline)
            except BaseException:
                self._cancel(exchange)
                raise
            if has_bytes and link is self._link:
                self._receive(link, link.receive)

    def _sleep(self, exchange: AnyExchange) -> None:
        """Wait until `exchange` is done, or the turn is its caller's."""
        waiter = self._waiting[exchange] = Waiter(self._hub)
        try:
            waiter.get()
        except BaseException:
            self._cancel(exchange)
            raise

    def _send(self, now: float) -> None:
        """Send what the protocol wants sent, if there is room."""
        link = self._link
        if link is None:
            return
        try:
            if link.is_sending:
                link.flush(now)
                if link.is_sending:
                    return
            while not link.is_sending and (data := self._session.data_to_send(now)):
                self._is_traced = self._is_enabled(DEBUG)
                if self._is_traced:
                    self._trace("sent", data)
                busy = link.send(data, now)
                if busy:
                    self._protocol.data_sent(now + busy)
        except OSError as error:
            self._lose(link, error)

    def _receive(self, link: Link, receive: Callable[[], bytes | None]) -> bool:
        """Hand what `receive` of `link` gives to the protocol; whether there was anything."""
        try:
            data = receive()
        except OSError as error:
            self._lose(link, error)
            return False
        if data is None:
            return False
        self._take(data, monotonic())
        return True

    def _take(self, data: bytes, now: float) -> None:
        if self._is_traced:
            self._trace("received", data)
        self._session.receive(data, now)
        if not self._session.is_open:
            self._part()

    def _take_arrived(self) -> None:
        """Take what came while nobody was receiving."""
        for _ in range(_MOST_READS):
            link = self._link
            if self._reader is not None or link is None:
                return
            if not self._receive(link, link.receive_now):
                return

    def _lose(self, link: Link, error: OSError) -> None:
        """`link` failed."""
        if link is self._link:
            self._session.lost(error, monotonic())
            self._part()

    def _part(self) -> None:
        """Part with a link that is of no more use; all open calls have failed."""
        link, self._link = self._link, None
        self._reader = None
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            _wake(waiter)
        if link is not None:
            link.close()
            self._note("%s", self._session.lost_reason)

    def _wake_done(self) -> None:
        for exchange in [each for each in self._waiting if each.done]:
            _wake(self._waiting.pop(exchange))

    def _pass_turn(self) -> None:
        """Give the turn to the one who has waited longest."""
        self._reader = None
        for exchange in self._waiting:
            self._reader = exchange
            _wake(self._waiting.pop(exchange))
            return

    def _cancel(self, exchange: AnyExchange) -> None:
        """The caller was interrupted while it waited, so the others can go on."""
        self._waiting.pop(exchange, None)
        link = self._link
        if link is not None and not exchange.done:
            if not link.is_sending or link.withdraw(self._adu(exchange)):
                self._session.cancel(exchange, monotonic())
            else:
                self._session.broken_off()
                self._part()
        exchange.cancelled = True  # also if it was done just before: for _break_off
        if self._reader is exchange:
            self._pass_turn()
        elif self._link is not None:
            self._link.wake()  # what waited for its place may be sent now

    def _adu(self, exchange: AnyExchange) -> bytes:
        return self._protocol.framing.wrap(exchange.unit, exchange.transaction, exchange.pdu)

    def _break_off(self, exchange: AnyExchange | None) -> None:
        """A call was interrupted; unless it only waited then, the state is anyone's guess."""
        if exchange is not None and exchange.cancelled:
            return
        self._session.broken_off()
        self._part()


def _wake(waiter: Waiter[None]) -> None:
    get_hub().loop.run_callback(waiter.switch, None)


def _never(level: int) -> bool:
    return False
