"""`Polled`: a poller in the loop of a test, with devices on loopback and a sink that keeps all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from modwire import SequentialBlock, ServerOptions, Unit, Units
from modwire_asyncio import TcpServer
from modwire_tools.poll.cluster.cluster_reader import ClusterReader
from modwire_tools.poll.cluster.nodes import Cluster
from modwire_tools.poll.local_reader import LocalReader
from modwire_tools.poll.plant import Plant, SinkSpec, read_plant
from modwire_tools.poll.plant.settings import Settings
from modwire_tools.poll.poller import Poller
from modwire_tools.poll.reader import Reader, Take
from modwire_tools.poll.sample import GOOD, Sample
from modwire_tools.poll.schedule import Schedule
from modwire_tools.poll.sinks import Sink, find_sink
from modwire_tools.simulator.files.sections import Section

PATIENCE = 30.0  # seconds
TIME = 1_700_000_000.25


class KeepingSink(Sink):
    """Keeps all values; while `problem` is set, it fails with that text."""

    kind = "keep"

    def __init__(self) -> None:
        super().__init__(Settings(Section({}, None, "plant.toml"), {}, Path()))
        self.samples: list[Sample] = []
        self.problem = ""
        self.opened = 0

    async def open(self, surroundings) -> None:  # type: ignore[no-untyped-def]
        await super().open(surroundings)
        self.opened += 1

    async def write(self, samples: Sequence[Sample]) -> None:
        if self.problem:
            raise OSError(self.problem)
        self.samples += samples

    def values(self, device: str, point: str) -> list[object]:
        """The values of a point so far."""
        return [each.value for each in self.samples if (each.device, each.point) == (device, point)]


def spec_of(sink: Sink, name: str = "keep") -> SinkSpec:
    return SinkSpec(name, sink.kind, {}, sink)


class Polled:
    """A running poller; `told` has the sentences that it has reported, `task` runs it."""

    task: asyncio.Task[None]

    def __init__(self, poller: Poller, told: list[str]) -> None:
        self.poller = poller
        self.told = told
        self.sink = KeepingSink()

    @property
    def schedule(self) -> Schedule:
        """The schedule of the lines, which this process runs."""
        assert isinstance(self.poller.reader, LocalReader)
        return self.poller.reader.schedule

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the poller has made `condition` true."""

        async def wait() -> None:
            while not condition():  # noqa: ASYNC110 - nothing there has an event
                await asyncio.sleep(0.005)

        try:
            await asyncio.wait_for(wait(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"it does not come; told: {self.told}") from None

    async def until_value(self, device: str, point: str, value: object) -> None:
        """Wait until the sink has a value of a point."""
        await self.until(lambda: value in self.sink.values(device, point))


def plant_of(folder: Path, text: str, **environment: str) -> Plant:
    file = folder / "plant.toml"
    file.write_text(text)
    return read_plant(file, environment)


@asynccontextmanager
async def polling(plant: Plant, cluster: Cluster | None = None) -> AsyncIterator[Polled]:
    """Poll a plant, with a sink "keep" besides its own, here or in a cluster."""
    told: list[str] = []
    sink = KeepingSink()
    plant = replace(plant, sinks=[*plant.sinks, spec_of(sink)])

    def reader(take: Take) -> Reader:
        return LocalReader(take) if cluster is None else ClusterReader(take, cluster, told.append)

    polled = Polled(Poller(plant, told.append, reader), told)
    polled.sink = sink
    task = polled.task = asyncio.get_running_loop().create_task(polled.poller.run())
    try:
        yield polled
    finally:
        polled.poller.stop()
        await asyncio.wait_for(task, PATIENCE)


class Served(NamedTuple):
    """A server, its units, and its open connections."""

    units: Units
    server: TcpServer
    connections: set[object]

    @property
    def port(self) -> int:
        return int(self.server.address[1])

    def set_level(self, level: int) -> None:
        """Set the register of unit 1 that `device` names "level"."""
        registers = self.units.by_id[1].holding_registers
        assert registers is not None
        registers.write(0, [level])


@asynccontextmanager
async def serving(*units: int, registers: int = 20) -> AsyncIterator[Served]:
    """Serve units on a port of 127.0.0.1; each has coils and holding registers of value 0."""
    served = Units(
        {
            unit: Unit(
                coils=SequentialBlock(0, [False] * registers),
                holding_registers=SequentialBlock(0, [0] * registers),
            )
            for unit in units or (1,)
        }
    )
    open_: set[object] = set()
    async with TcpServer(
        served,
        ("127.0.0.1", 0),
        options=ServerOptions(on_connect=open_.add, on_disconnect=open_.discard),
    ) as server:
        yield Served(served, server, open_)


def device(name: str, port: int, unit: int = 1, **more: object) -> str:
    """The text of a device with a register `level` and a coil `pump`."""
    rest = "\n".join(f"{key} = {value}" for key, value in more.items())
    return f"""
[[device]]
name = "{name}"
endpoint = "tcp://127.0.0.1:{port}?timeout=5"
unit = {unit}
interval = "20ms"
{rest}
[[device.point]]
name = "level"
at = "hr:0"
unit = "mm"
[[device.point]]
name = "pump"
at = "co:0"
on_change = true
"""


def sample(
    value: object,
    point: str = "p",
    quality: str = GOOD,
    device: str = "m 1",
    time: float = TIME,
    measure: str = "V",
) -> Sample:
    reason = "" if quality == GOOD else "no answer"
    return Sample(device, point, value, quality, reason, time, measure, {"hall": "3, left"})  # type: ignore[arg-type]


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def sink_of(kind: str, folder: Path, **values: object) -> Sink:
    """Return a sink with these values in its table."""
    section = Section({**values}, None, "plant.toml", "sink 1")
    return find_sink(kind)(Settings(section, {}, folder))
