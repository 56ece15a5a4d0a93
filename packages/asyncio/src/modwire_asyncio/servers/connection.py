"""`TcpConnection`: one peer of a `TcpServer`, from accepting it to closing it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from modwire.server.connection import FAILED, PEER_CLOSED, SERVER_CLOSED, Next
from modwire_sync.sockets import has_ended

from .base import DEBUG

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from modwire import Call
    from modwire.logger import Logger
    from modwire.server.connection import Connection

    from .workers import Workers

_LOOKING_INTERVAL = 0.25  # seconds between looks for a hang-up while calls are queued


class Host(NamedTuple):
    """The parts of a server that its connections use.

    `spawn` runs a task, `let_wait` lets a connection read again after the others, and `forget`
    forgets one that was closed.
    """

    log: Logger
    wire: Logger
    workers: Workers
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    let_wait: Callable[[TcpConnection], None]
    forget: Callable[[TcpConnection], None]


class TcpConnection(asyncio.BufferedProtocol):
    """A peer of the server `host` on a transport, which does what `core` decides."""

    __slots__ = (
        "_accepted", "_at", "_buffer", "_has_turn", "_host", "_is_full", "_is_reading",
        "_is_traced", "_looking", "_loop", "_timer", "_transport", "_write", "closed", "core",
        "is_open",
    )  # fmt: skip

    def __init__(self, host: Host, core: Connection, accepted: socket.socket) -> None:
        self.core = core
        self.is_open = True
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._host = host
        self._accepted = accepted
        self._is_traced = host.wire.isEnabledFor
        self._transport: Any = None
        self._buffer = memoryview(bytearray(core.turn))
        self._is_reading = self._has_turn = True
        self._is_full = False  # True while answers wait for room in the system's buffer
        self._looking: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._at = float("inf")  # when the timer rings

    @property
    def heard(self) -> float:
        """Arrival time of the last request of the peer (seconds, monotonic)."""
        return self.core.heard

    @property
    def is_busy(self) -> bool:
        """True while a call of the peer is being executed."""
        return self.core.is_busy

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._write = self._transport.write
        if not self.is_open:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(0)
        self._end_turn()  # one whose first turn will be large comes after the others

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self.is_open:
            return
        core = self.core
        data = self._buffer[:nbytes].tobytes()
        is_traced = self._is_traced(DEBUG)
        if is_traced:
            self._host.wire.debug("%s sent %s", core.protocol.peer, data.hex(" "))
        try:
            is_plain = core.receive_data(data, monotonic())
            if core.unsent:
                self._send(is_traced)
            if not is_plain:
                self._end_turn()
        except Exception as error:  # noqa: BLE001 - it ends only this connection
            self._fail(error)

    def _end_turn(self) -> None:
        core = self.core
        if core.turn != len(self._buffer):
            self._buffer = memoryview(bytearray(core.turn))
        if core.is_greedy:
            self._has_turn = False
            self._host.let_wait(self)
        self._go_on()

    def eof_received(self) -> None:
        self.close(PEER_CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(PEER_CLOSED if exc is None else str(exc))
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._is_full = True
        self._read(False)

    def resume_writing(self) -> None:
        self._is_full = False
        self._go_on()

    # What the core decides.

    def _send(self, is_traced: bool) -> None:
        core = self.core
        data, core.unsent = core.unsent, b""
        if is_traced:
            self._host.wire.debug("%s gets %s", core.protocol.peer, data.hex(" "))
        self._write(data)

    def _go_on(self) -> None:
        """Send, execute and close as the core decides, until the next step is to read."""
        core = self.core
        while self.is_open and not self._is_full:
            following = core.next()
            if following is Next.SEND:
                self._send(self._is_traced(DEBUG))
            elif following is Next.EXECUTE:
                call = core.take_call()
                if call is not None:
                    self._host.spawn(self.execute(call))
            elif following is Next.READ:
                self._read(self._has_turn)
                break
            elif following is Next.WAIT:
                self._read(False)
                break
            else:
                self.close(core.reason)
        if core.has_deadlines and self.is_open:
            self._schedule()

    def _read(self, is_reading: bool) -> None:
        if self.is_open and is_reading is not self._is_reading:
            self._is_reading = is_reading
            if is_reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def take_turn(self) -> None:
        """Read again, after other connections have had their turns."""
        self._has_turn = True
        if not self._is_full and self.core.call is None:
            self._read(True)

    async def execute(self, call: Call) -> None:
        """Execute a call to a unit that waits, and answer it."""
        core = self.core
        if core.is_queued(call):
            self._look_later()
        response = None
        try:
            response = await self._host.workers.execute(core.protocol, call, core.units)
        except Exception as error:  # noqa: BLE001 - it ends only this connection
            self._fail(error)
        finally:
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None
        if self.is_open:
            core.finish(call, response, monotonic())
            self._go_on()

    def _look_later(self) -> None:
        self._looking = self._loop.call_later(_LOOKING_INTERVAL, self._look)

    def _look(self) -> None:
        """Withdraw what waits if the peer has hung up, perhaps behind unread bytes."""
        if not self.is_open:
            return
        # The peer is most likely gone; one that has only ended its sending gets exception 06.
        if has_ended(self._accepted):
            self.core.hung_up()
            self._host.workers.hung_up(self.core.protocol.executor.client)
        else:
            self._look_later()

    # Time.

    def _schedule(self) -> None:
        """Set the timer to the deadline, if it rings later or not at all."""
        due = self.core.deadline()
        if due is not None and due < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._at = due
            self._timer = self._loop.call_later(max(due - monotonic(), 0.0), self._ring)

    def _ring(self) -> None:
        self._timer, self._at = None, float("inf")
        if not self.is_open:
            return
        due = self.core.deadline()
        if due is not None and due <= (now := monotonic()):
            self.core.handle_timeout(now)
            if self.core.reason and self._is_full:
                self.close(self.core.reason)  # a peer that takes no answers is idle
        self._go_on()
        if self.is_open:
            self._schedule()

    # The end.

    def stop(self) -> None:
        """Accept no more requests; close after the answers to all running calls."""
        self.core.stop()
        self._go_on()

    def close(self, reason: str) -> None:
        """Close the connection at once."""
        if not self.is_open:
            return
        self.is_open = False
        for each in filter(None, (self._timer, self._looking)):
            each.cancel()
        self._host.forget(self)
        self.core.ended(reason, self._host.log)
        if self._transport is None:
            return  # `connection_made` closes it
        if reason in (PEER_CLOSED, SERVER_CLOSED) or self._is_full:
            self._transport.abort()
        else:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self.is_open:
            text = "%s ends: an error that is no peer's"
            self._host.log.error(text, self.core, exc_info=error)
            self.close(FAILED)
