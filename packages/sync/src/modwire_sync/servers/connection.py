"""`Connection`: one peer of a `TcpServer`, from accepting it to closing it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from modwire import ServerProtocol

from .poller import GONE, HUNG_UP, READ, WRITE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from modwire import Call, Response

    from .connections import Connections

# All requests of one piece are answered before the next is read, so its size bounds what a peer
# that never reads can make the server keep: 340 answers of 260 bytes, 90 kB.
_RECEIVE_SIZE = 4096
_NEVER = float("inf")


class Connection:
    """A peer's requests come in and their answers go out, in order.

    Reading pauses while a call to a unit that blocks is out, and while answers are unsent.
    `heard` is when bytes last came, `due` when its `handle_deadline` will be called.
    """

    __slots__ = (
        "_all",
        "_loop",
        "_receive",
        "_send",
        "_socket",
        "_unsent",
        "_watched",
        "_withdraw",
        "call",
        "closing",
        "due",
        "fd",
        "heard",
        "is_open",
        "peer",
        "protocol",
    )

    def __init__(
        self,
        connections: Connections,
        accepted: socket.socket,
        protocol: ServerProtocol,
        now: float,
    ) -> None:
        self.protocol = protocol
        self.peer = protocol.peer
        self.fd = accepted.fileno()
        self.call: Call | None = None
        self.heard = now
        self.due = _NEVER
        self.is_open = True
        self.closing = False
        self._all = connections
        self._loop = connections.loop
        self._socket = accepted
        self._receive = accepted.recv
        self._send = accepted.send
        self._unsent: bytes | memoryview = b""
        self._watched = READ
        self._withdraw: Callable[[], None] | None = None
        protocol.opened(now)

    @property
    def is_busy(self) -> bool:
        """Whether a call of the peer is being executed."""
        return self.call is not None

    def on_ready(self, mask: int, now: float) -> None:
        """Read, execute and answer; to be called when the socket is ready."""
        if mask != READ and not self._is_to_be_read(mask):
            return
        try:
            data = self._receive(_RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(str(error))
            return
        if not data:
            self.close("the peer has closed it")
            return
        self.heard = now
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s sent %s", self.peer, data.hex(" "))
        protocol = self.protocol
        connections = self._all
        try:
            answers = protocol.respond(data, now, connections.units)
        except Exception as error:  # noqa: BLE001 - a bug in a unit must not end the server
            self._fail(error)
            return
        if answers:
            self._send_now(answers)
        # The most frequent case has nothing more to do.
        if connections.has_deadlines or protocol.closed or protocol.has_call:
            self._go_on()

    def _is_to_be_read(self, mask: int) -> bool:
        if mask & WRITE:
            self._send_rest()
        if mask & HUNG_UP and self._withdraw is not None:
            # Most likely it waits no longer. If it only sends no more, it hears that it was queued.
            self._withdraw()
            self._withdraw = None
            self._watch()
        if mask & GONE and not self._watched & READ:
            # Nobody is there to take the answers that this connection still waits for.
            self.close("the peer is gone")
        return self.is_open and bool(self._watched & READ) and bool(mask & (READ | GONE))

    def _answer(self) -> None:
        """Answer all requests that were received, unless this connection is to be closed."""
        if not self.closing:
            try:
                answers = self.protocol.answer_all(self._all.units)
            except Exception as error:  # noqa: BLE001 - a bug in a unit must not end the server
                self._fail(error)
                return
            if answers:
                self._send_now(answers)
        self._go_on()

    def _go_on(self) -> None:
        """See to what answering has left: a call to a unit that blocks, a deadline, the end."""
        if not self.closing and self.protocol.has_call:
            try:
                self._submit()
            except Exception as error:  # noqa: BLE001 - a bug in a unit must not end the server
                self._fail(error)
                return
        if self.protocol.closed or self.closing:
            self.close_when_done(self.protocol.closing_reason)
        if self._all.has_deadlines and self.is_open:
            self._all.schedule(self)

    def _fail(self, error: BaseException) -> None:
        self._loop.logger.error("%s ends: an error that is no peer's", self, exc_info=error)
        self.close("an error in this server")

    def handle_deadline(self, now: float) -> None:
        """Do what is due at `now`: silence ends a frame, or it was idle too long."""
        # While it waits for its unit nothing is due; the answer will schedule it again.
        if self.call is None:
            self.protocol.handle_timeout(now)
            if self.protocol.closed:
                self.close("it was idle too long")
            else:
                self._answer()

    def _submit(self) -> None:
        call = self.protocol.next_call()
        if call is not None:
            self.call = call
            self._withdraw = self._loop.submit(
                self.protocol, call, self._all.units, self._on_response
            )
            self._watch()

    def _on_response(self, call: Call, response: Response | None) -> None:
        self.call = None
        self._withdraw = None
        if not self.is_open:
            return
        self.heard = monotonic()
        self.protocol.connected(self.heard)
        answer = self.protocol.answer(call, response)
        if answer:
            self._send_now(answer)
        self._answer()
        self._watch()

    def _send_now(self, data: bytes) -> None:
        if self._loop.tells_bytes:
            self._loop.wire.debug("%s gets %s", self.peer, data.hex(" "))
        if self._unsent:
            self._unsent = bytes(self._unsent) + data
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.close(str(error))
            return
        if sent != len(data):
            self._unsent = memoryview(data)[sent:]
            self._watch()

    def _send_rest(self) -> None:
        if not self._unsent:
            return
        try:
            sent = self._send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(str(error))
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            if self.closing:
                self.close_when_done("its last answer was sent")
            self._watch()

    def _watch(self) -> None:
        """Watch the socket for what this connection waits for."""
        if not self.is_open:
            return
        wanted = 0 if self.call is not None or self.closing else READ
        if self._unsent:
            wanted = WRITE
        if self._withdraw is not None:
            wanted |= HUNG_UP
        if wanted != self._watched:
            self._watched = wanted
            self._loop.watch_for(self.fd, wanted)

    def close_when_done(self, reason: str) -> None:
        """Take no more requests; close when the answers to those being executed are sent."""
        self.closing = True
        if self.call is None and not self._unsent:
            self.close(reason)
        else:
            self._watch()

    def close(self, reason: str) -> None:
        """Close it at once."""
        if self.is_open:
            self.is_open = False
            self._all.forget(self)
            self._socket.close()
            if self.call is not None and self._withdraw is not None:
                self._withdraw()
            self.protocol.ended()
            self._loop.logger.debug("%s closed: %s", self, reason)

    def __str__(self) -> str:
        return f"connection of {self.peer}"
