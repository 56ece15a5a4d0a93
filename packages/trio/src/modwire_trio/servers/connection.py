"""`PeerTask`: one peer of a server, from accepting it to closing it, in a task of its own."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio import CancelScope, current_time
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from modwire.server.connection import (
    FAILED,
    PEER_CLOSED,
    SERVER_CLOSED,
    Connection,
    Connections,
    Next,
)
from modwire.units.unit import Waits
from modwire_sync.sockets import has_ended

from .hanging_up import watcher
from .service import DEBUG, wire

if TYPE_CHECKING:
    from modwire import Response

    from .readers import Readers
    from .service import Server

_NEVER = float("inf")
_LOOKING_INTERVAL = 0.25  # seconds between looks for a hang-up behind unread bytes

BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class PeerTask:
    """The task of one peer, which does what the core decides; subclasses add the link."""

    __slots__ = ("_calling", "_scope", "_server", "core", "is_open")

    def __init__(self, server: Server, core: Connection) -> None:
        self.core = core
        self.is_open = True
        self._server = server
        self._calling: CancelScope | None = None
        self._scope = CancelScope()

    @property
    def heard(self) -> float:
        """Time of the last bytes from the peer (seconds, monotonic)."""
        return self.core.heard

    @property
    def is_busy(self) -> bool:
        """True while a call of the peer is being executed."""
        return self.core.is_busy

    async def serve(self) -> None:
        """Serve the peer until either side closes; an error ends only this connection."""
        watcher.set(self.wait_for_end)
        core = self.core
        try:
            while self.is_open:
                following = core.next()
                if following is Next.READ:
                    await self._read_in_time()
                elif following is Next.SEND:
                    await self._send_in_time()
                elif following is Next.EXECUTE:
                    await self._execute()
                else:
                    self.close(core.reason)
        except Exception as error:
            self._server.log.error("%s ends: an error that is no peer's", core, exc_info=error)
            self.close(FAILED)
        finally:
            self.close(SERVER_CLOSED)

    async def _read_in_time(self) -> None:
        core = self.core
        due = core.deadline()
        self._scope = CancelScope(deadline=_NEVER if due is None else due)
        with self._scope as scope:
            await self._read()
        if scope.cancelled_caught and self.is_open:
            core.handle_timeout(current_time())

    async def _read(self) -> None:
        """Read and answer as long as the next step is to read."""
        raise NotImplementedError

    async def _send_in_time(self) -> None:
        """Send the answers; a peer that does not read them counts as idle."""
        core = self.core
        # Not `core.deadline`, as it is unknown how much an interrupted send_all() has sent.
        idle = core.protocol.options.idle_timeout
        with CancelScope(deadline=_NEVER if idle is None else core.heard + idle) as scope:
            try:
                await self._send()
            except BROKEN as error:
                self.close(str(error))
        if scope.cancelled_caught:
            core.handle_timeout(current_time())

    async def _send(self) -> None:
        """Send the unsent answers."""
        raise NotImplementedError

    async def _execute(self) -> None:
        core, server = self.core, self._server
        call = core.take_call()
        if call is None:
            return
        watching = CancelScope()
        if core.is_queued(call):
            server.start(partial(self._watch_for_end, watching))
        response: Response | None = None
        try:
            with CancelScope() as self._calling:
                response = await server.execute(core.protocol, call)
        finally:
            self._calling = None
            watching.cancel()
        if self.is_open:
            core.finish(call, response, current_time())

    async def _watch_for_end(self, scope: CancelScope) -> None:
        """Withdraw a call from a gateway's queue if the peer hangs up before `scope` ends."""
        with scope, suppress(*BROKEN):
            await self.wait_for_end()
            # It has most likely gone. If it has only ended its sending, it gets exception 06.
            self._server.hung_up(self.core)

    async def wait_for_end(self) -> None:
        """Wait until the peer hangs up during a call; for ever if that cannot be detected."""
        await trio.sleep_forever()

    def stop(self) -> None:
        """Accept no more requests; close as soon as all running calls are answered."""
        self.core.stop()
        following = self.core.next()
        if following is Next.CLOSE:
            self.close(self.core.reason)
        elif following is Next.SEND:
            self._scope.cancel()  # the task reads; TLS says goodbye

    def close(self, reason: str) -> None:
        """Close the connection at once; its task ends when it runs next."""
        if self.is_open:
            self.is_open = False
            self._close_link()
            self.core.ended(reason, self._server.log)

    def _close_link(self) -> None:
        """Close the link, or make the task do so."""
        raise NotImplementedError


class SocketConnections(Connections["SocketConnection"]):
    """The connections of a server; to make room, one whose peer has hung up may be closed."""

    def make_room(self, unused_since: float = _NEVER) -> bool:
        return super().make_room(unused_since) or any(each.closes_if_left() for each in self)


class SocketConnection(PeerTask):
    """A peer on a stream socket that does not block; the connection owns the socket.

    `readers` wait for the socket; if they are None, the task of the peer does.
    """

    __slots__ = ("_connections", "_number", "_readers", "_receive", "_send_bytes", "_socket")

    def __init__(
        self,
        server: Server,
        core: Connection,
        accepted: socket.socket,
        readers: Readers | None,
        connections: Connections[SocketConnection],
    ) -> None:
        super().__init__(server, core)
        self._socket = accepted
        self._receive = accepted.recv
        self._send_bytes = accepted.send
        self._number = accepted.fileno()
        self._readers = readers
        self._connections = connections
        connections.add(self)

    async def _read(self) -> None:
        if self._readers is not None:
            if self.core.is_greedy:
                self._readers.rounds.greedy.add(self._number)
            await self._readers.wait(self._number, self._on_readable)
            return
        goes_on = True
        while goes_on:
            # Waiting in each round lets other tasks run, even if this peer floods.
            try:
                await wait_readable(self._number)
            except trio.ClosedResourceError:
                return
            goes_on = self._on_readable(current_time())

    def _on_readable(self, now: float) -> bool:
        """Read once and answer; False if another step follows, or the connection is closed."""
        try:
            data = self._receive(self.core.turn)
        except BlockingIOError:
            return True
        except OSError as error:
            self.close(str(error))
            return False
        if not data:
            self.close(PEER_CLOSED)
            return False
        core = self.core
        is_traced = wire.isEnabledFor(DEBUG)
        if is_traced:
            trace(core, "sent", data)
        is_plain = core.receive_data(data, now)
        if core.is_greedy and self._readers is not None:
            self._readers.rounds.greedy.add(self._number)
        if core.unsent:
            try:
                self._send_some(is_traced)
            except OSError as error:
                self.close(str(error))
                return False
        if is_plain and not core.unsent:
            return True
        if core.next() is not Next.READ:
            return False
        if core.has_deadlines:
            due = core.deadline()
            if due is not None and due < self._scope.deadline:  # waking up early is harmless
                self._scope.deadline = due
        return True

    def _send_some(self, is_traced: bool) -> None:
        core = self.core
        if is_traced:
            trace(core, "gets", core.unsent)
        try:
            core.unsent = core.unsent[self._send_bytes(core.unsent) :]
        except BlockingIOError:
            return  # half a microsecond faster than suppress()

    async def _send(self) -> None:
        while self.core.unsent:
            self._send_some(wire.isEnabledFor(DEBUG))
            if self.core.unsent:
                await wait_writable(self._socket)

    async def wait_for_end(self) -> None:
        with suppress(OSError, trio.ClosedResourceError):
            if self.is_open:  # otherwise the number may belong to another socket
                await wait_readable(self._number)
            while self.is_open and not has_ended(self._socket):  # noqa: ASYNC110 - no event
                await trio.sleep(_LOOKING_INTERVAL)

    def closes_if_left(self) -> bool:
        """Close the connection if its peer has hung up while a unit is awaited; cancel that call.

        Calls in threads cannot be cancelled, so they continue. True if it was closed.
        """
        core, calling = self.core, self._calling
        if core.call is None or calling is None or core.call.broadcast or not self.is_open:
            return False
        waits = core.protocol.executor.waits(core.call, core.units)
        if waits not in (Waits.LOOP, Waits.QUEUE) or not has_ended(self._socket):
            return False
        self.close(PEER_CLOSED)
        calling.cancel()
        return True

    def _close_link(self) -> None:
        self._connections.forget(self)
        if self._readers is not None:
            self._readers.wake(self._number)
        notify_closing(self._socket)
        self._socket.close()


def trace(core: Connection, what: str, data: bytes) -> None:
    """Log bytes of a connection; `what` the peer does with them: "sent" or "gets"."""
    wire.debug("%s %s %s", core.protocol.peer, what, data.hex(" "))
