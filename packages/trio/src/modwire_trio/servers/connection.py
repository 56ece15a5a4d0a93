"""`Connection`: one peer of a server, from accepting it to closing it, in a task of its own."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from .hanging_up import has_ended, watcher
from .service import DEBUG, logger, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire import Call, Response, ServerProtocol

    from .readers import Readers
    from .service import Service

# All requests of one piece are answered before the next is read, so its size bounds what a peer
# that never reads can make the server keep: 340 answers of 260 bytes, 90 kB.
_RECEIVE_SIZE = 4096
_NEVER = float("inf")
_LOOKING_INTERVAL = 0.25  # seconds, where bytes stand before the end that is waited for
_CLOSING_TIME = 1.0  # seconds that closing a stream may take; TLS says goodbye

_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class Connection:
    """A peer's requests come in and their answers go out, in order.

    Reading pauses while a call to a unit that blocks is out, and while answers are unsent.
    `heard` is when bytes last came. Subclasses know the link.
    """

    __slots__ = (
        "_call",
        "_calling",
        "_has_deadlines",
        "_scope",
        "_service",
        "_unsent",
        "heard",
        "is_closing",
        "is_open",
        "peer",
        "protocol",
    )

    def __init__(self, service: Service, protocol: ServerProtocol) -> None:
        self.protocol = protocol
        self.peer = protocol.peer
        self.heard = trio.current_time()
        self.is_open = True
        self.is_closing = False
        self._service = service
        self._call: Call | None = None
        self._calling: trio.CancelScope | None = None
        self._unsent = b""
        self._scope = trio.CancelScope()
        self._has_deadlines = (
            protocol.options.idle_timeout is not None or protocol.framing.needs_silence
        )
        protocol.opened(self.heard)

    @property
    def is_busy(self) -> bool:
        """Whether a call of the peer is being executed."""
        return self._call is not None

    async def serve(self) -> None:
        """Serve the peer until either side has enough; errors end the connection only."""
        watcher.set(self._wait_for_end)
        logger.debug("%s is open", self)
        try:
            while self.is_open:
                await self._take()
                await self._finish_calls()
        except Exception as error:  # noqa: BLE001 - a bug in a unit must not end the server
            logger.error("%s ends: an error that is no peer's", self, exc_info=error)
            self.close("an error in this server")
        finally:
            self.close("the server is closed")

    async def _take(self) -> None:
        """Answer requests until something else is to be done, or due."""
        protocol = self.protocol
        due = protocol.deadline() if self._has_deadlines else None
        self._scope = trio.CancelScope(deadline=_NEVER if due is None else due)
        with self._scope as scope:
            await self._converse()
        if not scope.cancelled_caught or not self.is_open:
            return
        protocol.handle_timeout(trio.current_time())
        if protocol.closed:
            self.close("it was idle too long")
        else:
            self._unsent = protocol.answer_all(self._service.units)
            self._tell_answers()

    async def _converse(self) -> None:
        """Read and answer while nothing has to be waited for but bytes."""
        raise NotImplementedError

    def _respond(self, data: bytes) -> bytes:
        """The answers to what has just been received."""
        now = trio.current_time()
        self.heard = now
        answers = self.protocol.respond(data, now, self._service.units)
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s sent %s", self.peer, data.hex(" "))
            if answers:
                wire.debug("%s gets %s", self.peer, answers.hex(" "))
        return answers

    def _reschedule(self) -> None:
        """Wake up in time for what the protocol waits for; a little early does no harm."""
        due = self.protocol.deadline()
        if due is not None and due < self._scope.deadline:
            self._scope.deadline = due

    def _tell_answers(self) -> None:
        if self._unsent and wire.isEnabledFor(DEBUG):
            wire.debug("%s gets %s", self.peer, self._unsent.hex(" "))

    async def _finish_calls(self) -> None:
        """Send what is unsent, and execute the calls to units that block, one by one."""
        while self.is_open:
            if self._unsent:
                await self._flush_in_time()
            if self.is_closing:
                self.close("the server shuts down")
            elif self.protocol.closed:
                self.close(self.protocol.closing_reason)
            elif self.protocol.has_call:
                await self._execute()
            else:
                return

    async def _execute(self) -> None:
        protocol, service = self.protocol, self._service
        call = protocol.next_call()
        if call is None:
            return
        self._call = call
        watching = trio.CancelScope()
        if protocol.is_queued(call, service.units):
            service.start(partial(self._watch_for_end, watching))
        response: Response | None = None
        try:
            with trio.CancelScope() as self._calling:
                response = await service.execute(protocol, call)
        finally:
            self._call = self._calling = None
            watching.cancel()
        if not self.is_open:
            return
        self.heard = trio.current_time()
        protocol.connected(self.heard)
        self._unsent = protocol.answer(call, response)
        if not self.is_closing:
            self._unsent += protocol.answer_all(service.units)
        self._tell_answers()

    async def _watch_for_end(self, scope: trio.CancelScope) -> None:
        """Tell the units if the peer hangs up before `scope` is cancelled."""

    async def _wait_for_end(self) -> None:
        """Wait until the peer hangs up while a call is executed; for ever where none can tell."""
        await trio.sleep_forever()

    async def _flush_in_time(self) -> None:
        """Send what is unsent; a peer that does not take it is idle."""
        idle = self.protocol.options.idle_timeout
        with trio.CancelScope(deadline=_NEVER if idle is None else self.heard + idle) as scope:
            try:
                await self._flush()
            except _BROKEN as error:
                self.close(str(error))
        if scope.cancelled_caught:
            self.close("it was idle too long")

    async def _flush(self) -> None:
        """Send what is unsent."""
        raise NotImplementedError

    def close_when_done(self) -> None:
        """Take no more requests; close when the answers to those being executed are sent."""
        self.is_closing = True
        if self._call is None and not self._unsent:
            self.close("the server shuts down")

    def close(self, reason: str) -> None:
        """Close it at once; its task ends as soon as it gets to run."""
        if self.is_open:
            self.is_open = False
            self._close()
            self.protocol.ended()
            logger.debug("%s closed: %s", self, reason)

    def _close(self) -> None:
        """Close the link, or make the task do so."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"connection of {self.peer}"


class SocketConnection(Connection):
    """A peer on a stream socket, which the connection owns and which does not block.

    `readers` wait for it, where there are any. `forget` is called with the connection when it is
    closed.
    """

    __slots__ = ("_forget", "_number", "_readers", "_socket")

    def __init__(
        self,
        service: Service,
        protocol: ServerProtocol,
        accepted: socket.socket,
        readers: Readers | None,
        forget: Callable[[SocketConnection], object],
    ) -> None:
        super().__init__(service, protocol)
        self._socket = accepted
        self._number = accepted.fileno()
        self._readers = readers
        self._forget = forget

    async def _converse(self) -> None:
        if self._readers is not None:
            await self._readers.wait(self._number, self._on_readable)
            return
        goes_on = True
        while goes_on:
            # Waiting in each round lets others have their turn, however much this peer sends.
            try:
                await wait_readable(self._number)
            except trio.ClosedResourceError:
                return
            goes_on = self._on_readable()

    def _on_readable(self) -> bool:
        """Read once and answer; False if there is more to do than that, or it is closed."""
        try:
            data = self._socket.recv(_RECEIVE_SIZE)
        except BlockingIOError:
            return True
        except OSError as error:
            self.close(str(error))
            return False
        if not data:
            self.close("the peer has closed it")
            return False
        answers = self._respond(data)
        if answers:
            try:
                sent = self._socket.send(answers)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.close(str(error))
                return False
            if sent != len(answers):
                self._unsent = answers[sent:]
                return False
        protocol = self.protocol
        if protocol.closed or protocol.has_call:
            return False
        if self._has_deadlines:
            self._reschedule()
        return True

    async def _watch_for_end(self, scope: trio.CancelScope) -> None:
        if not self.is_open:
            return  # the number may be another's by now
        with scope, suppress(*_BROKEN):
            await wait_readable(self._number)
            # Most likely it waits no longer. If it only sends no more, it hears that it was queued.
            if has_ended(self._socket):
                self._service.units.hung_up(self.protocol.asker)

    async def _wait_for_end(self) -> None:
        with suppress(OSError, trio.ClosedResourceError):
            if self.is_open:
                await wait_readable(self._number)
            while self.is_open and not has_ended(self._socket):  # noqa: ASYNC110 - none tells
                await trio.sleep(_LOOKING_INTERVAL)

    def closes_if_left(self) -> bool:
        """Close it if its peer has hung up while a unit is awaited, whose call is cancelled then.

        Calls in threads cannot be, and go on.
        """
        call, calling, protocol = self._call, self._calling, self.protocol
        if call is None or calling is None or call.broadcast or not self.is_open:
            return False
        unit = protocol.find(call.unit, self._service.units)
        if unit is None or not unit.is_async or not has_ended(self._socket):
            return False
        self.close("the peer has closed it")
        calling.cancel()
        return True

    async def _flush(self) -> None:
        while self._unsent:
            with suppress(BlockingIOError):
                sent = self._socket.send(self._unsent)
                self._unsent = self._unsent[sent:]
            if self._unsent:
                await wait_writable(self._socket)

    def _close(self) -> None:
        self._forget(self)
        if self._readers is not None:
            self._readers.wake(self._number)
        notify_closing(self._socket)
        self._socket.close()


class StreamConnection(Connection):
    """A peer on any stream of trio's, which the connection owns."""

    __slots__ = ("_stream",)

    def __init__(self, service: Service, protocol: ServerProtocol, stream: trio.abc.Stream) -> None:
        super().__init__(service, protocol)
        self._stream = stream

    async def serve(self) -> None:
        try:
            await super().serve()
        finally:
            with trio.move_on_after(_CLOSING_TIME), suppress(*_BROKEN):
                await self._stream.aclose()

    async def _converse(self) -> None:
        try:
            data = await self._stream.receive_some(_RECEIVE_SIZE)
        except _BROKEN as error:
            self.close(str(error))
            return
        if not self.is_open:
            return  # no new request is taken
        if not data:
            self.close("the peer has closed it")
            return
        # Cancelling `send_all` would lose what was not sent, so it is not under this deadline.
        self._unsent = self._respond(bytes(data))

    async def _flush(self) -> None:
        await self._stream.send_all(self._unsent)
        self._unsent = b""

    def _close(self) -> None:
        self._scope.cancel()
