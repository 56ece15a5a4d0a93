"""`Client`: the base of all trio clients: their calls, and the link that the calls share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import trio
from trio import CancelScope, current_time
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    current_trio_token,
    enable_ki_protection,
    in_trio_run,
    reschedule,
    wait_task_rescheduled,
)

from modwire.client.opening import CLOSED
from modwire.client.streams import StreamClientBase
from modwire.client.turns import Turns
from modwire.errors import ConnectionLostError
from modwire.forks import forget_after_fork
from modwire.messages.base import Response

from .links import Link, StreamLink

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from trio.lowlevel import RaiseCancelT
    from typing_extensions import Self

    from modwire import ClientOptions, Exchange, Framing, Request

    AnyExchange: TypeAlias = Exchange[Any]

ResponseT = TypeVar("ResponseT", bound=Response)


class Client(StreamClientBase[trio.abc.Stream], trio.abc.AsyncResource):
    """A Modbus client for trio, on any stream; any number of tasks may call its methods.

    The stream is a memory stream, TLS or a proxy's stream, for example.

    `ClientBase` describes when the link is opened, and when a request is repeated.

    A call may be cancelled wherever it waits: other calls are not affected, and its late answer
    is never returned to another call. The link is closed only if a part of the request was sent.
    After a fork, the new process opens its own link, in a `trio.run` of its own; each further
    `trio.run` opens a new one, too.
    """

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._discarded: list[Link] = []  # a caller closes them, because that may wait
        self._turns: Turns[Link, Task] = Turns(
            name, framing, options, wake=reschedule, discard=self._discard
        )
        self._sender: AnyExchange | None = None  # its caller sends for all
        self._attempt = CancelScope()  # of the task that opens a link
        self._opening = trio.Lock()  # held while a link is being opened, or is in `look`
        self._run: trio.lowlevel.TrioToken | None = None  # the one that the link is used in
        forget_after_fork(self, Client._forget, getattr(os, "register_at_fork", None))

    def _forget(self) -> None:
        """Forget the link after a fork: it is that of the other process."""
        turns = self._turns
        link, turns.link = turns.link, None
        if not in_trio_run():
            turns.waiting.clear()  # the loop of the tasks that wait is not in this process
        self._opening, self._sender, self._stream = trio.Lock(), None, None
        self._discarded.clear()
        turns.restart()
        if link is not None:
            link.forget()

    def _enter(self, run: trio.lowlevel.TrioToken) -> None:
        """Drop the link and all times of an earlier `trio.run`, which had another clock."""
        earlier, self._run = self._run, run
        if earlier is None:
            return
        turns = self._turns
        is_owed = bool(turns.protocol.opened or turns.protocol.late.units)
        turns.waiting.clear()
        self._opening, self._sender = trio.Lock(), None
        turns.close()
        turns.restart()
        late = turns.protocol.late
        late.units.clear()
        if is_owed and not turns.protocol.has_transactions:
            late.rest(current_time() + self.options.response_timeout)

    async def _open_link(self) -> Link:
        """Open a new link to the peer; raise OSError if that fails; a later call may retry."""
        stream, self._stream = self._stream, None
        if stream is None:
            raise self._turns.no_link("the stream that it was given is lost or closed")
        return StreamLink(stream)

    @enable_ki_protection
    async def connect(self) -> None:
        """Open the link unless it is open. Raises `ConnectionLostError` if that fails."""
        await checkpoint()
        if self._run is not (run := current_trio_token()):
            self._enter(run)
        if self._turns.link is None:
            await self._prepare(None, None, None)

    @enable_ki_protection
    async def aclose(self) -> None:
        """Close the link. Waiting calls raise `ConnectionLostError`; the next call reconnects."""
        if self._run is not (run := current_trio_token()):
            self._enter(run)
        link = self._turns.link
        self._turns.close()
        self._attempt.cancel()
        stream, self._stream = self._stream, None
        with trio.move_on_after(self.options.response_timeout):
            if link in self._discarded:
                self._discarded.remove(link)
                await link.close()
            elif stream is not None:
                await stream.aclose()
        await checkpoint()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    @enable_ki_protection
    async def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a timeout of devices, not of tasks
    ) -> ResponseT:
        """Send `request` and return its response; see `AsyncCalls`.

        The timeout starts when the request is sent. Before that, the call may wait for a free line
        and for a new link. Raises `ConnectionLostError` too.
        """
        await checkpoint_if_cancelled()
        if self._run is not (run := current_trio_token()):
            self._enter(run)
        turns = self._turns
        former: Exchange[ResponseT] | None = None
        while True:
            now = current_time()
            link = turns.link
            if not link or self._opening.locked() or (link.is_blind and self._looks(request, now)):
                await self._prepare_for(request, unit, timeout)
                now = current_time()
            begun = turns.begin(request, unit, timeout, now, None, former)
            if begun is None:
                continue
            exchange: Exchange[ResponseT] = begun
            link = turns.link
            try:
                if link is None:  # it was lost while the request was sent
                    until = turns.step(exchange, now)
                    await cancel_shielded_checkpoint()
                elif turns.receiver is exchange:
                    until = exchange.deadline
                else:
                    until = await self._join(exchange)
                while until is not None and link is not None:
                    found: bytes | OSError | None = None
                    if link.is_sending and self._sender is None:
                        await self._flush(exchange, link)
                    elif turns.receiver is exchange:
                        found = await link.receive(until)
                    else:
                        link.hasten(until)
                        await self._sleep(exchange)
                    until = turns.step(exchange, current_time(), link, found)
            except BaseException as error:
                self._interrupted(exchange, error)
                raise
            finally:
                if self._discarded:
                    await self._close_discarded()
            if exchange.error is None:
                return exchange.response
            try:
                if not turns.may_repeat(exchange):
                    return exchange.result()
                former = exchange
            finally:
                del begun, exchange  # breaks the cycle of the error, its traceback and this frame

    async def _join(self, exchange: AnyExchange) -> float | None:
        """Send a request on a link that is in use, or wait for the caller that sends for all."""
        if self._sender is not None:
            await self._sleep(exchange)
        else:
            # All callers that run in this pass of the loop can add their requests: sending them
            # together takes less time than sending each.
            self._sender = exchange
            await checkpoint()
            self._sender = None
        return self._turns.step(exchange, current_time())

    async def _flush(self, exchange: AnyExchange, link: Link) -> None:
        """Wait until the link has sent its unsent bytes; meanwhile another caller receives."""
        turns = self._turns
        self._sender = exchange
        turns.leave(exchange)
        seconds = self.options.response_timeout
        error: OSError | None = OSError(f"could not send within {seconds:g} s")
        with CancelScope(deadline=current_time() + seconds):
            error = await link.flush()
        if error is not None and link is turns.link:
            turns.lost(error, current_time())
        self._stop_sending(exchange)

    async def _sleep(self, exchange: AnyExchange) -> None:
        """Sleep until `exchange` is done, or its caller has to receive or send for all."""
        waiting = self._turns.waiting

        def abort(_: RaiseCancelT) -> Abort:
            del waiting[exchange]
            return Abort.SUCCEEDED

        waiting[exchange] = current_task()
        await wait_task_rescheduled(abort)

    def _stop_sending(self, exchange: AnyExchange) -> None:
        """Send the requests that others have added; without room, another caller must flush."""
        if self._sender is exchange:
            self._sender = None
        turns = self._turns
        turns.send(current_time())
        link = turns.link
        if link is None:
            return
        deadline = turns.protocol.deadline()
        if deadline is not None:
            link.hasten(deadline)
        if exchange.done and link.is_sending and self._sender is None:
            turns.waiting.wake_all()
            link.hasten(current_time())

    def _interrupted(self, exchange: AnyExchange, error: BaseException) -> None:
        """Handle a caller that was cancelled, or that failed with the link in an unknown state."""
        if isinstance(error, Exception):
            self._turns.break_off(exchange)
        else:
            self._turns.give_up(exchange, current_time())
        self._stop_sending(exchange)

    def _discard(self, link: Link) -> None:
        if not link.cut():
            self._discarded.append(link)

    async def _close_discarded(self) -> None:
        with CancelScope(shield=True) as scope:
            scope.cancel()  # do not wait: the link is not used any more
            while self._discarded:
                await self._discarded.pop().close()

    async def _prepare_for(
        self, request: Request[Any], unit: int | None, seconds: float | None
    ) -> None:
        """Prepare the link for a call, which its error names."""
        try:
            await self._prepare(request, unit, seconds)
        except ConnectionLostError as error:
            raise self._named(error, unit, request) from error.__cause__

    async def _prepare(
        self, request: Request[Any] | None, unit: int | None, seconds: float | None
    ) -> None:
        """Open the link, or let it look for received bytes, for all callers that wait for this.

        They continue in their order. If the link cannot be opened, all get the same error.
        """
        turns = self._turns
        failures, closings = turns.opening.failures, turns.opening.closings
        async with self._opening:
            if self._discarded:
                await self._close_discarded()
            link = turns.link
            if link is None:
                if turns.opening.failures != failures:
                    raise turns.no_link()
                if turns.opening.closings != closings:
                    raise turns.no_link(CLOSED)
                with CancelScope() as self._attempt:
                    await self._open(unit, seconds)
                if turns.opening.closings != closings:
                    raise turns.no_link(CLOSED)
            elif link.is_blind and self._looks(request, current_time()):
                await link.look()

    def _looks(self, request: Request[Any] | None, now: float) -> bool:
        """True if no caller uses the link, and received bytes must be read before a request."""
        return self._sender is None and self._turns.needs_look(request, now)

    async def _open(self, unit: int | None, seconds: float | None) -> None:
        closings = self._turns.opening.closings
        await checkpoint()  # a link that always fails at once must not block other tasks
        turns = self._turns
        pause = turns.pause(current_time(), unit, seconds)
        if pause:
            await trio.sleep(pause)
        from logging import getLogger  # takes longer to import than all of modwire

        turns.log.start(getLogger)
        try:
            link = await self._open_link()
        except ConnectionLostError:
            raise
        except (OSError, ValueError, OverflowError) as error:  # the host name may be invalid
            raise turns.open_failed(error, current_time()) from error
        if turns.opening.closings == closings:
            turns.opened(link, current_time())
        else:
            self._discard(link)
