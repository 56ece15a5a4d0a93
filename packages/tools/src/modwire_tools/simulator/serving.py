"""`Server`: serves the devices of a simulation, each in a task that can be restarted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from modwire import Endpoint, ModbusError, ServerOptions, Units
from modwire_trio import serve_tcp, serve_tls, serve_udp, serve_unix
from modwire_trio.servers.tcp import serve_sockets

from ..endpoint_forms import ALL, shown
from ..server.listen_options import server_options
from ..server.security import Security
from ..server.systemd import InheritedSockets
from ..system_advice import tidied
from .clients import Clients
from .file_limit import raise_file_limit
from .lines import Lines
from .live_device import LiveDevice
from .mistakes import WATCHED_FRAMINGS, Mistakes, Watch
from .traffic import Traffic

if TYPE_CHECKING:
    from modwire import Call, Response
    from modwire.server.options import OnAnswer, Served

    from ..metrics import Metrics

_GRACE = 0.0  # seconds: stopping a device must not wait for its delayed responses


class _Run:
    """A device from its start to its stop; `before` is set when its previous run has ended."""

    def __init__(self, before: trio.Event | None) -> None:
        self.before = before
        self.scope = trio.CancelScope()
        self.ended = trio.Event()


class Server:
    """Starts and stops devices; `clients` are theirs, and `metrics` counts what comes.

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
        self._max_connections = max_connections
        self._security = Security() if security is None else security
        self._inherited = InheritedSockets()
        self._nursery: trio.Nursery | None = None
        self._runs: dict[int, _Run] = {}  # the latest run of each device
        self.clients = Clients(traffic, wall_clock, trio.current_time, metrics)
        self._lines = Lines(self.clients.told_on_line, self._watch_line, self._security.options)
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

    def change_mode(self, device: LiveDevice, endpoint: Endpoint, mode: str) -> None:
        """Serve an endpoint with other frames: its device starts anew, and others on its line.

        Raises ValueError if the endpoint cannot have this mode.
        """
        changed = endpoint.replace(framing=mode)
        affected = [device]
        if endpoint.transport == "serial":
            self._lines.change(changed)
            affected = [
                each
                for each in self._devices
                if any(other.path == endpoint.path for other in each.endpoints)
            ]
        for each in affected:
            each.endpoints = [
                changed if old == endpoint or old.path == endpoint.path != "" else old
                for old in each.endpoints
            ]
            if each.running:
                self.stop(each)
                self.start(each)

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
                    ServerOptions(on_answer=self._teller(device, started))
                )
                await serve_udp(
                    device.units,
                    endpoint.port,
                    host=_host(endpoint),
                    allow=device.allowed,
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
                on_connect=partial(self.clients.connected, device, started),
                on_disconnect=self.clients.disconnected,
            )
        )
        common: dict[str, Any] = {
            "framing": WATCHED_FRAMINGS[endpoint.framing],
            "max_connections": self._max_connections,
            "options": server_options(endpoint, hooks),
            "grace": _GRACE,
            "task_status": started,
        }
        if endpoint.transport == "tls":
            common["credentials"] = self._security.credentials
        passed = self._inherited.take(endpoint)
        if passed:
            await serve_sockets(device.units, passed, allow=device.allowed, **common)
        elif endpoint.transport == "unix":
            await serve_unix(device.units, endpoint.path, **common)
        else:
            serve: Callable[..., Awaitable[None]]
            serve = serve_tls if endpoint.transport == "tls" else serve_tcp
            common |= {"host": _host(endpoint), "allow": device.allowed}
            await serve(device.units, endpoint.port, **common)

    def _teller(self, device: LiveDevice, place: _Started) -> OnAnswer:
        """Return the hook of a server without connections."""

        def told(protocol: Served, call: Call, response: Response | None) -> None:
            self.clients.told(device, place.text, protocol, call, response)

        return told

    def _watch_line(self, device: LiveDevice, endpoint: Endpoint, units: Units) -> None:
        path = endpoint.path
        Watch(self._mistakes, device.index, lambda: str(endpoint), units, peer=path).begin()


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


def _host(endpoint: Endpoint) -> str:
    """Return the host for a server: "" for all addresses of this machine."""
    return "" if endpoint.host == ALL else endpoint.host
