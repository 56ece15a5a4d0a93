"""Sniffers: what is said on a line, and what they make of it. They never send."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modwire import AsciiFraming, ConnectionLostError
from modwire.sniffing import DamageKind, HeardExchange, HeardFrame, HeardOutcome

from ..drivers.base import PATIENCE, Driver, Task
from ..drivers.far_ends import End
from .client_lines import LINES
from .frames import framed, rtu
from .server_functions import READ, READ_ANSWER

_GAP = 0.1  # seconds, a silence that ends every frame


class SnifferStage:
    """A sniffer, and the far end of its line."""

    def __init__(self, driver: Driver, end: End, address: str, arguments: Mapping[str, Any]):
        self.driver = driver
        self.end = end
        self.frames: list[object] = []
        self.sniffer = driver.sniffer(address, {"on_frame": self.frames.append, **arguments})
        self.listening: Task | None = None

    async def call(self, function: Callable[[], Any]) -> Any:
        """Call a method of the sniffer, which has to end by itself."""
        return await self.driver.finish(function)


@dataclass
class SnifferStep:
    """One line of a script."""

    async def play(self, stage: SnifferStage) -> None:
        raise NotImplementedError


@dataclass
class Say(SnifferStep):
    """Bytes on the line, in pieces of `size`, after a silence of `after` seconds."""

    data: bytes
    size: int = 1000
    after: float = 0.0

    async def play(self, stage: SnifferStage) -> None:
        await stage.driver.sleep(self.after)
        for at in range(0, len(self.data), self.size):
            await stage.end.send(self.data[at : at + self.size])


@dataclass
class Hear(SnifferStep):
    """The next result of the sniffer."""

    kind: HeardOutcome | DamageKind
    unit: int | None

    async def play(self, stage: SnifferStage) -> None:
        found = await stage.call(lambda: stage.sniffer.hear(PATIENCE))
        assert found is not None, "nothing was heard"
        kind = found.outcome if isinstance(found, HeardExchange) else found.kind
        assert (kind, found.unit) == (self.kind, self.unit)


@dataclass
class HearNothing(SnifferStep):
    """The sniffer waits for a time, and hears nothing."""

    async def play(self, stage: SnifferStage) -> None:
        begun = stage.driver.now()
        assert await stage.call(lambda: stage.sniffer.hear(0.05)) is None
        assert stage.driver.now() - begun >= 0.04


@dataclass
class Frames(SnifferStep):
    """The hook has seen these numbers of requests and responses."""

    requests: int
    responses: int

    async def play(self, stage: SnifferStage) -> None:
        frames = [frame for frame in stage.frames if isinstance(frame, HeardFrame)]
        responses = sum(frame.is_response for frame in frames)
        assert (len(frames) - responses, responses) == (self.requests, self.responses)


@dataclass
class Iterate(SnifferStep):
    """The iteration yields what is heard of `data`, one result, and ends at the closing."""

    data: bytes

    async def play(self, stage: SnifferStage) -> None:
        found: list[object] = []
        driver, sniffer = stage.driver, stage.sniffer

        async def listen() -> None:
            async for each in sniffer:
                found.append(each)

        is_async = hasattr(sniffer, "__aiter__")
        task = driver.start(listen if is_async else lambda: found.extend(sniffer))
        await driver.settle()
        await stage.end.send(self.data)
        for _ in range(int(PATIENCE / 0.002)):
            if len(stage.frames) >= 2:
                break
            await driver.sleep(0.002)
        await driver.settle()
        await stage.call(driver.close(sniffer))
        await task.wait()
        assert task.is_done, "the iteration does not end"
        assert task.error is None
        assert len(found) == 1


@dataclass
class Lose(SnifferStep):
    """The port goes away: listening ends with a clear error."""

    async def play(self, stage: SnifferStage) -> None:
        stage.end.close()
        try:
            await stage.call(lambda: stage.sniffer.hear(PATIENCE))
        except ConnectionLostError as error:
            assert re.match(r"rtu:///dev/\S+: ", str(error))
        else:
            raise AssertionError("no error came")


@dataclass
class SnifferScenario:
    """A script for a sniffer."""

    name: str
    steps: Sequence[SnifferStep]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset({"serial"})
    passes_time: bool = True


async def play_sniffer(driver: Driver, scenario: SnifferScenario, directory: str) -> None:
    """Play a script, and check that nothing was sent."""
    listener = driver.listen("serial", directory)
    end = await listener.accept()
    stage = SnifferStage(driver, end, listener.address, scenario.arguments)
    try:
        await stage.call(stage.sniffer.open)
        for number, step in enumerate(scenario.steps, 1):
            try:
                await step.play(stage)
            except AssertionError as error:
                raise AssertionError(f"step {number}, {step}: {error}") from error
        if not isinstance(scenario.steps[-1], Lose):
            assert await end.receive_for(0.02) == b"", "the sniffer has sent something"
    finally:
        closing = stage.driver.close(stage.sniffer)()
        if inspect.isawaitable(closing):
            await closing
        listener.close()


def scenarios() -> Sequence[SnifferScenario]:
    answered, wrong = HeardOutcome.ANSWERED, DamageKind.CHECKSUM
    found = [
        SnifferScenario(
            f"pairs of several units, {framing.name}",
            [
                Say(framed(framing, READ) + framed(framing, READ_ANSWER)),
                Hear(answered, 1),
                Say(framed(framing, READ, unit=2), size=3),
                HearNothing(),
                Say(framed(framing, "83 02", unit=2)),
                Hear(HeardOutcome.EXCEPTION, 2),
                Say(framed(framing, "06 0005 0001", unit=0)),
                Hear(HeardOutcome.BROADCAST, 0),
                HearNothing(),
                Frames(3, 2),
            ],
            {"framing": framing, "timeout": PATIENCE},
        )
        for framing in LINES
    ]
    return [
        *found,
        SnifferScenario(
            "a damaged frame costs one frame",
            [
                Say(rtu(READ) + rtu(READ_ANSWER)),
                Say(rtu(READ)[:-1] + b"\0", after=_GAP),
                Say(rtu(READ, 2) + rtu(READ_ANSWER, 2), after=_GAP),
                Hear(answered, 1),
                Hear(wrong, 1),
                Hear(answered, 2),
            ],
        ),
        SnifferScenario(
            "a request without an answer is told after the timeout, and the late answer too",
            [
                Say(rtu(READ)),
                Hear(HeardOutcome.UNANSWERED, 1),
                Say(rtu(READ_ANSWER)),
                Hear(HeardOutcome.LATE, 1),
            ],
            {"timeout": 0.2},
        ),
        SnifferScenario(
            "a cut frame is told without another byte",
            [
                Say(rtu(READ) + rtu(READ_ANSWER) + rtu(READ)[:5]),
                Hear(answered, 1),
                Hear(DamageKind.TRUNCATED, 1),
            ],
        ),
        SnifferScenario(
            "closing ends the iteration",
            [Iterate(rtu(READ) + rtu(READ_ANSWER))],
        ),
        SnifferScenario(
            "an ASCII line with its settings",
            [Say(framed(AsciiFraming, READ)), Hear(HeardOutcome.UNANSWERED, 1)],
            {"framing": AsciiFraming, "baudrate": 9600, "timeout": 0.1},
        ),
        SnifferScenario(
            "a port that goes away", [Say(rtu(READ)), HearNothing(), Lose()], {"timeout": PATIENCE}
        ),
    ]
