"""`Client`: the base of all blocking clients, with the calls and the link that carries them."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from modwire.calls import BlockingCalls
from modwire.client.constructors import BlockingClientBase
from modwire.client.turns import CLOSED, Turns
from modwire.forks import forget_after_fork
from modwire.messages.base import Response

from .guard import SLICE, Guard
from .links import Link

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

    An exception from a signal handler, such as KeyboardInterrupt, may come at any time: the client
    goes on working, with a new link if need be. After a fork, the new process opens its own link.

    Subclasses define `_open_link`; `name` is the name of the peer in errors and logs.
    """

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._turns: Turns[Link, LockType] = Turns(
            name, framing, options, wake=_release, discard=self._discard, is_gone=self._is_gone
        )
        self._guard = Guard(self._is_gone)  # of the turns
        self._opening = Guard(self._is_gone)  # held while a link is being opened
        forget_after_fork(self, getattr(os, "register_at_fork", None))

    def _open_link(self) -> Link:
        """Open a new link to the peer; raise OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    def close(self) -> None:
        """Close the link. Waiting calls raise `ConnectionLostError`; the next call reconnects."""
        guard = self._guard
        guard.take(get_ident())
        self._turns.close()
        guard.holder = 0
        guard.lock.release()

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Send `request` and return its response; see `BlockingCalls`.

        The timeout starts when the request is sent. Before that, the call may wait for a free
        line and for a new link. Raises `ConnectionLostError` too.
        """
        turns, guard, me = self._turns, self._guard, get_ident()
        is_repeated = False
        while True:
            if turns.link is None:
                self._open(unit, timeout)
            started: Exchange[ResponseT] | None = None
            link: Link | None = None
            try:
                guard.take(me)
                now = monotonic()
                started = turns.begin(request, unit, timeout, now, me)
                link = turns.link
                if link is not None and turns.receiver is started:
                    link.reader = me
                guard.holder = 0
                guard.lock.release()
                if started is None:
                    continue
                exchange = started
                until: float | None = exchange.deadline
                while link is not None and until is not None:
                    found = None
                    if link.reader == me:
                        found = link.receive(until)
                    else:
                        self._sleep(exchange, until - now, me)
                    guard.take(me)
                    now = monotonic()
                    until = turns.step(exchange, now, link, found)
                    if link.reader == me:
                        link.has_taken = False
                        if turns.receiver is not exchange:
                            self._stop_reading(link)
                    elif turns.receiver is exchange:
                        link.reader = me
                    guard.holder = 0
                    guard.lock.release()
            except BaseException:
                self._interrupted(started, link, me)
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

    def _stop_reading(self, link: Link) -> None:
        """Let others receive on `link`; close it if it was dropped while this caller received."""
        link.reader = 0
        if link is not self._turns.link:
            link.close()

    def _sleep(self, exchange: Exchange[Any], seconds: float, me: int) -> None:
        """Wait until woken while another caller receives for all; at most `seconds`."""
        turns, guard = self._turns, self._guard
        alarm = allocate_lock()
        alarm.acquire()
        guard.take(me)
        is_asleep = not exchange.done and turns.receiver not in (None, exchange)
        if is_asleep:
            turns.waiting[exchange] = alarm
        guard.holder = 0
        guard.lock.release()
        if is_asleep and not alarm.acquire(True, min(max(seconds, 0.0), SLICE)):
            guard.take(me)
            turns.waiting.pop(exchange, None)
            receiver = turns.receiver
            if receiver not in (None, exchange) and self._is_gone(receiver.caller):
                turns.restart()
            guard.holder = 0
            guard.lock.release()

    def _interrupted(self, exchange: Exchange[Any] | None, link: Link | None, me: int) -> None:
        """Handle an error; if this caller was interrupted while it waited, the others go on."""
        turns, guard = self._turns, self._guard
        guard.take(me)
        if link is not None and link.reader == me and link.has_taken:
            turns.break_off(exchange)  # the bytes are lost
        elif exchange is not None:
            turns.give_up(exchange, monotonic())
        elif turns.is_cut or (turns.receiver is not None and turns.receiver.caller == me):
            turns.restart()
        if link is not None and link.reader == me:
            self._stop_reading(link)
        guard.holder = 0
        guard.lock.release()

    def _is_gone(self, thread: int) -> bool:
        """True if no call of this client runs in `thread`."""
        frames = sys._current_frames()
        if get_ident() not in frames:
            return False  # the threads are greenlets, by monkey-patching
        frame = frames.get(thread)
        while frame is not None:
            if frame.f_globals is globals() and frame.f_locals.get("self") is self:
                return False
            frame = frame.f_back
        return True

    def _discard(self, link: Link) -> None:
        with suppress(Exception):  # a lost port may raise any
            if link.reader in (0, get_ident()) or self._is_gone(link.reader):
                link.close()
            else:
                link.interrupt()

    def forget(self) -> None:
        """Forget the link after a fork: it is that of the other process."""
        self._guard, self._opening = Guard(self._is_gone), Guard(self._is_gone)
        link, self._turns.link = self._turns.link, None
        self._turns.restart()
        if link is not None:
            link.forget()

    def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for all callers that wait for it; if it fails, all get the same error."""
        turns, opening = self._turns, self._turns.opening
        failures, closings = opening.failures, opening.closings
        turn, me = self._opening, get_ident()
        turn.take(me)
        try:
            if turns.link is not None:
                return
            if opening.closings != closings:
                raise turns.no_link(CLOSED)
            if opening.failures != failures:
                raise turns.no_link(turns.reason)
            pause = turns.pause(monotonic(), unit, timeout)
            if pause:
                sleep(pause)
            from logging import getLogger  # takes longer to import than all of modwire

            turns.log.start(getLogger)
            try:
                link = self._open_link()
            except (OSError, ValueError, OverflowError) as error:  # a host name may be invalid
                turns.open_failed(error, monotonic())
                raise turns.no_link(error) from error
            guard = self._guard
            guard.take(me)
            is_used = opening.closings == closings and turns.link is None
            if is_used:
                turns.opened(link, monotonic())
            guard.holder = 0
            guard.lock.release()
            if not is_used:
                link.close()
                if turns.link is None:
                    raise turns.no_link(CLOSED)
        finally:
            turn.holder = 0
            turn.lock.release()


def _release(alarm: LockType) -> None:
    with suppress(RuntimeError):  # it was released before an interrupt
        alarm.release()
