"""Steps of a client's script with the same result even if a busy machine stalls.

They have no upper time limits, and count the real events instead of the expected ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modwire import ConnectionLostError

from .client_steps import ClientStage, ClientStep, Result, Start
from .frames import tcp


@dataclass
class Discard(ClientStep):
    """The peer discards what the client has sent so far."""

    async def play(self, stage: ClientStage) -> None:
        while await stage.peer.receive_for(0.02):
            pass


@dataclass
class Lasts(ClientStep):
    """The steps take at least this number of seconds. There is no upper limit."""

    seconds: float
    steps: Sequence[ClientStep]

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(step.needs for step in self.steps))

    @property
    def passes_time(self) -> bool:
        return True

    async def play(self, stage: ClientStage) -> None:
        began = stage.driver.now()
        for step in self.steps:
            await step.play(stage)
        lasted = stage.driver.now() - began
        assert lasted > self.seconds - 0.001, f"it took {lasted} s only"


@dataclass
class AnswersAgain(ClientStep):
    """The peer ignores the first request of a call and answers each repetition, until it is done.

    `answers` returns the frames for a transaction id. The call needs many retries: on a busy
    machine a response may be too late for an attempt.
    """

    name: str
    answers: Callable[[int], Sequence[bytes]]
    size: int = 12

    @property
    def passes_time(self) -> bool:
        return True

    async def play(self, stage: ClientStage) -> None:
        call = stage.calls[self.name]
        received = b""
        attempts = answered = 0
        while not call.is_done or received:
            received += await stage.peer.receive_for(0.02)
            while len(received) >= self.size:
                request, received = received[: self.size], received[self.size :]
                attempts += 1
                if attempts > 1 and not call.is_done:
                    for frame in self.answers(int.from_bytes(request[:2], "big")):
                        await stage.peer.send(frame)
                    answered += 1
                    await stage.driver.settle()
            if call.is_done:
                received += await stage.peer.receive_for(0.02)
        assert attempts > 1, "it was not sent again"
        stage.owed = attempts - answered


@dataclass
class SendOwed(ClientStep):
    """The peer sends as many frames as it still owes after `AnswersAgain`."""

    frame: bytes

    async def play(self, stage: ClientStage) -> None:
        await stage.peer.send(self.frame * stage.owed)


@dataclass
class StillWorks(ClientStep):
    """A complete exchange on TCP with any transaction id, to check that the link still works."""

    async def play(self, stage: ClientStage) -> None:
        address = 0x99
        await Start("works", "read_holding_registers", address).play(stage)
        request = await stage.peer.receive(12)
        transaction = int.from_bytes(request[:2], "big")
        assert request == tcp(f"03 {address:04x} 0001", transaction), f"{request.hex(' ')!r} came"
        await stage.peer.send(tcp(f"03 02 {address:04x}", transaction))
        await Result("works", [address]).play(stage)


@dataclass
class FailsAtOnce(ClientStep):
    """A call that waits `timeout` seconds fails at once if the next attempt to connect is later.

    Each attempt that fails makes that pause longer, so try until one is longer than any stall.
    """

    method: str
    timeout: float
    match: str

    async def play(self, stage: ClientStage) -> None:
        errors = []
        for _ in range(12):
            await Start("late", self.method, 0, timeout=self.timeout).play(stage)
            call = await stage.outcome("late")
            if type(call.error) is not ConnectionLostError:
                raise AssertionError(f"{call.value!r} {call.error!r}") from call.error
            errors.append(str(call.error))
            if re.search(self.match, errors[-1]):
                return
        raise AssertionError(f"no {self.match!r} in {errors}")
