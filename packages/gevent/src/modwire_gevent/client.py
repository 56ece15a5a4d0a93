"""`Client`: the base of all gevent clients; their calls share its link."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from gevent import Greenlet, get_hub, getcurrent, sleep
from gevent.hub import Waiter

from modwire.client.constructors import BlockingClientBase
from modwire.client.guard import is_running
from modwire.client.opening import Attempt
from modwire.client.turns import Turns
from modwire.forks import forget_after_fork
from modwire.messages.base import Response

from .links import Link

if TYPE_CHECKING:
    from typing import Any

    from gevent.hub import Hub

    from modwire.client.exchange import Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing
    from modwire.messages.base import Request

ResponseT = TypeVar("ResponseT", bound=Response)

_MOST_UNWAITED = 16  # reads in a row without waiting; then other greenlets may run


class Client(BlockingClientBase):
    """A Modbus client for greenlets; any number of those of one thread may call its methods.

    A caller may be killed, or interrupted by a `gevent.Timeout`, wherever it waits. Other calls
    are not affected, and its late answer is discarded. The link is closed only if a part of its
    request was sent. An exception from a signal handler may come anywhere else, too: then the next
    call uses a new link, if need be. After a fork, the new process opens its own link.

    Subclasses define `_open_link`; `name` stands for the peer in errors and logs.
    """

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._turns: Turns[Link, Waiter[None]] = Turns(
            name, framing, options, wake=_wake, discard=_close, is_gone=self._is_gone
        )
        self._hub: Hub | None = None  # the one that the link belongs to
        self._unwaited = 0  # reads without waiting since a caller has last waited
        forget_after_fork(self, Client._forget, getattr(os, "register_at_fork", None))

    def _open_link(self) -> Link:
        """Open a new link to the peer; raises OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    def close(self) -> None:
        """Close the link. Waiting calls raise `ConnectionLostError`; the next call reconnects."""
        if self.is_open or self._turns.opening.attempt is not None:
            self._check_hub()
        attempt = self._turns.close()
        if attempt is not None:
            attempt.work.kill(block=False)

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Send `request` and return its response; see `BlockingCalls`.

        The timeout starts when the request is sent. Before that, the call may wait for a free
        line and for a new link. Raises `ConnectionLostError` too.
        """
        turns, me = self._turns, getcurrent()
        former: Exchange[ResponseT] | None = None
        while True:
            if turns.link is None:
                self._open_for(request, unit, timeout)
            if self._hub is not get_hub():
                self._check_hub()
            exchange: Exchange[ResponseT] | None = None
            try:
                now = monotonic()
                exchange = turns.begin(request, unit, timeout, now, me, former)
                if exchange is not None and turns.link is not None:
                    self._complete(exchange, turns.link, now)
            except BaseException:
                self._interrupted(exchange, me)
                raise
            if exchange is None:
                continue
            if exchange.error is None:
                return exchange.response
            try:
                if not turns.may_repeat(exchange):
                    return exchange.result()
                former = exchange
            finally:
                del exchange  # breaks the cycle of the error, its traceback and this frame

    def _complete(self, exchange: Exchange[Any], link: Link, now: float) -> None:
        """Send and receive, or wait for the greenlet that does, until `exchange` is done."""
        turns = self._turns
        until: float | None = exchange.deadline
        if turns.receiver is not exchange:
            if link.is_datagram:  # two frames must not share a datagram
                turns.send(now)
            link.wake()  # so that the receiver sends for all, and waits for the new deadline
            self._unwaited = _MOST_UNWAITED
        while until is not None:
            found: bytes | OSError | None = None
            try:
                if turns.receiver is exchange:
                    is_sending = link.is_sending
                    if is_sending or self._unwaited < _MOST_UNWAITED:
                        # An answer from the same machine has often arrived by now; waiting for it
                        # would take longer than everything else.
                        self._unwaited += 1
                        link.has_taken = True
                        found = link.receive_now()
                        link.has_taken = found is not None
                    if found is None and is_sending is link.is_sending:
                        self._unwaited = 0
                        has_bytes = link.wait(until)
                        if (has_bytes or link.is_sending) and link is turns.link:
                            link.has_taken = True
                            found = link.receive()
                else:
                    waiter = turns.waiting[exchange] = Waiter(self._hub)
                    waiter.get()
            except OSError as error:
                if not link.has_taken:
                    raise  # other code has thrown it into this greenlet, which only waited
                found = error
            until = turns.step(exchange, monotonic(), link, found)
            link.has_taken = False

    def _interrupted(self, exchange: Exchange[Any] | None, me: object) -> None:
        """Handle an error; if this caller was interrupted while it waited, the others go on."""
        turns = self._turns
        receiver, link = turns.receiver, turns.link
        is_receiver = receiver is not None and receiver.caller == me
        if exchange is None:
            if turns.is_cut or is_receiver:
                turns.restart()
            return
        if is_receiver and link is not None and link.has_taken:
            turns.break_off(exchange)  # the bytes are lost
            return
        turns.give_up(exchange, monotonic())
        if turns.link is not None:
            turns.link.wake()  # so that the receiver waits for the new deadline

    def _is_gone(self, caller: Greenlet[..., object]) -> bool:
        """True if no call of this client runs in the greenlet, which receives."""
        if caller.dead:
            return True
        receiver = self._turns.receiver  # to look at frames takes too long for every call
        is_late = receiver is None or receiver.deadline < monotonic()
        return is_late and not is_running(caller.gr_frame, self)

    def _forget(self) -> None:
        """Forget the link after a fork: it is that of the other process."""
        link, self._turns.link = self._turns.link, None
        self._turns.opening.attempt = self._hub = None
        self._turns.restart()
        if link is not None:
            link.forget()

    # Opening the link.

    def _check_hub(self) -> None:
        if self._hub is not get_hub():
            raise RuntimeError(
                f"{self.name}: the link was opened in another thread; a client is for the "
                "greenlets of one thread, so each thread needs its own"
            )

    def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for all waiting callers, which share a failure.

        A separate greenlet opens it: if a caller is killed, the others continue to wait, and an
        error thrown into a caller does not count as a failure. If no caller is left, the greenlet
        is killed.
        """
        turns = self._turns
        attempt = turns.opening.attempt
        if attempt is None or attempt.work.dead:
            pause = turns.pause(monotonic(), unit, timeout)
            from logging import getLogger  # takes longer to import than all of modwire

            turns.log.start(getLogger)
            self._hub = get_hub()
            attempt = Attempt()
            attempt.work = Greenlet.spawn(self._try_to_open, attempt, pause)
            turns.opening.attempt = attempt
        else:
            self._check_hub()
        attempt.waiting += 1
        try:
            attempt.work.join()
        finally:
            if turns.opening.leave(attempt):
                attempt.work.kill(block=False)
        turns.opening.check(attempt)

    def _try_to_open(self, attempt: Attempt, pause: float) -> None:
        opening = self._turns.opening
        try:
            if pause:
                sleep(pause)
            link = self._open_link()
        except Exception as error:  # noqa: BLE001 - raised in the callers
            opening.ended(attempt, error, monotonic())
            return
        except BaseException:
            del attempt  # its greenlet has the traceback, whose frames may keep a port open
            raise
        if opening.ended(attempt, None, monotonic()):
            self._unwaited = _MOST_UNWAITED  # the other waiting callers send their requests first
            self._turns.opened(link, monotonic())
        else:
            link.close()


def _wake(waiter: Waiter[None]) -> None:
    get_hub().loop.run_callback(waiter.switch, None)


def _close(link: Link) -> None:
    link.close()
