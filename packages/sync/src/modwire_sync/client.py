"""`Client`: the base of all blocking clients, with the calls and the link that carries them."""

from __future__ import annotations

from _thread import allocate_lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from modwire.calls import BlockingCalls
from modwire.client.constructors import BlockingClientBase
from modwire.client.turns import CLOSED, Turns
from modwire.messages.base import Response

from .links import LONGEST_WAIT, Link

if TYPE_CHECKING:
    from _thread import LockType
    from typing import Any

    from modwire.client.exchange import Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing
    from modwire.messages.base import Request

ResponseT = TypeVar("ResponseT", bound=Response)


class Client(BlockingClientBase, BlockingCalls):
    """A blocking Modbus client; any number of threads may call its methods.

    Subclasses define `_open_link`; `name` is the name of the peer in errors and logs.
    """

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._turns: Turns[Link, LockType] = Turns(
            name, framing, options, wake=_release, discard=self._discard
        )
        self._lock = allocate_lock()  # guards the turns
        self._opening = allocate_lock()  # held while a link is being opened, taken before _lock
        self._unused: list[Link] = []  # lost links; the caller that still receives closes them

    def _open_link(self) -> Link:
        """Open a new link to the peer; raise OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    def close(self) -> None:
        """Close the link. Waiting calls raise `ConnectionLostError`; the next call reconnects."""
        with self._lock:
            self._turns.close()

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Send `request` and return its response; see `BlockingCalls`.

        The timeout starts when the request is sent. Before that, the call may wait for a free
        line and for a new link. Raises `ConnectionLostError` too.
        """
        turns = self._turns
        is_repeated = False
        while True:
            if turns.link is None:
                self._open(unit, timeout)
            started: Exchange[ResponseT] | None = None
            is_waiting = False
            try:
                with self._lock:
                    now = monotonic()
                    started = turns.begin(request, unit, timeout, now)
                    if started is None:
                        continue
                    exchange, link = started, turns.link
                    if link is None and self._unused:  # sending failed: nobody receives on it
                        self._unused.pop().close()
                    until: float | None = exchange.deadline
                while link is not None and until is not None:
                    found = None
                    is_waiting = True
                    if turns.receiver is exchange:
                        found = link.receive(until - now)
                    else:
                        self._sleep(exchange, until - now)
                    is_waiting = False
                    with self._lock:
                        now = monotonic()
                        was_receiver = turns.receiver is exchange
                        until = turns.step(exchange, now, link, found)
                        if self._unused and was_receiver:
                            self._unused.pop().close()
            except BaseException as error:
                if started is not None or not isinstance(error, Exception):
                    self._interrupted(started, is_waiting)
                raise
            if exchange.error is None:
                return exchange.response
            try:
                if is_repeated or not turns.may_repeat(exchange):
                    return exchange.result()
            finally:
                # Otherwise the error, its traceback and this frame would keep each other alive.
                del started, exchange
            is_repeated = True

    def _sleep(self, exchange: Exchange[Any], seconds: float) -> None:
        """Wait until woken while another caller receives for all; at most `seconds`."""
        alarm = allocate_lock()
        alarm.acquire()
        with self._lock:
            if exchange.done or self._turns.receiver in (None, exchange):
                return
            self._turns.waiting[exchange] = alarm
        alarm.acquire(True, min(max(seconds, 0.0), LONGEST_WAIT))
        with self._lock:
            self._turns.waiting.pop(exchange, None)

    def _interrupted(self, exchange: Exchange[Any] | None, is_waiting: bool) -> None:
        """Handle the interruption of a caller; if it only waited, the other calls continue."""
        with self._lock:
            turns = self._turns
            was_receiver = turns.receiver is exchange
            if is_waiting and exchange is not None:
                turns.give_up(exchange, monotonic())
            else:
                turns.break_off(exchange)
            if self._unused and was_receiver:
                self._unused.pop().close()

    def _discard(self, link: Link) -> None:
        if self._turns.receiver is None:
            link.close()
        else:
            self._unused.append(link)
            link.interrupt()

    def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for all callers that wait for it; if it fails, all get the same error."""
        turns = self._turns
        failures, closings = turns.failures, turns.closings
        with self._opening:
            if turns.link is not None:
                return
            if turns.closings != closings:
                raise turns.no_link(CLOSED)
            if turns.failures != failures:
                raise turns.no_link(turns.reason)
            pause = turns.pause(monotonic(), unit, timeout)
            if pause:
                sleep(pause)
            from logging import getLogger  # takes longer to import than all of modwire

            turns.log_to(getLogger)
            try:
                link = self._open_link()
            except (OSError, ValueError, OverflowError) as error:  # a host name may be invalid
                with self._lock:
                    turns.open_failed(error, monotonic())
                raise turns.no_link(error) from error
            with self._lock:
                if turns.closings == closings:
                    turns.opened(link, monotonic())
                    return
            link.close()
            raise turns.no_link(CLOSED)


def _release(alarm: LockType) -> None:
    alarm.release()
