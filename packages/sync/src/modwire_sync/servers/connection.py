"""`TcpConnection`: one peer of a `TcpServer`, from accepting it to closing it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from modwire.server.connection import FAILED, PEER_CLOSED, Next

from .poller import GONE, HUNG_UP, READ, WRITE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from modwire import Response
    from modwire.server.connection import Connection, Connections

    from .loop import Loop


class TcpConnection:
    """A connection on a socket that does not block; it does what the core decides."""

    def __init__(
        self,
        loop: Loop,
        connections: Connections[TcpConnection],
        accepted: socket.socket,
        core: Connection,
    ) -> None:
        self.core = core
        self.fd = accepted.fileno()
        self.is_open = True
        self._loop = loop
        self._connections = connections
        self._socket = accepted
        self._receive = accepted.recv
        self._send = accepted.send
        self._watched = READ
        self._withdraw: Callable[[], None] | None = None
        connections.add(self)
        loop.watch(self.fd, self.on_ready)
        if core.is_greedy:
            loop.rounds.greedy.add(self.fd)
        self._schedule()

    @property
    def heard(self) -> float:
        """Time when bytes last came from the peer (seconds, monotonic)."""
        return self.core.heard

    @property
    def is_busy(self) -> bool:
        """True while a call of the peer is being executed."""
        return self.core.is_busy

    def on_ready(self, mask: int, now: float) -> None:
        """Read, execute and answer; the loop calls it when the socket is ready."""
        if mask != READ and not self._is_to_be_read(mask):
            return
        try:
            data = self._receive(self.core.turn)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(str(error))
            return
        if not data:
            self.close(PEER_CLOSED)
            return
        core = self.core
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s sent %s", core.protocol.peer, data.hex(" "))
        try:
            is_plain = core.receive_data(data, now)
        except Exception as error:  # noqa: BLE001 - a bug in a unit must not stop the server
            self._fail(error)
            return
        if core.is_greedy:
            self._loop.rounds.greedy.add(self.fd)
        if (core.unsent and not self._send_unsent()) or not is_plain:
            self._go_on()

    def _is_to_be_read(self, mask: int) -> bool:
        if mask & WRITE:
            self._go_on()
        if mask & HUNG_UP and self._withdraw is not None:
            # The peer has most likely gone. If it only ended its sending, it gets exception 06.
            self._withdraw()
            self._withdraw = None
            self.core.hung_up()
            self._watch(self.core.next())
        if mask & GONE and not self._watched & READ:
            # The peer cannot receive the answers that are still to come.
            self.close("the peer is gone")
        return self.is_open and bool(self._watched & READ) and bool(mask & (READ | GONE))

    def _go_on(self) -> None:
        """Do all next steps that need no waiting."""
        core = self.core
        if core.unsent and not self._send_unsent() and not self.is_open:
            return
        following = core.next()
        while following is Next.EXECUTE:
            try:
                self._execute()
            except Exception as error:  # noqa: BLE001 - a bug in a unit must not stop the server
                self._fail(error)
                return
            following = core.next()
        if following is Next.CLOSE:
            self.close(core.reason)
        elif following is not Next.READ or self._watched != READ:
            self._watch(following)
        if core.has_deadlines:
            self._schedule()

    def _send_unsent(self) -> bool:
        """Send as much as the socket takes; True if nothing is left."""
        core = self.core
        data = core.unsent
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s gets %s", core.protocol.peer, data.hex(" "))
        try:
            sent = self._send(data)
        except BlockingIOError:
            return False
        except OSError as error:
            self.close(str(error))
            return False
        core.unsent = data[sent:]
        return not core.unsent

    def _execute(self) -> None:
        core = self.core
        call = core.take_call()
        if call is None:
            return

        def done(response: Response | None) -> None:
            self._withdraw = None
            if self.is_open:
                core.finish(call, response, monotonic())
                self._go_on()

        self._withdraw = self._loop.workers.submit(core.protocol, call, core.units, done)

    def _watch(self, following: Next) -> None:
        """Watch the socket for the event that the next step needs."""
        wanted = {Next.READ: READ, Next.SEND: WRITE}.get(following, 0)
        if self._withdraw is not None:
            wanted |= HUNG_UP
        if wanted != self._watched and self.is_open:
            self._watched = wanted
            self._loop.watch_for(self.fd, wanted)

    def _schedule(self) -> None:
        deadline = self.core.deadline()
        if deadline is not None and self.is_open:
            self._loop.agenda.call_at(deadline, self)

    def handle_deadline(self, now: float) -> None:
        """Do what is due at `now`, if anything is; the loop may call too early."""
        if not self.is_open:
            return
        deadline = self.core.deadline()
        if deadline is not None and deadline <= now:
            try:
                self.core.handle_timeout(now)
            except Exception as error:  # noqa: BLE001 - a bug in a unit must not stop the server
                self._fail(error)
                return
            self._go_on()
        else:
            self._schedule()

    def stop(self) -> None:
        """Accept no more requests; close when all running calls are answered."""
        self.core.stop()
        self._go_on()

    def _fail(self, error: BaseException) -> None:
        self._loop.logger.error("%s ends: an error that is no peer's", self.core, exc_info=error)
        self.close(FAILED)

    def close(self, reason: str) -> None:
        """Close the connection at once; `reason` is for the log."""
        if self.is_open:
            self.is_open = False
            self._loop.unwatch(self.fd)
            self._loop.agenda.forget(self)
            self._connections.forget(self)
            self._socket.close()
            if self._withdraw is not None:
                self._withdraw()
            self.core.ended(reason, self._loop.logger)
