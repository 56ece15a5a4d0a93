"""A cancellation at each checkpoint of a call: the client works on, with right values only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
import trio
import trio.testing

from cutting import device
from modwire_trio import Client, connect
from own_sockets import count_descriptors, needs_proc

pytestmark = needs_proc


class Canceller(trio.abc.Instrument):
    """Cancels a scope before step number `left` of the task in it."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.scope = trio.CancelScope()
        self.task: object = None
        self.has_cancelled = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.has_cancelled = True
                self.scope.cancel()


async def cut(run: Callable[[], Awaitable[object]], place: int) -> bool:
    """Call `run` in a task that is cancelled at a step; return False if it has fewer steps."""
    canceller = Canceller(place)

    async def in_task() -> None:
        canceller.task = trio.lowlevel.current_task()
        trio.lowlevel.add_instrument(canceller)
        try:
            with canceller.scope:
                await run()
        finally:
            trio.lowlevel.remove_instrument(canceller)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_task)
    return canceller.has_cancelled


async def check(client: Client, value: int) -> None:
    """Fail unless the client works, at once and without an error."""
    with trio.fail_after(3.0):
        assert await client.read_holding_registers(value) == [value]


async def nothing(client: Client) -> None:
    pass


async def cut_everywhere(
    endpoint: str,
    run: Callable[[Client], Awaitable[object]],
    before: Callable[[Client], Awaitable[object]] = nothing,
) -> int:
    """Cut a run before each of its steps, and use the client after each; return their number."""
    client = connect(endpoint + ("&" if "?" in endpoint else "?") + "timeout=2")
    await check(client, 1)
    descriptors = count_descriptors()
    for place in count(1):
        await before(client)
        if not await cut(lambda: run(client), place):
            break
        await check(client, 100 + place)
        async with trio.open_nursery() as nursery:
            for value in (200, 201):
                nursery.start_soon(check, client, value + place)
    await client.aclose()
    with trio.fail_after(20):
        while count_descriptors() > descriptors + 1:  # the device closes its ends in threads
            await trio.lowlevel.checkpoint()
    return place


async def read(client: Client) -> None:
    assert await client.read_holding_registers(7) == [7]


@pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])
def test_a_call(kind: str) -> None:
    async def main() -> None:
        with device(kind) as (slow, endpoint):
            slow.pause = 0.01
            assert await cut_everywhere(endpoint, read) >= 2

    trio.run(main)


@pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])
def test_the_first_call(kind: str) -> None:
    async def main() -> None:
        with device(kind) as (_, endpoint):
            assert await cut_everywhere(endpoint, read, lambda client: client.aclose()) >= 3

    trio.run(main)


def test_closing() -> None:
    async def main() -> None:
        with device() as (_, endpoint):
            assert await cut_everywhere(endpoint, lambda client: client.aclose()) >= 2

    trio.run(main)


def test_other_callers_get_right_values() -> None:
    """They are not affected at all."""

    async def others(client: Client, first: int, calls: list[int]) -> None:
        for value in range(first, first + 200):
            assert await client.read_holding_registers(value) == [value]
            calls.append(value)

    async def main() -> None:
        cuts = 0
        calls: list[Any] = []
        with device() as (slow, endpoint):
            slow.pause = 0.001
            client = connect(f"{endpoint}?timeout=5&max_in_flight=4")
            await check(client, 1)
            async with trio.open_nursery() as nursery:
                for first in (1000, 2000, 3000):
                    nursery.start_soon(others, client, first, calls)
                for place in count():
                    if len(calls) == 600:
                        break
                    cuts += await cut(lambda: read(client), 1 + place % 4)
            await client.aclose()
        assert cuts > 20

    trio.run(main)


def test_a_cancelled_call_does_not_delay_the_next_run() -> None:
    """Each run may have a clock of its own: the time at which an answer is overdue never comes."""
    with device("rtu") as (line, endpoint):
        client = connect(f"{endpoint}&timeout=0.2")

        async def give_up() -> None:
            await check(client, 1)
            line.is_silent = True
            with trio.move_on_after(0.1):
                await client.read_holding_registers(2)

        async def use() -> None:
            await check(client, 3)
            await client.aclose()

        trio.run(give_up)
        line.is_silent = False
        trio.run(use, clock=trio.testing.MockClock(rate=1.0))
