"""`DatagramServer`: the whole server side of UDP sockets, without I/O.

Part of the adapter kit: the adapter receives datagrams, sends `answers`, and executes `calls`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..messages.base import MAX_PDU
from ..units.unit import Waits
from .call import Call, busy_call
from .peers import HostPort, peer_of
from .protocol import ServerProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ..framing.base import Framing
    from ..messages.base import Response
    from ..units.units import Units
    from .options import ServerOptions
    from .peers import AllowedNetworks

    Address: TypeAlias = tuple[str, int]


_MOST_REQUESTS = 128  # in one datagram, so that a large one delays nobody; 1500 bytes have 125
_MOST_GARBAGE = 4096  # bytes that are no frame; 64 KB of them would take a quarter of a second
_PART = 1024  # bytes of a datagram between two looks at that
_MOST_AROUND = 10  # bytes of an ADU around its PDU


class DatagramLink(Protocol):
    """The adapter's socket that received a datagram and sends the answers to it."""

    def sendto(self, data: bytes, address: Address, /) -> object:
        """Send a datagram to `address`."""
        raise NotImplementedError


class DatagramCall(NamedTuple):
    """A call to a unit that waits, with the data needed to answer it."""

    protocol: ServerProtocol
    call: Call
    address: Address
    link: DatagramLink
    is_counted: bool


class Answer(NamedTuple):
    """A datagram to send to `address` through the socket `link`."""

    data: bytes
    address: Address
    link: DatagramLink


class DatagramServer:
    """A server for `units` on UDP; an incomplete frame in a datagram is discarded.

    At most 128 requests of one datagram are answered, and none behind 4096 bytes that are no frame.

    - `max_calls`: maximum number of calls executed at once on units that wait; further ones get
      exception 06 (Messaging on TCP/IP, 4.4.1.2). Those in the queue of a gateway do not count.
    - `allowed`: the networks that peers may come from, None for all.
    - `on_drop(peer, text, error)`: logs peers and requests that are dropped.

    After each `receive` and `finish`, send the `answers` and execute the `calls`.
    """

    def __init__(
        self,
        framing: type[Framing],
        options: ServerOptions,
        units: Units,
        *,
        max_calls: int,
        allowed: AllowedNetworks | None,
        on_drop: Callable[[HostPort, str, BaseException | None], object],
    ) -> None:
        self.answers: deque[Answer] = deque()
        self.calls: deque[DatagramCall] = deque()
        self._framing = framing
        self._options = options
        self._units = units
        self._max_calls = max_calls
        self._allowed = allowed
        self._on_drop = on_drop
        self._protocol = ServerProtocol(framing, options)
        self._protocol.follow(units)
        self._protocol.may_silence = options.listen_only
        self._counted = 0
        self._open = 0

    def receive(self, data: bytes, address: Address, now: float, link: DatagramLink) -> None:
        """Process a datagram received from `address` through the socket `link` at `now`."""
        peer = peer_of(address)
        if self._allowed is not None and not self._allowed.allows(peer):
            self._on_drop(peer, "is not allowed to ask", None)
            return
        protocol = self._protocol
        protocol.executor.peer = peer
        self._find_frames(data, now)
        for _ in range(_MOST_REQUESTS):
            call = protocol.next_call()
            if call is None:
                break
            try:
                self._take(call, peer, address, link)
            except Exception as error:  # noqa: BLE001 - a user's unit must not stop the server
                text = f"{call.request!r} was dropped: an error that is no peer's"
                self._on_drop(peer, text, error)
        else:
            protocol.framing.frames.clear()
        try:
            protocol.tell(self._units)
        except Exception as error:  # noqa: BLE001 - as above
            self._on_drop(peer, "damaged frames were not counted", error)

    def _find_frames(self, data: bytes, now: float) -> None:
        """Find the frames of a datagram; its rest is ignored after too many, or too much else."""
        framing = self._protocol.framing
        at = 0
        while len(data) - at > _PART:
            framing.receive_data(data[at : at + _PART], now)
            at += _PART
            pdus = [each[2] for each in framing.frames if isinstance(each, tuple)]
            # Braces that are sent twice, or hexadecimal digits, make a PDU longer.
            sound = sum([len(pdu) * framing.max_adu // MAX_PDU + _MOST_AROUND for pdu in pdus])
            if len(framing.frames) > _MOST_REQUESTS or at - sound > _MOST_GARBAGE:
                at = len(data)
        self._protocol.receive_datagram(data[at:], now)

    def _take(self, call: Call, peer: HostPort, address: Address, link: DatagramLink) -> None:
        protocol, units = self._protocol, self._units
        waits = protocol.executor.waits(call, units)
        if waits is not Waits.NEVER:
            is_counted = waits is not Waits.QUEUE
            if not is_counted or self._counted < self._max_calls:
                # By the time of the answer the shared protocol may serve another peer.
                own = ServerProtocol(self._framing, self._options, peer=peer)
                own.executor.client = peer
                own.follow(units)
                self._counted += is_counted
                self._open += 1
                self.calls.append(DatagramCall(own, call, address, link, is_counted))
                return
            call = busy_call(call)
        self._answer(protocol, call, protocol.executor.execute(call, units), address, link)

    def finish(self, executed: DatagramCall, response: Response | None) -> None:
        """Answer `executed`, one of `calls`, with `response`."""
        self._open -= 1
        self._counted -= executed.is_counted
        protocol, call, address, link, _ = executed
        self._answer(protocol, call, response, address, link)

    def _answer(
        self,
        protocol: ServerProtocol,
        call: Call,
        response: Response | None,
        address: Address,
        link: DatagramLink,
    ) -> None:
        data = protocol.answer(call, response)
        if data:
            self.answers.append(Answer(data, address, link))

    @property
    def is_idle(self) -> bool:
        """True if no call is being executed."""
        return not self._open
