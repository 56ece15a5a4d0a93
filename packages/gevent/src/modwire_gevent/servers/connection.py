"""`TcpConnection`: one peer of a `TcpServer`, from accepting it to closing it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from socket import socket
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from gevent import GreenletExit, get_hub

from modwire.server.connection import FAILED, PEER_CLOSED, SERVER_CLOSED, Next

from .waiting import GreedyRounds, Waiting

if TYPE_CHECKING:
    from modwire.logger import Logger
    from modwire.server.connection import Connection, Connections

    from ..links import Watcher
    from .workers import Workers

_DEBUG = 10  # logging.DEBUG
_LOOKING_INTERVAL = 0.25  # seconds between looks for a hang-up behind unread bytes


class Shared(NamedTuple):
    """The objects that all connections of a server share."""

    connections: Connections[TcpConnection]
    workers: Workers
    logger: Logger
    wire: Logger
    wrap: Callable[[socket], socket]
    rounds: GreedyRounds


class TcpConnection(Waiting):
    """A socket that does not block; the greenlet of `run` serves it as the core decides."""

    __slots__ = (
        "_is_queued", "_is_sending", "_looking", "_shared", "_socket", "_works", "core", "is_open"
    )  # fmt: skip

    def __init__(self, shared: Shared, accepted: socket, core: Connection) -> None:
        super().__init__(get_hub(), accepted.fileno())
        self.core = core
        self._works = False  # True also in hooks, which may wait
        self.is_open = True
        self._shared = shared
        self._socket = accepted
        self._is_sending = False
        self._is_queued = False
        self._looking: Watcher | None = None
        shared.connections.add(self)

    @property
    def heard(self) -> float:
        """Arrival time of the last bytes from the peer (seconds, monotonic)."""
        return self.core.heard

    @property
    def is_busy(self) -> bool:
        """True while a request is executed whose answer the peer still waits for."""
        return self._works and not self.core.has_hung_up

    def run(self) -> None:
        """Serve the peer until the connection is closed; runs in a separate greenlet."""
        try:
            if self.is_open:
                self._begin()
            if self.is_open:
                self._serve()
        except GreenletExit:
            self.close(SERVER_CLOSED)
        except (KeyboardInterrupt, SystemExit):
            raise  # ends the program
        except BaseException as error:  # a bug in a unit must not end the server
            if self.is_open:
                text = "%s ends: an error that is no peer's"
                self._shared.logger.error(text, self.core, exc_info=error)
        finally:
            self.close(FAILED)

    def _begin(self) -> None:
        try:
            self._socket = self._shared.wrap(self._socket)
        except Exception as error:  # noqa: BLE001 - a bug in a subclass must not end the server
            text = "%s was lost before it was served: %r"
            self._shared.logger.warning(text, self.core.protocol.peer, error)
            self.close(FAILED)
            return
        if not self.is_open:  # another greenlet has closed it
            self._socket.close()

    def _serve(self) -> None:
        core = self.core
        wire = self._shared.wire
        # Looked up once, because the server spends most of its time in this loop.
        wait = self.wait_readable
        receive = self._socket.recv
        if core.has_deadlines:
            self.schedule(core.deadline())
        if core.is_greedy:
            self.rounds = self._shared.rounds
        while self.is_open:
            if not wait():
                self._handle_ring()
                continue
            try:
                data = receive(core.turn)
            except BlockingIOError:
                continue
            except OSError as error:
                self.close(str(error))
                return
            if not data:
                self.close(PEER_CLOSED)
                return
            is_traced = wire.isEnabledFor(_DEBUG)
            if is_traced:
                wire.debug("%s sent %s", core.protocol.peer, data.hex(" "))
            self._works = True
            is_plain = core.receive_data(data, monotonic())
            if core.unsent:
                self._send(core.unsent, is_traced)
            if core.unsent or not is_plain:
                self._go_on()
            self._works = False
            self.rounds = self._shared.rounds if core.is_greedy else None

    def _handle_ring(self) -> None:
        """Do what is due, unless the ring means that the connection was closed."""
        if self.is_open:
            self._works = True
            self.core.handle_timeout(monotonic())
            self._go_on()
            self._works = False

    def _go_on(self) -> None:
        """Send, execute and close as the core decides, until the next step is to read."""
        core = self.core
        while self.is_open and (following := core.next()) is not Next.READ:
            if following is Next.SEND:
                self._send(core.unsent, self._shared.wire.isEnabledFor(_DEBUG))
            elif following is Next.EXECUTE:
                self._execute()
            else:
                self.close(core.reason)
        if core.has_deadlines and self.is_open:
            self.schedule(core.deadline())

    def _execute(self) -> None:
        core = self.core
        call = core.take_call()
        if call is None:
            return
        self._is_queued = core.is_queued(call)
        if self._is_queued:
            self.look_out()
        response = self._shared.workers.execute(core.protocol, call, core.units)
        self._is_queued = False
        self._stop_looking()
        if self.is_open:
            core.finish(call, response, monotonic())

    def on_early(self) -> None:
        self._look()

    def _look(self) -> None:
        """Withdraw what waits if the peer has hung up, perhaps behind unread bytes."""
        from modwire_sync.sockets import has_ended  # slow to import, and clients need no server

        self._stop_looking()
        if not self._is_queued or not self.is_open:
            return
        # The peer is most likely gone; one that has only ended its sending gets exception 06.
        if has_ended(self._socket):
            self.core.hung_up()
            self._shared.workers.hung_up(self.core.protocol.executor.client)
        else:
            self._looking = get_hub().loop.timer(_LOOKING_INTERVAL)
            self._looking.start(self._look)

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.close()
            self._looking = None

    def _send(self, data: bytes, is_traced: bool) -> None:
        """Send answers; while it waits for room, the connection does not count as busy."""
        if is_traced:
            self._shared.wire.debug("%s gets %s", self.core.protocol.peer, data.hex(" "))
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.close(str(error))
            return
        self.core.unsent = data[sent:]
        if sent != len(data):
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        core = self.core
        self._works = False
        self._is_sending = True
        try:
            if core.has_deadlines:
                self.schedule(core.deadline())
            if not self.wait_writable() and self.is_open:
                core.handle_timeout(monotonic())
        finally:
            self._is_sending = False
            self._works = True

    def stop(self) -> None:
        """Accept no more requests; close after the answers to all running calls."""
        self.core.stop()
        if not self._works and not self._is_sending:
            if self.core.next() is Next.SEND:
                with suppress(OSError):
                    self._socket.send(self.core.unsent)  # TLS says goodbye
            self.close(self.core.reason)

    def close(self, reason: str) -> None:
        """Close the connection at once; its greenlet ends soon."""
        if self.is_open:
            self.is_open = False
            self.unwatch()
            self._socket.close()
            self._shared.connections.forget(self)
            self.core.ended(reason, self._shared.logger)
