"""The steps of a client's script: named calls on one side, a scripted peer on the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from modwire import Framing, ResponseTimeoutError, TcpFraming

from ..drivers.base import PATIENCE, Driver, Task
from ..drivers.far_ends import End, Listener
from .frames import plain

SHORT = 0.1  # seconds: the timeout of calls that are to time out


class ClientStage:
    """A client, the peer that it is connected to, and the calls that were started."""

    def __init__(self, driver: Driver, listener: Listener, client: Any) -> None:
        self.driver = driver
        self.listener = listener
        self.client = client
        self.ends: list[End] = []
        self.calls: dict[str, Task] = {}
        self.owed = 0  # responses to attempts of `AnswersAgain` that the peer has not sent

    @property
    def peer(self) -> End:
        return self.ends[-1]

    async def outcome(self, name: str) -> Task:
        """Return the call `name` once it is done; a call has one outcome, for one step."""
        call = self.calls.pop(name)
        await call.wait()
        assert call.is_done, f"call {name!r} is still waiting"
        return call


class ClientStep:
    """One step of a script. `needs` are capabilities that a driver must have for it."""

    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def passes_time(self) -> bool:
        """True if the step lasts until time has passed, not until something happens."""
        return False

    async def play(self, stage: ClientStage) -> None:
        raise NotImplementedError


class Start(ClientStep):
    """Call a method of the client; continue when the call waits for something."""

    def __init__(self, name: str, method: str, *args: Any, **kwargs: Any) -> None:
        self.name, self.method, self.args, self.kwargs = name, method, args, kwargs

    async def play(self, stage: ClientStage) -> None:
        assert self.name not in stage.calls, f"there is a call {self.name!r} already"
        call = stage.driver.call(stage.client, self.method, self.args, self.kwargs)
        stage.calls[self.name] = stage.driver.start(call)
        await stage.driver.settle()

    def __repr__(self) -> str:
        return f"Start({self.name!r}, {self.method!r}, *{self.args}, **{self.kwargs})"


@dataclass
class Result(ClientStep):
    """A call is done, with this value."""

    name: str
    value: Any = None

    async def play(self, stage: ClientStage) -> None:
        call = await stage.outcome(self.name)
        if call.error is not None:
            raise AssertionError(f"{call.error!r} was raised") from call.error
        assert call.value == self.value
        assert type(call.value) is type(self.value)


@dataclass
class Raises(ClientStep):
    """A call is done, with an error of exactly this class."""

    name: str
    error: type[BaseException]
    match: str = ""

    @property
    def passes_time(self) -> bool:
        return self.error is ResponseTimeoutError

    async def play(self, stage: ClientStage) -> None:
        call = await stage.outcome(self.name)
        assert call.error is not None, f"it gave {call.value!r}"
        if type(call.error) is not self.error:
            raise AssertionError(f"{call.error!r} was raised") from call.error
        assert re.search(self.match, str(call.error)), f"{str(call.error)!r} has no {self.match!r}"


@dataclass
class Waits(ClientStep):
    """A call is not done yet."""

    name: str

    async def play(self, stage: ClientStage) -> None:
        await stage.driver.settle()
        call = stage.calls[self.name]
        assert not call.is_done, f"it is done: {call.value!r} {call.error!r}"


@dataclass
class Cancel(ClientStep):
    """The call is cancelled, wherever it waits; its outcome is discarded.

    With `may_be_done`, for a call that ends by itself after a time, it may have ended already.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"cancel"})
    name: str
    may_be_done: bool = False

    async def play(self, stage: ClientStage) -> None:
        call = stage.calls.pop(self.name)
        if call.is_done and self.may_be_done:
            return
        assert not call.is_done, f"it was done before: {call.value!r} {call.error!r}"
        call.cancel()
        await call.wait()
        assert call.is_done, "it is still waiting"
        assert call.value is None, f"it gave {call.value!r}"


@dataclass
class Expect(ClientStep):
    """The peer receives exactly these bytes next."""

    data: bytes | str

    async def play(self, stage: ClientStage) -> None:
        wanted = plain(self.data)
        received = await stage.peer.receive(len(wanted))
        assert received == wanted, f"{received.hex(' ')!r} came"

    def __repr__(self) -> str:
        return f"Expect({plain(self.data).hex(' ')!r})"


@dataclass
class Quiet(ClientStep):
    """The peer receives nothing for this number of seconds."""

    seconds: float = 0.03

    @property
    def passes_time(self) -> bool:
        return True

    async def play(self, stage: ClientStage) -> None:
        received = await stage.peer.receive_for(self.seconds)
        assert not received, f"{received.hex(' ')!r} came"


class Send(ClientStep):
    """The peer sends; with `size`, in pieces of `size` bytes, each read before the next."""

    def __init__(self, *data: bytes | str, size: int | None = None) -> None:
        self.data = b"".join(plain(each) for each in data)
        self.size = len(self.data) if size is None else size

    async def play(self, stage: ClientStage) -> None:
        for at in range(0, len(self.data), self.size):
            await stage.peer.send(self.data[at : at + self.size])
            if self.size < len(self.data):
                await stage.driver.settle()

    def __repr__(self) -> str:
        return f"Send({self.data.hex(' ')!r}, size={self.size})"


@dataclass
class Pass(ClientStep):
    """Time passes, in seconds."""

    seconds: float

    @property
    def passes_time(self) -> bool:
        return True

    async def play(self, stage: ClientStage) -> None:
        await stage.driver.sleep(self.seconds)


@dataclass
class PeerCloses(ClientStep):
    """The peer closes the connection; a serial adapter is pulled out."""

    async def play(self, stage: ClientStage) -> None:
        stage.peer.close()


@dataclass
class PeerResets(ClientStep):
    """The peer resets the connection."""

    needs: ClassVar[frozenset[str]] = frozenset({"tcp"})

    async def play(self, stage: ClientStage) -> None:
        stage.peer.reset()


@dataclass
class Accept(ClientStep):
    """The client opens its link, or opens it again; the steps that follow use the new one."""

    needs: ClassVar[frozenset[str]] = frozenset({"reopen"})

    async def play(self, stage: ClientStage) -> None:
        stage.ends.append(await stage.listener.accept())


@dataclass
class NobodyCame(ClientStep):
    """The client has not reopened its link."""

    needs: ClassVar[frozenset[str]] = frozenset({"reopen", "tcp"})

    async def play(self, stage: ClientStage) -> None:
        await stage.driver.settle()
        assert not stage.listener.has_visitor(), "the client has connected once more"


@dataclass
class PeerGoesAway(ClientStep):
    """The peer stops listening; connections are refused."""

    needs: ClassVar[frozenset[str]] = frozenset({"reopen"})

    async def play(self, stage: ClientStage) -> None:
        stage.listener.go_away()


@dataclass
class PeerComesBack(ClientStep):
    """The peer listens again, at the same address."""

    needs: ClassVar[frozenset[str]] = frozenset({"reopen"})

    async def play(self, stage: ClientStage) -> None:
        stage.listener.come_back()


@dataclass
class PeerIsBusy(ClientStep):
    """Connections are neither accepted nor refused, until the peer is free or goes away."""

    needs: ClassVar[frozenset[str]] = frozenset({"reopen", "tcp"})

    async def play(self, stage: ClientStage) -> None:
        stage.listener.be_busy()


@dataclass
class PeerIsFree(ClientStep):
    """Connections are accepted; those that were tried before too, when they are tried again."""

    needs: ClassVar[frozenset[str]] = frozenset({"reopen", "tcp"})

    async def play(self, stage: ClientStage) -> None:
        stage.listener.be_free()


@dataclass
class Connect(ClientStep):
    """`connect` of the client, until it returns."""

    async def play(self, stage: ClientStage) -> None:
        await stage.driver.finish(stage.driver.connect(stage.client))


@dataclass
class Close(ClientStep):
    """`close` of the client, until it returns."""

    async def play(self, stage: ClientStage) -> None:
        await stage.driver.finish(stage.driver.close(stage.client))


@dataclass
class Ended(ClientStep):
    """The client has closed the link that the peer has, and sent nothing more."""

    async def play(self, stage: ClientStage) -> None:
        assert await stage.peer.ends(), "the link is still open"


@dataclass
class IsOpen(ClientStep):
    """The value of the client's `is_open`."""

    is_open: bool

    async def play(self, stage: ClientStage) -> None:
        assert stage.client.is_open is self.is_open


@dataclass
class Check(ClientStep):
    """Any other condition that must be true for the client."""

    holds: Callable[[Any], bool]

    async def play(self, stage: ClientStage) -> None:
        assert self.holds(stage.client)


@dataclass(frozen=True)
class ClientScenario:
    """A script. The client is connected before the first step, unless `is_opened` is False."""

    name: str
    steps: list[ClientStep]
    link: str = "tcp"
    framing: type[Framing] = TcpFraming
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_opened: bool = True

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that a driver must have; every driver has plain connections."""
        link = {self.link} - {"tcp"}
        if not self.is_opened:
            link |= {"reopen"}
        return frozenset().union(link, *(step.needs for step in self.steps))

    @property
    def passes_time(self) -> bool:
        """True if a step lasts until time has passed."""
        return any(step.passes_time for step in self.steps)


async def play_client(driver: Driver, scenario: ClientScenario, directory: str) -> None:
    """Play a scenario; raises AssertionError if the client does something else."""
    listener = driver.listen(scenario.link, directory)
    # A call that is not meant to time out must not do so on a busy machine either.
    arguments = dict(scenario.arguments)
    if "options" not in arguments:
        arguments.setdefault("timeout", PATIENCE)
    client = driver.client(scenario.link, listener, scenario.framing, arguments)
    stage = ClientStage(driver, listener, client)
    try:
        if scenario.is_opened:
            await Connect().play(stage)
            await Accept().play(stage)
        for number, step in enumerate(scenario.steps, 1):
            try:
                await step.play(stage)
            except AssertionError as error:
                raise AssertionError(f"step {number}, {step!r}: {error}") from error
        assert not stage.calls, f"nobody asked for the outcome of {list(stage.calls)}"
    finally:
        await driver.finish(driver.close(client))
        for call in stage.calls.values():
            await call.wait()
        for end in stage.ends:
            end.close()
        listener.close()
