"""`Server`: serves the devices of a simulation, each in a task that can be restarted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from modwire import Call, Endpoint, ModbusError, Response, ServerOptions, ServerProtocol, Units
from modwire.server.options import Served
from modwire_trio import serve_tcp, serve_tls, serve_udp, serve_unix

from ..endpoint_forms import ALL, shown
from ..server.accepting import serve_sockets
from ..server.listen_options import server_options
from ..server.security import Security
from ..server.systemd import InheritedSockets
from ..system_advice import tidied
from .file_limit import raise_file_limit
from .lines import Lines
from .live_device import LiveDevice
from .mistakes import WATCHED_FRAMINGS, Mistakes, Watch, Watched
from .peers import Peers
from .traffic import Traffic
from .view import ConnectionInfo

if TYPE_CHECKING:
    from ..metrics import EndpointCounts, Metrics

_GRACE = 0.0  # seconds: stopping a device must not wait for its delayed responses


@dataclass
class _Link:
    """An open connection."""

    device: LiveDevice
    endpoint: str
    since: float
    counts: EndpointCounts | None


class _Run:
    """A device from its start to its stop; `before` is set when its previous run has ended."""

    def __init__(self, before: trio.Event | None) -> None:
        self.before = before
        self.scope = trio.CancelScope()
        self.ended = trio.Event()


class Server:
    """Starts and stops devices, and lists their clients; `metrics` counts what comes.

    `wall_clock` gives seconds since the epoch. `security` has the credentials for
    TLS, and the rights.
    """

    def __init__(
        self,
        devices: Sequence[LiveDevice],
        traffic: Traffic,
        wall_clock: Callable[[], float],
        *,
        max_connections: int,
        metrics: Metrics | None = None,
        security: Security | None = None,
    ) -> None:
        self._devices = devices
        self._traffic = traffic
        self._wall_clock = wall_clock
        self._max_connections = max_connections
        self._metrics = metrics
        self._security = Security() if security is None else security
        self._inherited = InheritedSockets()
        self._nursery: trio.Nursery | None = None
        self._runs: dict[int, _Run] = {}  # the latest run of each device
        self._links: dict[Served, _Link] = {}
        self._peers = Peers(wall_clock)
        self._lines = Lines(self._told, self._watch_line, self._security.options)
        self._mistakes = Mistakes(traffic, wall_clock)

    # Starting and stopping.

    def inherit(self, sockets: InheritedSockets) -> None:
        """Serve on these sockets; raises OSError if one belongs to no endpoint."""
        for device in self._devices:
            for endpoint in device.endpoints:
                sockets.take(endpoint)
        sockets.check_taken()
        self._inherited = sockets

    def open(self, nursery: trio.Nursery) -> None:
        """Serve in `nursery` from now on; raises RuntimeError if the server is open already."""
        if self._nursery is not None:
            raise RuntimeError("a simulation runs once at a time")
        raise_file_limit()
        self._nursery = nursery

    async def start_all(self) -> None:
        """Serve all devices; return when each one listens or has a problem."""
        nursery = self._open_nursery()
        for device in self._devices:
            await nursery.start(self._serve, device, self._begin(device))

    def close(self) -> None:
        """Record that the nursery has ended."""
        self._nursery = None

    def _open_nursery(self) -> trio.Nursery:
        if self._nursery is None:
            raise ValueError("the simulation does not run")
        return self._nursery

    def start(self, device: LiveDevice) -> None:
        """Serve a device, unless it is served already."""
        nursery = self._open_nursery()
        if not device.running:
            nursery.start_soon(self._serve, device, self._begin(device))

    def stop(self, device: LiveDevice) -> None:
        """Stop serving a device."""
        device.running = False
        run = self._runs.get(device.index)
        if run is not None:
            run.scope.cancel()

    def _begin(self, device: LiveDevice) -> _Run:
        """Register a run before its task begins, so that it can be stopped at once."""
        device.started()
        before = self._runs.get(device.index)
        run = self._runs[device.index] = _Run(before.ended if before is not None else None)
        return run

    async def _serve(
        self,
        device: LiveDevice,
        run: _Run,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        is_told = False
        try:
            if run.before is not None:
                # The previous run still holds the port. Shielded: if this run is stopped meanwhile,
                # it must not end earlier, because the next run waits for this one only.
                with trio.CancelScope(shield=True):
                    await run.before.wait()
            with run.scope:
                async with trio.open_nursery() as nursery:
                    for endpoint in list(device.endpoints):
                        device.listening.append(
                            await nursery.start(self._serve_at, device, endpoint, run.scope)
                        )
                    task_status.started()
                    is_told = True
                    if not device.endpoints:
                        await trio.sleep_forever()
            if not is_told:
                task_status.started()
        finally:
            device.listening = []
            if self._runs[device.index] is run:
                device.running = False
            run.ended.set()

    async def _serve_at(
        self,
        device: LiveDevice,
        endpoint: Endpoint,
        scope: trio.CancelScope,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve at one endpoint. If that fails, the whole device has a problem."""
        started = _Started(device, endpoint, task_status)
        if endpoint.transport != "serial":  # a line is watched by the device that serves it
            Watch(self._mistakes, device.index, lambda: started.text, device.units).begin()
        try:
            if endpoint.transport == "serial":
                await self._lines.serve(device, endpoint, started)
            elif endpoint.transport == "udp":
                hooks = self._security.options(
                    ServerOptions(on_answer=partial(self._told_datagram, device, started))
                )
                await serve_udp(
                    device.units,
                    endpoint.port,
                    host=_host(endpoint),
                    framing=WATCHED_FRAMINGS[endpoint.framing],
                    options=server_options(endpoint, hooks),
                    grace=_GRACE,
                    task_status=started,
                )
            else:
                await self._serve_connections(device, endpoint, started)
        except (OSError, ModbusError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            device.problem = f"{shown(endpoint)}: {tidied(text).replace(' on :: port', ' on port')}"
            scope.cancel()
            if not started.is_told:
                started.started(None)

    async def _serve_connections(
        self, device: LiveDevice, endpoint: Endpoint, started: _Started
    ) -> None:
        hooks = self._security.options(
            ServerOptions(
                on_connect=partial(self._connected, device, started),
                on_disconnect=self._disconnected,
            )
        )
        common: dict[str, Any] = {
            "framing": WATCHED_FRAMINGS[endpoint.framing],
            "max_connections": self._max_connections,
            "options": server_options(endpoint, hooks),
            "grace": _GRACE,
            "task_status": started,
        }
        passed = self._inherited.take(endpoint)
        if passed:
            await serve_sockets(device.units, passed, **common)
        elif endpoint.transport == "unix":
            await serve_unix(device.units, endpoint.path, **common)
        elif endpoint.transport == "tls":
            common["credentials"] = self._security.credentials
            await serve_tls(device.units, endpoint.port, host=_host(endpoint), **common)
        else:
            await serve_tcp(device.units, endpoint.port, host=_host(endpoint), **common)

    # Connections.

    def _connected(self, device: LiveDevice, place: _Started, protocol: Served) -> None:
        device.connections += 1
        counts = None if self._metrics is None else self._metrics.endpoint(place.text)
        if counts is not None:
            counts.connected(protocol)
        self._links[protocol] = _Link(device, place.text, self._wall_clock(), counts)
        framing = _watched(protocol)
        if framing is not None:
            framing.peer = str(protocol.peer)
        if self._traffic.is_recording or counts is not None:
            protocol.on_answer = self._answered

    def _disconnected(self, protocol: Served) -> None:
        framing = _watched(protocol)
        if framing is not None:
            framing.tell_unfinished("the connection was closed")
        link = self._links.pop(protocol)
        link.device.connections -= 1
        if link.counts is not None:
            link.counts.disconnected(protocol)

    def connections(self) -> list[ConnectionInfo]:
        """Return the clients, by device and then by time."""
        shift = self._wall_clock() - trio.current_time()
        found = [
            ConnectionInfo(
                link.device.index,
                link.endpoint,
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

    # Traffic.

    def begin_recording(self) -> None:
        """Record from now on, including the connections that are open."""
        for protocol in self._links:
            protocol.on_answer = self._answered

    def note_unfinished(self) -> None:
        """Record the frames whose rest does not come."""
        now = trio.current_time() if self._links else 0.0
        for protocol in self._links:
            framing = _watched(protocol)
            if framing is not None:
                framing.tell_if_stalled(protocol.heard, now)

    def _watch_line(self, device: LiveDevice, endpoint: Endpoint, units: Units) -> None:
        path = endpoint.path
        Watch(self._mistakes, device.index, lambda: str(endpoint), units, peer=path).begin()

    def _answered(self, protocol: Served, call: Call, response: Response | None) -> None:
        link = self._links.get(protocol)
        if link is not None:
            if link.counts is not None:
                link.counts.answered(protocol, call, response)
            self._record(link.device, link.endpoint, protocol, call, response)

    def _told_datagram(
        self,
        device: LiveDevice,
        place: _Started,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        self._told_without_connection(device, place.text, protocol, call, response)

    def _told(
        self,
        device: LiveDevice,
        endpoint: str,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        device.line_requests += 1
        self._told_without_connection(device, endpoint, protocol, call, response)

    def _told_without_connection(
        self,
        device: LiveDevice,
        endpoint: str,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        self._peers.heard(device.index, endpoint, str(protocol.peer))
        if self._metrics is not None:
            self._metrics.endpoint(endpoint).answered(protocol, call, response)
        self._record(device, endpoint, protocol, call, response)

    def _record(
        self,
        device: LiveDevice,
        endpoint: str,
        protocol: Served,
        call: Call,
        response: Response | None,
    ) -> None:
        if self._traffic.is_recording:
            self._traffic.add(
                self._wall_clock(),
                max(0.0, trio.current_time() - protocol.heard) * 1000,
                device.index,
                endpoint,
                str(protocol.peer),
                call.unit,
                call.request,
                response,
            )


class _Started(trio.TaskStatus[object]):
    """Receives the address of a server, and remembers its port for the next start."""

    def __init__(
        self, device: LiveDevice, endpoint: Endpoint, task_status: trio.TaskStatus[str]
    ) -> None:
        self._device = device
        self._endpoint = endpoint
        self._task_status = task_status
        self.text = str(endpoint)
        self.is_told = False

    def started(self, value: object = None) -> None:
        """Receive `value`: the server's (host, port), or the path of its socket."""
        if self.is_told:
            return
        self.is_told = True
        match value:
            case (str(), int(port)):
                old = self._endpoint
                new = old.replace(port=port)
                self._device.endpoints[self._device.endpoints.index(old)] = new
                self.text = str(new)
            case _:  # a path needs no change
                pass
        self._task_status.started(self.text)


def _watched(protocol: Served) -> Watched | None:
    """Return the framing of a connection, which reports mistakes."""
    framing = protocol.framing if isinstance(protocol, ServerProtocol) else None
    return framing if isinstance(framing, Watched) else None


def _host(endpoint: Endpoint) -> str:
    """Return the host for a server: "" for all addresses of this machine."""
    return "" if endpoint.host == ALL else endpoint.host
