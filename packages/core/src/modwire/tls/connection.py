"""`SecureConnection`: a connection of a server whose bytes are TLS records.

For an adapter it is a `Connection`: it receives and sends bytes, and has the next step. So every
package serves TLS as it serves TCP, and none decides about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..server.connection import OUTDATED, PEER_CLOSED, SHUT_DOWN, Connection, Next
from ..server.rounds import MODEST, TURN
from .certificates import subject_of
from .role import role_of

if TYPE_CHECKING:
    from ..logger import Logger
    from ..messages.base import Response
    from ..server.call import Call
    from ..server.peers import AllowedNetworks
    from ..server.protocol import ServerProtocol
    from ..units.units import Units
    from .credentials import Credentials

_LINGER = 1.0  # seconds in which a peer may read an alert: closing with unread bytes discards it
_MOST_UNREAD = 0x10000  # bytes received meanwhile, which are discarded


class SecureConnection(Connection):
    """A connection that begins with a handshake, which has `timeout` seconds.

    Until its end nothing of the peer is executed, `on_connect` is not called, the connection counts
    as one that has not asked anything yet, and others come first, as a handshake takes as long as
    fifty requests. The role and the subject of the peer are those of its certificate. After
    `credentials` were exchanged, no request is executed any more.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        units: Units,
        now: float,
        credentials: Credentials,
        timeout: float,
        allowed: AllowedNetworks | None = None,
    ) -> None:
        self._credentials = credentials
        self._tls = credentials.new_filter(now, timeout)
        self._has_said_goodbye = False
        self._lingers_until: float | None = None
        self._unread = 0
        super().__init__(protocol, units, now, allowed)
        self._has_deadlines = self.has_deadlines
        self.has_deadlines = True
        self.turn = TURN  # of a handshake, which has some kilobytes
        self.is_greedy = True

    def _begin(self, now: float) -> None:
        self.protocol.connected(now)

    @property
    def is_outdated(self) -> bool:  # type: ignore[override]
        """True if the peer has to connect again, because the credentials were exchanged."""
        return self._credentials.context is not self._tls.context

    def next(self) -> Next:
        if self.is_outdated:
            self.stop(OUTDATED)
        following = super().next()
        while following is Next.READ and self._tls.has_more:
            self._decrypt(self.protocol.heard)
            following = super().next()
        if following is Next.CLOSE and not self._has_said_goodbye:
            self._has_said_goodbye = True
            self._tls.close()
            self.unsent = self._tls.data_to_send()
            following = super().next()
        return following

    def receive_data(self, data: bytes, now: float) -> bool:
        tls = self._tls
        if self._lingers_until is not None:
            self._unread += len(data)
            if self._unread > _MOST_UNREAD:
                self.reason = str(tls.fault)
            return False
        if self._credentials.context is not tls.context:  # `is_outdated`, without a call
            return False
        was_open = tls.is_open
        tls.receive_data(data)
        if not was_open:
            self.protocol.heard = now
            self.unsent += tls.data_to_send()
            if tls.is_open:
                self._opened(now)
            elif tls.fault is not None:
                self._refuse(now)
            return False
        is_plain = self._decrypt(now)
        if len(data) > self._modest or self.is_greedy:
            self._weigh(len(data))
            return False
        return is_plain and not tls.has_more

    def _decrypt(self, now: float) -> bool:
        """Answer the requests that fit into a turn; True if nothing else has to be done."""
        tls = self._tls
        sealed, self.unsent = self.unsent, b""
        is_plain = False
        data = tls.read(self.turn)
        if data:
            is_plain = super().receive_data(data, now)
            tls.write(self.unsent)
        self.unsent = sealed + tls.data_to_send()
        if tls.fault is not None:
            self._refuse(now)
        elif tls.has_ended:
            self.reason = self.reason or PEER_CLOSED
        return is_plain and not self.reason

    def _queue(self, answers: bytes) -> None:
        self._tls.write(answers)
        self.unsent += self._tls.data_to_send()

    def _opened(self, now: float) -> None:
        """Begin to serve the peer, whose certificate was accepted."""
        self.has_deadlines = self._has_deadlines
        self.turn = MODEST
        self.is_greedy = False
        certificate = self._tls.certificate or b""
        self.protocol.identify(subject_of(certificate), role_of(certificate))
        self.protocol.opened(now)

    def _refuse(self, now: float) -> None:
        """End the connection; if there is an alert to read, a moment later."""
        self._has_said_goodbye = True
        self.is_greedy = False  # what follows is the end, which costs nothing
        if self.unsent:
            self._lingers_until = now + _LINGER
            self.has_deadlines = True
        else:
            self.reason = str(self._tls.fault)

    def finish(self, call: Call, response: Response | None, now: float) -> None:
        if self.is_outdated:
            self.stop(OUTDATED)  # what was received after the call is not executed
        super().finish(call, response, now)

    def stop(self, reason: str = SHUT_DOWN) -> None:
        super().stop(OUTDATED if self.is_outdated else reason)

    def deadline(self) -> float | None:
        if self._lingers_until is not None:
            return self._lingers_until
        return super().deadline() if self._tls.is_open else self._tls.deadline()

    def handle_timeout(self, now: float) -> None:
        tls = self._tls
        if self._lingers_until is not None:
            if now >= self._lingers_until:
                self.reason, self.unsent = str(tls.fault), b""
        elif tls.is_open:
            is_torn = bool(self.unsent)
            super().handle_timeout(now)
            # Behind a record of which only a part was sent, the peer could not read a close_notify.
            self._has_said_goodbye = self._has_said_goodbye or (is_torn and self.protocol.closed)
        else:
            tls.handle_timeout(now)
            if tls.fault is not None and not self.reason:
                self.unsent = b""
                self._refuse(now)

    def ended(self, reason: str, logger: Logger | None = None) -> None:
        fault = self._tls.fault
        if fault is not None:
            reason = str(fault)
        elif self._tls.is_open and not self.protocol.requests:
            # A client of TLS 1.3 that closes before it reads the server's sessions resets the
            # connection; it has asked nothing, so nothing is lost.
            reason = self.reason or PEER_CLOSED
        super().ended(reason, logger)
