"""`Connection`: one peer of a server on a stream, without I/O; `Connections`: all of a server's.

Part of the adapter kit. The adapter accepts, receives, sends, waits and closes; what comes next is
decided here: answers are sent, then a call to a unit that waits is executed, then more is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..units.unit import Waits
from .call import Call
from .peers import idlest

if TYPE_CHECKING:
    from ..messages.base import Response
    from ..units.units import Units
    from .protocol import ServerProtocol


class Next(Enum):
    """What an adapter has to do next with a connection."""

    READ = auto()
    """Wait for bytes, until `deadline()`, and give them to `receive_data`."""
    SEND = auto()
    """Send `unsent`, and take off it what was sent; a peer that takes nothing may be idle."""
    EXECUTE = auto()
    """Execute what `take_call()` returns, and give the response to `finish`."""
    WAIT = auto()
    """A call is being executed: read nothing, but notice if the peer hangs up."""
    CLOSE = auto()
    """Close it; `reason` is for the log."""


class Connection:
    """A peer's requests come in and their answers go out, in order.

    Reading pauses while a call is being executed and while answers are unsent, so that a peer
    which never reads cannot make the server keep more than the answers to one piece of bytes.

    - `unsent`: answers that have to be sent.
    - `heard`: when bytes last came, or the last call ended.
    - `call`: the call to a unit that waits which is being executed, or None.
    - `reason`: why it has to be closed, if it has.
    """

    def __init__(self, protocol: ServerProtocol, units: Units, now: float) -> None:
        self.protocol = protocol
        self.units = units
        self.unsent = b""
        self.heard = now
        self.call: Call | None = None
        self.reason = ""
        self.has_deadlines = (
            protocol.options.idle_timeout is not None or protocol.framing.needs_silence
        )
        protocol.opened(now)

    @property
    def is_busy(self) -> bool:
        """True while a call of the peer is being executed."""
        return self.call is not None

    def next(self) -> Next:
        """Return what to do next."""
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
        """Take bytes that came at `now`, and execute the requests to units in memory.

        True if `next` would be READ once `unsent` is sent, and there is no deadline: nearly always.
        """
        protocol = self.protocol
        self.heard = protocol.heard = now
        framing = protocol.framing
        framing.receive_data(data, now)
        answers = protocol.answers(self.units)
        self.unsent = answers[0] if len(answers) == 1 else b"".join(answers)
        return not (protocol.has_call or protocol.closed or self.has_deadlines or self.reason)

    def take_call(self) -> Call | None:
        """Return the call to execute, which `finish` ends."""
        self.call = self.protocol.next_call()
        return self.call

    def is_queued(self, call: Call) -> bool:
        """True if `call` waits in the queue of a gateway, which the peer leaves by hanging up."""
        return self.protocol.executor.waits(call, self.units) is Waits.QUEUE

    def finish(self, call: Call, response: Response | None, now: float) -> None:
        """The execution of `call` gave `response`: answer it, and what came after it."""
        self.call = None
        self.heard = self.protocol.heard = now  # idle from here
        self.unsent += self.protocol.answer(call, response)
        if not self.reason:
            self.unsent += self.protocol.answer_all(self.units)

    def hung_up(self) -> None:
        """The peer hung up while its call is executed: what waits in a queue is withdrawn."""
        self.units.hung_up(self.protocol.executor.client)

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if only bytes matter."""
        return self.protocol.deadline() if self.has_deadlines and self.call is None else None

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`: silence ends a frame, or the peer was idle too long."""
        if self.call is not None:
            return
        protocol = self.protocol
        protocol.handle_timeout(now)
        if protocol.closed:
            self.reason = "it was idle too long"
            self.unsent = b""
        elif not self.unsent:
            self.unsent = protocol.answer_all(self.units)

    def stop(self, reason: str = "the server shuts down") -> None:
        """Take no more requests; `next` is CLOSE when the answers to those executed are sent."""
        self.reason = self.reason or reason

    def ended(self, reason: str) -> None:
        """The connection was closed."""
        self.reason = self.reason or reason
        self.unsent = b""
        self.protocol.ended()

    def __str__(self) -> str:
        return f"connection of {self.protocol.peer}"


class Member(Protocol):
    """A connection of an adapter, as `Connections` needs it."""

    @property
    def heard(self) -> float:
        """When bytes last came from the peer (seconds, monotonic)."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """True while a call of the peer is being executed."""
        raise NotImplementedError

    def stop(self) -> None:
        """Take no more requests, and close when what is executed is answered."""
        raise NotImplementedError

    def close(self, reason: str) -> None:
        """Close at once."""
        raise NotImplementedError


MemberT = TypeVar("MemberT", bound=Member)


class Connections(Generic[MemberT]):
    """The connections of a server, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: dict[MemberT, None] = {}  # in the order they came

    def add(self, connection: MemberT) -> None:
        """Count a connection among those that are open."""
        self._all[connection] = None

    def forget(self, connection: MemberT) -> None:
        """A connection was closed."""
        self._all.pop(connection, None)

    def has_room(self) -> bool:
        """True if one more may come, after closing the one that was idle longest if need be."""
        return len(self._all) < self._most or self.make_room()

    def make_room(self) -> bool:
        """Close the connection that was idle longest; False if all wait for their units.

        See MODBUS Messaging on TCP/IP V1.0b, section 4.2.1.2.
        """
        connection = idlest(self._all)
        if connection is None:
            return False
        connection.close("it was idle longest, room is needed")
        return True

    def stop(self) -> None:
        """Let all end what they execute, and close then."""
        for connection in list(self._all):
            connection.stop()

    def close(self) -> None:
        """Close all at once."""
        for connection in list(self._all):
            connection.close("the server is closed")

    def __iter__(self) -> Iterator[MemberT]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)
