"""`TurnTaking`: tasks that share one link and take turns at using it.

There is no task in the background. Of the callers that wait, one at a time receives for all: it
holds the *turn*, which is passed on when its own call is done. One at a time sends, for all who
have something to send by then. The others wait until their call is done or one of the two falls
to them. Tasks run until they wait, so nothing here needs a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio import CancelScope, current_time
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from modwire.client.link import ClientSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any, TypeAlias

    from trio.lowlevel import RaiseCancelT

    from modwire.client.exchange import Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing

    from .links import Link

    AnyExchange: TypeAlias = Exchange[Any]

_MOST_READS = 8  # of what has arrived before a call, lest a server that floods us holds it up
_NEVER = float("inf")
DEBUG = 10  # logging.DEBUG; logging is imported when the first link is opened


class TurnTaking:
    """The half of `Client` that is about the link: who uses it, and how it is lost.

    While anybody waits, somebody has the turn, and somebody flushes what the link could not send
    at once. A link that is gone is nobody's, and every exchange on it is done.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._session = ClientSession(name, framing, options)
        self._protocol = self._session.protocol
        self._has_transactions = framing.has_transactions
        self._log: Logger | None = None
        self._wire: Logger | None = None
        self._is_enabled: Callable[[int], bool] = _never
        self._link: Link | None = None
        self._is_traced = False
        self._reader: object = None  # the exchange whose caller has the turn
        self._scope: CancelScope | None = None  # in which it waits for bytes
        self._sender: object = None  # the exchange whose caller sends for others
        self._waiting: dict[AnyExchange, Task] = {}  # in the order they came
        self._doomed: list[Link] = []  # lost, and to be closed by the next who may wait for that

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

    async def _finish(self, exchange: AnyExchange) -> None:
        """Return when `exchange`, which was just started, is done."""
        try:
            if (
                self._scope is not None
                and self._sender is None
                and (exchange.sent or not self._has_transactions)
            ):
                await self._send_for_all(exchange)
            while not exchange.done:
                link = self._link
                if link is None:
                    break  # unreachable: whatever was open on it is done
                if self._sender is exchange or (link.is_sending and self._sender is None):
                    await self._send_for_all(exchange)
                elif self._reader is None or self._reader is exchange:
                    await self._use_turn(exchange)
                else:
                    await self._sleep(exchange)
        except BaseException as error:
            self._give_up(exchange, error)
            raise
        finally:
            self._pass_on(exchange)
            if self._doomed:
                await self._close_doomed()

    async def _use_turn(self, exchange: AnyExchange) -> None:
        """Receive for all who wait, until `exchange` is done or something has to be flushed."""
        self._reader = exchange
        while (link := self._link) is not None:
            now = current_time()
            self._session.handle_due(now)
            if self._waiting:
                self._wake_done()
            self._send(now)
            if exchange.done or link is not self._link:
                return
            if link.is_sending and self._sender is None:
                self._reader = None
                self._sender = exchange
                self._pass_on(None)
                return
            data = await self._receive(link, self._protocol.deadline())
            if data is not None and link is self._link:
                self._take(data, current_time())

    async def _receive(self, link: Link, deadline: float | None) -> bytes | None:
        """What comes until `deadline`; None if nothing does. The link may be lost afterwards."""
        with CancelScope(deadline=_NEVER if deadline is None else deadline) as scope:
            self._scope = scope
            try:
                return await link.receive()
            except (OSError, trio.ClosedResourceError) as error:
                self._lose(link, error)
            finally:
                if self._scope is scope:
                    self._scope = None
        return None

    async def _send_for_all(self, exchange: AnyExchange) -> None:
        """Send what is to be sent, and wait for room where there is none."""
        self._sender = exchange
        link = self._link
        if link is not None and not link.is_sending:
            # All who run in this pass of the loop can add theirs; less work than sending each.
            await trio.lowlevel.checkpoint()
        while link is not None and link is self._link:
            self._send(current_time())
            if not link.is_sending or (exchange.done and self._waiting):
                break  # where something is left, it falls to another one
            await self._flush(link)
        # Not where the caller was interrupted: what was sent half is still its own then.
        if self._sender is exchange:
            self._sender = None

    async def _flush(self, link: Link) -> None:
        seconds = self._session.options.response_timeout
        with CancelScope(deadline=current_time() + seconds) as scope:
            try:
                await link.flush()
            except (OSError, trio.ClosedResourceError) as error:
                self._lose(link, error)
        if scope.cancelled_caught:
            self._lose(link, OSError(f"could not send within {seconds:g} s"))

    async def _sleep(self, exchange: AnyExchange) -> None:
        """Wait until `exchange` is done, or the turn or the sending is its caller's."""

        def abort(_: RaiseCancelT) -> Abort:
            del self._waiting[exchange]
            return Abort.SUCCEEDED

        self._waiting[exchange] = current_task()
        await wait_task_rescheduled(abort)

    def _send(self, now: float) -> None:
        """Send what the protocol wants sent, if there is room."""
        link = self._link
        if link is None or link.is_sending:
            return
        while data := self._session.data_to_send(now):
            self._is_traced = self._is_enabled(DEBUG)
            if self._is_traced:
                self._trace("sent", data)
            try:
                busy = link.send(data)
            except OSError as error:
                self._lose(link, error)
                return
            if busy:
                self._protocol.data_sent(now + busy)
            if not link.is_datagram:
                break
        if self._scope is not None:
            # Who receives does not know of the deadlines of what others have sent or queued.
            deadline = self._protocol.deadline()
            if deadline is not None and deadline < self._scope.deadline:
                self._scope.deadline = deadline

    async def _take_arrived(self) -> None:
        """Take what came while nobody was receiving."""
        self._reader = self
        try:
            for _ in range(_MOST_READS):
                link = self._link
                if link is None:
                    return
                try:
                    data = await link.look()
                except (OSError, trio.ClosedResourceError) as error:
                    self._lose(link, error)
                    return
                if data is None or link is not self._link:
                    return
                self._take(data, current_time())
        finally:
            if self._reader is self:
                self._reader = None
            if self._doomed:
                await self._close_doomed()

    def _take(self, data: bytes, now: float) -> None:
        """Hand what was received to the protocol."""
        if self._is_traced:
            self._trace("received", data)
        self._session.receive(data, now)
        if not self._session.is_open:
            self._part()
        elif self._waiting:
            self._wake_done()

    def _lose(self, link: Link, error: Exception) -> None:
        """`link` failed; if it is not the present one, it was closed before."""
        if link is self._link:
            self._session.lost(error, current_time())
            self._part()

    def _part(self) -> None:
        """Part with a link that is of no more use; all open calls have failed."""
        link, self._link = self._link, None
        self._reader = self._sender = self._scope = None
        while self._waiting:
            reschedule(self._waiting.popitem()[1])
        if link is not None:
            if not link.cut():
                self._doomed.append(link)
            self._note("%s", self._session.lost_reason)

    async def _close_doomed(self) -> None:
        with CancelScope(shield=True) as scope:
            scope.cancel()  # nothing is waited for: the link is of no more use
            while self._doomed:
                await self._doomed.pop().close()

    def _wake_done(self) -> None:
        for exchange in [each for each in self._waiting if each.done]:
            reschedule(self._waiting.pop(exchange))

    def _pass_on(self, exchange: AnyExchange | None) -> None:
        """Give what the caller of `exchange` did for all to those who have waited longest."""
        if self._reader is exchange:
            self._reader = None
        if self._sender is exchange:
            self._sender = None
        if self._link is None:
            return
        if self._link.is_sending and self._sender is None:
            if self._waiting:
                self._sender = self._wake_first()
            elif self._scope is not None:
                self._scope.cancel()  # who receives is the only one left, and has to do both
        if self._reader is None and self._waiting:
            self._reader = self._wake_first()

    def _wake_first(self) -> AnyExchange:
        exchange = next(iter(self._waiting))
        reschedule(self._waiting.pop(exchange))
        return exchange

    def _give_up(self, exchange: AnyExchange, error: BaseException) -> None:
        """The caller was interrupted, most likely cancelled, so that the others can go on."""
        link = self._link
        if link is None:
            return
        if isinstance(error, Exception) or not self._retract(exchange, link):
            self._session.broken_off()
            self._part()
        elif not exchange.done:
            now = current_time()
            self._session.cancel(exchange, now)
            if self._waiting:
                self._send(now)

    def _retract(self, exchange: AnyExchange, link: Link) -> bool:
        """Take back what was not sent of a request; False if it was sent in part."""
        if not link.is_sending:
            return True
        framing = self._protocol.framing
        adu = framing.wrap(exchange.unit, exchange.transaction, exchange.pdu)
        return link.retract(adu, was_flushing=self._sender is exchange)


def _never(level: int) -> bool:
    return False
