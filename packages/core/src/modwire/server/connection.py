"""`Connection`: one peer of a server on a stream, without I/O; `Connections`: all of a server.

Part of the adapter kit. The adapter accepts, receives, sends, waits and closes; the order is
decided here: first answers are sent, then a call to a unit that waits is executed, then more bytes
are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..units.unit import Waits
from .call import Call, busy_call
from .peers import AllowedNetworks, Connected, HostPort, idlest
from .protocol import DROPPED
from .rounds import LEAST_TURN, MODEST, MOST_ANSWERED, TURN

if TYPE_CHECKING:
    from ..logger import Logger
    from ..messages.base import Response
    from ..units.units import Units
    from .protocol import ServerProtocol


PEER_CLOSED = "the peer has closed it"
SHUT_DOWN = "the server shuts down"
SERVER_CLOSED = "the server is closed"
IDLE = "it was idle too long"
OUTDATED = "the credentials of the server were exchanged"
FAILED = "an error in this server"  # which is logged where it happens
NOT_ALLOWED = "it is not allowed to connect any more"
_ORDINARY = frozenset((PEER_CLOSED, SHUT_DOWN, SERVER_CLOSED, IDLE, OUTDATED, FAILED, DROPPED))


# Connections found at once: to look at a thousand takes as long as to accept three.
_EVICTIONS_PER_LOOK = 32
_EVERYONE = AllowedNetworks()
_MOST_GARBAGE = 4096  # bytes without a frame; an ADU has at most 514


class Next(Enum):
    """Next step of an adapter for a connection."""

    READ = auto()
    """Wait for bytes until `deadline()`, and pass them to `receive_data`."""
    SEND = auto()
    """Send `unsent` and remove the bytes sent from it; a peer that accepts none may be idle."""
    EXECUTE = auto()
    """Execute the call that `take_call()` returns, and pass the response to `finish`."""
    WAIT = auto()
    """Wait for the call that is being executed: read nothing, but detect a disconnect."""
    CLOSE = auto()
    """Close the connection; `reason` is for the log."""


class Connection:
    """One connection of a peer, whose requests are answered in order.

    Reading pauses while a call is being executed and while answers are unsent. So for a peer that
    never reads, the server keeps no more than the answers to one chunk of received bytes.

    - `unsent`: answers that have to be sent.
    - `turn`: maximum number of bytes to receive at once; fewer if the requests had long answers.
    - `is_greedy`: True if the last turn was large, or the first one will be, so that other
      connections come first; see `Rounds`.
    - `is_outdated`: True if no more requests may be executed, so that it should be stopped.
    - `call`: the call that is being executed on a unit that waits, or None.
    - `has_hung_up`: True if the peer has disconnected, or ended its sending, during a call.
    - `reason`: reason to close the connection, or "".

    `allowed` may be changed while the connection is open: a peer that is no longer allowed is
    not answered any more.
    """

    is_outdated = False

    def __init__(
        self,
        protocol: ServerProtocol,
        units: Units,
        now: float,
        allowed: AllowedNetworks | None = None,
    ) -> None:
        self.protocol = protocol
        self.units = units
        self.unsent = b""
        # The first turn is short: a flood of new connections costs the others no more than that.
        self.turn = MODEST
        self.is_greedy = False
        self._modest = MODEST - 1  # bytes of a turn that is not large
        self._garbage = 0  # bytes since the frame at `_framed_at`
        self._framed_at = now
        self.call: Call | None = None
        self.has_hung_up = False
        self.reason = ""
        self._allowed = allowed if isinstance(protocol.peer, HostPort) and allowed else _EVERYONE
        self._rights = self._allowed.rights
        self.has_deadlines = (
            protocol.options.idle_timeout is not None or protocol.framing.needs_silence
        )
        protocol.may_silence = protocol.options.listen_only
        protocol.follow(units)
        self._begin(now)

    def _begin(self, now: float) -> None:
        """Begin to serve the peer, which was just accepted."""
        self.protocol.opened(now)

    @property
    def heard(self) -> float:
        """Time at which a whole request last came, or the last call ended."""
        return self.protocol.asked

    @property
    def is_busy(self) -> bool:
        """True while a call of a peer is being executed that still waits for its answer."""
        return self.call is not None and not self.has_hung_up

    def next(self) -> Next:
        """Return the next step."""
        if self.unsent:
            return Next.SEND
        if self.call is not None:
            return Next.WAIT
        protocol = self.protocol
        if protocol.closed and not self.reason:
            self.reason = protocol.closing_reason
        if self.reason:
            return Next.CLOSE
        return Next.EXECUTE if protocol.has_call else Next.READ

    def receive_data(self, data: bytes, now: float) -> bool:
        """Process bytes received at `now`, and execute the requests to units in memory.

        Returns True in the usual case: after `unsent` is sent, `next` will be READ, there is no
        deadline, and neither `turn` nor `is_greedy` has changed.
        """
        protocol = self.protocol
        if self._rights is not self._allowed.rights and not self._is_allowed():
            self.reason = NOT_ALLOWED
            return False
        protocol.heard = now
        framing = protocol.framing
        framing.receive_data(data, now)
        answers = protocol.answers(self.units)
        self.unsent = answers[0] if len(answers) == 1 else b"".join(answers)
        if protocol.asked != now:
            self._note_garbage(len(data))
            return False
        if len(data) > self._modest or self.is_greedy:
            self._weigh(len(data))
            return False
        return not (protocol.has_call or protocol.closed or self.has_deadlines or self.reason)

    def _is_allowed(self) -> bool:
        """True if the peer is allowed to connect, after the networks have changed."""
        self._rights = self._allowed.rights
        peer = self.protocol.peer
        return not isinstance(peer, HostPort) or self._allowed.allows(peer)

    def _note_garbage(self, size: int) -> None:
        """Count bytes that complete no frame, and close the connection if there are no others."""
        if self._framed_at != self.protocol.asked:
            self._framed_at = self.protocol.asked
            self._garbage = 0
        self._garbage += size
        if self._garbage >= MODEST:  # longer than an ADU: such bytes cost more than requests do
            self.is_greedy = True
            self.turn = MODEST
            self._modest = MODEST - 1
        if self._garbage > _MOST_GARBAGE:
            self.protocol.closed = True

    def _weigh(self, size: int) -> None:
        """Decide about the next turn by the bytes of this one, and by the length of its answers."""
        self.is_greedy = size > self._modest
        answered = max(len(self.unsent), 1)
        self.turn = min(TURN, max(LEAST_TURN, size * MOST_ANSWERED // answered))
        self._modest = min(MODEST, self.turn - 1)

    def take_call(self) -> Call | None:
        """Return the call to execute, which `finish` ends.

        None if it needs none: after the peer has disconnected, calls to units that wait are
        refused with exception 06, because most likely nobody waits for the answers.
        """
        protocol = self.protocol
        call = protocol.next_call()
        if call is None or not self.has_hung_up:
            self.call = call
            return call
        if not call.broadcast:
            busy = busy_call(call)
            self._queue(protocol.answer(busy, protocol.executor.execute(busy, self.units)))
        self._queue(protocol.answer_all(self.units))
        return None

    def _queue(self, answers: bytes) -> None:
        """Add answers to those that have to be sent."""
        self.unsent += answers

    def is_queued(self, call: Call) -> bool:
        """True if `call` may have to wait for its turn, so that a disconnect withdraws it."""
        return self.protocol.executor.waits(call, self.units) in (Waits.QUEUE, Waits.THREAD)

    def finish(self, call: Call, response: Response | None, now: float) -> None:
        """Answer `call` with `response`, then the requests received after it."""
        self.call = None
        self.protocol.heard = self.protocol.asked = now  # the idle time starts here
        self._queue(self.protocol.answer(call, response))
        if not self.reason:
            self._queue(self.protocol.answer_all(self.units))

    def hung_up(self) -> None:
        """Withdraw the queued requests of the peer, which disconnected during its call.

        The adapter also tells its `WorkerQueue`, for the units that block.
        """
        self.has_hung_up = True
        self.units.hung_up(self.protocol.executor.client)

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if there is no deadline."""
        return self.protocol.deadline() if self.has_deadlines and self.call is None else None

    def handle_timeout(self, now: float) -> None:
        """Process what is due at `now`: the end of a frame by silence, and the idle timeout."""
        if self.call is not None:
            return
        protocol = self.protocol
        protocol.handle_timeout(now)
        if protocol.closed:
            self.reason = self.reason or IDLE
            self.unsent = b""
        elif not self.unsent:
            self._queue(protocol.answer_all(self.units))

    def stop(self, reason: str = SHUT_DOWN) -> None:
        """Accept no more requests; `next` is CLOSE once the executed ones are answered."""
        self.reason = self.reason or reason

    def ended(self, reason: str, logger: Logger | None = None) -> None:
        """Record that the connection was closed, and log it: as a warning if it was lost."""
        self.reason = self.reason or reason
        self.unsent = b""
        self.protocol.ended()
        if logger is None:
            return
        if reason in _ORDINARY:
            logger.debug("%s closed: %s", self, reason)
        else:
            logger.warning("%s lost: %s", self, reason)

    def __str__(self) -> str:
        return f"connection of {self.protocol.peer}"


class Member(Connected, Protocol):
    """The part of an adapter's connection that `Connections` uses."""

    def stop(self) -> None:
        """Accept no more requests, and close once the executed ones are answered."""
        raise NotImplementedError

    def close(self, reason: str) -> None:
        """Close the connection immediately."""
        raise NotImplementedError


MemberT = TypeVar("MemberT", bound=Member)


class Connections(Generic[MemberT]):
    """The connections of a server, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: dict[MemberT, float] = {}  # in the order they came, and when each was opened
        self._idle: list[tuple[float, MemberT]] = []  # the next to evict, the idlest last

    def add(self, connection: MemberT) -> None:
        """Add a connection that was just opened."""
        self._all[connection] = connection.heard

    def forget(self, connection: MemberT) -> None:
        """Remove a closed connection."""
        self._all.pop(connection, None)
        if self._idle:
            self._idle = [each for each in self._idle if each[1] is not connection]

    def has_room(self) -> bool:
        """Return True if there is room for one more; evict the longest idle one if necessary."""
        return len(self._all) < self._most or self.make_room()

    def make_room(self, unused_since: float = float("inf")) -> bool:
        """Evict the connection that was idle longest; return False if all execute a call.

        It also returns False if that one was used, or accepted, after `unused_since`. See MODBUS
        Messaging on TCP/IP V1.0b, section 4.2.1.2.
        """
        connection = self._idlest()
        if connection is None or connection.heard > unused_since:
            return False
        connection.close("it was idle longest, room is needed")
        return True

    def _idlest(self) -> MemberT | None:
        """Return the connection that was idle longest; None if all execute a call.

        If more than half have not asked anything yet, it is one of these: connections that are
        only opened, or send single bytes, do not cost a client that asks now and then its own.
        """
        for is_fresh in (False, True):
            if is_fresh:
                silent = [each for each, opened in self._all.items() if each.heard == opened]
                is_flooded = 2 * len(silent) > self._most
                found = idlest(silent if is_flooded else self._all, _EVICTIONS_PER_LOOK)
                self._idle = [(each.heard, each) for each in reversed(found)]
            while self._idle:
                heard, connection = self._idle[-1]
                if connection.heard == heard and not connection.is_busy:
                    return connection
                self._idle.pop()
        return None

    def stop(self) -> None:
        """Stop all connections; each closes after its current call."""
        for connection in list(self._all):
            connection.stop()

    def close(self) -> None:
        """Close all connections immediately."""
        for connection in list(self._all):
            connection.close(SERVER_CLOSED)

    def __iter__(self) -> Iterator[MemberT]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)
