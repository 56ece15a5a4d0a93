"""`running`: a simulation in the trio loop of a test, which sets the clock of its devices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from modwire_tools.addresses import parse_place
from modwire_tools.simulator.devices import BlockSpec, DeviceSpec, PointSpec, UnitSpec
from modwire_tools.simulator.simulation import Simulation, place
from modwire_tools.simulator.view import View
from modwire_trio import Client, connect

ANY = "tcp://127.0.0.1:0"
PATIENCE = 30.0  # timeout in seconds on a busy machine
SOON = 0.2  # timeout in seconds of a client, if a timeout is expected


@dataclass
class Clock:
    """The time of the devices, set by the test."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(
    devices: Sequence[DeviceSpec],
    endpoints: Sequence[str] = (ANY,),
    clock: Clock | None = None,
    **options: object,
) -> AsyncIterator[View]:
    simulation = Simulation(
        place(devices, endpoints, **options),  # type: ignore[arg-type]
        seed=1,
        clock=clock or Clock(),
    )
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(simulation.run)
            yield simulation.view
            nursery.cancel_scope.cancel()


def client_of(view: View, device: int = 0, endpoint: int = 0, timeout: float = PATIENCE) -> Client:
    return connect(f"{view.devices()[device].endpoints[endpoint]}?timeout={timeout}")


async def until(condition: Callable[[], object]) -> None:
    """Wait until another task has made `condition` true."""
    while not condition():  # noqa: ASYNC110 - nothing there has an event
        await trio.sleep(0.002)


def device(*points: PointSpec, blocks: Sequence[BlockSpec] = (), name: str = "d") -> DeviceSpec:
    return DeviceSpec(name, (UnitSpec(1, "u", points=points, blocks=blocks),))


def point(name: str, at: str, kind: str = "uint16", **more: object) -> PointSpec:
    return PointSpec(name, parse_place(at), kind, **more)  # type: ignore[arg-type]
