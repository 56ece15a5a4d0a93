"""The steps of a server's script: raw peers on one side, the server's units on the other."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from modwire import AllowedNetworks, Block, TcpFraming, Units

from ..drivers.base import PATIENCE, Driver, Serving, Task
from ..drivers.far_ends import End
from .client_steps import Accept, ClientStage
from .frames import plain

# Arguments that only a server with an address has.
_OF_LISTENERS = {"max_connections", "allow", "backlog", "reuse_port", "workers"}


class Gate(Block):
    """Registers, all 4711; a read waits until the gate is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.asked = threading.Semaphore(0)

    def read(self, address: int, count: int) -> list[int]:
        self.asked.release()
        assert self.opened.wait(2 * PATIENCE)
        return [0x4711] * count


class ServerStage:
    """A server, its peers by name, and the calls of its hook."""

    def __init__(self, driver: Driver, link: str, units: Units, gate: Gate) -> None:
        self.driver = driver
        self.link = link
        self.units = units
        self.gate = gate
        self.peers: dict[str, End] = {}
        self.calls: list[tuple[Any, Any, Any]] = []
        self.stopping: Task | None = None
        self.serving: Serving | None = None
        self.behind: ClientStage | None = None
        self.allowed = AllowedNetworks(["127.0.0.0/8"])

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds()` is True, or after `PATIENCE` seconds."""
        for _ in range(int(PATIENCE / 0.002)):
            if holds():
                return
            await self.driver.sleep(0.002)

    async def stop(self) -> None:
        if self.serving is not None and self.stopping is None:
            self.stopping = self.driver.start(self.serving.stop)
        if self.stopping is not None:
            await self.stopping.wait()
            assert self.stopping.is_done, "the server does not end"
            if self.stopping.error is not None:
                raise self.stopping.error


class ServerStep:
    """One step of a script. `needs` are capabilities that a driver must have for it."""

    needs: ClassVar[frozenset[str]] = frozenset()
    passes_time: ClassVar[bool] = False

    async def play(self, stage: ServerStage) -> None:
        raise NotImplementedError


class Connect(ServerStep):
    """Peers connect, one after the other."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def play(self, stage: ServerStage) -> None:
        assert stage.serving is not None
        for name in self.names:
            stage.peers[name] = await stage.driver.dial(stage.link, stage.serving.address)
            await stage.driver.settle()

    def __repr__(self) -> str:
        return f"Connect{self.names}"


@dataclass
class CannotConnect(ServerStep):
    """A new connection is refused."""

    needs: ClassVar[frozenset[str]] = frozenset({"tcp"})

    async def play(self, stage: ServerStage) -> None:
        assert stage.serving is not None
        # Repeat until the server has begun to stop.
        for _ in range(int(PATIENCE / 0.01)):
            try:
                end = await stage.driver.dial(stage.link, stage.serving.address)
            except OSError:
                return
            end.close()
            await stage.driver.sleep(0.01)
        raise AssertionError("the server still listens")


class Send(ServerStep):
    """A peer sends; with `size`, in pieces of `size` bytes."""

    def __init__(self, peer: str, *data: bytes | str, size: int | None = None) -> None:
        self.peer = peer
        self.data = b"".join(plain(each) for each in data)
        self.size = len(self.data) if size is None else size

    async def play(self, stage: ServerStage) -> None:
        for at in range(0, len(self.data), self.size):
            await stage.peers[self.peer].send(self.data[at : at + self.size])
            if self.size < len(self.data):
                await stage.driver.settle()

    def __repr__(self) -> str:
        return f"Send({self.peer!r}, {self.data.hex(' ')!r}, size={self.size})"


class Expect(ServerStep):
    """A peer receives exactly these bytes next."""

    def __init__(self, peer: str, *data: bytes | str) -> None:
        self.peer = peer
        self.data = b"".join(plain(each) for each in data)

    async def play(self, stage: ServerStage) -> None:
        received = await stage.peers[self.peer].receive(len(self.data))
        assert received == self.data, f"{received.hex(' ')!r} came"

    def __repr__(self) -> str:
        return f"Expect({self.peer!r}, {self.data.hex(' ')!r})"


@dataclass
class Silence(ServerStep):
    """A peer receives nothing for this number of seconds."""

    passes_time: ClassVar[bool] = True
    peer: str
    seconds: float = 0.03

    async def play(self, stage: ServerStage) -> None:
        received = await stage.peers[self.peer].receive_for(self.seconds)
        assert not received, f"{received.hex(' ')!r} came"


class Closed(ServerStep):
    """The server closes the connections of these peers, and sends nothing before it does."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def play(self, stage: ServerStage) -> None:
        for name in self.names:
            assert await stage.peers[name].ends(), f"the connection of {name!r} is still open"

    def __repr__(self) -> str:
        return f"Closed{self.names}"


@dataclass
class HangUp(ServerStep):
    """A peer closes its connection."""

    peer: str

    async def play(self, stage: ServerStage) -> None:
        stage.peers.pop(self.peer).close()
        await stage.driver.settle()


@dataclass
class CutOff(ServerStep):
    """A peer closes its connection with RST instead of FIN."""

    needs: ClassVar[frozenset[str]] = frozenset({"tcp"})
    peer: str

    async def play(self, stage: ServerStage) -> None:
        stage.peers.pop(self.peer).reset()
        await stage.driver.settle()


@dataclass
class EndSending(ServerStep):
    """A peer closes its connection in one direction, and still receives."""

    peer: str

    async def play(self, stage: ServerStage) -> None:
        stage.peers[self.peer].end_sending()
        await stage.driver.settle()


@dataclass
class Pass(ServerStep):
    """Time passes, in seconds."""

    passes_time: ClassVar[bool] = True
    seconds: float

    async def play(self, stage: ServerStage) -> None:
        await stage.driver.sleep(self.seconds)


@dataclass
class Asked(ServerStep):
    """The unit with the gate is being asked, and waits there."""

    needs: ClassVar[frozenset[str]] = frozenset({"threads"})

    async def play(self, stage: ServerStage) -> None:
        asked = False

        def is_asked() -> bool:
            nonlocal asked
            asked = stage.gate.asked.acquire(blocking=False)
            return asked

        await stage.until(is_asked)
        assert asked, "the unit was never asked"


@dataclass
class OpenGate(ServerStep):
    """Calls that wait at the gate continue, and later ones do not wait."""

    needs: ClassVar[frozenset[str]] = frozenset({"threads"})

    async def play(self, stage: ServerStage) -> None:
        stage.gate.opened.set()


@dataclass
class Shutdown(ServerStep):
    """The server begins to stop; the script continues meanwhile."""

    needs: ClassVar[frozenset[str]] = frozenset({"tcp"})

    async def play(self, stage: ServerStage) -> None:
        assert stage.serving is not None
        stage.stopping = stage.driver.start(stage.serving.stop)
        await stage.driver.settle()


@dataclass
class Stopped(ServerStep):
    """The server has stopped."""

    async def play(self, stage: ServerStage) -> None:
        await stage.stop()


@dataclass
class EndsBy(ServerStep):
    """The server ends by itself, with this error."""

    error: type[BaseException]
    match: str

    async def play(self, stage: ServerStage) -> None:
        assert stage.serving is not None
        ended = stage.driver.start(stage.serving.wait)
        await ended.wait()
        assert ended.is_done, "the server goes on"
        assert type(ended.error) is self.error, f"{ended.error!r} was raised"
        assert re.search(self.match, str(ended.error)), f"it says {str(ended.error)!r}"
        stage.serving = None


@dataclass
class Holds(ServerStep):
    """A unit's holding registers from `address` on have these values (soon)."""

    unit: int
    address: int
    values: list[int]

    async def play(self, stage: ServerStage) -> None:
        block = stage.units[self.unit].holding_registers

        def found() -> list[int]:
            return list(block.read(self.address, len(self.values)))

        await stage.until(lambda: found() == self.values)
        assert found() == self.values, f"it has {found()}"


@dataclass
class Called(ServerStep):
    """`on_call` was called with exactly these requests and responses (soon)."""

    calls: list[tuple[Any, Any]]

    async def play(self, stage: ServerStage) -> None:
        await stage.until(lambda: len(stage.calls) >= len(self.calls))
        got = [(request, response) for _, request, response in stage.calls]
        assert got == self.calls, f"it got {got}"


@dataclass(frozen=True)
class ServerScenario:
    """A script.

    `units` makes the units, with a gate for one that waits. `arguments` have the names of the
    sync package; `grace` is that of the shutdown. With `records`, `on_call` records every call.
    With `gateway`, unit 17 is a device behind a client, which `Behind` steps play. With the class
    `AllowedNetworks` as `allow`, steps may change the networks in `stage.allowed`.
    """

    name: str
    steps: list[ServerStep]
    units: Callable[[Gate], Units]
    link: str = "tcp"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    grace: float = PATIENCE
    records: bool = False
    gateway: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that a driver must have; every driver has plain connections."""
        link = {self.link} - {"tcp"}
        if _OF_LISTENERS & set(self.arguments):
            link |= {"tcp"}
        if self.gateway:
            link |= {"tcp"} | Accept.needs
        return frozenset().union(link, *(step.needs for step in self.steps))

    @property
    def passes_time(self) -> bool:
        """True if a step lasts until time has passed."""
        return "idle_timeout" in self.arguments or any(step.passes_time for step in self.steps)


async def play_server(driver: Driver, scenario: ServerScenario, directory: str) -> None:
    """Play a scenario; raises AssertionError if the server does something else."""
    gate = Gate()
    stage = ServerStage(driver, scenario.link, scenario.units(gate), gate)
    arguments = dict(scenario.arguments)
    if arguments.get("allow") is AllowedNetworks:
        arguments["allow"] = stage.allowed
    if scenario.records:
        arguments["on_call"] = lambda *told: stage.calls.append(told)
    address: Any = None
    line = None
    if scenario.link == "unix":
        address = f"{directory}/server"
    elif scenario.link == "serial":
        line = driver.listen("serial", directory)
        address = line.address
    if scenario.gateway:
        listener = driver.listen("tcp", directory)
        client = driver.client("tcp", listener, TcpFraming, {"timeout": PATIENCE})
        stage.behind = ClientStage(driver, listener, client)
        stage.units[17] = driver.remote_unit(client, 17)
    try:
        stage.serving = await driver.serve(
            scenario.link, stage.units, address, scenario.grace, arguments
        )
        if line is not None:
            stage.serving.address = await line.accept()
        for number, step in enumerate(scenario.steps, 1):
            try:
                await step.play(stage)
            except AssertionError as error:
                raise AssertionError(f"step {number}, {step!r}: {error}") from error
    finally:
        gate.opened.set()
        await stage.stop()
        for peer in stage.peers.values():
            peer.close()
        if line is not None:
            line.close()
        if stage.behind is not None:
            await driver.finish(driver.close(stage.behind.client))
            for end in stage.behind.ends:
                end.close()
            stage.behind.listener.close()
