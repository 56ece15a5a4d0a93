"""`Connection`: one peer of a `TcpServer`, from accepting it to closing it."""

from __future__ import annotations

from socket import MSG_PEEK
from time import monotonic
from typing import TYPE_CHECKING

from gevent import GreenletExit

from .waiting import Waiting

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from gevent.hub import Hub

    from modwire import ServerProtocol

    from .connections import Connections

_DEBUG = 10  # logging.DEBUG
# All requests of one piece are answered before the next is read, so its size bounds what a peer
# that never reads can make the server keep: 340 answers of 260 bytes, 90 kB.
_RECEIVE_SIZE = 4096


class Connection(Waiting):
    """A peer's requests come in and their answers go out, in order, in the greenlet of `run`.

    Reading pauses while a call is out, and while answers are unsent. `heard` is when bytes last
    came, `is_busy` whether a call of the peer is being executed.
    """

    __slots__ = (
        "_all",
        "_is_queued",
        "_is_sending",
        "_socket",
        "_wrap",
        "closing",
        "heard",
        "is_busy",
        "is_open",
        "peer",
        "protocol",
    )

    def __init__(
        self,
        connections: Connections,
        hub: Hub,
        accepted: socket.socket,
        protocol: ServerProtocol,
        wrap: Callable[[socket.socket], socket.socket],
        now: float,
    ) -> None:
        super().__init__(hub, accepted.fileno())
        self.protocol = protocol
        self.peer = protocol.peer
        self.heard = now
        self.is_busy = False
        self.is_open = True
        self.closing = False
        self._all = connections
        self._socket = accepted
        self._wrap = wrap
        self._is_sending = False
        self._is_queued = False
        protocol.opened(now)

    def run(self) -> None:
        """Serve the peer until one of the two has enough; in a greenlet of its own."""
        try:
            if self.is_open:
                self._begin()
            if self.is_open:
                self._serve()
        except GreenletExit:
            self.close("its greenlet was killed")
        except (KeyboardInterrupt, SystemExit):
            raise  # ends the program
        except BaseException as error:  # a bug in a unit must not end the server
            if self.is_open:
                self._all.logger.error("%s ends: an error that is no peer's", self, exc_info=error)
        finally:
            self.close("it cannot go on")

    def _begin(self) -> None:
        try:
            self._socket = self._wrap(self._socket)
        except Exception as error:  # noqa: BLE001 - what a subclass does must not end the server
            self._all.logger.warning("%s was lost before it was served: %r", self.peer, error)
            self.close("it could not be wrapped")
            return
        if not self.is_open:  # closed by somebody else meanwhile
            self._socket.close()

    def _serve(self) -> None:
        connections = self._all
        protocol = self.protocol
        # Looked up once, for this is where a server spends its time.
        wait = self.wait_readable
        receive = self._socket.recv
        respond = protocol.respond
        units = connections.units
        is_traced = connections.wire.isEnabledFor
        has_deadlines = connections.has_deadlines
        if has_deadlines:
            self.schedule(protocol.deadline())
        while self.is_open:
            if not wait():
                self._handle_ring()
                continue
            try:
                data = receive(_RECEIVE_SIZE)
            except BlockingIOError:
                continue
            except OSError as error:
                self.close(str(error))
                return
            if not data:
                self.close("the peer has closed it")
                return
            self.heard = now = monotonic()
            if is_traced(_DEBUG):
                connections.wire.debug("%s sent %s", self.peer, data.hex(" "))
            self.is_busy = True
            answers = respond(data, now, units)
            if answers:
                self._send(answers)
            # The most frequent case has nothing more to do.
            if has_deadlines or self.closing or protocol.closed or protocol.has_call:
                self._go_on()
            self.is_busy = False

    def _handle_ring(self) -> None:
        """Somebody has closed it, or it is time for something."""
        if not self.is_open:
            return
        self.protocol.handle_timeout(monotonic())
        if self.protocol.closed:
            self.close("it was idle too long")
            return
        self.is_busy = True
        self._answer()
        self._go_on()
        self.is_busy = False

    def _answer(self) -> None:
        answers = self.protocol.answer_all(self._all.units)
        if answers:
            self._send(answers)

    def _go_on(self) -> None:
        """See to what answering has left: calls to units that block, a deadline, the end."""
        protocol = self.protocol
        while self.is_open and not self.closing and protocol.has_call:
            call = protocol.next_call()
            if call is None:
                break
            self._is_queued = protocol.is_queued(call, self._all.units)
            if self._is_queued:
                self.look_out()
            response = self._all.workers.execute(protocol, call, self._all.units)
            self._is_queued = False
            self.heard = monotonic()
            protocol.connected(self.heard)
            answer = protocol.answer(call, response)
            if answer:
                self._send(answer)
            if not self.closing:
                self._answer()
        if protocol.closed:
            self.close(protocol.closing_reason)
        elif self.closing:
            self.close("its last answer was sent")
        elif self._all.has_deadlines and self.is_open:
            self.schedule(protocol.deadline())

    def on_early(self) -> None:
        # Most likely it waits no longer. If it only sends no more, it hears that it was queued.
        if self._is_queued and _has_ended(self._socket):
            self._all.units.hung_up(self.protocol.asker)

    def _send(self, data: bytes) -> None:
        """Send `data`; waits for room, in which time no call counts as being executed."""
        if not self.is_open:
            return
        if self._all.wire.isEnabledFor(_DEBUG):
            self._all.wire.debug("%s gets %s", self.peer, data.hex(" "))
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.close(str(error))
            return
        if sent != len(data):
            self.is_busy = False
            self._is_sending = True
            try:
                self._send_rest(memoryview(data)[sent:])
            finally:
                self._is_sending = False
                self.is_busy = True

    def _send_rest(self, rest: memoryview) -> None:
        if self._all.has_deadlines:
            self.schedule(self.protocol.deadline())
        while True:
            has_room = self.wait_writable()
            if not self.is_open:
                return
            if not has_room:
                self.protocol.handle_timeout(monotonic())
                if self.protocol.closed:
                    self.close("it was idle too long, and took no answer")
                    return
                self.schedule(self.protocol.deadline())
                continue
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                self.close(str(error))
                return
            if not rest:
                return

    def close_when_done(self, reason: str) -> None:
        """Take no more requests; close when the answers to those being executed are sent."""
        self.closing = True
        if not self.is_busy and not self._is_sending:
            self.close(reason)

    def close(self, reason: str) -> None:
        """Close it at once; its greenlet ends as soon as it can."""
        if self.is_open:
            self.is_open = False
            self.unwatch()
            self._socket.close()
            self._all.forget(self)
            self.protocol.ended()
            self._all.logger.debug("%s closed: %s", self, reason)

    def __str__(self) -> str:
        return f"connection of {self.peer}"


def _has_ended(link: socket.socket) -> bool:
    try:
        return not link.recv(1, MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    except ValueError:
        return False  # TLS cannot tell before what it has sent is read
