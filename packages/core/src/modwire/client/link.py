"""`ClientSession`: a client's protocol together with the past of its link.

What clients on event loops decide alike: when a link may be opened, what its end means, and which
calls may be repeated on the next one. Their tasks take turns at receiving; this is what they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import ConnectionLostError
from ..messages.base import Response
from ..options import check_timeout, check_unit
from .backoff import Backoff, LinkHistory
from .protocol import ClientProtocol

if TYPE_CHECKING:
    from ..framing import Framing
    from ..messages.base import Request
    from .exchange import Exchange
    from .options import ClientOptions

ResponseT = TypeVar("ResponseT", bound=Response)


class ClientSession:
    """One client: its protocol, whether its link is open, and what happened to it.

    `name` stands for the peer in errors. An adapter opens the link after `pause`, says `opened`
    or `open_failed`, and starts exchanges while `is_open`. After each `start`, `receive`,
    `handle_due` and `cancel` it sends what `data_to_send` gives. Where `is_open` turns False the
    link is to be closed: every exchange on it is done then.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self.protocol = ClientProtocol(framing, options)
        self.protocol.name = name
        self.options = options
        self.is_open = False
        self.lost_reason: ConnectionLostError | None = None
        self.open_error: Exception | None = None
        self._looks_always = not framing.has_transactions
        self._backoff = Backoff()
        self.history = LinkHistory(self._backoff, looks_always=False)

    # The link.

    def pause(self, now: float, timeout: float | None) -> float:
        """The seconds to wait until the link may be opened.

        Raises `ConnectionLostError` where that is longer than a call with `timeout` (None for the
        client's own) would wait.
        """
        pause = self._backoff.wait(now)
        if pause > (self.options.response_timeout if timeout is None else timeout):
            reason = self.open_error or self.lost_reason
            raise self.no_link(f"{reason}; the next try is in {pause:.1f} s")
        return pause

    def open_failed(self, error: Exception, now: float) -> None:
        """The link could not be opened: the next attempt waits the longer."""
        self.open_error = error
        self._backoff.failed(now)

    def no_link(self, reason: str) -> ConnectionLostError:
        """The error for a call that needs a link which cannot be opened."""
        return ConnectionLostError(f"{self.name}: cannot be opened: {reason}")

    def opened(self, *, is_datagram: bool = False) -> None:
        """A new link is open."""
        self.protocol.reset()
        self.history = LinkHistory(self._backoff, looks_always=self._looks_always)
        self.protocol.is_datagram = is_datagram
        self.is_open = True

    def lost(self, reason: object, now: float) -> None:
        """The link failed: all exchanges on it are done, with `ConnectionLostError`."""
        if self.is_open:
            self.history.lost(now)
            self._drop(f"the link was lost: {reason}", reason)

    def closed(self) -> None:
        """The client was closed on purpose: all exchanges are done, and none is repeated."""
        if self.is_open:
            self.history.closed()
            self._drop("the client was closed")

    def broken_off(self) -> None:
        """Something was left half-way, such as half a request sent: the link is of no more use."""
        if self.is_open:
            self.history.interrupted()
            self._drop("a call was interrupted half-way")

    def _drop(self, reason: str, cause: object = None, ended: float | None = None) -> None:
        self.is_open = False
        error = ConnectionLostError(f"{self.name}: {reason}")
        if isinstance(cause, BaseException):
            error.__cause__ = cause
        self.lost_reason = error
        if ended is None:
            self.protocol.connection_lost(error)
        else:
            self.protocol.receive_eof(ended, error)

    # The exchanges.

    @staticmethod
    def check(unit: int | None, timeout: float | None) -> None:
        """Raise ValueError for a wrong unit or timeout, before a link is opened for the call."""
        if unit is not None:
            check_unit(unit)
        if timeout is not None:
            check_timeout(timeout)

    def start(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None, now: float
    ) -> Exchange[ResponseT]:
        """An exchange on the open link; raises ValueError as `ClientProtocol.start` does."""
        return self.protocol.start(request, unit, now=now, timeout=timeout)

    def data_to_send(self, now: float) -> bytes:
        """The bytes to send now, all of them before any others; b"" for none.

        On datagram links they are one datagram, and there may be more: ask until it gives b"".
        """
        data = self.protocol.data_to_send(now)
        if data:
            self.history.sent = now
        return data

    def needs_look(self, now: float) -> bool:
        """Whether to take what has arrived already before the next exchange is started.

        After a pause the server may have closed the connection; on a link without transaction
        ids, what came since the last call must not pass for the next answer.
        """
        return self.history.needs_look(now)

    def receive(self, data: bytes, now: float) -> None:
        """Take what the link brought; b"" is the end of a stream. `is_open` may turn False."""
        protocol = self.protocol
        if protocol.is_datagram:
            self.history.heard = now
            protocol.receive_datagram(data, now)
        elif data:
            self.history.heard = now
            protocol.receive_data(data, now)
        elif self.is_open:
            self.history.lost(now)
            self._drop("the server closed the connection", ended=now)
            return
        if protocol.broken and self.is_open:
            self._drop("what the server sends is no Modbus")

    def deadline(self) -> float | None:
        """When to call `handle_due`, or to send what may be sent then."""
        return self.protocol.deadline()

    def handle_due(self, now: float) -> None:
        """Let time pass up to `now`; afterwards there may be something to send."""
        deadline = self.protocol.deadline()
        if deadline is not None and deadline <= now:
            self.protocol.handle_timeout(now)

    def cancel(self, exchange: Exchange[ResponseT], now: float) -> None:
        """The caller of `exchange` gave up: a late reply is dropped, no other call notices."""
        self.protocol.cancel(exchange, now)

    @staticmethod
    def may_repeat(exchange: Exchange[ResponseT], history: LinkHistory) -> bool:
        """Whether `exchange`, which a `ConnectionLostError` ended, may be done again on a new link.

        `history` is that of the link it was started on. What was never sent may, and reads on a
        link of which nothing else is known than that it is gone; once, and not after `closed`.
        """
        if history.is_closed:
            return False
        return not exchange.sent or history.may_repeat(exchange.request)
