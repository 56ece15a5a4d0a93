"""`Lines`: the serial lines of a simulation; several devices may share one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from modwire import Call, Endpoint, Response, ServerOptions, Units
from modwire.server.options import Served

from ..server.listen_options import serve_line
from .live_device import LiveDevice
from .mistakes import WATCHED_FRAMINGS

Told = Callable[[LiveDevice, str, Served, Call, "Response | None"], None]


class _Line:
    """A port and its devices. The task of one device serves the port for all of them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.units = Units({})
        self.devices: list[LiveDevice] = []
        self.server: LiveDevice | None = None
        self.changed = trio.Event()
        self.last_broadcast: Call | None = None


class Lines:
    """Serves the lines, and calls `told` with the device after each request.

    `watch(device, endpoint, units)` begins the watch over a line in the current task. `secured`
    adds rights and the audit to the options of a server.
    """

    def __init__(
        self,
        told: Told,
        watch: Callable[[LiveDevice, Endpoint, Units], None],
        secured: Callable[[ServerOptions], ServerOptions],
    ) -> None:
        self._told = told
        self._watch = watch
        self._secured = secured
        self._lines: dict[str, _Line] = {}

    async def serve(
        self, device: LiveDevice, endpoint: Endpoint, task_status: trio.TaskStatus[object]
    ) -> None:
        """Serve `device` on the line until cancelled. Raises OSError and ConnectionLostError."""
        line = self._lines.setdefault(endpoint.path, _Line(endpoint))
        line.devices.append(device)
        device.join(line.units)
        try:
            while line.server is not None:
                # Another device serves the port. When it stops, a waiting device takes over.
                task_status.started(None)
                await line.changed.wait()
            line.server = device
            self._watch(device, endpoint, line.units)
            try:
                await self._serve_line(line, task_status)
            finally:
                line.server = None
                line.changed.set()
                line.changed = trio.Event()
        finally:
            line.devices.remove(device)
            device.leave(line.units)

    def change(self, endpoint: Endpoint) -> None:
        """Serve the line of `endpoint` with its frames from its next start on."""
        if endpoint.path in self._lines:
            self._lines[endpoint.path].endpoint = endpoint

    async def _serve_line(self, line: _Line, task_status: trio.TaskStatus[object]) -> None:
        await serve_line(
            line.units,
            line.endpoint,
            self._secured(ServerOptions(on_answer=partial(self._answered, line))),
            grace=0.0,
            framings=WATCHED_FRAMINGS,
            task_status=task_status,
        )

    def _answered(
        self, line: _Line, protocol: Served, call: Call, response: Response | None
    ) -> None:
        if call.broadcast:
            # Every unit reports the same broadcast; each device counts it once.
            if line.last_broadcast is not call:
                line.last_broadcast = call
                for device in line.devices:
                    self._told(device, str(line.endpoint), protocol, call, response)
            return
        for device in line.devices:
            if call.unit in device.simulated:
                self._told(device, str(line.endpoint), protocol, call, response)
