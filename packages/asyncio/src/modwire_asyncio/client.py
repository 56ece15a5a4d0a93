"""`Client`: the base of all asyncio clients: their calls, and the link that the calls share."""

from __future__ import annotations

import asyncio
import os
from asyncio import get_running_loop
from operator import methodcaller
from time import monotonic
from traceback import clear_frames
from typing import TYPE_CHECKING, TypeVar

from modwire.client.opening import Attempt
from modwire.client.streams import StreamClientBase
from modwire.client.turns import Turns
from modwire.errors import ConnectionLostError
from modwire.forks import forget_after_fork
from modwire.messages.base import Response

from .links import Link, Stream, StreamLink, transport_of

if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from modwire import ClientOptions, Exchange, Framing, Request


ResponseT = TypeVar("ResponseT", bound=Response)


class Client(StreamClientBase[Stream]):
    """A Modbus client for asyncio, on any transport; any number of tasks may call its methods.

    The stream is a transport, in which it takes the place of the protocol, or a pair of a reader
    and a writer.

    `ClientBase` describes when the link is opened, and when a request is repeated.

    A call may be cancelled wherever it waits: other calls are not affected, and its late answer
    is never returned to another call. The link belongs to the loop in which it was opened; in
    another one, such as that of the next `asyncio.run`, it is opened anew. After a fork, the new
    process opens its own link.
    """

    def _check_stream(self, stream: Stream) -> None:
        transport_of(stream)

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._turns: Turns[Link, asyncio.Future[None]] = Turns(
            name, framing, options, wake=_wake, discard=self._discard, is_gone=methodcaller("done")
        )
        self._ending: set[asyncio.Future[Any]] = set()  # what `aclose` waits for
        self._sends_soon = False
        forget_after_fork(self, Client._forget, getattr(os, "register_at_fork", None))

    def _forget(self) -> None:
        """Forget the link after a fork: it is that of the other process."""
        turns = self._turns
        link, turns.link = turns.link, None
        turns.waiting.clear()  # the loop of the tasks that wait is not in this process
        turns.opening.attempt = self._stream = None
        self._sends_soon = False
        self._ending.clear()
        turns.restart()
        if link is not None:
            link.forget()

    async def _open_link(self) -> Link:
        """Open a new link to the peer; raise OSError if that fails; a later call may retry."""
        given, self._stream = self._stream, None
        stream = None if given is None else transport_of(given)
        if stream is None or stream.is_closing():
            raise OSError("the stream that it was given is lost or closed")
        link = StreamLink(self.options.response_timeout)
        link.adopt(stream)
        return link

    async def connect(self) -> None:
        """Open the link unless it is open. Raises `ConnectionLostError` if that fails."""
        link = self._turns.link
        if link is None or link.loop is not get_running_loop():
            await self._open(None, None)

    async def aclose(self) -> None:
        """Close the link. Waiting calls raise `ConnectionLostError`; the next call reconnects."""
        attempt = self._turns.close()
        if attempt is not None:
            attempt.work.cancel()
        stream, self._stream = self._stream, None
        if stream is not None:
            transport_of(stream).abort()
        loop = get_running_loop()
        ending = [each for each in self._ending if each.get_loop() is loop]
        if ending:
            await asyncio.wait(ending, timeout=self.options.response_timeout)
            self._ending.difference_update(ending)
        else:
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        """Send `request` and return its response; see `AsyncCalls`.

        The timeout starts when the request is sent. Before that, the call may wait for a free line
        and for a new link. Raises `ConnectionLostError` too.
        """
        turns = self._turns
        former: Exchange[ResponseT] | None = None
        while True:
            link = turns.link
            if link is None or link.loop is not get_running_loop():
                try:
                    await self._open(unit, timeout)
                except ConnectionLostError as error:
                    raise self._named(error, unit, request) from error.__cause__
                now = monotonic()
            else:
                now = monotonic()
                if link.is_blind and turns.needs_look(request, now) and link.has_news():
                    await link.look()
                    now = monotonic()
            begun = turns.begin(request, unit, timeout, now, asyncio.current_task(), former)
            if begun is None:
                continue
            exchange: Exchange[ResponseT] = begun
            link = turns.link
            until: float | None = exchange.deadline
            try:
                if turns.receiver is not exchange and link is not None and not self._sends_soon:
                    # Send the requests of all tasks that run in this pass of the loop together.
                    self._sends_soon = True
                    link.loop.call_soon(self._send)
                while link is not None and until is not None:
                    found = None
                    if turns.receiver is exchange:
                        await link.wait(until, now)
                        found = link.take()
                    else:
                        waiter = turns.waiting[exchange] = link.loop.create_future()
                        await waiter
                    now = monotonic()
                    until = turns.step(exchange, now, link, found)
            except BaseException as error:
                self._interrupted(exchange, error)
                raise
            if exchange.error is None:
                return exchange.response
            try:
                if not turns.may_repeat(exchange):
                    return exchange.result()
                former = exchange
            finally:
                # Without this, the error, its traceback and this frame keep each other alive.
                del begun, exchange

    def _send(self) -> None:
        """Send what waits, and let the task that receives wait for the new deadlines."""
        self._sends_soon = False
        turns = self._turns
        turns.send(monotonic())
        deadline = turns.protocol.deadline()
        if turns.link is not None and deadline is not None:
            turns.link.hasten(deadline)

    def _interrupted(self, exchange: Exchange[Any], error: BaseException) -> None:
        """Handle a caller that was cancelled, or that failed with the link in an unknown state."""
        if isinstance(error, Exception):
            self._turns.break_off(exchange)
        else:
            self._turns.give_up(exchange, monotonic())
        self._send()

    def _discard(self, link: Link) -> None:
        if link.loop.is_closed():
            link.abandon()
            return
        if not link.closed.done():
            self._wait_for(link.closed)
        link.close()

    def _wait_for(self, future: asyncio.Future[Any]) -> None:
        self._ending.add(future)
        future.add_done_callback(self._ending.discard)

    # Opening the link.

    async def _open(self, unit: int | None, timeout: float | None) -> None:
        """Open the link for all waiting callers, which share a failure.

        A task of its own opens it: if a caller is cancelled, the others continue to wait. If no
        caller is left, the task is cancelled.
        """
        turns, loop = self._turns, get_running_loop()
        if turns.link is not None:
            self._leave_loop(turns.link.loop)
        attempt = turns.opening.attempt
        if attempt is not None and attempt.work.get_loop() is not loop:
            self._leave_loop(attempt.work.get_loop())
            attempt = None
        if attempt is None or attempt.work.done():  # it was cancelled with all tasks
            pause = turns.pause(monotonic(), unit, timeout)
            from logging import getLogger  # takes longer to import than all of modwire

            turns.log.start(getLogger)
            attempt = Attempt()
            attempt.work = loop.create_task(self._try_to_open(attempt, pause))
            turns.opening.attempt = attempt
            self._wait_for(attempt.work)
        attempt.waiting += 1
        try:
            await asyncio.wait([attempt.work])
        finally:
            if turns.opening.leave(attempt):
                attempt.work.cancel()
        turns.opening.check(attempt)

    def _leave_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop the link of an earlier loop; raise RuntimeError if that still runs."""
        if not loop.is_closed():
            raise RuntimeError(
                f"{self.name}: the link was opened in another loop, which is not closed; each loop "
                "needs a client of its own"
            )
        self._turns.waiting.clear()
        self._turns.close()
        self._sends_soon = False
        self._ending.clear()

    async def _try_to_open(self, attempt: Attempt, pause: float) -> None:
        opening, link = self._turns.opening, None
        try:
            if pause:
                await asyncio.sleep(pause)
            link = await self._open_link()
            if opening.ended(attempt, None, monotonic()):
                self._turns.opened(link, monotonic())
            else:
                self._discard(link)
        except BaseException as error:
            if link is not None:
                self._discard(link)
            if not isinstance(error, Exception):
                clear_frames(error.__traceback__)  # they may keep a port open, and so locked
                raise
            opening.ended(attempt, error, monotonic())  # it is raised in the callers


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
