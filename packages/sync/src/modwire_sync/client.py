"""`Client`: the base of all blocking clients, with the calls and the link that carries them."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from modwire.client.constructors import BlockingClientBase
from modwire.client.opening import CLOSED
from modwire.client.threads import ThreadTurns
from modwire.messages.base import Response

from .links import Link

if TYPE_CHECKING:
    from modwire.client.exchange import Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing
    from modwire.messages.base import Request

ResponseT = TypeVar("ResponseT", bound=Response)


class Client(BlockingClientBase):
    """A blocking Modbus client; any number of threads may call its methods.

    An exception from a signal handler, such as KeyboardInterrupt, may come at any time: the client
    goes on working, with a new link if need be. After a fork, the new process opens its own link.

    Subclasses define `_open_link`; `name` is the name of the peer in errors and logs.
    """

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._shared: ThreadTurns[Link] = ThreadTurns(
            self,
            framing,
            options,
            name,
            clock=monotonic,
            new_lock=RLock,
            new_alarm=allocate_lock,
            get_ident=get_ident,
            frames=getattr(sys, "_current_frames", dict),
            register_at_fork=getattr(os, "register_at_fork", None),
        )
        self._turns = self._shared.turns

    def _open_link(self) -> Link:
        """Open a new link to the peer; raise OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    def close(self) -> None:
        """Close the link. Waiting calls raise `ConnectionLostError`; the next call reconnects."""
        self._shared.close()

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Send `request` and return its response; see `BlockingCalls`.

        The timeout starts when the request is sent. Before that, the call may wait for a free
        line and for a new link. Raises `ConnectionLostError` too.
        """
        turns, guard, me = self._turns, self._shared.guard, get_ident()
        former: Exchange[ResponseT] | None = None
        while True:
            if turns.link is None:
                self._open_for(request, unit, timeout)
            begun: Exchange[ResponseT] | None = None
            link: Link | None = None
            try:
                if guard.lock._is_owned() or not guard.lock.acquire(False):
                    guard.take()
                now = monotonic()
                begun = turns.begin(request, unit, timeout, now, me, former)
                link = turns.link
                if link is not None and turns.receiver is begun:
                    link.reader = me
                guard.lock.release()
                if begun is None:
                    continue
                exchange = begun
                until: float | None = exchange.deadline
                while link is not None and until is not None:
                    found = None
                    if link.reader == me:
                        found = link.receive(until - now)
                    else:
                        self._shared.sleep(exchange, until, me)
                    if guard.lock._is_owned() or not guard.lock.acquire(False):
                        guard.take()
                    now = monotonic()
                    until = turns.step(exchange, now, link, found)
                    if turns.receiver is exchange:
                        link.reader = me
                    elif link.reader == me:
                        link.reader = 0
                        if link is not turns.link:
                            link.close()
                    guard.lock.release()
            except BaseException:
                self._shared.interrupted(begun, link, me)
                raise
            if exchange.error is None:
                return exchange.response
            try:
                if not turns.may_repeat(exchange):
                    return exchange.result()
                former = exchange
            finally:
                del begun, exchange  # breaks the cycle of the error, its traceback and this frame

    def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for all callers that wait for it; if it fails, all get the same error."""
        turns, opening = self._turns, self._turns.opening
        failures, closings = opening.failures, opening.closings
        turn = self._shared.opening
        turn.take()
        try:
            if turns.link is not None:
                return
            if opening.closings != closings:
                raise turns.no_link(CLOSED)
            if opening.failures != failures:
                raise turns.no_link()
            pause = turns.pause(monotonic(), unit, timeout)
            if pause:
                sleep(pause)
            from logging import getLogger  # takes longer to import than all of modwire

            turns.log.start(getLogger)
            try:
                link = self._open_link()
            except (OSError, ValueError, OverflowError) as error:  # a host name may be invalid
                raise turns.open_failed(error, monotonic()) from error
            if not self._shared.opened(link, closings):
                raise turns.no_link(CLOSED)
        finally:
            turn.lock.release()
