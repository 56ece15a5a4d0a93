"""`Simulation`: serves devices, and gives a `View` to watch and change them.

    simulation = Simulation(place([energy_meter()], ["tcp://127.0.0.1:5020"]))
    async with trio.open_nursery() as nursery:
        await nursery.start(simulation.run)  # returns when every device listens or has a problem
        simulation.view.devices()            # a `View`: for the page, the window, and tests

`run` serves until it is cancelled. Call everything in the thread of trio's loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from .live_device import LiveDevice, Plans
from .panel import Panel
from .placing import PlacedDevice, place
from .serving import Server
from .traffic import Traffic
from .trends import Trends
from .view import View

if TYPE_CHECKING:
    from ..metrics import Metrics
    from ..server.security import Security
    from ..server.systemd import InheritedSockets

__all__ = ["PlacedDevice", "Simulation", "place"]


class Simulation:
    """Devices at their endpoints, see `place`.

    With a `seed`, random values are the same in every run. `speed` is the number of seconds that
    pass for the devices per second, up to 1e6. `max_connections` is for each device. `metrics`
    counts what comes. `security` has the credentials for TLS, and the rights. Raises ValueError for
    a wrong description, such as a value that does not fit its type, and for an endpoint with TLS
    without credentials.
    """

    def __init__(
        self,
        devices: Sequence[PlacedDevice],
        *,
        seed: int | None = None,
        speed: float = 1.0,
        max_connections: int = 1000,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
        security: Security | None = None,
    ) -> None:
        if not 0 < speed <= 1e6:
            raise ValueError(f"speed must be more than 0, at most 1e6, got {speed}")
        if seed is None:
            seed = int(wall_clock() * 1000)
        _check_credentials(devices, security)
        begun = clock()

        def now() -> float:
            return (clock() - begun) * speed

        self.now = now
        plans = Plans()
        self.devices = [
            LiveDevice(index, each.device, each.endpoints, now, seed + index, plans)
            for index, each in enumerate(devices)
        ]
        for device in self.devices:
            # One check is enough for all copies of a device.
            if not device.index or device.spec is not self.devices[device.index - 1].spec:
                device.check()
        self.traffic = Traffic(self._begin_recording, self._note_unfinished)
        self.trends = Trends(self.devices, now, wall_clock)
        self._server = Server(
            self.devices,
            self.traffic,
            wall_clock,
            max_connections=max_connections,
            metrics=metrics,
            security=security,
        )
        self._panel = Panel(self.devices, self._server, self.traffic, self.trends)

    @property
    def view(self) -> View:
        """The view: everything that a user can see and change."""
        return self._panel

    def inherit(self, sockets: InheritedSockets) -> None:
        """Serve on these sockets at the endpoints that name them, before `run`.

        Raises OSError if one belongs to no endpoint.
        """
        self._server.inherit(sockets)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. A device that cannot be served is in `view.problems()`."""
        async with trio.open_nursery() as nursery:
            self._server.open(nursery)
            try:
                nursery.start_soon(self.trends.run)
                await self._server.start_all()
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._server.close()

    def _begin_recording(self) -> None:
        self._server.clients.begin_recording()

    def _note_unfinished(self) -> None:
        self._server.clients.note_unfinished()


def _check_credentials(devices: Sequence[PlacedDevice], security: Security | None) -> None:
    if security is None or security.credentials is None:
        for device in devices:
            for endpoint in device.endpoints:
                if endpoint.transport == "tls":
                    raise ValueError(f"{endpoint} needs the certificate and the key of a server")
