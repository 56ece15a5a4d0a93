"""`Clients`: the clients of served devices, and what they ask: the hooks of their servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from modwire import Call, Response, ServerProtocol
from modwire.server.options import Served

from .mistakes import Watched
from .peers import Peers
from .traffic import Traffic
from .view import ConnectionInfo

if TYPE_CHECKING:
    from modwire.server.options import OnAnswer

    from ..metrics import EndpointCounts, Metrics


class Device(Protocol):
    """A device with clients; `line_requests` counts requests that its `Units` do not count."""

    index: int
    connections: int
    line_requests: int


class Place(Protocol):
    """An endpoint of a device; `text` may change when it listens."""

    text: str


@dataclass
class _Link:
    """An open connection."""

    device: Device
    endpoint: Place
    since: float
    counts: EndpointCounts | None
    hook: OnAnswer | None  # of the server's own options


class Clients:
    """Lists clients and records requests.

    `clock()` is the time of the servers (seconds, monotonic), `wall_clock()` seconds since the
    epoch. `metrics` counts what comes.
    """

    def __init__(
        self,
        traffic: Traffic,
        wall_clock: Callable[[], float],
        clock: Callable[[], float],
        metrics: Metrics | None = None,
    ) -> None:
        self._traffic = traffic
        self._wall_clock = wall_clock
        self._clock = clock
        self._metrics = metrics
        self._links: dict[Served, _Link] = {}
        self._peers = Peers(wall_clock)

    # Hooks.

    def connected(self, device: Device, place: Place, protocol: Served) -> None:
        """Add a connection that was opened."""
        device.connections += 1
        counts = None if self._metrics is None else self._metrics.endpoint(place.text)
        if counts is not None:
            counts.connected(protocol)
        hook = protocol.on_answer
        self._links[protocol] = _Link(device, place, self._wall_clock(), counts, hook)
        framing = _watched(protocol)
        if framing is not None:
            framing.peer = str(protocol.peer)
        if self._traffic.is_recording or counts is not None:
            protocol.on_answer = self._answered

    def disconnected(self, protocol: Served) -> None:
        """Remove a connection that was closed."""
        framing = _watched(protocol)
        if framing is not None:
            framing.tell_unfinished("the connection was closed")
        link = self._links.pop(protocol)
        link.device.connections -= 1
        if link.counts is not None:
            link.counts.disconnected(protocol)

    def _answered(self, protocol: Served, call: Call, response: Response | None) -> None:
        link = self._links.get(protocol)
        if link is not None:
            if link.hook is not None:
                link.hook(protocol, call, response)
            if link.counts is not None:
                link.counts.answered(protocol, call, response)
            self._record(link.device, link.endpoint.text, protocol, call, response)

    def told(
        self,
        device: Device,
        endpoint: str,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        """Record a request without a connection: on UDP, or a serial line."""
        self._peers.heard(device.index, endpoint, str(protocol.peer))
        if self._metrics is not None:
            self._metrics.endpoint(endpoint).answered(protocol, call, response)
        self._record(device, endpoint, protocol, call, response)

    def told_on_line(
        self,
        device: Device,
        endpoint: str,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        """Record a request on a line that several devices share, and count it for this one."""
        device.line_requests += 1
        self.told(device, endpoint, protocol, call, response)

    def _record(
        self,
        device: Device,
        endpoint: str,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        if self._traffic.is_recording:
            self._traffic.add(
                self._wall_clock(),
                max(0.0, self._clock() - protocol.heard) * 1000,
                device.index,
                endpoint,
                str(protocol.peer),
                call.unit,
                call.request,
                response,
            )

    # For a view.

    def connections(self) -> list[ConnectionInfo]:
        """Return the clients, by device and then by time."""
        shift = self._wall_clock() - self._clock()
        found = [
            ConnectionInfo(
                link.device.index,
                link.endpoint.text,
                str(protocol.peer),
                link.since,
                protocol.heard + shift,
                protocol.requests,
            )
            for protocol, link in self._links.items()
        ]
        found += self._peers.latest()
        found.sort(key=lambda each: (each.device, each.since))
        return found

    def begin_recording(self) -> None:
        """Record from now on, including the connections that are open."""
        for protocol in self._links:
            protocol.on_answer = self._answered

    def note_unfinished(self) -> None:
        """Record the frames whose rest does not come."""
        now = self._clock() if self._links else 0.0
        for protocol in self._links:
            framing = _watched(protocol)
            if framing is not None:
                framing.tell_if_stalled(protocol.heard, now)


def _watched(protocol: Served) -> Watched | None:
    """Return the framing of a connection, which reports mistakes."""
    framing = protocol.framing if isinstance(protocol, ServerProtocol) else None
    return framing if isinstance(framing, Watched) else None
